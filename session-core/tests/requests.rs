//! A session against a peer whose every message the test writes: what it answers to, and with what.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_session_core::{
    ClientCredentials, EndCause, InviteSession, NextHop, OutgoingInvite, Refusal, RequestToken, SessionConfig,
    SessionEvent, SessionTransmit,
};
use blether_sip_core::digest::{Algorithm, Credentials, ha1};
use blether_sip_core::{ByteStr, Limits, Message, Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::{ConnectionId, Flow};
use blether_testkit::{SimulatedNetwork, seeds};
use blether_transaction_core::{Event, Failure, ServerTransactionId, Timer, Transactions, TransactionsConfig};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const SDP: &str = "Content-Type: application/sdp\r\n";

fn flow() -> Flow {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Flow::udp(address("192.0.2.1:5060"), address("192.0.2.9:5060"))
}

fn config() -> Arc<SessionConfig> {
    Arc::new(SessionConfig::new("sip:us@192.0.2.1".parse().unwrap()))
}

fn parsed(text: String) -> Request {
    match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

/// A session, and a table that only gives its server transactions their names.
struct Desk {
    session: InviteSession,
    table: Transactions,
    now: Instant,
    branch: u32,
}

/// An INVITE of the peer with these headers more.
fn invite(more: &str, body: &str) -> Request {
    request_text("INVITE", 1, 1, "", &format!("Contact: <sip:peer@192.0.2.9>\r\n{more}"), body)
}

fn request_text(method: &str, cseq: u32, branch: u32, to_tag: &str, more: &str, body: &str) -> Request {
    parsed(format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:peer@example.org>;tag=theirs\r\nTo: <sip:us@example.org>{to_tag}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n\
         {more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Desk {
    fn table() -> (Transactions, Instant) {
        let now = SimulatedNetwork::new(1).now();
        (Transactions::new(TransactionsConfig::default(), StdRng::seed_from_u64(1)), now)
    }

    fn named(table: &mut Transactions, now: Instant, request: &Request) -> (ServerTransactionId, Request) {
        table.handle_datagram(now, flow(), request.to_bytes());
        loop {
            if let Event::Request { id, request, .. } = table.poll_event().unwrap() {
                return (id, request);
            }
        }
    }

    fn called(invite: &Request) -> Result<Self, Refusal> {
        let (mut table, now) = Self::table();
        let (id, invite) = Self::named(&mut table, now, invite);
        let session = InviteSession::incoming(now, config(), id, invite, flow(), ByteStr::from("ours"))?;
        Ok(Self { session, table, now, branch: 1 })
    }

    fn calling(offer: Option<&'static str>, more: impl FnOnce(&mut OutgoingInvite)) -> Self {
        let (table, now) = Self::table();
        let to: Uri = "sip:peer@example.org".parse().unwrap();
        let mut invite = OutgoingInvite {
            request_uri: to.clone(),
            from: "<sip:us@example.org>;tag=ours".parse::<NameAddr>().unwrap(),
            to: NameAddr::new(to),
            call_id: ByteStr::from("c1"),
            route: Vec::new(),
            offer: offer.map(|offer| Bytes::from_static(offer.as_bytes())),
            credentials: Some(ClientCredentials::with_password("us", "secret")),
            flow: flow(),
            next_hop: NextHop::Flow,
            max_forwards: 70,
            extra: Vec::new(),
            timeout: None,
        };
        more(&mut invite);
        let session = InviteSession::outgoing(now, config(), invite, StdRng::seed_from_u64(3));
        Self { session, table, now, branch: 1 }
    }

    /// A session that the peer has called, and that is answered and acknowledged.
    fn established() -> Self {
        let mut desk = Self::called(&invite(SDP, "offer")).unwrap();
        desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
        desk.acknowledge(1, "");
        desk.transmits();
        desk.events();
        desk
    }

    /// The same, and the peer was last heard by a TCP connection.
    fn established_by_tcp() -> Self {
        let mut desk = Self::established();
        let options = request_text("OPTIONS", 2, 800, ";tag=ours", "", "");
        let (id, options) = Self::named(&mut desk.table, desk.now, &options);
        let connection = Some(ConnectionId::new(7));
        let flow = Flow { connection, ..Flow::tcp(flow().local, "192.0.2.9:40001".parse().unwrap()) };
        desk.session.handle_request(desk.now, id, options, flow);
        desk.transmits();
        desk
    }

    fn cannot_send(&mut self, token: RequestToken, kind: ErrorKind) {
        self.session.handle_failure(self.now, token, Failure::Transport(kind));
    }

    fn acknowledge(&mut self, cseq: u32, body: &str) {
        let more = if body.is_empty() { "" } else { SDP };
        let ack = request_text("ACK", cseq, 900 + cseq, ";tag=ours", more, body);
        self.session.handle_ack(self.now, ack);
    }

    /// The peer asks, and this is the answer, if there is one at once.
    fn ask(&mut self, method: &str, cseq: u32, more: &str, body: &str) -> Option<Response> {
        self.branch += 1;
        let request = request_text(method, cseq, self.branch, ";tag=ours", more, body);
        let (id, request) = Self::named(&mut self.table, self.now, &request);
        self.session.handle_request(self.now, id, request, flow());
        self.transmits().into_iter().find_map(|transmit| match transmit {
            SessionTransmit::Respond { transaction, response } if transaction == id => Some(response),
            _ => None,
        })
    }

    fn status_of(&mut self, method: &str, cseq: u32, more: &str, body: &str) -> u16 {
        self.ask(method, cseq, more, body).unwrap().status().code()
    }

    fn transmits(&mut self) -> Vec<SessionTransmit> {
        std::iter::from_fn(|| self.session.poll_transmit()).collect()
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// The request that the session sends.
    fn sent(&mut self) -> (RequestToken, Request) {
        self.transmits()
            .into_iter()
            .find_map(|transmit| match transmit {
                SessionTransmit::Request { token, request, .. } => Some((token, request)),
                _ => None,
            })
            .unwrap()
    }

    fn acks(&mut self) -> Vec<Request> {
        self.transmits()
            .into_iter()
            .filter_map(|transmit| match transmit {
                SessionTransmit::Acknowledge { request, .. } => Some(request),
                _ => None,
            })
            .collect()
    }

    fn responds(&mut self, token: RequestToken, response: Response) {
        self.session.handle_response(self.now, token, response, flow());
    }

    fn ended(&mut self) -> String {
        match self.events().pop() {
            Some(SessionEvent::Ended { by, cause }) => format!("{by:?}: {cause}"),
            other => panic!("{other:?}"),
        }
    }
}

fn answer(to: &Request, status: StatusCode, tag: &str, body: &'static str) -> Response {
    let builder = Response::to_request(to, status).to_tag(tag).raw("Contact", "<sip:peer@192.0.2.77>");
    if body.is_empty() {
        builder.build()
    } else {
        builder.body("application/sdp", Bytes::from_static(body.as_bytes())).build()
    }
}

fn refused(request: &Request) -> Response {
    Desk::called(request).err().unwrap().into_response()
}

#[test]
fn an_invite_that_requires_an_extension_is_refused_with_420_and_its_name() {
    let response = refused(&invite("Require: 100rel, timer\r\n", ""));
    assert_eq!(response.status(), StatusCode::BAD_EXTENSION);
    assert_eq!(response.headers().raw(&"Unsupported".parse().unwrap()), Some("100rel, timer"));
    assert_eq!(response.to().tag(), Some("ours"));
}

#[test]
fn an_invite_with_another_body_is_refused_with_415_and_what_is_accepted() {
    let response = refused(&invite("Content-Type: text/plain\r\n", "hello"));
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(response.headers().raw(&"Accept".parse().unwrap()), Some("application/sdp"));
}

#[test]
fn an_invite_without_contact_is_refused_with_400_and_the_reason() {
    let response = refused(&request_text("INVITE", 1, 1, "", "", ""));
    assert_eq!(
        (response.status(), response.reason()),
        (StatusCode::BAD_REQUEST, "Contact with one address is missing")
    );
}

#[test]
fn an_invite_for_a_dialog_that_is_not_ours_is_refused_with_481() {
    let request = request_text("INVITE", 1, 1, ";tag=lost", "Contact: <sip:peer@192.0.2.9>\r\n", "");
    assert_eq!(refused(&request).status(), StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
}

#[test]
fn an_invite_expires_before_it_is_answered() {
    let mut desk = Desk::called(&invite("Expires: 15\r\n", "")).unwrap();
    let at = desk.session.poll_timeout().unwrap();
    assert_eq!(at - desk.now, Duration::from_secs(15));
    desk.session.handle_timeout(at);
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::REQUEST_TERMINATED));
    assert_eq!(desk.ended(), "Remote: no answer");
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn what_a_2xx_wants_is_remembered_until_none_can_come_any_more() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, invite) = desk.sent();
    let ok = answer(&invite, StatusCode::OK, "theirs", "answer");
    for time in ["first", "again"] {
        desk.responds(token, ok.clone());
        assert_eq!(desk.acks().len(), 1, "{time}");
    }
    desk.session.handle_transaction_over(token);
    desk.responds(token, ok);
    desk.responds(token, answer(&invite, StatusCode::OK, "of another branch", "answer"));
    assert!(desk.transmits().is_empty());
    // It is still known that the Call-ID is ours: whose it is waits for longer after a collision (RFC 3261 §14.1).
    desk.session.offer(desk.now, Bytes::from_static(b"hold")).unwrap();
    let (token, offer) = desk.sent();
    desk.responds(token, answer(&offer, StatusCode::REQUEST_PENDING, "theirs", ""));
    let wait = desk.session.poll_timeout().unwrap() - desk.now;
    assert!((2_100..=4_000).contains(&wait.as_millis()), "{wait:?}");
}

#[test]
fn a_refusal_carries_the_headers_that_it_is_given_but_none_of_the_dialog() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    let retry = ("Retry-After".parse().unwrap(), ByteStr::from("120"));
    let forged = ("Call-ID".parse().unwrap(), ByteStr::from("other"));
    desk.session.reject_with(desk.now, StatusCode::BUSY_HERE, &[retry, forged]);
    let transmits = desk.transmits();
    let [SessionTransmit::Respond { response, .. }] = &transmits[..] else { panic!("{transmits:?}") };
    assert_eq!(response.headers().raw(&"Retry-After".parse().unwrap()), Some("120"));
    assert_eq!(&**response.call_id(), "c1");
}

#[test]
fn a_status_that_refuses_nothing_is_not_sent_as_a_refusal() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    desk.session.reject(desk.now, StatusCode::OK);
    assert_eq!(desk.ended(), "Local: refused with 500 Server Internal Error");
}

#[test]
fn a_caller_that_hangs_up_an_early_dialog_gets_200_for_the_bye_and_487_for_the_invite() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    desk.session.ring(desk.now);
    desk.transmits();
    desk.branch += 1;
    let (id, bye) = Desk::named(&mut desk.table, desk.now, &request_text("BYE", 2, desk.branch, ";tag=ours", "", ""));
    desk.session.handle_request(desk.now, id, bye, flow());
    let statuses: Vec<u16> = desk
        .transmits()
        .iter()
        .map(|transmit| match transmit {
            SessionTransmit::Respond { response, .. } => response.status().code(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(statuses, [200, 487]);
    assert_eq!(desk.ended(), "Remote: cancelled");
}

#[test]
fn a_second_invite_before_the_first_is_answered_is_put_off() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    let response = desk.ask("INVITE", 2, "", "").unwrap();
    assert_eq!(response.status(), StatusCode::SERVER_INTERNAL_ERROR);
    let after: u32 = response.headers().raw(&"Retry-After".parse().unwrap()).unwrap().parse().unwrap();
    assert!(after <= 10);
}

#[test]
fn an_update_before_the_answer_refreshes_the_target_or_is_put_off() {
    let mut desk = Desk::called(&invite(SDP, "offer")).unwrap();
    assert_eq!(desk.status_of("UPDATE", 2, "Contact: <sip:moved@192.0.2.9>\r\n", ""), 200);
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "another offer"), 500);
}

#[test]
fn a_request_that_is_out_of_order_is_refused_with_500() {
    let mut desk = Desk::established();
    assert_eq!(desk.status_of("INFO", 7, "", ""), 200);
    assert_eq!(desk.status_of("INFO", 6, "", ""), 500);
    assert_eq!(desk.status_of("INFO", 8, "", ""), 200);
}

#[test]
fn requests_that_are_not_for_a_session_name_what_is_allowed() {
    let mut desk = Desk::established();
    for (cseq, method, code) in [(2, "REFER", 405), (3, "MESSAGE", 405), (4, "NONSENSE", 501)] {
        let response = desk.ask(method, cseq, "", "").unwrap();
        assert_eq!(response.status().code(), code, "{method}");
        let allow = response.headers().raw(&"Allow".parse().unwrap()).unwrap();
        assert_eq!(allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE");
    }
    assert_eq!(desk.status_of("OPTIONS", 5, "", ""), 200);
    assert_eq!(desk.status_of("PRACK", 6, "", ""), 481);
    assert_eq!(desk.status_of("OPTIONS", 7, "Require: foo\r\n", ""), 420);
}

#[test]
fn dtmf_in_info_is_passed_up_and_other_info_is_refused() {
    let mut desk = Desk::established();
    assert_eq!(
        desk.status_of("INFO", 2, "Content-Type: application/DTMF-relay\r\n", "Signal=5\r\nDuration=160\r\n"),
        200
    );
    let events = desk.events();
    let [SessionEvent::Info { content_type, body }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&**content_type, "application/dtmf-relay");
    assert_eq!(&body[..], b"Signal=5\r\nDuration=160\r\n");
    assert_eq!(desk.status_of("INFO", 3, "Content-Type: text/plain\r\n", "hello"), 415);
    assert!(desk.events().is_empty());
}

#[test]
fn dtmf_in_info_that_leads_nowhere_is_refused() {
    let (mut table, now) = Desk::table();
    let (id, invite) = Desk::named(&mut table, now, &invite(SDP, "offer"));
    let config = Arc::new(SessionConfig { takes_info: false, ..(*config()).clone() });
    let session = InviteSession::incoming(now, config, id, invite, flow(), ByteStr::from("ours")).unwrap();
    let mut desk = Desk { session, table, now, branch: 1 };
    desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
    desk.acknowledge(1, "");
    desk.transmits();
    desk.events();
    let response = desk.ask("INFO", 2, "Content-Type: application/dtmf-relay\r\n", "Signal=5").unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(response.headers().raw(&"Accept".parse().unwrap()), Some(""));
    assert!(desk.events().is_empty());
    // Whether the session lives may still be asked so.
    assert_eq!(desk.status_of("INFO", 3, "", ""), 200);
}

#[test]
fn a_request_of_another_dialog_finds_none() {
    let mut desk = Desk::established();
    let text = String::from_utf8(request_text("BYE", 5, 77, ";tag=ours", "", "").to_bytes().to_vec()).unwrap();
    let stranger = parsed(text.replace("tag=theirs", "tag=strange"));
    let (id, stranger) = Desk::named(&mut desk.table, desk.now, &stranger);
    desk.session.handle_request(desk.now, id, stranger, flow());
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST));
    assert!(desk.session.is_established());
}

