//! Values that are written for people: dates, products, comments.

use alloc::string::ToString;

use super::AnomalyKind;
use crate::class::{self, TOKEN, skip_wsp};
use crate::{Date, TypedHeader};

/// What is odd about a date that can be read (RFC 3261 §25.1: `rfc1123-date`).
pub(super) fn date(value: &str) -> Option<AnomalyKind> {
    const FORM: &[u8] = b"aaa, 00 aaa 0000 00:00:00 GMT";
    let Date(seconds) = Date::parse_value(value.into()).ok()?;
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'a' => byte.is_ascii_alphabetic(),
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    // A leap second is read as the first of the next minute, which may be of the next day.
    let day = Date(if value.contains(":60 ") { seconds.saturating_sub(1) } else { seconds }).to_string();
    let weekday = |text: &str| text.get(..3).map(str::to_ascii_lowercase);
    let is_weekday = |text: &str| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(&text);
    match weekday(value) {
        _ if value.len() != FORM.len() || !value.as_bytes().iter().zip(FORM).all(fits) => Some(AnomalyKind::DateForm),
        Some(found) if !is_weekday(&found) => Some(AnomalyKind::DateForm),
        found if found != weekday(&day) => Some(AnomalyKind::Weekday),
        _ => None,
    }
}

/// Where a value stops to be products and comments with white space between them (RFC 3261 §25.1: `server-val`).
pub(super) fn odd_product(value: &str) -> Option<&str> {
    let mut rest = value;
    loop {
        let Some(after) = after_comment(rest).or_else(|| after_product(rest)) else { return Some(rest) };
        if after.is_empty() {
            return None;
        }
        rest = skip_wsp(after);
        if rest.len() == after.len() {
            return Some(after);
        }
    }
}

/// `product`: a token, and maybe its version.
fn after_product(text: &str) -> Option<&str> {
    let token = |text| Some(class::split(text, TOKEN)).filter(|(token, _)| !token.is_empty()).map(|(_, rest)| rest);
    let rest = token(text)?;
    match skip_wsp(rest).strip_prefix('/') {
        Some(version) => token(skip_wsp(version)),
        None => Some(rest),
    }
}

/// `comment`: what follows the parenthesis that closes the first one.
pub(super) fn after_comment(text: &str) -> Option<&str> {
    let (mut depth, mut quoted) = (0_u32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if quoted => quoted = false,
            b'\\' => quoted = true,
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { None } else { text.get(at + 1..) };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_comments_have_white_space_between() {
        for (text, odd) in [
            ("Phone/4.1 (build (2\\)) x) a / b", None),
            ("", Some("")),
            ("(open", Some("(open")),
            ("a(b)", Some("(b)")),
            ("a/b/c", Some("/c")),
            ("a, b", Some(", b")),
            ("a/ (b)", Some("a/ (b)")),
        ] {
            assert_eq!(odd_product(text), odd, "{text}");
        }
    }

    #[test]
    fn a_date_has_two_digits_where_it_has_them_and_the_weekday_that_it_is() {
        for (text, odd) in [
            ("Sat, 13 Nov 2010 23:29:00 GMT", None),
            ("Sat, 31 Dec 2016 23:59:60 GMT", None),
            ("Sun, 13 Nov 2010 23:29:00 GMT", Some(AnomalyKind::Weekday)),
            ("Sad, 13 Nov 2010 23:29:00 GMT", Some(AnomalyKind::DateForm)),
            ("Mon, 1 Nov 2010 23:29:00 GMT", Some(AnomalyKind::DateForm)),
            ("Sat,  13 Nov 2010 23:29:00 GMT", Some(AnomalyKind::DateForm)),
        ] {
            assert_eq!(date(text), odd, "{text}");
        }
    }
}
