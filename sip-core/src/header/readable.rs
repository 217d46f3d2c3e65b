//! Whether text that is to stand in a message reads as its header's type.

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

/// Fails if a header that has a type of its own does not read as that; text of any other header is free.
pub(crate) fn check_readable(name: &HeaderName, value: &str) -> Result<(), HeaderError> {
    macro_rules! read {
        ($($header:ident)*) => {
            match name {
                $(HeaderName::$header => check::<crate::$header>(value),)*
                _ => Ok(()),
            }
        };
    }
    if is_signed_as_before(name, value) {
        return Ok(());
    }
    super::for_each_header!(read)
}

/// Whether it is a signature without parameters: of RFC 4474, in whose place RFC 8224 came. It was valid when it was made, and is nothing that
/// we read.
pub(crate) fn is_signed_as_before(name: &HeaderName, value: &str) -> bool {
    *name == HeaderName::Identity && !value.contains(';')
}

fn check<H: TypedHeader>(value: &str) -> Result<(), HeaderError> {
    let whole = ByteStr::from(value);
    if H::REPETITION != Repetition::Values {
        return H::parse_value(whole).map(drop);
    }
    grammar::list(&whole).try_for_each(|item| H::parse_value(whole.share(item)).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each header, with text that no header with a grammar has; those that are text for people have none.
    #[test]
    fn text_is_refused_where_its_header_has_a_grammar() {
        let free = [HeaderName::Organization, HeaderName::Server, HeaderName::Subject, HeaderName::UserAgent];
        macro_rules! names {
            ($($header:ident)*) => { [$(crate::$header::NAME),*] };
        }
        for name in super::super::for_each_header!(names) {
            let refused = check_readable(&name, "\u{1};;\"");
            if free.contains(&name) {
                assert_eq!(refused, Ok(()), "{name}");
            } else {
                assert_eq!(refused.unwrap_err().header(), &name);
            }
        }
        assert_eq!(check_readable(&HeaderName::Extension("X-A".into()), ";;\""), Ok(()));
    }

    #[test]
    fn each_value_of_a_list_is_read_and_none_of_a_signature_of_old() {
        let contact = |value| check_readable(&HeaderName::Contact, value);
        assert_eq!((contact("<sip:a@b>, \"x, y\" <sip:c@d>"), contact("*"), contact("")), (Ok(()), Ok(()), Ok(())));
        assert!(contact("<sip:a@b>, <sip:").is_err());
        let identity = |value| check_readable(&HeaderName::Identity, value);
        assert_eq!((identity("\"c2lnbmVk\""), identity("c2lnbmVk;info").is_err()), (Ok(()), true));
    }
}
