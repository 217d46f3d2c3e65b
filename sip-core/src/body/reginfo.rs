//! Registration information: `application/reginfo+xml` (RFC 3680), with GRUUs (RFC 5628).

mod wire;

use alloc::string::String;
use alloc::vec::Vec;

use super::xml::{Applied, Completeness, document, merge, take_in, words};

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
///
/// ```
/// use blether_sip_core::body::reginfo::{Contact, ContactEvent, Registration};
///
/// let registration = Registration {
///     aor: "sip:user@example.com".into(),
///     id: "as9".into(),
///     state: "active".into(),
///     contacts: vec![Contact::new("76", ContactEvent::Registered), Contact::new("77", ContactEvent::Expired)],
/// };
/// let bound = registration.contacts.iter().filter(|contact| contact.state.as_str() == "active");
/// assert_eq!(bound.count(), 1);
/// ```
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
    ///
    /// ```
    /// use blether_sip_core::body::reginfo::RegistrationState;
    ///
    /// assert_eq!(RegistrationState::from("init"), RegistrationState::Init);
    /// ```
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
    ///
    /// ```
    /// use blether_sip_core::body::reginfo::{Contact, ContactEvent, ContactState};
    ///
    /// assert_eq!(Contact::new("76", ContactEvent::Unregistered).state, ContactState::Terminated);
    /// ```
    ContactState {
        /// It is bound to the address of record.
        Active "active",
        /// It was.
        Terminated "terminated",
    }
}

words! {
    /// What led to the state of a contact (RFC 3680 §4.6.2).
    ///
    /// ```
    /// use blether_sip_core::body::reginfo::{Contact, ContactEvent};
    ///
    /// let event = ContactEvent::from("probation");
    /// let later = Contact { retry_after: Some(60), ..Contact::new("76", event) };
    /// assert_eq!((later.event, later.retry_after), (ContactEvent::Probation, Some(60)));
    /// ```
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
///
/// ```
/// use blether_sip_core::body::reginfo::{Contact, ContactEvent, ContactState};
///
/// let contact = Contact {
///     uri: "sip:user@192.0.2.1".into(),
///     expires: Some(3600),
///     ..Contact::new("76", ContactEvent::Refreshed)
/// };
/// assert_eq!(contact.state, ContactState::Active);
/// ```
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
}

impl Registration {
    fn update(&mut self, new: Registration) {
        (self.aor, self.state) = (new.aor, new.state);
        self.contacts.retain(|contact| contact.state != ContactState::Terminated);
        merge(&mut self.contacts, new.contacts, |contact| &contact.id, |old, new| *old = new);
    }
}

impl RegInfo {
    /// Takes in the next document of the subscription (RFC 3680 §5.2). If it is [`Applied::Incomplete`], what it says is taken in all the same.
    ///
    /// What is terminated stays until the next document that tells of its registration; over 10,000 registrations, or contacts of one, no more are added.
    pub fn apply(&mut self, document: RegInfo) -> Applied {
        let head = |it: &RegInfo| (it.version, it.state);
        take_in(self, document, head, |known, document| {
            known.version = document.version;
            known.registrations.retain(|registration| registration.state != RegistrationState::Terminated);
            merge(&mut known.registrations, document.registrations, |it| &it.id, Registration::update)
        })
    }
}

document!(RegInfo, "application/reginfo+xml");

#[cfg(test)]
mod tests;
