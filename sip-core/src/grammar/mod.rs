//! The rules of RFC 3261 §25.1 that many headers share, as nom parsers on text whose folding is already undone.
//!
//! Each rule looks at each character once, whatever the input.

mod deviation;
mod list;
mod param_rule;
mod params;
mod quoted;
mod token;
mod write;

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

pub(crate) use deviation::{Deviation, Told};
pub(crate) use list::{list, next_comma, odd_token, tokens, write_list};
pub(crate) use param_rule::{ParamRule, repeated};
pub(crate) use params::{MAX_PARAMS, ParamCount, ParamsPart, param_value, params, params_part};
pub(crate) use quoted::{has_bad_pair, quoted_string, unquote, unquoted, write_quoted};
pub(crate) use token::{
    delta_seconds, host_port_part, is_token, is_token_char, is_wsp, lws, number, separator, sws, token,
};
pub(crate) use write::{fmt_token, write_number, write_text, write_token};

/// A rule's result; why it failed is said by the header that tried it, which knows what it expected.
pub(crate) type Parsed<'a, T> = IResult<&'a str, T, Stop<'a>>;

/// Where a rule could not go on: what was left to read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop<'a>(&'a str);

impl<'a> Stop<'a> {
    pub(crate) fn at(rest: &'a str) -> Self {
        Stop(rest)
    }

    /// The column in `value`, from 1, in bytes; `None` if the rule did not say where it stopped.
    pub(crate) fn column(self, value: &str) -> Option<usize> {
        let offset = (self.0.as_ptr() as usize).wrapping_sub(value.as_ptr() as usize);
        (offset <= value.len()).then_some(offset + 1)
    }
}

impl<'a> ParseError<&'a str> for Stop<'a> {
    fn from_error_kind(input: &'a str, _: ErrorKind) -> Self {
        Stop(input)
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The failure of a rule, wherever it was.
pub(crate) fn no_match<'a, T>() -> Parsed<'a, T> {
    Err(nom::Err::Error(Stop("")))
}

/// The failure of a rule where `input` is what was left to read.
pub(crate) fn stop<T>(input: &str) -> Parsed<'_, T> {
    Err(nom::Err::Error(Stop(input)))
}
