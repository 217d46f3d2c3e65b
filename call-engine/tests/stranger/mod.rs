//! A server, and a socket that sends it what it likes.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::{Engine, EngineBuilder};
use blether_rtp_core::PortRange;
use blether_sip_core::digest::{Credentials, DigestRequest, Secret};
use blether_sip_core::{
    Authorization, Contact, Expires, Limits, Message, Method, NameAddr, Request, Response, StatusCode, Uri, Via,
    WwwAuthenticate,
};
use bytes::Bytes;

/// How long an answer may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(|engine| engine)
    }

    pub(crate) fn start_with(extend: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = Config {
            listen: Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Listen::default() },
            accounts: vec![
                AccountConfig::new("alice", "wonderland".to_owned()),
                AccountConfig::new("bob", "builder-1".to_owned()),
            ],
            ..Config::default()
        };
        let engine = Engine::builder(config).media_ports(PortRange::system_chosen());
        let engine = runtime.block_on(extend(engine).start()).unwrap();
        Self { engine, runtime }
    }

    pub(crate) fn contacts(&self, user: &str) -> usize {
        let handle = self.engine.handle();
        handle.location().bindings(&handle.extension(user).unwrap(), std::time::Instant::now()).len()
    }
}

/// A socket that sends what it likes.
pub(crate) struct Stranger {
    pub(crate) socket: UdpSocket,
    pub(crate) server: SocketAddr,
    count: u32,
}

impl Stranger {
    pub(crate) fn of(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, server: server.engine.local_addr(), count: 0 }
    }

    pub(crate) fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.server).unwrap();
    }

    /// The next response; it must come.
    pub(crate) fn response(&self) -> Response {
        let mut buffer = [0; 65_535];
        let (length, _) = self.socket.recv_from(&mut buffer).expect("an answer");
        match Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default()).unwrap() {
            Message::Response(response) => response,
            Message::Request(request) => panic!("a request: {}", request.method()),
        }
    }

    /// The first line of what the server says to these bytes.
    pub(crate) fn status_line(&self, datagram: &[u8]) -> String {
        self.send(datagram);
        let mut buffer = [0; 65_535];
        let (length, _) = self.socket.recv_from(&mut buffer).expect("an answer");
        String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap().to_owned()
    }

    /// What the server says to these bytes.
    pub(crate) fn ask(&self, datagram: &[u8]) -> Response {
        self.send(datagram);
        self.response()
    }

    /// What the server says to a request that is sent again until it is answered, as UDP wants it (RFC 3261 §17.1.2): the system drops what
    /// comes faster than a busy machine can take it. A server that is behind answers 503: then it is asked anew, by another branch.
    pub(crate) fn ask_until_answered(&self, first: &Request) -> Response {
        let (mut request, mut tries) = (first.clone(), 0);
        let deadline = Instant::now() + PATIENCE;
        self.socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut buffer = [0; 65_535];
        loop {
            self.send(&request.to_bytes());
            while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
                let message = Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default());
                match message {
                    Ok(Message::Response(response)) if response.via().branch() != request.via().branch() => {}
                    Ok(Message::Response(response)) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                        tries += 1;
                        let via = first.via();
                        let branch = format!("{}-{tries}", via.branch().unwrap());
                        request.set_top_via(Via::new("UDP", via.host.clone(), via.port, &branch));
                    }
                    Ok(Message::Response(response)) => {
                        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
                        return response;
                    }
                    _ => {}
                }
            }
            assert!(Instant::now() < deadline, "no answer to {} in {PATIENCE:?}", request.method());
        }
    }

    /// Sends, and then an OPTIONS: the first answer that comes is that to the OPTIONS, so there was none before.
    pub(crate) fn assert_unanswered(&mut self, datagram: &[u8]) {
        self.send(datagram);
        let options = self.request(Method::Options, "bob");
        let response = self.ask(&options.to_bytes());
        assert_eq!(response.call_id(), options.call_id(), "something answered {}", String::from_utf8_lossy(datagram));
    }

    pub(crate) fn request(&mut self, method: Method, user: &str) -> Request {
        self.count += 1;
        let local = self.socket.local_addr().unwrap();
        let uri: Uri = match method {
            Method::Register => format!("sip:{}", self.server).parse().unwrap(),
            _ => format!("sip:{user}@{}", self.server).parse().unwrap(),
        };
        let aor: Uri = format!("sip:{user}@{}", self.server).parse().unwrap();
        let via = Via::new("UDP", local.ip().into(), Some(local.port()), &format!("z9hG4bK{}", self.count));
        Request::builder(method, uri)
            .via(via)
            .from(NameAddr::new(aor.clone()).with_tag("stranger"))
            .to(NameAddr::new(aor))
            .call_id(&format!("{}-{}", local.port(), self.count))
            .cseq(self.count)
            .max_forwards(70)
            .header(Contact::Address(NameAddr::new(format!("sip:{user}@{local}").parse::<Uri>().unwrap())))
            .header(Expires(600))
            .build()
            .unwrap()
    }

    /// A challenge of the server's, of its strongest algorithm.
    pub(crate) fn challenge(&mut self) -> WwwAuthenticate {
        let register = self.request(Method::Register, "alice");
        let response = self.ask_until_answered(&register);
        assert_eq!(response.status().code(), 401);
        response.headers().all::<WwwAuthenticate>().unwrap().remove(0)
    }

    /// A REGISTER for `aor` with `user`'s answer to `challenge`.
    pub(crate) fn register(
        &mut self,
        aor: &str,
        user: &str,
        password: &str,
        challenge: &WwwAuthenticate,
        nc: u32,
    ) -> Request {
        let mut register = self.request(Method::Register, aor);
        let uri = register.uri().to_string();
        let asked = DigestRequest { method: &Method::Register, uri: &uri, cnonce: "stranger", nc, body: b"" };
        let answer = Credentials::answer(&challenge.0, user, &Secret::password(password), &asked).unwrap();
        register.headers_mut().push(Authorization(answer));
        register
    }

    pub(crate) fn assert_can_register(&mut self) {
        let challenge = self.challenge();
        let register = self.register("alice", "alice", "wonderland", &challenge, 1);
        assert_eq!(self.ask_until_answered(&register).status().code(), 200);
    }
}
