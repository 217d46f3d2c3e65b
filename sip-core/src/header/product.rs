use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

macro_rules! product {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name(pub ByteStr);

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;

                /// Takes the text as it is: nothing is ever decided by it.
                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    Ok($name(value.trimmed()))
                }

                fn write(&self, out: &mut String) {
                    grammar::write_text(out, self.0.trim_matches(grammar::is_wsp));
                }
            }
        )*
    };
}

product! {
    /// What software the client is, for people (RFC 3261 §20.41).
    ///
    /// ```
    /// use blether_sip_core::UserAgent;
    ///
    /// assert_eq!("Softphone Beta1.5".parse(), Ok(UserAgent("Softphone Beta1.5".into())));
    /// ```
    UserAgent
    /// What software the server is, for people (RFC 3261 §20.35).
    ///
    /// ```
    /// use blether_sip_core::Server;
    ///
    /// assert_eq!("HomeServer v2".parse(), Ok(Server("HomeServer v2".into())));
    /// ```
    Server
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_cannot_add_a_header() {
        let mut out = String::new();
        UserAgent("Phone/1.0\r\nEvil: yes".into()).write(&mut out);
        assert_eq!(out, "Phone/1.0  Evil: yes");
        assert_eq!(Server::parse_value(" a (b) ".into()), Ok(Server("a (b)".into())));
    }
}
