//! Dialog information: `application/dialog-info+xml` (RFC 4235), by which a lamp shows that another phone rings or talks.

mod wire;

use alloc::string::String;
use alloc::vec::Vec;

use super::xml::{Applied, Completeness, document, merge, take_in, words};

/// The dialogs of a user, all or those that changed (RFC 4235 §4.1).
///
/// ```
/// use blether_sip_core::body::dialog_info::{DialogInfo, DialogState};
/// use blether_sip_core::body::xml::Applied;
///
/// let document = |version, state, dialog| format!(
///     "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='{version}' state='{state}' \
///      entity='sip:alice@example.com'>{dialog}</dialog-info>"
/// );
/// let mut lamp: DialogInfo = document(0, "full", "").parse()?;
/// assert!(!lamp.is_ringing() && !lamp.is_busy());
/// let early = "<dialog id='1' direction='recipient'><state>early</state></dialog>";
/// assert_eq!(lamp.apply(document(1, "partial", early).parse()?), Applied::Updated);
/// assert!(lamp.is_ringing());
/// assert_eq!(lamp.dialogs[0].state.value, DialogState::Early);
/// // Version 2 was lost.
/// assert_eq!(lamp.apply(document(3, "partial", "").parse()?), Applied::Incomplete);
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialogInfo {
    /// Counts the documents of a subscription, from 0.
    pub version: u32,
    /// Whether these are all dialogs.
    pub state: Completeness,
    /// The user, as a URI; empty if it is not said.
    pub entity: String,
    /// The dialogs.
    pub dialogs: Vec<Dialog>,
}

/// One dialog, or what may become one (RFC 4235 §4.1.1).
///
/// ```
/// use blether_sip_core::body::dialog_info::{Dialog, DialogInfo, DialogState, Direction, State};
///
/// let state = State { value: DialogState::Early, ..State::default() };
/// let dialog = Dialog { id: "1".into(), direction: Some(Direction::Recipient), state, ..Dialog::default() };
/// let lamp = DialogInfo { dialogs: vec![dialog], ..DialogInfo::default() };
/// assert!(lamp.is_ringing() && !lamp.is_busy());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialog {
    /// What this dialog is called in all documents of a subscription; not its dialog ID.
    pub id: String,
    /// The Call-ID.
    pub call_id: Option<String>,
    /// The tag of the user.
    pub local_tag: Option<String>,
    /// The tag of the other side.
    pub remote_tag: Option<String>,
    /// Who began it.
    pub direction: Option<Direction>,
    /// How far it is.
    pub state: State,
    /// Seconds since it began.
    pub duration: Option<u64>,
    /// The dialog that it took the place of (§4.1.4).
    pub replaces: Option<Replaced>,
    /// Who had it begun by a REFER (§4.1.5).
    pub referred_by: Option<Identity>,
    /// The user's side.
    pub local: Participant,
    /// The other side.
    pub remote: Participant,
}

words! {
    /// Who sent the INVITE.
    ///
    /// ```
    /// use blether_sip_core::body::dialog_info::{Dialog, Direction};
    ///
    /// let dialog = Dialog { id: "1".into(), direction: Some("initiator".into()), ..Dialog::default() };
    /// assert_eq!(dialog.direction, Some(Direction::Initiator));
    /// ```
    Direction {
        /// The user.
        Initiator "initiator",
        /// The other side.
        Recipient "recipient",
    }
}

words! {
    /// How far a dialog is (RFC 4235 §3.7.1).
    ///
    /// ```
    /// use blether_sip_core::body::dialog_info::DialogState;
    ///
    /// assert_eq!(DialogState::from("confirmed"), DialogState::Confirmed);
    /// assert_eq!(DialogState::Terminated.as_str(), "terminated");
    /// ```
    DialogState {
        /// The INVITE was sent.
        Trying "trying",
        /// A provisional response without a tag came.
        Proceeding "proceeding",
        /// One with a tag came: it rings.
        Early "early",
        /// A 2xx came.
        Confirmed "confirmed",
        /// It is over.
        Terminated "terminated",
    }
}

words! {
    /// Why a dialog is over (RFC 4235 §3.7.1).
    ///
    /// ```
    /// use blether_sip_core::body::dialog_info::{DialogEvent, DialogState, State};
    ///
    /// let over = State { value: DialogState::Terminated, event: Some("remote-bye".into()), code: None };
    /// assert_eq!(over.event, Some(DialogEvent::RemoteBye));
    /// ```
    DialogEvent {
        /// The caller gave up.
        Cancelled "cancelled",
        /// It was refused.
        Rejected "rejected",
        /// Another took its place.
        Replaced "replaced",
        /// The user hung up.
        LocalBye "local-bye",
        /// The other side did.
        RemoteBye "remote-bye",
        /// The other side did not answer.
        Error "error",
        /// The session expired.
        Timeout "timeout",
    }
}

/// The state with what led to it (RFC 4235 §4.1.2).
///
/// ```
/// use blether_sip_core::body::dialog_info::{DialogEvent, DialogState, State};
///
/// let refused = State { value: DialogState::Terminated, event: Some(DialogEvent::Rejected), code: Some(486) };
/// assert!(refused != State::default() && State::default().value == DialogState::Trying);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The state.
    pub value: DialogState,
    /// Why it is over.
    pub event: Option<DialogEvent>,
    /// The status code of the response that led to it.
    pub code: Option<u16>,
}

