//! Endpoints with several shards and TCP, on loopback: calls whose messages come by whatever socket or connection.
#![cfg(feature = "media")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallError, CallEvent, Dial, Endpoint, EndpointConfig, Responder,
};
use blether_session_core::{MediaCapabilities, NextHop};
use blether_sip_core::{Contact, Limits, Message, Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::{ConnectionLimits, Flow, Transport};
use blether_transaction_core::{Direction, WireTap};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);

/// Answers every call with an echo; calls on to `onward` where there is one, and serves OPTIONS and MESSAGE.
#[derive(Clone)]
struct App {
    onward: Arc<Mutex<Option<Dial>>>,
}

impl Application for App {
    fn on_invite(&self, _now: Instant, _invite: &Request, _flow: Flow) -> Admission {
        let onward = self.onward.lock().unwrap().clone();
        Admission::accept(move |call| serve(call, onward))
    }

    fn on_request(&self, _now: Instant, request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        match request.method() {
            Method::Message => Answer::now(Response::to_request(request, StatusCode::OK).build()),
            _ => Answer::NotServed,
        }
    }
}

async fn serve(mut call: Call, onward: Option<Dial>) -> Result<(), CallError> {
    if let Some(dial) = onward {
        let leg = call.dial(dial).await?;
        loop {
            match call.event().await.ok_or(CallError::Ended)? {
                CallEvent::Answered { leg: answered, .. } if answered == leg => break,
                CallEvent::Refused { status, .. } => return Err(CallError::Refused(status)),
                _ => {}
            }
        }
    }
    let media = call.offered_media()?;
    call.answer(&media, |_| Box::new(blether_media_core::EchoLeg::new(rand::make_rng()))).await?;
    call.ended().await;
    Ok(())
}

/// What an endpoint saw on the wire.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<(Direction, Flow, String)>>>);

impl Wire {
    fn tap(&self) -> WireTap {
        let seen = self.0.clone();
        WireTap::new(move |message| {
            let text = String::from_utf8_lossy(message.bytes).into_owned();
            seen.lock().unwrap().push((message.direction, message.flow, text));
        })
    }

    /// The flows of the messages that begin so.
    fn flows(&self, way: Direction, start: &str) -> Vec<Flow> {
        let seen = self.0.lock().unwrap();
        let wanted = seen.iter().filter(|(direction, _, text)| *direction == way && text.starts_with(start));
        wanted.map(|(_, flow, _)| *flow).collect()
    }

    /// How many calls were acknowledged.
    fn acknowledged(&self) -> usize {
        let seen = self.0.lock().unwrap();
        let call_id = |text: &str| text.lines().find(|line| line.starts_with("Call-ID:")).map(str::to_owned);
        let acks = seen.iter().filter(|(way, _, text)| *way == Direction::Received && text.starts_with("ACK "));
        acks.filter_map(|(_, _, text)| call_id(text)).collect::<std::collections::BTreeSet<_>>().len()
    }
}

async fn endpoint(shards: usize, wire: &Wire) -> (Endpoint, App) {
    endpoint_on("127.0.0.1:0", shards, wire).await
}

async fn endpoint_on(listen: &str, shards: usize, wire: &Wire) -> (Endpoint, App) {
    let app = App { onward: Arc::default() };
    let config = EndpointConfig {
        listen: listen.parse().unwrap(),
        shards,
        tcp: Some(ConnectionLimits::default()),
        media_ports: PortRange::system_chosen(),
        tap: Some(wire.tap()),
        ..EndpointConfig::default()
    };
    (Endpoint::start(config, Arc::new(app.clone())).await.unwrap(), app)
}

