//! Telephone numbers (RFC 3966, with the parameters of the registry of RFC 5341).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::str::FromStr;

use super::tel_part::{TelPart, is_name_byte, is_separator};
use super::{SipUri, UriError, escape};
use crate::class::URI_PARAM;
use crate::{ByteStr, Host, Params};

/// A `tel:` URI: a telephone number and its parameters (RFC 3966).
///
/// Its parts are as they were written, visual separators included. Two that are `==` are spelt alike; for the comparison of
/// RFC 3966 §4 there is [`TelUri::equivalent`], and [`TelUri::normalised`] for a key.
///
/// ```
/// use blether_sip_core::{Host, PhoneContext, TelUri};
///
/// let tel: TelUri = "tel:863-1234;phone-context=+1-914-555".parse()?;
/// assert_eq!((tel.number(), tel.digits().as_str()), ("863-1234", "8631234"));
/// assert_eq!(tel.phone_context(), Some(PhoneContext::Prefix("+1-914-555")));
/// assert!(tel.equivalent(&"tel:8631234;phone-context=+1914555".parse()?));
///
/// let sip = TelUri::global("+1-201-555-0123")?.to_sip("gateway.com".parse()?);
/// assert_eq!(sip.to_string(), "sip:+1-201-555-0123@gateway.com;user=phone");
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TelUri {
    /// A number as [`TelPart`] reads it.
    number: ByteStr,
    /// The parameters, such as `ext`, `isub` and `phone-context`, and those of number portability (RFC 4694): `npdi`,
    /// `rn`, `cic`. Of names only letters, digits and hyphens are written.
    pub params: Params,
}

/// Where a local number is valid (RFC 3966 §5.1.5).
///
/// ```
/// use blether_sip_core::{PhoneContext, TelUri};
///
/// let tel = TelUri::local("7042", "example.com")?;
/// assert_eq!(tel.phone_context(), Some(PhoneContext::Domain("example.com")));
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhoneContext<'a> {
    /// The first digits of a global number, with their `+`. They need not make a global number of the local one.
    Prefix(&'a str),
    /// A domain of whoever assigns the number, or what else stands there.
    Domain(&'a str),
}

impl TelUri {
    pub(super) fn of_parts(number: ByteStr, params: Params) -> Self {
        TelUri { number, params }
    }

    /// A number of E.164, which starts with `+` and its country code and may have `-`, `.`, `(` and `)` between digits.
    ///
    /// # Errors
    ///
    /// [`UriError::Number`] if it is anything else.
    pub fn global(number: &str) -> Result<Self, UriError> {
        let tel = TelUri::from_subscriber(number)?;
        if tel.is_global() && tel.params.is_empty() { Ok(tel) } else { Err(UriError::Number) }
    }

    /// A number that is valid in `context` only: a domain, or the first digits of a global number with their `+`.
    ///
    /// # Errors
    ///
    /// [`UriError::Number`] if the number is not of digits, `A` to `F`, `*`, `#` and separators,
    /// [`UriError::PhoneContext`] if the context is neither.
    pub fn local(number: &str, context: &str) -> Result<Self, UriError> {
        let mut tel = TelUri::from_subscriber(number)?;
        if tel.is_global() || !tel.params.is_empty() {
            return Err(UriError::Number);
        }
        if TelUri::global(context).is_err() && !matches!(Host::parse(context), Some(Host::Name(_))) {
            return Err(UriError::PhoneContext);
        }
        tel.params.set("phone-context", Some(context));
        Ok(tel)
    }

    /// Reads a `telephone-subscriber`: what follows `tel:`, or stands before the `@` of a SIP URI.
    ///
    /// # Errors
    ///
    /// [`UriError::Number`] or [`UriError::Params`], whichever is wrong.
    pub fn from_subscriber(text: &str) -> Result<Self, UriError> {
        let whole = ByteStr::from(text);
        TelPart::read(&whole).map(|part| part.to_tel(&whole))
    }

    /// The number as it is written.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The number without its separators, in lower case: what is dialled. A global one with its `+`.
    #[must_use]
    pub fn digits(&self) -> String {
        without_separators(&unescaped(&self.number))
    }

    /// Whether the number is valid everywhere: it starts with `+`.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(other, _)| escape::is_named(other, name)).map(|(_, value)| value)
    }

    /// Where the number is valid. `None` for a global one, and for a local one that lacks what it must have.
    #[must_use]
    pub fn phone_context(&self) -> Option<PhoneContext<'_>> {
        let context = self.param("phone-context")??;
        Some(if context.starts_with('+') { PhoneContext::Prefix(context) } else { PhoneContext::Domain(context) })
    }

    /// The extension behind a telephone exchange, as it is written (RFC 3966 §5.3).
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.param("ext")?
    }

    /// The ISDN subaddress, as it is written (RFC 3966 §5.2).
    #[must_use]
    pub fn isdn_subaddress(&self) -> Option<&str> {
        self.param("isub")?
    }

    /// The names of parameters that whoever does not know them must not ignore: they start with `m-` (RFC 3966 §5.4).
    pub fn mandatory_params(&self) -> impl Iterator<Item = &str> {
        let is_mandatory = |name: &str| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("m-"));
        self.params.iter().map(|(name, _)| name).filter(move |name| is_mandatory(name))
    }

    /// The domain under which ENUM knows a global number (RFC 6116 §3.2): `4.3.2.1.e164.arpa.`, the digits backwards.
    /// `None` for a local number, and for one of more than the 15 digits that E.164 allows.
    #[must_use]
    pub fn enum_domain(&self) -> Option<String> {
        let digits = self.is_global().then(|| self.digits())?;
        let labels = digits.trim_start_matches('+').chars().rev().flat_map(|digit| [digit, '.']);
        (digits.len() <= 16).then(|| labels.chain("e164.arpa.".chars()).collect())
    }

    /// Whether the two URIs name the same number by RFC 3966 §4: separators, the order of parameters and case do not
    /// count, every parameter does.
    #[must_use]
    pub fn equivalent(&self, other: &TelUri) -> bool {
        self == other || self.normalised() == other.normalised()
    }

    /// The one form of all equivalent URIs: without separators, in lower case, and with parameters in the order of RFC 3966 §3.
    /// Two URIs are [equivalent](TelUri::equivalent) when these are `==`.
    #[must_use]
    pub fn normalised(&self) -> TelUri {
        let mut normal = self.ordered();
        normal.number = without_separators(&normal.number).into();
        for name in ["ext", "phone-context"] {
            let Some(value) = normal.params.value(name) else { continue };
            let value = if name == "ext" || value.starts_with('+') {
                without_separators(value)
            } else {
                // A domain is compared as a host name.
                let is_name = matches!(Host::parse(value), Some(Host::Name(_)));
                value.strip_suffix('.').filter(|_| is_name).unwrap_or(value).into()
            };
            normal.params.set(name, Some(&*value).filter(|value| !value.is_empty()));
        }
        normal
    }

    /// The URI in lower case, with parameters in the order of RFC 3966 §3, each once, and no more escapes than it needs.
    fn ordered(&self) -> TelUri {
        let rank = |name: &str| ["isub", "ext", "phone-context"].iter().position(|first| *first == name).unwrap_or(3);
        let mut read = Vec::new();
        for (name, value) in self.params.iter() {
            let name: String =
                escape::bytes(name).filter(|(byte, _)| is_name_byte(*byte)).map(|(byte, _)| char::from(byte)).collect();
            let name = name.to_ascii_lowercase();
            if !name.is_empty() && !read.iter().any(|(other, _)| *other == name) {
                read.push((name, value.filter(|value| !value.is_empty()).map(normalised_value)));
            }
        }
        read.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
        let mut params = Params::new();
        for (name, value) in read {
            params.append(name.into(), value.map(|value| (ByteStr::from(&*value), false)));
        }
        TelUri { number: unescaped(&self.number).into(), params }
    }

    /// The number as a user of `host`, in the form that makes equivalent SIP URIs of most equivalent numbers: lower case,
    /// parameters in order, separators as they are (RFC 3261 §19.1.6). For `sips`, set [`SipUri::secure`].
    #[must_use]
    pub fn to_sip(&self, host: Host) -> SipUri {
        let mut subscriber = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.ordered().write(&mut subscriber);
        let mut uri = SipUri::new(Some(&subscriber), host, None);
        uri.params.set("user", Some("phone"));
        uri
    }

    /// Writes what follows `tel:`.
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str(&self.number)?;
        for (name, value) in self.params.iter() {
            let escaped: String;
            let name = if escape::bytes(name).all(|(byte, _)| is_name_byte(byte)) {
                name
            } else {
                escaped = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                &escaped
            };
            if name.is_empty() {
                continue;
            }
            write!(out, ";{name}")?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                write!(out, "={}", escape::escaped(value, URI_PARAM))?;
            }
        }
        Ok(())
    }
}

