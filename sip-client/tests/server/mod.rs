//! A small SIP server on loopback for phones to be held against: it asks for a password, grants registrations, and answers some numbers.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_media_core::EchoLeg;
use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallControl, CallError, CallEvent, Dial, Endpoint, EndpointConfig, Responder,
};
use blether_session_core::{EndCause, MediaCapabilities, NextHop, Party};
use blether_sip_core::digest::{Algorithm, Challenge, ha1};
use blether_sip_core::{
    Authorization, Contact, Expires, Method, NameAddr, ProxyAuthenticate, ProxyAuthorization, Request, Response,
    StatusCode, Uri, WwwAuthenticate,
};
use blether_sip_transport::{ConnectionLimits, Flow, Transport};
use tokio::sync::{mpsc, watch};

/// Every user's password.
pub(crate) const PASSWORD: &str = "secret";

/// Longer than anything here takes on a busy machine, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(20);

const REALM: &str = "test";

/// Waits for `wait`, and fails the test when it takes too long.
pub(crate) async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// What a phone has asked of the registrar, when it was believed.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) contact: Uri,
    /// What was asked for, in seconds; 0 takes it back.
    pub(crate) asked: u32,
    flow: Flow,
}

impl Binding {
    /// By which transport it was asked for.
    pub(crate) fn transport(&self) -> Transport {
        self.flow.transport
    }
}

/// A call that the server has answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) dialled: String,
    pub(crate) control: CallControl,
}

/// Dials: `echo` answers and sends back what it hears; `bye` answers and hangs up when it was acknowledged; `ring` rings until the
/// caller gives up; three digits refuse with this status; anything else is 404.
pub(crate) struct Server {
    endpoint: Endpoint,
    bindings: watch::Receiver<Vec<Binding>>,
    pub(crate) answered: mpsc::UnboundedReceiver<Answered>,
    pub(crate) ended: mpsc::UnboundedReceiver<(Party, EndCause)>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::granting(600).await
    }

    /// Grants registrations for this many seconds, whatever was asked for.
    pub(crate) async fn granting(seconds: u32) -> Self {
        let (bindings, bound) = watch::channel(Vec::new());
        let (answered, answers) = mpsc::unbounded_channel();
        let (ended, ends) = mpsc::unbounded_channel();
        let registrar = Registrar { seconds, bindings, answered, ended };
        let config = EndpointConfig {
            tcp: Some(ConnectionLimits::default()),
            media_ports: PortRange::system_chosen(),
            ..EndpointConfig::default()
        };
        let endpoint = Endpoint::start(config, Arc::new(registrar)).await.unwrap();
        Self { endpoint, bindings: bound, answered: answers, ended: ends }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// Waits until this many REGISTERs were granted, and returns them all.
    pub(crate) async fn bindings(&mut self, count: usize) -> Vec<Binding> {
        in_time("a REGISTER", self.bindings.wait_for(|bindings| bindings.len() >= count)).await.unwrap().clone()
    }

    /// Calls the phone that has registered last; nobody has answered yet.
    pub(crate) async fn dial(&self) -> Call {
        self.dial_with(MediaCapabilities::g711()).await
    }

    /// The same, offering this.
    pub(crate) async fn dial_with(&self, media: MediaCapabilities) -> Call {
        let binding = self.bindings.borrow().last().unwrap().clone();
        let mut call = self.endpoint.new_call().unwrap();
        let from: Uri = format!("sip:server@{}", self.address()).parse().unwrap();
        let dial = Dial {
            request_uri: binding.contact.clone(),
            from: NameAddr::new(from),
            to: NameAddr::new(binding.contact),
            route: Vec::new(),
            flow: binding.flow,
            targets: Vec::new(),
            next_hop: NextHop::Flow,
            credentials: None,
            ring_timeout: None,
            max_forwards: 70,
            media,
        };
        call.dial(dial).await.unwrap();
        call
    }

    /// Dials, and sends back what it hears once the phone has answered.
    pub(crate) async fn dial_and_echo(&self) -> Call {
        let mut call = self.dial().await;
        let answered = until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
        if let CallEvent::Answered { leg, .. } = answered {
            call.set_processor(leg, Box::new(EchoLeg::new(rand::make_rng()))).await.unwrap();
        }
        call
    }

    /// Waits until it has no call left.
    pub(crate) async fn idle(&self) {
        in_time("the last call to go", self.endpoint.idle()).await;
    }
}

