//! A phone that only registers, and is quick about it: one socket, one request after another, digest as the server wants it.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use blether_sip_core::digest::{Credentials, DigestRequest, Secret};
use blether_sip_core::{
    Authorization, Contact, Expires, Limits, Message, Method, NameAddr, Request, Response, StatusCode, Uri, Via,
    WwwAuthenticate,
};
use bytes::Bytes;

use crate::peers::PATIENCE;

/// Timer T1: when a request that is not answered is sent again (RFC 3261 §17.1.2.1).
const T1: Duration = Duration::from_millis(500);

/// Phones that work at the same time, one user after another.
pub(crate) const PHONES: usize = 16;

pub(crate) struct Light {
    socket: UdpSocket,
    server: SocketAddr,
    password: &'static str,
    count: u32,
    /// Nobody waits any more: the server was killed, or the test has seen enough. What has not come by now counts as never sent.
    pub(crate) gone: Arc<AtomicBool>,
}

impl Light {
    pub(crate) fn new(server: SocketAddr, password: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // A server that is gone is one that does not answer: its closed port is no error that is looked at.
        socket.set_read_timeout(Some(T1)).unwrap();
        Self { socket, server, password, count: 0, gone: Arc::default() }
    }

    /// The contact that [`Self::register`] registers.
    pub(crate) fn contact(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.socket.local_addr().unwrap())
    }

    /// Registers `user` for an hour; the contacts that the 200 lists. `None` when no answer comes within `patience`.
    pub(crate) fn register(&mut self, user: &str, patience: Duration) -> Option<Vec<String>> {
        let contact = self.contact(user);
        self.transact(user, Some(&contact), patience)
    }

    /// Asks where `user` is registered (RFC 3261 §10.2.3).
    pub(crate) fn fetch(&mut self, user: &str, patience: Duration) -> Option<Vec<String>> {
        self.transact(user, None, patience)
    }

    fn transact(&mut self, user: &str, contact: Option<&str>, patience: Duration) -> Option<Vec<String>> {
        let deadline = Instant::now().checked_add(patience);
        let challenged = self.ask(deadline, |phone| phone.request(user, contact))?;
        assert_eq!(challenged.status().code(), 401, "{user}");
        let challenge = challenged.headers().all::<WwwAuthenticate>().unwrap().remove(0).0;
        let response = self.ask(deadline, |phone| {
            let mut request = phone.request(user, contact);
            let uri = request.uri().to_string();
            let asked = DigestRequest { method: &Method::Register, uri: &uri, cnonce: "light", nc: 1, body: b"" };
            let answer = Credentials::answer(&challenge, user, &Secret::password(phone.password), &asked).unwrap();
            request.headers_mut().push(Authorization(answer));
            request
        })?;
        assert_eq!(response.status().code(), 200, "{user}");
        let contacts = response.headers().all::<Contact>().unwrap().into_iter();
        Some(
            contacts
                .filter_map(|contact| match contact {
                    Contact::Address(address) => Some(address.uri.to_string()),
                    Contact::Star => None,
                })
                .collect(),
        )
    }

    fn request(&self, user: &str, contact: Option<&str>) -> Request {
        let local = self.socket.local_addr().unwrap();
        let number = self.count + 1;
        let aor: Uri = format!("sip:{user}@{}", self.server).parse().unwrap();
        let via = Via::new("UDP", local.ip().into(), Some(local.port()), &format!("z9hG4bK{number}"));
        let request = Request::builder(Method::Register, format!("sip:{}", self.server).parse::<Uri>().unwrap())
            .via(via)
            .from(NameAddr::new(aor.clone()).with_tag("light"))
            .to(NameAddr::new(aor))
            .call_id(&format!("{user}-{}", local.port()))
            .cseq(number)
            .max_forwards(70);
        match contact {
            Some(contact) => {
                request.header(Contact::Address(NameAddr::new(contact.parse::<Uri>().unwrap()))).header(Expires(3_600))
            }
            None => request,
        }
        .build()
        .unwrap()
    }

    /// The answer to a request, which is sent again until it comes, and anew when a server that is behind refuses it.
    fn ask(&mut self, deadline: Option<Instant>, make: impl Fn(&Self) -> Request) -> Option<Response> {
        let mut buffer = [0; 65_535];
        let mut request = make(self);
        loop {
            // What is refused because the server is gone is as lost as what is lost on the way.
            let _ = self.socket.send_to(&request.to_bytes(), self.server);
            while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
                match Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default()).unwrap() {
                    Message::Response(response)
                        if response.call_id() == request.call_id() && response.cseq() == request.cseq() =>
                    {
                        self.count += 1;
                        if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                            return Some(response);
                        }
                        request = make(self);
                    }
                    _ => {}
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) || self.gone.load(Ordering::Acquire) {
                return None;
            }
        }
    }
}

/// What [`PHONES`] phones are told together, each about its share of the users.
fn by_many<T: Send>(
    server: SocketAddr,
    password: &'static str,
    users: &[impl AsRef<str> + Sync],
    ask: impl Fn(&mut Light, &str) -> T + Sync,
) -> BTreeMap<String, T> {
    thread::scope(|scope| {
        let ask = &ask;
        let phones: Vec<_> = (0..PHONES)
            .map(|phone| {
                scope.spawn(move || {
                    let mut light = Light::new(server, password);
                    let mine = users.iter().skip(phone).step_by(PHONES).map(AsRef::as_ref);
                    mine.map(|user| (user.to_owned(), ask(&mut light, user))).collect::<Vec<_>>()
                })
            })
            .collect();
        phones.into_iter().flat_map(|phone| phone.join().unwrap()).collect()
    })
}

/// Registers all these users, who are all answered; the contact of each.
pub(crate) fn register_all(
    server: SocketAddr,
    password: &'static str,
    users: &[impl AsRef<str> + Sync],
) -> BTreeMap<String, String> {
    by_many(server, password, users, |light, user| {
        let contact = light.contact(user);
        let contacts = light.register(user, PATIENCE).unwrap();
        assert!(contacts.contains(&contact), "{contacts:?}");
        contact
    })
}

/// Where each of these users is registered.
pub(crate) fn fetch_all(
    server: SocketAddr,
    password: &'static str,
    users: &[impl AsRef<str> + Sync],
) -> BTreeMap<String, Vec<String>> {
    by_many(server, password, users, |light, user| light.fetch(user, PATIENCE).unwrap())
}
