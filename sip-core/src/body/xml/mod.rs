//! What all bodies in XML have in common: what is read of a stranger's document, and what can be wrong with it.
//!
//! Elements are told by their namespace and name, whatever prefix they have; those of other namespaces, and those that are not known, are passed over.
//! A document type declaration is refused, so there are no entities but the five that XML has of itself. Text is UTF-8, whatever the declaration says.
//!
//! What cannot stand in XML at all, such as most control characters, is written as U+FFFD. White space around a value does not belong to it.

mod error;
mod tree;
mod writer;

pub use error::{XmlError, XmlErrorKind};

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::InvalidText;

pub(super) use error::Fault;
pub(super) use tree::{Element, Ns};
pub(super) use writer::XmlWriter;

/// How much of a stranger's document is read. Time and memory grow with its length, which these bound.
///
/// ```
/// use blether_sip_core::body::dialog_info::DialogInfo;
/// use blether_sip_core::body::xml::{XmlErrorKind, XmlLimits};
///
/// let limits = XmlLimits { max_size: 1_000, ..XmlLimits::default() };
/// let error = DialogInfo::parse_within(&[b' '; 1_001], &limits).unwrap_err();
/// assert_eq!(error.kind(), &XmlErrorKind::TooLarge { len: 1_001, limit: 1_000 });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlLimits {
    /// Bytes in all. 262,144: a conference of some hundred users. A datagram cannot bring a quarter of it.
    pub max_size: usize,
    /// How deep elements stand in one another. 24: twice what any of the formats needs.
    pub max_depth: usize,
    /// Elements in all. 20,000.
    pub max_elements: usize,
    /// Attributes of one element, namespaces among them. 64.
    pub max_attributes: usize,
}

impl Default for XmlLimits {
    fn default() -> Self {
        XmlLimits { max_size: 262_144, max_depth: 24, max_elements: 20_000, max_attributes: 64 }
    }
}

/// What became of a document that was given to the state that those before it had built.
///
/// ```
/// use blether_sip_core::body::reginfo::RegInfo;
/// use blether_sip_core::body::xml::{Applied, Completeness};
///
/// let mut known = RegInfo { version: 4, ..RegInfo::default() };
/// let news = RegInfo { version: 6, state: Completeness::Partial, ..RegInfo::default() };
/// // Version 5 was lost: a SUBSCRIBE asks for all of it.
/// assert_eq!(known.apply(news), Applied::Incomplete);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The state is now what the notifier says.
    Updated,
    /// The document is older than the state, which stays.
    Outdated,
    /// Documents are missing in between: a refresh (SUBSCRIBE) must ask for the full state.
    Incomplete,
}

/// A format: its root element, and how it is read and written.
pub(super) trait Document: Sized {
    const ROOT: (Ns, &'static str);

    fn read(root: &Element) -> Result<Self, Fault>;

    /// Writes the root element with all that is in it.
    fn write(&self, out: &mut XmlWriter);
}

pub(super) fn parse<D: Document>(bytes: &[u8], limits: &XmlLimits) -> Result<D, XmlError> {
    let text = tree::text(bytes, limits)?;
    let read = tree::parse(text, limits).and_then(|root| {
        let (namespace, name) = D::ROOT;
        if !root.is(namespace, name) {
            return Err(root.fault(XmlErrorKind::WrongRoot { expected: name }));
        }
        D::read(&root)
    });
    read.map_err(|fault| fault.locate(text))
}

pub(super) fn to_text<D: Document>(document: &D) -> String {
    let mut out = XmlWriter::new();
    document.write(&mut out);
    out.finish()
}

/// What a document is outside of this module.
macro_rules! document {
    ($document:ident, $content_type:literal) => {
        impl $document {
            /// The media type.
            pub const CONTENT_TYPE: &'static str = $content_type;

            /// Reads a document.
            ///
            /// # Errors
            ///
            /// [`XmlError`](crate::body::xml::XmlError), which says what is wrong and where.
            pub fn parse(bytes: &[u8]) -> Result<Self, crate::body::xml::XmlError> {
                Self::parse_within(bytes, &crate::body::xml::XmlLimits::default())
            }

            /// Reads a document, with other limits than usual.
            ///
            /// # Errors
            ///
            /// As `parse`.
            pub fn parse_within(
                bytes: &[u8],
                limits: &crate::body::xml::XmlLimits,
            ) -> Result<Self, crate::body::xml::XmlError> {
                crate::body::xml::parse(bytes, limits)
            }

            /// The document as it goes into a body.
            #[must_use]
            pub fn to_bytes(&self) -> bytes::Bytes {
                crate::body::xml::to_text(self).into()
            }
        }

        impl core::fmt::Display for $document {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&crate::body::xml::to_text(self))
            }
        }