/// Waits for an event of a call.
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

struct Registrar {
    seconds: u32,
    bindings: watch::Sender<Vec<Binding>>,
    answered: mpsc::UnboundedSender<Answered>,
    ended: mpsc::UnboundedSender<(Party, EndCause)>,
}

impl Application for Registrar {
    fn on_invite(&self, _now: Instant, invite: &Request, _flow: Flow) -> Admission {
        let credentials = invite.headers().get::<ProxyAuthorization>().ok().flatten();
        let known = credentials.is_some_and(|ProxyAuthorization(answer)| {
            answer.verify(&ha1(Algorithm::Md5, &answer.username, REALM, PASSWORD), &Method::Invite)
        });
        if !known {
            let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
            let challenge = ProxyAuthenticate(Challenge::new(REALM, "a-nonce", Algorithm::Md5));
            return Admission::refuse(Response::to_request(invite, status).header(challenge).build());
        }
        let (answered, ended) = (self.answered.clone(), self.ended.clone());
        Admission::accept(|call| async {
            // A handler is dropped when its call ends; this is to see the end.
            tokio::spawn(serve(call, answered, ended));
            Ok(())
        })
    }

    fn on_request(&self, _now: Instant, request: &Request, flow: Flow, _responder: Responder) -> Answer {
        if *request.method() != Method::Register {
            return Answer::NotServed;
        }
        let credentials = request.headers().get::<Authorization>().ok().flatten();
        let known = credentials.is_some_and(|Authorization(answer)| {
            answer.verify(&ha1(Algorithm::Md5, &answer.username, REALM, PASSWORD), &Method::Register)
        });
        if !known {
            let challenge = WwwAuthenticate(Challenge::new(REALM, "a-nonce", Algorithm::Md5));
            return Answer::now(Response::to_request(request, StatusCode::UNAUTHORIZED).header(challenge).build());
        }
        let Ok(Some(Contact::Address(mut contact))) = request.headers().get::<Contact>() else {
            return Answer::now(Response::to_request(request, StatusCode::BAD_REQUEST).build());
        };
        let asked = request.headers().get::<Expires>().ok().flatten().map_or(3_600, |Expires(seconds)| seconds);
        self.bindings.send_modify(|bindings| bindings.push(Binding { contact: contact.uri.clone(), asked, flow }));
        let response = Response::to_request(request, StatusCode::OK);
        if asked == 0 {
            return Answer::now(response.build());
        }
        contact.params.set("expires", Some(&self.seconds.to_string()));
        Answer::now(response.header(Contact::Address(contact)).build())
    }
}

async fn serve(
    mut call: Call,
    answered: mpsc::UnboundedSender<Answered>,
    ended: mpsc::UnboundedSender<(Party, EndCause)>,
) -> Result<(), CallError> {
    let dialled = call.dialled().unwrap_or_default().to_owned();
    match &*dialled {
        "echo" | "bye" => {
            let media = call.offered_media()?;
            call.answer(&media, |_| Box::new(EchoLeg::new(rand::make_rng()))).await?;
            // The test may not care.
            let _ = answered.send(Answered { dialled: dialled.clone(), control: call.control() });
        }
        "ring" => {
            call.ring().await?;
        }
        status => {
            let status = status.parse().ok().and_then(StatusCode::new).unwrap_or(StatusCode::NOT_FOUND);
            call.reject(status).await?;
        }
    }
    while let Some(event) = call.event().await {
        match event {
            CallEvent::Confirmed { .. } if dialled == "bye" => call.hang_up().await,
            CallEvent::Ended { by, cause, .. } => drop(ended.send((by, cause))),
            _ => {}
        }
    }
    Ok(())
}
