use alloc::string::String;
use core::fmt::{self, Write};
use core::str::FromStr;

use memchr::{memchr, memchr2, memchr3};

use super::{HeaderError, HeaderName};
use crate::class::{self, PARAM_VALUE, skip_wsp, trim_wsp};
use crate::grammar::{self, Deviation, ParamRule, ParamsPart, Parsed, Stop, Told};
use crate::uri::UriPart;
use crate::{ByteStr, Params, Uri, ordinary};

/// An address with an optional name to show and the header's parameters: `"Alice" <sip:alice@atlanta.com>;tag=1`
/// (RFC 3261 §20.10, §25.1: `name-addr` and `addr-spec`).
///
/// ```
/// use blether_sip_core::NameAddr;
///
/// let alice: NameAddr = "Alice <sip:alice@atlanta.com;transport=tcp>;tag=1928301774".parse()?;
/// assert_eq!((alice.display_name.as_deref(), alice.tag()), (Some("Alice"), Some("1928301774")));
/// assert_eq!(NameAddr::new(alice.uri).to_string(), "<sip:alice@atlanta.com;transport=tcp>");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
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

    /// The same address with this tag in place of any it had. Characters that no tag has are left out; if none is left, there is no tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        let mut token = String::new();
        grammar::write_token(&mut token, tag, "");
        if token.is_empty() {
            self.params.remove("tag");
        } else {
            self.params.set("tag", Some(&token));
        }
        self
    }

    /// Reads one value of `header`, which says what it expected if the value is none.
    pub(crate) fn parse_value(value: &ByteStr, header: HeaderName) -> Result<NameAddr, HeaderError> {
        match ordinary::address(value.as_bytes()) {
            Some(address) => Ok(address.to_address(value, 0)),
            None => AddressPart::read(value, header).map(|part| part.to_address(value)),
        }
    }

    pub(crate) fn write(&self, out: &mut String) {
        if let Some(name) = &self.display_name {
            grammar::write_quoted(out, name);
            out.push(' ');
        }
        out.push('<');
        if !self.uri.as_sip().is_some_and(|uri| uri.write_plain(out)) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{}", self.uri);
        }
        out.push('>');
        self.params.write(out);
    }
}

/// How a header has its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressForm {
    /// `name-addr / addr-spec`.
    Any,
    /// `name-addr`: always in brackets.
    Brackets,
    /// `LAQUOT absoluteURI RAQUOT`: in brackets, without a name.
    Bare,
}

/// An address where it stands: read and checked, not yet made into a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressPart<'a> {
    display_name: DisplayName<'a>,
    uri: UriPart<'a>,
    /// The URI as it was written, with any space within its brackets.
    text: &'a str,
    has_brackets: bool,
    /// Whether there are spaces between the URI and its brackets.
    is_spaced: bool,
    params: ParamsPart<'a>,
}

