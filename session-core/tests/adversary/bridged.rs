//! The adversary at both ends of a bridge.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blether_rtp_core::LegEvent;
use blether_session_core::MediaCapabilities;
use blether_session_core::actor::{Call, CallError, CallEvent, Endpoint, EndpointConfig, LegKey};
use blether_sip_core::sdp::Direction;
use blether_sip_core::{Method, Request, Response, StatusCode};
use blether_sip_transport::Flow;
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::endpoint::{dial_of, in_time, nothing_left, serve, serve_configured};
use super::peer::{Adversary, Dialog, described, sdp};

/// A description of G.711 and telephone events by this number.
fn speech(port: u16, version: u32, events: u8, more: &str) -> Bytes {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 {events}\r\n\
         a=rtpmap:{events} telephone-event/8000\r\n{more}"
    )
    .into()
}

/// One phone in a bridged call.
struct Party {
    peer: Adversary,
    dialog: Dialog,
    sound: UdpSocket,
    events: u8,
    /// Where the server listens for its sound.
    server: SocketAddr,
    version: u32,
}

impl Party {
    fn port(&self) -> u16 {
        self.sound.local_addr().unwrap().port()
    }

    fn description(&mut self, more: &str) -> Bytes {
        self.version += 1;
        speech(self.port(), self.version, self.events, more)
    }

    async fn say(&self, payload_type: u8, sequence: u16) {
        let [high, low] = sequence.to_be_bytes();
        let mut packet = vec![0x80, payload_type, high, low, 0, 0, high, low, 0, 0, 0, 9];
        packet.extend([5, 10, 0, low]);
        self.sound.send_to(&packet, self.server).await.unwrap();
    }

    /// The payload type, and the number that it was said with.
    async fn hear(&self) -> (u8, u8) {
        let mut packet = [0; 2_000];
        let length = in_time("a packet", self.sound.recv(&mut packet)).await.unwrap();
        assert_eq!(length, 16);
        (packet[1] & 0x7f, packet[15])
    }

    /// Says something by this payload type until the other hears it by that one: the worker learns of a change a moment after the phones.
    async fn say_until_it_is(&self, payload_type: u8, other: &Self, heard_as: u8) {
        in_time("the payload type", async {
            loop {
                self.say(payload_type, 1).await;
                if timeout(Duration::from_millis(20), other.hear()).await.is_ok_and(|(heard, _)| heard == heard_as) {
                    return;
                }
            }
        })
        .await;
    }

    /// Says something until the other hears it, and returns what that one has heard before.
    async fn say_until_heard(&self, number: u16, other: &Self) -> Vec<u8> {
        let mut before = Vec::new();
        loop {
            self.say(0, number).await;
            if let Ok((_, heard)) = timeout(Duration::from_millis(20), other.hear()).await {
                if u16::from(heard) == number {
                    return before;
                }
                before.push(heard);
            }
        }
    }

    /// Offers a change, and returns the re-INVITE.
    async fn offer(&mut self, more: &str) -> Request {
        let description = self.description(more);
        let reinvite = self.peer.reinvite(&mut self.dialog, description);
        self.peer.say(reinvite.clone()).await;
        reinvite
    }

    /// Waits for an offer, and returns it.
    async fn offered(&mut self) -> Request {
        self.peer.hear_request(Method::Invite).await
    }

    async fn accept(&mut self, reinvite: &Request, more: &str) {
        let description = self.description(more);
        let answer = Response::to_request(reinvite, StatusCode::OK).body("application/sdp", description).build();
        self.peer.say(answer).await;
        self.peer.hear_request(Method::Ack).await;
    }
}

fn direction(message: &Request) -> Direction {
    blether_sip_core::sdp::SessionDescription::parse(message.body()).unwrap().media[0].direction()
}

fn rtp_of(description: &Bytes) -> SocketAddr {
    blether_sip_core::sdp::SessionDescription::parse(description).unwrap().media[0].rtp_address().unwrap()
}

