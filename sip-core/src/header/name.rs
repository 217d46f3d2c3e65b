mod known;

use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use crate::{InvalidText, grammar};

pub use known::HeaderName;
use known::{BY_CODE, NAMES, Number, WRITTEN};

/// The name of a header in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u8);

impl Code {
    /// Any name that has no variant.
    pub(crate) const EXTENSION: Code = Code(u8::MAX);

    pub(crate) const CALL_ID: Code = Code(Number::CallId as u8);
    pub(crate) const CONTENT_LENGTH: Code = Code(Number::ContentLength as u8);
    pub(crate) const CSEQ: Code = Code(Number::CSeq as u8);
    pub(crate) const FROM: Code = Code(Number::From as u8);
    pub(crate) const MAX_FORWARDS: Code = Code(Number::MaxForwards as u8);
    pub(crate) const TO: Code = Code(Number::To as u8);
    pub(crate) const VIA: Code = Code(Number::Via as u8);

    /// What a name is known by, long or compact, in any case.
    pub(crate) fn of(name: &[u8]) -> Code {
        let mut padded = [0; MAX_KNOWN];
        match padded.get_mut(..=name.len()) {
            Some([start @ .., colon]) => {
                start.copy_from_slice(name);
                *colon = b':';
            }
            _ => return Code::EXTENSION,
        }
        padded.make_ascii_lowercase();
        let key = words(&padded);
        find(slot(&key), |known| *known == key)
    }

    /// [`Code::of`] of the first `length` bytes of a line.
    #[inline]
    pub(crate) fn of_start(line: &[u8], length: usize) -> Code {
        let Some(start) = line.first_chunk().filter(|_| length < MAX_KNOWN) else {
            return line.get(..length).map_or(Code::EXTENSION, Code::of);
        };
        let mut key = words(start);
        for (index, word) in key.iter_mut().enumerate() {
            let kept = length.saturating_sub(8 * index);
            let name = if kept < 8 { (1 << (8 * kept)) - 1 } else { u64::MAX };
            *word = lower(*word) & name;
        }
        if let Some(word) = key.get_mut(length / 8) {
            *word |= u64::from(b':') << (length % 8 * 8);
        }
        find(slot(&key), |known| *known == key)
    }

    /// The name at the start of a line: its length and what it is known by. `None` if it is not followed by a colon at
    /// once, if it is not known, or if it cannot be told this fast.
    #[inline(always)]
    pub(crate) fn at_start(line: &[u8]) -> Option<(usize, Code)> {
        // Most names end within two words, and then what is known has no more of them.
        let (first, second) = match line.first_chunk::<16>()?.as_chunks::<8>().0 {
            [first, second] => (u64::from_le_bytes(*first), u64::from_le_bytes(*second)),
            _ => return None,
        };
        if let Some((bits, word)) = before_colon(first) {
            let code = find(slot(&[word, 0, 0, 0]), |[a, ..]| *a == word);
            return (code != Code::EXTENSION).then_some((bits as usize / 8, code));
        }
        let first = lower(first);
        if let Some((bits, word)) = before_colon(second) {
            let code = find(slot(&[first, word, 0, 0]), |[a, b, ..]| *a == first && *b == word);
            return (code != Code::EXTENSION).then_some((8 + bits as usize / 8, code));
        }
        Code::at_start_of_long(line)
    }

    #[inline(never)]
    fn at_start_of_long(line: &[u8]) -> Option<(usize, Code)> {
        let [first, second, third, fourth] = line.first_chunk::<MAX_KNOWN>()?.as_chunks::<8>().0 else { return None };
        let [first, second, third, fourth] = [first, second, third, fourth].map(|word| u64::from_le_bytes(*word));
        let (length, key) = if let Some((bits, word)) = before_colon(third) {
            (128 + bits, [lower(first), lower(second), word, 0])
        } else {
            let (bits, word) = before_colon(fourth)?;
            (192 + bits, [lower(first), lower(second), lower(third), word])
        };
        let code = find(slot(&key), |known| *known == key);
        (code != Code::EXTENSION).then_some((length as usize / 8, code))
    }

    /// The name; `None` for [`Code::EXTENSION`].
    pub(crate) fn name(self) -> Option<&'static HeaderName> {
        BY_CODE.get(usize::from(self.0))
    }

    /// The name in its long form and usual case; `None` for [`Code::EXTENSION`].
    pub(crate) fn as_str(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0)).copied()
    }

    /// The number, from 0.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The length up to which a name can be known, with its colon, in bytes.
