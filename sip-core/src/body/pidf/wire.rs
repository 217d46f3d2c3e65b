//! Presence as XML (RFC 3863 §4.1, RFC 4479 §4, RFC 4480 §4).

use alloc::string::String;
use alloc::vec::Vec;

use super::{Activity, Basic, Device, Note, Person, Presence, Tuple};
use crate::body::xml::{Document, Element, Fault, Ns, XmlWriter};

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

impl Tuple {
    fn read(element: &Element) -> Result<Self, Fault> {
        let basic = element.child(NS, "status").and_then(|status| status.child(NS, "basic"));
        let read = |basic: &Element| basic.text().parse::<Basic>().map_err(|_| basic.bad("basic", "open or closed"));
        let contact = element.child(NS, "contact");
        Ok(Tuple {
            id: element.required("id")?,
            basic: basic.map(read).transpose()?,
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
            out.leaf("basic", basic);
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

impl Person {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
