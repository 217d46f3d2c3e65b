//! An echo that is called over TLS: a UAS with a certificate, and a caller who believes nobody else to be `echo.example`.
//!
//! Run it: `cargo run -p blether-examples --bin tls_echo`
//!
//! You will see the call, and a second caller who finds that the certificate is for another name and says nothing to
//! whoever has it. Everything is on loopback; the certificate is made on the spot.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use blether_media_core::EchoLeg;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallError, CallEvent, Dial, Endpoint, EndpointConfig, Responder, TlsConfig,
};
use blether_session_core::{MediaCapabilities, NextHop};
use blether_sip_core::{NameAddr, Request, Uri};
use blether_sip_transport::{
    CertificateChain, ClientCertificates, ConnectionLimits, Flow, TlsClient, TlsServer, TrustAnchors,
};

/// Answers every call and sends back what it hears.
struct Echo;

impl Application for Echo {
    fn on_invite(&self, _now: Instant, _invite: &Request, flow: Flow) -> Admission {
        println!("echo: a call over {}", flow.transport);
        Admission::accept(echo)
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

async fn echo(mut call: Call) -> Result<(), CallError> {
    let media = call.offered_media()?;
    call.answer(&media, |_| Box::new(EchoLeg::new(rand::make_rng()))).await?;
    call.ended().await;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let own = rcgen::generate_simple_self_signed(["echo.example".to_owned()])?;
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let chain = CertificateChain::from_pem(certificate.as_bytes(), key.as_bytes())?;
    let server = TlsServer::new(chain, ClientCertificates::NotAsked)?;
    let uas = endpoint(vec![("127.0.0.1:0".parse()?, server)], None).await?;
    let address = *uas.tls_addrs().first().context("it listens for TLS")?;

    // Believes this certificate alone; of others, `TrustAnchors::of_system` would do.
    let client = TlsClient::new(TrustAnchors::from_pem(certificate.as_bytes())?, None)?;
    let uac = endpoint(Vec::new(), Some(client)).await?;
    let mut call = dial(&uac, address, "echo.example").await?;
    loop {
        match call.event().await.context("the call ended early")? {
            CallEvent::Answered { .. } => break,
            CallEvent::Refused { status, .. } => bail!("refused: {status}"),
            _ => {}
        }
    }
    println!("caller: echo.example has answered");
    call.hang_up().await;
    call.ended().await;

    let mut call = dial(&uac, address, "elsewhere.example").await?;
    while let Some(event) = call.event().await {
        if let CallEvent::Answered { .. } = event {
            bail!("somebody else has answered");
        }
    }
    println!("caller: whoever is there is not elsewhere.example");
    Ok(())
}

async fn endpoint(listeners: Vec<(SocketAddr, TlsServer)>, client: Option<TlsClient>) -> anyhow::Result<Endpoint> {
    let tls = Some(TlsConfig { listeners, client, limits: ConnectionLimits::default() });
    Ok(Endpoint::start(EndpointConfig { tls, ..EndpointConfig::default() }, Arc::new(Echo)).await?)
}

/// Calls whoever is at `address` and has to be `domain`.
async fn dial(uac: &Endpoint, address: SocketAddr, domain: &str) -> anyhow::Result<Call> {
    let uri: Uri = format!("sip:echo@{domain};transport=tls").parse()?;
    let mut call = uac.new_call()?;
    let dial = Dial {
        request_uri: uri.clone(),
        from: NameAddr::new("sip:caller@caller.example".parse::<Uri>()?),
        to: NameAddr::new(uri),
        route: Vec::new(),
        flow: uac.flow_over_tls(address, &domain.parse()?)?,
        targets: Vec::new(),
        next_hop: NextHop::Flow,
        credentials: None,
        ring_timeout: None,
        max_forwards: 70,
        media: MediaCapabilities::g711(),
    };
    call.dial(dial).await?;
    Ok(call)
}
