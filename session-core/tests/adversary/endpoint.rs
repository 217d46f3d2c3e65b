//! The endpoint that the adversary is set upon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallControl, CallError, CallEvent, Dial, Endpoint, EndpointConfig,
    EndpointCounts, HandlerFuture, Responder,
};
use blether_session_core::{MediaCapabilities, NextHop};
use blether_sip_core::{Method, NameAddr, Request, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_transaction_core::Timing;
use tokio::sync::mpsc;

use super::peer::Adversary;

/// Longer than anything here takes on a busy machine; shorter than the 32 s after which a transaction that was forgotten is given up,
/// so that nothing passes by waiting for those.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

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

/// An endpoint whose every call is run by `handler`.
pub(crate) async fn serve<F, Fut>(handler: F) -> Endpoint
where
    F: Fn(Call) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<(), CallError>> + Send + 'static,
{
    serve_with(Timing::default(), handler).await
}

pub(crate) async fn serve_with<F, Fut>(timing: Timing, handler: F) -> Endpoint
where
    F: Fn(Call) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<(), CallError>> + Send + 'static,
{
    serve_configured(EndpointConfig { timing, ..EndpointConfig::default() }, handler).await
}

/// The same, but for its ports, which are the system's choice.
pub(crate) async fn serve_configured<F, Fut>(config: EndpointConfig, handler: F) -> Endpoint
where
    F: Fn(Call) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<(), CallError>> + Send + 'static,
{
    let config = EndpointConfig { media_ports: PortRange::system_chosen(), ..config };
    let boxed = move |call| Box::pin(handler(call)) as HandlerFuture;
    Endpoint::start(config, Arc::new(App(boxed))).await.unwrap()
}

/// An endpoint that only calls.
pub(crate) async fn phone() -> Endpoint {
    serve(|_call| async { Err(CallError::Refused(StatusCode::BUSY_HERE)) }).await
}

/// An endpoint that answers with an echo, hands out the control of each call and what happens to it.
pub(crate) async fn echo_server() -> (Endpoint, mpsc::UnboundedReceiver<CallControl>, mpsc::UnboundedReceiver<CallEvent>)
{
    let (control, controls) = mpsc::unbounded_channel();
    let (happened, events) = mpsc::unbounded_channel();
    let endpoint = serve(move |mut call: Call| {
        let (control, happened) = (control.clone(), happened.clone());
        async move {
            control.send(call.control()).unwrap();
            answer_with_echo(&mut call).await?;
            while let Some(event) = call.event().await {
                happened.send(event).unwrap();
            }
            Ok(())
        }
    })
    .await;
    (endpoint, controls, events)
}

pub(crate) async fn answer_with_echo(call: &mut Call) -> Result<(), CallError> {
    let media = call.offered_media()?;
    call.answer(&media, |_| Box::new(blether_media_core::EchoLeg::new(rand::make_rng()))).await?;
    Ok(())
}

/// Has `phone` call the adversary, and waits for the INVITE.
pub(crate) async fn dial(phone: &Endpoint, peer: &mut Adversary, ring_timeout: Option<Duration>) -> (Call, Request) {
    let call = call_to(phone, peer.address(), ring_timeout).await;
    let invite = peer.hear_request(Method::Invite).await;
    (call, invite)
}

/// Has `phone` call whoever is at this address.
pub(crate) async fn call_to(phone: &Endpoint, callee: SocketAddr, ring_timeout: Option<Duration>) -> Call {
    let mut call = phone.new_call().unwrap();
    let dial = dial_of(MediaCapabilities::g711(), phone.flow_to(callee).unwrap());
    call.dial(Dial { ring_timeout, ..dial }).await.unwrap();
    call
}

/// What dials whoever is at the other end of `flow`.
pub(crate) fn dial_of(media: MediaCapabilities, flow: Flow) -> Dial {
    let to: Uri = format!("sip:bob@{}", flow.remote).parse().unwrap();
    Dial {
        request_uri: to.clone(),
        from: NameAddr::new(format!("sip:alice@{}", flow.local).parse::<Uri>().unwrap()),
        to: NameAddr::new(to),
        route: Vec::new(),
        flow,
        targets: Vec::new(),
        next_hop: NextHop::Flow,
        credentials: None,
        ring_timeout: None,
        max_forwards: 70,
        media,
    }
}

pub(crate) async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Reads the events of a call until the one that is wanted.
pub(crate) async fn until(call: &mut Call, what: &str, mut wanted: impl FnMut(&CallEvent) -> bool) -> CallEvent {
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

/// Waits until nothing of any call is left: no actor, no port.
pub(crate) async fn nothing_left(endpoint: &Endpoint) {
    in_time("the last call to go", endpoint.idle()).await;
    let EndpointCounts { calls, media_ports, .. } = endpoint.counts().await.unwrap();
    assert_eq!((calls, media_ports), (0, 0));
}
