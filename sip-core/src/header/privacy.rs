use alloc::string::String;
use alloc::vec::Vec;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

/// What the user asks the network to conceal, or to leave as it is (RFC 3323 §4.2).
///
/// It is `none`, or one or more kinds of privacy, each once; `critical` may follow these. What is read is brought into
/// this form: of `none` and others, the others count. The header may stand once; several rows are read as one.
///
/// ```
/// use blether_sip_core::Privacy;
///
/// let privacy: Privacy = "header; id".parse()?;
/// assert!(privacy.asks_for(Privacy::ID) && !privacy.is_critical());
/// let left = privacy.without(Privacy::ID).map(|privacy| privacy.to_string());
/// assert_eq!(left.as_deref(), Some("header"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Privacy {
    /// What is asked for. With nothing here it is `none`, or `critical` alone, which can be read and not built.
    kinds: Vec<ByteStr>,
    critical: bool,
}

/// More kinds than there are: others are not taken.
const MAX_KINDS: usize = 16;

impl Privacy {
    /// Headers that tell about the user and that the user agent cannot do without: Via, Contact (RFC 3323 §5.1).
    pub const HEADER: &'static str = "header";
    /// The addresses of the media (RFC 3323 §5.2).
    pub const SESSION: &'static str = "session";
    /// What the user agent should have concealed itself, such as From (RFC 3323 §5.3).
    pub const USER: &'static str = "user";
    /// The asserted identity (RFC 3325 §9.3).
    pub const ID: &'static str = "id";
    /// The History-Info entries of the domain (RFC 7044 §10.1).
    pub const HISTORY: &'static str = "history";

    /// `none`: nothing is to be concealed, whatever the network does by itself. Nobody on the way may change it.
    #[must_use]
    pub fn none() -> Self {
        Privacy { kinds: Vec::new(), critical: false }
    }

    /// One kind of privacy, such as [`Privacy::ID`].
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if `kind` is no token, or is `none` or `critical`, which are no kinds.
    pub fn of(kind: &str) -> Result<Self, HeaderError> {
        Privacy::none().and(kind)
    }

    /// The same with one more kind; `none` is left. It is the same if it asks for that already, and if there are 16 kinds.
    ///
    /// # Errors
    ///
    /// As [`Privacy::of`].
    pub fn and(mut self, kind: &str) -> Result<Self, HeaderError> {
        if !grammar::is_token(kind) || is(kind, "none") || is(kind, "critical") {
            return Err(HeaderError::malformed(Self::NAME, EXPECTED));
        }
        self.add(kind, ByteStr::from);
        Ok(self)
    }

    /// The same, and the request is to be refused where that privacy cannot be had; `none` stays as it is.
    #[must_use]
    pub fn critical(mut self) -> Self {
        self.critical = !self.is_none();
        self
    }

    /// The same without one kind, which has been provided (RFC 3323 §5); `None` if nothing is left, so that the header
    /// is to be removed. `none` stays as it is.
    #[must_use]
    pub fn without(mut self, kind: &str) -> Option<Self> {
        if self.is_none() {
            return Some(self);
        }
        self.kinds.retain(|listed| !is(listed, kind));
        (!self.kinds.is_empty()).then_some(self)
    }

    /// Whether it is `none`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.kinds.is_empty() && !self.critical
    }

    /// Whether a request that this privacy cannot be had for is to be refused.
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.critical
    }

    /// Whether this kind of privacy is asked for, in any case.
    #[must_use]
    pub fn asks_for(&self, kind: &str) -> bool {
        self.kinds.iter().any(|listed| is(listed, kind))
    }

    /// The kinds of privacy that are asked for.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(|kind| &**kind)
    }

    fn add<'a>(&mut self, kind: &'a str, keep: impl FnOnce(&'a str) -> ByteStr) {
        if self.kinds.len() < MAX_KINDS && !self.asks_for(kind) {
            self.kinds.push(keep(kind));
        }
    }
}

const EXPECTED: &str = "none, or kinds of privacy between semicolons";

fn is(word: &str, other: &str) -> bool {
    word.eq_ignore_ascii_case(other)
}

impl TypedHeader for Privacy {
    const NAME: HeaderName = HeaderName::Privacy;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let mut privacy = Privacy::none();
        let mut is_empty = true;
        // Commas come with rows that are joined, and from some networks.
        for word in value.split([';', ',']).map(|word| word.trim_matches(grammar::is_wsp)) {
            match word {
                "" => continue,
                word if is(word, "none") => {}
                word if is(word, "critical") => privacy.critical = true,
                word if grammar::is_token(word) => privacy.add(word, |word| value.share(word)),
                _ => return Err(HeaderError::malformed(Self::NAME, EXPECTED).at(&value, word)),
            }
            is_empty = false;
        }
        if is_empty { Err(HeaderError::malformed(Self::NAME, EXPECTED)) } else { Ok(privacy) }
    }

    fn write(&self, out: &mut String) {
        if self.is_none() {
            return out.push_str("none");
        }
        let last = self.critical.then_some("critical");
        grammar::write_list(out, ";", self.iter().chain(last), |out, word| out.push_str(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn privacy_is_none_or_kinds_each_once() {
        #[track_caller]
        fn check(text: &str, written: &str) {
            assert_eq!(rewritten::<Privacy>(text).1, written, "{text}");
        }
        check("id", "id");
        check("critical ; Header;user; header", "Header;user;critical");
        check(" None ", "none");
        check("none;id", "id");
        check("id, history;;", "id;history");
        check("critical", "critical");
        assert_eq!(rewritten::<Privacy>(&"a;b;c;d;e;f;".repeat(100)).0.iter().count(), 6);
        for text in ["", ";", "i d", "\"id\""] {
            assert!(Privacy::parse_value(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn privacy_cannot_be_built_against_the_rules() {
        let privacy = Privacy::of(Privacy::ID).unwrap().and("HISTORY").unwrap().and("id").unwrap().critical();
        assert_eq!(privacy.to_string(), "id;HISTORY;critical");
        assert!(privacy.is_critical() && privacy.asks_for(Privacy::HISTORY));
        assert_eq!(privacy.without("history").unwrap().without("id"), None);
        assert_eq!(Privacy::none().critical().without("id"), Some(Privacy::none()));
        for kind in ["none", "Critical", "", "a;b", "a\r\nb"] {
            assert!(Privacy::of(kind).is_err(), "{kind}");
        }
    }
}
