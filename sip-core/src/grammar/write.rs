//! Writing what reads again: whatever a text holds, it does not end the line or the word that it is written into.

use alloc::string::String;
use core::fmt;

use super::{is_token, is_token_char};

/// Writes the characters of `text` that a `token` may have, or `otherwise` if there are none.
pub(crate) fn write_token(out: &mut String, text: &str, otherwise: &str) {
    if is_token(text) {
        return out.push_str(text);
    }
    let before = out.len();
    out.extend(text.chars().filter(|c| is_token_char(*c)));
    if out.len() == before {
        out.push_str(otherwise);
    }
}

/// [`write_token`] for `Display`.
pub(crate) fn fmt_token(f: &mut fmt::Formatter<'_>, text: &str, otherwise: &str) -> fmt::Result {
    if is_token(text) {
        return f.write_str(text);
    }
    let mut out = String::new();
    write_token(&mut out, text, otherwise);
    f.write_str(&out)
}

/// Writes a number in decimal digits.
pub(crate) fn write_number(out: &mut String, number: u32) {
    let mut digits = [b'0'; 10];
    let (mut rest, mut start) = (number, digits.len());
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    out.push_str(digits.get(start..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default());
}

/// Writes `text` on one line: control characters become spaces.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_as_many_digits_as_it_has() {
        let powers = (0..10).map(|power| 10_u32.pow(power));
        for number in
            powers.flat_map(|power| [power - 1, power, power + 1, power * 2 + 7]).chain([0, 5_060, 70_009, u32::MAX])
        {
            let mut written = String::new();
            write_number(&mut written, number);
            assert_eq!(written, number.to_string());
        }
    }
}
