//! The adversary: says what a test has it say, when the test has it say so, and nothing by itself.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use blether_session_core::actor::Endpoint;
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{
    ByteStr, Contact, Host, Limits, Message, Method, NameAddr, Request, RequestBuilder, Response, SipUri, StatusCode,
    Uri, Via,
};
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::endpoint::PATIENCE;

/// A description of one G.711 stream on `port`, with the attribute lines of `more`.
pub(crate) fn sdp(port: u16, version: u32, more: &str) -> Bytes {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n{more}"
    )
    .into()
}

/// The description in a response.
pub(crate) fn described(response: &Response) -> SessionDescription {
    SessionDescription::parse(response.body()).unwrap()
}

/// A name that no other test of this program has.
fn fresh(prefix: &str) -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}", LAST.fetch_add(1, Ordering::Relaxed))
}

/// One side of a dialog, as far as the adversary cares.
pub(crate) struct Dialog {
    call_id: ByteStr,
    local: NameAddr,
    remote: NameAddr,
    target: Uri,
    /// Of the request that was built last.
    pub(crate) cseq: u32,
}

impl Dialog {
    /// The dialog that `response` to our `invite` makes.
    pub(crate) fn of_caller(invite: &Request, response: &Response) -> Self {
        Self {
            call_id: invite.call_id().clone(),
            local: invite.from().clone(),
            remote: response.to().clone(),
            target: contact_of(&response.clone().into()),
            cseq: invite.cseq().number,
        }
    }

    /// The dialog that our `response` makes of the endpoint's `invite`.
    pub(crate) fn of_callee(invite: &Request, response: &Response) -> Self {
        Self {
            call_id: invite.call_id().clone(),
            local: response.to().clone(),
            remote: invite.from().clone(),
            target: contact_of(&invite.clone().into()),
            cseq: 100,
        }
    }
}

fn contact_of(message: &Message) -> Uri {
    let contact = message.headers().get::<Contact>().unwrap().unwrap();
    contact.address().unwrap().uri.clone()
}

pub(crate) struct Adversary {
    socket: UdpSocket,
    endpoint: SocketAddr,
    /// What came while something else was waited for.
    heard: VecDeque<Message>,
}

impl Adversary {
    pub(crate) async fn facing(endpoint: &Endpoint) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self { socket, endpoint: endpoint.local_addr(), heard: VecDeque::new() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn contact(&self) -> NameAddr {
        NameAddr::new(SipUri::new(Some("adversary"), Host::from(self.address().ip()), Some(self.address().port())))
    }

    /// A Via that names this socket, with a branch of its own.
    fn via(&self) -> Via {
        Via::new("UDP", Host::from(self.address().ip()), Some(self.address().port()), &fresh("z9hG4bK"))
    }

    pub(crate) async fn say(&self, message: impl Into<Message>) {
        self.socket.send_to(&message.into().to_bytes(), self.endpoint).await.unwrap();
    }

    /// Says all of these without a pause.
    pub(crate) async fn say_all(&self, messages: impl IntoIterator<Item = Message>) {
        let datagrams: Vec<_> = messages.into_iter().map(|message| message.to_bytes()).collect();
        for datagram in datagrams {
            self.socket.send_to(&datagram, self.endpoint).await.unwrap();
        }
    }

    /// Waits for a message of which `wanted` makes something, be it one that came before; what else comes is kept.
    pub(crate) async fn hear<T>(&mut self, what: &str, wanted: impl Fn(&Message) -> Option<T>) -> T {
        if let Some((at, found)) = self.heard.iter().enumerate().find_map(|(at, message)| Some((at, wanted(message)?)))
        {
            self.heard.remove(at);
            return found;
        }
        let waited = timeout(PATIENCE, async {
            let mut buffer = vec![0; 65_535];
            loop {
                let (length, _) = self.socket.recv_from(&mut buffer).await.unwrap();
                let message = Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default()).unwrap();
                match wanted(&message) {
                    Some(found) => return found,
                    None => self.heard.push_back(message),
                }
            }
        })
        .await;
        waited.unwrap_or_else(|_| {
            let heard: Vec<_> = self.heard.iter().map(ToString::to_string).collect();
            panic!("waited {PATIENCE:?} in vain for {what}; heard:\n{}", heard.join("\n"))
        })
    }

    pub(crate) async fn hear_request(&mut self, method: Method) -> Request {
        self.hear(method.as_str(), |message| match message {
            Message::Request(request) if *request.method() == method => Some(request.clone()),
            _ => None,
        })
        .await
    }

