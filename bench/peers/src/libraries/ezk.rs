//! <https://crates.io/crates/ezk-sip-types>, with the loop over the lines that its user writes.

use std::hint::black_box;

use bytes::Bytes;
use ezk_sip_types::header::typed::{
    Allow, CSeq, CallID, Contact, ContentType, FromTo, MaxForwards, Routing, Supported, Via,
};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse as _;
use ezk_sip_types::print::AppendCtx as _;
use ezk_sip_types::{Headers, Name};

use super::{Expected, Library};

pub struct Peer;

pub struct Message {
    line: MessageLine,
    headers: Headers,
    body: Bytes,
}

impl Library for Peer {
    type Message = Message;
    type Error = &'static str;

    fn parse(bytes: &Bytes) -> Result<Message, &'static str> {
        let text = |line| std::str::from_utf8(line).map_err(|_| "not UTF-8");
        let mut parser = PullParser::new(bytes, 0);
        let first = parser.next().ok_or("empty")?.map_err(|_| "incomplete")?;
        let (_, line) = MessageLine::parse(bytes)(text(first)?).map_err(|_| "start line")?;
        let mut headers = Headers::new();
        for header in &mut parser {
            let header = text(header.map_err(|_| "incomplete")?)?;
            let (_, Line { name, value }) = Line::parse(bytes, header).map_err(|_| "header")?;
            headers.insert(name, value);
        }
        let body = bytes.slice(parser.head_end()..);
        Ok(Message { line, headers, body })
    }

    fn is_understood(message: &Message, expected: &Expected) -> anyhow::Result<()> {
        let call_id: CallID = message.headers.get_named()?;
        let cseq: CSeq = message.headers.get_named()?;
        expected.check(&call_id.0, cseq.cseq, message.headers.iter().count(), message.body.len())
    }

    fn proxy(message: &Message) -> Option<()> {
        let headers = &message.headers;
        black_box(headers.get_named::<Via>().ok()?);
        black_box((headers.get::<FromTo>(Name::FROM).ok()?, headers.get::<FromTo>(Name::TO).ok()?));
        black_box((headers.get_named::<CallID>().ok()?, headers.get_named::<CSeq>().ok()?));
        black_box((headers.get_named::<MaxForwards>().ok(), headers.get::<Routing>(Name::ROUTE).ok()));
        black_box(&message.line);
        Some(())
    }

    fn typed(message: &Message) -> Option<()> {
        Self::proxy(message)?;
        let headers = &message.headers;
        black_box(headers.get_named::<Vec<Via>>().ok());
        black_box((headers.get::<Routing>(Name::RECORD_ROUTE).ok(), headers.get_named::<Vec<Contact>>().ok()));
        black_box((headers.get_named::<Vec<Allow>>().ok(), headers.get_named::<Vec<Supported>>().ok()));
        black_box(headers.get_named::<ContentType>().ok());
        Some(())
    }

    fn write(message: &Message) -> Option<()> {
        use std::io::Write as _;
        let mut out = Vec::new();
        write!(out, "{}\r\n{}\r\n", message.line.default_print_ctx(), message.headers).ok()?;
        out.extend_from_slice(&message.body);
        black_box(out);
        Some(())
    }
}
