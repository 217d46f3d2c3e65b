//! Start lines, hops and addresses in the shape that nearly all of them have, read in one pass over their bytes.
//!
//! What is read here is exactly what the rules in [`crate::grammar`], [`crate::uri`] and [`crate::header`] read of the same text, and
//! what they would take but is not of this shape is left to them: white space between the parts, quoted parameters, escapes, passwords,
//! IPv6, schemes other than `sip`, bytes beyond ASCII. All that is wrong is, so errors come from the rules alone.

use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;

use memchr::memchr2;

use crate::class::{self, BARE_VALUE, LENIENT_USER, TOKEN, URI_PARAM, WSP};
use crate::grammar::MAX_PARAMS;
use crate::header::Via;
use crate::host::{ipv4, name_at_start};
use crate::{ByteStr, Host, NameAddr, Params, SipUri, Uri};

/// Up to how many bytes of a name are looked at one by one.
const NEAR: usize = 24;

/// A part of the text that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// `host [ ":" port ]`.
#[derive(Debug, Clone, Copy)]
struct HostPort {
    host: HostSpan,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
enum HostSpan {
    Name(Span),
    /// A number, which is moved about faster than bytes.
    V4(u32),
}

/// `SIP/2.0/transport host:port;params`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HopSpans {
    transport: Span,
    sent_by: HostPort,
    params: Span,
}

/// `sip:user@host:port;params`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UriSpans {
    user: Option<Span>,
    host: HostPort,
    params: Span,
}

/// `"Name" <sip:user@host>;params`, with or without the name and its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressSpans {
    display_name: Span,
    uri: UriSpans,
    params: Span,
    /// The value of the first `tag`.
    tag: Option<Span>,
}

/// `METHOD uri SIP/2.0` with the end of its line.
pub(crate) struct RequestLine {
    pub(crate) method: Range<usize>,
    pub(crate) uri: Range<usize>,
    pub(crate) uri_spans: UriSpans,
    pub(crate) end: usize,
}

/// The request line that a message starts with.
#[inline(always)]
pub(crate) fn request_line(message: &[u8]) -> Option<RequestLine> {
    let method_end = class::skip(message, 0, TOKEN);
    if method_end == 0 || message.get(method_end) != Some(&b' ') {
        return None;
    }
    let start = method_end + 1;
    let (uri_spans, end) = uri(message, start)?;
    let version = b" SIP/2.0\r\n";
    let is_ours = message.get(end..).is_some_and(|rest| rest.starts_with(version));
    is_ours.then(|| RequestLine { method: 0..method_end, uri: start..end, uri_spans, end: end + version.len() })
}

/// Where the URI ends that starts at `at`; see [`uri`].
#[inline(never)]
pub(crate) fn uri_end(text: &[u8], at: usize) -> Option<usize> {
    uri(text, at).map(|(_, end)| end)
}

/// The value of the first `tag` of the address that all of `text` is, if it has one; see [`address`].
#[inline(never)]
pub(crate) fn tag_in_address(text: &[u8]) -> Option<Option<Span>> {
    address(text).map(|address| address.tag)
}

/// The hop that starts at `at`, and where it ends: at a comma or at the end of the text.
#[inline(always)]
pub(crate) fn hop(text: &[u8], at: usize) -> Option<(HopSpans, usize)> {
    let protocol = b"SIP/2.0/";
    if is_too_long(text) || !text.get(at..)?.starts_with(protocol) {
        return None;
    }
    let start = at + protocol.len();
    let end = class::skip(text, start, TOKEN);
    let host = class::skip_wsp_at(text, end);
    if end == start || host == end {
        return None;
    }
    let (sent_by, params_start) = host_port(text, host)?;
    let params_end = params(text, params_start, |_, _| ())?;
    let hop = HopSpans { transport: span(start, end), sent_by, params: span(params_start, params_end) };
    matches!(text.get(params_end), None | Some(b',')).then_some((hop, params_end))
}

