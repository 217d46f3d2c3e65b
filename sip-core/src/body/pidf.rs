//! Presence: `application/pidf+xml` (RFC 3863), with the person and the devices of RFC 4479 and what of RFC 4480 a phone shows.

use alloc::string::String;
use alloc::vec::Vec;

use super::xml::{Document, Element, Fault, Ns, XmlWriter, document};

/// What is known of somebody's presence (RFC 3863 §4.1).
///
/// Extensions other than activities, moods of which a phone shows nothing, are not kept.
///
/// ```
/// use blether_sip_core::body::pidf::{Activity, Basic, Person, Presence, Tuple};
///
/// let presence = Presence {
///     entity: "pres:alice@example.com".into(),
///     tuples: vec![Tuple { contact: Some("sip:alice@192.0.2.4".into()), ..Tuple::new("t1", Basic::Open) }],
///     persons: vec![Person { activities: vec![Activity::OnThePhone], ..Person::new("p1") }],
///     ..Presence::default()
/// };
/// let read: Presence = presence.to_string().parse()?;
/// assert_eq!(read, presence);
/// assert!(read.is_open() && read.activities().any(|activity| *activity == Activity::OnThePhone));
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// Who it is about, as a URI; empty if it is not said.
    pub entity: String,
    /// The ways to reach them.
    pub tuples: Vec<Tuple>,
    /// Words for people to read.
    pub notes: Vec<Note>,
    /// The person; more than one if sources contradict each other (RFC 4479 §3.2).
    pub persons: Vec<Person>,
    /// Their devices.
    pub devices: Vec<Device>,
}

/// One way to reach somebody (RFC 3863 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple {
    /// What it is called in all documents about this presentity.
    pub id: String,
    /// Whether it can be used; `None` if only extensions say so.
    pub basic: Option<Basic>,
    /// Its address, as a URI.
    pub contact: Option<String>,
    /// The priority of the address in thousandths, from 0 to 1,000; what is out of that range does not count (§4.1.5).
    pub priority: Option<u16>,
    /// The devices it is on (RFC 4479 §3.4).
    pub device_ids: Vec<String>,
    /// Words for people to read.
    pub notes: Vec<Note>,
    /// When this was so, by RFC 3339.
    pub timestamp: Option<String>,
}

/// Whether a way to reach somebody can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basic {
    /// `open`
    Open,
    /// `closed`
    Closed,
}

/// Words for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// The words.
    pub text: String,
    /// Their language, such as `en`.
    pub lang: Option<String>,
}

/// What is known of the person (RFC 4479 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// What it is called in this document.
    pub id: String,
    /// What they are doing (RFC 4480 §3.2).
    pub activities: Vec<Activity>,
    /// From when and until when, by RFC 3339, if that is said.
    pub activities_from: Option<String>,
    /// See [`Person::activities_from`].
    pub activities_until: Option<String>,
    /// Words about the activities, then those about the person.
    pub notes: Vec<Note>,
    /// When this was so, by RFC 3339.
    pub timestamp: Option<String>,
}

/// What is known of a device (RFC 4479 §3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// What it is called in this document.
    pub id: String,
    /// Its URI.
    pub device_id: Option<String>,
    /// Whether it is used (RFC 4480 §3.14): `active` or `idle`.
    pub user_input: Option<String>,
    /// Words for people to read.
    pub notes: Vec<Note>,
    /// When this was so, by RFC 3339.
    pub timestamp: Option<String>,
}

macro_rules! activities {
    ($($variant:ident $name:literal,)*) => {
        /// What somebody is doing (RFC 4480 §3.2).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Activity {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// `other`, in words.
            Other(String),
        }

        impl Activity {
            /// The name of its element.
            #[must_use]
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Activity::$variant => $name,)*
                    Activity::Other(_) => "other",
                }
            }

            fn read(element: &Element) -> Option<Activity> {
                match element.name() {
                    $($name => Some(Activity::$variant),)*
                    "other" => Some(Activity::Other(element.text().into())),
                    _ => None,
                }
            }

            fn write(&self, out: &mut XmlWriter) {
                match self {
                    $(Activity::$variant => out.open(concat!("rpid:", $name)).close(),)*
                    Activity::Other(words) => out.leaf("rpid:other", words),
                }
            }
        }
    };
}

