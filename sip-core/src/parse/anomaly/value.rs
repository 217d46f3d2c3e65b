//! What the values of headers have that they should not.

use super::{AnomalyKind, Report};
use crate::class::{self, CALL_ID_WORD};
use crate::header::{AddressPart, Deviation, ViaPart, is_signed_as_before, no_alert_uri};
use crate::headers::Row;
use crate::{HeaderError, HeaderName, Headers, grammar};

/// Whether a value has a control character where none may stand: not a tab, not the line breaks of a folded row, and not in a
/// `quoted-pair`, where the header has these: in a `quoted-string` or a `comment` (RFC 3261 §25.1).
pub(crate) fn has_control(name: &HeaderName, value: &[u8]) -> bool {
    let has_quotes = !matches!(name, HeaderName::Extension(_) | HeaderName::Subject | HeaderName::Organization);
    let has_comments = matches!(name, HeaderName::Server | HeaderName::UserAgent | HeaderName::RetryAfter);
    let (mut in_quotes, mut depth) = (false, 0_u32);
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if has_quotes && depth == 0 => in_quotes = !in_quotes,
            b'(' if has_comments && !in_quotes => depth = depth.saturating_add(1),
            b')' if has_comments && !in_quotes => depth = depth.saturating_sub(1),
            b'\\' if in_quotes || depth > 0 => drop(bytes.next()),
            b'\t' | b'\r' | b'\n' => {}
            byte if byte.is_ascii_control() => return true,
            _ => {}
        }
    }
    false
}

/// Looks at the value of one row.
pub(super) fn value(headers: &Headers, row: &Row, name: &HeaderName, number: usize, report: &mut Report) {
    let value = headers.value(row);
    let is_list = matches!(
        name,
        HeaderName::Via
            | HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::Contact
            | HeaderName::Path
            | HeaderName::ServiceRoute
    );
    if is_list && has_empty_items(value) {
        report.row(name, number, AnomalyKind::EmptyListItem);
    }
    match name {
        HeaderName::CallId => {
            let (word, rest) = value.split_once('@').unwrap_or((value, "x"));
            let is_word = |word: &str| !word.is_empty() && class::all(word.as_bytes(), CALL_ID_WORD);
            if !is_word(word) || !is_word(rest) {
                report.row(name, number, AnomalyKind::CallId);
            }
        }
        HeaderName::Via => {
            for via in grammar::list(value).filter_map(ViaPart::of) {
                via.deviations(&mut |deviation| report.row(name, number, deviation.into()));
            }
            let is_top = !headers.rows().iter().take(number - 1).any(|other| other.name == row.name);
            let top = grammar::list(value).next().and_then(ViaPart::of);
            if is_top && top.is_some_and(|via| !via.has_branch()) {
                report.row(name, number, AnomalyKind::NoBranch);
            }
        }
        HeaderName::ReplyTo | HeaderName::ReferTo | HeaderName::ReferredBy => {
            if let Ok(address) = AddressPart::read(value, HeaderName::From) {
                address.deviations(&mut |deviation| report.row(name, number, deviation.into()));
            }
        }
        HeaderName::From | HeaderName::To => {
            if let Ok(address) = AddressPart::read(value, HeaderName::From) {
                address.deviations_with_tag(&mut |deviation| report.row(name, number, deviation.into()));
                let barred = ["port", "method", "maddr", "ttl", "transport", "lr", "headers"];
                address
                    .uri()
                    .components(&barred, &mut |part| report.row(name, number, AnomalyKind::UriComponent(part)));
                if *name == HeaderName::From && !address.has_tag() {
                    report.row(name, number, AnomalyKind::NoFromTag);
                }
            }
        }
        HeaderName::Route
        | HeaderName::RecordRoute
        | HeaderName::Contact
        | HeaderName::Path
        | HeaderName::ServiceRoute => {
            let addresses = grammar::list(value).filter_map(|item| AddressPart::read(item, HeaderName::Contact).ok());
            let barred: &[&str] = match name {
                HeaderName::Route | HeaderName::RecordRoute => &["method", "ttl", "headers"],
                HeaderName::Contact => &["method"],
                _ => &[],
            };
            for address in addresses {
                let mut told = |deviation: Deviation| report.row(name, number, deviation.into());
                match name {
                    HeaderName::Contact => address.deviations_with_q(&mut told),
                    _ => address.deviations(&mut told),
                }
                address.uri().components(barred, &mut |part| report.row(name, number, AnomalyKind::UriComponent(part)));
            }
        }
        _ => {}
    }
}

/// Whether a list has commas with nothing between them.
fn has_empty_items(value: &str) -> bool {
    let mut rest = value;
    loop {
        match grammar::next_comma(rest).and_then(|at| rest.split_at_checked(at)) {
            Some((item, _)) if class::trim_wsp(item).is_empty() => return true,
            Some((_, after)) => rest = after.get(1..).unwrap_or_default(),
            None => return class::trim_wsp(rest).is_empty() && !value.is_empty(),
        }
    }
}

/// Why a header that nobody has asked for is malformed, if it is.
pub(super) fn malformed(headers: &Headers, row: &Row) -> Option<HeaderError> {
    macro_rules! check {
        ($($header:ident)*) => {
            match row.name.name()? {
                $(HeaderName::$header => headers.all::<crate::$header>().err(),)*
                _ => None,
            }
        };
    }
    if is_signed_as_before(row.name.name()?, headers.value(row)) {
        return None;
    }
    let error = crate::header::for_each_header!(check).or_else(|| match row.name.name()? {
        // A text in its place is read.
        name @ HeaderName::AlertInfo => headers.raw_all(name).flat_map(grammar::list).find_map(no_alert_uri),
        _ => None,
    });
    // A header that may stand once and stands twice is reported as that.
    error.filter(|error| !matches!(error, HeaderError::Repeated { .. }))
}
