//! Requests that find their own way (RFC 3263 §4.3, RFC 3261 §18.1.1): one target after the other, and the user sees one transaction.

use std::io::ErrorKind;

use blether_sip_core::{HeaderName, Method, Request, Response, RetryAfter, StatusCode, Subject};
use blether_sip_transport::resolve::Destination;
use blether_sip_transport::{ConnectionId, Flow, Transport};
use blether_transaction_core::{ClientTransactionId, Event, LoopDetector, NoTarget, Onward, Owner, TransactionsConfig};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::exchange::{OWNER, Table, parse_request, unsent};

fn udp(last: u8) -> Flow {
    Flow::udp("192.0.2.2:5060".parse().unwrap(), std::net::SocketAddr::from(([198, 51, 100, last], 5060)))
}

fn tcp(last: u8) -> Flow {
    Flow { transport: Transport::Tcp, ..udp(last) }
}

impl Table {
    fn ask_by(&mut self, method: Method, flows: &[Flow]) -> ClientTransactionId {
        let id = self.transactions.request_by(self.now, unsent(method), flows.to_vec(), OWNER).unwrap();
        self.drain();
        id
    }

    /// What has happened since the last call: `> INVITE udp 1` was sent there, `moved on to 2`, `response 200`, `failed`, …
    fn story(&mut self) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent).into_iter().map(|transmit| {
            let last = match transmit.flow.remote.ip() {
                std::net::IpAddr::V4(ip) => ip.octets()[3],
                std::net::IpAddr::V6(_) => panic!("{transmit:?}"),
            };
            format!("> {} {} {last}", parse_request(&transmit.payload).method(), transmit.flow.transport)
        });
        let events = std::mem::take(&mut self.events).into_iter();
        let events = events.filter(|event| !matches!(event, Event::Located { .. })).map(|event| match event {
            Event::Response { response, owner: OWNER, .. } => format!("response {}", response.status().code()),
            Event::Failed { failure, owner: OWNER, .. } => failure.to_string(),
            Event::MovedOn { owner: OWNER, flow, why, .. } => format!("moved on to {}: {why}", flow.remote.ip()),
            Event::ClientTerminated { owner: OWNER, .. } => "over".to_owned(),
            other => panic!("not expected: {other:?}"),
        });
        sent.chain(events).collect()
    }

    /// The request that went to this target last.
    fn request_at(&self, last: u8) -> Request {
        let at = |transmit: &&blether_transaction_core::Transmit| transmit.flow.remote == udp(last).remote;
        parse_request(&self.sent.iter().rev().find(at).expect("it was asked").payload)
    }

    fn answer(&mut self, request: &Request, last: u8, code: u16) {
        let response = Response::to_request(request, StatusCode::new(code).unwrap()).to_tag("p").build();
        self.transactions.handle_datagram(self.now, udp(last), response.to_bytes());
        self.drain();
    }
}

#[test]
fn rfc_3263_section_4_3_a_time_out_without_any_response_goes_to_the_next_with_another_branch() {
    for method in [Method::Invite, Method::Options] {
        let mut table = Table::new();
        let id = table.ask_by(method.clone(), &[udp(1), udp(2)]);
        let first = table.request_at(1);
        let located =
            |event: &Event| matches!(event, Event::Located { id: the, flow, .. } if *the == id && *flow == udp(1));
        assert!(table.events.iter().all(located) && table.events.len() == 1);
        table.until(31_999);
        assert_eq!(table.events.len(), 1);
        table.until(32_000);
        let moved =
            |event: &Event| matches!(event, Event::MovedOn { id: the, flow, .. } if *the == id && *flow == udp(2));
        assert!(table.events.iter().any(moved));
        let second = table.request_at(2);
        assert_ne!(first.via().branch(), second.via().branch());
        // Identical but for the branch.
        let without_via = |request: &Request| {
            let text = String::from_utf8(request.to_bytes().to_vec()).unwrap();
            text.lines().filter(|line| !line.starts_with("Via")).collect::<String>()
        };
        assert_eq!(without_via(&first), without_via(&second));
        table.sent.clear();
        table.events.clear();
        table.answer(&second, 2, 200);
        assert_eq!(table.story(), ["response 200"]);
    }
}