activities! {
    Appointment "appointment",
    Away "away",
    Breakfast "breakfast",
    Busy "busy",
    Dinner "dinner",
    Holiday "holiday",
    InTransit "in-transit",
    LookingForWork "looking-for-work",
    Lunch "lunch",
    Meal "meal",
    Meeting "meeting",
    OnThePhone "on-the-phone",
    Performance "performance",
    PermanentAbsence "permanent-absence",
    Playing "playing",
    Presentation "presentation",
    Shopping "shopping",
    Sleeping "sleeping",
    Spectator "spectator",
    Steering "steering",
    Travel "travel",
    Tv "tv",
    Unknown "unknown",
    Vacation "vacation",
    Working "working",
    Worship "worship",
}

impl Presence {
    /// Whether any tuple is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.tuples.iter().any(|tuple| tuple.basic == Some(Basic::Open))
    }

    /// The activities of all that is said of the person.
    pub fn activities(&self) -> impl Iterator<Item = &Activity> {
        self.persons.iter().flat_map(|person| &person.activities)
    }
}

impl Tuple {
    /// A tuple with nothing else said of it yet.
    #[must_use]
    pub fn new(id: &str, basic: Basic) -> Self {
        Tuple {
            id: id.into(),
            basic: Some(basic),
            contact: None,
            priority: None,
            device_ids: Vec::new(),
            notes: Vec::new(),
            timestamp: None,
        }
    }

    fn read(element: &Element) -> Result<Self, Fault> {
        let basic = element.child(NS, "status").and_then(|status| status.child(NS, "basic"));
        let basic = basic.map(|basic| match basic.text() {
            text if text.eq_ignore_ascii_case("open") => Ok(Basic::Open),
            text if text.eq_ignore_ascii_case("closed") => Ok(Basic::Closed),
            _ => Err(basic.bad("basic", "open or closed")),
        });
        let contact = element.child(NS, "contact");
        Ok(Tuple {
            id: element.required("id")?,
            basic: basic.transpose()?,
            contact: contact.map(|contact| contact.text().into()),
            priority: contact.and_then(|contact| contact.attribute("priority")).and_then(thousandths),
            device_ids: element.all(Ns::DataModel, "deviceID").map(|id| id.text().into()).collect(),
            notes: notes(element, NS),
            timestamp: element.text_of(NS, "timestamp"),
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("tuple").attribute("id", &self.id).open("status");
        if let Some(basic) = self.basic {
            out.leaf("basic", if basic == Basic::Open { "open" } else { "closed" });
        }
        out.close();
        for id in &self.device_ids {
            out.leaf("dm:deviceID", id);
        }
        if let Some(contact) = &self.contact {
            let priority = self.priority.map(|it| it.min(1_000));
            let priority = priority.map(|it| alloc::format!("{}.{:03}", it / 1_000, it % 1_000));
            out.open("contact").attribute_if("priority", priority).text(contact).close();
        }
        write_notes("note", &self.notes, out);
        out.leaf_if("timestamp", self.timestamp.as_ref());
        out.close();
    }
}

/// `qvalue` in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(core::iter::repeat(b'0')).take(3);
    let number = digits.fold(u16::from(whole == "1"), |number, digit| number * 10 + u16::from(digit - b'0'));
    (number <= 1_000).then_some(number)
}

fn notes(element: &Element, ns: Ns) -> Vec<Note> {
    let note =
        |note: &Element| Note { text: note.text().into(), lang: note.attribute_in(Ns::Xml, "lang").map(String::from) };
    element.all(ns, "note").map(note).collect()
}

fn write_notes(name: &'static str, notes: &[Note], out: &mut XmlWriter) {
    for Note { text, lang } in notes {
        out.open(name).attribute_if("xml:lang", lang.as_ref()).text(text).close();
    }
}

impl Person {
    /// A person of whom nothing is said yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Person { id: id.into(), ..Person::default() }
    }

