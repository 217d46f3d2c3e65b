//! TLS connections on loopback, with clients that do as they should and others. Nothing sleeps: each wait is for something to happen.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod authority;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use authority::{Authority, Lifetime};
use blether_sip_transport::{
    CertificateChain, CertificateFault, ClientCertificates, CloseReason, ConnectionLimits, Connections, Flow,
    HandshakeFailure, LocalEnd, Room, StreamEvent, StreamUser, TcpListener, TlsError, TlsServer, Transport,
    TrustAnchors,
};
use bytes::Bytes;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGE: &str = "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 2\r\n\r\nhi";
const NAME: &str = "blether.example";

/// Hands everything to the test, which has room for all of it.
struct Inbox(mpsc::UnboundedSender<StreamEvent>);

impl StreamUser for Inbox {
    fn try_take(&self, event: StreamEvent) -> Result<(), StreamEvent> {
        // A test that has seen enough listens no more.
        let _ = self.0.send(event);
        Ok(())
    }

    fn room<'a>(&'a self, _event: &'a StreamEvent) -> Room<'a> {
        Box::pin(std::future::ready(()))
    }
}

struct Server {
    connections: Connections,
    events: mpsc::UnboundedReceiver<StreamEvent>,
    address: SocketAddr,
    tls: TlsServer,
}

impl Server {
    fn start(limits: ConnectionLimits, tls: TlsServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_tls(tls.clone());
        assert_eq!(listener.transport(), Transport::Tls);
        let address = listener.local_addr();
        let (sender, events) = mpsc::unbounded_channel();
        let local = LocalEnd { listening: vec![(Transport::Tls, address)], advertise: None };
        let connections = Connections::new(limits, local, Arc::new(Inbox(sender)));
        tokio::spawn(listener.run(connections.clone()));
        Self { connections, events, address, tls }
    }

    fn of(authority: &Authority, limits: ConnectionLimits, clients: ClientCertificates) -> Self {
        Self::start(limits, TlsServer::new(chain(authority, NAME), clients).unwrap())
    }

    fn usual(authority: &Authority) -> Self {
        Self::of(authority, ConnectionLimits::default(), ClientCertificates::NotAsked)
    }

    async fn event(&mut self) -> StreamEvent {
        in_time(self.events.recv()).await.unwrap()
    }

    async fn message(&mut self) -> (Flow, Bytes) {
        match self.event().await {
            StreamEvent::Message { flow, bytes } => (flow, bytes),
            other => panic!("not a message: {other:?}"),
        }
    }

    async fn closed(&mut self) -> CloseReason {
        match self.event().await {
            StreamEvent::Closed { reason, .. } => reason,
            other => panic!("not an end: {other:?}"),
        }
    }

    /// Sends a message and gets one back, by the same connection.
    async fn serves(&mut self, client: &mut TlsStream<TcpStream>) {
        in_time(client.write_all(MESSAGE.as_bytes())).await.unwrap();
        let (flow, bytes) = self.message().await;
        assert_eq!((flow.transport, &bytes[..]), (Transport::Tls, MESSAGE.as_bytes()));
        self.connections.try_send(&flow, Bytes::from_static(b"answer")).unwrap();
        let mut answer = [0; 6];
        in_time(client.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"answer");
    }
}

async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.expect("something happens within the limit")
}

fn chain(authority: &Authority, name: &str) -> CertificateChain {
    let (certificate, key) = authority.issue(name, Lifetime::Valid);
    CertificateChain::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
}

fn anchors(authority: &Authority) -> TrustAnchors {
    TrustAnchors::from_pem(authority.pem().as_bytes()).unwrap()
}

