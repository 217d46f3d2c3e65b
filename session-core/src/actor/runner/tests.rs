//! A call whose mailbox is never empty.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_sip_core::{Limits, Message, Method, NameAddr, Request, Response, Uri};
use blether_sip_transport::Flow;
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::actor::mailbox::{CallMessage, Mailbox, Urgency};
use crate::actor::{
    Admission, Answer, Application, Call, CallError, CallEvent, Endpoint, EndpointConfig, LegKey, Responder,
};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a message holds that leaves another such message in the mailbox when it is dropped, which is when it has been taken in.
struct Endless {
    mailbox: Mailbox,
    goes_on: Arc<AtomicBool>,
}

impl AsRef<[u8]> for Endless {
    fn as_ref(&self) -> &[u8] {
        b"again"
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        // One that finds no way in any more is the last.
        if self.goes_on.swap(false, Ordering::Relaxed) {
            flood(self.mailbox.clone(), self.goes_on.clone());
        }
    }
}

fn flood(mailbox: Mailbox, goes_on: Arc<AtomicBool>) {
    let uri: Uri = "sip:a@192.0.2.1".parse().unwrap();
    // Acknowledges nothing.
    let mut ack = Request::builder(Method::Ack, uri.clone())
        .from(NameAddr::new(uri.clone()).with_tag("1"))
        .to(NameAddr::new(uri).with_tag("2"))
        .call_id("none")
        .cseq(9)
        .build()
        .unwrap();
    ack.set_body("text/plain", Bytes::from_owner(Endless { mailbox: mailbox.clone(), goes_on: goes_on.clone() }));
    let posted = mailbox.try_send(CallMessage::Ack { leg: LegKey::PRIMARY, request: ack }, Urgency::Urgent);
    goes_on.store(posted.is_ok(), Ordering::Relaxed);
}

/// Answers, floods its own call, and tells when the media has gone to this address all the same.
struct Flooded {
    moves_to: SocketAddr,
    /// The flood has begun, and then: the media has moved.
    told: mpsc::UnboundedSender<()>,
}

impl Flooded {
    async fn run(mut call: Call, moves_to: SocketAddr, told: mpsc::UnboundedSender<()>) -> Result<(), CallError> {
        let media = call.offered_media()?;
        call.answer(&media, |_| Box::new(blether_media_core::EchoLeg::new(rand::make_rng()))).await?;
        while !matches!(call.event().await, Some(CallEvent::Confirmed { .. })) {}
        let goes_on = Arc::new(AtomicBool::new(false));
        flood(call.mailbox(), goes_on.clone());
        told.send(()).unwrap();
        while !matches!(call.event().await, Some(CallEvent::MediaChanged { .. })) {}
        while call.statistics(LegKey::PRIMARY).await?.remote != Some(moves_to) {}
        goes_on.store(false, Ordering::Relaxed);
        told.send(()).unwrap();
        call.ended().await;
        Ok(())
    }
}

impl Application for Flooded {
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        let (moves_to, told) = (self.moves_to, self.told.clone());
        Admission::accept(move |call| Self::run(call, moves_to, told))
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

/// A phone that says just this.
struct Phone {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Phone {
    /// A request of its one call; with media at `port`, if it is not 0.
    async fn say(&self, method: &str, cseq: u32, to_tag: &str, port: u16) {
        let (us, server) = (self.socket.local_addr().unwrap(), self.server);
        let body = match port {
            0 => String::new(),
            port => format!(
                "v=0\r\no=- 1 {cseq} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
            ),
        };
        let message = format!(
            "{method} sip:bob@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@{us}>;tag=a\r\nTo: <sip:bob@{server}>{to_tag}\r\nCall-ID: flooded\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:alice@{us}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send_to(message.as_bytes(), server).await.unwrap();
    }

    /// The final response to this request.
    async fn hear(&self, cseq: u32) -> Response {
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, _) = self.socket.recv_from(&mut buffer).await.unwrap();
            match Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default()).unwrap() {
                Message::Response(response) if response.status().is_final() && response.cseq().number == cseq => {
                    return response;
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_flood_of_messages_keeps_neither_the_handler_nor_the_media_waiting() {
    let (told, mut hears) = mpsc::unbounded_channel();
    let moves_to = SocketAddr::from(([127, 0, 0, 1], 40_002));
    let config = EndpointConfig { media_ports: PortRange::system_chosen(), ..EndpointConfig::default() };
    let server = Endpoint::start(config, Arc::new(Flooded { moves_to, told })).await.unwrap();
    let phone = Phone { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), server: server.local_addr() };
    let call = async {
        phone.say("INVITE", 1, "", 40_000).await;
        let answer = phone.hear(1).await;
        let to_tag = format!(";tag={}", answer.to().tag().unwrap());
        phone.say("ACK", 1, &to_tag, 0).await;
        hears.recv().await.unwrap();
        // From here on there is always a message for the call.
        phone.say("INVITE", 2, &to_tag, moves_to.port()).await;
        assert!(phone.hear(2).await.status().is_success());
        phone.say("ACK", 2, &to_tag, 0).await;
        hears.recv().await.unwrap();
        phone.say("BYE", 3, &to_tag, 0).await;
        phone.hear(3).await;
    };
    tokio::time::timeout(PATIENCE, call).await.expect("the handler to see that the media has moved");
    server.shut_down(PATIENCE).await;
}
