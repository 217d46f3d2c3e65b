//! What DESIGN §4 promises to the users of the call actor, each as a test that bears its name: two endpoints on loopback, real
//! sockets and real time, and no wait that is not for a condition.
#![cfg(feature = "media")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallEnd, CallError, CallEvent, CallWitness, Dial, Endpoint, EndpointConfig,
    EndpointCounts, HandlerFuture, LegKey, Responder,
};
use blether_session_core::{EndCause, MediaCapabilities, NextHop, Party};
use blether_sip_core::sdp::Direction;
use blether_sip_core::{Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;
use tokio::sync::{Notify, mpsc, oneshot};

/// Longer than anything here takes on a busy machine, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs every call with one function; serves nothing else.
struct App<F>(F);

impl<F> Application for App<F>
where
    F: Fn(Call) -> HandlerFuture + Send + Sync + Clone + 'static,
{
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        Admission::accept(self.0.clone())
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

fn config() -> EndpointConfig {
    EndpointConfig { media_ports: PortRange::system_chosen(), ..EndpointConfig::default() }
}

async fn serve<F, Fut>(handler: F) -> Endpoint
where
    F: Fn(Call) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<(), CallError>> + Send + 'static,
{
    let boxed = move |call| Box::pin(handler(call)) as HandlerFuture;
    Endpoint::start(config(), Arc::new(App(boxed))).await.unwrap()
}

/// An endpoint that only calls.
async fn phone() -> Endpoint {
    serve(|_call| async { Err(CallError::Refused(StatusCode::BUSY_HERE)) }).await
}

async fn dial(phone: &Endpoint, server: &Endpoint, user: &str) -> Call {
    let to: Uri = format!("sip:{user}@{}", server.local_addr()).parse().unwrap();
    let mut call = phone.new_call().unwrap();
    call.dial(Dial {
        request_uri: to.clone(),
        from: NameAddr::new(format!("sip:alice@{}", phone.local_addr()).parse::<Uri>().unwrap()),
        to: NameAddr::new(to),
        route: Vec::new(),
        flow: phone.flow_to(server.local_addr()).unwrap(),
        targets: Vec::new(),
        next_hop: NextHop::Flow,
        credentials: None,
        ring_timeout: None,
        max_forwards: 70,
        media: MediaCapabilities::g711(),
    })
    .await
    .unwrap();
    call
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

async fn until(call: &mut Call, what: &str, mut wanted: impl FnMut(&CallEvent) -> bool) -> CallEvent {
    in_time(what, async {
        loop {
            let event = call.event().await.unwrap_or_else(|| panic!("the call ended before {what}"));
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}

fn is_answered(event: &CallEvent) -> bool {
    matches!(event, CallEvent::Answered { .. })
}

fn is_ended(event: &CallEvent) -> bool {
    matches!(event, CallEvent::Ended { .. })
}

async fn answer_with_echo(call: &mut Call) -> Result<(), CallError> {
    let media = call.offered_media()?;
    call.answer(&media, |_| Box::new(blether_media_core::EchoLeg::new(rand::make_rng()))).await?;
    Ok(())
}

/// Waits until nothing of any call is left: no actor, no port.
async fn nothing_left(endpoint: &Endpoint) -> EndpointCounts {
    in_time("the last call to go", endpoint.idle()).await;
    endpoint.counts().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_of_a_call_are_not_re_entrant() {
    // Whatever comes in for a call while its handler runs (here a flood of INFO would need a peer's script, so: events of three legs)
    // is taken by the same handler one after the other: two steps of it never overlap.
    let running = Arc::new(AtomicBool::new(false));
    let overlaps = Arc::new(AtomicUsize::new(0));
    let (done, mut finished) = mpsc::channel(64);
    let server = {
        let (running, overlaps) = (running.clone(), overlaps.clone());
        serve(move |mut call: Call| {
            let (running, overlaps, done) = (running.clone(), overlaps.clone(), done.clone());
            async move {
                answer_with_echo(&mut call).await?;
                while let Some(event) = call.event().await {
                    if running.swap(true, Ordering::SeqCst) {
                        overlaps.fetch_add(1, Ordering::SeqCst);
                    }
                    tokio::task::yield_now().await;
                    running.store(false, Ordering::SeqCst);
                    if matches!(event, CallEvent::Confirmed { .. }) {
                        done.send(()).await.unwrap();
                    }
                }
                Ok(())
            }
        })
        .await
    };
    let phone = phone().await;
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "the answer", is_answered).await;
    in_time("the handler to see the ACK", finished.recv()).await.unwrap();
    call.hang_up().await;
    until(&mut call, "the end", is_ended).await;
    assert_eq!(overlaps.load(Ordering::SeqCst), 0);
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_no_thread_affinity_and_state_is_consistent_across_an_await() {
    let (done, mut finished) = mpsc::channel(1);
    let server = serve(move |mut call: Call| {
        let done = done.clone();
        async move {
            answer_with_echo(&mut call).await?;
            let dialled = call.dialled().unwrap().to_owned();
            let mut threads = HashSet::new();
            let mut steps = 0_u64;
            // Goes on until the runtime has moved the handler: every poll may be on another thread, and what it holds is untouched.
            while threads.len() < 2 {
                threads.insert(std::thread::current().id());
                steps += 1;
                tokio::task::yield_now().await;
                tokio::time::timeout(Duration::from_micros(50), pending::<()>()).await.unwrap_err();
                assert_eq!(call.dialled(), Some(&*dialled));
            }
            done.send((threads.len(), steps, dialled)).await.unwrap();
            Ok(())
        }
    })
    .await;
    let phone = phone().await;
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "the answer", is_answered).await;
    let (threads, steps, dialled) = in_time("a second thread", finished.recv()).await.unwrap();
    assert_eq!((threads, dialled.as_str()), (2, "bob"));
    assert!(steps >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_is_idempotent() {
    let controls = Arc::new(Mutex::new(Vec::new()));
    let kept = controls.clone();
    let server = serve(move |mut call: Call| {
        kept.lock().unwrap().push(call.control());
        async move {
            answer_with_echo(&mut call).await?;
            call.ended().await;
            Ok(())
        }
    })
    .await;
    let phone = phone().await;
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "the answer", is_answered).await;
    let control = controls.lock().unwrap().pop().unwrap();
    // Both ends, three times each, at the same time.
    for _ in 0..3 {
        let again = control.clone();
        tokio::join!(control.hang_up(), again.hang_up(), call.hang_up());
    }
    let mut ends = 0;
    in_time("the end", async {
        while let Some(event) = call.event().await {
            ends += usize::from(is_ended(&event));
        }
    })
    .await;
    assert_eq!(ends, 1, "a leg ends once");
    control.hang_up().await;
    nothing_left(&server).await;
}

/// Says when it is dropped.
struct Guard(Option<oneshot::Sender<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.take().map(|sender| sender.send(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_call_ends_its_handler_is_cancelled_its_ports_come_back_and_its_actor_is_gone() {
    let (dropped, cancelled) = oneshot::channel();
    let guard = Arc::new(Mutex::new(Some(Guard(Some(dropped)))));
    let server = serve(move |mut call: Call| {
        let guard = guard.lock().unwrap().take();
        async move {
            let _guard = guard;
            answer_with_echo(&mut call).await?;
            // Waits for something that never comes, and not for the call.
            pending::<()>().await;
            Ok(())
        }
    })
    .await;
    let phone = phone().await;
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "the answer", is_answered).await;
    let busy = server.counts().await.unwrap();
    assert_eq!((busy.calls, busy.media_ports), (1, 1));
    call.hang_up().await;
    in_time("the handler to be dropped", cancelled).await.unwrap();
    until(&mut call, "the end", is_ended).await;
    let left = nothing_left(&server).await;
    assert_eq!((left.calls, left.media_ports), (0, 0));
    drop(call);
    let left = nothing_left(&phone).await;
    assert_eq!((left.calls, left.media_ports), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_handler_ends_its_own_call_with_500_and_no_other() {
    let server = serve(|mut call: Call| async move {
        assert_ne!(call.dialled(), Some("boom"), "a handler may be wrong");
        answer_with_echo(&mut call).await?;
        assert_ne!(call.dialled(), Some("boom-later"), "a handler may be wrong");
        call.ended().await;
        Ok(())
    })
    .await;
    let phone = phone().await;
    let mut healthy = dial(&phone, &server, "bob").await;
    until(&mut healthy, "the answer", is_answered).await;

    let mut first = dial(&phone, &server, "boom").await;
    let refused = until(&mut first, "a refusal", |event| matches!(event, CallEvent::Refused { .. })).await;
    assert!(matches!(
        refused,
        CallEvent::Refused { status: StatusCode::SERVER_INTERNAL_ERROR, leg: LegKey::PRIMARY, .. }
    ));

    let mut second = dial(&phone, &server, "boom-later").await;
    until(&mut second, "the answer", is_answered).await;
    until(&mut second, "the BYE", is_ended).await;

    // Of the four calls the healthy one is left; it has noticed nothing, and a further one can be made.
    in_time("the broken calls to go", async {
        while server.counts().await.unwrap().calls != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut third = dial(&phone, &server, "carol").await;
    until(&mut third, "the answer", is_answered).await;
    healthy.hang_up().await;
    until(&mut healthy, "the end", is_ended).await;
    drop(third);
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocol_work_goes_on_while_a_handler_waits() {
    let server = serve(|mut call: Call| async move {
        call.ring().await?;
        pending::<()>().await;
        Ok(())
    })
    .await;
    let phone = phone().await;
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await;
    // CANCEL is answered and the INVITE refused with 487 though the handler does not stir.
    drop(call);
    nothing_left(&server).await;
    nothing_left(&phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_which_nothing_is_heard_any_more_ends() {
    let silent = EndpointConfig { end_when_silent: Some(Duration::from_millis(200)), ..config() };
    let handler = |mut call: Call| {
        Box::pin(async move {
            answer_with_echo(&mut call).await?;
            pending::<()>().await;
            Ok(())
        }) as HandlerFuture
    };
    let server = Endpoint::start(silent, Arc::new(App(handler))).await.unwrap();
    let phone = phone().await;
    // The phone's leg is idle: it says nothing, as one that has lost its power.
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "the answer", is_answered).await;
    let end = until(&mut call, "the BYE", is_ended).await;
    assert!(matches!(end, CallEvent::Ended { by: Party::Remote, .. }), "{end:?}");
    nothing_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_media_of_a_leg_ends_with_its_bye_though_nobody_answers_that() {
    let (acknowledged, hang_up) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tells, told) = (acknowledged.clone(), hang_up.clone());
    let server = serve(move |mut call: Call| {
        let (tells, told) = (tells.clone(), told.clone());
        async move {
            answer_with_echo(&mut call).await?;
            until(&mut call, "the ACK", |event| matches!(event, CallEvent::Confirmed { .. })).await;
            tells.notify_one();
            told.notified().await;
            call.hang_up().await;
            pending().await
        }
    })
    .await;
    let phone = phone().await;
    let call = dial(&phone, &server, "bob").await;
    // A BYE waits for the ACK (RFC 3261 §15).
    in_time("the ACK", acknowledged.notified()).await;
    // The endpoint first: it goes without a word.
    drop((phone, call));
    hang_up.notify_one();
    let counts = in_time("the port to come back", async {
        loop {
            match server.counts().await.unwrap() {
                counts if counts.media_ports == 0 => return counts,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    assert_eq!(counts.await.calls, 1, "its BYE waits for an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_call_whose_phone_has_vanished_ends() {
    let silent = EndpointConfig {
        end_when_silent: Some(Duration::from_millis(50)),
        end_when_gone: Duration::from_millis(400),
        ..config()
    };
    let handler = |mut call: Call| {
        Box::pin(async move {
            // The phone is not to be heard from the start, as when it is on hold.
            let media = call.offered_media()?.with_direction(Direction::SendOnly);
            call.answer(&media, |_| Box::new(blether_media_core::EchoLeg::new(rand::make_rng()))).await?;
            pending::<()>().await;
            Ok(())
        }) as HandlerFuture
    };
    let server = Endpoint::start(silent, Arc::new(App(handler))).await.unwrap();
    let phone = phone().await;
    let mut call = dial(&phone, &server, "bob").await;
    until(&mut call, "the answer", is_answered).await;
    let end = until(&mut call, "the BYE", is_ended).await;
    assert!(matches!(end, CallEvent::Ended { by: Party::Remote, .. }), "{end:?}");
    nothing_left(&server).await;
}

/// Answers MESSAGE from a task of its own, once it is told to.
struct Later(Mutex<Option<tokio::sync::oneshot::Receiver<()>>>);

impl Application for Later {
    fn on_invite(&self, _now: Instant, invite: &Request, _flow: Flow) -> Admission {
        Admission::refuse(Response::to_request(invite, StatusCode::NOT_FOUND).build())
    }

    fn on_request(&self, _now: Instant, request: &Request, _flow: Flow, responder: Responder) -> Answer {
        let Some(told) = self.0.lock().unwrap().take() else { return Answer::NotServed };
        let response = Response::to_request(request, StatusCode::OK).build();
        tokio::spawn(async move {
            told.await.unwrap();
            responder.respond(response);
        });
        Answer::Later
    }
}

#[tokio::test]
async fn a_request_may_be_answered_when_what_it_depends_on_is_done() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let server = Endpoint::start(config(), Arc::new(Later(Mutex::new(Some(told))))).await.unwrap();
    let phone = phone().await;
    let flow = phone.flow_to(server.local_addr()).unwrap();
    let to = NameAddr::new(format!("sip:bob@{}", server.local_addr()).parse::<Uri>().unwrap());
    let message = |call_id| {
        let request = Request::builder(Method::Message, to.uri.clone()).from(to.clone().with_tag("1")).to(to.clone());
        request.call_id(call_id).cseq(1).max_forwards(70).build().unwrap()
    };
    let first = phone.request(message("first"), flow);
    tokio::pin!(first);
    // The second is answered by the endpoint, while the first waits.
    let second = tokio::select! {
        biased;
        answer = &mut first => panic!("answered too early: {answer:?}"),
        answer = phone.request(message("second"), flow) => answer.unwrap(),
    };
    assert_eq!(second.status(), StatusCode::METHOD_NOT_ALLOWED);
    tell.send(()).unwrap();
    assert_eq!(in_time("the answer", first).await.unwrap().status(), StatusCode::OK);
}

/// What a witness was told.
#[derive(Debug, PartialEq)]
enum Told {
    Answering,
    /// With how many legs there were figures of.
    Ended {
        leg: LegKey,
        by: Party,
        cause: EndCause,
        answered: bool,
        counted: usize,
    },
}

struct Witness {
    told: tokio::sync::mpsc::UnboundedSender<Told>,
    /// Lets the 200 go.
    allowed: Arc<tokio::sync::Notify>,
}

impl CallWitness for Witness {
    fn answering(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        self.told.send(Told::Answering).unwrap();
        let allowed = self.allowed.clone();
        Box::pin(async move { allowed.notified().await })
    }

    fn ended(&self, end: CallEnd) {
        let CallEnd { leg, by, cause, answered, legs, .. } = end;
        let counted = legs.iter().filter(|leg| leg.statistics.is_some() && leg.peer.is_some()).count();
        self.told.send(Told::Ended { leg, by, cause, answered, counted }).unwrap();
    }
}

/// Answers every call with an echo, in front of a witness.
struct Witnessed(tokio::sync::mpsc::UnboundedSender<Told>, Arc<tokio::sync::Notify>);

impl Application for Witnessed {
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        Admission::accept(|mut call| async move {
            answer_with_echo(&mut call).await?;
            pending().await
        })
        .witnessed_by(Arc::new(Witness { told: self.0.clone(), allowed: self.1.clone() }))
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

#[tokio::test]
async fn a_witness_holds_the_answer_back_and_learns_of_the_end_whatever_the_handler_does() {
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let allowed = Arc::new(tokio::sync::Notify::new());
    let server = Endpoint::start(config(), Arc::new(Witnessed(told, allowed.clone()))).await.unwrap();
    let phone = phone().await;
    let primary = LegKey::PRIMARY;

    let mut call = dial(&phone, &server, "echo").await;
    assert_eq!(in_time("the answer to come", hears.recv()).await, Some(Told::Answering));
    allowed.notify_one();
    until(&mut call, "the answer", is_answered).await;
    call.hang_up().await;
    let end = in_time("the end", hears.recv()).await;
    assert_eq!(
        end,
        Some(Told::Ended { leg: primary, by: Party::Remote, cause: EndCause::HungUp, answered: true, counted: 1 })
    );

    // Given up before the 200 has left: it was not answered.
    let mut call = dial(&phone, &server, "echo").await;
    assert_eq!(in_time("the answer to come", hears.recv()).await, Some(Told::Answering));
    call.hang_up().await;
    let end = in_time("the end", hears.recv()).await;
    assert_eq!(
        end,
        Some(Told::Ended { leg: primary, by: Party::Remote, cause: EndCause::Cancelled, answered: false, counted: 1 })
    );

    // The endpoint goes without a goodbye.
    let mut call = dial(&phone, &server, "echo").await;
    assert_eq!(in_time("the answer to come", hears.recv()).await, Some(Told::Answering));
    allowed.notify_one();
    until(&mut call, "the answer", is_answered).await;
    drop(server);
    let end = in_time("the end", hears.recv()).await;
    assert_eq!(
        end,
        Some(Told::Ended { leg: primary, by: Party::Local, cause: EndCause::Failed, answered: true, counted: 0 })
    );
}
