//! SIP over TLS between our server and Kamailio, each of which wants to know by a certificate who the other is.
#![cfg(all(unix, feature = "cli", feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod authority;
mod peers;
mod server;

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use authority::{Authority, Lifetime};
use blether_call_engine::config::{Config, TlsConfig, TlsIdentity};
use blether_session_core::actor::RequestError;
use blether_sip_core::{Method, NameAddr, Request, Uri};
use blether_sip_transport::Transport;
use blether_transaction_core::{Direction, Failure, WireTap};
use peers::kamailio_tls::TlsKamailio;
use peers::{Folder, PATIENCE, ports};
use server::Server;

/// What our server has heard over TLS.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn tap(&self) -> WireTap {
        let heard = self.clone();
        WireTap::new(move |message| {
            if (message.direction, message.flow.transport) == (Direction::Received, Transport::Tls) {
                heard.0.lock().unwrap().push(String::from_utf8_lossy(message.bytes).into_owned());
            }
        })
    }

    fn requests(&self) -> Vec<String> {
        let heard = self.0.lock().unwrap();
        heard.iter().filter(|text| text.starts_with("OPTIONS ")).cloned().collect()
    }
}

/// Our server and Kamailio, with certificates for `ours` and `theirs` from these authorities, both of which believe the first.
struct Pair {
    server: Server,
    kamailio: TlsKamailio,
    heard: Heard,
}

impl Pair {
    fn start(folder: &Folder, [ours, theirs]: [(&Authority, &str); 2]) -> Self {
        let trusted = ours.0.file(folder.path(), "ca.pem");
        let issued = |(authority, name): (&Authority, &str), file: &str| -> PathBuf {
            authority.issue_file(folder.path(), file, name, Lifetime::Valid)
        };
        let both = issued(ours, "ours.pem");
        let tls = TlsConfig {
            identity: Some(TlsIdentity { certificate: both.clone(), key: both }),
            client_authorities: Some(trusted.clone()),
            server_authorities: Some(trusted.clone()),
            client_identity: None,
        };
        let also_listen = vec!["tls:127.0.0.1:0;clients=required".parse().unwrap()];
        let heard = Heard::default();
        let config = Config { also_listen, tls, ..server::config(&[]) };
        let server = Server::start_with(config, |engine| engine.tap(heard.tap()));
        let own = issued(theirs, "theirs.pem");
        let kamailio = TlsKamailio::start(folder.path(), &own, &trusted, server.engine().tls_addrs()[0]);
        Self { server, kamailio, heard }
    }

    fn connections(&self) -> usize {
        self.server.block_on(self.server.engine().counts()).unwrap().connections
    }

    /// Has our server ask Kamailio, which is to be `name`: the status of its answer.
    fn we_ask(&self, name: &str) -> Result<u16, RequestError> {
        let engine = self.server.engine();
        let flow = engine.flow_over_tls(self.kamailio.tls_address(), &name.parse().unwrap()).unwrap();
        let uri: Uri = format!("sip:{name}").parse().unwrap();
        let request = Request::builder(Method::Options, uri.clone())
            .from(NameAddr::new("sip:ours.example".parse::<Uri>().unwrap()).with_tag("we"))
            .to(NameAddr::new(uri))
            .call_id(&format!("we-ask-{name}"))
            .cseq(1)
            .max_forwards(70)
            .build()
            .unwrap();
        let answer =
            self.server.block_on(async { tokio::time::timeout(PATIENCE, engine.request(request, flow)).await });
        answer.expect("an answer in time").map(|response| response.status().code())
    }

    /// Has Kamailio send an OPTIONS on to us: the status line that it gives back.
    fn they_ask(&self) -> String {
        let socket = UdpSocket::bind(ports::loopback(0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (here, there): (SocketAddr, SocketAddr) = (socket.local_addr().unwrap(), self.kamailio.address());
        let port = here.port();
        let options = format!(
            "OPTIONS sip:ping@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{port}\r\nMax-Forwards: 70\r\n\
             From: <sip:they@{here}>;tag=they\r\nTo: <sip:ping@127.0.0.1>\r\nCall-ID: they-{port}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(options.as_bytes(), there).unwrap();
        let mut answer = [0; 4_096];
        let (length, _) = socket.recv_from(&mut answer).expect("Kamailio answers");
        String::from_utf8_lossy(&answer[..length]).lines().next().unwrap().to_owned()
    }
}

#[test]
fn kamailio_is_asked_by_tls_where_its_certificate_is_for_the_domain() {
    let folder = Folder::new("kamailio-tls");
    let authority = Authority::new();
    let pair = Pair::start(&folder, [(&authority, "ours.example"), (&authority, "theirs.example")]);
    assert_eq!(pair.we_ask("theirs.example").unwrap(), 200);
    assert_eq!(pair.we_ask("Theirs.Example.").unwrap(), 200);
    assert_eq!(pair.connections(), 1);
    let refused = pair.we_ask("elsewhere.example");
    assert!(matches!(refused, Err(RequestError::Failed(Failure::Transport(_)))), "{refused:?}");
    assert_eq!((pair.we_ask("theirs.example").unwrap(), pair.connections()), (200, 1));
}

#[test]
fn kamailio_asks_us_by_tls_and_is_answered_by_the_same_connection() {
    let folder = Folder::new("tls-kamailio");
    let authority = Authority::new();
    let pair = Pair::start(&folder, [(&authority, "ours.example"), (&authority, "theirs.example")]);
    for number in 1..=2 {
        assert_eq!(pair.they_ask(), "SIP/2.0 200 OK");
        assert_eq!((pair.heard.requests().len(), pair.connections()), (number, 1));
    }
}

#[test]
fn kamailio_uses_the_connection_that_we_have_opened() {
    let folder = Folder::new("kamailio-alias");
    let authority = Authority::new();
    let pair = Pair::start(&folder, [(&authority, "ours.example"), (&authority, "theirs.example")]);
    assert_eq!(pair.we_ask("theirs.example").unwrap(), 200);
    assert_eq!((pair.they_ask().as_str(), pair.connections()), ("SIP/2.0 200 OK", 1));
}

#[test]
fn neither_serves_a_stranger() {
    let folder = Folder::new("kamailio-stranger");
    let (authority, stranger) = (Authority::new(), Authority::new());
    let pair = Pair::start(&folder, [(&authority, "ours.example"), (&stranger, "theirs.example")]);
    let refused = pair.we_ask("theirs.example");
    assert!(matches!(refused, Err(RequestError::Failed(Failure::Transport(_)))), "{refused:?}");
    let answer = pair.they_ask();
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!((pair.heard.requests().len(), pair.connections()), (0, 0));
}
