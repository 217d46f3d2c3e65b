//! What a `Phone` promises, against a small server on loopback: real sockets and real time, and no wait that is not for a condition.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod server;

use std::time::Duration;

use blether_media_core::compare::compare;
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::{AudioSource, Clip, MemoryRecording, SequenceSource, SilenceSource, record_to_memory};
use blether_rtp_core::JitterConfig;
use blether_session_core::actor::{Call, CallEvent};
use blether_session_core::{AuthError, EndCause, Party, RegistrationFailure};
use blether_sip_client::{
    Account, Audio, BadTarget, NotAnswered, Phone, PhoneCall, PhoneConfig, PhoneError, PhoneEvent, RegisterError,
    Registered, RegistrationState,
};
use blether_sip_core::StatusCode;
use blether_sip_transport::Transport;
use blether_transaction_core::Timing;
use tokio::sync::mpsc;

use server::{PASSWORD, Server, in_time, until};

async fn phone_with(server: &Server, password: &str) -> Phone {
    let config =
        PhoneConfig { jitter: patient(), ..PhoneConfig::new(Account::new("alice", password, server.address())) };
    Phone::start(config).await.unwrap()
}

/// Bears threads that are kept waiting: the tests run beside each other.
fn patient() -> JitterConfig {
    let delay = Duration::from_millis(100);
    JitterConfig { min_delay: delay, initial_delay: delay, ..JitterConfig::default() }
}

async fn phone(server: &Server) -> Phone {
    phone_with(server, PASSWORD).await
}

async fn registered_phone(server: &Server) -> Phone {
    let mut phone = phone(server).await;
    in_time("the registration", phone.register()).await.unwrap();
    phone
}

fn silence() -> Audio {
    Audio::silent()
}

/// Says `clip` and a moment of silence, in which the last of it comes back, and remembers what is heard.
fn speech(clip: &Clip) -> (Audio, MemoryRecording) {
    let (sink, recording) = record_to_memory(Duration::from_secs(60));
    let parts: [Box<dyn AudioSource>; 2] =
        [Box::new(clip.play()), Box::new(SilenceSource::lasting(Duration::from_millis(500)))];
    (Audio::new(SequenceSource::new(parts), sink), recording)
}

#[track_caller]
fn assert_hears_itself(clip: &Clip, recording: &MemoryRecording) {
    let found = compare(clip.samples(), &recording.samples()).expect("what was said came back");
    assert!(found.segmental_snr_db > 30.0 && found.coverage > 0.95, "{found:?}");
    assert!(found.level_difference_db.abs() < 0.5, "{found:?}");
}

async fn wait_for(call: &mut PhoneCall, wanted: PhoneEvent) {
    in_time("an event", async {
        while let Some(event) = call.event().await {
            if event == wanted {
                return;
            }
        }
        panic!("the call ended without {wanted:?}");
    })
    .await;
}

