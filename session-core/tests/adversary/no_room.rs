//! An endpoint whose table of transactions is full when it has a BYE to send.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, CallControl, CallEnd, CallEvent, CallWitness, Dial, Endpoint, EndpointConfig,
    LegKey, Responder,
};
use blether_session_core::{ClientCredentials, EndCause, MediaCapabilities, Party};
use blether_sip_core::{HeaderName, Message, Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_transaction_core::Timing;
use tokio::sync::mpsc;

use super::endpoint::{answer_with_echo, dial_of, in_time, nothing_left, phone, until};
use super::peer::Adversary;

/// Answers every call with an echo, hands out its control, and tells how it has ended.
struct Echo {
    controls: mpsc::UnboundedSender<CallControl>,
    ends: mpsc::UnboundedSender<CallEnd>,
}

struct Witness(mpsc::UnboundedSender<CallEnd>);

impl CallWitness for Witness {
    fn answering(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }

    fn ended(&self, end: CallEnd) {
        self.0.send(end).unwrap();
    }
}

impl Application for Echo {
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        let controls = self.controls.clone();
        Admission::accept(|mut call| async move {
            answer_with_echo(&mut call).await?;
            until(&mut call, "the ACK", |event| matches!(event, CallEvent::Confirmed { .. })).await;
            controls.send(call.control()).unwrap();
            pending().await
        })
        .witnessed_by(Arc::new(Witness(self.ends.clone())))
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

/// A request of `from` that is in nobody's way but for the transaction that it takes.
fn message(from: &Endpoint, to: &Adversary, call_id: &str) -> Request {
    let uri: Uri = format!("sip:adversary@{}", to.address()).parse().unwrap();
    let us: Uri = format!("sip:us@{}", from.local_addr()).parse().unwrap();
    Request::builder(Method::Message, uri.clone())
        .from(NameAddr::new(us).with_tag("1"))
        .to(NameAddr::new(uri))
        .call_id(call_id)
        .cseq(1)
        .max_forwards(70)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_bye_waits_for_room_is_over_for_its_witness_and_keeps_its_port_until_the_bye_leaves() {
    let (controls, mut control) = mpsc::unbounded_channel();
    let (told, mut ends) = mpsc::unbounded_channel();
    let t1 = Duration::from_millis(100);
    let config = EndpointConfig {
        media_ports: PortRange::system_chosen(),
        // Answered requests make room quickly, and what is not answered lasts for 64 × T1.
        timing: Timing { t1, t4: t1, ..Timing::default() },
        max_transactions: 3,
        ..EndpointConfig::default()
    };
    let server = Endpoint::start(config, Arc::new(Echo { controls, ends: told })).await.unwrap();
    let mut peer = Adversary::facing(&server).await;
    peer.call(40_000).await;
    let control = in_time("the ACK", control.recv()).await.unwrap();
    // With the INVITE, that is all there is room for.
    let flow = server.flow_to(peer.address()).unwrap();
    let others = ["1", "2"].map(|call_id| server.request(message(&server, &peer, call_id), flow));
    let [first, second] = others;
    let script = async {
        let messages = [hear_message(&mut peer, "1").await, hear_message(&mut peer, "2").await];
        control.hang_up().await;
        let CallEnd { leg, by, cause, legs, .. } = in_time("the end", ends.recv()).await.unwrap();
        assert_eq!((leg, by, cause), (LegKey::PRIMARY, Party::Local, EndCause::HungUp));
        assert!(matches!(&legs[..], [report] if report.statistics.is_some()), "{legs:?}");
        // Its peer does not know yet, and goes on sending to the port.
        let counts = server.counts().await.unwrap();
        assert_eq!((counts.calls, counts.media_ports), (1, 1));
        assert!(!peer.has_heard(Method::Bye).await);
        for message in messages {
            peer.reply(&message, StatusCode::OK).await;
        }
        let bye = peer.hear_request(Method::Bye).await;
        // That is what ends the media, and not the answer to it.
        in_time("the port to come back", async {
            while server.counts().await.unwrap().media_ports != 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(server.counts().await.unwrap().calls, 1);
        peer.reply(&bye, StatusCode::OK).await;
    };
    let (first, second, ()) = tokio::join!(first, second, script);
    assert_eq!([first.unwrap().status(), second.unwrap().status()], [StatusCode::OK; 2]);
    nothing_left(&server).await;
}

async fn hear_message(peer: &mut Adversary, call_id: &str) -> Request {
    peer.hear("MESSAGE", |message| match message {
        Message::Request(request) if *request.method() == Method::Message && **request.call_id() == *call_id => {
            Some(request.clone())
        }
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_lost_is_hung_up_with_care_though_the_call_has_ended() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let mut call = phone.new_call().unwrap();
    let dial = dial_of(MediaCapabilities::g711(), phone.flow_to(peer.address()).unwrap());
    let credentials = Some(ClientCredentials::with_password("alice", "secret"));
    call.dial(Dial { credentials, ..dial }).await.unwrap();
    let invite = peer.hear_request(Method::Invite).await;
    peer.say(peer.response(&invite, StatusCode::OK, "a")).await;
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
    peer.say(peer.response(&invite, StatusCode::OK, "b")).await;
    let to_the_loser = peer.hear_request(Method::Bye).await;
    assert_eq!(to_the_loser.to().tag(), Some("b"));
    call.hang_up().await;
    let to_the_winner = peer.hear("the BYE to the winner", |message| match message {
        Message::Request(bye) if *bye.method() == Method::Bye && bye.to().tag() == Some("a") => Some(bye.clone()),
        _ => None,
    });
    let to_the_winner = to_the_winner.await;
    peer.reply(&to_the_winner, StatusCode::OK).await;
    // The application need not wait for the other.
    until(&mut call, "the end", |event| matches!(event, CallEvent::Ended { .. })).await;
    let challenge = "Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"";
    let response = Response::to_request(&to_the_loser, StatusCode::UNAUTHORIZED);
    peer.say(response.raw("WWW-Authenticate", challenge).build()).await;
    let again = peer.hear("the BYE with credentials", |message| match message {
        Message::Request(bye) if *bye.method() == Method::Bye && bye.cseq().number > to_the_loser.cseq().number => {
            Some(bye.clone())
        }
        _ => None,
    });
    let again = again.await;
    assert_eq!(again.to().tag(), Some("b"));
    assert!(again.headers().raw_all(&HeaderName::Authorization).next().is_some());
    peer.reply(&again, StatusCode::OK).await;
    nothing_left(&phone).await;
}
