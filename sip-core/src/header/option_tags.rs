use alloc::string::String;
use alloc::vec::Vec;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

fn parse(value: &ByteStr, header: HeaderName) -> Result<Vec<ByteStr>, HeaderError> {
    let tags = grammar::tokens(value.as_bytes(), |_, tag| value.part(tag));
    tags.ok_or_else(|| {
        HeaderError::malformed(header, "option tags between commas").at(value, grammar::odd_token(value))
    })
}

fn write(tags: &[ByteStr], out: &mut String) {
    grammar::write_list(out, ", ", tags, |out, tag| grammar::write_token(out, tag, "unknown"));
}

macro_rules! option_tags {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
            pub struct $name(pub Vec<ByteStr>);

            impl $name {
                /// Whether the list has this option tag; tags are compared without case.
                #[must_use]
                pub fn contains(&self, tag: &str) -> bool {
                    self.0.iter().any(|listed| listed.eq_ignore_ascii_case(tag))
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::Whole;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    parse(&value, Self::NAME).map($name)
                }

                fn write(&self, out: &mut String) {
                    write(&self.0, out);
                }
            }
        )*
    };
}

option_tags! {
    /// The extensions that a user agent understands (RFC 3261 §20.37).
    ///
    /// ```
    /// use blether_sip_core::Supported;
    ///
    /// assert!("100rel, path".parse::<Supported>()?.contains("100rel"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    Supported
    /// The extensions that the user agent server must understand (RFC 3261 §20.32).
    ///
    /// ```
    /// use blether_sip_core::Require;
    ///
    /// assert!("100rel".parse::<Require>()?.contains("100rel"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    Require
    /// The extensions of a Require that the server did not understand, sent with a 420 (RFC 3261 §20.40).
    ///
    /// ```
    /// use blether_sip_core::Unsupported;
    ///
    /// assert!("foo".parse::<Unsupported>()?.contains("foo"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    Unsupported
    /// The extensions that every proxy on the way must understand (RFC 3261 §20.29).
    ///
    /// ```
    /// use blether_sip_core::ProxyRequire;
    ///
    /// assert!("sec-agree".parse::<ProxyRequire>()?.contains("sec-agree"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    ProxyRequire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn option_tags_are_tokens_between_commas() {
        let (supported, written) = rewritten::<Supported>("100rel,Timer ,, path");
        assert_eq!(written, "100rel, Timer, path");
        assert!(supported.contains("timer") && !supported.contains("gruu"));
        assert!(rewritten::<Require>("").0.0.is_empty());
        let error = ProxyRequire::parse_value("a b".into()).unwrap_err();
        assert_eq!(error.to_string(), "Bad Proxy-Require header: expected option tags between commas at column 3");
    }
}
