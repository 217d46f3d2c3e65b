//! TLS connections that we open to somebody else's server: OpenSSL's, which says what it has heard.
#![cfg(all(unix, feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod authority;
mod side;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use authority::{Authority, Lifetime};
use blether_sip_transport::{
    CertificateFault, ClientCertificates, CloseReason, ConnectionLimits, HandshakeFailure, TlsClient,
};
use side::{LIMIT, Side, anchors, chain};

/// `openssl s_server`. Dropping it ends it.
struct Openssl {
    child: Child,
    lines: mpsc::Receiver<String>,
    address: SocketAddr,
}

impl Openssl {
    /// Shows what is in `own`, with these options.
    fn start(own: &Path, options: &[&str]) -> Self {
        // Freed at once, for whoever asks next: that is us.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", &address.to_string(), "-naccept", "8"]).arg("-cert").arg(own);
        command.arg("-key").arg(own).args(options);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = pipes.spawn().expect("openssl is there (Debian's package openssl)");
        let (sender, lines) = mpsc::channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let server = Self { child, lines, address };
        server.says("ACCEPT");
        server
    }

    /// Waits for a line that has this in it.
    #[track_caller]
    fn says(&self, what: &str) {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line.contains(what) => return,
                Ok(line) => before.push(line),
                Err(error) => panic!("{error}: {what} is not in {before:#?}"),
            }
        }
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for the files of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("blether-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever clears the folder for such files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// We believe `authority`, and show a certificate of `shows`.
fn us(authority: &Authority, shows: Option<&Authority>) -> Side {
    let own = |issuer: &Authority| chain(&issuer.issue("us.example", Lifetime::Valid));
    let client = TlsClient::new(anchors(authority), shows.map(own)).unwrap();
    Side::start_with(client, own(authority), ClientCertificates::NotAsked, ConnectionLimits::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_is_spoken_to_where_its_certificate_is_for_the_domain() {
    use CertificateFault::{Expired, OtherName, UnknownIssuer};
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = Folder::new("s-server");
    for version in ["-tls1_2", "-tls1_3"] {
        for (issuer, names, lifetime, fault) in [
            (&authority, &["them.example"][..], Lifetime::Valid, None),
            (&authority, &["sip:them.example", "host.example"], Lifetime::Valid, None),
            (&authority, &["sip:other.example", "them.example"], Lifetime::Valid, Some(OtherName)),
            (&authority, &["other.example"], Lifetime::Valid, Some(OtherName)),
            (&authority, &["*.example"], Lifetime::Valid, Some(OtherName)),
            (&authority, &["them.example"], Lifetime::Over, Some(Expired)),
            (&stranger, &["them.example"], Lifetime::Valid, Some(UnknownIssuer)),
        ] {
            let (certificate, key) = issuer.issue_for(names, lifetime);
            let server = Openssl::start(&folder.file("own.pem", &(certificate + &key)), &[version]);
            let mut us = us(&authority, None);
            us.send(&us.to(server.address, "them.example"), 1);
            match fault {
                None => server.says("OPTIONS sip:a SIP/2.0"),
                Some(fault) => {
                    let failure = HandshakeFailure::Certificate(fault);
                    assert_eq!(us.closed().await, CloseReason::Handshake(failure), "{version} {names:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_is_shown_who_we_are_and_which_domain_is_meant() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = Folder::new("s-server-clients");
    let (certificate, key) = authority.issue("them.example", Lifetime::Valid);
    let own = folder.file("own.pem", &(certificate + &key));
    let trusted = folder.file("ca.pem", &authority.pem());
    for version in ["-tls1_2", "-tls1_3"] {
        // In TLS 1.2 it has no word of its own for a certificate that is missing.
        let missing = if version == "-tls1_2" { HandshakeFailure::Incompatible } else { HandshakeFailure::Refused };
        for (shows, failure) in
            [(Some(&authority), None), (None, Some(missing)), (Some(&stranger), Some(HandshakeFailure::Refused))]
        {
            let trusted = trusted.to_str().unwrap();
            let options = [version, "-Verify", "1", "-verify_return_error", "-CAfile", trusted, "-tlsextdebug"];
            let server = Openssl::start(&own, &options);
            let mut us = us(&authority, shows);
            us.send(&us.to(server.address, "them.example"), 1);
            match failure {
                None => {
                    server.says("TLS client extension \"server name\"");
                    server.says("OPTIONS sip:a SIP/2.0");
                }
                Some(failure) => assert_eq!(us.closed().await, CloseReason::Handshake(failure), "{version}"),
            }
        }
    }
}
