use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// Which state a SUBSCRIBE, NOTIFY or PUBLISH is about (RFC 6665 §8.2.1).
///
/// ```
/// use blether_sip_core::Event;
///
/// let event: Event = "presence.winfo;id=7".parse()?;
/// assert_eq!((event.package(), event.templates().next()), ("presence", Some("winfo")));
/// assert!(!event.matches(&Event::new("presence.winfo")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// The event package with its templates behind dots: `presence`, `presence.winfo`. Compared with case.
    pub event_type: ByteStr,
    /// Which of several subscriptions in one dialog; deprecated (§4.5.2).
    pub id: Option<ByteStr>,
    /// The parameters that have no field.
    pub params: Params,
}

impl Event {
    /// An event type without parameters.
    #[must_use]
    pub fn new(event_type: &str) -> Self {
        Event { event_type: event_type.into(), id: None, params: Params::new() }
    }

    /// The event package: the event type up to its first dot.
    #[must_use]
    pub fn package(&self) -> &str {
        self.event_type.split('.').next().unwrap_or_default()
    }

    /// The templates that are applied to the package, the inmost first.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        self.event_type.split('.').skip(1)
    }

    /// Whether a NOTIFY with the one belongs to a SUBSCRIBE with the other within a dialog: event type and id are the
    /// same, or both are without id; other parameters do not count (§8.2.1).
    #[must_use]
    pub fn matches(&self, other: &Event) -> bool {
        (&self.event_type, &self.id) == (&other.event_type, &other.id)
    }
}

/// `event-type`: words between dots.
pub(super) fn is_event_type(text: &str) -> bool {
    text.split('.').all(grammar::is_token)
}

/// Appends what of `text` is an event type.
pub(super) fn write_event_type(out: &mut String, text: &str) {
    if is_event_type(text) {
        return out.push_str(text);
    }
    let start = out.len();
    for word in text.split('.') {
        let end = out.len();
        out.push_str(if end == start { "" } else { "." });
        let dot = out.len();
        out.extend(word.chars().filter(|c| grammar::is_token_char(*c)));
        if out.len() == dot {
            out.truncate(end);
        }
    }
    if out.len() == start {
        out.push_str("unknown");
    }
}

fn event<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Event> {
    let (rest, event_type) = grammar::token(input)?;
    if !is_event_type(event_type) {
        return grammar::stop(input);
    }
    let (after, mut params) = grammar::params(whole, rest)?;
    let id = match params.take("id") {
        None => None,
        Some(Some(id)) if grammar::is_token(&id) => Some(id),
        Some(_) => return grammar::stop(rest),
    };
    Ok((after, Event { event_type: whole.share(event_type), id, params }))
}

impl TypedHeader for Event {
    const NAME: HeaderName = HeaderName::Event;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| event(&value, input), Self::NAME, "an event package such as presence")
    }

    fn write(&self, out: &mut String) {
        write_event_type(out, &self.event_type);
        if let Some(id) = &self.id {
            out.push_str(";id=");
            grammar::write_token(out, id, "0");
        }
        self.params.write_without(out, &["id"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn events_match_by_type_and_id() {
        // RFC 6665 §8.2.1.
        let event = |text: &str| rewritten::<Event>(text).0;
        let foo = event("foo; id=1234");
        assert!(foo.matches(&event("foo; param=abcd; id=1234")));
        for other in ["foo", "Foo; id=1234", "foo;id=123", "foo.a;id=1234"] {
            assert!(!foo.matches(&event(other)) && !event(other).matches(&foo), "{other}");
        }
        let event = event("presence.winfo.list;shared");
        assert!(event.templates().eq(["winfo", "list"]) && event.params.has("shared"));
        assert_eq!(rewritten::<Event>("message-summary ; x=\"a b\"; ID=\"7\"").1, "message-summary;id=7;x=\"a b\"");
    }

    #[test]
    fn an_event_type_is_words_between_dots() {
        for text in ["", ".", "a..b", "a.", ".a", "a b", "a,b", "a;id", "a;id=\"b c\"", ";id=1"] {
            assert!(Event::parse_value(text.into()).is_err(), "{text}");
        }
        for (event_type, written) in [("..a\r\n:. .b.", "a.b"), ("\u{e9}", "unknown"), ("reg", "reg")] {
            let mut event = Event::new(event_type);
            event.params.set("ID", Some("x"));
            assert_eq!(event.to_string(), written);
        }
    }
}
