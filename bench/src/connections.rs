//! What a TLS connection costs: the processor time of its handshake, and the memory of one that is idle.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use blether_sip_transport::{
    ConnectionLimits, Connections, LocalEnd, PeerName, Room, StreamEvent, StreamUser, TlsClient, Transport,
    TrustAnchors,
};
use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::place::Place;
use crate::report::{Report, Side};
use crate::server::{Serve, Server, Stopwatch};

/// Handshakes at a time.
const AT_ONCE: usize = 32;

/// Addresses of ours from which connections come: 127.0.0.2 and up.
const SOURCES: u32 = 8;

/// How long a connection may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// For how long the connections have been idle when memory is read: that they are is what is measured.
const SETTLED: Duration = Duration::from_secs(2);

/// What a connection may take of memory, in bytes.
const BAR: f64 = 30_000.0;

pub(crate) struct Options {
    pub(crate) runs: u32,
    /// Connections that are held while memory is measured.
    pub(crate) held: u32,
}

pub(crate) fn run(options: &Options, mut report: Report) -> anyhow::Result<Report> {
    let place = Place::choose(false, &mut report)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for _ in 0..options.runs {
        report.next_run();
        report.begin(Side::Ours, "connections.tls");
        let server = Server::ours_durable(&place, &Serve::open().over_tls())?;
        runtime.block_on(measure(&server, options.held, &mut report))?;
    }
    report.note(format!(
        "{} connections from {SOURCES} addresses, each with a handshake of its own (TLS 1.3, ECDSA P-256, no resumption) and one OPTIONS.",
        options.held
    ));
    report.note(format!(
        "memory: growth of the resident memory, when all have been idle for {SETTLED:?}; not the kernel's buffers."
    ));
    Ok(report)
}

async fn measure(server: &Server, held: u32, report: &mut Report) -> anyhow::Result<()> {
    let address = server.tls.context("the server listens for no TLS")?;
    let own = server.certificate()?;
    let before = server.memory()?;
    let watch = Stopwatch::start(server)?;
    let (turns, mut opening) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for number in 0..held {
        let (turns, own) = (turns.clone(), own.clone());
        opening.spawn(async move {
            let _turn = turns.acquire().await?;
            open(number, address, &own).await
        });
    }
    let mut connections = Vec::new();
    while let Some(opened) = opening.join_next().await {
        connections.push(opened??);
    }
    watch.report(server, (Side::Ours, "connections.tls.handshake", "µs/handshake"), u64::from(held), None, report)?;
    tokio::time::sleep(SETTLED).await;
    let grown = server.memory()?.saturating_sub(before);
    report.figure(Side::Ours, "connections.tls.memory", "B/connection", grown as f64 / f64::from(held), Some(BAR));
    let open = connections.iter().filter(|connections| !connections.is_empty()).count();
    ensure!(open == connections.len(), "{} of {held} connections have ended meanwhile", connections.len() - open);
    Ok(())
}

/// Opens a connection and waits for the answer to an OPTIONS: the server knows it from then on.
async fn open(number: u32, address: SocketAddr, own: &[u8]) -> anyhow::Result<Connections> {
    let client = TlsClient::new(TrustAnchors::from_pem(own)?, None)?;
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + number % SOURCES);
    let local = SocketAddr::from((source, 5_061));
    let (sender, mut events) = mpsc::channel(1);
    let end = LocalEnd { listening: vec![(Transport::Tls, local)], advertise: None };
    let connections = Connections::with_tls(ConnectionLimits::default(), end, Arc::new(Inbox(sender)), client);
    let flow = connections.lead_to(local, address, &PeerName::from(address.ip()));
    let options = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/TLS {local};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\nFrom: <sip:bench@{source}>;tag=b\r\n\
         To: <sip:{address}>\r\nCall-ID: connection-{number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let sent = connections.try_send(&flow, Bytes::from(options));
    ensure!(sent.is_ok(), "nothing can be sent: {sent:?}");
    match tokio::time::timeout(PATIENCE, events.recv()).await.context("no answer by a connection")? {
        Some(StreamEvent::Message { .. }) => Ok(connections),
        other => anyhow::bail!("a connection could not be opened: {other:?}"),
    }
}

/// Hands on what comes.
struct Inbox(mpsc::Sender<StreamEvent>);

impl StreamUser for Inbox {
    fn try_take(&self, event: StreamEvent) -> Result<(), StreamEvent> {
        // The answer is the first; whoever has it listens no more.
        drop(self.0.try_send(event));
        Ok(())
    }

    fn room<'a>(&'a self, _event: &'a StreamEvent) -> Room<'a> {
        Box::pin(std::future::ready(()))
    }
}
