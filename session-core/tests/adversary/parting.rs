//! Ends that meet on the way, and ends that go wrong.

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallEnd, CallEvent, CallWitness, Endpoint, EndpointConfig, LegKey, Responder,
};
use blether_session_core::{EndCause, Party};
use blether_sip_core::{Method, Request, StatusCode};
use blether_sip_transport::Flow;
use tokio::sync::mpsc;

use super::endpoint::{PATIENCE, answer_with_echo, call_to, echo_server, in_time, nothing_left, phone, serve, until};
use super::peer::{Adversary, Dialog};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bye_that_crosses_ours_is_answered_200() {
    let (server, mut controls, mut events) = echo_server().await;
    let mut peer = Adversary::facing(&server).await;
    let (mut dialog, _) = peer.call(40_000).await;
    let confirmed = in_time("the ACK", events.recv()).await.unwrap();
    assert!(matches!(confirmed, CallEvent::Confirmed { .. }), "{confirmed:?}");
    controls.recv().await.unwrap().hang_up().await;
    let ours = peer.hear_request(Method::Bye).await;
    peer.hang_up(&mut dialog).await;
    peer.reply(&ours, StatusCode::OK).await;
    nothing_left(&server).await;
}

/// Answers every call with an echo, and tells how each has ended.
struct Witnessed(mpsc::UnboundedSender<CallEnd>);

struct Witness(mpsc::UnboundedSender<CallEnd>);

impl CallWitness for Witness {
    fn answering(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }

    fn ended(&self, end: CallEnd) {
        self.0.send(end).unwrap();
    }
}

impl Application for Witnessed {
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        Admission::accept(|mut call| async move {
            answer_with_echo(&mut call).await?;
            pending().await
        })
        .witnessed_by(Arc::new(Witness(self.0.clone())))
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_shut_down_has_its_figures_though_its_peer_never_answers_the_bye() {
    for acknowledges in [true, false] {
        let (told, mut ends) = mpsc::unbounded_channel();
        let config = EndpointConfig { media_ports: PortRange::system_chosen(), ..EndpointConfig::default() };
        let server = Endpoint::start(config, Arc::new(Witnessed(told))).await.unwrap();
        let mut peer = Adversary::facing(&server).await;
        let invite = peer.invite(40_000);
        let answer = peer.ask(invite.clone()).await;
        if acknowledges {
            let mut dialog = Dialog::of_caller(&invite, &answer);
            peer.acknowledge(&mut dialog).await;
            // Requests of a call come to it in order: the ACK is there when this is answered.
            let options = peer.within(&mut dialog, Method::Options).build().unwrap();
            assert_eq!(peer.ask(options).await.status(), StatusCode::OK);
        }
        // That is before the BYE is given up, or the ACK.
        let end = tokio::select! {
            end = in_time("the end", ends.recv()) => end,
            () = server.shut_down(PATIENCE * 2) => panic!("the call has gone though nobody has answered its BYE"),
        };
        let CallEnd { leg, by, cause, answered, legs, .. } = end.unwrap();
        assert_eq!((leg, by, cause, answered), (LegKey::PRIMARY, Party::Local, EndCause::HungUp, true));
        assert!(matches!(&legs[..], [report] if report.statistics.is_some()), "{legs:?}");
    }
}

/// Panics when it is dropped.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("a destructor may be wrong");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_when_it_is_cancelled_still_says_bye() {
    let (control, mut controls) = mpsc::unbounded_channel();
    let server = serve(move |mut call: Call| {
        let control = control.clone();
        async move {
            let _fragile = Fragile;
            answer_with_echo(&mut call).await?;
            while let Some(event) = call.event().await {
                if matches!(event, CallEvent::Confirmed { .. }) {
                    control.send(call.control()).unwrap();
                }
            }
            pending().await
        }
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    peer.call(40_000).await;
    in_time("the ACK", controls.recv()).await.unwrap().hang_up().await;
    let bye = peer.hear_request(Method::Bye).await;
    peer.reply(&bye, StatusCode::OK).await;
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_as_it_returns_still_says_bye() {
    let server = serve(|mut call: Call| async move {
        let _fragile = Fragile;
        answer_with_echo(&mut call).await
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    peer.call(40_000).await;
    let bye = peer.hear_request(Method::Bye).await;
    peer.reply(&bye, StatusCode::OK).await;
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_ends_that_hang_up_at_once_each_end_once() {
    let (server, mut controls, _events) = echo_server().await;
    let phone = phone().await;
    let mut calls = Vec::new();
    for _ in 0..8 {
        let mut call = call_to(&phone, server.local_addr(), None).await;
        until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
        calls.push((call, controls.recv().await.unwrap()));
    }
    for (call, other_end) in &mut calls {
        tokio::join!(call.hang_up(), other_end.hang_up());
    }
    for (call, _) in &mut calls {
        let mut ends = 0;
        in_time("the end", async {
            while let Some(event) = call.event().await {
                ends += u32::from(matches!(event, CallEvent::Ended { .. } | CallEvent::Refused { .. }));
            }
        })
        .await;
        assert_eq!(ends, 1);
    }
    nothing_left(&phone).await;
    nothing_left(&server).await;
}