    fn read(element: &Element) -> Result<Self, Fault> {
        let mut person = Person::new(&element.required("id")?);
        for doing in element.all(Ns::Rpid, "activities") {
            person.activities.extend(doing.all_in(Ns::Rpid).filter_map(Activity::read));
            person.activities_from = person.activities_from.or(doing.string("from"));
            person.activities_until = person.activities_until.or(doing.string("until"));
            person.notes.extend(notes(doing, Ns::Rpid));
        }
        person.notes.extend(notes(element, Ns::DataModel));
        person.timestamp = element.text_of(Ns::DataModel, "timestamp");
        Ok(person)
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("dm:person").attribute("id", &self.id);
        if !self.activities.is_empty() || self.activities_from.is_some() || self.activities_until.is_some() {
            out.open("rpid:activities")
                .attribute_if("from", self.activities_from.as_ref())
                .attribute_if("until", self.activities_until.as_ref());
            self.activities.iter().for_each(|activity| activity.write(out));
            out.close();
        }
        write_notes("dm:note", &self.notes, out);
        out.leaf_if("dm:timestamp", self.timestamp.as_ref());
        out.close();
    }
}

impl Device {
    fn read(element: &Element) -> Result<Self, Fault> {
        Ok(Device {
            id: element.required("id")?,
            device_id: element.text_of(Ns::DataModel, "deviceID"),
            user_input: element.text_of(Ns::Rpid, "user-input"),
            notes: notes(element, Ns::DataModel),
            timestamp: element.text_of(Ns::DataModel, "timestamp"),
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("dm:device").attribute("id", &self.id);
        out.leaf_if("rpid:user-input", self.user_input.as_ref());
        out.leaf_if("dm:deviceID", self.device_id.as_ref());
        write_notes("dm:note", &self.notes, out);
        out.leaf_if("dm:timestamp", self.timestamp.as_ref());
        out.close();
    }
}

const NS: Ns = Ns::Pidf;

impl Document for Presence {
    const ROOT: (Ns, &'static str) = (NS, "presence");

    fn read(root: &Element) -> Result<Self, Fault> {
        Ok(Presence {
            entity: root.string("entity").unwrap_or_default(),
            tuples: root.all(NS, "tuple").map(Tuple::read).collect::<Result<_, _>>()?,
            notes: notes(root, NS),
            persons: root.all(Ns::DataModel, "person").map(Person::read).collect::<Result<_, _>>()?,
            devices: root.all(Ns::DataModel, "device").map(Device::read).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("presence").attribute("xmlns", NS.uri()).attribute("xmlns:dm", Ns::DataModel.uri());
        out.attribute("xmlns:rpid", Ns::Rpid.uri()).attribute("entity", &self.entity);
        self.tuples.iter().for_each(|tuple| tuple.write(out));
        write_notes("note", &self.notes, out);
        self.persons.iter().for_each(|person| person.write(out));
        self.devices.iter().for_each(|device| device.write(out));
        out.close();
    }
}

document!(Presence, "application/pidf+xml");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> Presence {
        let document: Presence = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(document.to_string().parse().as_ref(), Ok(&document), "{document}");
        document
    }

    /// RFC 3863 §4.2.2, §4.2.4 and §4.3.
    #[test]
    fn the_examples_of_rfc_3863_are_read_whatever_their_prefixes_are() {
        let [first, second, third, fourth, fifth, sixth] = [
            include_str!("../../tests/bodies/rfc3863-1.xml"),
            include_str!("../../tests/bodies/rfc3863-2.xml"),
            include_str!("../../tests/bodies/rfc3863-3.xml"),
            include_str!("../../tests/bodies/rfc3863-4.xml"),
            include_str!("../../tests/bodies/rfc3863-5.xml"),
            include_str!("../../tests/bodies/rfc3863-6.xml"),
        ]
        .map(read);
        assert_eq!(first, second);
        assert_eq!((first.entity.as_str(), first.is_open()), ("pres:someone@example.com", true));
        assert_eq!(
            (first.tuples[0].contact.as_deref(), first.tuples[0].priority),
            (Some("tel:+09012345678"), Some(800))
        );
        assert_eq!(third.tuples[0].basic, Some(Basic::Open));
        let note = |text: &str, lang: Option<&str>| Note { text: text.into(), lang: lang.map(String::from) };
        assert_eq!(
            fourth.tuples[0].notes,
            [note("Don't Disturb Please!", Some("en")), note("Ne derangez pas, s'il vous plait", Some("fr"))]
        );
        assert_eq!(fourth.notes, [note("I'll be in Tokyo next week", None)]);
        assert_eq!(fourth.tuples[0].timestamp.as_deref(), Some("2001-10-27T16:49:29Z"));
        assert_eq!(fifth.tuples[1].contact.as_deref(), Some("im:someone@mobilecarrier.net"));
        assert_eq!(sixth.tuples[0].priority, Some(725));
    }

    #[test]
    fn the_examples_of_rfc_4479_and_4480_tell_what_the_person_does() {
        let model = read(include_str!("../../tests/bodies/rfc4479-data-model.xml"));
        assert_eq!(model.activities().collect::<Vec<_>>(), [&Activity::OnThePhone]);
        assert_eq!(model.tuples[0].device_ids, ["mac:8asd7d7d70"]);
        assert_eq!(model.devices[0].device_id.as_deref(), Some("mac:8asd7d7d70"));
        assert_eq!(model.devices[0].user_input.as_deref(), Some("idle"));

        let rich = read(include_str!("../../tests/bodies/rfc4480-rpid.xml"));
        let person = &rich.persons[0];
        assert_eq!(person.activities, [Activity::Away]);
        assert_eq!(person.activities_until.as_deref(), Some("2005-05-30T17:00:00+05:00"));
        assert_eq!(person.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["Far away", "Scoring 120"]);
        assert_eq!((rich.tuples.len(), rich.devices[0].notes[0].text.as_str()), (3, "PC"));
    }

    #[test]
    fn a_priority_is_a_number_from_0_to_1() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", Some(1_000)),
            ("1.00", Some(1_000)),
            ("0.021", Some(21)),
            ("0.", Some(0)),
            ("1.001", None),
            ("0.0001", None),
            (".5", None),
            ("-1", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
        let over = Tuple { contact: Some(String::new()), priority: Some(9_999), ..Tuple::new("", Basic::Closed) };
        let over = Presence { tuples: vec![over], ..Presence::default() };
        assert_eq!(over.to_string().parse::<Presence>().unwrap().tuples[0].priority, Some(1_000));
    }

    /// RFC 3863 §4.2.3: the content of an unknown element does not count, whatever it looks like.
    #[test]
    fn what_stands_in_an_unknown_element_is_not_seen() {
        let ns = Ns::Pidf.uri();
        let text = format!(
            "<presence xmlns='{ns}'><x xmlns='u:x'><tuple xmlns='{ns}' id='1'/></x><tuple xmlns='' id='2'/></presence>"
        );
        assert!(read(&text).tuples.is_empty());
        let error =
            format!("<presence xmlns='{ns}'><tuple id='1'><status><basic>away</basic></status></tuple></presence>");
        let error = error.parse::<Presence>().unwrap_err().to_string();
        assert_eq!(error, "line 1, column 69: bad basic: expected open or closed");
    }
}
