use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// How urgent a request is to the one who gets it (RFC 3261 §20.26); normal, where the header is absent.
///
/// ```
/// use blether_sip_core::Priority;
///
/// assert_eq!("emergency".parse(), Ok(Priority::Emergency));
/// assert_eq!(Priority::default().as_str(), "normal");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// `emergency`: life, limb or property are in danger.
    Emergency,
    /// `urgent`
    Urgent,
    /// `normal`
    #[default]
    Normal,
    /// `non-urgent`
    NonUrgent,
    /// Another word, such as `psap-callback` (RFC 7090).
    Other(ByteStr),
}

impl Priority {
    /// The priority as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Priority::Emergency => "emergency",
            Priority::Urgent => "urgent",
            Priority::Normal => "normal",
            Priority::NonUrgent => "non-urgent",
            Priority::Other(text) => text,
        }
    }
}

impl TypedHeader for Priority {
    const NAME: HeaderName = HeaderName::Priority;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let word = super::complete(&value, grammar::token, Self::NAME, "a word such as urgent")?;
        let known = [Priority::Emergency, Priority::Urgent, Priority::Normal, Priority::NonUrgent];
        let known = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(word));
        Ok(known.unwrap_or_else(|| Priority::Other(value.share(word))))
    }

    fn write(&self, out: &mut String) {
        grammar::write_token(out, self.as_str(), "normal");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_priority_is_one_word() {
        assert_eq!(rewritten::<Priority>(" Non-Urgent ").0, Priority::NonUrgent);
        assert_eq!(rewritten::<Priority>("psap-callback").0, Priority::Other("psap-callback".into()));
        assert!(Priority::parse_value("".into()).is_err() && Priority::parse_value("very urgent".into()).is_err());
        assert_eq!(Priority::Other("a\r\nb".into()).to_string(), "ab");
    }
}
