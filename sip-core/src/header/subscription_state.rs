use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, InvalidText, Params};

/// What a NOTIFY says of the subscription (RFC 6665 §4.1.3, §8.4).
///
/// ```
/// use blether_sip_core::{SubscriptionState, Substate, TerminationReason};
///
/// let state: SubscriptionState = "active;expires=3600".parse()?;
/// assert_eq!(state.state, Substate::Active { expires: Some(3600) });
///
/// let ended = SubscriptionState::terminated(TerminationReason::NoResource);
/// assert_eq!(ended.to_string(), "terminated;reason=noresource");
/// assert_eq!(ended.resubscribe_after(), None);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubscriptionState {
    /// The state, with the parameters that mean something in it.
    pub state: Substate,
    /// The other parameters.
    pub params: Params,
}

/// The states of a subscription.
///
/// ```
/// use blether_sip_core::{SubscriptionState, Substate};
///
/// let pending: SubscriptionState = "pending".parse()?;
/// assert_eq!(pending.state, Substate::Pending { expires: None });
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Substate {
    /// Accepted, and as a rule authorized.
    Active {
        /// After how many seconds it ends unless it is refreshed; this counts, not what was asked for.
        expires: Option<u32>,
    },
    /// Received, but not yet decided on.
    Pending {
        /// After how many seconds it ends unless it is refreshed; this counts, not what was asked for.
        expires: Option<u32>,
    },
    /// Over.
    Terminated {
        /// Why, if the notifier says so.
        reason: Option<TerminationReason>,
        /// How many seconds to wait before a new SUBSCRIBE.
        retry_after: Option<u32>,
    },
    /// A state that RFC 6665 does not define.
    Other(ByteStr),
}

/// Why a subscription was ended (RFC 6665 §4.1.3).
///
/// ```
/// use blether_sip_core::TerminationReason;
///
/// assert_eq!(TerminationReason::Timeout.as_str(), "timeout");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TerminationReason {
    /// `deactivated`: subscribe anew at once, for example at another node.
    Deactivated,
    /// `probation`: subscribe anew later.
    Probation,
    /// `rejected`: the authorization has changed.
    Rejected,
    /// `timeout`: it was not refreshed, or was a single question.
    Timeout,
    /// `giveup`: nobody has authorized it in time.
    GiveUp,
    /// `noresource`: the state that was watched is no more.
    NoResource,
    /// `invariant`: the state that was watched will not change.
    Invariant,
    /// A reason that RFC 6665 does not define.
    Other(ByteStr),
}

impl TerminationReason {
    const KNOWN: [TerminationReason; 7] = [
        TerminationReason::Deactivated,
        TerminationReason::Probation,
        TerminationReason::Rejected,
        TerminationReason::Timeout,
        TerminationReason::GiveUp,
        TerminationReason::NoResource,
        TerminationReason::Invariant,
    ];

    /// The reason as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            TerminationReason::Deactivated => "deactivated",
            TerminationReason::Probation => "probation",
            TerminationReason::Rejected => "rejected",
            TerminationReason::Timeout => "timeout",
            TerminationReason::GiveUp => "giveup",
            TerminationReason::NoResource => "noresource",
            TerminationReason::Invariant => "invariant",
            TerminationReason::Other(text) => text,
        }
    }

    fn of(text: ByteStr) -> TerminationReason {
        let known = Self::KNOWN.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&text));
        known.unwrap_or(TerminationReason::Other(text))
    }
}

impl FromStr for TerminationReason {
    type Err = InvalidText;

    /// Reads a token, in any case.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        if grammar::is_token(word) { Ok(Self::of(word.into())) } else { Err(InvalidText::TerminationReason) }
    }
}

impl fmt::Display for TerminationReason {
    /// Writes the word; characters that no token has are left out, and if that leaves nothing, it is `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        grammar::fmt_token(f, self.as_str(), "unknown")
    }
}

impl FromStr for Substate {
    type Err = HeaderError;

    /// Reads a state with the parameters that mean something in it and no others.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let SubscriptionState { state, params } = text.parse()?;
        if params.is_empty() { Ok(state) } else { Err(HeaderError::malformed(SubscriptionState::NAME, EXPECTED)) }
    }
}

impl fmt::Display for Substate {
    /// Writes the state with its parameters, as it stands in the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

const EXPECTED: &str = "a state such as active;expires=3600";

impl SubscriptionState {
    /// An active subscription that ends after so many seconds.
    #[must_use]
    pub fn active(expires: u32) -> Self {
        SubscriptionState { state: Substate::Active { expires: Some(expires) }, params: Params::new() }
    }

    /// A pending subscription that ends after so many seconds.
    #[must_use]
    pub fn pending(expires: u32) -> Self {
        SubscriptionState { state: Substate::Pending { expires: Some(expires) }, params: Params::new() }
    }

    /// A subscription that was ended.
    #[must_use]
    pub fn terminated(reason: TerminationReason) -> Self {
        let state = Substate::Terminated { reason: Some(reason), retry_after: None };
        SubscriptionState { state, params: Params::new() }
    }