        impl core::str::FromStr for $document {
            type Err = crate::body::xml::XmlError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text.as_bytes())
            }
        }

        #[cfg(feature = "serde")]
        crate::serde_text::serde_as_text!($document);
    };
}
pub(super) use document;

/// A value that is one of a few words, and perhaps another.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("`", $word, "`")] $variant,)*
            /// Another word, which no RFC knows.
            Other(alloc::string::String),
        }

        impl $name {
            /// The word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            /// The value of a word, in whatever case.
            fn from(word: &str) -> Self {
                match word {
                    $(_ if word.eq_ignore_ascii_case($word) => $name::$variant,)*
                    _ => $name::Other(word.into()),
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = core::convert::Infallible;

            /// The value of a word, in whatever case.
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Ok(word.into())
            }
        }

        #[cfg(feature = "serde")]
        crate::serde_text::serde_as_text!($name);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use words;

/// Whether a document brings all there is, or what has changed since the one before.
///
/// ```
/// use blether_sip_core::body::dialog_info::DialogInfo;
/// use blether_sip_core::body::xml::Completeness;
///
/// let news = DialogInfo { version: 7, state: Completeness::Partial, ..DialogInfo::default() };
/// assert!(news.to_string().contains("state=\"partial\""));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Completeness {
    /// `full`
    #[default]
    Full,
    /// `partial`
    Partial,
}

impl Completeness {
    pub(super) fn read(element: &Element, value: Option<&str>) -> Result<Self, Fault> {
        let value = value.ok_or_else(|| element.missing("state"))?;
        value.parse().map_err(|_| element.bad("state", "full or partial"))
    }

    /// The word: `full` or `partial`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Completeness::Full => "full",
            Completeness::Partial => "partial",
        }
    }
}

impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Completeness {
    type Err = InvalidText;

    /// Reads the word.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        let known = [Completeness::Full, Completeness::Partial].into_iter().find(|known| known.as_str() == word);
        known.ok_or(InvalidText::Completeness)
    }
}

/// Rows that documents have built may be so many, and no more: a peer that names new ones for ever is asked for the full state.
pub(super) const MAX_ROWS: usize = 10_000;

/// What RFC 3680 §5.2 and RFC 4235 §4.3 do with the version of a document, where `full` is whether it brings all there is.
///
/// A document of the version that the state has is one that was sent twice: it counts if it is full, as then nothing can be lost.
fn order(have: u32, got: u32, full: bool) -> Applied {
    match got.checked_sub(have) {
        None => Applied::Outdated,
        Some(_) if full => Applied::Updated,
        Some(0) => Applied::Outdated,
        Some(1) => Applied::Updated,
        Some(_) => Applied::Incomplete,
    }
}

/// Takes in the next document of a subscription, after [`order`]: a full one takes the place of what is known, the rows of another are put into
/// it by `update`, which says whether there was room for all.
pub(super) fn take_in<D>(
    known: &mut D,
    document: D,
    head: impl Fn(&D) -> (u32, Completeness),
    update: impl FnOnce(&mut D, D) -> bool,
) -> Applied {
    let ((have, _), (got, state)) = (head(known), head(&document));
    let full = state == Completeness::Full;
    match order(have, got, full) {
        Applied::Outdated => Applied::Outdated,
        applied if full => {
            *known = document;
            applied
        }
        applied if update(known, document) => applied,
        _ => Applied::Incomplete,
    }
}

/// Puts rows into a table: each in the place of the row with its key, or behind the others. `false` if there was no room for some.
pub(super) fn merge<T>(rows: &mut Vec<T>, new: Vec<T>, key: impl Fn(&T) -> &str, update: impl Fn(&mut T, T)) -> bool {
    let mut places: alloc::collections::BTreeMap<String, usize> = alloc::collections::BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        places.entry(key(row).into()).or_insert(index);
    }
    let mut all = true;
    for row in new {
        let place = places.get(key(&row)).copied();
        if let Some(old) = place.and_then(|place| rows.get_mut(place)) {
            update(old, row);
        } else if rows.len() < MAX_ROWS {
            places.insert(key(&row).into(), rows.len());
            rows.push(row);
        } else {
            all = false;
        }
    }
    all
}

#[cfg(test)]
mod tests;