#[test]
fn an_offer_in_update_is_answered_at_once_and_without_resends() {
    let mut desk = Desk::established();
    assert!(desk.ask("UPDATE", 2, SDP, "hold").is_none());
    assert!(matches!(&desk.events()[..], [SessionEvent::Offer { sdp }] if &sdp[..] == b"hold"));
    desk.session.accept_offer(desk.now, Bytes::from_static(b"held")).unwrap();
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::OK && &response.body()[..] == b"held"));
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_second_offer_waits_for_the_first() {
    let mut desk = Desk::established();
    assert!(desk.ask("INVITE", 2, SDP, "hold").is_none());
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "unhold"), 500);
    assert_eq!(desk.status_of("INVITE", 4, SDP, "unhold"), 500);
    assert!(desk.session.offer(desk.now, Bytes::from_static(b"ours")).is_err());
    desk.session.refuse_offer(desk.now, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    assert!(desk.session.refuse_offer(desk.now, StatusCode::NOT_ACCEPTABLE_HERE).is_err());
    assert!(desk.ask("INVITE", 5, SDP, "again").is_none());
}

#[test]
fn an_offer_that_meets_one_of_ours_is_refused_with_491() {
    let mut desk = Desk::established();
    desk.session.offer(desk.now, Bytes::from_static(b"ours")).unwrap();
    assert_eq!(desk.status_of("INVITE", 2, SDP, "theirs"), 491);
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "theirs"), 491);
    assert_eq!(desk.status_of("UPDATE", 4, "", ""), 200);
}