#[test]
fn rfc_3263_section_4_3_a_503_goes_to_the_next_and_is_acknowledged_where_it_came_from() {
    let mut table = Table::new();
    table.ask_by(Method::Invite, &[udp(1), udp(2)]);
    let first = table.request_at(1);
    table.sent.clear();
    table.answer(&first, 1, 503);
    assert_eq!(table.story(), ["> ACK udp 1", "> INVITE udp 2", "moved on to 198.51.100.2: 503"]);
    // Its resend is acknowledged again, by the transaction that goes on without a user.
    table.answer(&first, 1, 503);
    assert_eq!(table.story(), ["> ACK udp 1"]);
    table.until(60_000);
    assert_eq!(table.transactions.counts().total(), 0);
}

#[test]
fn rfc_3263_section_4_3_a_transport_error_goes_to_the_next() {
    for method in [Method::Invite, Method::Register] {
        let mut table = Table::new();
        table.ask_by(method.clone(), &[tcp(1), udp(2)]);
        let id = table.sent[0].id;
        table.sent.clear();
        table.transactions.handle_send_error(table.now, id, ErrorKind::ConnectionRefused);
        table.drain();
        let expected = [
            format!("> {method} udp 2"),
            "moved on to 198.51.100.2: it could not be sent: connection refused".to_owned(),
        ];
        assert_eq!(table.story(), expected);
    }
}

#[test]
fn any_other_answer_is_the_answer() {
    for code in [200, 302, 404, 408, 500, 600] {
        let mut table = Table::new();
        table.ask_by(Method::Options, &[udp(1), udp(2)]);
        let request = table.request_at(1);
        table.sent.clear();
        table.answer(&request, 1, code);
        assert_eq!(table.story(), [format!("response {code}")]);
        table.until(70_000);
        assert_eq!(table.story(), ["over"]);
    }
}

#[test]
fn rfc_3263_section_4_3_a_target_that_was_heard_of_and_falls_silent_is_not_left() {
    let mut table = Table::new();
    table.ask_by(Method::Options, &[udp(1), udp(2)]);
    let request = table.request_at(1);
    table.answer(&request, 1, 100);
    table.sent.clear();
    table.until(32_000);
    assert!(table.sent.iter().all(|transmit| transmit.flow == udp(1)));
    table.sent.clear();
    assert_eq!(table.story(), ["response 100", "no answer before Timer F ran out", "over"]);
}

#[test]
fn when_the_last_target_fails_that_is_the_outcome_and_the_only_one() {
    let mut table = Table::new();
    table.ask_by(Method::Invite, &[udp(1), udp(2), udp(3)]);
    for last in [1, 2, 3] {
        let request = table.request_at(last);
        table.answer(&request, last, 503);
    }
    table.sent.clear();
    let story = table.story();
    assert_eq!(story.iter().filter(|line| line.starts_with("moved on")).count(), 2);
    assert_eq!(story.last().unwrap(), "response 503");
    let counters = table.transactions.counters();
    assert_eq!((counters.moved_on, counters.no_target), (2, 0));
    table.until(60_000);
    assert_eq!((table.story(), table.transactions.counts().total()), (vec!["over".to_owned()], 0));
}

#[test]
fn rfc_3263_section_4_a_cancel_goes_to_the_target_in_use() {
    let mut table = Table::new();
    let id = table.ask_by(Method::Invite, &[udp(1), udp(2)]);
    let first = table.request_at(1);
    table.answer(&first, 1, 503);
    let second = table.request_at(2);
    table.answer(&second, 2, 180);
    table.sent.clear();
    table.events.clear();
    table.transactions.cancel(table.now, id);
    table.drain();
    assert_eq!(table.request_at(2).via().branch(), second.via().branch());
    assert_eq!(table.story(), ["> CANCEL udp 2"]);
}

