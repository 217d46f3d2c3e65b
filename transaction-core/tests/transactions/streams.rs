//! Transactions on connections: what is not resent, where responses go, and what the end of a connection does.

use std::io::ErrorKind;

use blether_sip_core::{Message, Method, Response, StatusCode};
use blether_sip_transport::{ConnectionId, Flow, Framer, FramerLimits, Transport};
use blether_transaction_core::{Event, Failure, Overload, TransactionsConfig};

use crate::exchange::{OWNER, Table, parse, parse_request, text, unsent};

fn by(connection: u64) -> Flow {
    let (local, remote) = ("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:41234".parse().unwrap());
    Flow { connection: Some(ConnectionId::new(connection)), ..Flow::tcp(local, remote) }
}

/// Sends a request of ours, as the shard does: what goes is noted for its connection.
fn ask(table: &mut Table, method: Method, connection: u64) {
    table.transactions.request(table.now, unsent(method), by(connection), OWNER).unwrap();
    let transmit = table.transactions.poll_transmit().unwrap();
    table.transactions.sent_by(transmit.id, ConnectionId::new(connection));
    table.sent.push(transmit);
}

fn answer(table: &mut Table, code: u16) {
    let request = parse_request(&table.sent[0].payload);
    let response = Response::to_request(&request, StatusCode::new(code).unwrap()).to_tag("x").build();
    table.transactions.handle_datagram(table.now, by(1), response.to_bytes());
    table.drain();
}

fn failures(table: &Table) -> Vec<Failure> {
    let failure = |event: &Event| match event {
        Event::Failed { failure, .. } => Some(*failure),
        _ => None,
    };
    table.events.iter().filter_map(failure).collect()
}

#[test]
fn a_request_on_a_connection_names_tcp_and_is_sent_once() {
    let mut table = Table::new();
    ask(&mut table, Method::Options, 1);
    table.until(31_000);
    assert_eq!(table.sent.len(), 1);
    assert_eq!(parse_request(&table.sent[0].payload).via().transport.as_str(), "TCP");
}

#[test]
fn the_end_of_its_connection_is_a_transport_error_to_a_request_that_waits() {
    for method in [Method::Options, Method::Invite] {
        let mut table = Table::new();
        ask(&mut table, method, 1);
        table.transactions.handle_closed(table.now, ConnectionId::new(2), ErrorKind::ConnectionReset);
        table.drain();
        assert_eq!(failures(&table), []);
        table.transactions.handle_closed(table.now, ConnectionId::new(1), ErrorKind::ConnectionReset);
        table.drain();
        assert_eq!(failures(&table), [Failure::Transport(ErrorKind::ConnectionReset)]);
        assert_eq!(table.transactions.counts().total(), 0);
    }
}

#[test]
fn an_invite_that_was_heard_of_outlives_its_connection_and_is_answered_by_another() {
    let mut table = Table::new();
    ask(&mut table, Method::Invite, 1);
    answer(&mut table, 180);
    table.transactions.handle_closed(table.now, ConnectionId::new(1), ErrorKind::ConnectionReset);
    let ok = Response::to_request(&parse_request(&table.sent[0].payload), StatusCode::OK).to_tag("x").build();
    table.transactions.handle_datagram(table.now, by(2), ok.to_bytes());
    table.drain();
    assert_eq!(failures(&table), []);
    let answered = |event: &Event| matches!(event, Event::Response { response, flow, .. } if response.status() == StatusCode::OK && *flow == by(2));
    assert!(table.events.iter().any(answered));
}

/// An INVITE by connection 7 that was answered so; what was sent is noted for that connection.
fn asked_and_answered(code: u16) -> Table {
    let mut table = Table::new();
    table.hear_from(by(7), text("INVITE", "192.0.2.1:5080;branch=z9hG4bK1", "").replace("/UDP", "/TCP"));
    let (id, request) = table.asked();
    assert!(table.respond(id, &request, code));
    table.transactions.sent_by(table.sent[0].id, ConnectionId::new(7));
    table.events.clear();
    table
}

fn close(table: &mut Table, connection: u64) {
    table.transactions.handle_closed(table.now, ConnectionId::new(connection), ErrorKind::ConnectionReset);
    table.drain();
}

