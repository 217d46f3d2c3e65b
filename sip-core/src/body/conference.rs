//! The state of a conference: `application/conference-info+xml` (RFC 4575).

mod update;
mod wire;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::xml::{document, words};
use crate::InvalidText;

/// Who is in a conference and how, all of it or what changed (RFC 4575 §5).
///
/// Sidebars that are told by value (§5.9.2) are not kept.
///
/// ```
/// use blether_sip_core::body::conference::{ConferenceInfo, Endpoint, EndpointStatus, User};
/// use blether_sip_core::body::xml::Applied;
///
/// let endpoint = Endpoint { status: Some(EndpointStatus::Connected), ..Endpoint::new("sip:bob@pc33.example.com") };
/// let bob = User { endpoints: vec![endpoint], ..User::new("sip:bob@example.com") };
/// let mut conference = ConferenceInfo::new("sip:conf233@example.com", 1);
/// conference.users.push(bob);
/// let read: ConferenceInfo = conference.to_string().parse()?;
/// assert_eq!(read, conference);
///
/// let gone = "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='sip:conf233@example.com' \
///     state='partial' version='2'><users state='partial'><user entity='sip:bob@example.com' state='deleted'/></users></conference-info>";
/// assert_eq!(conference.apply(gone.parse()?), Applied::Updated);
/// assert!(conference.users.is_empty());
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConferenceInfo {
    /// The conference, as a URI.
    pub entity: String,
    /// Whether this is all of it, or what changed.
    pub state: Change,
    /// Counts the documents of a subscription.
    pub version: u32,
    /// What the conference is about.
    pub description: Option<Description>,
    /// Who holds it.
    pub host: Option<Host>,
    /// How it is.
    pub conference_state: Option<ConferenceState>,
    /// Whether [`ConferenceInfo::users`] are all, or those that changed. Full and none, in a partial document, is that nobody is left.
    pub users_state: Change,
    /// Those who take part.
    pub users: Vec<User>,
    /// Whether [`ConferenceInfo::sidebars`] are all, or those that changed.
    pub sidebars_state: Change,
    /// Conferences beside it.
    pub sidebars: Vec<UriEntry>,
}

/// Whether an element brings all there is of it, what changed, or that it is gone (RFC 4575 §4.4).
///
/// ```
/// use blether_sip_core::body::conference::{Change, ConferenceInfo, User};
///
/// let mut conference = ConferenceInfo::new("sip:conf233@example.com", 1);
/// conference.users = vec![User::new("sip:bob@example.com"), User::new("sip:carol@example.com")];
/// let mut left = ConferenceInfo::partial("sip:conf233@example.com", 2);
/// left.users.push(User { state: Change::Deleted, ..User::new("sip:bob@example.com") });
/// conference.apply(left);
/// assert_eq!(conference.users, [User::new("sip:carol@example.com")]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Change {
    /// `full`, which is meant if nothing is said.
    #[default]
    Full,
    /// `partial`
    Partial,
    /// `deleted`
    Deleted,
}

/// What a conference is about (RFC 4575 §5.3).
///
/// ```
/// use blether_sip_core::body::conference::{ConferenceInfo, Description};
///
/// let subject = Some("The budget".into());
/// let about = Description { subject, maximum_user_count: Some(50), ..Description::default() };
/// let conference = ConferenceInfo { description: Some(about), ..ConferenceInfo::new("sip:conf233@example.com", 1) };
/// assert!(conference.to_string().contains("<subject>The budget</subject>"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// Its name.
    pub display_text: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// More words about it.
    pub free_text: Option<String>,
    /// Words to find it by, with spaces between.
    pub keywords: Option<String>,
    /// URIs to take part by.
    pub conf_uris: Vec<UriEntry>,
    /// URIs of what belongs to it, such as a web page.
    pub service_uris: Vec<UriEntry>,
    /// How many users may take part.
    pub maximum_user_count: Option<u32>,
    /// The media that are mixed.
    pub available_media: Vec<Medium>,
}

/// A URI with what it is for.
///
/// ```
/// use blether_sip_core::body::conference::{Description, UriEntry};
///
/// let dial_in = UriEntry {
///     uri: "tel:+12125550100".into(),
///     purpose: Some("participation".into()),
///     ..UriEntry::default()
/// };
/// let about = Description { conf_uris: vec![dial_in], ..Description::default() };
/// assert!(about.conf_uris.iter().any(|it| it.purpose.as_deref() == Some("participation")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UriEntry {
    /// The URI.
    pub uri: String,
    /// What people call it.
    pub display_text: Option<String>,
    /// What it is for: `participation`, `streaming`, `web-page`, `recording`, `event`.
    pub purpose: Option<String>,
}

