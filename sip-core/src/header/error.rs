use super::HeaderName;
use crate::grammar::Stop;

/// A header that does not say what its RFC lets it say.
///
/// ```
/// use blether_sip_core::{HeaderError, HeaderName, MaxForwards};
///
/// let error = "70 x".parse::<MaxForwards>().unwrap_err();
/// assert_eq!((error.header(), error.column()), (&HeaderName::MaxForwards, Some(4)));
/// assert_eq!(error.to_string(), "Bad Max-Forwards header: expected a number from 0 to 255 at column 4");
/// assert!(matches!(error, HeaderError::Malformed { .. }));
/// ```
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
pub(crate) struct AtColumn(pub(crate) Option<usize>);

impl core::fmt::Display for AtColumn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.map_or(Ok(()), |column| write!(f, " at column {column}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContentLength, From, MaxForwards, Route, To, TypedHeader, Via};

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