#[test]
fn a_refusal_whose_connection_ends_before_its_ack_is_sent_once_more_to_where_the_request_is_answered() {
    let mut table = asked_and_answered(486);
    close(&mut table, 8);
    assert_eq!(table.sent.len(), 1, "another connection is no matter of it");
    close(&mut table, 7);
    assert_eq!(table.sent.len(), 2);
    assert_eq!(table.sent[1].payload, table.sent[0].payload);
    assert_eq!(table.sent[1].flow.remote, "192.0.2.1:5080".parse().unwrap(), "the sent-by (RFC 3261 §18.2.2)");
    // That one cannot be opened: the user is told, and nothing is sent without end.
    table.transactions.sent_by(table.sent[1].id, ConnectionId::new(9));
    table.log();
    close(&mut table, 9);
    assert_eq!(table.log(), ["not sent"]);
    close(&mut table, 9);
    assert_eq!(table.log(), [""; 0]);
    table.until(32_000);
    assert_eq!(table.log(), ["not acknowledged None", "server over"]);
}

#[test]
fn nothing_is_sent_again_for_a_connection_that_ends_after_the_ack_or_before_the_refusal_or_after_a_2xx() {
    let mut acknowledged = asked_and_answered(486);
    acknowledged.hear_from(by(7), text("ACK", "192.0.2.1:5080;branch=z9hG4bK1", ";tag=u"));
    let (mut ringing, mut accepted) = (asked_and_answered(180), asked_and_answered(200));
    for table in [&mut acknowledged, &mut ringing, &mut accepted] {
        close(table, 7);
        assert_eq!(table.sent.len(), 1);
    }
    // The refusal of what rang goes by a connection of its own.
    assert_eq!(ringing.transactions.counts().invite_server, 1);
    assert_eq!(acknowledged.transactions.counts().total(), 0);
}

/// What a table sends that was told that this was not written to connection 7.
fn unsent_is_sent(table: &mut Table, bytes: &bytes::Bytes) -> Vec<Flow> {
    table.sent.clear();
    table.transactions.handle_unsent(by(7), bytes.clone());
    table.drain();
    assert!(table.sent.iter().all(|sent| sent.payload == bytes));
    table.sent.iter().map(|sent| sent.flow).collect()
}

#[test]
fn an_answer_that_was_not_written_before_its_connection_ended_goes_by_another_to_where_the_request_is_answered() {
    let elsewhere = Flow { remote: "192.0.2.1:5080".parse().unwrap(), connection: None, ..by(7) };
    let request = |method| text(method, "192.0.2.1:5080;branch=z9hG4bK1", "").replace("/UDP", "/TCP");

    let mut table = Table::new();
    table.hear_from(by(7), request("OPTIONS"));
    let (id, options) = table.asked();
    assert!(table.respond(id, &options, 200));
    let ok = table.sent[0].payload.clone();
    assert_eq!(unsent_is_sent(&mut table, &ok), [elsewhere]);

    // A refusal of which nothing is remembered, by the user and by the table.
    for overload in [Overload::KeepsUp, Overload::RefusesAll] {
        let mut table = Table::new();
        table.transactions.set_overload(overload);
        table.hear_from(by(7), request("INVITE"));
        if overload == Overload::KeepsUp {
            let (id, invite) = table.asked();
            let response = Response::to_request(&invite, StatusCode::UNAUTHORIZED).build();
            table.transactions.respond_and_forget(table.now, id, response).unwrap();
            table.drain();
        }
        let refusal = table.sent[0].payload.clone();
        assert_eq!(unsent_is_sent(&mut table, &refusal), [elsewhere], "{overload:?}");
    }
}

#[test]
fn what_has_a_transaction_is_left_to_it_when_it_was_not_written_and_a_stray_message_is_nothing() {
    for code in [180, 200, 486] {
        let mut table = asked_and_answered(code);
        let said = table.sent[0].payload.clone();
        assert_eq!(unsent_is_sent(&mut table, &said), [], "{code}");
    }
    let mut table = Table::new();
    let request = bytes::Bytes::from(text("OPTIONS", "192.0.2.2;branch=z9hG4bK1", ""));
    assert_eq!(unsent_is_sent(&mut table, &request), []);
    assert_eq!(unsent_is_sent(&mut table, &bytes::Bytes::from_static(b"half a mess")), []);
}