#[test]
fn a_reinvite_without_an_offer_wants_one() {
    let mut desk = Desk::established();
    assert!(desk.ask("INVITE", 2, "", "").is_none());
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferWanted]));
    desk.session.accept_offer(desk.now, Bytes::from_static(b"our offer")).unwrap();
    // Its answer comes in the ACK; until then no other offer is taken (RFC 5407 §3.1.5).
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "theirs"), 491);
    desk.acknowledge(2, "their answer");
    assert!(
        matches!(&desk.events()[..], [SessionEvent::OfferAnswered { sdp: Some(sdp) }] if &sdp[..] == b"their answer")
    );
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_reinvite_that_is_cancelled_is_withdrawn() {
    let mut desk = Desk::established();
    desk.branch += 1;
    let reinvite = request_text("INVITE", 2, desk.branch, ";tag=ours", SDP, "hold");
    let (id, reinvite) = Desk::named(&mut desk.table, desk.now, &reinvite);
    desk.session.handle_request(desk.now, id, reinvite, flow());
    desk.session.handle_cancelled(desk.now, id);
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::REQUEST_TERMINATED));
    assert!(matches!(&desk.events()[..], [SessionEvent::Offer { .. }, SessionEvent::OfferWithdrawn]));
    assert!(desk.session.accept_offer(desk.now, Bytes::new()).is_err());
}

