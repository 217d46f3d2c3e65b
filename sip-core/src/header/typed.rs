//! What a header's type has to say of it, and how its value is read.

use alloc::string::String;

use super::{HeaderError, HeaderName};
use crate::ByteStr;
use crate::grammar::{Parsed, Stop};

/// How often a header may stand in a message, and what one value of its type stands for (RFC 3261 §7.3.1).
///
/// ```
/// use blether_sip_core::{CSeq, Repetition, Supported, TypedHeader, Via};
///
/// assert_eq!(CSeq::REPETITION, Repetition::Once);
/// assert_eq!((Via::REPETITION, Supported::REPETITION), (Repetition::Values, Repetition::Whole));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// At most one row, one value: From, CSeq.
    Once,
    /// Rows and commas are the same; the type is one of the values: Via, Contact.
    Values,
    /// Rows and commas are the same; the type is all the values: Allow, Supported.
    Whole,
    /// Any number of rows, and a comma means something else; the type is one row: WWW-Authenticate.
    Rows,
}

/// A header whose value has a type of its own, which `Display` writes and `FromStr` reads as text, too.
///
/// Whatever a value holds, [`TypedHeader::write`] writes one line that does not end the header early:
/// [`Headers`](crate::Headers) takes out every control character that an implementation leaves in.
///
/// ```
/// use blether_sip_core::{ByteStr, HeaderError, HeaderName, Headers, TypedHeader};
///
/// /// A header of one's own: whether a call is recorded.
/// struct Recorded(bool);
///
/// impl TypedHeader for Recorded {
///     const NAME: HeaderName = HeaderName::Extension(ByteStr::from_static("X-Recorded"));
///
///     fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
///         match value.trim() {
///             "yes" => Ok(Recorded(true)),
///             "no" => Ok(Recorded(false)),
///             _ => Err(HeaderError::malformed(Self::NAME, "yes or no")),
///         }
///     }
///
///     fn write(&self, out: &mut String) {
///         out.push_str(if self.0 { "yes" } else { "no" });
///     }
/// }
///
/// let mut headers = Headers::new();
/// headers.set(Recorded(true));
/// assert!(headers.get::<Recorded>()?.is_some_and(|recorded| recorded.0));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
pub trait TypedHeader: Sized {
    /// The header's name.
    const NAME: HeaderName;
    /// How often it may stand in a message.
    const REPETITION: Repetition = Repetition::Once;

    /// Reads one value: a row with its folding undone, or one value of its list (see [`Repetition`]).
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`], which says what was expected.
    fn parse_value(value: ByteStr) -> Result<Self, HeaderError>;

    /// Appends the value to `out`, without the header's name and without an end of line. What `out` holds already stays: a list of values is
    /// written into one text.
    fn write(&self, out: &mut String);
}

/// The whole of `value` by one grammar rule, but for the white space around it, or the column where it stops to be one.
#[inline]
pub(super) fn whole<'a, T>(value: &'a str, rule: impl FnOnce(&'a str) -> Parsed<'a, T>) -> Result<T, Option<usize>> {
    match rule(crate::class::trim_wsp(value)) {
        Ok((rest, read)) => match crate::class::skip_wsp(rest) {
            "" => Ok(read),
            rest => Err(Stop::at(rest).column(value)),
        },
        Err(nom::Err::Error(stop) | nom::Err::Failure(stop)) => Err(stop.column(value)),
        Err(nom::Err::Incomplete(_)) => Err(None),
    }
}

/// [`whole`], or the error that says what was expected.
pub(super) fn complete<'a, T>(
    value: &'a str,
    rule: impl FnOnce(&'a str) -> Parsed<'a, T>,
    header: HeaderName,
    expected: &'static str,
) -> Result<T, HeaderError> {
    whole(value, rule).map_err(|column| HeaderError::Malformed { header, expected, column })
}

/// A value as it reads again after having been written.
#[cfg(test)]
#[track_caller]
pub(super) fn rewritten<H: TypedHeader + PartialEq + core::fmt::Debug>(text: &str) -> (H, String) {
    let read = H::parse_value(text.into()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut written = String::new();
    read.write(&mut written);
    assert_eq!(H::parse_value(written.as_str().into()).as_ref(), Ok(&read), "{written}");
    (read, written)
}
