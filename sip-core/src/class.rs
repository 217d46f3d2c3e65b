//! Which bytes may stand where: one table for all rules that go byte by byte.
//!
//! A byte beyond ASCII is in none of the classes but [`PARAM_NAME`] and [`PARAM_VALUE`].

/// `token` (RFC 3261 §25.1).
pub(crate) const TOKEN: u16 = 1;
/// What may stand in a parameter's value without quotes. Wider than `token` and `host`: peers send `=`, `/` and `@` in
/// tags and branches, and nothing else can be meant by them there.
pub(crate) const BARE_VALUE: u16 = 1 << 1;
/// Space and tab.
pub(crate) const WSP: u16 = 1 << 2;
/// `hostname`, and the underscore that some networks use.
pub(crate) const HOST: u16 = 1 << 3;
/// `user` and `password` without their escapes as peers write them: `#` is dialled by many phones without its escape.
pub(crate) const LENIENT_USER: u16 = 1 << 4;
/// `user` without its escapes: what we write.
pub(crate) const USER: u16 = 1 << 5;
/// `paramchar` of a URI without its escapes.
pub(crate) const URI_PARAM: u16 = 1 << 6;
/// `hname` and `hvalue` of a URI without their escapes.
pub(crate) const URI_HEADER: u16 = 1 << 7;
/// What may follow the scheme of a URI that is not ours to read, without escapes.
pub(crate) const OPAQUE: u16 = 1 << 8;
/// Visible ASCII.
pub(crate) const GRAPHIC: u16 = 1 << 9;
/// `1*DIGIT`.
pub(crate) const DIGIT: u16 = 1 << 10;
/// What a parameter's name is made of where it was read before: all but `;`, `=` and white space.
pub(crate) const PARAM_NAME: u16 = 1 << 11;
/// What a parameter's value is made of where it was read before and has no quotes: all but `;` and white space.
pub(crate) const PARAM_VALUE: u16 = 1 << 12;
/// The scheme of a URI.
pub(crate) const SCHEME: u16 = 1 << 13;

/// The classes that all letters and digits are in.
const ALPHANUMERIC: u16 = !(WSP | DIGIT);

/// `word` (RFC 3261 §25.1).
pub(crate) const CALL_ID_WORD: u16 = 1 << 14;
/// What a parameter's value without quotes is made of by the book: `token` and `host`.
pub(crate) const PLAIN_VALUE: u16 = 1 << 15;

static CLASSES: [u16; 256] = classes();

const fn classes() -> [u16; 256] {
    let mut classes = [0; 256];
    let mut index: u16 = 0;
    while index < 256 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        #[expect(clippy::cast_possible_truncation, reason = "under 256")]
        {
            classes[index as usize] = of(index as u8);
        }
        index += 1;
    }
    classes
}

const fn of(byte: u8) -> u16 {
    let alphanumeric = byte.is_ascii_alphanumeric();
    let unreserved = alphanumeric || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
    let graphic = byte.is_ascii_graphic();
    let wsp = matches!(byte, b' ' | b'\t');
    let token = alphanumeric || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
    let lenient_user = graphic && !matches!(byte, b'@' | b':' | b'<' | b'>' | b'"' | b'\\' | b'[' | b']' | b'%');
    let memberships = [
        (TOKEN, token),
        (BARE_VALUE, graphic && !matches!(byte, b';' | b',' | b'"' | b'<' | b'>' | b'\\')),
        (WSP, wsp),
        (HOST, alphanumeric || matches!(byte, b'-' | b'.' | b'_')),
        (LENIENT_USER, lenient_user),
        (USER, unreserved || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')),
        (URI_PARAM, unreserved || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')),
        (URI_HEADER, unreserved || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')),
        (OPAQUE, graphic && !matches!(byte, b'<' | b'>' | b'"' | b'%')),
        (GRAPHIC, graphic),
        (DIGIT, byte.is_ascii_digit()),
        (PARAM_NAME, !wsp && !matches!(byte, b';' | b'=')),
        (PARAM_VALUE, !wsp && byte != b';'),
        (
            CALL_ID_WORD,
            token
                || matches!(
                    byte,
                    b'(' | b')' | b'<' | b'>' | b':' | b'\\' | b'"' | b'/' | b'[' | b']' | b'?' | b'{' | b'}'
                ),
        ),
        (PLAIN_VALUE, token || matches!(byte, b'[' | b']' | b':')),
        (SCHEME, alphanumeric || matches!(byte, b'+' | b'-' | b'.')),
    ];
    let (mut classes, mut index) = (0, 0);
    while index < memberships.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        let (class, is_in) = memberships[index];
        if is_in {
            classes |= class;
        }
        index += 1;
    }
    classes
}

/// The bytes of [`HOST`] but the dot.
static LABEL: [bool; 256] = {
    let (classes, mut label) = (classes(), [false; 256]);
    let mut index = 0;
    while index < label.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            label[index] = classes[index] & HOST != 0 && index != b'.' as usize;
        }
        index += 1;
    }
    label
};

/// Whether the byte may stand between the dots of a host name.
#[inline(always)]
pub(crate) fn is_label(byte: u8) -> bool {
    LABEL.get(usize::from(byte)) == Some(&true)
}

/// Whether the byte is in the class.
#[inline]
pub(crate) fn is(byte: u8, class: u16) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// Where the first byte from `at` on is that is not in the class, or the end.
#[inline(always)]
pub(crate) fn skip(text: &[u8], at: usize, class: u16) -> usize {
    let near = text.get(..at.wrapping_add(NEAR)).unwrap_or(text);
    let mut at = at;
    while let Some(byte) = near.get(at)
        && is(*byte, class)
    {
        at += 1;
    }
    if at < near.len() || near.len() == text.len() { at } else { skip_far(text, at, class) }
}

