//! Typed header values, one header a file (RFC 3261 §20).

/// Calls a macro with all types of this module that implement [`TypedHeader`], but for `Date`, which needs `std`.
macro_rules! for_each_header {
    ($call:ident) => {
        $call! {
            Allow
            Authorization
            CSeq
            CallId
            Contact
            ContentLength
            ContentType
            Expires
            From
            MaxForwards
            MinExpires
            ProxyAuthenticate
            ProxyAuthorization
            ProxyRequire
            Reason
            RecordRoute
            Require
            RetryAfter
            Route
            Server
            Supported
            To
            Unsupported
            UserAgent
            Via
            Warning
            WwwAuthenticate
        }
    };
}
pub(crate) use for_each_header;

mod allow;
mod auth;
mod call_id;
mod contact;
mod content_length;
mod content_type;
mod cseq;
#[cfg(feature = "std")]
mod date;
mod expires;
mod from;
mod max_forwards;
mod min_expires;
mod name;
mod name_addr;
mod option_tags;
mod product;
mod reason;
mod record_route;
mod retry_after;
mod route;
mod text_form;
mod to;
mod via;
mod warning;

pub use allow::Allow;
pub use auth::{Authorization, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
pub use call_id::CallId;
pub use contact::Contact;
pub use content_length::ContentLength;
pub use content_type::ContentType;
pub use cseq::CSeq;
#[cfg(feature = "std")]
pub use date::Date;
pub use expires::Expires;
pub use from::From;
pub use max_forwards::MaxForwards;
pub use min_expires::MinExpires;
pub(crate) use name::Code;
pub use name::HeaderName;
pub(crate) use name_addr::AddressPart;
pub use name_addr::NameAddr;
pub use option_tags::{ProxyRequire, Require, Supported, Unsupported};
pub use product::{Server, UserAgent};
pub use reason::Reason;
pub use record_route::RecordRoute;
pub use retry_after::RetryAfter;
pub use route::Route;
pub use to::To;
pub use via::Via;
pub(crate) use via::ViaPart;

pub(crate) use crate::grammar::Deviation;
pub use warning::Warning;

use alloc::string::String;

use crate::ByteStr;
use crate::grammar::Stop;

/// How often a header may stand in a message, and what one value of its type stands for (RFC 3261 §7.3.1).
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

/// A header that does not say what its RFC lets it say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The value does not follow the header's grammar.
    #[error("Bad {header} header: expected {expected}{}", AtColumn(*.column))]
    Malformed {
        /// The header.
        header: HeaderName,
        /// What should have stood there.
        expected: &'static str,
        /// Where reading stopped, in bytes from 1, in the value without its folding, or in the one value of its list that
        /// is wrong; `None` if that is not known.
        column: Option<usize>,
    },
    /// More than one value of a header that can have only one.
    #[error("Bad {header} header: expected it once")]
    Repeated {
        /// The header.
        header: HeaderName,
    },
    /// A comma-separated list is longer than [`Limits::max_list_items`](crate::Limits::max_list_items).
    #[error("Bad {header} header: expected at most {limit} values")]
    TooManyValues {
        /// The header.
        header: HeaderName,
        /// The limit.
        limit: usize,
    },
}

impl HeaderError {
    /// The value of `header` is not what its grammar says; `expected` continues the words "expected …".
    #[must_use]
    pub const fn malformed(header: HeaderName, expected: &'static str) -> Self {
        HeaderError::Malformed { header, expected, column: None }
    }

    /// The same error, of a value that could be read up to `rest`, which was cut out of it.
    pub(crate) fn at(mut self, value: &str, rest: &str) -> Self {
        if let HeaderError::Malformed { column, .. } = &mut self {
            *column = Stop::at(rest).column(value);
        }
        self
    }

    /// Where reading stopped; see [`HeaderError::Malformed`].
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        match self {
            HeaderError::Malformed { column, .. } => *column,
            HeaderError::Repeated { .. } | HeaderError::TooManyValues { .. } => None,
        }
    }

    /// The header that is wrong.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        match self {
            HeaderError::Malformed { header, .. }
            | HeaderError::Repeated { header }
            | HeaderError::TooManyValues { header, .. } => header,
        }
    }
}

/// The words that say where reading stopped.
struct AtColumn(Option<usize>);

impl core::fmt::Display for AtColumn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.map_or(Ok(()), |column| write!(f, " at column {column}"))
    }
}

/// The whole of `value` by one grammar rule, but for the white space around it, or the column where it stops to be one.
#[inline]
fn whole<'a, T>(
    value: &'a str,
    rule: impl FnOnce(&'a str) -> crate::grammar::Parsed<'a, T>,
) -> Result<T, Option<usize>> {
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
fn complete<'a, T>(
    value: &'a str,
    rule: impl FnOnce(&'a str) -> crate::grammar::Parsed<'a, T>,
    header: HeaderName,
    expected: &'static str,
) -> Result<T, HeaderError> {
    whole(value, rule).map_err(|column| HeaderError::Malformed { header, expected, column })
}

/// A value as it reads again after having been written.
#[cfg(test)]
#[track_caller]
fn rewritten<H: TypedHeader + PartialEq + core::fmt::Debug>(text: &str) -> (H, String) {
    let read = H::parse_value(text.into()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut written = String::new();
    read.write(&mut written);
    assert_eq!(H::parse_value(written.as_str().into()).as_ref(), Ok(&read), "{written}");
    (read, written)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of every header has an error that says where reading stopped.
    #[test]
    fn an_error_names_the_column_where_reading_stopped() {
        #[track_caller]
        fn check<H: TypedHeader + core::fmt::Debug>(value: &str, column: usize) {
            assert_eq!(H::parse_value(value.into()).unwrap_err().column(), Some(column), "{value}");
        }
        check::<Via>("SIP/2.0/UDP a;branch=1 x", 24);
        check::<Via>("SIP/2.0/UDP a..b", 13);
        check::<Via>("SIP/2.0/UDP a:99999;x", 15);
        check::<Via>("SIP/2.0/UDP a;x;;y", 16);
        check::<From>(" <sip:a@b", 2);
        check::<From>("Bob <sip:a@b>;tag=", 14);
        check::<From>("\"Bob\" sip:a@b", 7);
        check::<To>("sip:a@b?c", 8);
        check::<Route>("<nothing>", 2);
        check::<MaxForwards>("70 x", 4);
        check::<ContentLength>("x", 1);
        assert_eq!(HeaderError::Repeated { header: HeaderName::To }.column(), None);
    }
}