fn dial(from: &Endpoint, to: SocketAddr, transport: Transport) -> Dial {
    let uri: Uri = format!("sip:bob@{to};transport={transport}").parse().unwrap();
    Dial {
        request_uri: uri.clone(),
        from: NameAddr::new(format!("sip:alice@{}", from.local_addr()).parse::<Uri>().unwrap()),
        to: NameAddr::new(uri),
        route: Vec::new(),
        flow: from.flow_over(transport, to).unwrap(),
        targets: Vec::new(),
        next_hop: NextHop::Flow,
        credentials: None,
        ring_timeout: None,
        max_forwards: 70,
        media: MediaCapabilities::g711(),
    }
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

async fn until(call: &mut Call, what: &str, mut wanted: impl FnMut(&CallEvent) -> bool) -> CallEvent {
    in_time(what, async {
        loop {
            let event = call.event().await.unwrap_or_else(|| panic!("the call ended before {what}"));
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}

async fn call(from: &Endpoint, to: SocketAddr, transport: Transport) -> Call {
    let mut call = from.new_call().unwrap();
    call.dial(dial(from, to, transport)).await.unwrap();
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;
    call
}

async fn hang_up(mut call: Call) {
    call.hang_up().await;
    until(&mut call, "the end", |event| matches!(event, CallEvent::Ended { .. })).await;
}

async fn nothing_left(endpoint: &Endpoint) {
    in_time("the last call to go", endpoint.idle()).await;
    let counts = endpoint.counts().await.unwrap();
    assert_eq!((counts.calls, counts.media_ports), (0, 0));
}

async fn calls_begin_and_end(listen: &str) {
    let wire = Wire::default();
    let ((phone, _), (server, _)) =
        (endpoint_on(listen, 2, &Wire::default()).await, endpoint_on(listen, 3, &wire).await);
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut calls = Vec::new();
        for _ in 0..8 {
            calls.push(call(&phone, server.local_addr(), transport).await);
        }
        assert_eq!((phone.counts().await.unwrap().calls, server.counts().await.unwrap().calls), (8, 8));
        for call in calls {
            hang_up(call).await;
        }
        nothing_left(&phone).await;
        nothing_left(&server).await;
    }
    let byes = wire.flows(Direction::Received, "BYE ");
    assert_eq!(byes.iter().filter(|flow| flow.transport == Transport::Tcp).count(), 8);
    assert_eq!(server.counts().await.unwrap().connections, 1, "one connection serves all calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_through_several_shards_begin_and_end_over_udp_and_tcp() {
    calls_begin_and_end("127.0.0.1:0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_through_several_shards_begin_and_end_over_ipv6() {
    calls_begin_and_end("[::1]:0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_legs_of_a_call_have_one_owner_and_end_together() {
    let nobody = Wire::default();
    let ((phone, _), (callee, _)) = (endpoint(1, &nobody).await, endpoint(1, &nobody).await);
    let (server, app) = endpoint(4, &nobody).await;
    *app.onward.lock().unwrap() = Some(dial(&server, callee.local_addr(), Transport::Udp));
    for _ in 0..8 {
        // The answer of the callee comes by a socket of the kernel's choosing, and reaches the call wherever that lives.
        let call = call(&phone, server.local_addr(), Transport::Udp).await;
        hang_up(call).await;
        nothing_left(&server).await;
        nothing_left(&callee).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_outside_of_a_call_is_answered_whichever_shard_owns_it() {
    let nobody = Wire::default();
    let ((phone, _), (server, _)) = (endpoint(4, &nobody).await, endpoint(4, &nobody).await);
    for (number, transport) in (0..20).zip([Transport::Udp, Transport::Tcp].into_iter().cycle()) {
        let uri: Uri = format!("sip:bob@{}", server.local_addr()).parse().unwrap();
        let message = Request::builder(Method::Message, uri.clone())
            .from(NameAddr::new(uri.clone()).with_tag("f"))
            .to(NameAddr::new(uri))
            .call_id(&format!("message-{number}"))
            .cseq(1)
            .max_forwards(70)
            .build()
            .unwrap();
        let flow = phone.flow_over(transport, server.local_addr()).unwrap();
        let response = in_time("the response", phone.request(message, flow)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// Passes connections on until it is told to break them.
struct Middle {
    address: SocketAddr,
    links: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Middle {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, links) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let made = links.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                made.lock().unwrap().push(tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    // However it ends, both go.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }));
            }
        });
        Self { address, links }
    }

    fn break_links(&self) {
        self.links.lock().unwrap().drain(..).for_each(|link| link.abort());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_survives_the_death_of_its_connection_whichever_side_hangs_up() {
    let wire = Wire::default();
    let ((phone, _), (server, _)) = (endpoint(2, &Wire::default()).await, endpoint(2, &wire).await);
    let middle = Middle::before(server.local_addr()).await;
    // Once the server has the ACK of so many calls: a 200 that it had to send again would go straight to the phone, by a connection that
    // does not lead through the middle.
    let gone = async |calls: usize| {
        in_time("the ACK", async {
            while wire.acknowledged() < calls {
                tokio::task::yield_now().await;
            }
        })
        .await;
        middle.break_links();
        in_time("both sides to notice", async {
            for endpoint in [&phone, &server] {
                while endpoint.counts().await.unwrap().connections > 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
    };
    // The phone hangs up: by a connection that it opens for that.
    let from_phone = call(&phone, middle.address, Transport::Tcp).await;
    gone(1).await;
    hang_up(from_phone).await;
    nothing_left(&phone).await;
    nothing_left(&server).await;

    // The server hangs up: it goes to where the phone listens, as its Contact says.
    let mut from_server = call(&phone, middle.address, Transport::Tcp).await;
    gone(2).await;
    server.shut_down(PATIENCE).await;
    until(&mut from_server, "the BYE", |event| matches!(event, CallEvent::Ended { .. })).await;
    nothing_left(&phone).await;
}

/// Reads one request from a stream.
async fn read_request(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    in_time("a request", async {
        loop {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "closed");
            // Until the body is whole, its length is wrong.
            if let Ok(Message::Request(request)) = Message::parse(bytes.clone().into(), &Limits::default()) {
                return request;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_was_called_by_a_connection_that_is_gone_is_hung_up_by_another() {
    let (server, _) = endpoint(2, &Wire::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut call = server.new_call().unwrap();
    call.dial(dial(&server, address, Transport::Tcp)).await.unwrap();
    let (mut stream, _) = in_time("the connection", listener.accept()).await.unwrap();
    let invite = read_request(&mut stream).await;
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    let contact: Uri = format!("sip:bob@{address};transport=tcp").parse().unwrap();
    let answer = Response::to_request(&invite, StatusCode::OK).to_tag("phone");
    let answer = answer.header(Contact::Address(NameAddr::new(contact))).body("application/sdp", sdp.into()).build();
    stream.write_all(&answer.to_bytes()).await.unwrap();
    assert_eq!(*read_request(&mut stream).await.method(), Method::Ack);
    until(&mut call, "the answer", |event| matches!(event, CallEvent::Answered { .. })).await;

    drop(stream);
    in_time("the server to notice", async {
        while server.counts().await.unwrap().connections > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    call.hang_up().await;
    let (mut stream, _) = in_time("another connection", listener.accept()).await.unwrap();
    let bye = read_request(&mut stream).await;
    assert_eq!((bye.method(), bye.to().tag()), (&Method::Bye, Some("phone")));
    stream.write_all(&Response::to_request(&bye, StatusCode::OK).build().to_bytes()).await.unwrap();
    until(&mut call, "the end", |event| matches!(event, CallEvent::Ended { .. })).await;
    nothing_left(&server).await;
}
