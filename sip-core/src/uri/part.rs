//! A URI where it stands: read and checked, not yet made into a value.

use alloc::string::String;

use memchr::memchr;

use super::tel_part::TelPart;
use super::{SipUri, Uri, UriError, escape, other};
use crate::ByteStr;
use crate::class::{self, LENIENT_USER, OPAQUE, SCHEME, URI_HEADER, URI_PARAM, USER};
use crate::grammar::{self, Deviation, ParamCount, ParamsPart, Stop, Told};
use crate::host::HostPart;

/// A `sip:` or `sips:` URI where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SipPart<'a> {
    secure: bool,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: HostPart<'a>,
    port: Option<u16>,
    params: ParamsPart<'a>,
    headers: Option<&'a str>,
}

/// A URI of any scheme where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UriPart<'a> {
    Sip(SipPart<'a>),
    Tel(TelPart<'a>),
    Other(&'a str),
}

impl<'a> UriPart<'a> {
    /// Reads all of `text` as a URI.
    #[inline]
    pub(crate) fn read(text: &'a str) -> Result<UriPart<'a>, UriError> {
        if let Some(rest) = text.strip_prefix("sip:") {
            return SipPart::read(false, rest).map(UriPart::Sip);
        }
        let colon = memchr(b':', text.as_bytes()).ok_or(UriError::Scheme)?;
        let (scheme, rest) = text.split_at_checked(colon).ok_or(UriError::Scheme)?;
        let rest = rest.get(1..).unwrap_or_default();
        if scheme.eq_ignore_ascii_case("sip") {
            return SipPart::read(false, rest).map(UriPart::Sip);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return SipPart::read(true, rest).map(UriPart::Sip);
        }
        // A `tel:` that is no number is kept as other schemes are: what it names is not ours to reach either way.
        if scheme.eq_ignore_ascii_case("tel")
            && let Ok(tel) = TelPart::read(rest)
        {
            return Ok(UriPart::Tel(tel));
        }
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !class::all(scheme.as_bytes(), SCHEME) {
            return Err(UriError::Scheme);
        }
        if rest.is_empty() || !escape::is_valid(rest, OPAQUE) {
            return Err(UriError::Opaque);
        }
        Ok(UriPart::Other(text))
    }

    /// Where reading stopped in a text that is no URI for this, in bytes from 1.
    #[cold]
    pub(crate) fn column(text: &str, error: UriError) -> Option<usize> {
        Stop::at(Self::stop(text, error).unwrap_or(text)).column(text)
    }

    fn stop(text: &str, error: UriError) -> Option<&str> {
        let (_, rest) = text.split_once(':')?;
        let (user_info, host) = rest.split_once('@').unwrap_or(("", rest));
        match error {
            UriError::Scheme => Some(text),
            // An escape that is not whole may stand anywhere in it.
            UriError::User => match escape::skip(user_info, LENIENT_USER) {
                Some(rest) => match rest.strip_prefix(':').filter(|_| rest.len() < user_info.len()) {
                    Some(word) => escape::skip(word, LENIENT_USER).or(Some(word)),
                    None => Some(rest),
                },
                None => Some(user_info),
            },
            UriError::Opaque => escape::skip(rest, OPAQUE).or(Some(rest)),
            UriError::HostPort | UriError::Params | UriError::Headers => {
                let Ok((rest, _)) = HostPart::read(host) else { return Some(host) };
                let rest = match rest.strip_prefix(':') {
                    Some(digits) => match grammar::number::<u16>(digits) {
                        Ok((rest, _)) => rest,
                        Err(_) => return Some(digits),
                    },
                    None => rest,
                };
                uri_params(rest).map_or(Some(rest), |(_, rest)| Some(rest))
            }
            UriError::Number | UriError::PhoneContext => Some(rest),
        }
    }

    /// Whether there are headers after a question mark, which a Request-URI does not have.
    pub(crate) fn has_headers(&self) -> bool {
        matches!(self, UriPart::Sip(SipPart { headers: Some(_), .. }))
    }

    /// Tells what the URI has that it should not.
    pub(crate) fn deviations(&self, told: Told<'_>) {
        let uri = match self {
            UriPart::Sip(uri) => uri,
            UriPart::Tel(tel) => return tel.deviations(told),
            UriPart::Other(text) => return other::deviations(text, told),
        };
        // A password has the characters of a user but `;`, `?` and `/`.
        let is_password = |word: &str| escape::is_valid(word, USER) && !word.contains([';', '?', '/']);
        if let Some(user) = uri.user.filter(|user| !escape::is_valid(user, USER)) {
            told(Deviation::User, user);
        } else if let Some(word) = uri.password.filter(|word| !is_password(word)) {
            told(Deviation::User, word);
        }
        uri.host.deviation(told);
        if let Some(param) = uri.params.text.split(';').find(|param| param.ends_with('=')) {
            told(Deviation::EmptyValue, param);
        }
        let names = uri.params.text.split(';').skip(1).map(|param| param.split('=').next().unwrap_or(param));
        grammar::repeated(names, escape::compare, told);
    }

    /// Tells which of these components a SIP URI has: `port`, `headers`, or a parameter by its name, however that is escaped.
    pub(crate) fn components(&self, among: &[&'static str], mut report: impl FnMut(&'static str)) {
        let UriPart::Sip(uri) = self else { return };
        let has_param = |wanted: &str| {
            let names = uri.params.text.split(';').skip(1).map(|param| param.split('=').next().unwrap_or(param));
            names.into_iter().any(|name| escape::is_named(name, wanted))
        };
        let has = |component: &str| match component {
            "port" => uri.port.is_some(),
            "headers" => uri.headers.is_some(),
            name => has_param(name),
        };
        among.iter().filter(|component| has(component)).for_each(|component| report(component));
    }

    /// The URI, sharing the memory of `whole`.
    pub(crate) fn to_uri(self, whole: &ByteStr) -> Uri {
        match self {
            UriPart::Sip(uri) => Uri::Sip(uri.to_uri(whole)),
            UriPart::Tel(tel) => Uri::Tel(tel.to_tel(whole)),
            UriPart::Other(text) => Uri::Other(whole.share(text)),
        }
    }
}

impl<'a> SipPart<'a> {
    /// Reads what follows the scheme and its colon.
    #[inline]
    fn read(secure: bool, rest: &'a str) -> Result<SipPart<'a>, UriError> {
        let (user, password, rest) = user_info(rest)?;
        let (rest, host) = HostPart::read(rest).map_err(|_| UriError::HostPort)?;
        let (rest, port) = match rest.strip_prefix(':') {
            Some(digits) => grammar::number::<u16>(digits).map(|(rest, port)| (rest, Some(port))),
            None => Ok((rest, None)),
        }
        .map_err(|_| UriError::HostPort)?;
        let (params, rest) = uri_params(rest).ok_or(UriError::Params)?;
        let headers = match rest.as_bytes().first() {
            None => None,
            Some(b'?') => Some(rest.get(1..).filter(|headers| is_headers(headers)).ok_or(UriError::Headers)?),
            Some(_) => return Err(UriError::HostPort),
        };
        Ok(SipPart { secure, user, password, host, port, params, headers })
    }

    fn to_uri(self, whole: &ByteStr) -> SipUri {
        let SipPart { secure, user, password, host, port, params, headers } = self;
        SipUri {
            secure,
            user: user.map(|user| whole.share(user)),
            password: password.map(|password| whole.share(password)),
            host: host.to_host(whole),
            port,
            params: params.to_params(whole),
            headers: headers.map(|headers| whole.share(headers)),
        }
    }
}

impl SipUri {
    /// Appends the URI as it is displayed, if nothing in it has to be escaped or left out; says whether it did.
    pub(crate) fn write_plain(&self, out: &mut String) -> bool {
        let before = out.len();
        let is_plain = self.try_write_plain(out).is_some();
        if !is_plain {
            out.truncate(before);
        }
        is_plain
    }

    fn try_write_plain(&self, out: &mut String) -> Option<()> {
        if self.password.is_some() || self.headers.is_some() {
            return None;
        }
        let plain =
            |text, class| Some(text).filter(|text: &&str| !text.is_empty() && class::all(text.as_bytes(), class));
        out.push_str(if self.secure { "sips:" } else { "sip:" });
        if let Some(user) = &self.user {
            out.push_str(plain(user, LENIENT_USER)?);
            out.push('@');
        }
        self.host.write(out);
        if let Some(port) = self.port {
            out.push(':');
            grammar::write_number(out, port.into());
        }
        for (name, value) in self.params.iter() {
            out.push(';');
            out.push_str(plain(name, URI_PARAM)?);
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                out.push('=');
                out.push_str(plain(value, URI_PARAM)?);
            }
        }
        Some(())
    }
}

/// `[ userinfo ]`, and what follows its `@`.
#[inline]
fn user_info(text: &str) -> Result<(Option<&str>, Option<&str>, &str), UriError> {
    let Some(at) = memchr(b'@', text.as_bytes()) else { return Ok((None, None, text)) };
    let (user_info, rest) = text.split_at_checked(at).ok_or(UriError::User)?;
    let (user, password) = match memchr(b':', user_info.as_bytes()).and_then(|colon| user_info.split_at_checked(colon))
    {
        Some((user, word)) => (user, word.get(1..)),
        None => (user_info, None),
    };
    let valid = !user.is_empty()
        && escape::is_valid(user, LENIENT_USER)
        && password.is_none_or(|word| escape::is_valid(word, LENIENT_USER));
    if valid { Ok((Some(user), password, rest.get(1..).unwrap_or_default())) } else { Err(UriError::User) }
}

/// `uri-parameters`, without the white space that header parameters may have, and what follows them.
#[inline]
fn uri_params(input: &str) -> Option<(ParamsPart<'_>, &str)> {
    let (mut rest, mut count) = (input, ParamCount::default());
    while let Some(name) = rest.strip_prefix(';') {
        let after = escape::skip(name, URI_PARAM).filter(|left| left.len() < name.len())?;
        if !count.add(name.get(..name.len() - after.len())?) {
            return None;
        }
        // `;name=` is written by some phones and means no value.
        rest = match after.strip_prefix('=') {
            Some(value) => escape::skip(value, URI_PARAM)?,
            None => after,
        };
    }
    Some((ParamsPart::plain(input.get(..input.len() - rest.len())?), rest))
}

/// `headers` after the question mark.
pub(super) fn is_headers(text: &str) -> bool {
    text.split('&').all(|header| {
        header.split_once('=').is_some_and(|(name, value)| {
            !name.is_empty() && escape::is_valid(name, URI_HEADER) && escape::is_valid(value, URI_HEADER)
        })
    })
}
