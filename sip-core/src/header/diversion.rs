use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::{ByteStr, InvalidText, Uri, grammar};

/// Who has diverted the call, and why (RFC 5806): the last one first.
///
/// [`HistoryInfo`](crate::HistoryInfo) is the standard's way to say it; many networks know this one only.
///
/// ```
/// use blether_sip_core::{Diversion, DiversionReason};
///
/// let diversion: Diversion = "<sip:bob@example.com>;reason=\"user-busy\";counter=2;privacy=off".parse()?;
/// assert_eq!(diversion.reason(), Some(DiversionReason::UserBusy));
/// assert_eq!((diversion.counter(), diversion.privacy()), (Some(2), Some("off")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diversion(pub NameAddr);

/// Why a call was diverted (RFC 5806).
///
/// ```
/// use blether_sip_core::{Diversion, DiversionReason, SipUri};
///
/// let reason: DiversionReason = "no-answer".parse()?;
/// assert_eq!(reason, DiversionReason::NoAnswer);
/// let diversion = Diversion::new("sip:bob@example.com".parse::<SipUri>()?, &reason);
/// assert_eq!(diversion.to_string(), "<sip:bob@example.com>;reason=no-answer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DiversionReason {
    /// Why, is not known.
    Unknown,
    /// The user was in another call.
    UserBusy,
    /// The user did not answer.
    NoAnswer,
    /// The user could not be reached.
    Unavailable,
    /// All calls are diverted.
    Unconditional,
    /// Calls at this time are diverted.
    TimeOfDay,
    /// The user does not want to be disturbed.
    DoNotDisturb,
    /// The user has diverted this call while it rang.
    Deflection,
    /// Calls follow the user.
    FollowMe,
    /// The line is out of service.
    OutOfService,
    /// The user is away.
    Away,
    /// Another reason.
    Other(ByteStr),
}

const REASONS: &[(DiversionReason, &str)] = &[
    (DiversionReason::Unknown, "unknown"),
    (DiversionReason::UserBusy, "user-busy"),
    (DiversionReason::NoAnswer, "no-answer"),
    (DiversionReason::Unavailable, "unavailable"),
    (DiversionReason::Unconditional, "unconditional"),
    (DiversionReason::TimeOfDay, "time-of-day"),
    (DiversionReason::DoNotDisturb, "do-not-disturb"),
    (DiversionReason::Deflection, "deflection"),
    (DiversionReason::FollowMe, "follow-me"),
    (DiversionReason::OutOfService, "out-of-service"),
    (DiversionReason::Away, "away"),
];

impl DiversionReason {
    /// The word in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            DiversionReason::Other(word) => word,
            known => REASONS.iter().find(|(reason, _)| reason == known).map_or("unknown", |(_, word)| word),
        }
    }

    fn read(word: &str) -> Self {
        let known = REASONS.iter().find(|(_, name)| name.eq_ignore_ascii_case(word));
        known.map_or_else(|| DiversionReason::Other(word.into()), |(reason, _)| reason.clone())
    }
}

impl FromStr for DiversionReason {
    type Err = InvalidText;

    /// Reads a token, in any case, or a text in quotes.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        match grammar::quoted_string(text) {
            Ok(("", quoted)) => Ok(DiversionReason::read(&grammar::unquote(quoted))),
            _ if grammar::is_token(text) => Ok(DiversionReason::read(text)),
            _ => Err(InvalidText::DiversionReason),
        }
    }
}

impl fmt::Display for DiversionReason {
    /// Writes the word, or in quotes what is none; control characters in it become spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if grammar::is_token(self.as_str()) {
            return f.write_str(self.as_str());
        }
        let mut quoted = String::new();
        grammar::write_quoted(&mut quoted, self.as_str());
        f.write_str(&quoted)
    }
}

impl Diversion {
    /// A user who has diverted the call once.
    #[must_use]
    pub fn new(uri: impl Into<Uri>, reason: &DiversionReason) -> Self {
        let mut address = NameAddr::new(uri);
        address.params.set("reason", Some(reason.as_str()));
        Diversion(address)
    }

    /// Why the call was diverted.
    #[must_use]
    pub fn reason(&self) -> Option<DiversionReason> {
        self.0.params.value("reason").map(DiversionReason::read)
    }

    /// How often this user has diverted the call, up to 99.
    #[must_use]
    pub fn counter(&self) -> Option<u8> {
        self.number("counter")
    }

    /// The same with this count; 99 stands for all above it.
    #[must_use]
    pub fn with_counter(mut self, count: u8) -> Self {
        self.0.params.set("counter", Some(&count.min(99).to_string()));
        self
    }

    /// How many diversions there may be in all, up to 99: where there are more, the call is refused.
    #[must_use]
    pub fn limit(&self) -> Option<u8> {
        self.number("limit")
    }

    /// What of this may not be shown to the called user: `full`, `name`, `uri` or `off`.
    #[must_use]
    pub fn privacy(&self) -> Option<&str> {
        self.0.params.value("privacy")
    }

    /// Whether the address was checked by the network: `yes` or `no`.
    #[must_use]
    pub fn screen(&self) -> Option<&str> {
        self.0.params.value("screen")
    }

    fn number(&self, name: &str) -> Option<u8> {
        self.0.params.value(name)?.parse().ok().filter(|number| *number < 100)
    }
}

impl TypedHeader for Diversion {
    const NAME: HeaderName = HeaderName::Diversion;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(Diversion)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_diversion_says_who_why_and_how_often() {
        let (read, _) = rewritten::<Diversion>("\"Bob\" <tel:+19195551212>;reason=DO-not-disturb;limit=5;screen=yes");
        assert_eq!((read.reason(), read.counter()), (Some(DiversionReason::DoNotDisturb), None));
        assert_eq!((read.limit(), read.screen(), read.privacy()), (Some(5), Some("yes"), None));
        assert_eq!(rewritten::<Diversion>("sip:a@b;counter=100;reason").0.counter(), None);
        let uri: Uri = "sip:a@b".parse().unwrap();
        assert_eq!(
            Diversion::new(uri.clone(), &DiversionReason::NoAnswer).with_counter(200).to_string(),
            "<sip:a@b>;reason=no-answer;counter=99"
        );
        let other = Diversion::new(uri, &DiversionReason::Other("out of\r\noffice".into()));
        assert_eq!(other.to_string(), "<sip:a@b>;reason=\"out of  office\"");
        for (reason, word) in REASONS {
            assert_eq!((DiversionReason::read(word), reason.as_str()), (reason.clone(), *word));
        }
    }
}