/// A medium that is mixed (RFC 4575 §5.3.4).
///
/// ```
/// use blether_sip_core::body::conference::{ConferenceInfo, Description, MediaStatus, Medium};
///
/// let (kind, status) = ("audio".into(), Some(MediaStatus::SendRecv));
/// let audio = Medium { label: "34567".into(), kind, status, ..Medium::default() };
/// let description = Some(Description { available_media: vec![audio], ..Description::default() });
/// let conference = ConferenceInfo { description, ..ConferenceInfo::new("sip:conf233@example.com", 1) };
/// assert_eq!(conference.to_string().parse().as_ref(), Ok(&conference));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Medium {
    /// What it is called in the session descriptions of the conference (RFC 4574).
    pub label: String,
    /// What people call it.
    pub display_text: Option<String>,
    /// `audio`, `video`, `text`, `message`.
    pub kind: String,
    /// Which way it flows by default.
    pub status: Option<MediaStatus>,
}

/// Who holds a conference (RFC 4575 §5.4).
///
/// ```
/// use blether_sip_core::body::conference::{ConferenceInfo, Host};
///
/// let host = Host { display_text: Some("Sales".into()), ..Host::default() };
/// let conference = ConferenceInfo { host: Some(host), ..ConferenceInfo::new("sip:conf233@example.com", 1) };
/// assert!(conference.to_string().contains("<display-text>Sales</display-text>"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// The name.
    pub display_text: Option<String>,
    /// The URI of a page.
    pub web_page: Option<String>,
    /// URIs to reach it.
    pub uris: Vec<UriEntry>,
}

/// How a conference is (RFC 4575 §5.5).
///
/// ```
/// use blether_sip_core::body::conference::{ConferenceInfo, ConferenceState};
///
/// let mut conference = ConferenceInfo::new("sip:conf233@example.com", 1);
/// conference.conference_state = Some(ConferenceState { user_count: Some(33), ..ConferenceState::default() });
/// let mut locked = ConferenceInfo::partial("sip:conf233@example.com", 2);
/// locked.conference_state = Some(ConferenceState { user_count: Some(33), locked: Some(true), active: None });
/// conference.apply(locked);
/// assert_eq!(conference.conference_state.and_then(|state| state.locked), Some(true));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConferenceState {
    /// How many users take part.
    pub user_count: Option<u32>,
    /// Whether it is under way.
    pub active: Option<bool>,
    /// Whether nobody else may come in.
    pub locked: Option<bool>,
}

/// Somebody who takes part (RFC 4575 §5.6).
///
/// ```
/// use blether_sip_core::body::conference::{ConferenceInfo, User};
///
/// let bob = User { display_text: Some("Bob Hoskins".into()), ..User::new("sip:bob@example.com") };
/// let conference = ConferenceInfo { users: vec![bob], ..ConferenceInfo::new("sip:conf233@example.com", 1) };
/// let names: Vec<_> = conference.users.iter().filter_map(|user| user.display_text.as_deref()).collect();
/// assert_eq!(names, ["Bob Hoskins"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Who, as a URI.
    pub entity: String,
    /// Whether this is all of it, what changed, or that they are gone.
    pub state: Change,
    /// The name.
    pub display_text: Option<String>,
    /// URIs that are known to be theirs as well.
    pub associated_aors: Vec<UriEntry>,
    /// What they are in the conference.
    pub roles: Vec<String>,
    /// The languages they want, with spaces between.
    pub languages: Option<String>,
    /// The conference that this user is, as a URI.
    pub cascaded_focus: Option<String>,
    /// The devices they take part with.
    pub endpoints: Vec<Endpoint>,
}

/// A device that takes part (RFC 4575 §5.7).
///
/// ```
/// use blether_sip_core::body::conference::{Endpoint, EndpointStatus, User};
///
/// let held = Endpoint { status: Some(EndpointStatus::OnHold), ..Endpoint::new("sip:bob@pc33.example.com") };
/// let bob = User { endpoints: vec![held], ..User::new("sip:bob@example.com") };
/// assert!(bob.endpoints.iter().all(|endpoint| endpoint.status == Some(EndpointStatus::OnHold)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoint {
    /// Which one, as a URI.
    pub entity: String,
    /// Whether this is all of it, what changed, or that it is gone.
    pub state: Change,
    /// The name.
    pub display_text: Option<String>,
    /// Who had it join by a REFER.
    pub referred: Option<Execution>,
    /// How far it is.
    pub status: Option<EndpointStatus>,
    /// How it came in: `dialed-in`, `dialed-out`, `focus-owner`.
    pub joining_method: Option<String>,
    /// When and by whom it came in.
    pub joining_info: Option<Execution>,
    /// How it went out: `departed`, `booted`, `failed`, `busy`.
    pub disconnection_method: Option<String>,
    /// When and by whom it went out.
    pub disconnection_info: Option<Execution>,
    /// Its streams.
    pub media: Vec<Media>,
    /// Its dialog with the conference.
    pub call: Option<CallInfo>,
}

words! {
    /// How far an endpoint is (RFC 4575 §5.7.3).
    ///
    /// ```
    /// use blether_sip_core::body::conference::EndpointStatus;
    ///
    /// assert_eq!(EndpointStatus::from("muted-via-focus"), EndpointStatus::MutedViaFocus);
    /// assert_eq!(EndpointStatus::OnHold.to_string(), "on-hold");
    /// ```
    EndpointStatus {
        /// It waits to be let in.
        Pending "pending",
        /// The conference calls it.
        DialingOut "dialing-out",
        /// It calls the conference.
        DialingIn "dialing-in",
        /// It rings.
        Alerting "alerting",
        /// It is on hold.
        OnHold "on-hold",
        /// It takes part.
        Connected "connected",
        /// The conference does not let others hear it.
        MutedViaFocus "muted-via-focus",
        /// It is going.
        Disconnecting "disconnecting",
        /// It is gone.
        Disconnected "disconnected",
    }
}