/// The address that all of `text` is.
#[inline(always)]
pub(crate) fn address(text: &[u8]) -> Option<AddressSpans> {
    if is_too_long(text) {
        return None;
    }
    let (display_name, bracket) = match text.first()? {
        b'<' => (span(0, 0), 0),
        b'"' => {
            let end = name_end(text)?;
            (span(1, end), class::skip_wsp_at(text, end + 1))
        }
        _ => {
            let start = class::skip_wsp_at(text, 0);
            let bracket = class::skip(text, start, TOKEN | WSP);
            let mut end = bracket;
            while end > start && matches!(text.get(end - 1), Some(b' ' | b'\t')) {
                end -= 1;
            }
            (span(start, end), bracket)
        }
    };
    if text.get(bracket) != Some(&b'<') {
        return None;
    }
    let (uri, uri_end) = uri(text, bracket + 1)?;
    if text.get(uri_end) != Some(&b'>') {
        return None;
    }
    let mut tag = None;
    let params_end = params(text, uri_end + 1, |name, value| {
        if tag.is_none() && text.get(name).is_some_and(|name| name.eq_ignore_ascii_case(b"tag")) {
            tag = Some(value.map(|value| span(value.start, value.end)));
        }
    })?;
    let spans = AddressSpans { display_name, uri, params: span(uri_end + 1, params_end), tag: tag.flatten() };
    (params_end == text.len()).then_some(spans)
}

/// Where the quotes end that a name in front of an address starts with, if all between them is ASCII without backslashes.
#[inline(always)]
fn name_end(text: &[u8]) -> Option<usize> {
    // Most are short, and a search costs more than a look at these.
    let near = text.get(..NEAR).unwrap_or(text);
    let mut end = 1;
    while let Some(byte) = near.get(end)
        && byte.is_ascii()
        && !matches!(byte, b'"' | b'\\')
    {
        end += 1;
    }
    if end == near.len() {
        let rest = text.get(end..)?;
        let found = memchr2(b'"', b'\\', rest)?;
        if !rest.get(..found)?.is_ascii() {
            return None;
        }
        end += found;
    }
    (text.get(end) == Some(&b'"')).then_some(end)
}

/// The URI that starts at `at`, and where it ends: where none of its characters follows.
#[inline(always)]
pub(crate) fn uri(text: &[u8], at: usize) -> Option<(UriSpans, usize)> {
    let scheme = b"sip:";
    if is_too_long(text) || !text.get(at..)?.starts_with(scheme) {
        return None;
    }
    let start = at + scheme.len();
    // A URI without a user has none of these behind it: no `@` may stand in its other parts.
    let user_end = class::skip(text, start, LENIENT_USER);
    let (user, host_start) = match text.get(user_end) {
        Some(b'@') if user_end > start => (Some(span(start, user_end)), user_end + 1),
        Some(b'@') => return None,
        _ => (None, start),
    };
    let (host, params_start) = host_port(text, host_start)?;
    let (mut end, mut count) = (params_start, 0);
    while text.get(end) == Some(&b';') {
        let name = end + 1;
        end = class::skip(text, name, URI_PARAM);
        if end == name {
            return None;
        }
        if text.get(end) == Some(&b'=') {
            end = class::skip(text, end + 1, URI_PARAM);
        }
        count += 1;
    }
    let ends = matches!(text.get(end), None | Some(b'>' | b' '));
    (ends && count <= MAX_PARAMS).then_some((UriSpans { user, host, params: span(params_start, end) }, end))
}

/// `host [ ":" port ]` at `at`, and where it ends.
#[inline(always)]
fn host_port(text: &[u8], at: usize) -> Option<(HostPort, usize)> {
    let tail = text.get(at..)?;
    let address = if tail.first()?.is_ascii_digit() { ipv4(tail) } else { None };
    let (host, end) = match address {
        Some((length, ip)) => (HostSpan::V4(ip.to_bits()), at + length),
        None => match name_at_start(tail) {
            (length, true) => (HostSpan::Name(span(at, at + length)), at + length),
            _ => return None,
        },
    };
    if text.get(end) != Some(&b':') {
        return Some((HostPort { host, port: None }, end));
    }
    let (port, end) = number(text, end + 1)?;
    Some((HostPort { host, port: Some(u16::try_from(port).ok()?) }, end))
}

/// `1*9DIGIT` at `at`, and where they end.
#[inline]
pub(crate) fn number(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let (mut number, mut end) = (0_u32, at);
    while let Some(digit @ b'0'..=b'9') = text.get(end) {
        number = number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        end += 1;
    }
    (1..=9).contains(&(end - at)).then_some((number, end))
}