#[test]
fn what_is_cancelled_goes_to_no_other_target() {
    let mut table = Table::new();
    let id = table.ask_by(Method::Invite, &[udp(1), udp(2)]);
    table.transactions.cancel(table.now, id);
    table.sent.clear();
    table.until(32_000);
    assert!(table.sent.iter().all(|transmit| transmit.flow == udp(1)));
    table.sent.clear();
    assert_eq!(table.story(), ["no answer before Timer B ran out", "over"]);

    let mut table = Table::new();
    let id = table.ask_by(Method::Invite, &[udp(1), udp(2)]);
    let request = table.request_at(1);
    table.answer(&request, 1, 180);
    table.transactions.cancel(table.now, id);
    table.drain();
    table.sent.clear();
    table.answer(&request, 1, 503);
    assert_eq!(table.story(), ["> ACK udp 1", "response 180", "response 503"]);
}

#[test]
fn a_target_that_has_failed_is_tried_last_for_a_while_and_none_is_left_out() {
    let mut table = Table::new();
    table.ask_by(Method::Options, &[udp(1), udp(2)]);
    table.until(32_000);
    table.sent.clear();
    table.events.clear();
    table.ask_by(Method::Options, &[udp(1), udp(2)]);
    assert_eq!(table.sent.last().unwrap().flow, udp(2));
    assert!(matches!(table.events[..], [Event::Located { flow, .. }] if flow == udp(2)), "and that is told");
    // An answer proves that it is back.
    table.sent.clear();
    table.ask_by(Method::Options, &[udp(1)]);
    assert_eq!(table.sent.last().unwrap().flow, udp(1), "the only one there is");
    let request = table.request_at(1);
    table.answer(&request, 1, 404);
    table.ask_by(Method::Options, &[udp(1), udp(2)]);
    assert_eq!(table.sent.last().unwrap().flow, udp(1));
}

#[test]
fn rfc_3261_section_21_5_4_retry_after_says_for_how_long_a_target_is_tried_last() {
    let mut table = Table::new();
    table.ask_by(Method::Options, &[udp(1), udp(2)]);
    let request = table.request_at(1);
    let refusal =
        Response::to_request(&request, StatusCode::SERVICE_UNAVAILABLE).to_tag("p").header(RetryAfter::new(7));
    table.transactions.handle_datagram(table.now, udp(1), refusal.build().to_bytes());
    table.drain();
    let request = table.request_at(2);
    table.answer(&request, 2, 200);
    for (ms, expected) in [(6_999, udp(2)), (7_000, udp(1))] {
        table.until(ms);
        table.ask_by(Method::Options, &[udp(1), udp(2)]);
        assert_eq!(table.sent.last().unwrap().flow, expected, "after {ms} ms");
    }
}

#[test]
fn rfc_5626_what_becomes_of_a_flow_is_remembered_of_no_target() {
    let mut table = Table::new();
    table.transactions.request(table.now, unsent(Method::Options), udp(1), OWNER).unwrap();
    table.until(32_000);
    table.sent.clear();
    table.ask_by(Method::Options, &[udp(1), udp(2)]);
    assert_eq!(table.sent.last().unwrap().flow, udp(1));
}

fn example() -> Destination {
    Destination::new("example.org".parse().unwrap())
}

fn anywhere() -> Onward {
    Onward { destination: example(), may_lead_inside: true }
}

#[test]
fn a_name_that_a_stranger_chooses_leads_to_no_loopback_address() {
    let mut table = Table::new();
    let loops = LoopDetector::new(&mut StdRng::seed_from_u64(3));
    let at = |address: &str| Flow { remote: address.parse().unwrap(), ..udp(1) };
    let inside = || ["127.0.0.1:5060", "[::1]:5060", "[::ffff:127.0.0.1]:5060", "0.0.0.0:5060"].map(at).to_vec();
    for (may_lead_inside, others, sent) in [(false, vec![], 0), (false, vec![udp(1)], 1), (true, vec![], 1)] {
        let request = unsent(Method::Options);
        let (mark, onward) = (loops.mark(&request), Onward { destination: example(), may_lead_inside });
        let id = table.transactions.forward_to(table.now, request, onward, OWNER, mark, |_, _| ()).unwrap();
        table.transactions.handle_located(table.now, id, Ok([inside(), others].concat()));
        let before = table.sent.len();
        table.drain();
        assert_eq!(table.sent.len() - before, sent);
    }
}