/// Up to how many bytes are looked at one by one.
const NEAR: usize = 24;

/// [`skip`] of a long text, where letters and digits are passed by many at once: they are in all classes of long texts.
#[inline(never)]
fn skip_far(text: &[u8], at: usize, class: u16) -> usize {
    let takes_alphanumeric = ALPHANUMERIC & class != 0;
    let (chunks, _) = text.get(at..).unwrap_or_default().as_chunks::<16>();
    let mut at = at;
    for chunk in chunks {
        let are_alphanumeric = chunk.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric());
        if !(takes_alphanumeric && are_alphanumeric)
            && let Some(end) = chunk.iter().position(|byte| !is(*byte, class))
        {
            return at + end;
        }
        at += chunk.len();
    }
    while let Some(byte) = text.get(at)
        && is(*byte, class)
    {
        at += 1;
    }
    at
}

/// Where the first byte from `at` on is that is neither space nor tab, or the end.
#[inline(always)]
pub(crate) fn skip_wsp_at(text: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(b' ' | b'\t') = text.get(at) {
        at += 1;
    }
    at
}

/// The lowest bit that is set is the highest of the first byte under a space, if there is one.
#[inline(always)]
pub(crate) const fn under_space(word: u64) -> u64 {
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    word.wrapping_sub(SPACES) & !word & HIGHEST
}

/// Whether there is a control character of ASCII among the bytes.
#[inline]
pub(crate) fn has_control(text: &[u8]) -> bool {
    const LOWEST: u64 = u64::from_le_bytes([1; 8]);
    const DELETES: u64 = u64::from_le_bytes([0x7f; 8]);
    // A DEL, and nothing else, becomes 0.
    let deletes = |word: u64| (word ^ DELETES).wrapping_sub(LOWEST) & !(word ^ DELETES) & (LOWEST << 7);
    let (words, rest) = text.as_chunks::<8>();
    let is_one = |word: u64| under_space(word) | deletes(word);
    words.iter().fold(0, |found, word| found | is_one(u64::from_le_bytes(*word))) != 0
        || rest.iter().any(u8::is_ascii_control)
}

/// How many bytes at the start of `text` are in the class.
#[inline]
pub(crate) fn span(text: &[u8], class: u16) -> usize {
    skip(text, 0, class)
}

/// Whether all bytes of `text` are in the class.
#[inline]
pub(crate) fn all(text: &[u8], class: u16) -> bool {
    let classes = |byte: &u8| CLASSES.get(usize::from(*byte)).copied().unwrap_or_default();
    text.iter().fold(class, |left, byte| left & classes(byte)) != 0
}

/// The first bytes of `text` that are in the class, and the rest.
#[inline]
pub(crate) fn split(text: &str, class: u16) -> (&str, &str) {
    // Only `PARAM_NAME` and `PARAM_VALUE` have bytes beyond ASCII, and those have all of them.
    text.split_at_checked(span(text.as_bytes(), class)).unwrap_or((text, ""))
}

/// `text` without the white space before it.
#[inline]
pub(crate) fn skip_wsp(text: &str) -> &str {
    match text.as_bytes() {
        [b' ' | b'\t', ..] => split(text, WSP).1,
        _ => text,
    }
}

/// `text` without the white space around it.
#[inline]
pub(crate) fn trim_wsp(text: &str) -> &str {
    let text = skip_wsp(text);
    match text.as_bytes() {
        [.., b' ' | b'\t'] => text.trim_end_matches([' ', '\t']),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_any_length_ends_with_its_class() {
        let end = |text: &[u8], at: usize, class| {
            text.iter().skip(at).position(|byte| !is(*byte, class)).map_or(text.len(), |end| at + end)
        };
        for class in (0..16).map(|bit| 1 << bit) {
            let fill = (0..=255).find(|byte| is(*byte, class)).unwrap();
            for fill in [fill, if is(b'a', class) { b'a' } else { fill }] {
                for stop in [b'\0', b'1', b'%', b' ', b';', b'\xe9'] {
                    for place in 0..=80 {
                        let mut text = [fill; 80];
                        text[place.min(79)] = if place < 80 { stop } else { fill };
                        for at in [0, 1, 7, 80] {
                            assert_eq!(
                                skip(&text, at, class),
                                end(&text, at, class),
                                "{class:#x} {stop} at {place} from {at}"
                            );
                        }
                    }
                }
            }
        }
        assert_eq!((skip(b"ab", 3, TOKEN), skip(b"", usize::MAX, TOKEN)), (3, usize::MAX));
    }

    #[test]
    fn a_span_ends_with_its_class() {
        assert_eq!(split("a.b-c d", TOKEN), ("a.b-c", " d"));
        assert_eq!(split("\u{e9}=1", PARAM_NAME), ("\u{e9}", "=1"));
        assert_eq!((span(b"", TOKEN), all(b"", TOKEN)), (0, true));
        assert!(all(b"192", DIGIT) && !all(b"19a", DIGIT) && !all("\u{e9}".as_bytes(), GRAPHIC));
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut text = [b' '; 20];
                text[at] = byte;
                assert_eq!(has_control(&text), byte.is_ascii_control(), "{byte} at {at}");
            }
        }
        assert_eq!((skip_wsp(" \t a "), trim_wsp("\t a b \t")), ("a ", "a b"));
    }
}
