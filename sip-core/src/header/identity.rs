use alloc::string::String;
use core::fmt::Write;

use nom::Parser;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::class::{self, BARE_VALUE};
use crate::grammar::{self, MAX_PARAMS, Parsed};
use crate::{ByteStr, Params, Uri};

/// A signature over who calls whom, and where its certificate is (RFC 8224): a PASSporT of RFC 8225.
///
/// The PASSporT is as it came; whether the signature holds is for others to compute.
///
/// ```
/// use blether_sip_core::Identity;
///
/// let identity: Identity = "..rq3pjT1hoRwakEGj;info=<https://biloxi.example.org/biloxi.cert>;ppt=shaken".parse()?;
/// assert_eq!((identity.is_compact(), identity.signature()), (true, "rq3pjT1hoRwakEGj"));
/// assert_eq!((identity.alg(), identity.ppt()), ("ES256", Some("shaken")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    passport: ByteStr,
    /// Where the certificate is.
    pub info: Uri,
    /// The other parameters, such as `alg` and `ppt`. One that is called `info` is not written.
    pub params: Params,
}

const EXPECTED: &str = "a PASSporT and ;info=<uri>";

/// `signed-identity-digest`, in the alphabet of RFC 8225 as well.
fn is_digest_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'-' | b'_' | b'.' | b'=')
}

impl Identity {
    /// A PASSporT, in its full form or, with nothing before the second dot, in its compact one (RFC 8225 §7).
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if the PASSporT is not three parts in base64 between dots.
    pub fn new(passport: &str, info: impl Into<Uri>) -> Result<Self, HeaderError> {
        if !passport.bytes().all(is_digest_byte) || passport.split('.').count() != 3 {
            return Err(HeaderError::malformed(Self::NAME, EXPECTED));
        }
        Ok(Identity { passport: passport.into(), info: info.into(), params: Params::new() })
    }

    /// The same with the PASSporT's type, such as `shaken` or `div`.
    #[must_use]
    pub fn with_ppt(mut self, ppt: &str) -> Self {
        self.params.set("ppt", Some(ppt));
        self
    }

    /// The whole PASSporT, as it stands in the header.
    #[must_use]
    pub fn passport(&self) -> &str {
        &self.passport
    }

    /// The header of the PASSporT in base64; `None` in the compact form, where it is to be made of the request.
    #[must_use]
    pub fn passport_header(&self) -> Option<&str> {
        self.part(0)
    }

    /// The claims of the PASSporT in base64; `None` in the compact form, where they are to be made of the request.
    #[must_use]
    pub fn claims(&self) -> Option<&str> {
        self.part(1)
    }

    /// The signature in base64.
    #[must_use]
    pub fn signature(&self) -> &str {
        self.passport.rsplit_once('.').map_or(&*self.passport, |(_, signature)| signature)
    }

    /// Whether there is the signature only (RFC 8224 §4.1).
    #[must_use]
    pub fn is_compact(&self) -> bool {
        self.claims().is_none()
    }

    fn part(&self, index: usize) -> Option<&str> {
        let mut parts = self.passport.splitn(3, '.');
        let part = parts.nth(index)?;
        // The signature is the last, and is what there is if there are no dots.
        parts.next().and(Some(part)).filter(|part| !part.is_empty())
    }

    /// The algorithm of the signature: `ES256` if nothing is said (RFC 8224 §4.1).
    #[must_use]
    pub fn alg(&self) -> &str {
        self.params.value("alg").unwrap_or("ES256")
    }

    /// The type of the PASSporT, such as `shaken` or `div`; `None` for one without extensions.
    #[must_use]
    pub fn ppt(&self) -> Option<&str> {
        self.params.value("ppt")
    }
}

fn identity<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Identity> {
    let (passport, mut rest) = input.split_at(input.bytes().take_while(|byte| is_digest_byte(*byte)).count());
    if passport.is_empty() {
        return grammar::stop(input);
    }
    let (mut info, mut params, mut count) = (None, Params::new(), 0);
    while let Ok((after, (_, name))) = (grammar::separator(';'), grammar::token).parse(rest) {
        count += 1;
        if count > MAX_PARAMS {
            return grammar::stop(rest);
        }
        let is_info = name.eq_ignore_ascii_case("info");
        let (after, value) = match grammar::separator('=').parse(after) {
            Ok((value, _)) if is_info => uri(whole, value).map(|(after, uri)| {
                info.get_or_insert(uri);
                (after, None)
            })?,
            Ok((value, _)) => param_value(whole, value).map(|(after, value)| (after, Some(value)))?,
            Err(_) => (after, None),
        };
        if !is_info {
            params.append(whole.share(name), value);
        }
        rest = after;
    }
    match info {
        Some(info) => Ok((rest, Identity { passport: whole.share(passport), info, params })),
        None => grammar::stop(rest),
    }
}