#[test]
fn a_reinvite_before_the_ack_of_the_first_is_answered() {
    // RFC 5407 §3.1.4: the offer of the first INVITE was answered in its 200.
    let mut desk = Desk::called(&invite(SDP, "offer")).unwrap();
    desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
    desk.transmits();
    assert!(desk.ask("INVITE", 2, SDP, "second").is_none());
    desk.session.accept_offer(desk.now, Bytes::from_static(b"second answer")).unwrap();
    desk.acknowledge(2, "");
    desk.acknowledge(1, "");
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_reinvite_before_the_answer_in_the_ack_meets_our_offer() {
    // RFC 5407 §3.1.5.
    let mut desk = Desk::called(&invite("", "")).unwrap();
    desk.session.answer(desk.now, Bytes::from_static(b"offer")).unwrap();
    desk.transmits();
    assert_eq!(desk.status_of("INVITE", 2, SDP, "second"), 491);
}

#[test]
fn a_late_cancel_changes_nothing() {
    let (mut table, now) = Desk::table();
    let (id, request) = Desk::named(&mut table, now, &invite(SDP, "offer"));
    let mut session = InviteSession::incoming(now, config(), id, request, flow(), ByteStr::from("ours")).unwrap();
    session.answer(now, Bytes::from_static(b"answer")).unwrap();
    session.handle_cancelled(now, id);
    assert!(session.is_established());
}

#[test]
fn a_challenged_invite_is_sent_again_and_its_ack_has_the_same_credentials() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, first) = desk.sent();
    let challenge = r#"Digest realm="example.org", nonce="n", algorithm=SHA-256, qop="auth""#;
    let builder = Response::to_request(&first, StatusCode::PROXY_AUTHENTICATION_REQUIRED).to_tag("x");
    desk.responds(token, builder.raw("Proxy-Authenticate", challenge).build());
    let (token, second) = desk.sent();
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_eq!((second.call_id(), second.from(), second.to()), (first.call_id(), first.from(), first.to()));
    assert_eq!(second.body(), first.body());
    let name = "Proxy-Authorization".parse().unwrap();
    let credentials: Credentials = second.headers().raw(&name).unwrap().parse().unwrap();
    assert!(credentials.verify(&ha1(Algorithm::Sha256, "us", "example.org", "secret"), &Method::Invite));

    desk.responds(token, answer(&second, StatusCode::OK, "b1", "answer"));
    let [ack] = &desk.acks()[..] else { panic!() };
    assert_eq!(ack.headers().raw(&name), second.headers().raw(&name));
    assert_eq!((ack.cseq().number, ack.cseq().method.as_str()), (second.cseq().number, "ACK"));
    assert_eq!(ack.uri().to_string(), "sip:peer@192.0.2.77");
}