/// A caller and a callee that a server has joined; they call telephone events by these numbers.
async fn joined(callers: u8, callees: u8) -> (Endpoint, Party, Party) {
    let (ours, theirs) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let (local, to) = (ours.clone(), theirs.clone());
    let server = serve(move |mut call: Call| {
        let (local, to): (SocketAddr, SocketAddr) = (*local.get().unwrap(), *to.get().unwrap());
        async move {
            let leg = call.dial(dial_of(call.offered_media()?, Flow::udp(local, to))).await?;
            while !matches!(call.event().await.ok_or(CallError::Ended)?, CallEvent::Answered { .. }) {}
            call.bridge(leg).await?;
            pending().await
        }
    })
    .await;
    ours.set(server.local_addr()).unwrap();
    let (mut caller, mut callee) = (Adversary::facing(&server).await, Adversary::facing(&server).await);
    theirs.set(callee.address()).unwrap();
    let (hers, his) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();

    let offer = speech(port(&hers), 1, callers, "");
    let invite = caller.request(Method::Invite).body("application/sdp", offer).build().unwrap();
    caller.say(invite.clone()).await;
    let passed_on = callee.hear_request(Method::Invite).await;
    let plain = callee.response(&passed_on, StatusCode::OK, "callee");
    let mut answer = plain.clone();
    answer.set_body("application/sdp", speech(port(&his), 1, callees, ""));
    callee.say(answer).await;
    callee.hear_request(Method::Ack).await;
    let answer = caller.hear_final(&invite).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut dialog = Dialog::of_caller(&invite, &answer);
    caller.acknowledge(&mut dialog).await;
    let caller =
        Party { peer: caller, dialog, sound: hers, events: callers, server: rtp_of(answer.body()), version: 1 };
    let dialog = Dialog::of_callee(&passed_on, &plain);
    let callee =
        Party { peer: callee, dialog, sound: his, events: callees, server: rtp_of(passed_on.body()), version: 1 };
    (server, caller, callee)
}

