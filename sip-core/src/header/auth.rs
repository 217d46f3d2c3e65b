use alloc::string::String;
use alloc::string::ToString;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::ByteStr;
use crate::digest::{Challenge, Credentials, DigestError};
use crate::grammar::Stop;

macro_rules! authentication_headers {
    ($($(#[$doc:meta])* $name:ident($value:ident) $text:literal needs $needs:literal)*) => {
        $(
            $(#[$doc])*
            ///
            /// Each row is one; the commas in it separate parameters (RFC 3261 §7.3.1).
            ///
            /// ```
            #[doc = concat!("use blether_sip_core::{", stringify!($name), "};")]
            ///
            #[doc = concat!("let text = r#\"", $text, "\"#;")]
            #[doc = concat!("let header: ", stringify!($name), " = text.parse()?;")]
            /// assert_eq!(&*header.0.realm, "atlanta.com");
            /// assert_eq!(header.to_string(), text);
            /// # Ok::<(), blether_sip_core::HeaderError>(())
            /// ```
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name(pub $value);

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::Rows;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    let parsed = $value::read(&value).map($name);
                    parsed.map_err(|error| malformed(Self::NAME, &value, &error, $needs))
                }

                fn write(&self, out: &mut String) {
                    out.push_str(&self.0.to_string());
                }
            }
        )*
    };
}

authentication_headers! {
    /// A challenge of a user agent server or registrar, in a 401 (RFC 3261 §20.44).
    WwwAuthenticate(Challenge) "Digest realm=\"atlanta.com\", nonce=\"84f1c1ae6cbe\", algorithm=MD5, qop=\"auth\"" needs "a realm and a nonce"
    /// A challenge of a proxy, in a 407 (RFC 3261 §20.27).
    ProxyAuthenticate(Challenge) "Digest realm=\"atlanta.com\", nonce=\"84f1c1ae6cbe\", algorithm=MD5, qop=\"auth\"" needs "a realm and a nonce"
    /// Credentials for a user agent server or registrar (RFC 3261 §20.7).
    Authorization(Credentials) "Digest username=\"bob\", realm=\"atlanta.com\", nonce=\"84f1\", uri=\"sip:ss2.biloxi.com\", response=\"dfe56131d195\"" needs "username, realm, nonce, uri and response"
    /// Credentials for a proxy (RFC 3261 §20.28).
    ProxyAuthorization(Credentials) "Digest username=\"bob\", realm=\"atlanta.com\", nonce=\"84f1\", uri=\"sip:ss2.biloxi.com\", response=\"dfe56131d195\"" needs "username, realm, nonce, uri and response"
}

/// What should have stood where the error is, and where that is.
#[cold]
pub(super) fn malformed(header: HeaderName, value: &str, error: &DigestError, needs: &'static str) -> HeaderError {
    let column = match error {
        DigestError::NoScheme => Some(1),
        DigestError::Syntax { at } => Some(at + 1),
        // It is a part of the value, unless two names stand for the same.
        DigestError::Duplicate(name) => Stop::at(name).column(value),
        _ => None,
    };
    let expected = match error {
        DigestError::NoScheme => "an authentication scheme such as Digest",
        DigestError::TooManyParameters { .. } => "at most 32 parameters",
        DigestError::Duplicate(_) => "each parameter once",
        DigestError::Missing(_) => needs,
        DigestError::BadValue("nc") => "nc with eight hexadecimal digits",
        DigestError::BadValue(_) => "username* in UTF-8",
        _ => "parameters of the form name=value between commas",
    };
    HeaderError::Malformed { header, expected, column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_challenge_is_one_row_with_commas_in_it() {
        let text = r#"Digest realm="atlanta.com", nonce="f84f1cec41e6", opaque="", algorithm=MD5, qop="auth""#;
        let (header, written) = rewritten::<WwwAuthenticate>(text);
        assert_eq!((header.0.realm, written.as_str()), ("atlanta.com".into(), text));
        assert_eq!(rewritten::<ProxyAuthenticate>("Basic realm=\"a\"").1, "Basic realm=\"a\"");
    }

    #[test]
    fn credentials_are_one_row_with_commas_in_it() {
        // RFC 3261 §20.7.
        let text = r#"Digest username="Alice", realm="atlanta.com", nonce="84a4cc6f3082121f32b42a2187831a9e",
            response="7587245234b3434cc3412213e5f113a5432""#;
        let error = Authorization::parse_value(text.into()).unwrap_err();
        let said = "Bad Authorization header: expected username, realm, nonce, uri and response";
        assert_eq!(error.to_string(), said, "the example of the RFC lacks the uri that §22.4 asks for");
        let (header, _) = rewritten::<ProxyAuthorization>(&format!("{text}, uri=\"sip:atlanta.com\""));
        assert_eq!(header.0.username, "Alice");
    }

    #[test]
    fn the_error_says_what_was_expected() {
        for (text, said) in [
            ("", "Bad Authorization header: expected an authentication scheme such as Digest at column 1"),
            ("Digest a=1, a=2", "Bad Authorization header: expected each parameter once at column 13"),
            (
                "Digest a",
                "Bad Authorization header: expected parameters of the form name=value between commas at column 9",
            ),
        ] {
            assert_eq!(Authorization::parse_value(text.into()).unwrap_err().to_string(), said);
        }
        let many: String = (0..40).map(|n| format!("p{n}=1,")).collect();
        let error = Authorization::parse_value(format!("Digest {many}").into()).unwrap_err();
        assert_eq!(error.to_string(), "Bad Authorization header: expected at most 32 parameters");
    }
}
