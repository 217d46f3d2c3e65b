//! Calls of which nothing is heard.

use std::collections::BTreeSet;
use std::time::Duration;

use blether_rtp_core::LegEvent;
use blether_session_core::MediaCapabilities;
use blether_session_core::actor::{CallError, CallEvent, EndpointConfig};
use blether_sip_core::sdp::Direction;
use blether_sip_core::{Method, Request, StatusCode};
use tokio::time::timeout;

use super::endpoint::{dial_of, in_time, nothing_left, serve_configured, until};
use super::peer::{Adversary, sdp};

/// Answers so that the phone, which holds, is not to hear anything.
async fn answer_held(peer: &Adversary, invite: &Request, tag: &str) {
    let mut answer = peer.response(invite, StatusCode::OK, tag);
    answer.set_body("application/sdp", sdp(40_000, 1, "a=recvonly\r\n"));
    peer.say(answer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leg_that_is_answered_later_does_not_put_off_the_end_of_one_that_has_gone() {
    let gone = Duration::from_secs(1);
    let config = EndpointConfig { end_when_silent: Some(gone / 4), end_when_gone: gone, ..EndpointConfig::default() };
    let phone = serve_configured(config, |_| async { Err(CallError::Refused(StatusCode::BUSY_HERE)) }).await;
    let mut first = Adversary::facing(&phone).await;
    let mut second = Adversary::facing(&phone).await;
    let mut call = phone.new_call().unwrap();
    let mut legs = BTreeSet::new();
    for peer in [&first, &second] {
        let media = MediaCapabilities::g711().with_direction(Direction::SendOnly);
        legs.insert(call.dial(dial_of(media, phone.flow_to(peer.address()).unwrap())).await.unwrap());
    }
    let to_first = first.hear_request(Method::Invite).await;
    let to_second = second.hear_request(Method::Invite).await;
    until(&mut call, "both legs to be gone", |event| {
        if let CallEvent::Media { leg, event: LegEvent::Gone } = event {
            legs.remove(leg);
        }
        legs.is_empty()
    })
    .await;

    // Each is waited for until `gone` after its answer.
    answer_held(&first, &to_first, "a").await;
    let early = timeout(gone / 2, first.hear_request(Method::Bye)).await;
    assert!(early.is_err(), "{early:?}");
    answer_held(&second, &to_second, "b").await;
    let end = timeout(gone * 3 / 4, first.hear_request(Method::Bye)).await;
    first.reply(&end.expect("the call to end when its first leg is taken for gone"), StatusCode::OK).await;
    let end = in_time("the other BYE", second.hear_request(Method::Bye)).await;
    second.reply(&end, StatusCode::OK).await;
    drop(call);
    nothing_left(&phone).await;
}