impl Default for State {
    fn default() -> Self {
        State { value: DialogState::Trying, event: None, code: None }
    }
}

/// A dialog by its ID.
///
/// ```
/// use blether_sip_core::body::dialog_info::{Dialog, Replaced};
///
/// let old = Replaced { call_id: "hg287s98s89".into(), local_tag: "6762h7".into(), remote_tag: "09278hsb".into() };
/// let dialog = Dialog { id: "2".into(), replaces: Some(old), ..Dialog::default() };
/// assert!(dialog.replaces.is_some_and(|old| old.call_id == "hg287s98s89"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replaced {
    /// The Call-ID.
    pub call_id: String,
    /// The tag of the user.
    pub local_tag: String,
    /// The tag of the other side.
    pub remote_tag: String,
}

/// An address with its name.
///
/// ```
/// use blether_sip_core::body::dialog_info::{Dialog, Identity, Participant};
///
/// let caller = Identity { uri: "sip:bob@example.com".into(), display: Some("Bob".into()) };
/// let remote = Participant { identities: vec![caller], ..Participant::default() };
/// let dialog = Dialog { id: "1".into(), remote, ..Dialog::default() };
/// assert_eq!(dialog.remote.identities[0].display.as_deref(), Some("Bob"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The URI.
    pub uri: String,
    /// The display name.
    pub display: Option<String>,
}

/// One side of a dialog (RFC 4235 §4.1.6).
///
/// ```
/// use blether_sip_core::body::dialog_info::{Dialog, DialogInfo, Identity, Participant};
///
/// let identities = vec![Identity { uri: "sip:bob@example.com".into(), display: None }];
/// let remote = Participant { identities, ..Participant::default() };
/// let lamp = DialogInfo { dialogs: vec![Dialog { id: "1".into(), remote, ..Dialog::default() }], ..DialogInfo::default() };
/// assert!(lamp.to_string().contains("<identity>sip:bob@example.com</identity>"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Participant {
    /// Who it is, in all forms that are known.
    pub identities: Vec<Identity>,
    /// Where its requests go.
    pub target: Option<Target>,
    /// Its session description, whose type is `application/sdp` if not said otherwise: type and text.
    pub session_description: Option<(String, String)>,
}

/// A remote target with the parameters of its Contact.
///
/// ```
/// use blether_sip_core::body::dialog_info::{Participant, Target};
///
/// // RFC 4235 §4.1.6.2: the call is on hold.
/// let target = Target { uri: "sip:bob@192.0.2.4".into(), params: vec![("+sip.rendering".into(), "no".into())] };
/// let remote = Participant { target: Some(target), ..Participant::default() };
/// let is_held = |target: Target| target.params.iter().any(|(name, value)| name == "+sip.rendering" && value == "no");
/// assert!(remote.target.is_some_and(is_held));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// The URI.
    pub uri: String,
    /// Names and values, such as `+sip.rendering` and `no` for one who is on hold.
    pub params: Vec<(String, String)>,
}

impl DialogInfo {
    /// Takes in the next document of the subscription (RFC 4235 §4.3). If it is [`Applied::Incomplete`], what it says is taken in all the same.
    ///
    /// Of a dialog that is known, identities, target and session description stay where the document leaves them out (§4.1.6). Dialogs that are
    /// over stay until the next document or the next call of [`DialogInfo::remove_terminated`]; over 10,000 no more are added.
    pub fn apply(&mut self, document: DialogInfo) -> Applied {
        let head = |it: &DialogInfo| (it.version, it.state);
        take_in(self, document, head, |known, document| {
            known.version = document.version;
            known.remove_terminated();
            merge(&mut known.dialogs, document.dialogs, |dialog| &dialog.id, Dialog::update)
        })
    }

    /// Takes out the dialogs that are over.
    pub fn remove_terminated(&mut self) {
        self.dialogs.retain(|dialog| dialog.state.value != DialogState::Terminated);
    }

    /// Whether a call to the user rings and waits to be answered.
    #[must_use]
    pub fn is_ringing(&self) -> bool {
        self.dialogs.iter().any(|dialog| {
            dialog.direction == Some(Direction::Recipient)
                && matches!(dialog.state.value, DialogState::Trying | DialogState::Proceeding | DialogState::Early)
        })
    }

    /// Whether the user is in a call or makes one.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let is_own = |dialog: &Dialog| dialog.direction != Some(Direction::Recipient);
        self.dialogs.iter().any(|dialog| match dialog.state.value {
            DialogState::Confirmed => true,
            DialogState::Trying | DialogState::Proceeding | DialogState::Early => is_own(dialog),
            DialogState::Terminated | DialogState::Other(_) => false,
        })
    }
}

impl Dialog {
    fn update(&mut self, new: Dialog) {
        let old = core::mem::replace(self, new);
        self.local.keep(old.local);
        self.remote.keep(old.remote);
    }
}

impl Participant {
    fn keep(&mut self, old: Participant) {
        if self.identities.is_empty() {
            self.identities = old.identities;
        }
        self.target = self.target.take().or(old.target);
        self.session_description = self.session_description.take().or(old.session_description);
    }
}

document!(DialogInfo, "application/dialog-info+xml");

#[cfg(test)]
mod tests;