impl SipUri {
    /// The telephone number that the user is, if `user=phone` says that it is one (RFC 3261 §19.1.1, §19.1.6). What else the
    /// URI has goes. Without that parameter a user may be read with [`TelUri::from_subscriber`] where all are numbers.
    #[must_use]
    pub fn to_tel(&self) -> Option<TelUri> {
        let user = self.user.as_deref().filter(|_| self.is_phone())?;
        // Some escape the plus sign, which no other meaning asks for.
        match user.strip_prefix("%2B").or_else(|| user.strip_prefix("%2b")) {
            Some(digits) => TelUri::from_subscriber(&alloc::format!("+{digits}")).ok(),
            None => TelUri::from_subscriber(user).ok(),
        }
    }
}

/// A value in lower case, with no more escapes than it needs.
///
/// Of the reserved characters RFC 3966 §3 sets only these apart from their escapes. Others must be escaped in a SIP URI
/// (RFC 3261 §19.1.2) and mean the same there.
fn normalised_value(value: &str) -> Cow<'_, str> {
    escape::lower(escape::normalised(value, URI_PARAM, |byte| !matches!(byte, b'+' | b';' | b'=' | b'?' | b'%')))
}

/// A number in lower case and without escapes.
fn unescaped(number: &str) -> String {
    escape::bytes(number).map(|(byte, _)| char::from(byte.to_ascii_lowercase())).filter(char::is_ascii).collect()
}

fn without_separators(number: &str) -> String {
    number.chars().filter(|c| !u8::try_from(*c).is_ok_and(is_separator)).collect()
}

impl FromStr for TelUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, subscriber) = text.split_once(':').ok_or(UriError::Scheme)?;
        if scheme.eq_ignore_ascii_case("tel") { TelUri::from_subscriber(subscriber) } else { Err(UriError::Scheme) }
    }
}

impl fmt::Display for TelUri {
    /// Writes the URI; what may not stand in a parameter is escaped there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tel:")?;
        self.write(f)
    }
}

#[cfg(test)]
mod tests;