#[test]
fn a_request_to_a_name_is_sent_when_its_destination_is_located() {
    let mut table = Table::new();
    let id = table.transactions.request_to(table.now, unsent(Method::Invite), example(), OWNER).unwrap();
    table.drain();
    assert_eq!((table.sent.len(), table.transactions.counts().invite_client), (0, 1));
    let inquiry = table.transactions.poll_inquiry().unwrap();
    assert_eq!((inquiry.id, &inquiry.destination, inquiry.call_id.as_str()), (id, &example(), "2@192.0.2.2"));
    assert_eq!(table.transactions.poll_inquiry(), None);
    table.until(1_000);
    table.transactions.handle_located(table.now, id, Ok(vec![udp(1), udp(2)]));
    table.drain();
    assert_eq!(table.story(), ["> INVITE udp 1"]);
    // A second answer is one too many.
    table.transactions.handle_located(table.now, id, Ok(vec![udp(3)]));
    table.transactions.handle_located(table.now, id, Err(NoTarget::NoAddress));
    table.until(33_000);
    assert!(table.story().contains(&"> INVITE udp 2".to_owned()));
    assert_eq!(table.transactions.counts().invite_client, 1);
}

#[test]
fn rfc_3261_section_16_6_each_branch_of_what_is_forwarded_ends_with_its_mark() {
    let mut table = Table::new();
    let loops = LoopDetector::new(&mut StdRng::seed_from_u64(3));
    let (now, request) = (table.now, unsent(Method::Options));
    let mark = loops.mark(&request);
    // What depends on the way is put into each copy for itself.
    let prepare = |copy: &mut Request, flow: Flow| copy.headers_mut().push(Subject(flow.remote.to_string().into()));
    let id = table.transactions.forward_to(now, request, anywhere(), OWNER, mark, prepare).unwrap();
    table.transactions.handle_located(table.now, id, Ok(vec![udp(1), udp(2)]));
    table.drain();
    let first = table.request_at(1);
    table.answer(&first, 1, 503);
    let second = table.request_at(2);
    assert_ne!(first.via().branch(), second.via().branch());
    for (request, at) in [(first, udp(1)), (second, udp(2))] {
        assert!(loops.has_looped(&request, mark), "{request:?}");
        let subjects: Vec<_> = request.headers().raw_all(&HeaderName::Subject).collect();
        assert_eq!(subjects, [at.remote.to_string()]);
    }
}

#[test]
fn rfc_3261_section_16_6_an_ack_for_a_2xx_is_sent_once_when_it_is_located() {
    let mut table = Table::new();
    let loops = LoopDetector::new(&mut StdRng::seed_from_u64(3));
    for located in [Ok(vec![udp(1), udp(2)]), Ok(Vec::new()), Err(NoTarget::Unanswered)] {
        let ack = unsent(Method::Ack);
        let mark = loops.mark(&ack);
        table.transactions.forward_ack_to(table.now, ack, anywhere(), mark).unwrap();
        let inquiry = table.transactions.poll_inquiry().unwrap();
        table.transactions.handle_located(table.now, inquiry.id, located);
        table.drain();
        assert_eq!(table.transactions.counts().total(), 0);
    }
    assert!(loops.has_looped(&table.request_at(1), loops.mark(&unsent(Method::Ack))));
    assert_eq!(table.story(), ["> ACK udp 1"]);
    assert_eq!(table.transactions.counters().no_target, 2);
}

#[test]
fn what_cannot_be_located_fails_once_and_is_counted() {
    for located in [Ok(Vec::new()), Err(NoTarget::NoAddress)] {
        let mut table = Table::new();
        let id = table.transactions.request_to(table.now, unsent(Method::Options), example(), OWNER).unwrap();
        table.transactions.handle_located(table.now, id, located);
        table.drain();
        let expected = "it could not be sent: its destination has no address that can be reached";
        assert_eq!(table.story(), [expected, "over"]);
        assert_eq!((table.transactions.counters().no_target, table.transactions.counts().total()), (1, 0));
        table.transactions.handle_located(table.now, id, Ok(vec![udp(1)]));
        table.drain();
        assert!(table.story().is_empty());
    }
}

