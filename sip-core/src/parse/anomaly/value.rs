//! What the values of headers have that they should not.

use super::form::{List, Rules, Shape, form};
use super::text::{after_comment, date, odd_product};
use super::{AnomalyKind, Report};
use crate::class::{self, CALL_ID_WORD, TOKEN};
use crate::digest::{self, DigestHeader};
use crate::grammar::{Stop, Told};
use crate::header::{AddressPart, Deviation, ViaPart, check_readable, is_signed_as_before, no_alert_uri};
use crate::headers::Row;
use crate::{HeaderError, HeaderName, Headers, grammar};

/// Whether a value has a control character where none may stand: not a tab, not the line breaks of a folded row, and not in a
/// `quoted-pair`, where the header has these: in a `quoted-string` or a `comment` (RFC 3261 §25.1).
pub(crate) fn has_control(name: &HeaderName, value: &[u8]) -> bool {
    control_at(name, value).is_some()
}

/// Where the first of these is.
pub(super) fn control_at(name: &HeaderName, value: &[u8]) -> Option<usize> {
    let has_quotes = !matches!(name, HeaderName::Extension(_) | HeaderName::Subject | HeaderName::Organization);
    let has_comments = matches!(name, HeaderName::Server | HeaderName::UserAgent | HeaderName::RetryAfter);
    let (mut in_quotes, mut depth) = (false, 0_u32);
    let mut bytes = value.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' if has_quotes && depth == 0 => in_quotes = !in_quotes,
            b'(' if has_comments && !in_quotes => depth = depth.saturating_add(1),
            b')' if has_comments && !in_quotes => depth = depth.saturating_sub(1),
            b'\\' if in_quotes || depth > 0 => drop(bytes.next()),
            b'\t' | b'\r' | b'\n' => {}
            byte if byte.is_ascii_control() => return Some(at),
            _ => {}
        }
    }
    None
}

/// What is to be known of the rows before.
#[derive(Default)]
pub(super) struct Before {
    has_via: bool,
    contacts: usize,
    /// The row and the column of a `*`.
    star: Option<(usize, Option<usize>)>,
}

impl Before {
    /// Where a `*` stands that is not alone (RFC 3261 §25.1: `Contact`; §10.3, step 6).
    pub(super) fn star_beside_others(&self) -> Option<(usize, Option<usize>)> {
        self.star.filter(|_| self.contacts > 1)
    }
}

/// What is told as deviations, told as what they are called here.
fn as_kinds<'a>(tell: &'a mut impl FnMut(AnomalyKind, &str)) -> impl FnMut(Deviation, &str) + 'a {
    |deviation, place| tell(AnomalyKind::of(deviation, place), place)
}

/// Looks at the value of one row.
pub(super) fn value(value: &str, name: &HeaderName, number: usize, before: &mut Before, report: &mut Report) {
    let (list, shape, rules) = form(name);
    let mut tell = |kind: AnomalyKind, place: &str| {
        report.row(name, number, Stop::at(place).column(value), kind);
    };
    match list {
        List::Some if value.is_empty() => return tell(AnomalyKind::NoValue, value),
        List::Some | List::Any => {
            if let Some(place) = empty_item(value, *name == HeaderName::InReplyTo) {
                tell(AnomalyKind::EmptyListItem, place);
            }
        }
        List::One | List::Lenient => {}
    }
    let items = || {
        let whole = (list == List::One).then_some(value);
        whole.into_iter().chain(grammar::list(if whole.is_some() { "" } else { value }))
    };
    match shape {
        Shape::Other => {}
        Shape::Address(form) => {
            for item in items() {
                let Ok(address) = AddressPart::read(item, HeaderName::From) else {
                    if *name == HeaderName::Contact {
                        before.contacts += 1;
                        if item == "*" {
                            before.star = Some((number, Stop::at(item).column(value)));
                        }
                    }
                    continue;
                };
                before.contacts += usize::from(*name == HeaderName::Contact);
                address.deviations(form, rules, &mut as_kinds(&mut tell));
                address.uri().components(barred(name), |part| tell(AnomalyKind::UriComponent(part), ""));
                if *name == HeaderName::From && !address.has_tag() {
                    tell(AnomalyKind::NoFromTag, "");
                }
            }
        }
        Shape::Via => {
            for via in items().filter_map(ViaPart::of) {
                via.deviations(&mut as_kinds(&mut tell));
                if !core::mem::replace(&mut before.has_via, true) && !via.has_branch() {
                    tell(AnomalyKind::NoBranch, "");
                }
            }
        }
        Shape::Params => items().for_each(|item| params(item, rules, &mut as_kinds(&mut tell))),
        Shape::CommentAndParams => {
            let comment = value.find('(').and_then(|at| value.get(at..));
            params(comment.and_then(after_comment).unwrap_or(value), rules, &mut as_kinds(&mut tell));
        }
        Shape::CallId => {
            let (word, rest) = value.split_once('@').unwrap_or((value, "x"));
            for word in [word, rest] {
                let odd = word.get(class::span(word.as_bytes(), CALL_ID_WORD)..).unwrap_or(word);
                if word.is_empty() || !odd.is_empty() {
                    return tell(AnomalyKind::CallId, odd);
                }
            }
        }
        Shape::Date => date(value).into_iter().for_each(|kind| tell(kind, value)),
        Shape::Digest(header) => {
            // A confirmation has no scheme, and is a list as any other.
            let (scheme, list) = class::split(value, TOKEN);
            if header != DigestHeader::Confirmation
                && scheme.eq_ignore_ascii_case("Digest")
                && let Some(place) = empty_item(list, false)
            {
                tell(AnomalyKind::EmptyListItem, place);
            }
            digest::deviations(header, value, &mut |deviation, at| {
                tell(deviation.into(), value.get(at..).unwrap_or_default());
            });
        }
        Shape::Products => {
            if let Some(rest) = odd_product(value) {
                tell(AnomalyKind::Product, rest);
            }
        }
    }
}