async fn refusal(phone: &Phone, target: &str) -> NotAnswered {
    let mut call = phone.call(target).await.unwrap();
    in_time("a refusal", call.answered(silence(), || ())).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_registers_by_its_password_and_takes_it_back() {
    let mut server = Server::start().await;
    let mut phone = phone(&server).await;
    assert_eq!(phone.watch_registration().current(), RegistrationState::Unregistered);
    let registered = in_time("the registration", phone.register()).await.unwrap();
    assert_eq!(registered, Registered { expires: Duration::from_secs(600) });
    assert_eq!(
        phone.watch_registration().current(),
        RegistrationState::Registered { expires: Duration::from_secs(600) }
    );
    let contact = format!("sip:alice@{}", phone.local_addr());
    assert_eq!(server.bindings(1).await.last().unwrap().contact.to_string(), contact);

    in_time("the answer", phone.unregister()).await.unwrap();
    assert_eq!(server.bindings(2).await.last().unwrap().asked, 0);
    assert_eq!(phone.watch_registration().current(), RegistrationState::Unregistered);
    in_time("nothing", phone.unregister()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_is_renewed_without_being_asked_for() {
    let mut server = Server::granting(2).await;
    let mut phone = phone(&server).await;
    in_time("the registration", phone.register()).await.unwrap();
    let mut watch = phone.watch_registration();
    let bindings = server.bindings(2).await;
    assert_eq!(bindings[1].contact, bindings[0].contact);
    let expires = Duration::from_secs(2);
    assert_eq!(in_time("the renewal", watch.changed()).await, Some(RegistrationState::Registered { expires }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_registers_nothing_and_is_named() {
    let mut server = Server::start().await;
    let mut phone = phone_with(&server, "guess").await;
    let error = in_time("the refusal", phone.register()).await.unwrap_err();
    let RegisterError::Failed(RegistrationFailure::Authentication(AuthError::Refused { realm })) = &error else {
        panic!("{error}")
    };
    assert_eq!(realm, "test");
    assert!(error.to_string().contains("password"), "{error}");
    assert!(matches!(phone.watch_registration().current(), RegistrationState::Lost { retry_in: None, .. }));
    assert!(server.bindings(0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_noticed_and_tried_again() {
    let server = Server::granting(2).await;
    let account = Account::new("alice", PASSWORD, server.address());
    let timing = Timing { t1: Duration::from_millis(5), ..Timing::default() };
    let mut phone = Phone::start(PhoneConfig { timing, ..PhoneConfig::new(account) }).await.unwrap();
    // On a busy machine a third of a second may be too little for an answer: then it is asked for again.
    in_time("the registration", async { while phone.register().await.is_err() {} }).await;
    let mut watch = phone.watch_registration();
    drop(server);
    let lost = in_time("the loss", watch.changed()).await;
    assert!(matches!(lost, Some(RegistrationState::Lost { retry_in: Some(_), .. })), "{lost:?}");
    let error = in_time("the end of patience", phone.unregister()).await.unwrap_err();
    assert!(matches!(error, RegisterError::Failed(RegistrationFailure::TimedOut)), "{error}");
    assert_eq!(watch.current(), RegistrationState::Unregistered, "it is kept no longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_calls_and_hears_itself_and_its_keys_come_back() {
    let mut server = Server::start().await;
    let phone = phone(&server).await;
    let clip = say(Voice::Ailsa, Utterance::CanYouHearMe);
    let (audio, recording) = speech(&clip);
    let mut call = phone.call("echo").await.unwrap();
    let plan = in_time("the answer", call.answered(audio, || ())).await.unwrap();
    assert_eq!(plan.formats[0].name, "PCMU");
    wait_for(&mut call, PhoneEvent::Played).await;
    assert_hears_itself(&clip, &recording);

    call.send_digits("1*#D").unwrap();
    let mut digits = String::new();
    in_time("the keys", async {
        while digits.len() < 4 {
            if let Some(PhoneEvent::Digit { digit, .. }) = call.event().await {
                digits.push(digit);
            }
        }
    })
    .await;
    assert_eq!(digits, "1*#D");
    assert!(call.send_digits("x").is_err_and(|error| error.to_string().contains("'x'")));

    let counted = call.statistics().await.unwrap();
    assert!(counted.received_packets > 100 && counted.reception.lost == 0, "{counted:?}");
    let summary = in_time("the end", call.hang_up()).await.unwrap();
    assert_eq!((summary.by, summary.cause), (Party::Local, EndCause::HungUp));
    assert!(summary.statistics.is_some());
    let told = in_time("the BYE", server.ended.recv()).await.unwrap();
    assert_eq!(told, (Party::Remote, EndCause::HungUp));
    assert_eq!(in_time("nothing", call.hang_up()).await, None, "the end is told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_speaks_tcp_registers_calls_and_is_called_by_its_connection() {
    let mut server = Server::start().await;
    let account = Account::new("alice", PASSWORD, server.address());
    let config = PhoneConfig { transport: Transport::Tcp, ..PhoneConfig::new(account) };
    let mut phone = Phone::start(config).await.unwrap();
    in_time("the registration", phone.register()).await.unwrap();
    let binding = server.bindings(1).await.pop().unwrap();
    assert_eq!(binding.contact.to_string(), format!("sip:alice@{};transport=tcp", phone.local_addr()));
    assert_eq!(binding.transport(), Transport::Tcp);

    let mut call = phone.call("bye").await.unwrap();
    in_time("the answer", call.answered(silence(), || ())).await.unwrap();
    let summary = in_time("the BYE", call.ended()).await.unwrap();
    assert_eq!((summary.by, summary.cause), (Party::Remote, EndCause::HungUp));

    let mut caller = server.dial().await;
    let mut called = in_time("the call", phone.incoming()).await.unwrap();
    in_time("the answer", called.answer(silence())).await.unwrap();
    let answered = async { while !matches!(caller.event().await, Some(CallEvent::Answered { .. })) {} };
    in_time("the answer at the caller", answered).await;
    in_time("the end", called.hang_up()).await.unwrap();
    server.idle().await;
    in_time("the answer", phone.unregister()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_other_side_hangs_up_ends_here() {
    let server = Server::start().await;
    let phone = phone(&server).await;
    let mut call = phone.call("bye").await.unwrap();
    in_time("the answer", call.answered(silence(), || ())).await.unwrap();
    let summary = in_time("the BYE", call.ended()).await.unwrap();
    assert_eq!((summary.by, summary.cause), (Party::Remote, EndCause::HungUp));
    assert!(call.send_digits("1").is_err(), "there is no sound any more");
    server.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_call_tells_the_status() {
    let server = Server::start().await;
    let phone = phone(&server).await;
    for status in [404, 480, 486, 603] {
        let refused = refusal(&phone, &status.to_string()).await;
        assert!(matches!(refused, NotAnswered::Refused(given) if given.code() == status), "{refused}");
    }
    let mut call = phone.call("486").await.unwrap();
    let summary = in_time("the end", call.ended()).await.unwrap();
    assert_eq!(summary.cause, EndCause::Rejected(StatusCode::BUSY_HERE), "a refusal is an end");

    let stranger = phone_with(&server, "guess").await;
    let refused = refusal(&stranger, "echo").await;
    assert!(matches!(refused, NotAnswered::Refused(StatusCode::PROXY_AUTHENTICATION_REQUIRED)), "{refused}");
    assert!(matches!(phone.call("two words").await, Err(PhoneError::BadTarget(BadTarget::Malformed(_)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_rings_can_be_cancelled() {
    let server = Server::start().await;
    let phone = phone(&server).await;
    let mut call = phone.call("ring").await.unwrap();
    let (rings, mut rang) = mpsc::unbounded_channel();
    in_time("ringing", async {
        tokio::select! {
            answered = call.answered(silence(), move || rings.send(()).unwrap()) => panic!("{answered:?}"),
            _ = rang.recv() => {}
        }
    })
    .await;
    let summary = in_time("the 487", call.hang_up()).await.unwrap();
    assert_eq!((summary.by, summary.cause), (Party::Local, EndCause::Cancelled));
    server.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_answers_and_hears_itself_from_the_caller() {
    let server = Server::start().await;
    let mut phone = registered_phone(&server).await;
    let clip = say(Voice::Blair, Utterance::LoudAndClear);
    let (audio, recording) = speech(&clip);
    let (mut caller, ()) = tokio::join!(server.dial_and_echo(), async {
        let mut call = in_time("a call", phone.incoming()).await.unwrap();
        assert!(call.from().unwrap().to_string().contains("sip:server@"));
        call.ring().await.unwrap();
        in_time("the ACK", call.answer(audio)).await.unwrap();
        wait_for(&mut call, PhoneEvent::Played).await;
        call.hang_up().await;
    });
    let ended = until(&mut caller, "the BYE", |event| matches!(event, CallEvent::Ended { .. })).await;
    assert!(matches!(ended, CallEvent::Ended { by: Party::Remote, .. }), "{ended:?}");
    assert_hears_itself(&clip, &recording);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_can_refuse_a_call() {
    let server = Server::start().await;
    let mut phone = registered_phone(&server).await;
    let mut caller = server.dial().await;
    let mut call = in_time("a call", phone.incoming()).await.unwrap();
    call.reject(StatusCode::DECLINE).await.unwrap();
    assert_eq!(refused_with(&mut caller).await, StatusCode::DECLINE);

    let mut caller = server.dial().await;
    drop(in_time("a call", phone.incoming()).await.unwrap());
    assert_eq!(refused_with(&mut caller).await, StatusCode::TEMPORARILY_UNAVAILABLE);
}

async fn refused_with(call: &mut Call) -> StatusCode {
    match until(call, "a refusal", |event| matches!(event, CallEvent::Refused { .. })).await {
        CallEvent::Refused { status, .. } => status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_at_which_nobody_looks_is_busy_and_shows_only_callers_that_still_wait() {
    let server = Server::start().await;
    let mut phone = registered_phone(&server).await;
    let mut callers = Vec::new();
    for _ in 0..5 {
        callers.push(server.dial().await);
    }
    // Which of them comes fifth is the network's affair.
    let (refused, mut refusals) = mpsc::unbounded_channel();
    let waiting: Vec<_> = callers
        .into_iter()
        .map(|mut caller| {
            let refused = refused.clone();
            tokio::spawn(async move {
                let status = refused_with(&mut caller).await;
                refused.send(status).unwrap();
            })
        })
        .collect();
    assert_eq!(in_time("a refusal", refusals.recv()).await, Some(StatusCode::BUSY_HERE));
    // The four give up; the next caller is then shown, and none of them.
    for caller in waiting {
        caller.abort();
    }
    server.idle().await;
    let _caller = server.dial().await;
    let mut call = in_time("the sixth call", phone.incoming()).await.unwrap();
    in_time("an answer", call.answer(silence())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_gives_up_while_it_rings_is_told_of() {
    let server = Server::start().await;
    let mut phone = registered_phone(&server).await;
    let mut caller = server.dial().await;
    let mut call = in_time("a call", phone.incoming()).await.unwrap();
    call.ring().await.unwrap();
    until(&mut caller, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await;
    drop(caller);
    let summary = in_time("the CANCEL", call.ended()).await.unwrap();
    assert_eq!((summary.by, summary.cause), (Party::Remote, EndCause::Cancelled));
    assert!(matches!(call.answer(silence()).await, Err(NotAnswered::Ended)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_ring_a_phone_unless_it_may() {
    for (accept_from_anyone, expected) in [(false, StatusCode::FORBIDDEN), (true, StatusCode::TEMPORARILY_UNAVAILABLE)]
    {
        let config = PhoneConfig {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            accept_from_anyone,
            ..PhoneConfig::new(Account::new("bob", PASSWORD, "127.0.0.2:5060".parse().unwrap()))
        };
        let mut bob = Phone::start(config).await.unwrap();
        // Whose server is the phone itself calls it directly.
        let eve = Phone::start(PhoneConfig::new(Account::new("eve", "", bob.local_addr()))).await.unwrap();
        let mut call = eve.call("bob").await.unwrap();
        if accept_from_anyone {
            drop(in_time("the call", bob.incoming()).await);
        }
        let refused = in_time("a refusal", call.answered(silence(), || ())).await.unwrap_err();
        assert!(matches!(refused, NotAnswered::Refused(status) if status == expected), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_is_shut_down_says_goodbye_to_everybody() {
    let mut server = Server::start().await;
    let phone = registered_phone(&server).await;
    let mut call = phone.call("echo").await.unwrap();
    in_time("the answer", call.answered(silence(), || ())).await.unwrap();
    drop(call);
    in_time("the end", phone.shut_down(Duration::from_secs(10))).await.unwrap();
    assert_eq!(in_time("the BYE", server.ended.recv()).await, Some((Party::Remote, EndCause::HungUp)));
    assert_eq!(server.bindings(2).await.last().unwrap().asked, 0);
    server.idle().await;
}

#[tokio::test]
async fn a_phone_that_is_to_speak_tls_does_not_start_and_sends_nothing_in_clear() {
    let account = Account::new("alice", PASSWORD, "127.0.0.1:5061".parse().unwrap());
    let config = PhoneConfig { transport: Transport::Tls, ..PhoneConfig::new(account) };
    assert!(matches!(Phone::start(config).await, Err(PhoneError::NoTls)));
}
