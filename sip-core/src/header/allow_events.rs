use alloc::string::String;
use alloc::vec::Vec;

use super::event::{is_event_type, write_event_type};
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

/// The event packages that a user agent can be asked about (RFC 6665 §8.2.2), at least one.
///
/// ```
/// use blether_sip_core::AllowEvents;
///
/// let packages = AllowEvents::new(["presence", "dialog"]).unwrap();
/// assert_eq!(packages.to_string(), "presence, dialog");
/// assert!(packages.contains("dialog") && !packages.contains("reg"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AllowEvents(Vec<ByteStr>);

impl AllowEvents {
    /// A list of event types, such as `presence` and `presence.winfo`; `None` if there are none.
    #[must_use]
    pub fn new<T: Into<ByteStr>>(event_types: impl IntoIterator<Item = T>) -> Option<Self> {
        let list: Vec<_> = event_types.into_iter().map(T::into).collect();
        (!list.is_empty()).then_some(AllowEvents(list))
    }

    /// Whether the list has this event type, templates included; compared with case, as that of an
    /// [`Event`](crate::Event).
    #[must_use]
    pub fn contains(&self, event_type: &str) -> bool {
        self.0.iter().any(|listed| listed == event_type)
    }

    /// The event types.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ByteStr::as_str)
    }
}

impl TypedHeader for AllowEvents {
    const NAME: HeaderName = HeaderName::AllowEvents;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let list = AllowEvents::new(grammar::list(&value).map(|item| value.share(item)));
        list.filter(|list| list.iter().all(is_event_type)).ok_or_else(|| {
            let odd = grammar::list(&value).find(|item| !is_event_type(item)).unwrap_or(&value);
            HeaderError::malformed(Self::NAME, "event packages between commas").at(&value, odd)
        })
    }

    fn write(&self, out: &mut String) {
        grammar::write_list(out, ", ", &self.0, |out, event_type| write_event_type(out, event_type));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn allow_events_lists_event_types() {
        let (list, written) = rewritten::<AllowEvents>("presence,presence.winfo ,, reg");
        assert_eq!(written, "presence, presence.winfo, reg");
        assert!(list.contains("presence.winfo") && !list.contains("winfo") && !list.contains("Reg"));
        for text in ["", ",", "a b", "a;b", "a..b"] {
            assert!(AllowEvents::parse_value(text.into()).is_err(), "{text}");
        }
        assert_eq!(AllowEvents::new::<&str>([]), None);
        assert_eq!(AllowEvents::new(["a,b\r\n", ""]).unwrap().to_string(), "ab, unknown");
    }
}