/// The number that all of `text` is.
#[inline]
pub(crate) fn whole_number(text: &[u8]) -> Option<u32> {
    number(text, 0).filter(|(_, end)| *end == text.len()).map(|(number, _)| number)
}

/// A number under 1,000,000,000, one space and a method: the number and where the method starts.
#[inline]
pub(crate) fn cseq(text: &[u8]) -> Option<(u32, usize)> {
    let (number, end) = number(text, 0)?;
    let method = end + 1;
    let is_cseq = text.get(end) == Some(&b' ') && method < text.len() && class::skip(text, method, TOKEN) == text.len();
    is_cseq.then_some((number, method))
}

/// `*( ";" name [ "=" value ] )` at `at`, each of which `found` is told, and where they end.
#[inline(always)]
fn params(text: &[u8], at: usize, mut found: impl FnMut(Range<usize>, Option<Range<usize>>)) -> Option<usize> {
    let (mut at, mut count) = (at, 0);
    while text.get(at) == Some(&b';') {
        let name = at + 1;
        let name_end = class::skip(text, name, TOKEN);
        if name_end == name {
            return None;
        }
        at = name_end;
        if text.get(name_end) == Some(&b'=') {
            let value = name_end + 1;
            at = class::skip(text, value, BARE_VALUE);
            if at == value {
                return None;
            }
            found(name..name_end, Some(value..at));
        } else {
            found(name..name_end, None);
        }
        count += 1;
    }
    (count <= MAX_PARAMS).then_some(at)
}

impl HostPort {
    fn to_host(self, whole: &ByteStr, base: usize) -> Host {
        match self.host {
            HostSpan::Name(name) => Host::Name(part(whole, base, name)),
            HostSpan::V4(ip) => Host::V4(Ipv4Addr::from_bits(ip)),
        }
    }
}

impl HopSpans {
    /// Where the parameters are, from the first semicolon on.
    pub(crate) fn params(self) -> Range<usize> {
        self.params.within(0)
    }

    /// The address that it names, if it is one.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self.sent_by.host {
            HostSpan::Name(_) => None,
            HostSpan::V4(ip) => Some(Ipv4Addr::from_bits(ip).into()),
        }
    }

    /// The hop, sharing the memory of `whole`, in which the text that was read starts at `base`.
    pub(crate) fn to_via(self, whole: &ByteStr, base: usize) -> Via {
        let transport = whole.as_bytes().get(self.transport.within(base)).unwrap_or_default();
        Via {
            transport: Via::known_transport(transport).unwrap_or_else(|| part(whole, base, self.transport)),
            host: self.sent_by.to_host(whole, base),
            port: self.sent_by.port,
            params: Params::from_text(part(whole, base, self.params)),
        }
    }
}

impl UriSpans {
    /// The URI, sharing the memory of `whole`, in which the text that was read starts at `base`.
    pub(crate) fn to_uri(self, whole: &ByteStr, base: usize) -> Uri {
        Uri::Sip(SipUri {
            secure: false,
            user: self.user.map(|user| part(whole, base, user)),
            password: None,
            host: self.host.to_host(whole, base),
            port: self.host.port,
            params: Params::from_text(part(whole, base, self.params)),
            headers: None,
        })
    }
}

impl AddressSpans {
    /// The address, sharing the memory of `whole`, in which the text that was read starts at `base`.
    pub(crate) fn to_address(self, whole: &ByteStr, base: usize) -> NameAddr {
        NameAddr {
            display_name: Some(part(whole, base, self.display_name)).filter(|name| !name.as_bytes().is_empty()),
            uri: self.uri.to_uri(whole, base),
            params: Params::from_text(part(whole, base, self.params)),
        }
    }
}

impl Span {
    /// The span in a text in which the one that was read starts at `base`.
    #[inline]
    pub(crate) fn within(self, base: usize) -> Range<usize> {
        base + self.start as usize..base + self.end as usize
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "texts that are too long are not read")]
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

/// Whether there are more bytes than a [`Span`] can say.
#[inline(always)]
fn is_too_long(text: &[u8]) -> bool {
    u32::try_from(text.len()).is_err()
}

fn part(whole: &ByteStr, base: usize, span: Span) -> ByteStr {
    whole.part(span.within(base))
}

#[cfg(test)]
mod tests;
