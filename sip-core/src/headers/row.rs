//! One header: where it stands, and how it is looked for.

use core::ops::Range;

use crate::header::Code;
use crate::{HeaderName, grammar};

/// One header: a line, what is its name, and what is its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Where the line with its end starts and ends.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Where the value starts and ends, which need not be in the same text.
    pub(crate) value: u32,
    pub(crate) value_end: u32,
    /// How long the name is, which the line starts with.
    pub(crate) name_len: u32,
    pub(crate) name: Code,
    pub(crate) place: Place,
    /// Whether it was found to be one line of printable ASCII.
    pub(crate) plain: bool,
}

/// Which text the ranges of a row are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Both of what was received.
    Received,
    /// The line of what was received, the value of what was written: unfolded, or with U+FFFD for what is no UTF-8.
    Restored,
    /// Both of what was written.
    Written,
}

/// An index in 32 bits. A text that is longer than those can say is not read beyond.
pub(crate) fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

pub(super) fn range(start: u32, end: u32) -> Range<usize> {
    start as usize..end as usize
}

impl Row {
    #[inline]
    pub(super) fn line<'a>(&self, received: &'a [u8], written: &'a str) -> &'a [u8] {
        let text = if self.place == Place::Written { written.as_bytes() } else { received };
        text.get(range(self.start, self.end)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn value<'a>(&self, received: &'a [u8], written: &'a str) -> &'a str {
        let range = range(self.value, self.value_end);
        match self.place {
            Place::Received => received.get(range).and_then(|bytes| core::str::from_utf8(bytes).ok()),
            Place::Restored | Place::Written => written.get(range),
        }
        .unwrap_or_default()
    }
}

/// A name to look for, or to write.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) code: Code,
    /// The name itself, if it has no code.
    pub(super) extension: &'a str,
}

impl<'a> Wanted<'a> {
    /// Of a name that is a constant this is one, too.
    #[inline(always)]
    pub(super) fn new(name: &'a HeaderName) -> Self {
        let code = name.code();
        Wanted { code, extension: if code == Code::EXTENSION { name.as_str() } else { "" } }
    }

    /// The name as it is written, whatever a header of a caller's own calls itself.
    pub(super) fn as_str(self) -> &'a str {
        match self.code.as_str() {
            Some(name) => name,
            None if grammar::is_token(self.extension) => self.extension,
            None => "Invalid-Name",
        }
    }
}
