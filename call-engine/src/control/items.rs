//! What lists are made of.

use std::time::{Instant, SystemTime};

use blether_sip_core::AddressOfRecord;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::cdr::epoch_ms;
use crate::engine::LiveCall;
use crate::location::Binding;

/// A call that lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallItem {
    /// The Call-ID of the caller's leg.
    pub call_id: String,
    /// The account that calls.
    pub caller: Option<String>,
    /// What was dialled.
    pub dialled: String,
    /// Who has answered: a contact, or the pattern of what serves it. Nothing before.
    pub answered_by: Option<String>,
    /// How far it is.
    pub state: CallState,
    /// When it came to that state, in milliseconds since 1970.
    pub since: i64,
    /// How long it has been in that state, in seconds.
    pub duration_seconds: u64,
    /// When the INVITE came, in milliseconds since 1970.
    pub started_at: i64,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Nobody has answered.
    Ringing,
    /// Somebody has.
    Answered,
}

impl CallState {
    /// A name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Answered => "answered",
        }
    }
}

impl CallItem {
    pub(super) fn of(call: LiveCall, date: SystemTime) -> Self {
        let since = call.answered_at.unwrap_or(call.started_at);
        Self {
            state: if call.answered_at.is_some() { CallState::Answered } else { CallState::Ringing },
            since: epoch_ms(since),
            // None where the clock was set back.
            duration_seconds: date.duration_since(since).unwrap_or_default().as_secs(),
            started_at: epoch_ms(call.started_at),
            call_id: call.call_id,
            caller: call.caller,
            dialled: call.dialled,
            answered_by: call.answered_by,
        }
    }
}

/// A contact of an address of record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationItem {
    /// The address of record, as it is kept.
    pub aor: String,
    /// Its user: the account.
    pub user: String,
    /// The URI of the contact.
    pub contact: String,
    /// The transport that it came by.
    pub transport: String,
    /// The address that it came from, and is reached at.
    pub source: String,
    /// In how many seconds it goes, unless it is refreshed.
    pub expires_in_seconds: u64,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
}

impl RegistrationItem {
    pub(super) fn of(aor: &AddressOfRecord, binding: &Binding, now: Instant) -> Self {
        Self {
            aor: aor.to_string(),
            user: aor.user().to_string(),
            contact: binding.contact.to_string(),
            transport: binding.flow.transport.to_string(),
            source: binding.flow.remote.to_string(),
            expires_in_seconds: binding.expires_at.saturating_duration_since(now).as_secs(),
            user_agent: binding.user_agent.as_ref().map(ToString::to_string),
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountItem {
    /// The extension.
    pub user: String,
    /// What others see when it calls.
    pub display_name: Option<String>,
    /// `configuration`: it stands in the file, which alone can change it. `store`: commands can.
    pub source: String,
}

impl AccountItem {
    pub(super) fn of(account: &Account) -> Self {
        Self {
            user: account.user().to_owned(),
            display_name: account.display_name().map(str::to_owned),
            source: account.source().as_str().to_owned(),
        }
    }
}