/// The components that a SIP URI may not have in this header (RFC 3261 §19.1.1, table 1).
fn barred(name: &HeaderName) -> &'static [&'static str] {
    match name {
        HeaderName::From | HeaderName::To => &["port", "method", "maddr", "ttl", "transport", "lr", "headers"],
        HeaderName::Route | HeaderName::RecordRoute => &["method", "ttl", "headers"],
        HeaderName::Contact => &["method"],
        _ => &[],
    }
}

/// Tells what the parameters have that follow something without semicolons, but maybe in quotes.
fn params(item: &str, rules: Rules, told: Told<'_>) {
    let rest = grammar::quoted_string(item).map_or(item, |(rest, _)| rest);
    let params = rest.find(';').and_then(|at| rest.get(at..)).map(grammar::params_part);
    if let Some(Ok((_, params))) = params {
        params.deviations(rules, told);
    }
}

/// Where a list has nothing between commas, or before or behind one; `plain` if quotes and brackets do not hide any.
fn empty_item(value: &str, plain: bool) -> Option<&str> {
    let mut rest = value;
    loop {
        let comma = if plain { rest.find(',') } else { grammar::next_comma(rest) };
        match comma.and_then(|at| rest.split_at_checked(at)) {
            Some((item, after)) if class::trim_wsp(item).is_empty() => return Some(after),
            Some((_, after)) => rest = after.get(1..).unwrap_or_default(),
            None => return (class::trim_wsp(rest).is_empty() && !value.is_empty()).then_some(rest),
        }
    }
}

/// Why a header that nobody has asked for is malformed, and in which row, if it is; its first one is this.
pub(super) fn malformed(headers: &Headers, row: &Row, number: usize) -> Option<(HeaderError, usize)> {
    macro_rules! check {
        ($($header:ident)*) => {
            match row.name.name()? {
                $(HeaderName::$header => headers.all::<crate::$header>().err(),)*
                _ => None,
            }
        };
    }
    let name = row.name.name()?;
    if is_signed_as_before(name, headers.value(row)) {
        return None;
    }
    let error = crate::header::for_each_header!(check).or_else(|| match name {
        // A text in its place is read.
        HeaderName::AlertInfo => headers.raw_all(name).flat_map(grammar::list).find_map(no_alert_uri),
        _ => None,
    });
    // A header that may stand once and stands twice is reported as that.
    let error = error.filter(|error| !matches!(error, HeaderError::Repeated { .. }))?;
    // Of a list that is read as a whole, the row that is wrong has the column.
    let rows = headers.rows().iter().zip(1..).filter(|(other, _)| other.name == row.name);
    let mut wrong =
        rows.filter_map(|(other, number)| Some((check_readable(name, headers.value(other)).err()?, number)));
    Some(wrong.next().unwrap_or((error, number)))
}
