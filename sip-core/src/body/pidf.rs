//! Presence: `application/pidf+xml` (RFC 3863), with the person and the devices of RFC 4479 and what of RFC 4480 a phone shows.

mod activity;
mod wire;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::xml::document;
use crate::InvalidText;

pub use activity::Activity;

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
///
/// ```
/// use blether_sip_core::body::pidf::{Basic, Presence, Tuple};
///
/// let contact = Some("sip:alice@192.0.2.4".into());
/// let desk = Tuple { contact, priority: Some(800), ..Tuple::new("desk", Basic::Open) };
/// let presence = Presence { entity: "pres:alice@example.com".into(), tuples: vec![desk], ..Presence::default() };
/// assert!(presence.to_string().contains("<contact priority=\"0.800\">sip:alice@192.0.2.4</contact>"));
/// ```
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
///
/// ```
/// use blether_sip_core::body::pidf::{Basic, Presence, Tuple};
///
/// let with = |basic| Presence { tuples: vec![Tuple::new("t1", basic)], ..Presence::default() };
/// assert!(with(Basic::Open).is_open() && !with(Basic::Closed).is_open());
/// assert_eq!("closed".parse(), Ok(Basic::Closed));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basic {
    /// `open`
    Open,
    /// `closed`
    Closed,
}

/// Words for people to read.
///
/// ```
/// use blether_sip_core::body::pidf::{Note, Presence};
///
/// let note = Note { text: "Back at noon".into(), lang: Some("en".into()) };
/// let presence = Presence { notes: vec![note], ..Presence::default() };
/// assert!(presence.to_string().contains("<note xml:lang=\"en\">Back at noon</note>"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// The words.
    pub text: String,
    /// Their language, such as `en`.
    pub lang: Option<String>,
}

/// What is known of the person (RFC 4479 §3.2).
///
/// ```
/// use blether_sip_core::body::pidf::{Activity, Person, Presence};
///
/// let activities = vec![Activity::Meeting, Activity::OnThePhone];
/// let alice = Person { activities, ..Person::new("p1") };
/// let presence = Presence { persons: vec![alice], ..Presence::default() };
/// let read: Presence = presence.to_string().parse()?;
/// assert!(read.activities().any(|activity| *activity == Activity::Meeting));
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
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
///
/// ```
/// use blether_sip_core::body::pidf::{Device, Presence};
///
/// let phone = Device { id: "d1".into(), user_input: Some("idle".into()), ..Device::default() };
/// let presence = Presence { devices: vec![phone], ..Presence::default() };
/// assert_eq!(presence.to_string().parse::<Presence>()?.devices[0].user_input.as_deref(), Some("idle"));
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
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

impl Basic {
    /// The word: `open` or `closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Basic::Open => "open",
            Basic::Closed => "closed",
        }
    }
}

impl fmt::Display for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Basic {
    type Err = InvalidText;

    /// Reads the word, in any case.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        let known = [Basic::Open, Basic::Closed].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(word));
        known.ok_or(InvalidText::Basic)
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
}

impl Person {
    /// A person of whom nothing is said yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Person { id: id.into(), ..Person::default() }
    }
}

document!(Presence, "application/pidf+xml");

#[cfg(test)]
mod tests;
