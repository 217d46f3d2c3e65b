//! What parameters of a header have that they should not.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::params::Value;
use super::{Deviation, ParamsPart, Told, has_bad_pair, is_token};
use crate::class::{self, DIGIT, PLAIN_VALUE};
use crate::header::is_qvalue;
use crate::host::HostPart;

/// What the grammar of a header says of the value of one of its parameters.
///
/// By the letter a value that is not so makes it a parameter that nobody knows, since each header allows those; that is not what is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ParamRule {
    /// `token`.
    Token,
    /// `token`, or no value, of which its header tells otherwise.
    TokenOrNone,
    /// `1*DIGIT`, such as `delta-seconds`.
    Digits,
    /// `1*DIGIT`, or no value.
    DigitsOrNone,
    /// `qvalue`.
    Quality,
    /// `ttl`: up to three digits, and a number up to 255.
    Ttl,
    /// `host`.
    Host,
    /// `quoted-string`.
    Quoted,
}

impl ParamRule {
    fn allows(self, value: Option<&Value<'_>>) -> bool {
        let text = match (self, value) {
            (ParamRule::TokenOrNone | ParamRule::DigitsOrNone, None) => return true,
            (ParamRule::Quoted, value) => return matches!(value, Some(Value::Quoted(_))),
            (_, None | Some(Value::Quoted(_))) => return false,
            // That it should be in quotes is told of any parameter.
            (_, Some(Value::Bare(text))) if !class::all(text.as_bytes(), PLAIN_VALUE) => return true,
            (_, Some(Value::Bare(text))) => *text,
        };
        let are_digits = class::all(text.as_bytes(), DIGIT);
        match self {
            ParamRule::Token | ParamRule::TokenOrNone => is_token(text),
            ParamRule::Digits | ParamRule::DigitsOrNone => are_digits,
            ParamRule::Quality => is_qvalue(text),
            ParamRule::Ttl => are_digits && text.len() <= 3 && text.parse::<u8>().is_ok(),
            ParamRule::Host => matches!(HostPart::read(text), Ok(("", _))),
            ParamRule::Quoted => false,
        }
    }
}

impl ParamsPart<'_> {
    /// Tells what parameters of a header have that they should not, those named by these rules and any other.
    pub(crate) fn deviations(self, rules: &[(&'static str, ParamRule)], told: Told<'_>) {
        for (name, value) in self.iter() {
            match &value {
                Some(Value::Bare(value)) if !class::all(value.as_bytes(), PLAIN_VALUE) => {
                    told(Deviation::BareValue, value);
                }
                Some(Value::Quoted(content)) if has_bad_pair(content) => told(Deviation::QuotedPair, content),
                _ => {}
            }
            if let Some((known, rule)) = rules.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
                && !rule.allows(value.as_ref())
            {
                let place = value.map_or(name, |(Value::Bare(text) | Value::Quoted(text))| text);
                told(Deviation::Parameter(known), place);
            }
        }
        repeated(self.iter().map(|(name, _)| name), |a, b| folded(a).cmp(folded(b)), told);
    }
}

fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// Tells of each name that is there already, once (RFC 3261 §7.3.1, §19.1.1).
pub(crate) fn repeated<'a>(
    names: impl Iterator<Item = &'a str>,
    order: impl Fn(&str, &str) -> Ordering,
    told: Told<'_>,
) {
    let mut names: Vec<&str> = names.collect();
    // Those that are equal stay in their order.
    names.sort_by(|a, b| order(a, b));
    for same in names.chunk_by(|a, b| order(a, b) == Ordering::Equal) {
        if let [_, second, ..] = same {
            told(Deviation::Repeated, second);
        }
    }
}