/// A client that believes `authority` and shows `chain`, certificate and key as PEM.
fn client(authority: &Authority, chain: Option<(String, String)>) -> TlsConnector {
    use rustls_pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match chain {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = rustls_pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

async fn connect(connector: &TlsConnector, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    in_time(connector.connect(ServerName::try_from(NAME).unwrap(), stream)).await
}

/// Waits for the end of what a peer sees.
async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // Whether it is closed or reset makes no difference.
    let _ = in_time(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn messages_go_both_ways_by_the_connection_that_the_peer_has_opened() {
    let authority = Authority::new();
    let mut server = Server::usual(&authority);
    let mut phone = connect(&client(&authority, None), server.address).await.unwrap();
    server.serves(&mut phone).await;
    // In pieces, and several at once; a keep-alive in between.
    for byte in MESSAGE.as_bytes() {
        phone.write_all(&[*byte]).await.unwrap();
    }
    phone.write_all(format!("\r\n\r\n{MESSAGE}{MESSAGE}").as_bytes()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(server.message().await.1, MESSAGE);
    }
    let mut pong = [0; 2];
    in_time(phone.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    // What is much longer than a record arrives whole.
    phone.write_all(MESSAGE.as_bytes()).await.unwrap();
    let (flow, _) = server.message().await;
    let long = Bytes::from(vec![b'x'; 300_000]);
    server.connections.try_send(&flow, long.clone()).unwrap();
    let mut got = vec![0; long.len()];
    in_time(phone.read_exact(&mut got)).await.unwrap();
    assert!(got == long);
    phone.shutdown().await.unwrap();
    assert_eq!(server.closed().await, CloseReason::Peer);
    assert!(server.connections.is_empty());
}

#[tokio::test]
async fn a_peer_sees_that_its_connection_is_closed_and_not_cut() {
    let authority = Authority::new();
    let mut server = Server::usual(&authority);
    let mut phone = connect(&client(&authority, None), server.address).await.unwrap();
    server.serves(&mut phone).await;
    server.connections.close_all();
    // An end without close_notify would be an error here.
    assert_eq!(in_time(phone.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_that_believes_somebody_else_is_not_served() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut server = Server::usual(&authority);
    assert!(connect(&client(&stranger, None), server.address).await.is_err());
    assert_eq!(server.closed().await, CloseReason::Handshake(HandshakeFailure::Refused));
}

#[tokio::test]
async fn an_expired_certificate_is_not_served_to_anybody_who_looks() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(NAME, Lifetime::Over);
    let chain = CertificateChain::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let tls = TlsServer::new(chain, ClientCertificates::NotAsked).unwrap();
    let mut server = Server::start(ConnectionLimits::default(), tls);
    assert!(connect(&client(&authority, None), server.address).await.is_err());
    assert_eq!(server.closed().await, CloseReason::Handshake(HandshakeFailure::Refused));
}

#[tokio::test]
async fn clients_are_asked_for_certificates_as_the_listener_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let with = |issuer: &Authority, lifetime| client(&authority, Some(issuer.issue("phone.example", lifetime)));
    let (good, foreign, over) =
        (with(&authority, Lifetime::Valid), with(&stranger, Lifetime::Valid), with(&authority, Lifetime::Over));
    let none = client(&authority, None);

    let wanted = ClientCertificates::Wanted(anchors(&authority));
    let required = ClientCertificates::Required(anchors(&authority));
    for (policy, connector, expected) in [
        (&wanted, &none, None),
        (&wanted, &good, None),
        (&wanted, &foreign, Some(HandshakeFailure::Certificate(CertificateFault::UnknownIssuer))),
        (&required, &good, None),
        (&required, &none, Some(HandshakeFailure::NoCertificate)),
        (&required, &foreign, Some(HandshakeFailure::Certificate(CertificateFault::UnknownIssuer))),
        (&required, &over, Some(HandshakeFailure::Certificate(CertificateFault::Expired))),
    ] {
        let mut server = Server::of(&authority, ConnectionLimits::default(), policy.clone());
        // In TLS 1.3 the client has finished before its certificate is looked at: it connects, and is then refused.
        let connected = connect(connector, server.address).await;
        match expected {
            None => server.serves(&mut connected.unwrap()).await,
            Some(failure) => {
                assert_eq!(server.closed().await, CloseReason::Handshake(failure), "{policy:?}");
                assert!(server.connections.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_ended_and_keeps_nobody_out() {
    let limits = ConnectionLimits {
        handshake_timeout: Duration::from_millis(300),
        max_handshakes: 4,
        ..ConnectionLimits::default()
    };
    let authority = Authority::new();
    let mut server = Server::of(&authority, limits, ClientCertificates::NotAsked);
    // Says nothing, or only begins.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(server.closed().await, CloseReason::Handshake(HandshakeFailure::TimedOut));
    }
    ends(&mut silent).await;
    ends(&mut slow).await;
}

#[tokio::test]
async fn of_too_many_handshakes_the_oldest_goes_and_an_honest_client_comes_in() {
    let limits = ConnectionLimits { max_handshakes: 4, ..ConnectionLimits::default() };
    let authority = Authority::new();
    let mut server = Server::of(&authority, limits, ClientCertificates::NotAsked);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut phone = connect(&client(&authority, None), server.address).await.unwrap();
    for _ in 0..17 {
        assert_eq!(server.closed().await, CloseReason::Evicted);
    }
    server.serves(&mut phone).await;
    assert_eq!(server.connections.len(), 4);
}

#[tokio::test]
async fn what_is_no_tls_is_refused_at_once() {
    let authority = Authority::new();
    let mut server = Server::usual(&authority);
    for garbage in [MESSAGE.as_bytes(), b"GET / HTTP/1.1\r\n\r\n", &[0; 100], &[0xff; 20_000]] {
        let mut stranger = TcpStream::connect(server.address).await.unwrap();
        // It may be refused before all of it is sent.
        let _ = stranger.write_all(garbage).await;
        assert_eq!(server.closed().await, CloseReason::Handshake(HandshakeFailure::NotTls));
        ends(&mut stranger).await;
    }
    let gone = TcpStream::connect(server.address).await.unwrap();
    drop(gone);
    let reason = server.closed().await;
    assert!(matches!(reason, CloseReason::Handshake(HandshakeFailure::Broken(_))), "{reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_are_served_side_by_side() {
    const MANY: usize = 200;
    let authority = Authority::new();
    let mut server = Server::usual(&authority);
    let connector = client(&authority, None);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..MANY {
        let (connector, address) = (connector.clone(), server.address);
        tasks.spawn(async move {
            let mut phone = connect(&connector, address).await.unwrap();
            phone.write_all(MESSAGE.as_bytes()).await.unwrap();
            let mut answer = vec![0; MESSAGE.len()];
            in_time(phone.read_exact(&mut answer)).await.unwrap();
            phone
        });
    }
    for _ in 0..MANY {
        let (flow, bytes) = server.message().await;
        server.connections.try_send(&flow, bytes).unwrap();
    }
    let phones = in_time(tasks.join_all()).await;
    assert_eq!((phones.len(), server.connections.len()), (MANY, MANY));
}

#[tokio::test]
async fn a_session_is_resumed_and_no_longer_once_the_certificate_is_another() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut server = Server::usual(&authority);
    let connector = client(&authority, None);
    let mut kinds = Vec::new();
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut phone = connect(&connector, server.address).await.unwrap();
        server.serves(&mut phone).await;
        kinds.push(phone.get_ref().1.handshake_kind());
        open.push(phone);
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);

    server.tls.replace(chain(&other, NAME), ClientCertificates::NotAsked).unwrap();
    // Those that are open go on; whoever comes sees the other certificate, whatever it has kept.
    for phone in &mut open {
        server.serves(phone).await;
    }
    assert!(connect(&connector, server.address).await.is_err());
    assert_eq!(server.closed().await, CloseReason::Handshake(HandshakeFailure::Refused));
    let mut phone = connect(&client(&other, None), server.address).await.unwrap();
    server.serves(&mut phone).await;
}

#[test]
fn what_is_wrong_with_a_certificate_or_a_key_is_told() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(NAME, Lifetime::Valid);
    let (_, another) = authority.issue(NAME, Lifetime::Valid);
    let read = |certificate: &str, key: &str| CertificateChain::from_pem(certificate.as_bytes(), key.as_bytes());
    assert!(matches!(read("", &key), Err(TlsError::NoCertificate)));
    assert!(matches!(read(&key, &key), Err(TlsError::NoCertificate)));
    assert!(matches!(read(&certificate, &certificate), Err(TlsError::NoKey)));
    assert!(matches!(read(&certificate.replace("END", "FIN"), &key), Err(TlsError::Pem(_))));
    let mismatch = read(&certificate, &another).unwrap();
    assert!(matches!(TlsServer::new(mismatch, ClientCertificates::NotAsked), Err(TlsError::Mismatch)));
    // Both in one file are found as well, and nothing of the key is shown.
    let both = format!("{key}{certificate}");
    assert_eq!(format!("{:?}", read(&both, &both).unwrap()), "CertificateChain { certificates: 1, .. }");
    assert!(matches!(TrustAnchors::from_pem(b"none"), Err(TlsError::NoCertificate)));
}
