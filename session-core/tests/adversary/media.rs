//! What the adversary hears of a call.
#![expect(clippy::disallowed_methods, reason = "a leg runs on the clock of its worker")]

use std::future::pending;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use blether_rtp_core::{LegEvent, LegProcessor, RtpPacket};
use blether_session_core::actor::{Call, CallError, CallEvent, LegKey};
use blether_sip_core::StatusCode;
use blether_sip_core::sdp::Direction;
use blether_sip_transport::Flow;
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use super::endpoint::{answer_with_echo, dial_of, in_time, nothing_left, serve};
use super::peer::{Adversary, described, sdp};

/// Counts aloud, a number a packet, so that it can be told when what is heard was said.
pub(crate) struct Counter {
    said: watch::Sender<u32>,
    due: Instant,
    ready: bool,
}

impl Counter {
    pub(crate) fn new() -> (Self, watch::Receiver<u32>) {
        let (said, reader) = watch::channel(0);
        (Self { said, due: Instant::now(), ready: false }, reader)
    }
}

impl LegProcessor for Counter {
    fn handle_packet(&mut self, _now: Instant, _packet: RtpPacket<'_>) {}

    fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if !std::mem::take(&mut self.ready) {
            return false;
        }
        let number = *self.said.borrow() + 1;
        out.extend([0x80, 0]);
        out.extend(u16::to_be_bytes(number as u16));
        out.extend(u32::to_be_bytes(number * 160));
        out.extend(u32::to_be_bytes(7));
        out.extend(u32::to_be_bytes(number));
        out.resize(12 + 160, 0xff);
        self.said.send_replace(number);
        true
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.due)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.due = now + Duration::from_millis(20);
        self.ready = true;
    }
}

/// Where the adversary listens.
pub(crate) struct Ear(UdpSocket);

impl Ear {
    pub(crate) async fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The next number that is heard, and the port that it came from.
    pub(crate) async fn hear(&self) -> (u32, u16) {
        let mut packet = [0; 2_000];
        let (length, from) = in_time("a packet", self.0.recv_from(&mut packet)).await.unwrap();
        assert_eq!(length, 12 + 160);
        (u32::from_be_bytes(packet[12..16].try_into().unwrap()), from.port())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answering_twice_keeps_the_port_of_the_first_answer() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = serve(move |mut call: Call| {
        let tell = tell.clone();
        async move {
            let media = call.offered_media()?;
            let (counter, said) = Counter::new();
            call.answer(&media, |_| Box::new(counter)).await?;
            let (other, _) = Counter::new();
            let again = call.answer(&media, |_| Box::new(other)).await;
            // The media worker has done what it was asked before when it answers this.
            call.statistics(LegKey::PRIMARY).await?;
            tell.send((again, said)).unwrap();
            pending().await
        }
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    let ear = Ear::new().await;
    let (mut dialog, answer) = peer.call(ear.port()).await;
    let (again, said) = in_time("the second answer", told.recv()).await.unwrap();
    assert!(matches!(again, Err(CallError::WrongState(_))), "{again:?}");
    let before = *said.borrow();
    let named = described(&answer).media[0].port;
    in_time("the first answer's port to be heard", async {
        loop {
            let (number, port) = ear.hear().await;
            if number > before && port == named {
                break;
            }
        }
    })
    .await;
    peer.hang_up(&mut dialog).await;
    assert_eq!(answer.status(), StatusCode::OK);
    nothing_left(&server).await;
}

/// Holds the call with a re-INVITE that offers what `hold` makes for the port, and resumes it with an ordinary one.
async fn is_silent_while_held(hold: impl FnOnce(u16) -> Bytes, answered: Direction) {
    let (counter, mut said) = Counter::new();
    let counter = Arc::new(Mutex::new(Some(counter)));
    let server = serve(move |mut call: Call| {
        let counter = counter.lock().unwrap().take().unwrap();
        async move {
            let media = call.offered_media()?;
            call.answer(&media, |_| Box::new(counter)).await?;
            pending().await
        }
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    let ear = Ear::new().await;
    let (mut dialog, _) = peer.call(ear.port()).await;
    ear.hear().await;

    let reinvite = peer.reinvite(&mut dialog, hold(ear.port()));
    let held = peer.ask(reinvite).await;
    assert_eq!((held.status(), described(&held).media[0].direction()), (StatusCode::OK, answered));
    peer.acknowledge(&mut dialog).await;
    // What left while the 200 did may still be on its way.
    let silent_from = *said.borrow() + 5;
    let silent_to = silent_from + 10;
    in_time("the counter to go on", said.wait_for(|said| *said > silent_to)).await.unwrap();

    let reinvite = peer.reinvite(&mut dialog, sdp(ear.port(), 3, ""));
    let resumed = peer.ask(reinvite).await;
    assert_eq!((resumed.status(), described(&resumed).media[0].direction()), (StatusCode::OK, Direction::SendRecv));
    peer.acknowledge(&mut dialog).await;
    loop {
        let (number, _) = ear.hear().await;
        assert!(!(silent_from..=silent_to).contains(&number), "{number} was heard while the call was held");
        if number > silent_to {
            break;
        }
    }
    peer.hang_up(&mut dialog).await;
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_makes_the_call_inactive_hears_nothing_until_it_resumes() {
    is_silent_while_held(|port| sdp(port, 2, "a=inactive\r\n"), Direction::Inactive).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_holds_with_sendonly_hears_nothing_until_it_resumes() {
    is_silent_while_held(|port| sdp(port, 2, "a=sendonly\r\n"), Direction::RecvOnly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_holds_as_rfc_2543_has_it_hears_nothing_until_it_resumes() {
    let nowhere = |port| {
        let description = String::from_utf8(sdp(port, 2, "").into()).unwrap();
        description.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0").into()
    };
    is_silent_while_held(nowhere, Direction::RecvOnly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridged_call_is_held_and_resumed_as_often_as_its_phone_likes() {
    let callee = serve(|mut call: Call| async move {
        answer_with_echo(&mut call).await?;
        pending().await
    })
    .await;
    let (to, ours) = (callee.local_addr(), Arc::new(OnceLock::new()));
    let here = ours.clone();
    let server = serve(move |mut call: Call| {
        let local = *here.get().unwrap();
        async move {
            let leg = call.dial(dial_of(call.offered_media()?, Flow::udp(local, to))).await?;
            while !matches!(call.event().await.ok_or(CallError::Ended)?, CallEvent::Answered { .. }) {}
            call.bridge(leg).await?;
            pending().await
        }
    })
    .await;
    ours.set(server.local_addr()).unwrap();
    let mut peer = Adversary::facing(&server).await;
    let ear = Ear::new().await;
    let (mut dialog, _) = peer.call(ear.port()).await;
    let changes = [
        ("sendonly", Direction::RecvOnly),
        ("sendrecv", Direction::SendRecv),
        ("inactive", Direction::Inactive),
        ("sendrecv", Direction::SendRecv),
        ("sendrecv", Direction::SendRecv),
        ("recvonly", Direction::SendOnly),
        ("sendrecv", Direction::SendRecv),
    ];
    for (version, (offered, answered)) in (2..).zip(changes) {
        let reinvite = peer.reinvite(&mut dialog, sdp(ear.port(), version, &format!("a={offered}\r\n")));
        let answer = peer.ask(reinvite).await;
        assert_eq!((answer.status(), described(&answer).media[0].direction()), (StatusCode::OK, answered), "{version}");
        peer.acknowledge(&mut dialog).await;
    }
    peer.hang_up(&mut dialog).await;
    nothing_left(&server).await;
    nothing_left(&callee).await;
}
