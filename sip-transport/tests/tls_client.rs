//! TLS connections that we open: to whom, who is believed at their other end, and when another is not needed. Nothing sleeps.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod authority;
mod side;

use std::io;
use std::time::Duration;

use authority::{Authority, Lifetime};
use blether_sip_transport::{
    CertificateFault, ClientCertificates, CloseReason, ConnectionLimits, Flow, HandshakeFailure, TlsClient, TlsError,
    TrustAnchors,
};
use side::{Side, anchors, chain, in_time, message};
use tokio::net::TcpListener;

#[tokio::test]
async fn requests_go_by_a_connection_that_is_opened_and_answers_come_back_by_it() {
    let authority = Authority::new();
    let (mut us, mut them) = (Side::named(&authority, &["us.example"]), Side::named(&authority, &["them.example"]));
    let flow = us.to(them.address, "them.example");
    assert!(us.connections.is_empty(), "nothing is opened before something is sent");
    let first = us.send(&flow, 1);
    assert_eq!(us.send(&flow, 2), first);
    let came_by = them.hears(1).await;
    assert_eq!(them.hears(2).await, came_by);
    them.send(&came_by, 3);
    let heard_by = us.hears(3).await;
    // Our end of the flow is where we listen.
    assert_eq!((heard_by.connection, heard_by.local, heard_by.remote), (Some(first), us.address, them.address));
    assert_eq!((us.connections.len(), them.connections.len()), (1, 1));
}

#[tokio::test]
async fn only_a_certificate_for_the_domain_that_was_asked_for_is_believed() {
    use CertificateFault::{Expired, OtherName, UnknownIssuer};
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (names, asked, fault) in [
        // The DNS name, whole and whatever its case; no wildcard, though the rest of the world has them (RFC 5922 §7.2).
        (&["them.example"][..], "them.example", None),
        (&["other.example", "Them.Example"], "THEM.example.", None),
        (&["them.example"], "sip.them.example", Some(OtherName)),
        (&["sip.them.example"], "them.example", Some(OtherName)),
        (&["*.them.example"], "sip.them.example", Some(OtherName)),
        // The SIP URI, and where there is one, no DNS name (§7.1).
        (&["sip:them.example"], "them.example", None),
        (&["sip:them.example", "host.example"], "them.example", None),
        (&["sip:them.example", "host.example"], "host.example", Some(OtherName)),
        (&["sip:*.them.example", "sip.them.example"], "sip.them.example", Some(OtherName)),
        // A user's, and other schemes', are nobody's word on a domain.
        (&["sip:alice@them.example"], "them.example", Some(OtherName)),
        (&["sips:them.example"], "them.example", Some(OtherName)),
        (&["https://them.example", "them.example"], "them.example", None),
        // An address is its own.
        (&["127.0.0.1"], "127.0.0.1", None),
        (&["sip:127.0.0.1:5061"], "127.0.0.1", None),
        (&["sip:them.example", "127.0.0.1"], "127.0.0.1", Some(OtherName)),
        (&["127.0.0.2"], "127.0.0.1", Some(OtherName)),
        (&["them.example"], "127.0.0.1", Some(OtherName)),
    ] {
        meets(&authority, &authority.issue_for(names, Lifetime::Valid), asked, fault).await;
    }
    let valid = |authority: &Authority, lifetime| authority.issue("them.example", lifetime);
    meets(&authority, &valid(&authority, Lifetime::Over), "them.example", Some(Expired)).await;
    meets(&authority, &valid(&stranger, Lifetime::Valid), "them.example", Some(UnknownIssuer)).await;
}