#[test]
fn a_second_challenge_refuses_the_call() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    for _ in 0..2 {
        let (token, request) = desk.sent();
        let builder = Response::to_request(&request, StatusCode::UNAUTHORIZED).to_tag("x");
        let challenge = r#"Digest realm="example.org", nonce="n", qop="auth""#;
        desk.responds(token, builder.raw("WWW-Authenticate", challenge).build());
    }
    let events = desk.events();
    assert!(matches!(&events[..], [SessionEvent::Refused { response }, SessionEvent::Ended { .. }]
        if response.status() == StatusCode::UNAUTHORIZED));
}

#[test]
fn a_redirection_is_passed_up() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::MOVED_TEMPORARILY, "x", ""));
    assert!(matches!(&desk.events()[..], [SessionEvent::Refused { response }, SessionEvent::Ended { .. }]
        if response.headers().raw(&"Contact".parse().unwrap()) == Some("<sip:peer@192.0.2.77>")));
}

#[test]
fn an_invite_that_cannot_be_sent_is_refused_with_503() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, _) = desk.sent();
    desk.session.handle_failure(desk.now, token, Failure::Transport(ErrorKind::NetworkUnreachable));
    let events = desk.events();
    assert!(matches!(&events[..], [SessionEvent::Refused { response }, SessionEvent::Ended { .. }]
        if response.status() == StatusCode::SERVICE_UNAVAILABLE));
}

#[test]
fn an_invite_that_cannot_be_built_ends_at_once() {
    let mut desk = Desk::calling(Some("offer"), |invite| {
        invite.extra.push(("X-Note".parse().unwrap(), ByteStr::from("two\r\nlines")));
    });
    assert!(desk.transmits().is_empty());
    assert_eq!(desk.ended(), "Local: failure at this end");
}

#[test]
fn a_challenged_bye_is_sent_again() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.acks();
    desk.session.end(desk.now, EndCause::HungUp);
    let (token, bye) = desk.sent();
    let challenge = r#"Digest realm="example.org", nonce="n", qop="auth""#;
    let builder = Response::to_request(&bye, StatusCode::UNAUTHORIZED);
    desk.responds(token, builder.raw("WWW-Authenticate", challenge).build());
    let (token, again) = desk.sent();
    assert_eq!(again.cseq().number, bye.cseq().number + 1);
    assert!(again.headers().raw(&"Authorization".parse().unwrap()).is_some());
    desk.responds(token, Response::to_request(&again, StatusCode::OK).build());
    assert_eq!(desk.ended(), "Local: hung up");
}

#[test]
fn early_dialogs_are_told_apart_by_their_tags() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::TRYING, "", ""));
    desk.responds(token, answer(&request, StatusCode::RINGING, "b1", ""));
    desk.responds(token, answer(&request, StatusCode::RINGING, "b1", ""));
    desk.responds(token, answer(&request, StatusCode::SESSION_PROGRESS, "b2", "early b2"));
    desk.responds(token, answer(&request, StatusCode::RINGING, "b2", ""));
    // Without a description of its own the 200 confirms the one that the same phone sent while it rang.
    desk.responds(token, answer(&request, StatusCode::OK, "b2", ""));
    let events = desk.events();
    assert!(
        matches!(&events[..], [
            SessionEvent::Ringing,
            SessionEvent::Progress { sdp: Some(early) },
            SessionEvent::Ringing,
            SessionEvent::Answered { sdp: Some(answer) },
        ] if &early[..] == b"early b2" && answer == early),
        "{events:?}"
    );
}

#[test]
fn more_early_dialogs_than_fit_cost_nothing_but_their_own_ringing() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    for branch in 0..1_000 {
        desk.responds(token, answer(&request, StatusCode::RINGING, &format!("b{branch}"), ""));
    }
    desk.responds(token, answer(&request, StatusCode::OK, "b999", "answer"));
    assert_eq!(desk.session.dialog_id().unwrap().remote_tag, "b999");
}

