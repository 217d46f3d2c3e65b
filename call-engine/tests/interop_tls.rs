//! SIP over TLS with others' implementations: OpenSSL's client, whose SIP is the test's, and baresip.
#![cfg(all(unix, feature = "cli", feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod authority;
mod peers;
mod program;
mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use authority::{Authority, Lifetime};
use blether_call_engine::config::{Config, Listen, TlsConfig, TlsIdentity};
use blether_sip_core::digest::{Credentials, DigestRequest, Secret};
use blether_sip_core::{
    Authorization, Contact, Limits, Message, Method, NameAddr, Request, Response, Uri, Via, WwwAuthenticate,
};
use blether_sip_transport::Transport;
use bytes::Bytes;
use peers::baresip::BaresipConfig;
use peers::sound::{assert_heard, tune, write_wav};
use peers::{Folder, PATIENCE, User, ports, wait_until};
use program::{Running, program};
use server::Server;

/// `openssl s_client`, connected to a server whose certificate it has checked, or not connected.
struct Openssl {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    server: SocketAddr,
    count: u32,
}

impl Openssl {
    /// Connects with these options; believes `authority`.
    fn connect(server: SocketAddr, authority: &Path, options: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-verify_ip", "127.0.0.1", "-connect"]);
        command.arg(server.to_string()).arg("-CAfile").arg(authority).args(options);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = pipes.spawn().expect("openssl is there (Debian's package openssl)");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from, server, count: 0 }
    }

    fn request(&self, method: Method, user: &str) -> Request {
        let number = self.count + 1;
        let aor: Uri = format!("sip:{user}@{}", self.server).parse().unwrap();
        let branch = format!("z9hG4bK{}-{number}", self.child.id());
        Request::builder(method, format!("sip:{}", self.server).parse::<Uri>().unwrap())
            .via(Via::new("TLS", "192.0.2.9".parse::<std::net::IpAddr>().unwrap().into(), Some(5061), &branch))
            .from(NameAddr::new(aor.clone()).with_tag("openssl"))
            .to(NameAddr::new(aor))
            .call_id(&format!("openssl-{}", self.child.id()))
            .cseq(number)
            .max_forwards(70)
            .build()
            .unwrap()
    }

    /// Sends a request and reads its response; `None` when there is none because the connection is closed.
    fn ask(&mut self, request: &Request) -> Option<Response> {
        self.count += 1;
        // Where the handshake has failed it is gone, and reading tells so.
        let _ = self.to.write_all(&request.to_bytes()).and_then(|()| self.to.flush());
        let (mut text, mut length) = (String::new(), 0);
        while !text.ends_with("\r\n\r\n") {
            let start = text.len();
            if self.from.read_line(&mut text).unwrap_or(0) == 0 {
                return None;
            }
            if let Some(value) = text[start..].strip_prefix("Content-Length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut bytes = text.into_bytes();
        self.from.by_ref().take(length).read_to_end(&mut bytes).unwrap();
        match Message::parse(Bytes::from(bytes), &Limits::default()).unwrap() {
            Message::Response(response) => Some(response),
            Message::Request(request) => panic!("a request: {}", request.method()),
        }
    }

    /// The status of an OPTIONS.
    fn options(&mut self) -> Option<u16> {
        let response = self.ask(&self.request(Method::Options, "openssl"))?;
        assert_eq!(&*response.via().transport, "TLS");
        Some(response.status().code())
    }

    /// Registers with digest; the contact is what it would be behind a NAT.
    fn register(&mut self, user: &User) -> u16 {
        let contact = || Contact::Address(NameAddr::new("sip:o@192.0.2.9:5061;transport=tls".parse::<Uri>().unwrap()));
        let mut request = self.request(Method::Register, &user.name);
        request.headers_mut().push(contact());
        let challenged = self.ask(&request).unwrap();
        assert_eq!(challenged.status().code(), 401);
        let challenge = challenged.headers().all::<WwwAuthenticate>().unwrap().remove(0).0;
        let mut request = self.request(Method::Register, &user.name);
        request.headers_mut().push(contact());
        let uri = request.uri().to_string();
        let asked = DigestRequest { method: &Method::Register, uri: &uri, cnonce: "openssl", nc: 1, body: b"" };
        let answer = Credentials::answer(&challenge, &user.name, &Secret::password(&user.password), &asked).unwrap();
        request.headers_mut().push(Authorization(answer));
        self.ask(&request).unwrap().status().code()
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What serves `users` over UDP, TCP and TLS, with a certificate that `authority` has issued.
fn config(folder: &Path, authority: &Authority, users: &[&User]) -> Config {
    let both = authority.issue_file(folder, "server.pem", "127.0.0.1", Lifetime::Valid);
    Config {
        also_listen: vec!["tls:127.0.0.1:0".parse().unwrap()],
        tls: TlsConfig { identity: Some(TlsIdentity { certificate: both.clone(), key: both }), ..TlsConfig::default() },
        ..server::config(users)
    }
}

fn tls_address(server: &Server) -> SocketAddr {
    server.engine().tls_addrs()[0]
}

#[test]
fn openssl_asks_and_registers_over_either_version_of_tls() {
    let folder = Folder::new("openssl");
    let (authority, user) = (Authority::new(), User::new("100", "wonderland"));
    let server = Server::start_with(config(folder.path(), &authority, &[&user]), |engine| engine);
    let trusted = authority.file(folder.path(), "ca.pem");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Openssl::connect(tls_address(&server), &trusted, &[version]);
        assert_eq!(client.options(), Some(200), "{version}");
        assert_eq!(client.register(&user), 200, "{version}");
        assert_eq!(client.options(), Some(200), "{version}");
    }
    assert_eq!(server.contacts("100"), 1);
    let handle = server.engine().handle();
    let bindings = handle.location().bindings(&handle.extension("100").unwrap(), std::time::Instant::now());
    assert!(bindings.iter().all(|binding| binding.way().transport == Transport::Tls), "{bindings:?}");
    // An old version of it is no use there.
    assert_eq!(Openssl::connect(tls_address(&server), &trusted, &["-tls1_1"]).options(), None);
}

#[test]
fn openssl_hangs_up_on_whoever_it_does_not_believe() {
    let folder = Folder::new("openssl-strangers");
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::start_with(config(folder.path(), &authority, &[]), |engine| engine);
    let another = stranger.file(folder.path(), "another.pem");
    assert_eq!(Openssl::connect(tls_address(&server), &another, &[]).options(), None);

    let mut expired = config(folder.path(), &authority, &[]);
    authority.issue_file(folder.path(), "server.pem", "127.0.0.1", Lifetime::Over);
    let server = Server::start_with(expired.clone(), |engine| engine);
    let trusted = authority.file(folder.path(), "ca.pem");
    assert_eq!(Openssl::connect(tls_address(&server), &trusted, &[]).options(), None);

    // One that the server has made for itself is nobody's word.
    expired.tls = TlsConfig::default();
    let server = Server::start_with(expired, |engine| engine);
    assert_eq!(Openssl::connect(tls_address(&server), &trusted, &[]).options(), None);
}

#[test]
fn openssl_is_asked_for_its_certificate_where_the_address_says_so() {
    let folder = Folder::new("openssl-clients");
    let (authority, stranger, user) = (Authority::new(), Authority::new(), User::new("100", "wonderland"));
    let trusted = authority.file(folder.path(), "ca.pem");
    let mut config = config(folder.path(), &authority, &[&user]);
    config.tls.client_authorities = Some(trusted.clone());
    config.also_listen.extend(
        ["wanted", "required"].map(|policy| format!("tls:127.0.0.1:0;clients={policy}").parse::<Listen>().unwrap()),
    );
    let server = Server::start_with(config, |engine| engine);
    let own = authority.issue_file(folder.path(), "own.pem", "phone.example", Lifetime::Valid);
    let foreign = stranger.issue_file(folder.path(), "foreign.pem", "phone.example", Lifetime::Valid);
    let expired = authority.issue_file(folder.path(), "expired.pem", "phone.example", Lifetime::Over);
    let [own, foreign, expired] = [&own, &foreign, &expired].map(|file| ["-cert", file.to_str().unwrap()]);
    for (listener, expected) in [
        // Nothing, its own, a stranger's, an expired one.
        [true, true, true, true],
        [true, true, false, false],
        [false, true, false, false],
    ]
    .into_iter()
    .enumerate()
    {
        let address = server.engine().tls_addrs()[listener];
        for (options, expected) in [&[][..], &own, &foreign, &expired].into_iter().zip(expected) {
            let mut client = Openssl::connect(address, &trusted, options);
            assert_eq!(client.options(), expected.then_some(200), "{listener} {options:?}");
            // A certificate is no password.
            if expected {
                assert_eq!(client.register(&user), 200, "{listener} {options:?}");
            }
        }
    }
}

#[test]
fn the_program_shows_another_certificate_after_sighup_and_no_connection_ends() {
    let folder = Folder::new("sighup-tls");
    let authorities = [Authority::new(), Authority::new()];
    let [first, second] =
        [0, 1].map(|number: usize| authorities[number].file(folder.path(), &format!("ca{number}.pem")));
    authorities[0].issue_file(folder.path(), "server.pem", "127.0.0.1", Lifetime::Valid);
    let address = ports::loopback(ports::free_port());
    let configuration =
        "[tls]\ncertificate = \"server.pem\"\n\n[[account]]\nuser = \"100\"\npassword = \"wonderland\"\n";
    std::fs::write(folder.file("call-engine.toml"), configuration).unwrap();
    let log = folder.file("log");
    let mut command = program(folder.path());
    command.arg("--data-dir").arg(folder.path()).env("BLETHER_LISTEN", format!("udp:127.0.0.1:0,tls:{address}"));
    let server = Running::start_logged(&mut command, &log);
    assert!(server.shown.contains(&format!("or over TLS with address 127.0.0.1 and port {}", address.port())));
    let logged = |what: &str, times: usize| {
        wait_until(what, PATIENCE, || {
            (std::fs::read_to_string(&log).unwrap().matches(what).count() == times).then_some(())
        });
    };

    let mut early = Openssl::connect(address, &first, &[]);
    assert_eq!(early.options(), Some(200));
    // A file that is spoilt changes nothing.
    std::fs::write(folder.file("server.pem"), "spoilt").unwrap();
    server.signal("HUP");
    logged("the certificate for TLS stays as it was", 1);
    assert_eq!(Openssl::connect(address, &first, &[]).options(), Some(200));
    authorities[1].issue_file(folder.path(), "server.pem", "127.0.0.1", Lifetime::Valid);
    server.signal("HUP");
    logged("the certificate for TLS was read again", 1);
    assert_eq!(Openssl::connect(address, &first, &[]).options(), None);
    assert_eq!(Openssl::connect(address, &second, &[]).options(), Some(200));
    assert_eq!(early.options(), Some(200), "it was open before");
    drop(early);
    server.terminate();
}

#[test]
fn the_first_start_makes_a_certificate_and_says_what_it_is_worth() {
    let folder = Folder::new("self-signed");
    std::fs::write(folder.file("call-engine.toml"), "").unwrap();
    let (log, own) = (folder.file("log"), folder.file("tls-self-signed.pem"));
    for _ in 0..2 {
        let address = ports::loopback(ports::free_port());
        let mut command = program(folder.path());
        command.arg("--data-dir").arg(folder.path()).env("BLETHER_LISTEN", format!("udp:127.0.0.1:0,tls:{address}"));
        // Without an account, the greeting is a line of its own.
        command.env("BLETHER_DOMAINS", "example.org").stdout(Stdio::null());
        command.stderr(std::fs::File::options().create(true).append(true).open(&log).unwrap());
        let server = Running::start_unheard(&mut command);
        // Whoever has the file believes in it: it is the same after another start.
        let mut client = wait_until("the server should answer", PATIENCE, || {
            let mut client = own.exists().then(|| Openssl::connect(address, &own, &[]))?;
            client.options().map(|_| client)
        });
        assert_eq!(client.options(), Some(200));
        drop(client);
        server.terminate();
    }
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("was made by this server for itself").count(), 2, "{log}");
    assert!(log.contains("set `tls.certificate` and `tls.key`"));
}

/// A baresip that speaks TLS; with a certificate in `shows`, one that shows it.
fn over_tls(phone: BaresipConfig, authorities: &Path, shows: Option<&Path>) -> BaresipConfig {
    let phone = phone.transport("tls").setting(&format!("sip_cafile {}", authorities.display()));
    match shows {
        Some(certificate) => phone.setting(&format!("sip_certificate {}", certificate.display())),
        None => phone,
    }
}

#[test]
fn each_baresip_hears_the_other_over_tls() {
    let folder = Folder::new("baresip-tls");
    let (alice, bob) = (User::new("100", "wonderland"), User::new("101", "builder-1"));
    let authority = Authority::new();
    let trusted = authority.file(folder.path(), "ca.pem");
    let mut config = config(folder.path(), &authority, &[&alice, &bob]);
    config.tls.client_authorities = Some(trusted.clone());
    config.also_listen.push("tls:127.0.0.1:0;clients=required".parse().unwrap());
    let server = Server::start_with(config, |engine| engine);
    let [open, guarded] = [0, 1].map(|listener: usize| server.engine().tls_addrs()[listener]);
    let (hers, his) = (tune(1, 6), tune(2, 6));
    let (her_wav, his_wav) = (folder.file("hers.wav"), folder.file("his.wav"));
    write_wav(&her_wav, &hers);
    write_wav(&his_wav, &his);

    let certificate = authority.issue_file(folder.path(), "alice.pem", "phone.example", Lifetime::Valid);
    let bobs = over_tls(BaresipConfig::answering(folder.path(), &bob, open), &trusted, None);
    let alices = over_tls(BaresipConfig::ringing(folder.path(), &alice, guarded), &trusted, Some(&certificate));
    let (mut bobs, mut alices) = (bobs.play(&his_wav).start(), alices.play(&her_wav).start());
    bobs.wait_registered();
    alices.wait_registered();
    assert_eq!(["100", "101"].map(|user| server.contacts(user)), [1, 1]);

    for alice_hangs_up in [true, false] {
        alices.dial(&format!("sip:101@{guarded};transport=tls"));
        alices.wait_event("CALL_ESTABLISHED", PATIENCE);
        bobs.wait_event("CALL_ESTABLISHED", PATIENCE);
        alices.wait_heard(Duration::from_secs(2));
        bobs.wait_heard(Duration::from_secs(2));
        let (one, other) = if alice_hangs_up { (&mut alices, &mut bobs) } else { (&mut bobs, &mut alices) };
        one.hang_up();
        other.wait_event("CALL_CLOSED", PATIENCE);
        let left = server.after_the_calls();
        assert_eq!((left.calls, left.media_ports), (0, 0));
        assert_heard("alice", &his, &alices.heard(), 1);
        assert_heard("bob", &hers, &bobs.heard(), 1);
    }
    bobs.quit();
    alices.quit();
}

/// baresip 1.0 takes any server certificate, whatever `sip_cafile` says, so its own is the one that is looked at. When that is refused it says nothing
/// before its transaction has timed out; the server tells at once.
#[test]
fn a_baresip_with_a_certificate_of_an_authority_that_is_not_believed_stays_outside() {
    let folder = Folder::new("baresip-tls-stranger");
    let (alice, eve) = (User::new("100", "wonderland"), User::new("101", "eavesdropper"));
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trusted = authority.file(folder.path(), "ca.pem");
    authority.issue_file(folder.path(), "server.pem", "127.0.0.1", Lifetime::Valid);
    let accounts =
        [&alice, &eve].map(|user| format!("[[account]]\nuser = \"{}\"\npassword = \"{}\"\n", user.name, user.password));
    let tls = "[tls]\ncertificate = \"server.pem\"\nclient_authorities = \"ca.pem\"\n";
    std::fs::write(folder.file("call-engine.toml"), format!("{tls}{}", accounts.concat())).unwrap();
    let (address, log) = (ports::loopback(ports::free_port()), folder.file("log"));
    let mut command = program(folder.path());
    command.arg("--data-dir").arg(folder.path()).env("BLETHER_LOG_LEVEL", "debug");
    // baresip 1.0 gives up when a challenge names SHA-256.
    command.env("BLETHER_AUTHENTICATION_DIGEST", "md5");
    command.env("BLETHER_LISTEN", format!("udp:127.0.0.1:0,tls:{address};clients=required"));
    let server = Running::start_logged(&mut command, &log);

    let shows = |user: &User, issuer: &Authority| {
        let certificate = issuer.issue_file(folder.path(), &user.name, "phone.example", Lifetime::Valid);
        over_tls(BaresipConfig::ringing(folder.path(), user, address), &trusted, Some(&certificate)).start()
    };
    let logged = || std::fs::read_to_string(&log).unwrap();
    let eves = shows(&eve, &stranger);
    wait_until("the certificate should be refused", PATIENCE, || {
        let why = "the certificate of the peer is not accepted: nobody who is believed here has issued it";
        logged().contains(why).then_some(())
    });
    let mut alices = shows(&alice, &authority);
    alices.wait_registered();
    let log = logged();
    assert!(log.contains("aor=sip:100@") && !log.contains("aor=sip:101@"), "{log}");
    drop(eves);
    alices.quit();
    server.terminate();
}
