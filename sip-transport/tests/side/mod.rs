//! One side of TLS connections: listens, opens them, and hands what comes to the test.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use blether_sip_transport::{
    CertificateChain, ClientCertificates, CloseReason, ConnectionId, ConnectionLimits, Connections, Flow, LocalEnd,
    Room, StreamEvent, StreamUser, TcpListener, TlsClient, TlsServer, Transport, TrustAnchors,
};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::authority::{Authority, Lifetime};

/// How long a test waits for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A message as it stands on a stream; `number` tells one from the other.
pub(crate) fn message(number: u32) -> Bytes {
    Bytes::from(format!("OPTIONS sip:a SIP/2.0\r\nCall-ID: {number}\r\nContent-Length: 2\r\n\r\nhi"))
}

pub(crate) async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.expect("something happens within the limit")
}

/// Certificate and key, as the authority gives them.
pub(crate) fn chain((certificate, key): &(String, String)) -> CertificateChain {
    CertificateChain::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
}

pub(crate) fn anchors(authority: &Authority) -> TrustAnchors {
    TrustAnchors::from_pem(authority.pem().as_bytes()).unwrap()
}

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

pub(crate) struct Side {
    pub(crate) connections: Connections,
    pub(crate) client: TlsClient,
    pub(crate) address: SocketAddr,
    events: mpsc::UnboundedReceiver<StreamEvent>,
}

impl Side {
    /// Shows `own` to whoever connects and to whom it connects, believes `authority`, and wants certificates.
    pub(crate) fn start(authority: &Authority, own: &(String, String)) -> Self {
        let client = TlsClient::new(anchors(authority), Some(chain(own))).unwrap();
        Self::start_with(
            client,
            chain(own),
            ClientCertificates::Wanted(anchors(authority)),
            ConnectionLimits::default(),
        )
    }

    /// The same with a certificate for `names`.
    pub(crate) fn named(authority: &Authority, names: &[&str]) -> Self {
        Self::start(authority, &authority.issue_for(names, Lifetime::Valid))
    }

    pub(crate) fn start_with(
        client: TlsClient,
        chain: CertificateChain,
        clients: ClientCertificates,
        limits: ConnectionLimits,
    ) -> Self {
        let server = TlsServer::new(chain, clients).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_tls(server);
        let address = listener.local_addr();
        let (sender, events) = mpsc::unbounded_channel();
        let local = LocalEnd { listening: vec![(Transport::Tls, address)], advertise: None };
        let connections = Connections::with_tls(limits, local, Arc::new(Inbox(sender)), client.clone());
        tokio::spawn(listener.run(connections.clone()));
        Self { connections, client, address, events }
    }

    /// The flow to a peer that has to be `name`.
    pub(crate) fn to(&self, remote: SocketAddr, name: &str) -> Flow {
        self.connections.lead_to(self.address, remote, &name.parse().unwrap())
    }

    pub(crate) fn send(&self, flow: &Flow, number: u32) -> ConnectionId {
        self.connections.try_send(flow, message(number)).unwrap()
    }

    pub(crate) async fn event(&mut self) -> StreamEvent {
        in_time(self.events.recv()).await.unwrap()
    }

    /// Waits for this message, and tells by which flow it came.
    pub(crate) async fn hears(&mut self, number: u32) -> Flow {
        match self.event().await {
            StreamEvent::Message { flow, bytes } => {
                assert_eq!((flow.transport, bytes), (Transport::Tls, message(number)));
                flow
            }
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Waits for the end of a connection.
    pub(crate) async fn closed(&mut self) -> CloseReason {
        match self.event().await {
            StreamEvent::Closed { reason, .. } => reason,
            other => panic!("not an end: {other:?}"),
        }
    }
}