words! {
    /// Which way a stream flows, as the endpoint sees it (RFC 4575 §5.8.5).
    ///
    /// ```
    /// use blether_sip_core::body::conference::{Media, MediaStatus};
    ///
    /// let audio = Media { id: "1".into(), status: Some("recvonly".into()), ..Media::default() };
    /// assert_eq!(audio.status, Some(MediaStatus::RecvOnly));
    /// ```
    MediaStatus {
        /// It only receives.
        RecvOnly "recvonly",
        /// It only sends.
        SendOnly "sendonly",
        /// It does both.
        SendRecv "sendrecv",
        /// It does neither.
        Inactive "inactive",
    }
}

/// When, why and by whom something was done.
///
/// ```
/// use blether_sip_core::body::conference::{Endpoint, Execution};
///
/// let by = Some("sip:mike@example.com".into());
/// let when = Some("2005-03-04T20:00:00Z".into());
/// let joining_info = Some(Execution { when, by, ..Execution::default() });
/// let bob = Endpoint { joining_info, joining_method: Some("dialed-out".into()), ..Endpoint::new("sip:bob@pc33.example.com") };
/// assert_eq!(bob.joining_info.and_then(|info| info.by).as_deref(), Some("sip:mike@example.com"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Execution {
    /// When, by RFC 3339.
    pub when: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// By whom, as a URI.
    pub by: Option<String>,
}

/// A stream of an endpoint (RFC 4575 §5.8).
///
/// ```
/// use blether_sip_core::body::conference::{Endpoint, Media, MediaStatus};
///
/// let audio = Media { id: "1".into(), status: Some(MediaStatus::SendRecv), ..Media::default() };
/// let bob = Endpoint { media: vec![audio], ..Endpoint::new("sip:bob@pc33.example.com") };
/// let is_heard = |media: &Media| matches!(media.status, Some(MediaStatus::SendRecv | MediaStatus::SendOnly));
/// assert!(bob.media.iter().any(is_heard));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Media {
    /// What it is called in all documents.
    pub id: String,
    /// What people call it.
    pub display_text: Option<String>,
    /// `audio`, `video`, `text`, `message`.
    pub kind: Option<String>,
    /// Which of the available media it is.
    pub label: Option<String>,
    /// Its SSRC, or what names it in another protocol.
    pub src_id: Option<String>,
    /// Which way it flows.
    pub status: Option<MediaStatus>,
}

/// The dialog of an endpoint (RFC 4575 §5.7.9).
///
/// ```
/// use blether_sip_core::body::conference::{CallInfo, Endpoint};
///
/// let call = CallInfo {
///     call_id: "hsjh8980vhsb78".into(),
///     from_tag: "vav738dvbs".into(),
///     to_tag: "8954jgjg8432".into(),
///     display_text: None,
/// };
/// let bob = Endpoint { call: Some(call), ..Endpoint::new("sip:bob@pc33.example.com") };
/// assert!(bob.call.is_some_and(|call| call.call_id == "hsjh8980vhsb78"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallInfo {
    /// What people call it.
    pub display_text: Option<String>,
    /// The Call-ID.
    pub call_id: String,
    /// The tag of the From.
    pub from_tag: String,
    /// The tag of the To.
    pub to_tag: String,
}

impl ConferenceInfo {
    /// A conference with nothing else said of it yet.
    #[must_use]
    pub fn new(entity: &str, version: u32) -> Self {
        ConferenceInfo { entity: entity.into(), version, ..ConferenceInfo::default() }
    }

    /// A document that says that nothing changed, to be told what did.
    #[must_use]
    pub fn partial(entity: &str, version: u32) -> Self {
        let (state, users_state, sidebars_state) = (Change::Partial, Change::Partial, Change::Partial);
        ConferenceInfo { state, users_state, sidebars_state, ..ConferenceInfo::new(entity, version) }
    }
}

impl Change {
    /// The word: `full`, `partial` or `deleted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Change::Full => "full",
            Change::Partial => "partial",
            Change::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Change {
    type Err = InvalidText;

    /// Reads the word.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        let known = [Change::Full, Change::Partial, Change::Deleted].into_iter().find(|known| known.as_str() == word);
        known.ok_or(InvalidText::Change)
    }
}

impl User {
    /// A user of whom nothing else is said.
    #[must_use]
    pub fn new(entity: &str) -> Self {
        User { entity: entity.into(), ..User::default() }
    }
}

impl Endpoint {
    /// An endpoint of which nothing else is said.
    #[must_use]
    pub fn new(entity: &str) -> Self {
        Endpoint { entity: entity.into(), ..Endpoint::default() }
    }
}

document!(ConferenceInfo, "application/conference-info+xml");

#[cfg(test)]
mod tests;