#[test]
fn a_destination_that_nobody_locates_is_given_up_when_the_request_would_be() {
    let mut table = Table::new();
    table.transactions.request_to(table.now, unsent(Method::Invite), example(), OWNER).unwrap();
    table.until(31_999);
    assert!(table.story().is_empty());
    table.until(32_000);
    let expected = "it could not be sent: no name server said where its destination is";
    assert_eq!(table.story(), [expected, "over"]);
}

#[test]
fn an_invite_that_is_cancelled_before_it_is_located_is_never_sent() {
    let mut table = Table::new();
    let id = table.transactions.request_to(table.now, unsent(Method::Invite), example(), OWNER).unwrap();
    table.transactions.cancel(table.now, id);
    table.drain();
    assert_eq!(table.story(), ["it was cancelled before it was sent", "over"]);
    table.transactions.handle_located(table.now, id, Ok(vec![udp(1)]));
    table.drain();
    assert!(table.story().is_empty() && table.transactions.counts().total() == 0);
}

#[test]
fn requests_that_wait_to_be_located_count_like_any_other() {
    let mut table = Table::with(TransactionsConfig { max_transactions: 10, ..TransactionsConfig::default() });
    let mut ask = || table.transactions.request_to(table.now, unsent(Method::Options), example(), OWNER).is_ok();
    assert_eq!((0..20).filter(|_| ask()).count(), 9);
}

/// A request of so many bytes with our Via.
fn of_size(size: usize) -> Request {
    let mut request = unsent(Method::Message);
    let mut table = Table::new();
    table.transactions.request(table.now, request.clone(), udp(1), OWNER).unwrap();
    table.drain();
    let filler = size - table.sent[0].payload.len() - "Subject: \r\n".len();
    request.headers_mut().push_raw(&blether_sip_core::HeaderName::Subject, &"x".repeat(filler)).unwrap();
    request
}

fn sent_by(size: usize, config: TransactionsConfig) -> Transport {
    let mut table = Table::with(config);
    table.transactions.request_by(table.now, of_size(size), vec![udp(1)], OWNER).unwrap();
    table.drain();
    let transmit = &table.sent[0];
    assert_eq!(transmit.payload.len(), size);
    assert_eq!(parse_request(&transmit.payload).via().transport.as_str(), transmit.flow.transport.via_name());
    transmit.flow.transport
}

#[test]
fn rfc_3261_section_18_1_1_what_is_larger_than_1300_bytes_goes_by_tcp_and_its_via_says_so() {
    let streams = || TransactionsConfig { streams: true, ..TransactionsConfig::default() };
    assert_eq!(sent_by(1_300, streams()), Transport::Udp);
    assert_eq!(sent_by(1_301, streams()), Transport::Tcp);
    assert_eq!(sent_by(1_301, TransactionsConfig::default()), Transport::Udp, "there is nothing else");
}

#[test]
fn rfc_3261_section_18_1_1_of_a_known_mtu_200_bytes_are_left() {
    let large = || TransactionsConfig { streams: true, path_mtu: Some(3_000), ..TransactionsConfig::default() };
    assert_eq!(sent_by(2_800, large()), Transport::Udp);
    assert_eq!(sent_by(2_801, large()), Transport::Tcp);
}

#[test]
fn rfc_3261_section_18_1_1_where_tcp_is_refused_it_goes_by_udp_after_all() {
    let mut table = Table::with(TransactionsConfig { streams: true, ..TransactionsConfig::default() });
    for refusals in [1, 0] {
        table.transactions.request_by(table.now, of_size(2_000), vec![udp(1), udp(2)], OWNER).unwrap();
        table.drain();
        if refusals == 1 {
            assert_eq!(table.sent[0].flow, tcp(1));
            let id = table.sent[0].id;
            table.transactions.handle_send_error(table.now, id, ErrorKind::ConnectionRefused);
            table.drain();
        }
        // The second time it is known that TCP is refused there.
        assert_eq!(table.sent.last().unwrap().flow, udp(1));
        table.sent.clear();
    }
    assert_eq!(table.transactions.counters().too_large_for_udp, 1);
}

