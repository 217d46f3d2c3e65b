//! The ports that the descriptions name.

use std::sync::{Arc, Mutex, mpsc as blocking};

use blether_rtp_core::{LegEvent, LegProcessor, RtpPacket};
use blether_session_core::MediaCapabilities;
use blether_session_core::actor::{Call, EndpointConfig};
use blether_sip_core::{Method, StatusCode};
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use super::endpoint::{answer_with_echo, call_to, in_time, nothing_left, serve_configured};
use super::peer::{Adversary, Dialog, described};

/// Keeps its worker busy from the first packet until it is let go.
struct Busy {
    begun: Arc<Notify>,
    let_go: blocking::Receiver<()>,
}

impl LegProcessor for Busy {
    fn handle_packet(&mut self, _now: std::time::Instant, _packet: RtpPacket<'_>) {
        self.begun.notify_one();
        // Whoever lets go may do it by going.
        let _ = self.let_go.recv();
    }

    fn poll_transmit(&mut self, _out: &mut Vec<u8>) -> bool {
        false
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        None
    }

    fn poll_timeout(&self) -> Option<std::time::Instant> {
        None
    }

    fn handle_timeout(&mut self, _now: std::time::Instant) {}
}

/// Goes on until the endpoint has answered several requests, and so has done what else it could.
async fn rounds(peer: &mut Adversary) {
    for _ in 0..5 {
        let options = peer.request(Method::Options).build().unwrap();
        peer.ask(options).await;
    }
}

#[tokio::test]
async fn neither_an_offer_nor_an_answer_leaves_before_its_leg_runs() {
    let (begun, (release, let_go)) = (Arc::new(Notify::new()), blocking::channel());
    let busy = Arc::new(Mutex::new(Some(Busy { begun: begun.clone(), let_go })));
    let config = EndpointConfig { media_workers: 1, ..EndpointConfig::default() };
    let server = serve_configured(config, move |mut call: Call| {
        let busy = busy.lock().unwrap().take();
        async move {
            match busy {
                Some(busy) => drop(call.answer(&MediaCapabilities::g711(), |_| Box::new(busy)).await?),
                None => answer_with_echo(&mut call).await?,
            }
            call.ended().await;
            Ok(())
        }
    })
    .await;
    let mut peer = Adversary::facing(&server).await;
    let sound = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (mut first, answer) = peer.call(sound.local_addr().unwrap().port()).await;
    let mut packet = [0; 172];
    packet[0] = 0x80;
    for number in 1..=4 {
        packet[3] = number;
        sound.send_to(&packet, ("127.0.0.1", described(&answer).media[0].port)).await.unwrap();
    }
    in_time("the worker to be busy", begun.notified()).await;

    // Now no leg can begin to run.
    let invite = peer.invite(40_002);
    peer.say(invite.clone()).await;
    let mut dialling = Box::pin(call_to(&server, peer.address(), None));
    tokio::select! {
        biased;
        _ = &mut dialling => panic!("dialled without a leg"),
        () = rounds(&mut peer) => {}
    }
    assert!(!peer.has_heard(Method::Invite).await, "an offer has left");
    assert!(!peer.has_heard_answer(&invite), "an answer has left");
    release.send(()).unwrap();
    drop(release);
    let call = in_time("the leg to be dialled", dialling).await;
    let ours = peer.hear_request(Method::Invite).await;
    let answer = peer.hear_final(&invite).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut second = Dialog::of_caller(&invite, &answer);
    peer.acknowledge(&mut second).await;
    peer.say(peer.response(&ours, StatusCode::BUSY_HERE, "b")).await;
    peer.hang_up(&mut first).await;
    peer.hang_up(&mut second).await;
    drop(call);
    nothing_left(&server).await;
}
