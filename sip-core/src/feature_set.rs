//! The features of a user agent, and whether those that are wanted are among them (RFC 3840 §9, RFC 3841 §7.2.4, §8).

use alloc::vec::Vec;

use crate::Params;

/// Feature parameters: all the terms hold (RFC 3841 §8).
pub(crate) struct FeatureSet<'a>(Vec<Term<'a>>);

/// One of the values of a feature.
struct Term<'a> {
    tag: Tag<'a>,
    filters: Vec<Filter<'a>>,
}

/// More values of one feature than any user agent lists: others are passed over.
const MAX_VALUES: usize = 64;

impl<'a> FeatureSet<'a> {
    pub(crate) fn of(params: &'a Params) -> Self {
        let mut terms: Vec<Term<'_>> = Vec::new();
        for (name, value) in params.iter() {
            let Some(tag) = Tag::read(name, params) else { continue };
            if !terms.iter().any(|term| term.tag == tag) {
                terms.push(Term { tag, filters: filters(value) });
            }
        }
        FeatureSet(terms)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, tag: &Tag<'_>) -> Option<&Term<'a>> {
        self.0.iter().find(|term| term.tag == *tag)
    }

    /// Whether something has all these features and all of `other`: the matching of RFC 2533.
    pub(crate) fn matches(&self, other: &FeatureSet<'_>) -> bool {
        self.0.iter().all(|term| {
            let agree =
                |filter: &Filter<'_>, others: &Term<'_>| others.filters.iter().any(|theirs| filter.agrees(theirs));
            other.find(&term.tag).is_none_or(|others| term.filters.iter().any(|filter| agree(filter, others)))
        })
    }

    /// The part of these features that `other` says anything of; all of them if there are none.
    pub(crate) fn share_in(&self, other: &FeatureSet<'_>) -> f64 {
        let (mut said, mut all) = (0.0, 0.0);
        for term in &self.0 {
            all += 1.0;
            said += if other.find(&term.tag).is_some() { 1.0 } else { 0.0 };
        }
        if all > 0.0 { said / all } else { 1.0 }
    }
}

/// The name of a feature, without what says which tree it is of.
struct Tag<'a> {
    name: &'a str,
    is_base: bool,
}

/// The features that stand without a `+` (RFC 3840 §9).
const BASE: [&str; 20] = [
    "audio",
    "automata",
    "class",
    "duplex",
    "data",
    "control",
    "mobility",
    "description",
    "events",
    "priority",
    "methods",
    "schemes",
    "application",
    "video",
    "language",
    "type",
    "isfocus",
    "actor",
    "text",
    "extensions",
];

fn is_base(name: &str) -> bool {
    BASE.iter().any(|base| base.eq_ignore_ascii_case(name))
}

impl<'a> Tag<'a> {
    /// The feature that the parameter `name` is of; `None` if it is of none.
    fn read(name: &'a str, params: &Params) -> Option<Self> {
        let Some(bare) = name.strip_prefix('+') else { return is_base(name).then_some(Tag { name, is_base: true }) };
        if is_base(bare) && params.has(bare) {
            return None; // RFC 3841 §7.2.3
        }
        let in_tree =
            bare.split_at_checked(4).filter(|(tree, name)| tree.eq_ignore_ascii_case("sip.") && is_base(name));
        match in_tree {
            Some((_, name)) => Some(Tag { name, is_base: true }),
            None => Some(Tag { name: bare, is_base: false }),
        }
    }
}

impl PartialEq for Tag<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_base == other.is_base && self.name.eq_ignore_ascii_case(other.name)
    }
}

/// What a feature may be, or may not be.
struct Filter<'a> {
    negated: bool,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Token(&'a str),
    Text(&'a str),
    /// Numbers from the first to the second.
    Range(f64, f64),
}

/// The values between commas, or the one text.
fn filters(value: Option<&str>) -> Vec<Filter<'_>> {
    let Some(value) = value.map(str::trim) else {
        return alloc::vec![Filter { negated: false, value: Value::Token("TRUE") }];
    };
    if let Some(text) = value.strip_prefix('<') {
        let text = text.strip_suffix('>').unwrap_or(text);
        return alloc::vec![Filter { negated: false, value: Value::Text(text) }];
    }
    let values = value.split(',').map(str::trim).filter(|value| !value.is_empty());
    values
        .take(MAX_VALUES)
        .map(|value| {
            let (negated, value) = value.strip_prefix('!').map_or((false, value), |value| (true, value));
            let range = value.strip_prefix('#').and_then(range);
            Filter { negated, value: range.unwrap_or(Value::Token(value)) }
        })
        .collect()
}

