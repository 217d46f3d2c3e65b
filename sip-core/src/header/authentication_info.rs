use alloc::string::{String, ToString};

use super::auth::malformed;
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::ByteStr;
use crate::digest::Confirmation;

/// What a server says in a 2xx of the credentials that it took: its own proof, and the nonce for the next request
/// (RFC 3261 §20.6, RFC 7616 §3.5).
///
/// ```
/// use blether_sip_core::AuthenticationInfo;
///
/// let header: AuthenticationInfo = r#"nextnonce="47364c23432d2e131a5fb210812c""#.parse()?;
/// assert_eq!(header.0.nextnonce.as_deref(), Some("47364c23432d2e131a5fb210812c"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthenticationInfo(pub Confirmation);

/// The same of a proxy (RFC 7615 §4, RFC 7616 §3.8).
///
/// Each row is one, as several proxies on the way of a response may have something to say; a client tells them apart by `cnonce`. RFC
/// 3261 does not have this header, and few know it.
///
/// ```
/// use blether_sip_core::ProxyAuthenticationInfo;
///
/// let header: ProxyAuthenticationInfo = r#"qop=auth, rspauth="6629", cnonce="0a4f113b", nc=00000001"#.parse()?;
/// assert_eq!(header.0.nc, Some(1));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyAuthenticationInfo(pub Confirmation);

macro_rules! confirmations {
    ($($name:ident $repetition:ident)*) => {
        $(
            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::$repetition;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    let parsed = Confirmation::read(&value).map($name);
                    parsed.map_err(|error| malformed(Self::NAME, &value, &error, ""))
                }

                fn write(&self, out: &mut String) {
                    out.push_str(&self.0.to_string());
                }
            }
        )*
    };
}

confirmations! {
    AuthenticationInfo Once
    ProxyAuthenticationInfo Rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_confirmation_is_a_list_of_parameters() {
        // RFC 3261 §20.6.
        let text = r#"nextnonce="47364c23432d2e131a5fb210812c""#;
        assert_eq!(rewritten::<AuthenticationInfo>(text).1, text);
        let odd = r#" QOP="auth-int" ,, nc = 0000000A,rspauth=abc,x-y="a, b""#;
        let (header, written) = rewritten::<ProxyAuthenticationInfo>(odd);
        assert_eq!(written, r#"qop=auth-int, rspauth="abc", nc=0000000a, x-y="a, b""#);
        assert_eq!((header.0.nc, header.0.cnonce), (Some(10), None));
        assert_eq!(rewritten::<AuthenticationInfo>("").1, "");
    }

    #[test]
    fn what_cannot_be_read_or_would_break_the_line_is_said_or_made_harmless() {
        for (text, said) in [
            ("nc=1", "Bad Authentication-Info header: expected nc with eight hexadecimal digits"),
            ("rspauth=1, rspauth=2", "Bad Authentication-Info header: expected each parameter once at column 12"),
            (
                "Digest nc=1",
                "Bad Authentication-Info header: expected parameters of the form name=value between commas at column 8",
            ),
        ] {
            assert_eq!(AuthenticationInfo::parse_value(text.into()).unwrap_err().to_string(), said);
        }
        let mut hostile = AuthenticationInfo::default();
        hostile.0.nextnonce = Some("a\"\r\nX: y\\".into());
        assert_eq!(hostile.to_string(), "nextnonce=\"a\\\"  X: y\\\\\"");
    }
}
