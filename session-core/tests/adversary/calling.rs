//! The adversary is called.

use std::sync::{Arc, Mutex, mpsc as blocking};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use blether_session_core::actor::CallEvent;
use blether_sip_core::{Method, StatusCode};
use tokio::sync::mpsc;

use super::endpoint::{dial, in_time, nothing_left, phone, until};
use super::peer::{Adversary, Dialog, sdp};

const PROGRESS: StatusCode = StatusCode::SESSION_PROGRESS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_183_does_not_drown_the_answer() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (mut call, invite) = dial(&phone, &mut peer, None).await;
    let progress = peer.response(&invite, PROGRESS, "a");
    let mut dialog = Dialog::of_callee(&invite, &progress);
    // More than the events that wait for an application; as many at a time as the call's mailbox holds, so that none is lost there.
    for _ in 0..16 {
        for _ in 0..30 {
            peer.say(progress.clone()).await;
        }
        let info = peer.within(&mut dialog, Method::Info).build().unwrap();
        assert_eq!(peer.ask(info).await.status(), StatusCode::OK);
    }
    peer.say(peer.response(&invite, StatusCode::OK, "a")).await;
    peer.hear_request(Method::Ack).await;
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
    peer.hang_up(&mut dialog).await;
    until(&mut call, "the end", |event| matches!(event, CallEvent::Ended { .. })).await;
    nothing_left(&phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_2xx_that_comes_when_its_leg_has_gone_is_acknowledged_and_hung_up_once() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (_call, invite) = dial(&phone, &mut peer, None).await;
    let answer = peer.response(&invite, StatusCode::OK, "a");
    peer.say(answer.clone()).await;
    peer.hear_request(Method::Ack).await;
    peer.hang_up(&mut Dialog::of_callee(&invite, &answer)).await;
    nothing_left(&phone).await;

    let late = peer.response(&invite, StatusCode::OK, "b");
    peer.say(late.clone()).await;
    let ack = peer.hear_request(Method::Ack).await;
    assert_eq!((ack.to().tag(), ack.cseq().number), (Some("b"), invite.cseq().number));
    let bye = peer.hear_request(Method::Bye).await;
    assert_eq!(bye.to().tag(), Some("b"));
    peer.reply(&bye, StatusCode::OK).await;

    // Its ACK was lost.
    peer.say(late).await;
    assert_eq!(peer.hear_request(Method::Ack).await.to().tag(), Some("b"));
    assert!(!peer.has_heard(Method::Bye).await, "a branch is hung up once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resent_2xx_is_acknowledged_when_its_leg_has_gone() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (_call, invite) = dial(&phone, &mut peer, None).await;
    let answer = peer.response(&invite, StatusCode::OK, "a");
    peer.say(answer.clone()).await;
    peer.hear_request(Method::Ack).await;
    peer.hang_up(&mut Dialog::of_callee(&invite, &answer)).await;
    nothing_left(&phone).await;
    peer.say(answer).await;
    assert_eq!(peer.hear_request(Method::Ack).await.to().tag(), Some("a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_branch_that_answers_is_hung_up_while_the_first_talks() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (mut call, invite) = dial(&phone, &mut peer, None).await;
    let first = peer.response(&invite, StatusCode::OK, "a");
    peer.say(first.clone()).await;
    peer.say(peer.response(&invite, StatusCode::OK, "b")).await;
    let bye = peer.hear_request(Method::Bye).await;
    assert_eq!(bye.to().tag(), Some("b"));
    peer.reply(&bye, StatusCode::OK).await;
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
    let mut dialog = Dialog::of_callee(&invite, &first);
    let options = peer.within(&mut dialog, Method::Options).build().unwrap();
    assert_eq!(peer.ask(options).await.status(), StatusCode::OK);
    peer.hang_up(&mut dialog).await;
    until(&mut call, "the end", |event| matches!(event, CallEvent::Ended { .. })).await;
    nothing_left(&phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callee_that_says_bye_before_it_answered_has_refused() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (mut call, invite) = dial(&phone, &mut peer, None).await;
    let ringing = peer.response(&invite, StatusCode::RINGING, "a");
    peer.say(ringing.clone()).await;
    until(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await;
    peer.hang_up(&mut Dialog::of_callee(&invite, &ringing)).await;
    let cancel = peer.hear_request(Method::Cancel).await;
    peer.reply(&cancel, StatusCode::OK).await;
    peer.say(peer.response(&invite, StatusCode::REQUEST_TERMINATED, "a")).await;
    let end = until(&mut call, "the end", |event| {
        matches!(event, CallEvent::Refused { .. } | CallEvent::Ended { .. } | CallEvent::Answered { .. })
    })
    .await;
    assert!(matches!(end, CallEvent::Refused { .. }), "{end:?}");
    nothing_left(&phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_ringing_is_told_at_once_whatever_the_callee_does() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (mut call, invite) = dial(&phone, &mut peer, Some(Duration::from_millis(50))).await;
    peer.say(peer.response(&invite, StatusCode::RINGING, "a")).await;
    // Nobody answers the CANCEL, which is given up after 32 s: longer than this test is patient.
    let refused = until(&mut call, "a refusal", |event| matches!(event, CallEvent::Refused { .. })).await;
    assert!(matches!(refused, CallEvent::Refused { status: StatusCode::REQUEST_TIMEOUT, .. }), "{refused:?}");
    peer.hear_request(Method::Cancel).await;
    peer.say(peer.response(&invite, StatusCode::REQUEST_TERMINATED, "a")).await;
    nothing_left(&phone).await;
    while let Some(event) = call.event().await {
        assert!(!matches!(event, CallEvent::Refused { .. } | CallEvent::Ended { .. }), "told twice: {event:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (mut call, invite) = dial(&phone, &mut peer, None).await;
    peer.say(peer.response(&invite, StatusCode::RINGING, "a")).await;
    until(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await;
    call.hang_up().await;
    let cancel = peer.hear_request(Method::Cancel).await;
    peer.say(peer.response(&invite, StatusCode::OK, "a")).await;
    peer.reply(&cancel, StatusCode::OK).await;
    assert_eq!(peer.hear_request(Method::Ack).await.to().tag(), Some("a"));
    let bye = peer.hear_request(Method::Bye).await;
    assert_eq!(bye.to().tag(), Some("a"));
    peer.reply(&bye, StatusCode::OK).await;
    nothing_left(&phone).await;
}

/// Wakes nobody, but holds up whoever would until it is let go.
struct HoldUp {
    reached: mpsc::UnboundedSender<()>,
    go: Mutex<blocking::Receiver<()>>,
}

impl Wake for HoldUp {
    fn wake(self: Arc<Self>) {
        self.reached.send(()).unwrap();
        tokio::task::block_in_place(|| self.go.lock().unwrap().recv()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_find_a_call_at_its_very_end_are_answered() {
    let phone = phone().await;
    let mut peer = Adversary::facing(&phone).await;
    let (mut call, invite) = dial(&phone, &mut peer, None).await;
    let answer = peer.response(&invite, StatusCode::OK, "a");
    peer.say(answer.clone()).await;
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;

    // The call stands still when it tells of its end: it takes in nothing more, and its mailbox is still open.
    let (reached, mut is_reached) = mpsc::unbounded_channel();
    let (let_go, go) = blocking::channel();
    let waker = Waker::from(Arc::new(HoldUp { reached, go: Mutex::new(go) }));
    let mut event = Box::pin(call.event());
    assert!(event.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut dialog = Dialog::of_callee(&invite, &answer);
    peer.hang_up(&mut dialog).await;
    in_time("the end to be told", is_reached.recv()).await.unwrap();
    let late: Vec<_> = (2..12).map(|version| peer.reinvite(&mut dialog, sdp(40_000, version, ""))).collect();
    for request in &late {
        peer.say(request.clone()).await;
    }
    // When this is answered, all that was said before is in the mailbox.
    let fence = peer.request(Method::Options).build().unwrap();
    assert_eq!(peer.ask(fence).await.status(), StatusCode::OK);
    let_go.send(()).unwrap();
    for request in &late {
        assert_eq!(peer.hear_final(request).await.status(), StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
    }
    nothing_left(&phone).await;
}
