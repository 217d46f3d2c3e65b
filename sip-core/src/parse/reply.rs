//! The answer to a request that could not be read, made of the few headers that it must repeat.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;
use md5::{Digest, Md5};
use memchr::{memchr, memmem};

use super::rows::next_row;
use crate::header::To;
use crate::{ByteStr, HeaderName, StatusCode, TypedHeader, Via, grammar};

/// The most bytes of a request that are sent back, all values together.
const MAX_ECHO: usize = 4_096;
/// How far into a request to look for them, in bytes.
const MAX_SCAN: usize = 65_535;
/// The most bytes that the To header may become longer by.
const MAX_ADDED: usize = 64;
/// The longest reason phrase, in bytes.
const MAX_REASON: usize = 160;

/// The values that a response repeats, on one line each.
#[derive(Default)]
struct Echo {
    vias: Vec<Vec<u8>>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    call_id: Option<Vec<u8>>,
    cseq: Option<Vec<u8>>,
}

pub(super) fn reply(request: &Bytes, status: StatusCode, reason: &str, source: SocketAddr) -> Option<Bytes> {
    let mut echo = collect(request)?;
    let top = echo.vias.first_mut()?;
    if let Some(marked) = mark(top, source) {
        *top = marked;
    }
    if let Some(to) = &mut echo.to {
        let hash = tag(top, echo.call_id.as_deref(), echo.cseq.as_deref());
        let read = ByteStr::from_utf8(to.clone().into()).and_then(|value| To::parse_value(value).ok());
        match read {
            // A `tag` without a value would hide another behind it.
            Some(To(address)) if address.params.get("tag") == Some(None) => {
                let tagged = address.with_tag(&format!("{hash:016x}")).to_string().into_bytes();
                // With many escapes that were missing it goes back as it came, so that nobody is sent much more than he sent.
                if tagged.len() <= to.len() + MAX_ADDED {
                    *to = tagged;
                }
            }
            Some(To(address)) if address.tag().is_none() => {
                to.extend_from_slice(format!(";tag={hash:016x}").as_bytes());
            }
            _ => {}
        }
    }
    let mut out = format!("SIP/2.0 {status} {}\r\n", phrase(reason)).into_bytes();
    let mut row = |name: HeaderName, value: &[u8]| {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    for via in &echo.vias {
        row(HeaderName::Via, via);
    }
    for (name, value) in [
        (HeaderName::From, &echo.from),
        (HeaderName::To, &echo.to),
        (HeaderName::CallId, &echo.call_id),
        (HeaderName::CSeq, &echo.cseq),
    ] {
        if let Some(value) = value {
            row(name, value);
        }
    }
    row(HeaderName::ContentLength, b"0");
    out.extend_from_slice(b"\r\n");
    Some(out.into())
}

/// The headers to repeat; lines that are no headers are passed over. `None` if they are too long or not to be repeated.
fn collect(request: &Bytes) -> Option<Echo> {
    let message = &*with_line_ends(request.get(..request.len().min(MAX_SCAN))?);
    let mut at = memchr(b'\n', message)? + 1;
    let mut left = MAX_ECHO;
    let mut echo = Echo::default();
    while let Some(row) = next_row(message, at) {
        let row = match row {
            Ok(found) => found.row,
            Err(next) => {
                at = next;
                continue;
            }
        };
        at = row.end as usize;
        let value = message.get(row.value as usize..row.value_end as usize)?;
        let slot = match row.name.name() {
            Some(HeaderName::Via) => {
                left = left.checked_sub(value.len())?;
                echo.vias.push(one_line(value)?);
                continue;
            }
            Some(HeaderName::From) => &mut echo.from,
            Some(HeaderName::To) => &mut echo.to,
            Some(HeaderName::CallId) => &mut echo.call_id,
            Some(HeaderName::CSeq) => &mut echo.cseq,
            _ => continue,
        };
        if slot.is_none() {
            left = left.checked_sub(value.len())?;
            *slot = Some(one_line(value)?);
        }
    }
    Some(echo)
}

/// The request with CR LF where all lines of its header section end in LF alone: then nobody can take it for another one. If only some do,
/// those are passed over.
fn with_line_ends(message: &[u8]) -> Cow<'_, [u8]> {
    let section = memmem::find(message, b"\n\n").and_then(|end| message.get(..end + 2));
    match section {
        Some(section) if memchr(b'\r', section).is_none() => {
            let lines = section.split_inclusive(|byte| *byte == b'\n');
            Cow::Owned(
                lines.flat_map(|line| [line.strip_suffix(b"\n").unwrap_or(line), b"\r\n"]).flatten().copied().collect(),
            )
        }
        _ => Cow::Borrowed(message),
    }
}

/// A value with its folding undone; `None` if it has other control characters, which nobody must be sent.
fn one_line(value: &[u8]) -> Option<Vec<u8>> {
    let mut line = Vec::with_capacity(value.len());
    for part in value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|part| !part.is_empty()) {
        if part.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return None;
        }
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(part);
    }
    Some(line)
}

/// The value with `received` and `rport` in its first Via; `None` if that cannot be read, and then it goes back as it is.
fn mark(value: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let value = core::str::from_utf8(value).ok()?;
    // Commas with nothing before them are no value.
    let value = value.trim_start_matches([',', ' ', '\t']);
    let first = grammar::list(value).next()?;
    let rest = value.get(grammar::next_comma(value).unwrap_or(value.len())..)?;
    let mut via = Via::parse_value(first.into()).ok()?;
    let asks = via.rport().is_some();
    if asks {
        via.set_rport(Some(source.port()));
    }
    if asks || via.host.ip() != Some(source.ip().to_canonical()) {
        via.set_received(source.ip().to_canonical());
    } else {
        via.params.remove("received"); // the sender's own claim
    }
    let mut marked = String::new();
    via.write(&mut marked);
    marked.push_str(rest);
    Some(marked.into_bytes())
}

/// The same for each copy of a request, without keeping any state.
fn tag(top_via: &[u8], call_id: Option<&[u8]>, cseq: Option<&[u8]>) -> u64 {
    let mut hasher = Md5::new();
    for part in [top_via, call_id.unwrap_or_default(), cseq.unwrap_or_default()] {
        hasher.update(part);
        hasher.update(b"\n");
    }
    hasher.finalize().first_chunk::<8>().copied().map_or(0, u64::from_be_bytes)
}

/// The reason as a phrase that ends with its line: visible ASCII, and not too long.
fn phrase(reason: &str) -> String {
    reason.chars().take(MAX_REASON).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