#[test]
fn each_other_branch_that_answers_is_acknowledged_and_hung_up_in_its_own_dialog() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.transmits();
    desk.responds(token, answer(&request, StatusCode::OK, "b2", "answer"));
    let transmits = desk.transmits();
    let [SessionTransmit::Acknowledge { request: ack, .. }, SessionTransmit::Request { request: bye, .. }] =
        &transmits[..]
    else {
        panic!("{transmits:?}")
    };
    assert_eq!((ack.to().tag(), bye.to().tag()), (Some("b2"), Some("b2")));
    assert_eq!(bye.headers().raw(&"Reason".parse().unwrap()), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    // Its resend is acknowledged again, and not hung up twice.
    desk.responds(token, answer(&request, StatusCode::OK, "b2", "answer"));
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Acknowledge { .. }]));
    assert_eq!(desk.session.dialog_id().unwrap().remote_tag, "b1");
}

#[test]
fn a_route_set_from_the_2xx_is_followed_and_a_numeric_route_is_where_it_goes() {
    let mut desk = Desk::calling(Some("offer"), |invite| invite.next_hop = NextHop::Routed);
    let (token, request) = desk.sent();
    let ok = Response::to_request(&request, StatusCode::OK)
        .to_tag("b1")
        .raw("Record-Route", "<sip:192.0.2.50:5070;lr>")
        .raw("Contact", "<sip:peer@192.0.2.77>")
        .build();
    desk.responds(token, ok);
    let transmits = desk.transmits();
    let [SessionTransmit::Acknowledge { request: ack, flow }] = &transmits[..] else { panic!("{transmits:?}") };
    assert_eq!(ack.headers().raw(&"Route".parse().unwrap()), Some("<sip:192.0.2.50:5070;lr>"));
    assert_eq!(flow.remote.to_string(), "192.0.2.50:5070");
}

#[test]
fn a_2xx_that_makes_no_dialog_is_a_failed_call() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    let broken = Response::to_request(&request, StatusCode::OK).to_tag("b1").raw("Contact", "<sip:").build();
    desk.responds(token, broken);
    assert!(matches!(&desk.events()[..], [SessionEvent::Refused { response }, SessionEvent::Ended { .. }]
        if response.status() == StatusCode::BAD_GATEWAY));
}

#[test]
fn a_bye_that_finds_all_our_2xx_lost_ends_the_call_out() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::RINGING, "theirs", ""));
    desk.transmits();
    desk.branch += 1;
    let (id, bye) = Desk::named(&mut desk.table, desk.now, &request_text("BYE", 1, desk.branch, ";tag=ours", "", ""));
    desk.session.handle_request(desk.now, id, bye, flow());
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { .. }, SessionTransmit::Cancel { .. }]));
    desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::B));
    assert_eq!(desk.ended(), "Remote: hung up");
}

#[test]
fn ending_twice_or_after_the_end_does_nothing() {
    let mut desk = Desk::established();
    desk.session.end(desk.now, EndCause::HungUp);
    desk.session.end(desk.now, EndCause::Failed);
    let (token, bye) = desk.sent();
    desk.responds(token, Response::to_request(&bye, StatusCode::OK).build());
    assert_eq!(desk.ended(), "Local: hung up");
    desk.session.end(desk.now, EndCause::HungUp);
    desk.session.ring(desk.now);
    desk.session.handle_timeout(desk.now + Duration::from_secs(1_000));
    assert!(desk.transmits().is_empty() && desk.events().is_empty());
    assert_eq!(desk.status_of("INFO", 9, "", ""), 481);
    assert!(desk.session.is_terminated());
}

#[test]
fn an_ack_with_another_cseq_acknowledges_nothing() {
    let mut desk = Desk::called(&invite(SDP, "offer")).unwrap();
    desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
    desk.acknowledge(7, "");
    assert!(!desk.session.may_offer() && desk.events().is_empty(), "the 2xx still waits for its ACK");
    desk.acknowledge(1, "");
    assert!(desk.session.may_offer());
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_challenged_reinvite_is_sent_again_and_its_ack_has_the_same_credentials() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.acks();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, first) = desk.sent();
    let challenge = r#"Digest realm="example.org", nonce="n", qop="auth""#;
    let builder = Response::to_request(&first, StatusCode::UNAUTHORIZED);
    desk.responds(token, builder.raw("WWW-Authenticate", challenge).build());
    let (token, again) = desk.sent();
    assert_eq!((again.cseq().number, again.body()), (first.cseq().number + 1, first.body()));
    desk.events();
    desk.responds(token, answer(&again, StatusCode::OK, "b1", "changed"));
    let name = "Authorization".parse().unwrap();
    let [ack] = &desk.acks()[..] else { panic!() };
    assert_eq!(ack.headers().raw(&name), again.headers().raw(&name));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferAnswered { sdp: Some(_) }]));
}