#[test]
fn rfc_3261_section_18_1_1_who_answers_503_or_nothing_by_tcp_gets_it_not_by_udp() {
    // By 503, by silence.
    for silent in [false, true] {
        let mut table = Table::with(TransactionsConfig { streams: true, ..TransactionsConfig::default() });
        for round in 0..2 {
            table.transactions.request_by(table.now, of_size(2_000), vec![udp(1), udp(2)], OWNER).unwrap();
            table.drain();
            assert_eq!(table.sent[0].flow, tcp(1), "silent: {silent}, round {round}");
            if silent {
                table.later(32_000);
            } else {
                let sent = parse_request(&table.sent[0].payload);
                let refusal = Response::to_request(&sent, StatusCode::SERVICE_UNAVAILABLE).to_tag("p").build();
                table.transactions.handle_datagram(table.now, tcp(1), refusal.to_bytes());
                table.drain();
            }
            assert_eq!(table.sent.last().unwrap().flow, tcp(2), "silent: {silent}, round {round}");
            assert!(table.sent.iter().all(|sent| sent.flow.transport == Transport::Tcp));
            table.sent.clear();
        }
    }
}

#[test]
fn the_end_of_the_first_targets_connection_does_not_concern_the_second() {
    let mut table = Table::new();
    table.transactions.request_by(table.now, unsent(Method::Invite), vec![tcp(1), udp(2)], OWNER).unwrap();
    let invite = table.transactions.poll_transmit().unwrap();
    table.transactions.sent_by(invite.id, ConnectionId::new(1));
    let refusal = Response::to_request(&parse_request(&invite.payload), StatusCode::SERVICE_UNAVAILABLE).to_tag("p");
    let heard_by = Flow { connection: Some(ConnectionId::new(1)), ..tcp(1) };
    table.transactions.handle_datagram(table.now, heard_by, refusal.build().to_bytes());
    // The ACK goes by the connection, and the driver notes that.
    let ack = table.transactions.poll_transmit().unwrap();
    assert_eq!(parse_request(&ack.payload).method(), &Method::Ack);
    table.transactions.sent_by(ack.id, ConnectionId::new(1));
    table.transactions.handle_closed(table.now, ConnectionId::new(1), ErrorKind::ConnectionReset);
    table.transactions.handle_send_error(table.now, ack.id, ErrorKind::BrokenPipe);
    table.drain();
    assert_eq!(table.story(), ["> INVITE udp 2", "moved on to 198.51.100.2: 503"]);
}

