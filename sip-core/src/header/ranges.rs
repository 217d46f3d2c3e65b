//! What the Accept headers have in common: ranges of values, each with how much it is liked.

use alloc::string::String;
use alloc::vec::Vec;

use super::contact::thousandths;
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
            Some((params, q, extensions)) => {
                // What is no `qvalue` says no more than its absence.
                let q = q.as_deref().and_then(thousandths).unwrap_or(1000);
                Range { name, params, q, extensions }
            }
        })
    };
    grammar::list(value).map(range).collect()
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
            assert_eq!(thousandths(text), Some(q), "{text}");
            let mut out = String::new();
            write(&[Range { q, ..Range::new("a".into(), Params::new()) }], &mut out);
            assert_eq!(out, format!("a;q={written}"));
        }
        for text in ["2", "x", ".5", "0.x", "", "-0", "1.5"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
        let value = ByteStr::from("a;q=2, a, a;q, a;q=1.000");
        let ranges = read(&value, |item| Some(("a".into(), item.strip_prefix('a')?))).unwrap();
        assert_eq!(ranges.iter().map(|range| range.q).collect::<Vec<_>>(), [1000; 4]);
    }
}
