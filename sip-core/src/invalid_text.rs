/// A text that is not what it was read as, by `FromStr` of types whose text is a word or less than a header.
///
/// ```
/// use blether_sip_core::{InvalidText, Method, StatusCode};
///
/// assert_eq!("IN VITE".parse::<Method>(), Err(InvalidText::Method));
/// assert_eq!("99".parse::<StatusCode>().unwrap_err().to_string(), "expected a status code from 100 to 699");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// No [`Method`](crate::Method): that is a token (RFC 3261 §25.1).
    #[error("expected a method: a word of letters, digits and -.!%*_+`'~")]
    Method,
    /// No [`HeaderName`](crate::HeaderName): that is a token (RFC 3261 §25.1).
    #[error("expected a header name: a word of letters, digits and -.!%*_+`'~")]
    HeaderName,
    /// No [`StatusCode`](crate::StatusCode): three digits (RFC 3261 §7.2).
    #[error("expected a status code from 100 to 699")]
    StatusCode,
    /// No [`TransportParam`](crate::TransportParam): that is a token (RFC 3261 §25.1).
    #[error("expected a transport: a word of letters, digits and -.!%*_+`'~")]
    Transport,
    /// No [`Params`](crate::Params), or more than 64.
    #[error("expected at most 64 parameters as ;name=value")]
    Params,
    /// No [`Algorithm`](crate::digest::Algorithm) that is computed here.
    #[error("expected MD5, SHA-256 or SHA-512-256")]
    Algorithm,
}