/// What follows the `#` of a numeric value.
fn range(text: &str) -> Option<Value<'_>> {
    let (low, high) = if let Some(least) = text.strip_prefix(">=") {
        (number(least)?, f64::INFINITY)
    } else if let Some(most) = text.strip_prefix("<=") {
        (f64::NEG_INFINITY, number(most)?)
    } else if let Some(exact) = text.strip_prefix('=') {
        (number(exact)?, number(exact)?)
    } else {
        let (low, high) = text.split_once(':')?;
        (number(low)?, number(high)?)
    };
    Some(Value::Range(low, high))
}

/// `number`.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    // Two points are no number for the standard library either.
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

impl Filter<'_> {
    /// Whether there is a value that both let through.
    fn agrees(&self, other: &Filter<'_>) -> bool {
        match (self.negated, other.negated) {
            (false, false) => self.value.meets(other.value),
            (false, true) => !self.value.is_within(other.value),
            (true, false) => !other.value.is_within(self.value),
            (true, true) => !self.value.leaves_nothing_to(other.value),
        }
    }
}

impl Value<'_> {
    fn meets(self, other: Value<'_>) -> bool {
        match (self, other) {
            (Value::Token(a), Value::Token(b)) => a.eq_ignore_ascii_case(b),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Range(low, high), Value::Range(other_low, other_high)) => {
                low.max(other_low) <= high.min(other_high)
            }
            _ => false,
        }
    }

    fn is_within(self, other: Value<'_>) -> bool {
        match (self, other) {
            (Value::Range(low, high), Value::Range(other_low, other_high)) => {
                low > high || (other_low <= low && high <= other_high)
            }
            (value, other) => value.meets(other),
        }
    }

    /// Whether every number is in one of the two ranges.
    fn leaves_nothing_to(self, other: Value<'_>) -> bool {
        let (Value::Range(low, high), Value::Range(other_low, other_high)) = (self, other) else { return false };
        let is_low_open = low.min(other_low) == f64::NEG_INFINITY;
        let is_high_open = high.max(other_high) == f64::INFINITY;
        is_low_open && is_high_open && self.meets(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AcceptContact;

    #[test]
    fn values_are_compared_by_their_kind() {
        #[track_caller]
        fn check(wanted: &str, has: &str, expected: bool) {
            let params = |text: &str| alloc::format!("*;{text}").parse::<AcceptContact>().unwrap().params;
            let (wanted_params, has_params) = (params(wanted), params(has));
            let (wanted_set, has_set) = (FeatureSet::of(&wanted_params), FeatureSet::of(&has_params));
            assert_eq!(wanted_set.matches(&has_set), expected, "{wanted} of {has}");
            assert_eq!(has_set.matches(&wanted_set), expected, "{has} of {wanted}");
        }
        check("audio", "audio=\"true\"", true);
        check("audio", "+sip.audio=\"FALSE\"", false);
        check("+sip.Audio", "audio;+audio=\"x\"", true);
        check("audio", "video", true); // nothing said against it
        check("events=\"!presence\"", "events=\"presence\"", false);
        check("events=\"!presence\"", "events=\"presence,dialog\"", true);
        check("events=\"!presence\"", "events=\"!presence\"", true);
        check("language=\"EN , de\"", "language=\"de\"", true);
        check("description=\"<PC>\"", "description=\"<pc>\"", false);
        check("description=\"<a,b>\"", "description=\"<a,b>\"", true);
        check("description=\"pc\"", "description=\"<pc>\"", false);
        check("+r=\"#-4:+5.125\"", "+r=\"#=5.125\"", true);
        check("+r=\"#-4:+5.125\"", "+r=\"#>=5.126\"", false);
        check("+r=\"#<=5\"", "+r=\"#5:6\"", true);
        check("+r=\"!#>=5\"", "+r=\"#5:6\"", false);
        check("+r=\"#5:6\"", "+r=\"!#=5\"", true);
        check("+r=\"!#>=5\"", "+r=\"!#<=5\"", false);
        check("+r=\"!#>=5\"", "+r=\"!#<=4\"", true);
        check("+r=\"#6:5\"", "+r=\"!#=9\"", false);
        check("+r=\"#=1e3\"", "+r=\"#=1000\"", false); // the first is a word
        check("+r=\"\"", "+r", false);
    }
}