#[test]
fn a_reinvite_that_cannot_be_sent_is_refused_with_503_and_the_session_stays() {
    for kind in [ErrorKind::QuotaExceeded, ErrorKind::NetworkUnreachable, ErrorKind::ConnectionReset] {
        let mut desk = Desk::established();
        desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
        let (token, _) = desk.sent();
        desk.cannot_send(token, kind);
        assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { response }]
            if response.status() == StatusCode::SERVICE_UNAVAILABLE));
        assert!(desk.transmits().is_empty(), "neither a BYE nor another try by datagram");
        assert!(desk.session.is_established() && desk.session.may_offer());
    }
    // Silence is another matter (RFC 3261 §12.2.1.2).
    let mut desk = Desk::established();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, _) = desk.sent();
    desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::B));
    assert_eq!(*desk.sent().1.method(), Method::Bye);
}

#[test]
fn a_reinvite_on_a_connection_that_ends_is_sent_once_more_by_another() {
    let mut desk = Desk::established_by_tcp();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, first) = desk.sent();
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    let (token, again) = desk.sent();
    assert_eq!((again.method(), again.body()), (&Method::Invite, first.body()));
    assert!(again.cseq().number > first.cseq().number);
    assert!(desk.events().is_empty());
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    assert!(desk.transmits().is_empty());
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { .. }]));
    // What was taken back is not tried again; what is offered later is.
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, _) = desk.sent();
    desk.session.withdraw_offer(desk.now);
    desk.transmits();
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    assert!(desk.transmits().is_empty() && matches!(&desk.events()[..], [SessionEvent::OfferRefused { .. }]));
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, _) = desk.sent();
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    let (token, again) = desk.sent();
    desk.responds(token, answer(&again, StatusCode::OK, "theirs", "changed"));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferAnswered { sdp: Some(_) }]));
}

#[test]
fn a_bye_on_a_connection_that_ends_is_sent_once_more_by_another() {
    let mut desk = Desk::established_by_tcp();
    desk.session.end(desk.now, EndCause::NoAnswer);
    let (token, first) = desk.sent();
    desk.cannot_send(token, ErrorKind::ConnectionAborted);
    let (token, again) = desk.sent();
    assert_eq!(*again.method(), Method::Bye);
    assert!(again.cseq().number > first.cseq().number);
    let reason = "Reason".parse().unwrap();
    assert_eq!(again.headers().raw(&reason), first.headers().raw(&reason));
    assert!(desk.events().is_empty(), "the peer does not know yet");
    desk.cannot_send(token, ErrorKind::ConnectionAborted);
    assert!(desk.transmits().is_empty());
    assert_eq!(desk.ended(), "Local: no answer");

    // Where no connection has ended, another try would fail alike.
    for (mut desk, kind) in [
        (Desk::established(), ErrorKind::ConnectionReset),
        (Desk::established_by_tcp(), ErrorKind::ConnectionRefused),
        (Desk::established_by_tcp(), ErrorKind::QuotaExceeded),
    ] {
        desk.session.end(desk.now, EndCause::HungUp);
        let (token, _) = desk.sent();
        desk.cannot_send(token, kind);
        assert!(desk.transmits().is_empty());
        assert_eq!(desk.ended(), "Local: hung up");
    }
}

#[test]
fn a_bye_after_the_end_finds_no_call() {
    let mut desk = Desk::established();
    assert_eq!(desk.status_of("BYE", 2, "", ""), 200);
    assert_eq!(desk.ended(), "Remote: hung up");
    assert_eq!(desk.status_of("BYE", 3, "", ""), 481);
    assert!(desk.events().is_empty());
}

#[test]
fn a_peer_that_is_asked_for_an_offer_gets_its_answer_in_the_ack() {
    let mut desk = Desk::established();
    desk.session.pass_on_offer(desk.now, None).unwrap();
    let (token, wish) = desk.sent();
    assert!(wish.body().is_empty());
    let offer = answer(&wish, StatusCode::OK, "theirs", "their offer");
    desk.responds(token, offer.clone());
    assert!(desk.acks().is_empty(), "the answer is to be decided");
    assert!(matches!(&desk.events()[..], [SessionEvent::Offer { sdp }] if *sdp == "their offer"));
    // §14.2: nothing else meanwhile.
    assert_eq!(desk.status_of("INVITE", 2, SDP, "another"), 500);
    desk.session.accept_offer(desk.now, Bytes::from_static(b"our answer")).unwrap();
    let [ack] = &desk.acks()[..] else { panic!() };
    assert_eq!(ack.body(), "our answer");
    // A resent 2xx gets the same ACK, and is no offer again.
    desk.responds(token, offer);
    let [again] = &desk.acks()[..] else { panic!() };
    assert_eq!(again.body(), "our answer");
    assert!(desk.events().is_empty() && desk.session.may_offer());
}