/// Ends the call from this side, and sees the other side end.
async fn part(server: Endpoint, mut first: Party, mut second: Party) {
    first.peer.hang_up(&mut first.dialog).await;
    let bye = second.peer.hear_request(Method::Bye).await;
    second.peer.reply(&bye, StatusCode::OK).await;
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_not_relayed_until_it_is_resumed_whichever_side_holds() {
    for callee_holds in [false, true] {
        let (server, caller, callee) = joined(101, 101).await;
        let (mut holder, mut held) = if callee_holds { (callee, caller) } else { (caller, callee) };
        held.say(0, 1).await;
        assert_eq!(holder.hear().await.0, 0);

        let hold = holder.offer("a=sendonly\r\n").await;
        let passed_on = held.offered().await;
        assert_eq!(direction(&passed_on), Direction::SendOnly);
        held.accept(&passed_on, "a=recvonly\r\n").await;
        let answer = holder.peer.hear_final(&hold).await;
        assert_eq!((answer.status(), described(&answer).media[0].direction()), (StatusCode::OK, Direction::RecvOnly));
        holder.peer.acknowledge(&mut holder.dialog).await;
        // Music on hold is relayed; what the held phone says all the same is not.
        for number in 2..40 {
            held.say(0, number).await;
            holder.say_until_heard(number, &held).await;
        }

        let resume = holder.offer("").await;
        let passed_on = held.offered().await;
        assert_eq!(direction(&passed_on), Direction::SendRecv);
        held.accept(&passed_on, "").await;
        assert_eq!(holder.peer.hear_final(&resume).await.status(), StatusCode::OK);
        holder.peer.acknowledge(&mut holder.dialog).await;
        let before = held.say_until_heard(100, &holder).await;
        // The worker may have learned of the hold a few packets after the phones did.
        assert!(before.iter().all(|number| *number < 20), "heard while held: {before:?}");
        part(server, held, holder).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_bear_the_payload_type_that_each_side_has_asked_for() {
    let (server, caller, callee) = joined(101, 96).await;
    // The caller was answered with its own number, and the callee has answered with one of its own: it still hears by the number that
    // it was offered (RFC 3264 §6.1), and is told by its own.
    caller.say_until_it_is(101, &callee, 96).await;
    callee.say_until_it_is(101, &caller, 101).await;
    caller.say_until_it_is(0, &callee, 0).await;
    part(server, caller, callee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_keep_their_payload_type_on_one_side_when_the_other_side_changes_it() {
    let (server, mut caller, mut callee) = joined(101, 101).await;
    callee.events = 110;
    let change = callee.offer("a=ptime:30\r\n").await;
    let passed_on = caller.offered().await;
    let offered = String::from_utf8(passed_on.body().to_vec()).unwrap();
    assert!(offered.contains("a=rtpmap:101 telephone-event/8000"), "{offered}");
    caller.accept(&passed_on, "").await;
    let answer = callee.peer.hear_final(&change).await;
    assert!(String::from_utf8(answer.body().to_vec()).unwrap().contains("a=rtpmap:110 telephone-event/8000"));
    callee.peer.acknowledge(&mut callee.dialog).await;
    caller.say_until_it_is(101, &callee, 110).await;
    callee.say_until_it_is(110, &caller, 101).await;
    part(server, callee, caller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_other_phone_is_the_refusal_and_nothing_changes() {
    let (server, mut caller, mut callee) = joined(101, 101).await;
    for (status, told) in [
        (StatusCode::NOT_ACCEPTABLE_HERE, StatusCode::NOT_ACCEPTABLE_HERE),
        (StatusCode::REQUEST_PENDING, StatusCode::REQUEST_PENDING),
        // Would keep the caller from this server, or make it authenticate to a stranger.
        (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVER_INTERNAL_ERROR),
        (StatusCode::UNAUTHORIZED, StatusCode::NOT_ACCEPTABLE_HERE),
    ] {
        let hold = caller.offer("a=sendonly\r\n").await;
        let passed_on = callee.offered().await;
        callee.peer.reply(&passed_on, status).await;
        callee.peer.hear_request(Method::Ack).await;
        assert_eq!(caller.peer.hear_final(&hold).await.status(), told);
        caller.peer.acknowledge(&mut caller.dialog).await;
        callee.say(0, 1).await;
        assert_eq!(caller.hear().await.0, 0);
    }
    part(server, caller, callee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_knows_the_call_no_more_ends_it_for_the_other_too() {
    for status in [StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST, StatusCode::REQUEST_TIMEOUT] {
        let (server, mut caller, mut callee) = joined(101, 101).await;
        let hold = caller.offer("a=sendonly\r\n").await;
        let passed_on = callee.offered().await;
        callee.peer.reply(&passed_on, status).await;
        let to_callee = callee.peer.hear_request(Method::Bye).await;
        // Nobody answers this one for now: the caller is told all the same.
        let to_caller = caller.peer.hear_request(Method::Bye).await;
        assert_eq!(caller.peer.hear_final(&hold).await.status(), StatusCode::REQUEST_TERMINATED);
        caller.peer.reply(&to_caller, StatusCode::OK).await;
        callee.peer.reply(&to_callee, status).await;
        nothing_left(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_offer_before_the_first_is_answered_gets_500_and_one_from_the_other_side_491() {
    let (server, mut caller, mut callee) = joined(101, 101).await;
    let first = caller.offer("a=sendonly\r\n").await;
    let passed_on = callee.offered().await;
    let second = caller.offer("").await;
    let later = caller.peer.hear_final(&second).await;
    assert_eq!(later.status(), StatusCode::SERVER_INTERNAL_ERROR);
    assert!(later.headers().raw_all(&blether_sip_core::HeaderName::RetryAfter).next().is_some());
    let crossing = callee.offer("a=inactive\r\n").await;
    assert_eq!(callee.peer.hear_final(&crossing).await.status(), StatusCode::REQUEST_PENDING);
    callee.accept(&passed_on, "a=recvonly\r\n").await;
    assert_eq!(caller.peer.hear_final(&first).await.status(), StatusCode::OK);
    part(server, caller, callee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_in_an_update_and_the_old_way_reach_the_other_phone() {
    let (server, mut caller, mut callee) = joined(101, 101).await;
    let description = caller.description("a=sendonly\r\n");
    let update = caller.peer.within(&mut caller.dialog, Method::Update).body("application/sdp", description).build();
    let update = update.unwrap();
    caller.peer.say(update.clone()).await;
    let passed_on = callee.offered().await;
    assert_eq!(direction(&passed_on), Direction::SendOnly);
    callee.accept(&passed_on, "a=recvonly\r\n").await;
    let answer = caller.peer.hear_final(&update).await;
    assert_eq!((answer.status(), described(&answer).media[0].direction()), (StatusCode::OK, Direction::RecvOnly));

    let resume = caller.offer("").await;
    let passed_on = callee.offered().await;
    callee.accept(&passed_on, "").await;
    assert_eq!(caller.peer.hear_final(&resume).await.status(), StatusCode::OK);
    caller.peer.acknowledge(&mut caller.dialog).await;

    // RFC 2543: the address 0.0.0.0; the other phone gets it as RFC 3264 §8.4 has it.
    let old =
        String::from_utf8(caller.description("").to_vec()).unwrap().replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    let hold = caller.peer.reinvite(&mut caller.dialog, old.into());
    caller.peer.say(hold.clone()).await;
    let passed_on = callee.offered().await;
    assert_eq!(direction(&passed_on), Direction::SendOnly);
    callee.accept(&passed_on, "a=recvonly\r\n").await;
    assert_eq!(caller.peer.hear_final(&hold).await.status(), StatusCode::OK);
    caller.peer.acknowledge(&mut caller.dialog).await;
    part(server, callee, caller).await;
}

/// A server that lets its caller hear the callee before it answers.
async fn passing_early_media() -> (Endpoint, Adversary, Adversary) {
    passing_early_media_when(Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))).await
}

/// The same, which passes it as soon as there is leave.
async fn passing_early_media_when(leave: Arc<Semaphore>) -> (Endpoint, Adversary, Adversary) {
    passing_early_media_with(EndpointConfig::default(), leave, mpsc::unbounded_channel().0).await
}

/// The same, which tells of legs that are silent before the answer.
async fn passing_early_media_with(
    config: EndpointConfig,
    leave: Arc<Semaphore>,
    silent: mpsc::UnboundedSender<LegKey>,
) -> (Endpoint, Adversary, Adversary) {
    let (ours, theirs) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let (local, to) = (ours.clone(), theirs.clone());
    let server = serve_configured(config, move |mut call: Call| {
        let (local, to): (SocketAddr, SocketAddr) = (*local.get().unwrap(), *to.get().unwrap());
        let (leave, silent) = (Arc::clone(&leave), silent.clone());
        async move {
            let leg = call.dial(dial_of(MediaCapabilities::g711(), Flow::udp(local, to))).await?;
            loop {
                match call.event().await.ok_or(CallError::Ended)? {
                    CallEvent::EarlyMedia { leg, .. } => {
                        leave.acquire().await.unwrap().forget();
                        call.pass_early_media(leg).await?;
                    }
                    // A test need not listen.
                    CallEvent::Media { leg, event: LegEvent::Silent } => drop(silent.send(leg)),
                    CallEvent::Refused { status, .. } => return Err(CallError::Refused(status)),
                    CallEvent::Answered { .. } => break,
                    _ => {}
                }
            }
            call.bridge(leg).await?;
            pending().await
        }
    })
    .await;
    ours.set(server.local_addr()).unwrap();
    let (caller, callee) = (Adversary::facing(&server).await, Adversary::facing(&server).await);
    theirs.set(callee.address()).unwrap();
    (server, caller, callee)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_that_were_silent_before_the_answer_are_waited_for_from_the_answer_on() {
    let patience = Duration::from_millis(300);
    let config = EndpointConfig { end_when_silent: Some(patience), ..EndpointConfig::default() };
    let (silent, mut are_silent) = mpsc::unbounded_channel();
    let leave = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
    let (server, mut caller, mut callee) = passing_early_media_with(config, leave, silent).await;
    let invite = caller.invite(40_010);
    caller.say(invite.clone()).await;
    let passed_on = callee.hear_request(Method::Invite).await;
    let mut answer = callee.response(&passed_on, StatusCode::SESSION_PROGRESS, "callee");
    answer.set_body("application/sdp", sdp(40_000, 1, ""));
    callee.say(answer).await;
    caller.hear_status(&invite, StatusCode::SESSION_PROGRESS).await;
    let mut legs = BTreeSet::new();
    while legs.len() < 2 {
        legs.insert(in_time("silence", are_silent.recv()).await.unwrap());
    }
    let answered = Instant::now();
    callee.say(callee.response(&passed_on, StatusCode::OK, "callee")).await;
    let mut dialog = Dialog::of_caller(&invite, &caller.hear_final(&invite).await);
    caller.acknowledge(&mut dialog).await;
    for phone in [&mut caller, &mut callee] {
        let bye = phone.hear_request(Method::Bye).await;
        assert!(answered.elapsed() >= patience, "ended {:?} after the answer", answered.elapsed());
        phone.reply(&bye, StatusCode::OK).await;
    }
    nothing_left(&server).await;
}

/// Calls, has the callee be heard before it answers, and returns both with the INVITE and what the caller was told.
async fn heard_early(mut caller: Adversary, mut callee: Adversary) -> (Request, Request, Response, Party, Party) {
    let (hers, his) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let offer = speech(port(&hers), 1, 101, "");
    let invite = caller.request(Method::Invite).body("application/sdp", offer).build().unwrap();
    caller.say(invite.clone()).await;
    let passed_on = callee.hear_request(Method::Invite).await;
    let mut progress = callee.response(&passed_on, StatusCode::SESSION_PROGRESS, "callee");
    progress.set_body("application/sdp", speech(port(&his), 1, 96, ""));
    callee.say(progress.clone()).await;
    let told = caller.hear_status(&invite, StatusCode::SESSION_PROGRESS).await;
    let dialog = Dialog::of_caller(&invite, &told);
    let caller = Party { peer: caller, dialog, sound: hers, events: 101, server: rtp_of(told.body()), version: 1 };
    let dialog = Dialog::of_callee(&passed_on, &progress);
    let callee = Party { peer: callee, dialog, sound: his, events: 96, server: rtp_of(passed_on.body()), version: 1 };
    for number in 1..20 {
        caller.say(0, number).await;
        callee.say_until_heard(number, &caller).await;
    }
    assert!(callee.sound.try_recv(&mut [0; 100]).is_err(), "the caller was heard before the call was answered");
    (invite, passed_on, told, caller, callee)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callee_is_heard_before_it_answers_and_the_200_says_what_the_183_said() {
    let (server, caller, callee) = passing_early_media().await;
    let (invite, passed_on, told, mut caller, mut callee) = heard_early(caller, callee).await;
    let mut answer = callee.peer.response(&passed_on, StatusCode::OK, "callee");
    answer.set_body("application/sdp", speech(callee.port(), 1, 96, ""));
    callee.peer.say(answer).await;
    callee.peer.hear_request(Method::Ack).await;
    let answer = caller.peer.hear_final(&invite).await;
    assert_eq!((answer.status(), answer.body()), (StatusCode::OK, told.body()));
    caller.peer.acknowledge(&mut caller.dialog).await;
    caller.say_until_it_is(101, &callee, 96).await;
    part(server, caller, callee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_phone_behind_the_callees_fork_may_answer_after_early_media_with_another_way_to_be_heard() {
    let (server, caller, callee) = passing_early_media().await;
    let (invite, passed_on, _, mut caller, mut callee) = heard_early(caller, callee).await;
    // It only listens.
    let mut answer = callee.peer.response(&passed_on, StatusCode::OK, "another");
    callee.dialog = Dialog::of_callee(&passed_on, &answer);
    answer.set_body("application/sdp", speech(callee.port(), 1, 96, "a=recvonly\r\n"));
    callee.peer.say(answer).await;
    callee.peer.hear_request(Method::Ack).await;
    assert_eq!(caller.peer.hear_final(&invite).await.status(), StatusCode::OK);
    caller.peer.acknowledge(&mut caller.dialog).await;
    // The caller was told both ways; it learns of the change.
    let change = caller.offered().await;
    assert_eq!(direction(&change), Direction::RecvOnly);
    caller.accept(&change, "a=sendonly\r\n").await;
    part(server, caller, callee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callee_that_refuses_after_it_was_heard_has_refused() {
    let (server, caller, callee) = passing_early_media().await;
    let (invite, passed_on, _, mut caller, mut callee) = heard_early(caller, callee).await;
    callee.peer.say(callee.peer.response(&passed_on, StatusCode::BUSY_HERE, "callee")).await;
    callee.peer.hear_request(Method::Ack).await;
    assert_eq!(caller.peer.hear_final(&invite).await.status(), StatusCode::BUSY_HERE);
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_cannot_hear_the_callee_early_hears_it_ring_and_is_connected_all_the_same() {
    for (offer, early) in [
        // The callee is heard in A-law, which this caller has not.
        (Some(sdp(40_002, 1, "")), "8"),
        // This one waits for an offer, which the 200 makes.
        (None, "0"),
    ] {
        let (server, mut caller, mut callee) = passing_early_media().await;
        let mut invite = caller.request(Method::Invite);
        let answer = offer.is_none();
        if let Some(offer) = offer {
            invite = invite.body("application/sdp", offer);
        }
        let invite = invite.build().unwrap();
        caller.say(invite.clone()).await;
        let passed_on = callee.hear_request(Method::Invite).await;
        let mut progress = callee.response(&passed_on, StatusCode::SESSION_PROGRESS, "callee");
        let description = String::from_utf8(sdp(40_000, 1, "").to_vec()).unwrap();
        progress.set_body("application/sdp", description.replace("RTP/AVP 0", &format!("RTP/AVP {early}")).into());
        callee.say(progress).await;
        caller.hear_status(&invite, StatusCode::RINGING).await;
        let accepted = callee.response(&passed_on, StatusCode::OK, "callee");
        callee.say(accepted.clone()).await;
        callee.hear_request(Method::Ack).await;
        let connected = caller.hear_final(&invite).await;
        assert_eq!(connected.status(), StatusCode::OK);
        let mut dialog = Dialog::of_caller(&invite, &connected);
        let mut ack = caller.within(&mut dialog, Method::Ack);
        if answer {
            ack = ack.body("application/sdp", sdp(40_002, 1, ""));
        }
        caller.say(ack.build().unwrap()).await;
        caller.hang_up(&mut dialog).await;
        let bye = callee.hear_request(Method::Bye).await;
        callee.reply(&bye, StatusCode::OK).await;
        nothing_left(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_right_after_early_media_is_what_the_caller_gets() {
    let leave = Arc::new(Semaphore::new(0));
    let (server, mut caller, mut callee) = passing_early_media_when(Arc::clone(&leave)).await;
    let invite = caller.invite(40_002);
    caller.say(invite.clone()).await;
    let passed_on = callee.hear_request(Method::Invite).await;
    let mut progress = callee.response(&passed_on, StatusCode::SESSION_PROGRESS, "callee");
    progress.set_body("application/sdp", sdp(40_000, 1, ""));
    let refusal = callee.response(&passed_on, StatusCode::BUSY_HERE, "callee");
    callee.say_all([progress.into(), refusal.into()]).await;
    callee.hear_request(Method::Ack).await;
    // The handler learns of the one when the other has closed the callee's media.
    in_time("the callee's media to close", async {
        while server.counts().await.unwrap().media_ports > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    leave.add_permits(1);
    assert_eq!(caller.hear_final(&invite).await.status(), StatusCode::BUSY_HERE);
    nothing_left(&server).await;
}

/// A caller without an offer is called back with the callee's, and answers it in its ACK with this.
async fn offer_in_the_200(answer: Option<&str>) -> (Endpoint, Party, Party) {
    let (ours, theirs) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let (local, to) = (ours.clone(), theirs.clone());
    let server = serve(move |mut call: Call| {
        let (local, to): (SocketAddr, SocketAddr) = (*local.get().unwrap(), *to.get().unwrap());
        async move {
            let leg = call.dial(dial_of(call.offered_media()?, Flow::udp(local, to))).await?;
            while !matches!(call.event().await.ok_or(CallError::Ended)?, CallEvent::Answered { .. }) {}
            call.bridge(leg).await?;
            pending().await
        }
    })
    .await;
    ours.set(server.local_addr()).unwrap();
    let (mut caller, mut callee) = (Adversary::facing(&server).await, Adversary::facing(&server).await);
    theirs.set(callee.address()).unwrap();
    let (hers, his) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let invite = caller.request(Method::Invite).build().unwrap();
    caller.say(invite.clone()).await;
    let passed_on = callee.hear_request(Method::Invite).await;
    let mut reply = callee.response(&passed_on, StatusCode::OK, "callee");
    let dialog = Dialog::of_callee(&passed_on, &reply);
    reply.set_body("application/sdp", speech(port(&his), 1, 101, ""));
    callee.say(reply).await;
    callee.hear_request(Method::Ack).await;
    let callee = Party { peer: callee, dialog, sound: his, events: 101, server: rtp_of(passed_on.body()), version: 1 };
    let offer = caller.hear_final(&invite).await;
    let mut dialog = Dialog::of_caller(&invite, &offer);
    let mut ack = caller.within(&mut dialog, Method::Ack);
    if let Some(more) = answer {
        ack = ack.body("application/sdp", speech(port(&hers), 1, 101, more));
    }
    caller.say(ack.build().unwrap()).await;
    let caller = Party { peer: caller, dialog, sound: hers, events: 101, server: rtp_of(offer.body()), version: 1 };
    (server, caller, callee)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_the_ack_of_a_caller_without_an_offer_reaches_the_callee() {
    let (server, caller, callee) = offer_in_the_200(Some("")).await;
    caller.say_until_it_is(0, &callee, 0).await;
    callee.say_until_it_is(101, &caller, 101).await;
    part(server, caller, callee).await;

    // A caller that only listens: the callee is told.
    let (server, caller, mut callee) = offer_in_the_200(Some("a=recvonly\r\n")).await;
    let change = callee.offered().await;
    assert_eq!(direction(&change), Direction::RecvOnly);
    callee.accept(&change, "a=sendonly\r\n").await;
    part(server, caller, callee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_without_the_answer_that_it_owes_ends_both_legs() {
    let (server, mut caller, mut callee) = offer_in_the_200(None).await;
    for party in [&mut caller, &mut callee] {
        let bye = party.peer.hear_request(Method::Bye).await;
        party.peer.reply(&bye, StatusCode::OK).await;
    }
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_for_an_offer_whose_ack_has_no_answer_ends_both_legs() {
    let (server, mut caller, mut callee) = joined(101, 101).await;
    let wish = caller.peer.within(&mut caller.dialog, Method::Invite).build().unwrap();
    caller.peer.say(wish.clone()).await;
    let passed_on = callee.offered().await;
    assert!(passed_on.body().is_empty());
    let description = callee.description("");
    let offer = Response::to_request(&passed_on, StatusCode::OK).body("application/sdp", description).build();
    callee.peer.say(offer).await;
    assert_eq!(caller.peer.hear_final(&wish).await.status(), StatusCode::OK);
    assert!(!callee.peer.has_heard(Method::Ack).await, "the callee's ACK waits for the caller's");
    caller.peer.acknowledge(&mut caller.dialog).await;
    for party in [&mut caller, &mut callee] {
        let bye = party.peer.hear_request(Method::Bye).await;
        party.peer.reply(&bye, StatusCode::OK).await;
    }
    // Its 200 was acknowledged all the same, so that it is not sent for ever.
    callee.peer.hear_request(Method::Ack).await;
    nothing_left(&server).await;
}
