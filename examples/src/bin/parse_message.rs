//! Reads a SIP message with `blether-sip-core` alone, answers it, and shows what is said to a message that is not well formed.
//!
//! Run it: `cargo run -p blether-examples --bin parse_message`
//!
//! You will see who calls whom, which codecs are offered, the 180 that answers the INVITE, and the 400 that names the header
//! that is wrong in a second one.

use anyhow::{Context, bail, ensure};
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{Contact, Limits, Message, Response, StatusCode};
use bytes::Bytes;

/// With a compact name (`i` for Call-ID, `m` for Contact, `c` for Content-Type), and a value that goes on in the next line.
const INVITE: &str = "\
INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport\r\n\
Max-Forwards: 70\r\n\
From: \"Alice Liddell\" <sip:alice@atlanta.example.com>\r\n ;tag=9fxced76sl\r\n\
To: Bob <sip:bob@biloxi.example.com>\r\n\
i: 2xTb9vxSit55XU7p8@atlanta.example.com\r\n\
CSeq: 1 INVITE\r\n\
m: <sip:alice@192.0.2.101:5070>\r\n\
c: application/sdp\r\n\
X-Lunch: clootie dumpling\r\n\
\r\n\
v=0\r\n\
o=alice 2890844526 2890844526 IN IP4 192.0.2.101\r\n\
s=-\r\n\
c=IN IP4 192.0.2.101\r\n\
t=0 0\r\n\
m=audio 49172 RTP/AVP 0 8 101\r\n\
a=rtpmap:101 telephone-event/8000\r\n";

fn main() -> anyhow::Result<()> {
    let limits = Limits::default();
    let Message::Request(invite) = Message::parse(Bytes::from_static(INVITE.as_bytes()), &limits)? else {
        bail!("this is a request");
    };

    // What every message has was checked by `parse`, and is read without a `Result`.
    println!("{} {}", invite.method(), invite.uri());
    println!("  from     {}, tag {:?}", invite.from().uri, invite.from().tag());
    println!("  call     {}, number {}", invite.call_id(), invite.cseq().number);
    // Any other header is parsed when it is asked for, as a value or as text.
    let contact: Contact = invite.headers().get()?.context("no Contact")?;
    println!("  contact  {}", contact.address().context("a Contact of *")?.uri);
    for (name, value) in invite.headers().iter().filter(|(name, _)| name.as_str().starts_with("X-")) {
        println!("  unknown  {name} is {value:?}");
    }

    let offer = SessionDescription::parse(invite.body())?;
    for media in &offer.media {
        println!("  offers   {} at {:?}", media.kind, media.rtp_address());
        for payload_type in media.payload_types() {
            let map = media.rtpmap(payload_type).context("a format without a name")?;
            println!("           {payload_type:>3} is {} at {} Hz", map.encoding, map.clock_rate);
        }
    }

    // A message that was not changed is written as it came, byte by byte.
    ensure!(invite.to_bytes() == INVITE.as_bytes(), "it was written otherwise");

    let ringing = Response::to_request(&invite, StatusCode::RINGING).to_tag("8321234356").build();
    show("the answer", &ringing.to_bytes());

    let broken = INVITE.replace("CSeq: 1 INVITE", "CSeq: one INVITE");
    let Err(error) = Message::parse(Bytes::from(broken), &limits) else { bail!("that is no CSeq") };
    println!("\na broken one: {error}");
    let reply = error.reply("192.0.2.101:5070".parse()?).context("a request is to be answered")?;
    show("which is answered", &reply);
    ensure!(reply.starts_with(b"SIP/2.0 400 "), "not with 400");
    Ok(())
}

fn show(what: &str, message: &[u8]) {
    println!("\n{what}:");
    for line in String::from_utf8_lossy(message).trim_end().lines() {
        println!("  | {line}");
    }
}