#[test]
fn a_collision_of_an_offer_that_is_passed_on_is_told_at_once() {
    let mut desk = Desk::established();
    desk.session.pass_on_offer(desk.now, Some(Bytes::from_static(b"change"))).unwrap();
    let (token, reinvite) = desk.sent();
    desk.responds(token, answer(&reinvite, StatusCode::REQUEST_PENDING, "theirs", ""));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { response }] if response.status().code() == 491));
    assert_eq!(desk.session.poll_timeout(), None, "nothing is tried again here");
}

#[test]
fn an_offer_that_is_taken_back_is_cancelled_once_and_a_postponed_one_is_forgotten() {
    let mut desk = Desk::established();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, reinvite) = desk.sent();
    desk.session.withdraw_offer(desk.now);
    desk.session.withdraw_offer(desk.now);
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Cancel { token: of }] if *of == token));
    desk.responds(token, answer(&reinvite, StatusCode::REQUEST_TERMINATED, "theirs", ""));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { .. }]));

    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, reinvite) = desk.sent();
    desk.responds(token, answer(&reinvite, StatusCode::REQUEST_PENDING, "theirs", ""));
    assert!(desk.session.is_offer_postponed());
    desk.session.withdraw_offer(desk.now);
    assert!(!desk.session.is_offer_postponed() && desk.session.may_offer());
    assert!(desk.transmits().is_empty() && desk.events().is_empty());
    assert_eq!(desk.session.poll_timeout(), None);
}

/// One thing that a peer, the network or the user may do, sensible or not.
fn anything(desk: &mut Desk, tokens: &[(RequestToken, Request)], cseq: &mut u32, rng: &mut StdRng) {
    const STATUSES: [u16; 14] = [100, 180, 183, 200, 200, 200, 302, 401, 407, 408, 481, 487, 491, 603];
    const METHODS: [&str; 8] = ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK", "REFER", "FOO"];
    let body = if rng.random_bool(0.7) { "sdp" } else { "" };
    let sdp = Bytes::from_static(b"sdp");
    match rng.random_range(0..15) {
        0..=5 if !tokens.is_empty() => {
            let (token, request) = tokens[rng.random_range(0..tokens.len())].clone();
            let status = StatusCode::new(STATUSES[rng.random_range(0..STATUSES.len())]).unwrap();
            let tag = ["theirs", "b2", "b3"][rng.random_range(0..3)];
            let challenge = r#"Digest realm="r", nonce="n", stale=true, qop="auth""#;
            let mut response = answer(&request, status, tag, body);
            response.headers_mut().push_raw(&"WWW-Authenticate".parse().unwrap(), challenge).unwrap();
            desk.responds(token, response);
        }
        0..=5 => desk.session.ring(desk.now),
        6 | 7 => {
            *cseq += rng.random_range(0..2);
            // Whatever the answer is.
            let _ = desk.ask(
                METHODS[rng.random_range(0..METHODS.len())],
                *cseq,
                if body.is_empty() { "" } else { SDP },
                body,
            );
        }
        8 => desk.acknowledge(*cseq, body),
        9 => desk.session.end(desk.now, EndCause::HungUp),
        10 => {
            // Verbs that do not fit are refused; that they change nothing is what is tested.
            let _ = desk.session.answer(desk.now, sdp.clone());
            let _ = desk.session.offer(desk.now, sdp);
        }
        11 => {
            let _ = desk.session.accept_offer(desk.now, sdp);
            let _ = desk.session.refuse_offer(desk.now, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        13 => match rng.random_range(0..3) {
            0 => desk.session.withdraw_offer(desk.now),
            at => {
                let _ = desk.session.pass_on_offer(desk.now, (at == 1).then_some(sdp));
            }
        },
        12 if !tokens.is_empty() => {
            let (token, _) = tokens[rng.random_range(0..tokens.len())];
            desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::F));
        }
        _ => {
            desk.now += Duration::from_millis(rng.random_range(0..20_000));
            desk.session.handle_timeout(desk.now);
        }
    }
}

#[test]
fn whatever_happens_ended_is_said_once_and_last_and_nothing_grows() {
    for seed in seeds(1_000) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut desk = match rng.random_range(0..3) {
            0 => Desk::calling(Some("offer"), |_| {}),
            1 => Desk::calling(None, |_| {}),
            _ => Desk::called(&invite(SDP, "offer")).unwrap(),
        };
        let (mut tokens, mut ended, mut cseq) = (Vec::new(), false, 1);
        for _ in 0..60 {
            anything(&mut desk, &tokens, &mut cseq, &mut rng);
            let transmits = desk.transmits();
            assert!(transmits.len() <= 8, "seed {seed}: {transmits:?}");
            tokens.extend(transmits.into_iter().filter_map(|transmit| match transmit {
                SessionTransmit::Request { token, request, .. } => Some((token, request)),
                _ => None,
            }));
            for event in desk.events() {
                assert!(!ended, "seed {seed}: {event:?} after Ended");
                ended = matches!(event, SessionEvent::Ended { .. });
            }
            assert_eq!(ended, desk.session.is_terminated(), "seed {seed}");
            assert!(!ended || desk.session.poll_timeout().is_none(), "seed {seed}");
        }
    }
}
