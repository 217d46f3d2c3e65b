use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, Method, grammar};

/// The methods that a user agent takes (RFC 3261 §20.5).
///
/// ```
/// use blether_sip_core::{Allow, Method};
///
/// let allow: Allow = "INVITE, ACK, BYE".parse()?;
/// assert!(allow.0.contains(&Method::Bye));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Allow(pub Vec<Method>);

impl TypedHeader for Allow {
    const NAME: HeaderName = HeaderName::Allow;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let method = |name: &[u8], at: Range<usize>| {
            Method::known_bytes(name).unwrap_or_else(|| Method::Extension(value.part(at)))
        };
        let methods = grammar::tokens(value.as_bytes(), method);
        methods.map(Allow).ok_or_else(|| {
            HeaderError::malformed(Self::NAME, "methods between commas").at(&value, grammar::odd_token(&value))
        })
    }

    fn write(&self, out: &mut String) {
        grammar::write_list(out, ", ", &self.0, |out, method| grammar::write_token(out, method.as_str(), "UNKNOWN"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn allow_lists_methods() {
        let (allow, written) = rewritten::<Allow>("INVITE,ACK , XTRA");
        assert_eq!(allow.0, [Method::Invite, Method::Ack, Method::Extension("XTRA".into())]);
        assert_eq!(written, "INVITE, ACK, XTRA");
        assert_eq!(rewritten::<Allow>("").0, Allow(Vec::new()));
        for (text, column) in [("IN VITE", 4), ("(", 1), ("A, ,B@", 6)] {
            assert_eq!(Allow::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
    }
}
