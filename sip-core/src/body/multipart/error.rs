use crate::parse::ParseErrorKind;

/// Why a body is not multipart although its type says so. Parts are counted from 1.
///
/// ```
/// use blether_sip_core::body::{Multipart, MultipartError};
///
/// let read = Multipart::parse(&"multipart/mixed".parse()?, "--b\r\n\r\nv=0\r\n--b--\r\n".into());
/// assert_eq!(read.err(), Some(MultipartError::NoBoundary));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The type is another one.
    #[error("the type is not multipart")]
    NotMultipart,
    /// The type has no boundary, or one that is no text of 1 to 70 characters.
    #[error("the type has no usable boundary")]
    NoBoundary,
    /// The body has no line with the boundary.
    #[error("the body has no part: no line is the boundary")]
    NoPart,
    /// More parts than [`MultipartLimits::max_parts`](crate::body::MultipartLimits::max_parts).
    #[error("more than {limit} parts")]
    TooManyParts {
        /// The limit.
        limit: usize,
    },
    /// Multipart bodies within one another deeper than [`MultipartLimits::max_depth`](crate::body::MultipartLimits::max_depth).
    #[error("multipart bodies stand too deep within one another")]
    TooDeep,
    /// The headers of a part cannot be read, or are more than the limits allow.
    #[error("part {part}: {kind}")]
    Headers {
        /// Which part.
        part: usize,
        /// What is wrong.
        kind: ParseErrorKind,
    },
}