/// Sends to a server that shows `own`, asking for `asked`: what is wrong with the certificate, or that it is heard.
async fn meets(authority: &Authority, own: &(String, String), asked: &str, fault: Option<CertificateFault>) {
    let mut us = Side::named(authority, &["us.example"]);
    let mut them = Side::start(authority, own);
    us.send(&us.to(them.address, asked), 1);
    match fault {
        None => {
            let came_by = them.hears(1).await;
            them.send(&came_by, 2);
            us.hears(2).await;
        }
        Some(fault) => {
            let failure = HandshakeFailure::Certificate(fault);
            assert_eq!(us.closed().await, CloseReason::Handshake(failure), "{asked}");
            assert_eq!(CloseReason::Handshake(failure).kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(them.closed().await, CloseReason::Handshake(HandshakeFailure::Refused), "{asked}");
            assert!(us.connections.is_empty());
        }
    }
}

#[tokio::test]
async fn a_connection_serves_every_domain_that_its_peer_has_proved() {
    let authority = Authority::new();
    let us = Side::named(&authority, &["us.example"]);
    let mut them = Side::named(&authority, &["sip:a.example", "sip:b.example"]);
    let to_a = us.to(them.address, "a.example");
    let first = us.send(&to_a, 1);
    them.hears(1).await;
    assert_eq!(us.send(&us.to(them.address, "b.example"), 2), first);
    them.hears(2).await;
    // Who has not been proved is asked for by another.
    let mut us = us;
    assert_ne!(us.send(&us.to(them.address, "c.example"), 3), first);
    let other = CloseReason::Handshake(HandshakeFailure::Certificate(CertificateFault::OtherName));
    assert_eq!(us.closed().await, other);
    us.send(&to_a, 4);
    them.closed().await;
    them.hears(4).await;
}

#[tokio::test]
async fn a_flow_whose_connection_is_gone_leads_to_the_same_domain_again() {
    let authority = Authority::new();
    let own = authority.issue("them.example", Lifetime::Valid);
    let mut us = Side::named(&authority, &["us.example"]);
    let limits = ConnectionLimits { max_connections: 1, ..ConnectionLimits::default() };
    let client = TlsClient::new(anchors(&authority), None).unwrap();
    let mut them = Side::start_with(client, chain(&own), ClientCertificates::NotAsked, limits);
    let first = us.send(&us.to(them.address, "them.example"), 1);
    let came_by = them.hears(1).await;
    them.send(&came_by, 2);
    let by_first = us.hears(2).await;
    // Another has taken its place there.
    let mut other = Side::named(&authority, &["other.example"]);
    other.send(&other.to(them.address, "them.example"), 3);
    assert_eq!((us.closed().await, them.closed().await), (CloseReason::Peer, CloseReason::Evicted));
    them.hears(3).await;
    let second = us.send(&by_first, 4);
    assert_ne!(second, first);
    assert_eq!(them.closed().await, CloseReason::Evicted);
    them.hears(4).await;
    assert_eq!(other.closed().await, CloseReason::Peer);
}

#[tokio::test]
async fn a_peer_that_has_proved_its_domain_is_reached_by_the_connection_that_it_has_opened() {
    let authority = Authority::new();
    let mut us = Side::named(&authority, &["us.example"]);
    let mut them = Side::named(&authority, &["them.example"]);
    them.send(&them.to(us.address, "us.example"), 1);
    let came_by = us.hears(1).await;
    // Its Via has `alias`, and the port where it listens.
    assert!(us.connections.alias(&came_by, them.address.port()));
    let by = us.send(&us.to(them.address, "them.example"), 2);
    assert_eq!((Some(by), us.connections.len()), (came_by.connection, 1));
    them.hears(2).await;

    // One without a certificate makes no alias, and is asked for its name where it listens.
    let client = TlsClient::new(anchors(&authority), None).unwrap();
    let chain = chain(&authority.issue("mute.example", Lifetime::Valid));
    let mut mute = Side::start_with(client, chain, ClientCertificates::NotAsked, ConnectionLimits::default());
    mute.send(&mute.to(us.address, "us.example"), 3);
    let came_by = us.hears(3).await;
    assert!(!us.connections.alias(&came_by, mute.address.port()));
    assert_ne!(Some(us.send(&us.to(mute.address, "mute.example"), 4)), came_by.connection);
    mute.hears(4).await;
    assert_eq!(us.connections.len(), 3);
}

#[tokio::test]
async fn a_server_that_wants_to_know_who_we_are_is_shown_it() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let own = authority.issue("them.example", Lifetime::Valid);
    let shows = |issuer: &Authority| Some(chain(&issuer.issue("us.example", Lifetime::Valid)));
    for (shown, welcome) in [(shows(&authority), true), (None, false), (shows(&stranger), false)] {
        let required = ClientCertificates::Required(anchors(&authority));
        let theirs = TlsClient::new(anchors(&authority), None).unwrap();
        let mut them = Side::start_with(theirs, chain(&own), required, ConnectionLimits::default());
        let ours = TlsClient::new(anchors(&authority), shown).unwrap();
        let limits = ConnectionLimits::default();
        let mut us = Side::start_with(ours, chain(&own), ClientCertificates::NotAsked, limits);
        us.send(&us.to(them.address, "them.example"), 1);
        if welcome {
            them.hears(1).await;
        } else {
            // In TLS 1.3 the refusal comes when the connection is open already.
            assert_eq!(us.closed().await, CloseReason::Handshake(HandshakeFailure::Refused));
        }
    }
}