/// `LAQUOT absoluteURI RAQUOT`, which some write in quotes, or a URI in quotes.
fn uri<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Uri> {
    let (rest, text) = match input.strip_prefix('<') {
        Some(inner) => match inner.split_once('>') {
            Some((text, rest)) => (rest, text),
            None => return grammar::stop(input),
        },
        None => grammar::quoted_string(input)?,
    };
    let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    match Uri::parse_part(whole, bare) {
        Ok(uri) => Ok((rest, uri)),
        Err(_) => grammar::stop(input),
    }
}

/// The value of another parameter, and whether it is in quotes.
fn param_value<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, (ByteStr, bool)> {
    if input.starts_with('"') {
        let (rest, content) = grammar::quoted_string(input)?;
        return Ok((rest, (grammar::unquoted(whole, content), true)));
    }
    match class::split(input, BARE_VALUE) {
        ("", _) => grammar::stop(input),
        (value, rest) => Ok((rest, (whole.share(value), false))),
    }
}

impl TypedHeader for Identity {
    const NAME: HeaderName = HeaderName::Identity;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| identity(&value, input), Self::NAME, EXPECTED)
    }

    fn write(&self, out: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{};info=<{}>", self.passport, self.info);
        let mut params = self.params.clone();
        params.remove("info");
        params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    const SIGNATURE: &str = "rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w";

    /// The examples of RFC 8224 §4.1.
    #[test]
    fn a_passport_is_full_or_compact() {
        let header =
            "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9";
        let claims = "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0";
        let full = alloc::format!("{header}.{claims}.{SIGNATURE};info=<https://biloxi.example.org/biloxi.cert>");
        let (read, written) = rewritten::<Identity>(&full);
        assert_eq!((read.passport_header(), read.claims(), read.signature()), (Some(header), Some(claims), SIGNATURE));
        assert_eq!((written, read.is_compact(), read.ppt()), (full, false, None));
        let compact = alloc::format!("..{SIGNATURE}; info=<https://biloxi.example.org/biloxi.cert>");
        let (read, _) = rewritten::<Identity>(&compact);
        assert_eq!((read.passport_header(), read.claims(), read.signature()), (None, None, SIGNATURE));
    }

    #[test]
    fn parameters_stand_in_any_order() {
        let text = "..a ;Alg=\"ES384\" ; ppt=\"shaken\";x; INFO = \"<https://a/b,c>\";info=<sip:d>";
        let (read, written) = rewritten::<Identity>(text);
        assert_eq!((read.alg(), read.ppt()), ("ES384", Some("shaken")));
        assert_eq!(written, "..a;info=<https://a/b,c>;Alg=\"ES384\";ppt=\"shaken\";x");
        assert_eq!(rewritten::<Identity>("abc=;info=<cid:x>").0.signature(), "abc=");
        for text in [
            "",
            ";info=<a:b>",
            "..a",
            "..a;info",
            "..a;info=<a>",
            "..a;info=<a:b",
            "..a;info=<a:b>;",
            "..a;info=a:b;x y",
        ] {
            assert!(Identity::parse_value(text.into()).is_err(), "{text}");
        }
        let many = alloc::format!("..a;info=<a:b>{}", ";x".repeat(MAX_PARAMS));
        assert!(Identity::parse_value(many.into()).is_err());
    }

    #[test]
    fn an_identity_is_built_of_a_passport() {
        let uri = Uri::Other("https://a/b>\r\n".into());
        let identity = Identity::new("..a-_", uri.clone()).unwrap().with_ppt("div");
        assert_eq!(identity.to_string(), "..a-_;info=<https://a/b%3E%0D%0A>;ppt=div");
        for passport in ["", "a", "a.b", "a.b.c.d", "..a;x", "..a\r\nb"] {
            assert!(Identity::new(passport, uri.clone()).is_err(), "{passport}");
        }
    }
}
