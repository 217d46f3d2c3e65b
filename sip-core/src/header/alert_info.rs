use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use super::uri_values::after;
use super::{AddressPart, HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::class::trim_wsp;
use crate::{ByteStr, Params, Uri, grammar};

/// How to alert the called user, or the caller while it rings: a sound, or what the call is about as an alert URN
/// (RFC 3261 §20.4, RFC 7462).
///
/// ```
/// use blether_sip_core::AlertInfo;
///
/// let info: AlertInfo = "<urn:alert:service:call-waiting:loud@pbx>".parse()?;
/// // The whole of it, then what is left of it for who does not know that much.
/// let known = ["service:call-waiting", "service:normal"];
/// assert_eq!(info.alerts().find(|alert| known.contains(alert)), Some("service:call-waiting"));
/// let tone: AlertInfo = "Bellcore-dr1".parse()?;
/// assert_eq!((tone.uri(), &tone), (None, &AlertInfo::Text("Bellcore-dr1".into())));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AlertInfo {
    /// A sound, or an alert URN.
    Uri {
        /// The URI.
        uri: Uri,
        /// The parameters of the header, not those of the URI.
        params: Params,
    },
    /// What stands there in place of a URI, which no RFC has and phones look for: `Bellcore-dr1`, `info=alert-autoanswer`. It is
    /// written as it is, but for what would be a value of its own; [`Message::anomalies`](crate::Message::anomalies) tells of it.
    Text(ByteStr),
}

impl AlertInfo {
    /// A URI without parameters.
    #[must_use]
    pub fn new(uri: impl Into<Uri>) -> Self {
        AlertInfo::Uri { uri: uri.into(), params: Params::new() }
    }

    /// An alert URN of a category and an indication, such as `service` and `call-waiting`; an indication may go into
    /// detail after colons.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if a part is no name of RFC 7462 §7: letters, digits and inner hyphens, then maybe
    /// an `@` and a provider.
    pub fn alert(category: &str, indication: &str) -> Result<Self, HeaderError> {
        if !is_alert_name(category) || !indication.split(':').all(is_alert_name) {
            return Err(HeaderError::malformed(Self::NAME, "an alert category and an indication such as call-waiting"));
        }
        Ok(AlertInfo::new(Uri::Other(format!("urn:alert:{category}:{indication}").into())))
    }

    /// The URI; `None` of a text.
    #[must_use]
    pub fn uri(&self) -> Option<&Uri> {
        match self {
            AlertInfo::Uri { uri, .. } => Some(uri),
            AlertInfo::Text(_) => None,
        }
    }

    /// What an alert URN says, without its `urn:alert:`, and then, shorter by one part each time, what it says to who does
    /// not know all of it, down to the category and one indication (RFC 7462 §7, §11). Nothing for another URI and for a text.
    pub fn alerts(&self) -> impl Iterator<Item = &str> {
        let alert = self.uri().and_then(|uri| after(uri, "urn:alert:"));
        let mut left = alert.filter(|alert| alert.split(':').all(is_alert_name));
        core::iter::from_fn(move || {
            let alert = left?;
            let (shorter, _) = alert.rsplit_once(':')?;
            left = Some(shorter);
            Some(alert)
        })
    }
}

impl TypedHeader for AlertInfo {
    const NAME: HeaderName = HeaderName::AlertInfo;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        // A name to show and a URI without brackets, which the header does not have, are understood.
        match NameAddr::parse_value(&value, Self::NAME) {
            Ok(NameAddr { uri, params, .. }) => Ok(AlertInfo::Uri { uri, params }),
            Err(_) if is_text(trim_wsp(&value)) => Ok(AlertInfo::Text(value.trimmed())),
            Err(error) => Err(error),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            AlertInfo::Uri { uri, params } => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "<{uri}>");
                params.write(out);
            }
            AlertInfo::Text(text) if is_text(text) => out.push_str(text),
            AlertInfo::Text(text) => {
                let before = out.len();
                let kept: String = text.chars().filter(|c| !matches!(c, '<' | '>' | '"' | ',')).collect();
                grammar::write_text(out, kept.trim_matches(|c: char| c == ' ' || c.is_control()));
                if out.len() == before {
                    out.push('-');
                }
            }
        }
    }
}

/// Whether it is one value and neither ends in brackets nor in quotes that are open; in brackets may stand what is no URI, as in `<Bellcore-dr1>`.
fn is_text(text: &str) -> bool {
    let is_plain = |text: &str| !text.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | '"' | ','));
    let (word, rest) = match text.strip_prefix('<') {
        Some(inner) => inner.split_once('>').unwrap_or_default(),
        None => (text, ""),
    };
    let is_trimmed = !text.starts_with(' ') && !text.ends_with(' ');
    is_trimmed && !word.is_empty() && is_plain(word) && is_plain(rest) && (rest.is_empty() || rest.starts_with(';'))
}

/// Why one value of the header is no URI, if it is none.
pub(crate) fn no_alert_uri(value: &str) -> Option<HeaderError> {
    AddressPart::read(value, HeaderName::AlertInfo).err()
}

/// `alert-name`.
fn is_alert_name(text: &str) -> bool {
    let (label, provider) = text.split_once('@').map_or((text, None), |(label, provider)| (label, Some(provider)));
    let is_label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    is_label(label) && provider.is_none_or(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn an_alert_urn_is_shortened_from_its_end() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(rewritten::<AlertInfo>(text).0.alerts().collect::<Vec<_>>(), expected, "{text}");
        }
        check("<urn:alert:service:normal>", &["service:normal"]);
        check(
            "<URN:Alert:source:external:a@b:c>",
            &["source:external:a@b:c", "source:external:a@b", "source:external"],
        );
        check("<urn:alert:service>", &[]);
        check("<urn:alert:service:-a>", &[]);
        check("<sip:a@b>", &[]);
        assert_eq!(AlertInfo::alert("country", "us").unwrap().to_string(), "<urn:alert:country:us>");
        for (category, indication) in [("a", ""), ("a:b", "c"), ("a", "b::c"), ("a", "b@"), ("a", "b>c"), ("a-", "b")] {
            assert!(AlertInfo::alert(category, indication).is_err(), "{category} {indication}");
        }
    }

    #[test]
    fn what_phones_have_in_place_of_a_uri_is_kept_as_text() {
        // RFC 3261 §20.4
        let (moo, written) = rewritten::<AlertInfo>("<http://www.example.com/sounds/moo.wav>");
        assert_eq!(written, "<http://www.example.com/sounds/moo.wav>");
        assert!(moo.uri().is_some());
        for text in
            ["Bellcore-dr1", "info=alert-autoanswer", ";info=a", "<Bellcore-dr1>;x=y", "Auto Answer", "<http://a b>"]
        {
            let (read, written) = rewritten::<AlertInfo>(text);
            assert_eq!((read, written.as_str()), (AlertInfo::Text(text.into()), text));
        }
        for text in ["", "<>", "<http://a", "<http://a>x", "a\"b\"", "<a>;x=\"y\""] {
            assert!(AlertInfo::parse_value(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_is_written_as_one_value_whatever_it_holds() {
        for (text, expected) in
            [("a, <sip:b>\r\nX: \"y", "a sip:b  X: y"), ("\r\n", "-"), ("<>", "-"), (" a ", "a"), ("<a", "a")]
        {
            assert_eq!(AlertInfo::Text(text.into()).to_string(), expected, "{text:?}");
        }
    }
}