#[test]
fn the_end_of_a_connection_after_the_answer_is_nothing() {
    let mut table = Table::new();
    ask(&mut table, Method::Options, 1);
    answer(&mut table, 200);
    table.transactions.handle_closed(table.now, ConnectionId::new(1), ErrorKind::ConnectionReset);
    table.drain();
    assert_eq!(failures(&table), []);
    assert_eq!(table.transactions.counts().total(), 0, "Timer K is zero on a reliable transport");
}

#[test]
fn a_response_goes_back_by_the_connection_or_to_the_port_that_the_request_names() {
    for (via, port) in [("192.0.2.1:5080;rport", 5_080), ("192.0.2.1", 5_060), ("example.org:5070", 5_070)] {
        let mut table = Table::new();
        table.hear_from(by(7), text("OPTIONS", &format!("{via};branch=z9hG4bK1"), "").replace("/UDP", "/TCP"));
        let Event::Request { id, request, .. } = table.events.pop().unwrap() else { panic!("not a request") };
        table.transactions.respond(table.now, id, Response::to_request(&request, StatusCode::OK).build()).unwrap();
        let sent = table.transactions.poll_transmit().unwrap().flow;
        assert_eq!((sent.connection, sent.remote.port()), (Some(ConnectionId::new(7)), port), "{via}");
        assert_eq!(sent.remote.ip(), by(7).remote.ip(), "never to the address that a request names by itself");
    }
}

#[test]
fn over_tls_it_is_port_5061_where_the_request_names_none() {
    let mut table = Table::new();
    let request = text("OPTIONS", "192.0.2.1;branch=z9hG4bK1", "").replace("/UDP", "/TLS");
    table.hear_from(Flow { transport: Transport::Tls, ..by(7) }, request);
    let Event::Request { id, request, .. } = table.events.pop().unwrap() else { panic!("not a request") };
    table.transactions.respond(table.now, id, Response::to_request(&request, StatusCode::OK).build()).unwrap();
    assert_eq!(table.transactions.poll_transmit().unwrap().flow.remote.port(), 5_061);
}

#[test]
fn a_request_over_tls_lets_its_connection_be_used_where_that_is_wanted() {
    for (alias, transport, offered) in
        [(true, Transport::Tls, true), (true, Transport::Tcp, false), (false, Transport::Tls, false)]
    {
        let mut table = Table::with(TransactionsConfig { alias, ..TransactionsConfig::default() });
        let flow = Flow { transport, ..by(1) };
        table.transactions.request(table.now, unsent(Method::Options), flow, OWNER).unwrap();
        let sent = parse_request(&table.transactions.poll_transmit().unwrap().payload);
        assert_eq!(sent.via().params.get("alias").is_some(), offered, "{alias} {transport}");
    }
}

/// What a peer hears whose stream cannot be cut into messages.
fn unframed(stream: &str) -> Option<u16> {
    let mut framer = Framer::new(FramerLimits { max_header_section: 1_000, max_message: 2_000 });
    framer.receive(stream.as_bytes());
    let error = framer.poll_frame().unwrap_err();
    let mut table = Table::new();
    table.transactions.handle_unframed(by(3), &error);
    let sent = table.transactions.poll_transmit()?;
    assert_eq!(sent.flow.connection, Some(ConnectionId::new(3)));
    match parse(&sent.payload) {
        Message::Response(response) => Some(response.status().code()),
        Message::Request(request) => panic!("a request: {request:?}"),
    }
}

#[test]
fn what_is_too_large_is_answered_513_and_what_has_no_length_400() {
    let request = text("OPTIONS", "192.0.2.1;branch=z9hG4bK1", "");
    let with = |header: &str| request.replace("Content-Length: 0", header);
    assert_eq!(unframed(&with("Content-Length: 99999")), Some(513));
    assert_eq!(unframed(&with("l: 99999999999999999999999999")), Some(513));
    assert_eq!(unframed(&with(&format!("Subject: {}", "x".repeat(2_000)))), Some(513));
    assert_eq!(unframed(&with("Subject: x")), Some(400));
    assert_eq!(unframed(&with("Content-Length: x")), Some(400));
    // Never an ACK, a response, or what is no SIP.
    assert_eq!(unframed(&text("ACK", "192.0.2.1;branch=z9hG4bK1", "").replace("Content-Length: 0", "A: b")), None);
    let response = with("Subject: x").replace("OPTIONS sip:bob@192.0.2.2 SIP/2.0", "SIP/2.0 200 OK");
    assert_eq!(unframed(&response), None);
    assert_eq!(unframed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
}
