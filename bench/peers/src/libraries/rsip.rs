//! <https://crates.io/crates/rsip>

use std::hint::black_box;

use bytes::Bytes;
use rsip::prelude::*;
use rsip::{Header, SipMessage};

use super::{Expected, Library};

pub struct Peer;

impl Library for Peer {
    type Message = SipMessage;
    type Error = rsip::Error;

    fn parse(bytes: &Bytes) -> Result<SipMessage, Self::Error> {
        SipMessage::try_from(&bytes[..])
    }

    fn is_understood(message: &SipMessage, expected: &Expected) -> anyhow::Result<()> {
        let cseq = message.cseq_header()?.typed()?.seq;
        let body = message.body().len();
        expected.check(message.call_id_header()?.value(), cseq, message.headers().iter().count(), body)
    }

    fn proxy(message: &SipMessage) -> Option<()> {
        black_box(message.via_header().ok()?.typed().ok()?.branch());
        black_box(message.from_header().ok()?.typed().ok()?.tag());
        black_box(message.to_header().ok()?.typed().ok()?.tag());
        black_box((message.call_id_header().ok()?.value(), message.cseq_header().ok()?.typed().ok()?));
        black_box(message.max_forwards_header().ok().and_then(|header| header.num().ok()));
        black_box(message.route_header().map(|route| route.typed()));
        if let SipMessage::Request(request) = message {
            black_box(request.uri().host());
        }
        Some(())
    }

    fn typed(message: &SipMessage) -> Option<()> {
        for header in message.headers().iter() {
            match header {
                Header::Via(via) => drop(black_box(via.typed())),
                Header::From(from) => drop(black_box(from.typed())),
                Header::To(to) => drop(black_box(to.typed())),
                Header::CSeq(cseq) => drop(black_box(cseq.typed())),
                Header::Contact(contact) => drop(black_box(contact.typed())),
                Header::Route(route) => drop(black_box(route.typed())),
                Header::RecordRoute(route) => drop(black_box(route.typed())),
                Header::Allow(allow) => drop(black_box(allow.typed())),
                Header::Authorization(credentials) => drop(black_box(credentials.typed())),
                Header::ContentType(kind) => drop(black_box(kind.typed())),
                other => drop(black_box(other)),
            }
        }
        Some(())
    }

    fn write(message: &SipMessage) -> Option<()> {
        black_box(Vec::<u8>::from(message.clone()));
        Some(())
    }
}
