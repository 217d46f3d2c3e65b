//! <https://crates.io/crates/sip-core>: texts alone, no types but for CSeq.

use std::hint::black_box;

use anyhow::Context as _;
use bytes::Bytes;
use sip_core::SipMessage;
use sip_core::header::{HeaderName, extract_tag, extract_uri};
use sip_core::message::ParseError;

use super::{Expected, Library};

pub struct Peer;

impl Library for Peer {
    type Message = SipMessage;
    type Error = ParseError;

    fn parse(bytes: &Bytes) -> Result<SipMessage, ParseError> {
        SipMessage::parse(std::str::from_utf8(bytes).map_err(|_| ParseError::Incomplete)?)
    }

    fn is_understood(message: &SipMessage, expected: &Expected) -> anyhow::Result<()> {
        let (cseq, _) = message.cseq().context("finds no CSeq")?;
        let body = message.body().unwrap_or_default().len();
        expected.check(&message.call_id().unwrap_or_default(), cseq, message.headers().len(), body)
    }

    fn proxy(message: &SipMessage) -> Option<()> {
        let value = |name: HeaderName| message.headers().get(&name).map(|value| value.as_str());
        black_box(value(HeaderName::Via)?.split(';').find_map(|param| param.trim().strip_prefix("branch=")));
        black_box((extract_tag(value(HeaderName::From)?), extract_tag(value(HeaderName::To)?)));
        black_box((message.call_id()?, message.cseq()?));
        black_box(value(HeaderName::MaxForwards).and_then(|value| value.parse::<u32>().ok()));
        black_box(value(HeaderName::Other("Route".to_owned())).and_then(extract_uri));
        if let SipMessage::Request(request) = message {
            black_box(request.uri.split('@').next_back());
        }
        Some(())
    }

    fn typed(_: &SipMessage) -> Option<()> {
        None
    }

    fn write(message: &SipMessage) -> Option<()> {
        black_box(message.to_bytes());
        Some(())
    }
}
