//! What messages need that are made to be expensive: no limits, and what is mandatory around the header that is.

use blether_sip_core::Limits;
use bytes::Bytes;

/// Limits that let everything through.
pub(crate) fn wide_open() -> Limits {
    Limits {
        max_message: usize::MAX,
        max_start_line: usize::MAX,
        max_header_section: usize::MAX,
        max_headers: usize::MAX,
        max_header_value: usize::MAX,
        max_list_items: usize::MAX,
        max_body: usize::MAX,
    }
}

/// An INVITE with these lines behind the mandatory headers.
pub(crate) fn message_with(more: &str) -> Bytes {
    let text = format!(
        "INVITE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n\
         Call-ID: 1\r\nCSeq: 1 INVITE\r\n{more}\r\n\r\n"
    );
    text.into()
}
