//! Headers that are text for people: nothing is ever decided by it.

use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name(pub ByteStr);

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;

                /// Takes any text, also none.
                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    Ok($name(value.trimmed()))
                }

                fn write(&self, out: &mut String) {
                    grammar::write_text(out, self.0.trim_matches(|c: char| c == ' ' || c.is_control()));
                }
            }
        )*
    };
}

texts! {
    /// Whom the sender belongs to (RFC 3261 §20.25).
    ///
    /// ```
    /// use blether_sip_core::Organization;
    ///
    /// assert_eq!("Boxes by Bob".parse(), Ok(Organization("Boxes by Bob".into())));
    /// ```
    Organization
    /// What software the server is, for people (RFC 3261 §20.35).
    ///
    /// ```
    /// use blether_sip_core::Server;
    ///
    /// assert_eq!("HomeServer v2".parse(), Ok(Server("HomeServer v2".into())));
    /// ```
    Server
    /// What a call is about (RFC 3261 §20.36).
    ///
    /// ```
    /// use blether_sip_core::Subject;
    ///
    /// assert_eq!("Need more boxes".parse(), Ok(Subject("Need more boxes".into())));
    /// assert_eq!(Subject("Tech\r\nSupport".into()).to_string(), "Tech  Support");
    /// ```
    Subject
    /// What software the client is, for people (RFC 3261 §20.41).
    ///
    /// ```
    /// use blether_sip_core::UserAgent;
    ///
    /// assert_eq!("Softphone Beta1.5".parse(), Ok(UserAgent("Softphone Beta1.5".into())));
    /// ```
    UserAgent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn text_is_taken_as_it_is_but_for_the_space_around_it() {
        assert_eq!(
            rewritten::<Subject>("\t A t\u{f6}rnado: \"is\", heading our way! ").1,
            "A t\u{f6}rnado: \"is\", heading our way!"
        );
        assert_eq!(rewritten::<Organization>("").1, "");
        assert_eq!(rewritten::<Server>(" a (b) ").0, Server("a (b)".into()));
        assert_eq!(UserAgent("Phone/1.0\r\nEvil: yes".into()).to_string(), "Phone/1.0  Evil: yes");
        assert_eq!(Organization(" \r\nEvil: \u{85}yes\n ".into()).to_string(), "Evil:  yes");
    }
}
