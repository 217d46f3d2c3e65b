//! Registration information: `application/reginfo+xml` (RFC 3680), with GRUUs (RFC 5628).

use alloc::string::String;
use alloc::vec::Vec;

use super::xml::{Applied, Completeness, Document, Element, Fault, Ns, XmlWriter, document, merge, order, words};

/// The registrations of one address of record or of several, all or those that changed (RFC 3680 §5.1).
///
/// ```
/// use blether_sip_core::body::reginfo::{Contact, ContactEvent, ContactState, RegInfo, Registration, RegistrationState};
///
/// let contact = Contact { uri: "sip:user@192.0.2.1".into(), ..Contact::new("76", ContactEvent::Registered) };
/// let registration = Registration {
///     aor: "sip:user@example.com".into(),
///     id: "as9".into(),
///     state: RegistrationState::Active,
///     contacts: vec![contact],
/// };
/// let document = RegInfo { registrations: vec![registration], ..RegInfo::default() };
/// let read: RegInfo = document.to_string().parse()?;
/// assert_eq!(read, document);
/// assert_eq!(read.registrations[0].contacts[0].state, ContactState::Active);
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegInfo {
    /// Counts the documents of a subscription, from 0.
    pub version: u32,
    /// Whether this is all.
    pub state: Completeness,
    /// The registrations.
    pub registrations: Vec<Registration>,
}

/// What is registered for an address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The address of record, as a URI.
    pub aor: String,
    /// What it is called in all documents of a subscription.
    pub id: String,
    /// Whether anything is registered.
    pub state: RegistrationState,
    /// The contacts.
    pub contacts: Vec<Contact>,
}

words! {
    /// The state of a registration.
    RegistrationState {
        /// Nothing was registered yet.
        Init "init",
        /// There is a contact.
        Active "active",
        /// There is none any more.
        Terminated "terminated",
    }
}

words! {
    /// The state of a contact.
    ContactState {
        /// It is bound to the address of record.
        Active "active",
        /// It was.
        Terminated "terminated",
    }
}

words! {
    /// What led to the state of a contact (RFC 3680 §4.6.2).
    ContactEvent {
        /// A REGISTER.
        Registered "registered",
        /// The registrar, by itself.
        Created "created",
        /// Another REGISTER.
        Refreshed "refreshed",
        /// The registrar made its time shorter.
        Shortened "shortened",
        /// Its time was over.
        Expired "expired",
        /// The registrar ended it; the phone should register anew at once.
        Deactivated "deactivated",
        /// The registrar ended it; the phone should register anew some time later.
        Probation "probation",
        /// A REGISTER ended it.
        Unregistered "unregistered",
        /// The registrar ended it and will not have it again.
        Rejected "rejected",
    }
}

/// A contact of an address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// What it is called in all documents of a subscription.
    pub id: String,
    /// Whether it is bound.
    pub state: ContactState,
    /// What led to that.
    pub event: ContactEvent,
    /// Its URI.
    pub uri: String,
    /// Its display name.
    pub display_name: Option<String>,
    /// Seconds until it expires.
    pub expires: Option<u64>,
    /// Seconds until the phone should register anew, with [`ContactEvent::Probation`].
    pub retry_after: Option<u64>,
    /// Seconds since it was bound.
    pub duration_registered: Option<u64>,
    /// Its priority, from 0 to 1, as it was written.
    pub q: Option<String>,
    /// The Call-ID of the last REGISTER for it.
    pub call_id: Option<String>,
    /// The CSeq of the last REGISTER for it.
    pub cseq: Option<u32>,
    /// Its parameters that RFC 3261 does not know: names and values, which may be empty.
    pub unknown_params: Vec<(String, String)>,
    /// Its public GRUU (RFC 5628 §5).
    pub pub_gruu: Option<String>,
    /// Its newest temporary GRUU, and the CSeq of the REGISTER that brought the first that is still valid.
    pub temp_gruu: Option<(String, u32)>,
}

impl Contact {
    /// A contact with nothing else said of it yet; its state is the one that the event leads to.
    #[must_use]
    pub fn new(id: &str, event: ContactEvent) -> Self {
        let state = match event {
            ContactEvent::Registered
            | ContactEvent::Created
            | ContactEvent::Refreshed
            | ContactEvent::Shortened
            | ContactEvent::Other(_) => ContactState::Active,
            _ => ContactState::Terminated,
        };
        Contact {
            id: id.into(),
            state,
            event,
            uri: String::new(),
            display_name: None,
            expires: None,
            retry_after: None,
            duration_registered: None,
            q: None,
            call_id: None,
            cseq: None,
            unknown_params: Vec::new(),
            pub_gruu: None,
            temp_gruu: None,
        }
    }