#[derive(Debug, Clone, Copy)]
enum DisplayName<'a> {
    None,
    Words(&'a str),
    /// What is between the quotes.
    Quoted(&'a str),
}

impl<'a> AddressPart<'a> {
    /// Reads one value of `header`, which says what it expected if the value is none.
    #[inline]
    pub(crate) fn read(value: &'a str, header: HeaderName) -> Result<AddressPart<'a>, HeaderError> {
        super::whole(value, parse).map_err(|column| {
            let expected = "an address such as \"Name\" <sip:user@host>";
            HeaderError::Malformed { header, expected, column }
        })
    }

    /// The `tag` parameter of a value that was found to be an address, as it was written.
    pub(crate) fn tag_of(value: &str) -> Option<&str> {
        let rest = match value.as_bytes().first()? {
            b'"' => grammar::quoted_string(value).ok()?.0,
            _ => value,
        };
        let params = match memchr2(b'<', b';', rest.as_bytes()).and_then(|at| rest.get(at..))? {
            rest if rest.starts_with('<') => rest.get(memchr(b'>', rest.as_bytes())? + 1..)?,
            rest => rest,
        };
        grammar::param_value(params, "tag")
    }

    /// Tells what the address has that it should not, where the header has these rules for its parameters.
    pub(crate) fn deviations(&self, form: AddressForm, rules: &[(&'static str, ParamRule)], told: Told<'_>) {
        match self.display_name {
            DisplayName::Words(words) | DisplayName::Quoted(words) if form == AddressForm::Bare => {
                told(Deviation::Name, words);
            }
            DisplayName::Words(words) => {
                let is_odd = |word: &&str| !word.is_empty() && !grammar::is_token(word);
                if let Some(word) = words.split([' ', '\t']).find(is_odd) {
                    told(Deviation::DisplayName, word);
                }
            }
            DisplayName::Quoted(content) if grammar::has_bad_pair(content) => told(Deviation::QuotedPair, content),
            _ => {}
        }
        if form != AddressForm::Any && !self.has_brackets {
            told(Deviation::Brackets, self.text);
        }
        if self.is_spaced {
            told(Deviation::Spaces, self.text);
        }
        self.uri.deviations(told);
        self.params.deviations(rules, told);
    }

    /// The address without its name and the header's parameters.
    pub(crate) fn uri(&self) -> &UriPart<'a> {
        &self.uri
    }

    /// Whether there is a `tag` parameter with a value.
    pub(crate) fn has_tag(&self) -> bool {
        self.params.has_value("tag")
    }

    /// The address, sharing the memory of `whole`.
    pub(crate) fn to_address(self, whole: &ByteStr) -> NameAddr {
        let display_name = match self.display_name {
            DisplayName::None => None,
            DisplayName::Words(words) => Some(whole.share(words)),
            DisplayName::Quoted(content) => Some(grammar::unquoted(whole, content)).filter(|name| !name.is_empty()),
        };
        NameAddr { display_name, uri: self.uri.to_uri(whole), params: self.params.to_params(whole) }
    }
}

#[inline]
fn parse(input: &str) -> Parsed<'_, AddressPart<'_>> {
    let (display_name, rest) = display_name(input)?;
    let inner = rest.strip_prefix('<');
    let (text, rest) = match inner {
        Some(inner) => match memchr(b'>', inner.as_bytes()).and_then(|at| inner.split_at_checked(at)) {
            Some((text, rest)) => (text, rest.strip_prefix('>').unwrap_or_default()),
            None => return grammar::stop(rest),
        },
        None => {
            // Without brackets, parameters are the header's, and the URI may not have what could be taken for
            // the header's own (RFC 3261 §20.10).
            let (text, rest) = class::split(rest, PARAM_VALUE);
            if let Some(at) = memchr2(b',', b'?', text.as_bytes()) {
                return grammar::stop(text.get(at..).unwrap_or_default());
            }
            (text, rest)
        }
    };
    let (uri, is_spaced) = match UriPart::read(text) {
        Ok(uri) => (uri, false),
        // Spaces around a URI can mean nothing (RFC 4475 §3.1.2.14).
        Err(_) => match UriPart::read(trim_wsp(text)) {
            Ok(uri) => (uri, true),
            Err(_) => return grammar::stop(text),
        },
    };
    let (rest, params) = grammar::params_part(rest)?;
    Ok((rest, AddressPart { display_name, uri, text, has_brackets: inner.is_some(), is_spaced, params }))
}

/// `[ display-name ]` with what follows it, which starts with `<` unless there are no brackets at all.
/// Words that should have been quoted are taken as they are, since many phones leave the quotes out.
#[inline]
fn display_name(input: &str) -> Result<(DisplayName<'_>, &str), nom::Err<Stop<'_>>> {
    match input.as_bytes() {
        [b'<', ..] => return Ok((DisplayName::None, input)),
        [b'"', ..] => {
            let (rest, content) = grammar::quoted_string(input)?;
            let rest = skip_wsp(rest);
            if rest.starts_with('<') {
                return Ok((DisplayName::Quoted(content), rest));
            }
            return Err(nom::Err::Error(Stop::at(rest)));
        }
        _ => {}
    }
    match memchr3(b'<', b';', b'"', input.as_bytes()).and_then(|at| input.split_at_checked(at)) {
        Some((words, rest)) if rest.starts_with('<') => match trim_wsp(words) {
            "" => Ok((DisplayName::None, rest)),
            words => Ok((DisplayName::Words(words), rest)),
        },
        _ => Ok((DisplayName::None, input)),
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
        check("A < sip:agb@bell-telephone.com\t>;x", Some("A"), agb, ";x"); // RFC 4475 §3.1.2.14
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
            "< sip: a@b>",
            "< sip:a@b c>",
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
        assert_eq!(address.clone().with_tag("2 \r\n3").to_string(), "<sip:a@b>;tag=23;x");
        assert_eq!(address.with_tag("\"").to_string(), "<sip:a@b>;x");
    }
}
