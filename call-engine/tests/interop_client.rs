//! Our phone at a registrar and proxy that is not ours, Kamailio, and in calls with a phone that is not ours, baresip.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blether_media_core::compare::compare;
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::{AudioSource, Clip, MemoryRecording, SequenceSource, SilenceSource, record_to_memory};
use blether_rtp_core::JitterConfig;
use blether_session_core::{AuthError, Party, RegistrationFailure};
use blether_sip_client::{Account, Audio, NotAnswered, Phone, PhoneCall, PhoneConfig, PhoneEvent, RegisterError};
use blether_sip_core::StatusCode;
use blether_transaction_core::{Direction, WireTap};

use peers::baresip::BaresipConfig;
use peers::kamailio::Kamailio;
use peers::sound::{assert_heard, tune, write_wav};
use peers::{Folder, PATIENCE, User, wait_until};

const PASSWORD: &str = "secret";

/// What a phone has sent, and where.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<(SocketAddr, String)>>>);

impl Sent {
    fn tap(&self) -> WireTap {
        let sent = self.clone();
        WireTap::new(move |message| {
            if message.direction == Direction::Sent {
                let text = String::from_utf8_lossy(message.bytes).into_owned();
                sent.0.lock().unwrap().push((message.flow.remote, text));
            }
        })
    }

    /// The requests of this method.
    fn requests(&self, method: &str) -> Vec<String> {
        let sent = self.0.lock().unwrap();
        sent.iter().map(|(_, text)| text).filter(|text| text.starts_with(&format!("{method} "))).cloned().collect()
    }

