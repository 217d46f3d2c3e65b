use alloc::string::String;

/// Why bytes are no document of the format that was asked for.
///
/// ```
/// use blether_sip_core::body::pidf::Presence;
///
/// let error = Presence::parse(b"<presence\n xmlns='urn:ietf:params:xml:ns:pidf'><tuple/></presence>").unwrap_err();
/// assert_eq!((error.line(), error.to_string().as_str()), (2, "line 2, column 38: missing id"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct XmlError {
    kind: XmlErrorKind,
    line: usize,
    column: usize,
}

/// What is wrong with a document.
///
/// ```
/// use blether_sip_core::body::pidf::Presence;
/// use blether_sip_core::body::xml::XmlErrorKind;
///
/// let error = "<!DOCTYPE presence [<!ENTITY a 'aaaa'>]><presence/>".parse::<Presence>().unwrap_err();
/// assert_eq!(error.kind(), &XmlErrorKind::DocumentType);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlErrorKind {
    /// Longer than [`XmlLimits::max_size`](super::XmlLimits::max_size); both in bytes.
    #[error("document of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// What came.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Not UTF-8 from here on.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Not well-formed; the words are those of the XML reader.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// A character that XML does not allow, whether it stands there or is referred to.
    #[error("character U+{0:04X} cannot stand in XML")]
    Character(u32),
    /// A document type declaration, which none of the formats has and entities would come from.
    #[error("a document type declaration is not allowed")]
    DocumentType,
    /// An entity that is not one of the five of XML.
    #[error("unknown entity &{0};")]
    Entity(String),
    /// Elements stand deeper in one another than [`XmlLimits::max_depth`](super::XmlLimits::max_depth).
    #[error("more than {limit} elements within one another")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More elements than [`XmlLimits::max_elements`](super::XmlLimits::max_elements).
    #[error("more than {limit} elements")]
    TooManyElements {
        /// The limit.
        limit: usize,
    },
    /// More attributes of an element than [`XmlLimits::max_attributes`](super::XmlLimits::max_attributes).
    #[error("more than {limit} attributes")]
    TooManyAttributes {
        /// The limit.
        limit: usize,
    },
    /// The root is another element, or one of this name in another namespace.
    #[error("expected the element {expected} of its namespace")]
    WrongRoot {
        /// The name of the root.
        expected: &'static str,
    },
    /// An attribute or an element that must be there is not.
    #[error("missing {0}")]
    Missing(&'static str),
    /// An attribute or an element does not say what it should.
    #[error("bad {what}: expected {expected}")]
    Value {
        /// Which one.
        what: &'static str,
        /// What should have stood there.
        expected: &'static str,
    },
}

/// An error that knows where it is as an offset in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: XmlErrorKind,
    pub(crate) at: usize,
}

impl Fault {
    /// The error, of this text.
    pub(crate) fn locate(self, text: &str) -> XmlError {
        XmlError::at(self.kind, text.as_bytes(), self.at)
    }
}

impl XmlError {
    pub(super) fn at(kind: XmlErrorKind, text: &[u8], at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = 1 + before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        XmlError { kind, line, column }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &XmlErrorKind {
        &self.kind
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in bytes, from 1: the start of the element, if it is about one.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}
