use core::fmt;
use core::str::FromStr;

use crate::{ByteStr, InvalidText, grammar};

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident $name:literal)*) => {
        /// What a request asks for (RFC 3261 §7.1); compared case-sensitively, as methods are.
        ///
        /// ```
        /// use blether_sip_core::Method;
        ///
        /// assert_eq!("INVITE".parse(), Ok(Method::Invite));
        /// assert_eq!("invite".parse(), Ok(Method::Extension("invite".into())));
        /// assert!("IN VITE".parse::<Method>().is_err());
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Method {
            $(
                $(#[$doc])*
                $variant,
            )*
            /// Any other method, as written. No builder takes one that is no token.
            Extension(ByteStr),
        }

        impl Method {
            #[cfg(test)]
            const KNOWN: &[Method] = &[$(Method::$variant),*];

            /// The method as it stands in a request line.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $name,)*
                    Method::Extension(name) => name,
                }
            }

            pub(crate) fn known(name: &str) -> Option<Method> {
                Method::known_bytes(name.as_bytes())
            }

            #[inline]
            pub(crate) fn known_bytes(name: &[u8]) -> Option<Method> {
                $(if name == $name.as_bytes() {
                    return Some(Method::$variant);
                })*
                None
            }
        }
    };
}

methods! {
    /// Starts or changes a session (RFC 3261 §13).
    Invite "INVITE"
    /// Confirms the final response to an INVITE (RFC 3261 §13.2.2.4, §17.1.1.3).
    Ack "ACK"
    /// Ends a session (RFC 3261 §15).
    Bye "BYE"
    /// Gives up a pending request (RFC 3261 §9).
    Cancel "CANCEL"
    /// Binds contacts to an address of record (RFC 3261 §10).
    Register "REGISTER"
    /// Asks for capabilities (RFC 3261 §11).
    Options "OPTIONS"
    /// Carries information within a session (RFC 6086).
    Info "INFO"
    /// Changes a session before or after it is answered (RFC 3311).
    Update "UPDATE"
    /// Acknowledges a provisional response (RFC 3262).
    Prack "PRACK"
    /// Asks the peer to send a request elsewhere (RFC 3515).
    Refer "REFER"
    /// Asks for notifications (RFC 6665).
    Subscribe "SUBSCRIBE"
    /// Notifies a subscriber (RFC 6665).
    Notify "NOTIFY"
    /// Publishes event state (RFC 3903).
    Publish "PUBLISH"
    /// Carries an instant message (RFC 3428).
    Message "MESSAGE"
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = InvalidText;

    /// Reads a method, which is a token (RFC 3261 §25.1).
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        let extension = || grammar::is_token(name).then(|| Method::Extension(name.into()));
        Method::known(name).or_else(extension).ok_or(InvalidText::Method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_are_those_of_the_registry() {
        let registry = include_str!("../tests/iana/methods.txt");
        let registered =
            registry.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next());
        let mut known: Vec<_> = Method::KNOWN.iter().map(Method::as_str).collect();
        known.sort_unstable();
        assert_eq!(known, registered.collect::<Vec<_>>());
        assert!(known.iter().all(|name| Method::known(name).is_some_and(|method| method.as_str() == *name)));
    }

    #[test]
    fn only_a_token_is_a_method() {
        // RFC 4475 §3.1.1.2
        let odd = "!interesting-Method0123456789_*+`.%indeed'~";
        assert_eq!(odd.parse(), Ok(Method::Extension(odd.into())));
        for text in ["", "A B", "A\r\n", "INVITE ", "a/b", "\u{e9}"] {
            assert_eq!(text.parse::<Method>(), Err(InvalidText::Method), "{text:?}");
        }
    }
}