    /// After how many seconds, at the soonest, the subscriber may subscribe anew to what has ended (§4.1.3).
    ///
    /// `None`: it should not, or nothing has ended. `Some(0)`: at once, or, after [`TerminationReason::Probation`],
    /// when it thinks best.
    #[must_use]
    pub fn resubscribe_after(&self) -> Option<u32> {
        use TerminationReason::{Deactivated, GiveUp, Invariant, NoResource, Other, Probation, Rejected, Timeout};
        let Substate::Terminated { reason, retry_after } = &self.state else { return None };
        match reason {
            Some(Rejected | NoResource | Invariant) => None,
            Some(Deactivated | Timeout) => Some(0),
            Some(Probation | GiveUp | Other(_)) | None => Some(retry_after.unwrap_or_default()),
        }
    }
}

/// Takes a parameter of seconds out; the error is that it is none.
fn seconds(params: &mut Params, name: &str) -> Result<Option<u32>, ()> {
    match params.take(name) {
        None => Ok(None),
        Some(text) => match grammar::delta_seconds(&text.unwrap_or_default()) {
            Ok(("", seconds)) => Ok(Some(seconds)),
            _ => Err(()),
        },
    }
}

/// The state of this name, with the parameters it has a use for, and without those that mean nothing in it.
fn state(name: ByteStr, params: &mut Params) -> Result<Substate, ()> {
    if name.eq_ignore_ascii_case("terminated") {
        params.take("expires");
        let reason = match params.take("reason") {
            None => None,
            Some(Some(text)) if grammar::is_token(&text) => Some(TerminationReason::of(text)),
            Some(_) => return Err(()),
        };
        return Ok(Substate::Terminated { reason, retry_after: seconds(params, "retry-after")? });
    }
    let is_active = name.eq_ignore_ascii_case("active");
    if !is_active && !name.eq_ignore_ascii_case("pending") {
        return Ok(Substate::Other(name));
    }
    params.take("reason");
    params.take("retry-after");
    let expires = seconds(params, "expires")?;
    Ok(if is_active { Substate::Active { expires } } else { Substate::Pending { expires } })
}

fn subscription_state<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, SubscriptionState> {
    let (rest, name) = grammar::token(input)?;
    let (after, mut params) = grammar::params(whole, rest)?;
    match state(whole.share(name), &mut params) {
        Ok(state) => Ok((after, SubscriptionState { state, params })),
        Err(()) => grammar::stop(rest),
    }
}

fn write_seconds(out: &mut String, name: &str, seconds: Option<u32>) {
    if let Some(seconds) = seconds {
        out.push_str(name);
        grammar::write_number(out, seconds);
    }
}

impl Substate {
    fn write(&self, out: &mut String) {
        match self {
            Substate::Active { expires } => {
                out.push_str("active");
                write_seconds(out, ";expires=", *expires);
            }
            Substate::Pending { expires } => {
                out.push_str("pending");
                write_seconds(out, ";expires=", *expires);
            }
            Substate::Terminated { reason, retry_after } => {
                out.push_str("terminated");
                if let Some(reason) = reason {
                    out.push_str(";reason=");
                    grammar::write_token(out, reason.as_str(), "unknown");
                }
                write_seconds(out, ";retry-after=", *retry_after);
            }
            Substate::Other(name) => grammar::write_token(out, name, "unknown"),
        }
    }
}

impl TypedHeader for SubscriptionState {
    const NAME: HeaderName = HeaderName::SubscriptionState;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let rule = |input| subscription_state(&value, input);
        super::complete(&value, rule, Self::NAME, EXPECTED)
    }

    fn write(&self, out: &mut String) {
        self.state.write(out);
        match self.state {
            Substate::Other(_) => self.params.write(out),
            _ => self.params.write_without(out, &["reason", "expires", "retry-after"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_state_has_the_parameters_that_mean_something_in_it() {
        #[track_caller]
        fn check(text: &str, written: &str, resubscribe_after: Option<u32>) {
            let (read, line) = rewritten::<SubscriptionState>(text);
            assert_eq!((line.as_str(), read.resubscribe_after()), (written, resubscribe_after), "{text}");
        }
        check("Active ; EXPIRES=\"60\" ;x", "active;expires=60;x", None);
        check("pending;retry-after=soon;reason=rejected", "pending", None);
        check("active;expires=99999999999", "active;expires=4294967295", None);
        check("paused;expires=never;reason", "paused;expires=never;reason", None);
        check("terminated;expires=x", "terminated", Some(0));
        check("terminated;retry-after=7", "terminated;retry-after=7", Some(7));
        check("terminated;reason=custom;retry-after=7", "terminated;reason=custom;retry-after=7", Some(7));
        check("terminated;reason=GiveUp;retry-after=7", "terminated;reason=giveup;retry-after=7", Some(7));
        check("terminated;reason=probation", "terminated;reason=probation", Some(0));
        check("terminated;reason=timeout;retry-after=7", "terminated;reason=timeout;retry-after=7", Some(0));
        check("terminated;reason=deactivated", "terminated;reason=deactivated", Some(0));
        for reason in ["rejected", "noresource", "invariant"] {
            let text = format!("terminated;reason={reason};retry-after=7");
            check(&text, &text, None);
        }
    }

    #[test]
    fn a_parameter_that_means_something_has_to_be_right() {
        for text in ["", ";expires=1", "active;expires", "active;expires=1s", "active x", "terminated;reason=\"a b\""] {
            assert!(SubscriptionState::parse_value(text.into()).is_err(), "{text}");
        }
        let mut hostile = SubscriptionState::terminated(TerminationReason::Other("a;b\r\n".into()));
        hostile.params.set("Reason", Some("x"));
        assert_eq!(hostile.to_string(), "terminated;reason=ab");
    }
}
