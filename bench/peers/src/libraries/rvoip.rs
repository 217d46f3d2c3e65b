//! <https://crates.io/crates/rvoip-sip-core>, which makes a value of each header at once.

use std::hint::black_box;

use anyhow::Context as _;
use bytes::Bytes;
use rvoip_sip_core::types::sip_message::Message;
use rvoip_sip_core::types::{max_forwards::MaxForwards, route::Route};

use super::{Expected, Library};

pub struct Peer;

impl Library for Peer {
    type Message = Message;
    type Error = rvoip_sip_core::Error;

    fn parse(bytes: &Bytes) -> Result<Message, Self::Error> {
        rvoip_sip_core::parse_message(bytes)
    }

    fn is_understood(message: &Message, expected: &Expected) -> anyhow::Result<()> {
        let call_id = message.call_id().context("finds no Call-ID")?.to_string();
        let cseq = message.typed_header::<rvoip_sip_core::CSeq>().context("finds no CSeq")?.seq;
        expected.check(&call_id, cseq, message.all_headers().len(), message.body().len())
    }

    fn proxy(message: &Message) -> Option<()> {
        black_box(message.first_via()?);
        black_box((message.from()?.tag(), message.to()?.tag()));
        black_box((message.call_id()?, message.typed_header::<rvoip_sip_core::CSeq>()?));
        black_box((message.typed_header::<MaxForwards>(), message.typed_header::<Route>()));
        black_box(message.as_request().map(|request| request.uri()));
        Some(())
    }

    fn typed(message: &Message) -> Option<()> {
        black_box(message.all_headers());
        Self::proxy(message)
    }

    fn write(message: &Message) -> Option<()> {
        black_box(message.to_bytes());
        Some(())
    }
}
