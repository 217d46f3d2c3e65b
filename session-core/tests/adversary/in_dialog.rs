//! Requests within an established call that it must answer and survive.

use std::future::pending;

use blether_session_core::actor::Call;
use blether_sip_core::{Allow, Method, Request, StatusCode};
use bytes::Bytes;

use super::endpoint::{answer_with_echo, echo_server, nothing_left, serve};
use super::peer::{Adversary, Dialog, described, sdp};

/// Says what `build` makes in an established call, expects `status`, and checks that the call goes on and can be hung up.
async fn survives(build: impl FnOnce(&Adversary, &mut Dialog) -> Request, status: StatusCode) {
    let (server, _controls, _events) = echo_server().await;
    let mut peer = Adversary::facing(&server).await;
    let (mut dialog, _) = peer.call(40_000).await;
    let request = build(&peer, &mut dialog);
    let response = peer.ask(request.clone()).await;
    assert_eq!(response.status(), status, "{response:?}");
    if status == StatusCode::METHOD_NOT_ALLOWED {
        assert!(response.headers().get::<Allow>().unwrap().is_some(), "a 405 has an Allow (RFC 3261 §8.2.1)");
    }
    if *request.method() == Method::Invite && status.is_success() {
        peer.acknowledge(&mut dialog).await;
    }
    let options = peer.within(&mut dialog, Method::Options).build().unwrap();
    assert_eq!(peer.ask(options).await.status(), StatusCode::OK);
    assert_eq!(server.counts().await.unwrap().calls, 1);
    peer.hang_up(&mut dialog).await;
    nothing_left(&server).await;
}

/// What cannot be read as a description.
const GARBAGE: Bytes = Bytes::from_static(b"v=0\r\nm=\xff\xfe\0 what?\r\n\r\na=a=a=");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bye_with_a_cseq_of_the_past_ends_nothing() {
    let stale = |peer: &Adversary, dialog: &mut Dialog| peer.within(dialog, Method::Bye).cseq(0).build().unwrap();
    survives(stale, StatusCode::SERVER_INTERNAL_ERROR).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bye_of_another_from_tag_ends_nothing() {
    let stray = |peer: &Adversary, dialog: &mut Dialog| {
        let stranger = "<sip:stranger@127.0.0.1>;tag=stranger".parse().unwrap();
        peer.within(dialog, Method::Bye).from(stranger).build().unwrap()
    };
    survives(stray, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_invite_with_garbage_for_an_offer_is_refused_with_488() {
    survives(|peer, dialog| peer.reinvite(dialog, GARBAGE), StatusCode::NOT_ACCEPTABLE_HERE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_invite_for_video_alone_is_refused_with_488() {
    let video = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 40000 RTP/AVP 31\r\n";
    survives(|peer, dialog| peer.reinvite(dialog, video.into()), StatusCode::NOT_ACCEPTABLE_HERE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_invite_with_a_body_of_another_type_is_refused_with_415() {
    let text = |peer: &Adversary, dialog: &mut Dialog| {
        peer.within(dialog, Method::Invite).body("text/plain", Bytes::from_static(b"hello")).build().unwrap()
    };
    survives(text, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_requires_an_unknown_extension_is_refused_with_420() {
    let demanding = |peer: &Adversary, dialog: &mut Dialog| {
        peer.within(dialog, Method::Info).raw("Require", "x-telepathy").build().unwrap()
    };
    survives(demanding, StatusCode::BAD_EXTENSION).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_info_of_an_unknown_type_is_refused_with_415() {
    let info = |peer: &Adversary, dialog: &mut Dialog| {
        peer.within(dialog, Method::Info).body("application/x-unknown", GARBAGE).build().unwrap()
    };
    survives(info, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_method_is_refused_with_501() {
    let dance =
        |peer: &Adversary, dialog: &mut Dialog| peer.within(dialog, Method::Extension("DANCE".into())).build().unwrap();
    survives(dance, StatusCode::NOT_IMPLEMENTED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_without_an_offer_is_answered() {
    survives(|peer, dialog| peer.within(dialog, Method::Update).build().unwrap(), StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_with_an_offer_is_answered() {
    let update = |peer: &Adversary, dialog: &mut Dialog| {
        peer.within(dialog, Method::Update).body("application/sdp", sdp(40_002, 2, "")).build().unwrap()
    };
    survives(update, StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_with_garbage_for_an_offer_is_refused_with_488() {
    let update = |peer: &Adversary, dialog: &mut Dialog| {
        peer.within(dialog, Method::Update).body("application/sdp", GARBAGE).build().unwrap()
    };
    survives(update, StatusCode::NOT_ACCEPTABLE_HERE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_invite_without_an_offer_gets_one() {
    survives(|peer, dialog| peer.within(dialog, Method::Invite).build().unwrap(), StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_offer_is_answered_while_the_handler_sleeps() {
    let server = serve(|mut call: Call| async move {
        answer_with_echo(&mut call).await?;
        pending().await
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    let (mut dialog, answer) = peer.call(40_000).await;
    let reinvite = peer.reinvite(&mut dialog, sdp(40_002, 2, ""));
    let second = peer.ask(reinvite).await;
    assert_eq!(second.status(), StatusCode::OK);
    assert_eq!(described(&second).media[0].port, described(&answer).media[0].port, "our port stays");
    peer.acknowledge(&mut dialog).await;
    peer.hang_up(&mut dialog).await;
    nothing_left(&server).await;
}