    fn read(element: &Element) -> Result<Self, Fault> {
        let param = |param: &Element| Ok((param.required("name")?, param.text().into()));
        let temporary = |gruu: &Element| {
            let first = gruu.number("first-cseq")?.ok_or_else(|| gruu.missing("first-cseq"))?;
            Ok((gruu.required("uri")?, first))
        };
        let public = element.child(Ns::Gruu, "pub-gruu");
        let temp_gruu = element.child(Ns::Gruu, "temp-gruu").map(temporary);
        Ok(Contact {
            id: element.required("id")?,
            state: element.required("state")?.as_str().into(),
            event: element.required("event")?.as_str().into(),
            uri: element.text_of(NS, "uri").ok_or_else(|| element.missing("uri"))?,
            display_name: element.text_of(NS, "display-name"),
            expires: element.number("expires")?,
            retry_after: element.number("retry-after")?,
            duration_registered: element.number("duration-registered")?,
            q: element.string("q"),
            call_id: element.string("callid"),
            cseq: element.number("cseq")?,
            unknown_params: element.all(NS, "unknown-param").map(param).collect::<Result<_, Fault>>()?,
            pub_gruu: public.map(|gruu| gruu.required("uri")).transpose()?,
            temp_gruu: temp_gruu.transpose()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("contact")
            .attribute("id", &self.id)
            .attribute("state", &self.state)
            .attribute("event", &self.event)
            .attribute_if("expires", self.expires)
            .attribute_if("retry-after", self.retry_after)
            .attribute_if("duration-registered", self.duration_registered)
            .attribute_if("q", self.q.as_ref())
            .attribute_if("callid", self.call_id.as_ref())
            .attribute_if("cseq", self.cseq);
        out.leaf("uri", &self.uri);
        out.leaf_if("display-name", self.display_name.as_ref());
        for (name, value) in &self.unknown_params {
            out.open("unknown-param").attribute("name", name).text(value).close();
        }
        if let Some(uri) = &self.pub_gruu {
            out.open("gr:pub-gruu").attribute("uri", uri).close();
        }
        if let Some((uri, first)) = &self.temp_gruu {
            out.open("gr:temp-gruu").attribute("uri", uri).attribute("first-cseq", first).close();
        }
        out.close();
    }
}

impl Registration {
    fn update(&mut self, new: Registration) {
        (self.aor, self.state) = (new.aor, new.state);
        self.contacts.retain(|contact| contact.state != ContactState::Terminated);
        merge(&mut self.contacts, new.contacts, |contact| &contact.id, |old, new| *old = new);
    }

    fn read(element: &Element) -> Result<Self, Fault> {
        Ok(Registration {
            aor: element.required("aor")?,
            id: element.required("id")?,
            state: element.required("state")?.as_str().into(),
            contacts: element.all(NS, "contact").map(Contact::read).collect::<Result<_, _>>()?,
        })
    }
}

impl RegInfo {
    /// Takes in the next document of the subscription (RFC 3680 §5.2). If it is [`Applied::Incomplete`], what it says is taken in all the same.
    ///
    /// What is terminated stays until the next document that tells of its registration; over 10,000 registrations, or contacts of one, no more are added.
    pub fn apply(&mut self, document: RegInfo) -> Applied {
        let full = document.state == Completeness::Full;
        let applied = order(self.version, document.version, full);
        if applied == Applied::Outdated {
            return applied;
        }
        if full {
            *self = document;
            return applied;
        }
        self.version = document.version;
        self.registrations.retain(|registration| registration.state != RegistrationState::Terminated);
        let all = merge(&mut self.registrations, document.registrations, |it| &it.id, Registration::update);
        if all { applied } else { Applied::Incomplete }
    }
}

const NS: Ns = Ns::Reginfo;

impl Document for RegInfo {
    const ROOT: (Ns, &'static str) = (NS, "reginfo");

    fn read(root: &Element) -> Result<Self, Fault> {
        Ok(RegInfo {
            version: root.number("version")?.ok_or_else(|| root.missing("version"))?,
            state: Completeness::read(root, root.attribute("state"))?,
            registrations: root.all(NS, "registration").map(Registration::read).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("reginfo").attribute("xmlns", NS.uri()).attribute("xmlns:gr", Ns::Gruu.uri());
        out.attribute("version", self.version).attribute("state", self.state.as_str());
        for Registration { aor, id, state, contacts } in &self.registrations {
            out.open("registration").attribute("aor", aor).attribute("id", id).attribute("state", state);
            for contact in contacts {
                contact.write(out);
            }
            out.close();
        }
        out.close();
    }
}

document!(RegInfo, "application/reginfo+xml");

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3680 §5.3.
    const PLAIN: &str = include_str!("../../tests/bodies/rfc3680-reginfo.xml");
    /// RFC 5628 §7, with its long lines joined.
    const GRUU: &str = include_str!("../../tests/bodies/rfc5628-reginfo.xml");

    #[track_caller]
    fn read(text: &str) -> RegInfo {
        let document: RegInfo = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(document.to_string().parse().as_ref(), Ok(&document));
        document
    }

    #[test]
    fn the_examples_of_the_rfcs_are_read() {
        let plain = read(PLAIN);
        assert_eq!((plain.version, plain.state), (0, Completeness::Full));
        let Registration { aor, id, state, contacts } = &plain.registrations[0];
        assert_eq!((aor.as_str(), id.as_str(), state), ("sip:user@example.com", "as9", &RegistrationState::Active));
        assert_eq!((contacts[0].q.as_deref(), contacts[0].duration_registered), (Some("0.8"), Some(7_322)));
        assert_eq!((&contacts[1].state, &contacts[1].event), (&ContactState::Terminated, &ContactEvent::Expired));
        assert_eq!(contacts[1].uri, "sip:user@university.edu");

        let contact = &read(GRUU).registrations[0].contacts[0];
        assert_eq!((contact.expires, contact.cseq), (Some(3_599), Some(54_321)));
        let instance = "\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";
        assert_eq!(contact.unknown_params, [("+sip.instance".into(), instance.into())]);
        assert_eq!(contact.pub_gruu.as_deref(), Some("sip:user@example.com;gr=hha9s8d-999a"));
        assert_eq!(contact.temp_gruu, Some(("sip:8ffkas08af7fasklzi9@example.com;gr".into(), 54_301)));
    }

    /// RFC 3680 §5.2.
    #[test]
    fn what_changed_is_put_into_what_was_known() {
        let mut known = read(PLAIN);
        let contact = |id: &str, event| Contact::new(id, event);
        let update = |version, contacts| RegInfo {
            version,
            state: Completeness::Partial,
            registrations: vec![Registration {
                aor: "sip:user@example.com".into(),
                id: "as9".into(),
                state: RegistrationState::Active,
                contacts,
            }],
        };
        let new = vec![contact("76", ContactEvent::Refreshed), contact("78", ContactEvent::Created)];
        assert_eq!(known.apply(update(1, new)), Applied::Updated);
        let events = |known: &RegInfo| -> Vec<(String, ContactEvent)> {
            known.registrations[0].contacts.iter().map(|it| (it.id.clone(), it.event.clone())).collect()
        };
        // The contact that had expired is gone.
        let expected = vec![("76".into(), ContactEvent::Refreshed), ("78".into(), ContactEvent::Created)];
        assert_eq!(events(&known), expected);
        assert_eq!(known.apply(update(0, vec![])), Applied::Outdated);
        assert_eq!(known.apply(update(1, vec![])), Applied::Outdated);
        assert_eq!(known.apply(update(4, vec![contact("78", ContactEvent::Unregistered)])), Applied::Incomplete);
        assert_eq!((known.version, known.registrations[0].contacts.len()), (4, 2));
        assert_eq!(known.apply(RegInfo { version: 9, ..RegInfo::default() }), Applied::Updated);
        assert!(known.registrations.is_empty());
    }

    #[test]
    fn what_is_missing_is_named_with_its_place() {
        let error = |from: &str, to: &str| PLAIN.replace(from, to).parse::<RegInfo>().unwrap_err().to_string();
        assert_eq!(error("<uri>sip:user@university.edu</uri>", ""), "line 10, column 9: missing uri");
        assert_eq!(error("version=\"0\"", ""), "line 2, column 1: missing version");
        assert_eq!(
            error("version=\"0\"", "version=\"-1\""),
            "line 2, column 1: bad version: expected a number that is not too large"
        );
        assert_eq!(error("state=\"full\"", "state=\"?\""), "line 2, column 1: bad state: expected full or partial");
    }
}