const MAX_KNOWN: usize = 32;

/// A name in small letters and its colon, eight bytes to a word, with NULs behind them.
type Key = [u64; MAX_KNOWN / 8];

/// Makes small letters of capitals, and of no other byte a letter or a `-`.
#[inline]
fn lower(word: u64) -> u64 {
    word | (word >> 1 & u64::from_le_bytes([0x20; 8]))
}

/// How many bits stand before the first colon of a word, and those bits and the colon in small letters.
#[inline]
fn before_colon(word: u64) -> Option<(u32, u64)> {
    const COLONS: u64 = u64::from_le_bytes([b':'; 8]);
    const LOWEST: u64 = u64::from_le_bytes([1; 8]);
    let others = word ^ COLONS;
    // The lowest of these bits is that of the first colon.
    let colon = others.wrapping_sub(LOWEST) & !others & (LOWEST << 7);
    let bits = colon.trailing_zeros() & !7;
    (colon != 0).then(|| (bits, lower(word) & (u64::MAX >> (56 - bits))))
}

fn words(name: &[u8; MAX_KNOWN]) -> Key {
    let mut words = Key::default();
    for (word, bytes) in words.iter_mut().zip(name.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// Where in [`SLOTS`] to look for a name.
#[inline(always)]
const fn slot(key: &Key) -> usize {
    let mixed = key[0] ^ key[1].rotate_left(23) ^ key[2].rotate_left(41) ^ key[3].rotate_left(11);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
}

const SLOT_COUNT: usize = 512;

/// The keys of [`WRITTEN`] with their codes, in its order.
static KEYS: [(Key, Code); WRITTEN.len()] = keys();

/// Where in [`KEYS`] the key is that [`slot`] gives this place, or gave it one just before that was taken.
static SLOTS: [u8; SLOT_COUNT] = slots();

/// A slot that has no key.
const FREE: u8 = u8::MAX;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn keys() -> [(Key, Code); WRITTEN.len()] {
    let mut keys = [([0; MAX_KNOWN / 8], Code::EXTENSION); WRITTEN.len()];
    let mut index = 0;
    while index < WRITTEN.len() {
        let name = WRITTEN[index].0.as_bytes();
        let mut at = 0;
        while at <= name.len() {
            let byte = if at < name.len() { name[at].to_ascii_lowercase() } else { b':' };
            keys[index].0[at / 8] |= (byte as u64) << (at % 8 * 8);
            at += 1;
        }
        keys[index].1 = Code(WRITTEN[index].1);
        index += 1;
    }
    keys
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 255 names")]
const fn slots() -> [u8; SLOT_COUNT] {
    assert!(WRITTEN.len() < FREE as usize);
    let keys = keys();
    let mut slots = [FREE; SLOT_COUNT];
    let mut index = 0;
    while index < WRITTEN.len() {
        let mut place = slot(&keys[index].0);
        while slots[place] != FREE {
            place = (place + 1) % SLOT_COUNT;
        }
        slots[place] = index as u8;
        index += 1;
    }
    slots
}

/// What the name is known by whose place is this slot and whose key is the one that is wanted.
#[inline(always)]
fn find(slot: usize, is_wanted: impl Fn(&Key) -> bool) -> Code {
    let mut place = slot;
    while let Some(index) = SLOTS.get(place % SLOT_COUNT).map(|index| usize::from(*index))
        && let Some((key, code)) = KEYS.get(index)
    {
        if is_wanted(key) {
            return *code;
        }
        place += 1;
    }
    Code::EXTENSION
}

impl HeaderName {
    /// The name of a header, long or compact, in any case; `None` if `name` is no token.
    pub(crate) fn parse(name: &str) -> Option<HeaderName> {
        HeaderName::known(name).or_else(|| grammar::is_token(name).then(|| HeaderName::Extension(name.into())))
    }

    /// The name as [`HeaderName::parse`] would have read it, whoever made it.
    pub(crate) fn canonical(&self) -> HeaderName {
        match self {
            HeaderName::Extension(name) => HeaderName::known(name).unwrap_or_else(|| self.clone()),
            known => known.clone(),
        }
    }

    fn known(name: &str) -> Option<HeaderName> {
        Code::of(name.as_bytes()).name().cloned()
    }
}

impl FromStr for HeaderName {
    type Err = InvalidText;

    fn from_str(name: &str) -> Result<Self, InvalidText> {
        HeaderName::parse(name).ok_or(InvalidText::HeaderName)
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().eq_ignore_ascii_case(other.as_bytes())
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
