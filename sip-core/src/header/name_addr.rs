use std::fmt::{self, Write as _};
use std::str::FromStr;

use memchr::{memchr, memchr3};

use super::{HeaderError, HeaderName};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params, Uri};

/// An address with an optional name to show and the header's parameters: `"Alice" <sip:alice@atlanta.com>;tag=1`
/// (RFC 3261 §20.10, §25.1: `name-addr` and `addr-spec`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// What to show to a person, without quotes and backslashes.
    pub display_name: Option<ByteStr>,
    /// The address.
    pub uri: Uri,
    /// The parameters of the header, not those of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address without name and parameters.
    #[must_use]
    pub fn new(uri: impl Into<Uri>) -> Self {
        NameAddr { display_name: None, uri: uri.into(), params: Params::new() }
    }

    /// The same address with a name to show.
    #[must_use]
    pub fn with_display_name(mut self, name: &str) -> Self {
        self.display_name = Some(name.into()).filter(|name: &ByteStr| !name.is_empty());
        self
    }

    /// The `tag` parameter, one side's part of a dialog's identity (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }

    /// The same address with this tag in place of any it had.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value of `header`, which says what it expected if the value is none.
    pub(crate) fn parse_value(value: &ByteStr, header: HeaderName) -> Result<NameAddr, HeaderError> {
        super::complete(value, |input| parse(value, input), header, "an address such as \"Name\" <sip:user@host>")
    }

    pub(crate) fn write(&self, out: &mut String) {
        if let Some(name) = &self.display_name {
            grammar::write_quoted(out, name);
            out.push(' ');
        }
        out.push('<');
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{}", self.uri);
        out.push('>');
        self.params.write(out);
    }
}

fn parse<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, NameAddr> {
    let (display_name, rest) = display_name(whole, input)?;
    let (text, rest) = match rest.strip_prefix('<') {
        Some(inner) => match memchr(b'>', inner.as_bytes()).and_then(|at| inner.split_at_checked(at)) {
            Some((text, rest)) => (text, rest.strip_prefix('>').unwrap_or_default()),
            None => return grammar::no_match(),
        },
        None => {
            // Without brackets, parameters are the header's, and the URI may not have what could be taken for
            // the header's own (RFC 3261 §20.10).
            let end = rest.find([';', ' ', '\t']).unwrap_or(rest.len());
            match rest.split_at_checked(end) {
                Some((text, rest)) if !text.contains([',', '?']) => (text, rest),
                _ => return grammar::no_match(),
            }
        }
    };
    let Ok(uri) = Uri::parse_part(whole, text) else { return grammar::no_match() };
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, NameAddr { display_name, uri, params }))
}

/// `[ display-name ]` with what follows it, which starts with `<` unless there are no brackets at all.
/// Words that should have been quoted are taken as they are, since many phones leave the quotes out.
fn display_name<'a>(whole: &ByteStr, input: &'a str) -> Result<(Option<ByteStr>, &'a str), nom::Err<()>> {
    if input.starts_with('"') {
        let (rest, content) = grammar::quoted_string(input)?;
        let rest = rest.trim_start_matches(grammar::is_wsp);
        let name = grammar::unquoted(whole, content);
        return if rest.starts_with('<') {
            Ok((Some(name).filter(|name| !name.is_empty()), rest))
        } else {
            Err(nom::Err::Error(()))
        };
    }
    match memchr3(b'<', b';', b'"', input.as_bytes()).and_then(|at| input.split_at_checked(at)) {
        Some((words, rest)) if rest.starts_with('<') => {
            let words = words.trim_matches(grammar::is_wsp);
            Ok(((!words.is_empty()).then(|| whole.share(words)), rest))
        }
        _ => Ok((None, input)),
    }
}

impl FromStr for NameAddr {
    type Err = HeaderError;

    /// Reads an address as it stands in a Contact header.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&text.into(), HeaderName::Contact)
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_all_its_forms() {
        #[track_caller]
        fn check(text: &str, name: Option<&str>, uri: &str, params: &str) {
            let read: NameAddr = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read.display_name.as_deref(), name);
            assert_eq!((read.uri.to_string().as_str(), read.params.to_string().as_str()), (uri, params));
            assert_eq!(read.to_string().parse::<NameAddr>().as_ref(), Ok(&read));
        }
        let agb = "sip:agb@bell-telephone.com";
        // RFC 3261 §20.20, §20.31
        check("\"A. G. Bell\" <sip:agb@bell-telephone.com> ;tag=a48s", Some("A. G. Bell"), agb, ";tag=a48s");
        check(
            "sip:+12125551212@server.phone2net.com;tag=887s",
            None,
            "sip:+12125551212@server.phone2net.com",
            ";tag=887s",
        );
        check(
            "Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
            Some("Anonymous"),
            "sip:c8oqz84zk7z@privacy.org",
            ";tag=hyh8",
        );
        check("<sip:agb@bell-telephone.com;lr>;x", None, "sip:agb@bell-telephone.com;lr", ";x");
        check("<sip:agb@bell-telephone.com>", None, agb, "");
        check("A G  Bell <sip:agb@bell-telephone.com>", Some("A G  Bell"), agb, "");
        check("T\u{e9}l <sip:agb@bell-telephone.com>", Some("T\u{e9}l"), agb, "");
        check(r#""a \"<b>\" \\" <sip:agb@bell-telephone.com>"#, Some(r#"a "<b>" \"#), agb, "");
        check("\"\" <sip:agb@bell-telephone.com>", None, agb, "");
        check("<tel:+1;ext=2>;q=0.5", None, "tel:+1;ext=2", ";q=0.5");
        check("sip:agb@bell-telephone.com;x=\"<y>\"", None, agb, ";x=\"<y>\"");
        check(
            "\"a\"<sip:agb@bell-telephone.com>;+sip.instance=\"<urn:uuid:1>\"",
            Some("a"),
            agb,
            ";+sip.instance=\"<urn:uuid:1>\"",
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "\"Alice\"",
            "\"Alice\" sip:a@b",
            "\"Alice <sip:a@b>",
            "<sip:a@b",
            "< sip:a@b>",
            "<sip:a@b>x",
            "<sip:a@b>;",
            "<sip:a@b>;;x",
            "<sip:a@b>;x=",
            "sip:a@b?Route=%3Csip:c%3E", // RFC 3261 §20.10
            "sip:a,b@c",
            "alice",
            "<>",
        ] {
            assert!(text.parse::<NameAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_display_name_cannot_break_out_of_its_quotes() {
        let address = NameAddr::new(Uri::Other("tel:1".into())).with_display_name("a\" <sip:evil>\r\nX: y");
        assert_eq!(address.to_string(), "\"a\\\" <sip:evil>  X: y\" <tel:1>");
    }

    #[test]
    fn a_tag_is_replaced() {
        let address: NameAddr = "<sip:a@b>;tag=1;x".parse().unwrap();
        assert_eq!(address.with_tag("2").to_string(), "<sip:a@b>;tag=2;x");
    }
}