#[tokio::test]
async fn whom_to_believe_can_be_changed_and_no_session_from_before_is_resumed() {
    let (authority, another) = (Authority::new(), Authority::new());
    let mut us = Side::named(&authority, &["us.example"]);
    let mut them = Side::named(&authority, &["them.example"]);
    let flow = us.to(them.address, "them.example");
    us.send(&flow, 1);
    them.hears(1).await;
    us.client.replace(anchors(&another), None).unwrap();
    us.send(&flow, 2);
    them.hears(2).await;
    // The connection that was open stays; another is not opened to whom nobody believes now.
    us.send(&us.to(them.address, "nobody.example"), 3);
    let unknown = HandshakeFailure::Certificate(CertificateFault::UnknownIssuer);
    assert_eq!(us.closed().await, CloseReason::Handshake(unknown));
    us.send(&flow, 4);
    them.closed().await;
    them.hears(4).await;
    let mismatch = (authority.issue("a.example", Lifetime::Valid).0, authority.issue("a.example", Lifetime::Valid).1);
    assert!(matches!(us.client.replace(anchors(&authority), Some(chain(&mismatch))), Err(TlsError::Mismatch)));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let authority = Authority::new();
    let limits = ConnectionLimits { handshake_timeout: Duration::from_millis(300), ..ConnectionLimits::default() };
    let client = TlsClient::new(anchors(&authority), None).unwrap();
    let own = chain(&authority.issue("us.example", Lifetime::Valid));
    let mut us = Side::start_with(client, own, ClientCertificates::NotAsked, limits);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    us.send(&us.to(silent.local_addr().unwrap(), "silent.example"), 1);
    let (_held, _) = in_time(silent.accept()).await.unwrap();
    assert_eq!(us.closed().await, CloseReason::Handshake(HandshakeFailure::TimedOut));

    // One that is not there, and one that does not speak TLS.
    let address = silent.local_addr().unwrap();
    us.send(&us.to(address, "plain.example"), 2);
    let (mut plain, _) = in_time(silent.accept()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"SIP/2.0 200 OK\r\n\r\n").await.unwrap();
    assert_eq!(us.closed().await, CloseReason::Handshake(HandshakeFailure::NotTls));
    drop(silent);
    us.send(&us.to(address, "gone.example"), 3);
    assert_eq!(us.closed().await, CloseReason::NotOpened(io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn without_a_name_no_tls_connection_is_opened() {
    let authority = Authority::new();
    let (us, them) = (Side::named(&authority, &["us.example"]), Side::named(&authority, &["them.example"]));
    let sent = us.connections.try_send(&Flow::tls(us.address, them.address), message(1));
    assert_eq!(sent, Err(io::ErrorKind::Unsupported));
    us.connections.close_all();
    let sent = us.connections.try_send(&us.to(them.address, "them.example"), message(1));
    assert_eq!(sent, Err(io::ErrorKind::NotConnected));
}

/// The variables of a process cannot be changed while it runs, so another one looks.
#[test]
fn the_authorities_of_the_machine_are_those_that_its_variables_name() {
    const EXPECTED: &str = "BLETHER_TEST_AUTHORITIES";
    if let Ok(expected) = std::env::var(EXPECTED) {
        let found = TrustAnchors::of_system();
        match expected.as_str() {
            "some" => assert!(found.is_ok(), "{found:?}"),
            _ => assert!(matches!(found, Err(TlsError::NoSystemAuthorities)), "{found:?}"),
        }
        return;
    }
    let file = std::env::temp_dir().join(format!("blether-authorities-{}.pem", std::process::id()));
    for (text, expected) in [(Authority::new().pem(), "some"), ("nobody".to_owned(), "none")] {
        std::fs::write(&file, text).unwrap();
        let mut looking = std::process::Command::new(std::env::current_exe().unwrap());
        looking.args(["--exact", "the_authorities_of_the_machine_are_those_that_its_variables_name"]);
        looking.env("SSL_CERT_FILE", &file).env_remove("SSL_CERT_DIR").env(EXPECTED, expected);
        let output = looking.output().unwrap();
        assert!(output.status.success(), "{expected}: {}", String::from_utf8_lossy(&output.stdout));
    }
    std::fs::remove_file(&file).unwrap();
}
