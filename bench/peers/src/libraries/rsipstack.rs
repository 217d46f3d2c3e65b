//! <https://crates.io/crates/rsipstack>, of which `rsip`'s successor is a part.

use std::hint::black_box;

use bytes::Bytes;
use rsipstack::sip::prelude::*;
use rsipstack::sip::typed::{Allow, Authorization, Contact, RecordRoute, Route};
use rsipstack::sip::{Header, SipMessage};

use super::{Expected, Library};

pub struct Peer;

impl Library for Peer {
    type Message = SipMessage;
    type Error = rsipstack::sip::Error;

    fn parse(bytes: &Bytes) -> Result<SipMessage, Self::Error> {
        SipMessage::try_from(bytes.clone())
    }

    fn is_understood(message: &SipMessage, expected: &Expected) -> anyhow::Result<()> {
        let body = match message {
            SipMessage::Request(request) => request.body().len(),
            SipMessage::Response(response) => response.body().len(),
        };
        let cseq = message.cseq_header()?.typed()?.seq;
        expected.check(message.call_id_header()?.value(), cseq, message.headers().iter().count(), body)
    }

    fn proxy(message: &SipMessage) -> Option<()> {
        let via = message.top_via_header().ok()?.typed().ok()?;
        black_box(via.branch());
        black_box(message.from_header().ok()?.typed().ok()?.tag());
        black_box(message.to_header().ok()?.typed().ok()?.tag());
        black_box((message.call_id_header().ok()?.value(), message.cseq_header().ok()?.typed().ok()?));
        black_box(message.max_forwards_header().ok().and_then(|header| header.value().parse::<u32>().ok()));
        black_box(message.typed_route_headers().ok());
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
                Header::Contact(contact) => drop(black_box(Contact::parse_header_list(contact.value()))),
                Header::Route(route) => drop(black_box(Route::parse_header_list(route.value()))),
                Header::RecordRoute(route) => drop(black_box(RecordRoute::parse_header_list(route.value()))),
                Header::Allow(allow) => drop(black_box(Allow::parse(allow.value()))),
                Header::Authorization(credentials) => drop(black_box(Authorization::parse(credentials.value()))),
                Header::MaxForwards(max) => drop(black_box(max.value().parse::<u32>())),
                other => drop(black_box(other)),
            }
        }
        Some(())
    }

    fn write(message: &SipMessage) -> Option<()> {
        black_box(message.to_bytes());
        Some(())
    }
}
