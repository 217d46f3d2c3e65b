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
    /// No [`AnsweringMode`](crate::AnsweringMode): that is a token (RFC 5373 §2).
    #[error("expected a mode such as Manual or Auto: a word of letters, digits and -.!%*_+`'~")]
    AnsweringMode,
    /// No [`Directive`](crate::Directive) of RFC 3841 §9.1.
    #[error("expected a directive such as no-fork")]
    Directive,
    /// No [`DiversionReason`](crate::DiversionReason): that is a token or in quotes (RFC 5806).
    #[error("expected a reason such as user-busy: a word, or a text in quotes")]
    DiversionReason,
    /// No [`Handling`](crate::Handling): that is a token (RFC 3261 §25.1).
    #[error("expected a handling such as optional or required: a word of letters, digits and -.!%*_+`'~")]
    Handling,
    /// No [`Refresher`](crate::Refresher).
    #[error("expected uac or uas")]
    Refresher,
    /// No [`TerminationReason`](crate::TerminationReason): that is a token (RFC 6665 §8.4).
    #[error("expected a reason such as timeout: a word of letters, digits and -.!%*_+`'~")]
    TerminationReason,
    /// No [`AlgorithmName`](crate::digest::AlgorithmName): that is a token (RFC 7616 §3.3).
    #[error("expected the name of an algorithm such as SHA-256: a word of letters, digits and -.!%*_+`'~")]
    AlgorithmName,
    /// No [`Qop`](crate::digest::Qop): that is a token (RFC 7616 §3.3).
    #[error("expected a quality of protection such as auth: a word of letters, digits and -.!%*_+`'~")]
    Qop,
    /// No [`Protection`](crate::digest::Protection).
    #[error("expected legacy, auth or auth-int")]
    Protection,
    /// No [`Preference`](crate::digest::Preference).
    #[error("expected strongest or topmost")]
    Preference,
    /// No [`MessageClass`](crate::body::MessageClass): that is a token (RFC 3842 §5.2).
    #[error("expected a class of messages such as Voice-Message: a word of letters, digits and -.!%*_+`'~")]
    MessageClass,
    /// No [`MessageCounts`](crate::body::MessageCounts) (RFC 3842 §5.2).
    #[error("expected counts as 2/8 or 2/8 (0/2)")]
    MessageCounts,
    /// No `Basic` of presence (RFC 3863 §4.1.4).
    #[error("expected open or closed")]
    Basic,
    /// No `Change` of a conference (RFC 4575 §4.4).
    #[error("expected full, partial or deleted")]
    Change,
    /// No `Completeness` of a document about dialogs or registrations.
    #[error("expected full or partial")]
    Completeness,
}
