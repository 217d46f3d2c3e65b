//! What the Accept headers have in common: ranges of values, each with how much it is liked.

use alloc::string::String;
use alloc::vec::Vec;

use crate::class::skip_wsp;
use crate::{ByteStr, Params, grammar};

/// One range of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Range {
    /// What is liked.
    pub(super) name: ByteStr,
    /// The parameters before `q`: those of a media type.
    pub(super) params: Params,
    /// How much, from 0 to 1,000.
    pub(super) q: u16,
    /// The parameters behind `q`.
    extensions: Params,
}

impl Range {
    /// What is liked as much as can be.
    pub(super) fn new(name: ByteStr, params: Params) -> Self {
        Range { name, params, q: 1000, extensions: Params::new() }
    }
}

/// Reads ranges between commas, of which `name` reads the start and says what follows.
pub(super) fn read<'a>(
    value: &'a ByteStr,
    name: impl Fn(&'a str) -> Option<(ByteStr, &'a str)>,
) -> Result<Vec<Range>, &'a str> {
    let range = |item: &'a str| {
        let (name, rest) = name(item).ok_or(item)?;
        let (rest, params) = grammar::params(value, rest).map_err(|_| rest)?;
        if !skip_wsp(rest).is_empty() {
            return Err(rest);
        }
        Ok(match params.split_at("q") {
            None => Range::new(name, params),
            Some((params, q, extensions)) => Range { name, params, q: thousandths(q.as_deref()), extensions },
        })
    };
    grammar::list(value).map(range).collect()
}

/// `qvalue` in thousandths. What is finer than that is cut off; what is none says no more than its absence: 1,000.
fn thousandths(q: Option<&str>) -> u16 {
    let (whole, fraction) = q.unwrap_or_default().split_once('.').unwrap_or((q.unwrap_or_default(), ""));
    if whole != "0" || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return 1000;
    }
    fraction.bytes().zip([100, 10, 1]).map(|(digit, unit)| u16::from(digit - b'0') * unit).sum()
}

/// Writes ranges between commas.
pub(super) fn write(ranges: &[Range], out: &mut String) {
    grammar::write_list(out, ", ", ranges, |out, Range { name, params, q, extensions }| {
        out.push_str(name);
        params.write(out);
        if *q < 1000 {
            out.push_str(";q=0");
            let mut left = *q;
            out.push_str(if left > 0 { "." } else { "" });
            for unit in [100, 10, 1] {
                if left > 0 {
                    grammar::write_number(out, u32::from(left / unit));
                    left %= unit;
                }
            }
        } else if !extensions.is_empty() {
            out.push_str(";q=1");
        }
        extensions.write(out);
    });
}

/// The most that those of the ranges are liked that `specificity` ranks highest; `None` if it ranks none.
pub(super) fn quality<R: Ord>(ranges: &[Range], specificity: impl Fn(&Range) -> Option<R>) -> Option<u16> {
    let ranked = ranges.iter().filter_map(|range| Some((specificity(range)?, range.q)));
    ranked.max().map(|(_, q)| q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quality_has_three_digits() {
        for (text, q, written) in [
            ("0", 0, "0"),
            ("0.", 0, "0"),
            ("0.5", 500, "0.5"),
            ("0.05", 50, "0.05"),
            ("0.001", 1, "0.001"),
            ("0.0009", 0, "0"),
            ("0.9999", 999, "0.999"),
        ] {
            assert_eq!(thousandths(Some(text)), q, "{text}");
            let mut out = String::new();
            write(&[Range { q, ..Range::new("a".into(), Params::new()) }], &mut out);
            assert_eq!(out, format!("a;q={written}"));
        }
        for text in ["1", "1.000", "2", "x", ".5", "0.x", "", "-0"] {
            assert_eq!(thousandths(Some(text)), 1000, "{text}");
        }
        assert_eq!(thousandths(None), 1000);
    }
}
