//! Tokens, numbers, white space, and what they are put together to.

use nom::Parser;
use nom::character::complete::char;
use nom::sequence::delimited;

use super::{Parsed, Stop, stop};
use crate::class::{self, DIGIT, TOKEN, WSP, skip_wsp};
use crate::host::HostPart;

/// `token` characters.
pub(crate) fn is_token_char(c: char) -> bool {
    u8::try_from(c).is_ok_and(|byte| class::is(byte, TOKEN))
}

/// Whether all of `text` is one `token`.
#[inline]
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && class::all(text.as_bytes(), TOKEN)
}

/// The bytes of a class at the start of `input`, at least one.
#[inline]
fn some(input: &str, class: u16) -> Parsed<'_, &str> {
    match class::split(input, class) {
        ("", _) => stop(input),
        (found, rest) => Ok((rest, found)),
    }
}

/// `token`.
pub(crate) fn token(input: &str) -> Parsed<'_, &str> {
    some(input, TOKEN)
}

/// `SWS`: optional white space.
pub(crate) fn sws(input: &str) -> Parsed<'_, &str> {
    let (space, rest) = class::split(input, WSP);
    Ok((rest, space))
}

/// `LWS`: white space that must be there.
pub(crate) fn lws(input: &str) -> Parsed<'_, &str> {
    some(input, WSP)
}

/// A separator with optional white space around it: `SEMI`, `SLASH`, `EQUAL`, `COLON`.
pub(crate) fn separator<'a>(c: char) -> impl Parser<&'a str, Output = char, Error = Stop<'a>> {
    delimited(sws, char(c), sws)
}

/// `1*DIGIT` as a number; no match if it does not fit.
#[inline]
pub(crate) fn number<T: TryFrom<u64>>(input: &str) -> Parsed<'_, T> {
    let (rest, digits) = some(input, DIGIT)?;
    let mut number = 0_u64;
    for digit in digits.bytes() {
        match number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0'))) {
            Some(next) => number = next,
            None => return stop(input),
        }
    }
    match T::try_from(number) {
        Ok(number) => Ok((rest, number)),
        Err(_) => stop(input),
    }
}

/// `delta-seconds`; what does not fit is as long as can be said (RFC 3261 §20.19).
pub(crate) fn delta_seconds(input: &str) -> Parsed<'_, u32> {
    let (rest, digits) = some(input, DIGIT)?;
    Ok((rest, digits.parse().unwrap_or(u32::MAX)))
}

/// `hostport` where it stands, with the white space that `COLON` allows in a Via.
#[inline]
pub(crate) fn host_port_part(input: &str) -> Parsed<'_, (HostPart<'_>, Option<u16>)> {
    let (rest, host) = HostPart::read(input)?;
    let Some(digits) = skip_wsp(rest).strip_prefix(':').map(skip_wsp) else { return Ok((rest, (host, None))) };
    let (rest, port) = number::<u16>(digits)?;
    Ok((rest, (host, Some(port))))
}

/// Space or tab.
pub(crate) fn is_wsp(c: char) -> bool {
    matches!(c, ' ' | '\t')
}
