//! The adversary calls.

use std::future::pending;
use std::sync::{Arc, Mutex, mpsc as blocking};
use std::time::Duration;

use blether_session_core::actor::{Call, CallEvent, Endpoint};
use blether_sip_core::{Host, Method, NameAddr, Request, Response, StatusCode, Via};
use blether_transaction_core::Timing;
use tokio::sync::mpsc;

use super::endpoint::{answer_with_echo, in_time, nothing_left, serve, serve_with};
use super::peer::{Adversary, Dialog, sdp};

/// An INVITE whose responses cannot be sent anywhere (RFC 3261 §18.2.2).
fn invite_from_nowhere(peer: &Adversary) -> Request {
    let mut invite = peer.invite(40_000);
    invite.set_top_via(Via::new("UDP", Host::from(peer.address().ip()), Some(0), "z9hG4bKnowhere"));
    invite
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_cannot_be_told_anything_can_cancel() {
    let (rings, mut ringing) = mpsc::unbounded_channel();
    let server = serve(move |mut call: Call| {
        let rings = rings.clone();
        async move {
            call.ring().await?;
            // The call takes in what it was asked before the handler is polled again.
            tokio::task::yield_now().await;
            rings.send(()).unwrap();
            pending().await
        }
    })
    .await;
    let peer = Adversary::facing(&server).await;
    let invite = invite_from_nowhere(&peer);
    peer.say(invite.clone()).await;
    in_time("the handler", ringing.recv()).await.unwrap();
    // When the shard has counted twice, it has tried to send the 180 that was asked for before.
    server.counts().await.unwrap();
    server.counts().await.unwrap();
    for _ in 0..5 {
        peer.say(invite.clone()).await;
    }
    peer.say(peer.cancel(&invite)).await;
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_never_gets_the_answer_leaves_no_call() {
    let (answers, mut answered) = mpsc::unbounded_channel();
    // The 2xx is given up after 64 * T1, and the BYE after as much again.
    let timing = Timing { t1: Duration::from_millis(5), ..Timing::default() };
    let server = serve_with(timing, move |mut call: Call| {
        let answers = answers.clone();
        async move {
            answer_with_echo(&mut call).await?;
            answers.send(()).unwrap();
            pending().await
        }
    })
    .await;
    let peer = Adversary::facing(&server).await;
    peer.say(invite_from_nowhere(&peer)).await;
    in_time("the handler", answered.recv()).await.unwrap();
    nothing_left(&server).await;
}

/// A handler that rings and then holds up its whole call until it is let go.
struct Blocked {
    blocks: mpsc::UnboundedReceiver<()>,
    go: blocking::Sender<()>,
}

impl Blocked {
    /// Calls, and waits until the call does not stir any more.
    async fn hold_up(&mut self, peer: &mut Adversary) -> (Request, Dialog) {
        let invite = peer.invite(40_000);
        peer.say(invite.clone()).await;
        let ringing = peer.hear_status(&invite, StatusCode::RINGING).await;
        in_time("the handler to block", self.blocks.recv()).await.unwrap();
        let early = Dialog::of_caller(&invite, &ringing);
        (invite, early)
    }
}

async fn blocking_server() -> (Endpoint, Blocked) {
    let (go, gate) = blocking::channel();
    let gate = Arc::new(Mutex::new(gate));
    let (tell, blocks) = mpsc::unbounded_channel();
    let server = serve(move |mut call: Call| {
        let (gate, tell) = (gate.clone(), tell.clone());
        async move {
            call.ring().await?;
            // The call takes in what it was asked before the handler is polled again.
            tokio::task::yield_now().await;
            tell.send(()).unwrap();
            // Not even another task of this thread is held up with it.
            tokio::task::block_in_place(|| gate.lock().unwrap().recv()).unwrap();
            pending().await
        }
    })
    .await;
    (server, Blocked { blocks, go })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_acks_does_not_drown_a_cancel() {
    let (server, mut handler) = blocking_server().await;
    let mut peer = Adversary::facing(&server).await;
    let (invite, mut early) = handler.hold_up(&mut peer).await;
    for _ in 0..100 {
        peer.acknowledge(&mut early).await;
    }
    assert_eq!(peer.ask(peer.cancel(&invite)).await.status(), StatusCode::OK);
    handler.go.send(()).unwrap();
    assert_eq!(peer.hear_final(&invite).await.status(), StatusCode::REQUEST_TERMINATED);
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_has_lost_a_cancel_ends() {
    let (server, mut handler) = blocking_server().await;
    let mut peer = Adversary::facing(&server).await;
    let (invite, mut early) = handler.hold_up(&mut peer).await;
    // As urgent as a CANCEL, but of no dialog: From has another tag.
    let stranger: NameAddr = "<sip:stranger@127.0.0.1>;tag=stranger".parse().unwrap();
    let byes: Vec<_> =
        (0..100).map(|_| peer.within(&mut early, Method::Bye).from(stranger.clone()).build().unwrap()).collect();
    for bye in &byes {
        peer.say(bye.clone()).await;
    }
    assert_eq!(peer.ask(peer.cancel(&invite)).await.status(), StatusCode::OK);
    handler.go.send(()).unwrap();
    assert!(!peer.hear_final(&invite).await.status().is_success());
    for bye in &byes {
        let status = peer.hear_final(bye).await.status().code();
        assert!(matches!(status, 481 | 503), "{status}");
    }
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_comes_as_a_call_ends_is_answered() {
    let server = serve(|mut call: Call| async move {
        answer_with_echo(&mut call).await?;
        while let Some(event) = call.event().await {
            if matches!(event, CallEvent::Confirmed { .. }) {
                break;
            }
        }
        Ok(())
    })
    .await;
    for _ in 0..10 {
        let mut peer = Adversary::facing(&server).await;
        let (mut dialog, _) = peer.call(40_000).await;
        let bye = peer.hear_request(Method::Bye).await;
        let late: Vec<_> = (2..32)
            .map(|number| match number % 3 {
                0 => peer.within(&mut dialog, Method::Info).build().unwrap(),
                _ => peer.reinvite(&mut dialog, sdp(40_000, number, "")),
            })
            .collect();
        let farewell = Response::to_request(&bye, StatusCode::OK).build();
        peer.say_all(std::iter::once(farewell.into()).chain(late.iter().cloned().map(Into::into))).await;
        for request in &late {
            let status = peer.hear_final(request).await.status().code();
            assert!(matches!(status, 481 | 503), "{status}");
        }
    }
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let (confirms, mut confirmed) = mpsc::unbounded_channel();
    let server = serve(move |mut call: Call| {
        let confirms = confirms.clone();
        async move {
            answer_with_echo(&mut call).await?;
            while let Some(event) = call.event().await {
                if matches!(event, CallEvent::Confirmed { .. }) {
                    confirms.send(()).unwrap();
                }
            }
            Ok(())
        }
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    let invite = peer.invite(40_000);
    let answer: Response = peer.ask(invite.clone()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    // RFC 3261 §9.2: the CANCEL is answered and has no effect.
    assert_eq!(peer.ask(peer.cancel(&invite)).await.status(), StatusCode::OK);
    let mut dialog = Dialog::of_caller(&invite, &answer);
    peer.acknowledge(&mut dialog).await;
    in_time("the ACK to reach the handler", confirmed.recv()).await.unwrap();
    assert_eq!(server.counts().await.unwrap().calls, 1);
    peer.hang_up(&mut dialog).await;
    nothing_left(&server).await;
}
