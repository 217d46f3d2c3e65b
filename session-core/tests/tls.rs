//! Endpoints that reach each other over TLS by the name that each has to prove, on loopback.
#![cfg(all(feature = "media", feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallError, CallEvent, Dial, Endpoint, EndpointConfig, RequestError,
    Responder, TlsConfig,
};
use blether_session_core::{MediaCapabilities, NextHop};
use blether_sip_core::{Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::{
    CertificateChain, ClientCertificates, ConnectionLimits, Flow, TlsClient, TlsServer, Transport, TrustAnchors,
};
use blether_transaction_core::{Direction, Failure, WireTap};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

const PATIENCE: Duration = Duration::from_secs(20);

/// Answers every call with an echo, and MESSAGE with 200.
struct App;

impl Application for App {
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        Admission::accept(|mut call: Call| async move {
            let media = call.offered_media()?;
            call.answer(&media, |_| Box::new(blether_media_core::EchoLeg::new(rand::make_rng()))).await?;
            call.ended().await;
            Ok::<(), CallError>(())
        })
    }

    fn on_request(&self, _now: Instant, request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        match request.method() {
            Method::Message => Answer::now(Response::to_request(request, StatusCode::OK).build()),
            _ => Answer::NotServed,
        }
    }
}

/// An endpoint that shows a certificate for its name to whoever connects and to whom it connects.
struct Side {
    endpoint: Endpoint,
    received: Arc<Mutex<Vec<(Flow, String)>>>,
}

impl Side {
    async fn start(authority: &CertifiedIssuer<'static, KeyPair>, name: &str, limits: ConnectionLimits) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names.push(SanType::URI(format!("sip:{name}").as_str().try_into().unwrap()));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, authority).unwrap().pem();
        let chain = || CertificateChain::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let trusted = TrustAnchors::from_pem(authority.pem().as_bytes()).unwrap();
        let server = TlsServer::new(chain(), ClientCertificates::Wanted(trusted.clone())).unwrap();
        let received = Arc::<Mutex<Vec<_>>>::default();
        let seen = received.clone();
        let config = EndpointConfig {
            tls: Some(TlsConfig {
                listeners: vec![("127.0.0.1:0".parse().unwrap(), server)],
                client: Some(TlsClient::new(trusted, Some(chain())).unwrap()),
                limits,
            }),
            media_ports: PortRange::system_chosen(),
            tap: Some(WireTap::new(move |message| {
                if message.direction == Direction::Received {
                    let text = String::from_utf8_lossy(message.bytes).into_owned();
                    seen.lock().unwrap().push((message.flow, text));
                }
            })),
            ..EndpointConfig::default()
        };
        Self { endpoint: Endpoint::start(config, Arc::new(App)).await.unwrap(), received }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.tls_addrs()[0]
    }

    fn flow_to(&self, other: &Self, name: &str) -> Flow {
        self.endpoint.flow_over_tls(other.address(), &name.parse().unwrap()).unwrap()
    }

    async fn message_to(&self, other: &Self, name: &str) -> Result<StatusCode, RequestError> {
        let uri: Uri = format!("sip:bob@{name};transport=tls").parse().unwrap();
        let message = Request::builder(Method::Message, uri.clone())
            .from(NameAddr::new(uri.clone()).with_tag("f"))
            .to(NameAddr::new(uri))
            .call_id(&format!("message-to-{name}"))
            .cseq(1)
            .max_forwards(70)
            .build()
            .unwrap();
        let response = in_time("the response", self.endpoint.request(message, self.flow_to(other, name))).await?;
        Ok(response.status())
    }

    async fn connections(&self) -> usize {
        self.endpoint.counts().await.unwrap().connections
    }

    /// The first message that was received and begins so.
    fn heard(&self, start: &str) -> (Flow, String) {
        let received = self.received.lock().unwrap();
        received.iter().find(|(_, text)| text.starts_with(start)).unwrap().clone()
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

async fn until(call: &mut Call, what: &str, wanted: impl Fn(&CallEvent) -> bool) {
    in_time(what, async {
        while !wanted(&call.event().await.unwrap_or_else(|| panic!("the call ended before {what}"))) {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_both_ways_by_the_connection_that_one_of_both_has_opened() {
    let authority = authority();
    let limits = ConnectionLimits::default();
    let a = Side::start(&authority, "a.example", limits).await;
    let b = Side::start(&authority, "b.example", limits).await;
    assert_eq!(a.message_to(&b, "b.example").await.unwrap(), StatusCode::OK);
    let (flow, text) = b.heard("MESSAGE ");
    assert_eq!(flow.transport, Transport::Tls);
    // The port is that where TLS is listened for, and the connection may be used by others (RFC 5923 §8.1).
    let via = text.lines().find(|line| line.starts_with("Via: SIP/2.0/TLS ")).unwrap();
    assert!(via.contains(&a.address().to_string()) && via.contains(";alias"), "{via}");
    assert_eq!(b.message_to(&a, "a.example").await.unwrap(), StatusCode::OK);
    assert_eq!((a.connections().await, b.connections().await), (1, 1));

    // Another name at the same address is nobody's.
    let failed = a.message_to(&b, "c.example").await;
    assert!(
        matches!(failed, Err(RequestError::Failed(Failure::Transport(std::io::ErrorKind::PermissionDenied)))),
        "{failed:?}"
    );
    assert_eq!(a.connections().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_with_the_same_peer_when_its_connection_is_gone() {
    let authority = authority();
    let a = Side::start(&authority, "a.example", ConnectionLimits::default()).await;
    let idle = ConnectionLimits { idle_timeout: Duration::from_millis(300), ..ConnectionLimits::default() };
    let b = Side::start(&authority, "b.example", idle).await;
    let mut call = a.endpoint.new_call().unwrap();
    let uri: Uri = "sip:bob@b.example;transport=tls".parse().unwrap();
    let dial = Dial {
        request_uri: uri.clone(),
        from: NameAddr::new("sip:alice@a.example".parse::<Uri>().unwrap()),
        to: NameAddr::new(uri),
        route: Vec::new(),
        flow: a.flow_to(&b, "b.example"),
        targets: Vec::new(),
        next_hop: NextHop::Flow,
        credentials: None,
        ring_timeout: None,
        max_forwards: 70,
        media: MediaCapabilities::g711(),
    };
    call.dial(dial).await.unwrap();
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
    // It names where TLS is listened for.
    let (_, invite) = b.heard("INVITE ");
    let contact = invite.lines().find(|line| line.starts_with("Contact:")).unwrap();
    assert!(contact.contains(&format!("{};transport=tls", a.address())), "{contact}");
    in_time("the end of the connection", async {
        while a.connections().await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    call.hang_up().await;
    until(&mut call, "the end", |event| matches!(event, CallEvent::Ended { .. })).await;
    let (bye, invite) = (b.heard("BYE ").0, b.heard("INVITE ").0);
    assert!(bye.transport == Transport::Tls && bye.connection != invite.connection, "{bye} {invite}");
    in_time("the last call to go", b.endpoint.idle()).await;
}