/// What becomes of many requests on ways that die, answer, answer 503, or say nothing, in whatever order.
struct Chaos {
    table: Table,
    rng: StdRng,
    /// Each request with how many final outcomes its user was told.
    outcomes: std::collections::BTreeMap<Owner, u32>,
    ids: Vec<(Owner, ClientTransactionId)>,
    unsettled: Vec<blether_transaction_core::Transmit>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let config = TransactionsConfig { streams: true, max_transactions: 200, ..TransactionsConfig::default() };
        let (table, rng) = (Table::with(config), StdRng::seed_from_u64(seed));
        Self { table, rng, outcomes: std::collections::BTreeMap::new(), ids: Vec::new(), unsettled: Vec::new() }
    }

    fn ways(&mut self) -> Vec<Flow> {
        let count = self.rng.random_range(0..4);
        (0..count).map(|_| if self.rng.random() { udp(self.rng.random()) } else { tcp(self.rng.random()) }).collect()
    }

    fn ask(&mut self) {
        let owner = Owner(1 + u64::try_from(self.outcomes.len()).unwrap());
        let invite = self.rng.random();
        let request = if self.rng.random_range(0..8) == 0 {
            of_size(1_500)
        } else {
            unsent(if invite { Method::Invite } else { Method::Options })
        };
        let now = self.table.now;
        let asked = if self.rng.random() {
            let ways = self.ways();
            self.table.transactions.request_by(now, request, ways, owner)
        } else {
            self.table.transactions.request_to(now, request, example(), owner)
        };
        if let Ok(id) = asked {
            self.outcomes.insert(owner, 0);
            self.ids.push((owner, id));
        }
    }

    fn step(&mut self) {
        let now = self.table.now;
        match self.rng.random_range(0..8) {
            0 | 1 => self.ask(),
            2 => {
                let ways = if self.rng.random_range(0..4) == 0 { Err(NoTarget::Unanswered) } else { Ok(self.ways()) };
                if let Some(inquiry) = self.table.transactions.poll_inquiry() {
                    self.table.transactions.handle_located(now, inquiry.id, ways);
                }
            }
            3 => {
                let index = self.rng.random_range(0..self.ids.len().max(1));
                if let Some((_, id)) = self.ids.get(index) {
                    self.table.transactions.cancel(now, *id);
                }
            }
            4 | 5 => self.hear(),
            6 => self.lose(),
            _ => {
                let later = self.rng.random_range(0..20_000);
                self.table.later(later);
            }
        }
        self.settle();
    }

    /// Some request that was sent is answered, perhaps once more.
    fn hear(&mut self) {
        let Some(transmit) = self.pick() else { return };
        let request = parse_request(&transmit.payload);
        let code = [100, 180, 200, 404, 503, 503][self.rng.random_range(0..6)];
        if *request.method() != Method::Ack {
            let response = Response::to_request(&request, StatusCode::new(code).unwrap()).to_tag("p").build();
            self.table.transactions.handle_datagram(self.table.now, transmit.flow, response.to_bytes());
        }
    }

    /// Something that was sent could not be, or its connection ends.
    fn lose(&mut self) {
        let Some(transmit) = self.pick() else { return };
        let connection = ConnectionId::new(u64::from(self.rng.random_range(0..4_u8)));
        self.table.transactions.sent_by(transmit.id, connection);
        if self.rng.random() {
            self.table.transactions.handle_closed(self.table.now, connection, ErrorKind::ConnectionReset);
        } else {
            self.table.transactions.handle_send_error(self.table.now, transmit.id, ErrorKind::ConnectionRefused);
        }
    }

    fn pick(&mut self) -> Option<blether_transaction_core::Transmit> {
        let index = self.rng.random_range(0..self.unsettled.len().max(1));
        self.unsettled.get(index).cloned()
    }

    fn settle(&mut self) {
        self.table.drain();
        self.unsettled.append(&mut self.table.sent);
        for event in std::mem::take(&mut self.table.events) {
            let (owner, ends) = match &event {
                Event::Response { owner, response, .. } => {
                    // A 2xx may come by several branches of a fork, and again.
                    let again = response.status().is_success() && self.outcomes[owner] == 1;
                    (*owner, response.status().is_final() && !again)
                }
                Event::Failed { owner, .. } => (*owner, true),
                _ => continue,
            };
            let told = self.outcomes.get_mut(&owner).expect("of a request that was taken");
            *told += u32::from(ends);
            assert!(*told <= 1, "{event:?}");
        }
    }
}

#[test]
fn whatever_becomes_of_its_targets_a_request_has_one_outcome_and_leaves_nothing_behind() {
    for seed in 0..300 {
        let mut chaos = Chaos::new(seed);
        (0..400).for_each(|_| chaos.step());
        // Those that wait for a phone to answer wait for ever, unless they are cancelled.
        let ids = chaos.ids.clone();
        for _ in 0..4 {
            ids.iter().for_each(|(_, id)| chaos.table.transactions.cancel(chaos.table.now, *id));
            chaos.table.later(3_600_000);
            chaos.settle();
        }
        assert_eq!(chaos.table.transactions.counts().total(), 0, "seed {seed}");
        let without: Vec<_> = chaos.outcomes.iter().filter(|(_, told)| **told != 1).collect();
        assert!(chaos.outcomes.len() > 20 && without.is_empty(), "seed {seed}: {without:?}");
        assert_eq!(chaos.table.transactions.poll_timeout(), None, "seed {seed}");
    }
}
