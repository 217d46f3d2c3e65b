use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, InvalidText, grammar};

macro_rules! directives {
    ($($(#[$doc:meta])* $name:ident $word:literal excludes $other:ident)*) => {
        /// One thing that the caller asks of each server on the way (RFC 3841 §9.1).
        ///
        /// ```
        /// use blether_sip_core::Directive;
        ///
        /// let asked: Directive = "no-fork".parse()?;
        /// assert_eq!(asked, Directive::NoFork);
        /// assert_eq!(asked.opposite().to_string(), "fork");
        /// # Ok::<(), blether_sip_core::InvalidText>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Directive {
            $($(#[$doc])* $name,)*
        }

        impl Directive {
            /// The word in the header.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Directive::$name => $word,)*
                }
            }

            /// The one directive that it cannot stand with.
            #[must_use]
            pub fn opposite(self) -> Directive {
                match self {
                    $(Directive::$name => Directive::$other,)*
                }
            }

            fn read(word: &str) -> Option<Directive> {
                [$(Directive::$name),*].into_iter().find(|directive| directive.as_str().eq_ignore_ascii_case(word))
            }
        }
    };
}

directives! {
    /// Proxy the request.
    Proxy "proxy" excludes Redirect
    /// Redirect the caller; all other directives but `queue` are then passed over.
    Redirect "redirect" excludes Proxy
    /// Cancel the other branches when one has answered.
    Cancel "cancel" excludes NoCancel
    /// Leave the other branches alone.
    NoCancel "no-cancel" excludes Cancel
    /// Send it to several addresses.
    Fork "fork" excludes NoFork
    /// Send it to the best address only.
    NoFork "no-fork" excludes Fork
    /// Follow a redirection.
    Recurse "recurse" excludes NoRecurse
    /// Pass a redirection on to the caller.
    NoRecurse "no-recurse" excludes Recurse
    /// Try all addresses at once.
    Parallel "parallel" excludes Sequential
    /// Try one address after the other.
    Sequential "sequential" excludes Parallel
    /// Let the caller wait until the called user can be reached.
    Queue "queue" excludes NoQueue
    /// Refuse at once if the called user cannot be reached.
    NoQueue "no-queue" excludes Queue
}

impl FromStr for Directive {
    type Err = InvalidText;

    /// Reads the word, in any case.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        Directive::read(word).ok_or(InvalidText::Directive)
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the caller asks of each server on the way (RFC 3841 §9.1), all directives at once.
///
/// ```
/// use blether_sip_core::{Directive, RequestDisposition};
///
/// // RFC 3841 §9.1.
/// let wishes: RequestDisposition = "proxy, recurse, parallel".parse()?;
/// assert!(wishes.has(Directive::Parallel) && !wishes.has(Directive::NoFork));
/// assert_eq!(wishes.and(Directive::Sequential).to_string(), "proxy, recurse, sequential");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestDisposition(Vec<Directive>);

impl RequestDisposition {
    /// One directive.
    #[must_use]
    pub fn new(directive: Directive) -> Self {
        RequestDisposition(alloc::vec![directive])
    }

    /// The same with one more, in the place of its opposite if that stands there.
    #[must_use]
    pub fn and(mut self, directive: Directive) -> Self {
        let is_there = self.has(directive);
        match self.0.iter_mut().find(|listed| **listed == directive.opposite()) {
            Some(opposite) => *opposite = directive,
            None if is_there => {}
            None => self.0.push(directive),
        }
        self
    }

    /// Whether this directive stands there.
    #[must_use]
    pub fn has(&self, directive: Directive) -> bool {
        self.0.contains(&directive)
    }

    /// The directives in order; there is at least one, and none stands with its opposite.
    #[must_use]
    pub fn directives(&self) -> &[Directive] {
        &self.0
    }
}

impl TypedHeader for RequestDisposition {
    const NAME: HeaderName = HeaderName::RequestDisposition;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let expected = "directives such as no-fork between commas, none with its opposite";
        let mut directives = Vec::new();
        for word in grammar::list(&value) {
            match Directive::read(word) {
                Some(directive) if directives.contains(&directive) => {}
                Some(directive) if !directives.contains(&directive.opposite()) => directives.push(directive),
                _ => return Err(HeaderError::malformed(Self::NAME, expected).at(&value, word)),
            }
        }
        if directives.is_empty() {
            return Err(HeaderError::malformed(Self::NAME, expected));
        }
        Ok(RequestDisposition(directives))
    }

    fn write(&self, out: &mut String) {
        grammar::write_list(out, ", ", &self.0, |out, directive| out.push_str(directive.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn one_directive_of_each_kind() {
        assert_eq!(rewritten::<RequestDisposition>("No-Fork ,queue,, no-fork").1, "no-fork, queue");
        let wishes = RequestDisposition::new(Directive::Fork).and(Directive::Queue).and(Directive::Fork);
        assert_eq!(wishes.clone().and(Directive::NoFork).directives(), [Directive::NoFork, Directive::Queue]);
        assert_eq!(wishes.to_string(), "fork, queue");
        for text in ["", "proxy, redirect", "proxy;x", "forks"] {
            assert!(RequestDisposition::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