    /// A proxy that puts itself into the route sees every message, those within the call too (RFC 3261 §16.6 step 4, §12.2.1.1).
    fn assert_all_by(&self, proxy: SocketAddr) {
        let others: Vec<_> = self.0.lock().unwrap().iter().filter(|(to, _)| *to != proxy).cloned().collect();
        assert!(others.is_empty(), "sent past the proxy: {others:?}");
        let route = format!("Route: <sip:{proxy};lr");
        for request in self.requests("BYE").into_iter().chain(self.requests("ACK")) {
            // The first INVITE is challenged; the ACK of a refusal belongs to its hop and takes no route (§17.1.1.3).
            let of_the_challenge = request.contains("CSeq: 1 ACK");
            assert!(of_the_challenge || request.contains(&route), "{route} is missing:\n{request}");
        }
    }
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

async fn start_phone(user: &str, password: &str, kamailio: &Kamailio) -> (Phone, Sent) {
    let sent = Sent::default();
    let account = Account::new(user, password, kamailio.address());
    // Bears threads that are kept waiting, on a machine that runs other tests beside this.
    let delay = Duration::from_millis(100);
    let jitter = JitterConfig { min_delay: delay, initial_delay: delay, ..JitterConfig::default() };
    let config = PhoneConfig { tap: Some(sent.tap()), jitter, ..PhoneConfig::new(account) };
    (Phone::start(config).await.unwrap(), sent)
}

async fn registered_phone(user: &str, kamailio: &Kamailio) -> (Phone, Sent) {
    let (mut phone, sent) = start_phone(user, PASSWORD, kamailio).await;
    in_time("the registration", phone.register()).await.unwrap();
    (phone, sent)
}

/// Says `clip`, and silence for as long as the last of it may be under way; remembers what is heard.
fn speech(clip: &Clip) -> (Audio, MemoryRecording) {
    let (sink, recording) = record_to_memory(Duration::from_secs(60));
    let parts: [Box<dyn AudioSource>; 2] =
        [Box::new(clip.play()), Box::new(SilenceSource::lasting(Duration::from_millis(500)))];
    (Audio::new(SequenceSource::new(parts), sink), recording)
}

fn silence() -> Audio {
    Audio::silent()
}

async fn played(call: &mut PhoneCall) {
    in_time("the end of what is said", async {
        while let Some(event) = call.event().await {
            if event == PhoneEvent::Played {
                return;
            }
        }
        panic!("the call ended too early");
    })
    .await;
}

/// Both ends of a call that stands.
async fn connect(caller: &Phone, callee: &mut Phone, name: &str, audio: [Audio; 2]) -> [PhoneCall; 2] {
    let [out_audio, in_audio] = audio;
    let mut out_call = caller.call(name).await.unwrap();
    let mut in_call = in_time("the call", callee.incoming()).await.unwrap();
    in_call.ring().await.unwrap();
    let (out_plan, in_plan) =
        in_time("the answer", async { tokio::join!(out_call.answered(out_audio, || ()), in_call.answer(in_audio)) })
            .await;
    assert_eq!(out_plan.unwrap().formats[0].name, in_plan.unwrap().formats[0].name);
    [out_call, in_call]
}

async fn our_phones_talk_by(algorithm: &str) {
    let folder = Folder::new(&format!("our-phones-{algorithm}"));
    let kamailio = Kamailio::start_with_algorithm(folder.path(), PASSWORD, algorithm);
    let (mut alice, alice_sent) = registered_phone("alice", &kamailio).await;
    let (mut bob, bob_sent) = registered_phone("bob", &kamailio).await;

    let (said_by_alice, said_by_bob) =
        (say(Voice::Ailsa, Utterance::CanYouHearMe), say(Voice::Blair, Utterance::LoudAndClear));
    let ((alice_audio, heard_by_alice), (bob_audio, heard_by_bob)) = (speech(&said_by_alice), speech(&said_by_bob));
    let [mut out_call, mut in_call] = connect(&alice, &mut bob, "bob", [alice_audio, bob_audio]).await;
    tokio::join!(played(&mut out_call), played(&mut in_call));
    for (who, said, heard) in [("bob", said_by_alice, heard_by_bob), ("alice", said_by_bob, heard_by_alice)] {
        let found = compare(said.samples(), &heard.samples()).unwrap_or_else(|| panic!("{who} heard something else"));
        assert!(found.segmental_snr_db > 30.0 && found.coverage > 0.95, "{who}: {found:?}");
    }
    let (ours, theirs) = in_time("the BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;
    assert_eq!((ours.unwrap().by, theirs.unwrap().by), (Party::Local, Party::Remote));

    // The other way round: bob calls, and alice, who is called, hangs up.
    let [mut out_call, mut in_call] = connect(&bob, &mut alice, "alice", [silence(), silence()]).await;
    let (ours, theirs) = in_time("the BYE", async { tokio::join!(in_call.hang_up(), out_call.ended()) }).await;
    assert_eq!((ours.unwrap().by, theirs.unwrap().by), (Party::Local, Party::Remote));

    for (mut phone, sent, hung_up) in [(alice, alice_sent, 2), (bob, bob_sent, 0)] {
        in_time("the answer", phone.unregister()).await.unwrap();
        sent.assert_all_by(kamailio.address());
        let byes = sent.requests("BYE");
        assert_eq!(byes.len(), hung_up, "{}", byes.join("\n"));
        let registers = sent.requests("REGISTER");
        assert!(registers.iter().any(|register| register.contains(&format!("algorithm={algorithm}"))), "{registers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_phones_register_at_kamailio_by_md5_and_talk_through_it() {
    our_phones_talk_by("MD5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_phones_register_at_kamailio_by_sha_256_and_talk_through_it() {
    our_phones_talk_by("SHA-256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kamailio_refuses_our_phone_with_a_wrong_password_and_it_does_not_insist() {
    let folder = Folder::new("our-phone-wrong-password");
    let kamailio = Kamailio::start(folder.path(), PASSWORD);
    let (mut phone, sent) = start_phone("alice", "guess", &kamailio).await;
    let error = in_time("the refusal", phone.register()).await.unwrap_err();
    let refused = matches!(
        &error,
        RegisterError::Failed(RegistrationFailure::Authentication(AuthError::Refused { realm })) if realm == "127.0.0.1"
    );
    assert!(refused, "{error}");
    assert_eq!(sent.requests("REGISTER").len(), 2, "one without and one with credentials");

    let mut call = phone.call("bob").await.unwrap();
    let error = in_time("the refusal", call.answered(silence(), || ())).await.unwrap_err();
    assert!(matches!(error, NotAnswered::Refused(StatusCode::PROXY_AUTHENTICATION_REQUIRED)), "{error}");
    assert_eq!(sent.requests("INVITE").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kamailio_tells_our_phone_who_cannot_be_called() {
    let folder = Folder::new("our-phone-unknown");
    let kamailio = Kamailio::start(folder.path(), PASSWORD);
    let (phone, _) = start_phone("alice", PASSWORD, &kamailio).await;
    let mut call = phone.call("nobody").await.unwrap();
    let error = in_time("the refusal", call.answered(silence(), || ())).await.unwrap_err();
    assert!(matches!(error, NotAnswered::Refused(StatusCode::NOT_FOUND)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_and_our_phone_call_each_other_through_kamailio() {
    let folder = Folder::new("our-phone-baresip");
    let kamailio = Kamailio::start(folder.path(), PASSWORD);
    let (alices, bobs) = (tune(1, 30), tune(2, 30));
    write_wav(&folder.file("bob.wav"), &bobs);
    let bob = User::new("bob", PASSWORD);
    let mut bob = BaresipConfig::ringing(folder.path(), &bob, kamailio.address()).play(&folder.file("bob.wav")).start();
    bob.wait_registered();
    let (mut alice, sent) = registered_phone("alice", &kamailio).await;
    let clip = Clip::new(alices.clone());

    bob.dial(&kamailio.uri("alice"));
    let (audio, heard) = speech(&clip);
    let mut call = in_time("the call", alice.incoming()).await.unwrap();
    call.ring().await.unwrap();
    bob.wait_event("CALL_RINGING", PATIENCE);
    in_time("the ACK", call.answer(audio)).await.unwrap();
    bob.wait_event("CALL_ESTABLISHED", PATIENCE);
    bob.send_digits("7");
    let digit = in_time("the key", async {
        loop {
            if let PhoneEvent::Digit { digit, .. } = call.event().await.expect("the call goes on") {
                return digit;
            }
        }
    });
    assert_eq!(digit.await, '7');
    bob.wait_heard(Duration::from_millis(2_700));
    wait_until("our phone should have heard baresip", PATIENCE, || (heard.samples().len() > 8_000 * 3).then_some(()));
    assert_heard("baresip", &alices, &bob.heard(), 2);
    assert_heard("our phone", &bobs, &heard.samples(), 2);
    in_time("the answer to BYE", call.hang_up()).await.unwrap();
    bob.wait_event("CALL_CLOSED", PATIENCE);

    let mut call = alice.call("bob").await.unwrap();
    bob.wait_event("CALL_INCOMING", PATIENCE);
    bob.accept();
    in_time("the answer", call.answered(silence(), || ())).await.unwrap();
    bob.wait_event("CALL_ESTABLISHED", PATIENCE);
    call.send_digits("4#").unwrap();
    for digit in ["4", "#"] {
        assert_eq!(bob.wait_event("CALL_DTMF_START", PATIENCE)["param"], digit);
    }
    bob.hang_up();
    assert_eq!(in_time("the BYE", call.ended()).await.unwrap().by, Party::Remote);
    sent.assert_all_by(kamailio.address());
    bob.quit();
}
