use alloc::string::String;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, Range};
use core::str::FromStr;

use bytes::Bytes;

/// UTF-8 text that is a slice of a [`Bytes`]: cloning it counts a reference and copies nothing.
///
/// Everything that the parser hands out is such a slice of the datagram it was given, so one kept
/// `ByteStr` keeps that whole datagram in memory; [`ByteStr::detached`] makes a copy that does not.
///
/// ```
/// use blether_sip_core::ByteStr;
/// use bytes::Bytes;
///
/// let text = ByteStr::from_utf8(Bytes::from_static(b"sip:bob@biloxi.com")).unwrap();
/// assert!(text.starts_with("sip:") && text == "sip:bob@biloxi.com");
/// ```
#[derive(Clone, Default)]
pub struct ByteStr(Bytes);

impl ByteStr {
    /// Wraps a literal without allocating.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        ByteStr(Bytes::from_static(text.as_bytes()))
    }

    /// Takes bytes that are UTF-8 and gives back `None` for all others.
    #[must_use]
    pub fn from_utf8(bytes: Bytes) -> Option<Self> {
        core::str::from_utf8(&bytes).is_ok().then_some(ByteStr(bytes))
    }

    /// Wraps bytes that may not be UTF-8, to share parts of them that are. As a text it would then read as empty.
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        ByteStr(bytes)
    }

    /// Takes bytes that need not be UTF-8; what is not becomes U+FFFD in a copy.
    #[must_use]
    pub fn from_utf8_lossy(bytes: Bytes) -> Self {
        match ByteStr::from_utf8(bytes.clone()) {
            Some(text) => text,
            None => String::from_utf8_lossy(&bytes).into_owned().into(),
        }
    }

    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        // Every constructor has checked this, and `unsafe` is not worth the few nanoseconds.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of the text, without checking again that they are UTF-8.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The underlying bytes.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The underlying bytes, uncopied.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// A copy that does not keep the datagram alive which this text is a slice of.
    #[must_use]
    pub fn detached(&self) -> Self {
        ByteStr(Bytes::copy_from_slice(&self.0))
    }

    /// The bytes of a range that is ASCII, sharing their memory.
    #[inline]
    pub(crate) fn part(&self, range: Range<usize>) -> ByteStr {
        if range.is_empty() || range.end > self.0.len() {
            return ByteStr::default();
        }
        ByteStr(self.0.slice(range))
    }

    /// The text without the spaces and tabs around it.
    pub(crate) fn trimmed(self) -> ByteStr {
        let is_wsp = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        if is_wsp(self.0.first()) || is_wsp(self.0.last()) {
            return self.share(self.trim_matches([' ', '\t']));
        }
        self
    }

    /// `part`, which must have been cut out of this text, as a slice that shares its memory.
    pub(crate) fn share(&self, part: &str) -> ByteStr {
        if part.is_empty() {
            return ByteStr::default();
        }
        let offset = (part.as_ptr() as usize).wrapping_sub(self.0.as_ptr() as usize);
        match offset.checked_add(part.len()) {
            Some(end) if end <= self.0.len() => ByteStr(self.0.slice(offset..end)),
            _ => part.into(),
        }
    }
}

impl Deref for ByteStr {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ByteStr {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for ByteStr {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for ByteStr {
    fn from(text: &str) -> Self {
        ByteStr(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl FromStr for ByteStr {
    type Err = Infallible;

    /// A copy of the text.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl From<String> for ByteStr {
    /// Keeps no room that `text` has to spare: most texts are never changed, and many live as long as a call.
    fn from(text: String) -> Self {
        ByteStr(Bytes::from(text.into_bytes().into_boxed_slice()))
    }
}

impl From<ByteStr> for Bytes {
    fn from(text: ByteStr) -> Self {
        text.0
    }
}

impl PartialEq for ByteStr {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for ByteStr {}

impl PartialEq<str> for ByteStr {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for ByteStr {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<ByteStr> for &str {
    fn eq(&self, other: &ByteStr) -> bool {
        other == self
    }
}

impl PartialOrd for ByteStr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByteStr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Hash for ByteStr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state); // as `str` does, which `Borrow<str>` promises
    }
}

impl fmt::Display for ByteStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for ByteStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_part_is_not_copied() {
        let whole = ByteStr::from("alice@atlanta.com");
        let part = whole.share(whole.get(6..13).unwrap());
        assert_eq!(part, "atlanta");
        assert_eq!(part.as_bytes().as_ptr() as usize, whole.as_bytes().as_ptr() as usize + 6);
    }

    #[test]
    fn a_part_of_something_else_is_copied_and_not_misread() {
        assert_eq!(ByteStr::from("abc").share("something else"), "something else");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_no_text() {
        assert_eq!(ByteStr::from_utf8(Bytes::from_static(b"a\xffb")), None);
        assert_eq!(ByteStr::from_utf8_lossy(Bytes::from_static(b"a\xffb")), "a\u{fffd}b");
    }
}