    async fn hear_response(&mut self, request: &Request, wanted: impl Fn(StatusCode) -> bool) -> Response {
        self.hear(&format!("a response to {} {}", request.cseq().number, request.method()), |message| match message {
            Message::Response(response)
                if response.via().branch() == request.via().branch()
                    && response.cseq() == request.cseq()
                    && wanted(response.status()) =>
            {
                Some(response.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits for a response with this very status, passing over all others.
    pub(crate) async fn hear_status(&mut self, request: &Request, status: StatusCode) -> Response {
        self.hear_response(request, |came| came == status).await
    }

    pub(crate) async fn hear_final(&mut self, request: &Request) -> Response {
        self.hear_response(request, StatusCode::is_final).await
    }

    /// Says `request` and waits for its final response.
    pub(crate) async fn ask(&mut self, request: Request) -> Response {
        self.say(request.clone()).await;
        self.hear_final(&request).await
    }

    /// Whether a request of this method came that nobody has waited for, up to a request that is answered meanwhile.
    pub(crate) async fn has_heard(&mut self, method: Method) -> bool {
        let fence = self.request(Method::Options).build().unwrap();
        self.ask(fence).await;
        self.heard.iter().any(|message| matches!(message, Message::Request(request) if *request.method() == method))
    }

    /// Whether a final response to this request has come while something else was waited for.
    pub(crate) fn has_heard_answer(&self, request: &Request) -> bool {
        self.heard.iter().any(|message| match message {
            Message::Response(response) => {
                response.via().branch() == request.via().branch() && response.status().is_final()
            }
            Message::Request(_) => false,
        })
    }

    /// A request outside of any dialog.
    pub(crate) fn request(&self, method: Method) -> RequestBuilder {
        let to: Uri = format!("sip:bob@{}", self.endpoint).parse().unwrap();
        Request::builder(method, to.clone())
            .via(self.via())
            .from(self.contact().with_tag(&fresh("tag")))
            .to(NameAddr::new(to))
            .call_id(&fresh("call"))
            .cseq(1)
            .header(Contact::Address(self.contact()))
    }

    /// An INVITE that offers a stream on `port`.
    pub(crate) fn invite(&self, port: u16) -> Request {
        self.request(Method::Invite).body("application/sdp", sdp(port, 1, "")).build().unwrap()
    }

    /// The CANCEL of an INVITE of ours (RFC 3261 §9.1).
    pub(crate) fn cancel(&self, invite: &Request) -> Request {
        Request::builder(Method::Cancel, invite.uri().clone())
            .via(invite.via().clone())
            .from(invite.from().clone())
            .to(invite.to().clone())
            .call_id(invite.call_id())
            .cseq(invite.cseq().number)
            .build()
            .unwrap()
    }

    /// The next request of a dialog.
    pub(crate) fn within(&self, dialog: &mut Dialog, method: Method) -> RequestBuilder {
        if method != Method::Ack {
            dialog.cseq += 1;
        }
        Request::builder(method, dialog.target.clone())
            .via(self.via())
            .from(dialog.local.clone())
            .to(dialog.remote.clone())
            .call_id(&dialog.call_id)
            .cseq(dialog.cseq)
            .header(Contact::Address(self.contact()))
    }

    /// A re-INVITE that offers this description.
    pub(crate) fn reinvite(&self, dialog: &mut Dialog, description: Bytes) -> Request {
        self.within(dialog, Method::Invite).body("application/sdp", description).build().unwrap()
    }

    /// Acknowledges the 2xx to the INVITE that was built last.
    pub(crate) async fn acknowledge(&self, dialog: &mut Dialog) {
        self.say(self.within(dialog, Method::Ack).build().unwrap()).await;
    }

    /// Calls the endpoint, and returns when it has answered and was acknowledged.
    pub(crate) async fn call(&mut self, port: u16) -> (Dialog, Response) {
        let invite = self.invite(port);
        let answer = self.ask(invite.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let mut dialog = Dialog::of_caller(&invite, &answer);
        self.acknowledge(&mut dialog).await;
        (dialog, answer)
    }

    /// A response to an INVITE of the endpoint, from the branch with this tag.
    pub(crate) fn response(&self, invite: &Request, status: StatusCode, tag: &str) -> Response {
        let response = Response::to_request(invite, status).to_tag(tag).header(Contact::Address(self.contact()));
        if status.is_success() {
            response.body("application/sdp", sdp(40_000, 1, "")).build()
        } else {
            response.build()
        }
    }

    /// Answers a request of the endpoint that makes no dialog.
    pub(crate) async fn reply(&self, request: &Request, status: StatusCode) {
        self.say(Response::to_request(request, status).build()).await;
    }

    /// Hangs up, and waits for the 200.
    pub(crate) async fn hang_up(&mut self, dialog: &mut Dialog) {
        let bye = self.within(dialog, Method::Bye).build().unwrap();
        assert_eq!(self.ask(bye).await.status(), StatusCode::OK);
    }
}
