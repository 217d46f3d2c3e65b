use super::*;

struct Bench {
    table: ConnectionTable<&'static str>,
    start: Instant,
}

impl Bench {
    fn new(max_connections: usize, max_per_peer: usize) -> Self {
        let limits = ConnectionLimits { max_connections, max_per_peer, ..ConnectionLimits::default() };
        Self { table: ConnectionTable::new(limits), start: Instant::now() }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn accept(&mut self, seconds: u64, remote: &str, name: &'static str) -> (ConnectionId, Option<&'static str>) {
        self.table.open(self.at(seconds), (Transport::Tcp, remote.parse().unwrap()), Opener::Peer, name)
    }

    /// The name of what a flow goes by, if that is there.
    fn by(&self, flow: &Flow) -> Option<(ConnectionId, &'static str)> {
        match self.table.way(flow) {
            Way::By(id, name) => Some((id, name)),
            Way::Open(..) | Way::Unknown => None,
        }
    }

    fn hear(&mut self, seconds: u64, id: ConnectionId) {
        self.table.used(self.at(seconds), id, true);
    }

    fn assert_empty(&self) {
        assert_eq!(self.table.len(), 0);
        assert!(self.table.ranks.is_empty() && self.table.by_peer.is_empty());
        assert!(self.table.by_remote.is_empty() && self.table.by_alias.is_empty());
    }
}

fn flow(remote: &str, connection: Option<ConnectionId>) -> Flow {
    Flow { connection, ..Flow::tcp("192.0.2.1:5060".parse().unwrap(), remote.parse().unwrap()) }
}

#[test]
fn a_flow_goes_by_its_own_connection_and_by_any_other_to_the_same_address_once_that_is_gone() {
    let mut bench = Bench::new(10, 10);
    let (first, _) = bench.accept(0, "192.0.2.9:4000", "first");
    let (second, _) = bench.accept(0, "192.0.2.9:4000", "second");
    let by = |bench: &Bench, id| bench.by(&flow("192.0.2.9:4000", id)).map(|(_, name)| name);
    assert_eq!(by(&bench, Some(first)), Some("first"));
    assert_eq!(by(&bench, None), Some("second"));
    bench.table.close(first);
    assert_eq!(by(&bench, Some(first)), Some("second"));
    bench.table.close(second);
    assert_eq!(by(&bench, Some(first)), None);
    bench.assert_empty();
}

#[test]
fn what_is_meant_for_tls_never_goes_by_a_connection_in_clear_nor_the_other_way_round() {
    let mut bench = Bench::new(10, 10);
    let (in_clear, _) = bench.accept(0, "192.0.2.9:4000", "in clear");
    let wanted = |connection| Flow { transport: Transport::Tls, ..flow("192.0.2.9:4000", connection) };
    assert!(bench.by(&wanted(Some(in_clear))).is_none() && bench.by(&wanted(None)).is_none());
    let to = (Transport::Tls, "192.0.2.9:4000".parse().unwrap());
    let (secured, _) = bench.table.open(bench.at(0), to, Opener::Peer, "secured");
    assert_eq!(bench.by(&wanted(Some(in_clear))).map(|(id, _)| id), Some(secured));
    assert_eq!(bench.by(&flow("192.0.2.9:4000", Some(secured))).map(|(id, _)| id), Some(in_clear));
    bench.table.close(in_clear);
    bench.table.close(secured);
    bench.assert_empty();
}

#[test]
fn when_all_places_are_taken_the_one_idle_the_longest_goes() {
    let mut bench = Bench::new(2, 10);
    let (a, _) = bench.accept(0, "192.0.2.1:1", "a");
    let (b, _) = bench.accept(1, "192.0.2.2:1", "b");
    bench.hear(2, a);
    bench.hear(3, b);
    bench.hear(4, a);
    assert_eq!(bench.accept(5, "192.0.2.3:1", "c").1, Some("b"));
    assert_eq!(bench.table.len(), 2);
}

#[test]
fn a_stranger_that_has_said_nothing_goes_before_whoever_has() {
    let mut bench = Bench::new(2, 10);
    let (phone, _) = bench.accept(0, "192.0.2.1:1", "phone");
    bench.hear(0, phone);
    bench.accept(100, "192.0.2.2:1", "silent");
    assert_eq!(bench.accept(101, "192.0.2.3:1", "another").1, Some("silent"));
    // However many more come, the phone stays.
    assert_eq!(bench.accept(102, "192.0.2.4:1", "third").1, Some("another"));
    assert!(bench.by(&flow("192.0.2.1:1", None)).is_some());
}

#[test]
fn a_peer_with_too_many_connections_loses_one_of_its_own() {
    let mut bench = Bench::new(10, 2);
    let (other, _) = bench.accept(0, "192.0.2.9:1", "other");
    bench.hear(0, other);
    bench.accept(1, "192.0.2.1:1", "first");
    bench.accept(2, "192.0.2.1:2", "second");
    assert_eq!(bench.accept(3, "192.0.2.1:3", "third").1, Some("first"));
    assert_eq!(bench.table.len(), 3);
}

#[test]
fn an_ipv6_network_is_one_peer_and_a_mapped_address_is_its_ipv4_address() {
    let mut bench = Bench::new(10, 2);
    bench.accept(1, "[2001:db8:0:1::1]:1", "first");
    bench.accept(2, "[2001:db8:0:1:ffff::2]:1", "second");
    assert_eq!(bench.accept(3, "[2001:db8:0:2::1]:1", "neighbour").1, None);
    assert_eq!(bench.accept(4, "[2001:db8:0:1::3]:1", "third").1, Some("first"));
    bench.accept(5, "192.0.2.1:1", "fourth");
    bench.accept(6, "[::ffff:192.0.2.1]:2", "fifth");
    assert_eq!(bench.accept(7, "192.0.2.1:3", "sixth").1, Some("fourth"));
    assert_eq!(bench.accept(8, "192.0.2.2:1", "another").1, None);
}

#[test]
fn a_stranger_that_only_pings_expires_and_goes_first_all_the_same() {
    let mut bench = Bench::new(2, 10);
    let (pinging, _) = bench.accept(0, "192.0.2.1:1", "pinging");
    bench.accept(1, "192.0.2.2:1", "silent");
    for second in 0..32 {
        bench.table.used(bench.at(second), pinging, false);
    }
    assert_eq!(bench.table.expires_at(pinging), Some(bench.at(32)));
    assert_eq!(bench.accept(31, "192.0.2.3:1", "another").1, Some("pinging"));
}

#[test]
fn a_connection_expires_when_it_is_idle_and_a_silent_stranger_sooner() {
    let mut bench = Bench::new(10, 10);
    let (id, _) = bench.accept(0, "192.0.2.1:1", "a");
    assert_eq!(bench.table.expires_at(id), Some(bench.at(32)));
    bench.hear(10, id);
    assert_eq!(bench.table.expires_at(id), Some(bench.at(610)));
    // Once it is known a keep-alive, or what we send, is use enough.
    bench.table.used(bench.at(20), id, false);
    assert_eq!(bench.table.expires_at(id), Some(bench.at(620)));
    bench.table.close(id);
    assert_eq!(bench.table.expires_at(id), None);
    bench.assert_empty();
}

/// A peer that has to prove a name, at the port that it listens on.
fn peer(remote: &str, name: &str) -> NamedPeer {
    NamedPeer { remote: remote.parse().unwrap(), name: name.parse().unwrap() }
}

/// The flow that leads there.
fn to(bench: &mut Bench, remote: &str, name: &str) -> Flow {
    let connection = bench.table.lead_to(peer(remote, name));
    Flow { transport: Transport::Tls, ..flow(remote, Some(connection)) }
}

/// Opens the connection that a flow asks for.
fn open(bench: &mut Bench, flow: &Flow) -> ConnectionId {
    let Way::Open(remote, opener) = bench.table.way(flow) else { panic!("there is a connection: {flow}") };
    assert!(matches!(opener, Opener::UsTo(_)));
    bench.table.open(bench.at(0), (Transport::Tls, remote), opener, "ours").0
}

fn names(names: &[&str]) -> Arc<[PeerName]> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A TLS connection that a peer has opened.
fn accept_tls(bench: &mut Bench, remote: &str) -> ConnectionId {
    bench.table.open(bench.at(0), (Transport::Tls, remote.parse().unwrap()), Opener::Peer, "theirs").0
}

#[test]
fn a_connection_is_used_for_the_names_that_its_peer_has_proved_and_for_no_other() {
    let mut bench = Bench::new(10, 10);
    let to_a = to(&mut bench, "192.0.2.9:5061", "a.example");
    assert_eq!(to(&mut bench, "192.0.2.9:5061", "A.example."), to_a, "asking again gives the same");
    let first = open(&mut bench, &to_a);
    // It waits for the end of its handshake, and so does what is sent meanwhile.
    assert_eq!(bench.by(&to_a), Some((first, "ours")));
    let to_b = to(&mut bench, "192.0.2.9:5061", "b.example");
    assert_eq!(bench.by(&to_b), None, "it has not proved that");
    bench.table.proved(first, names(&["a.example", "b.example"]));
    assert_eq!(bench.by(&to_b), Some((first, "ours")), "it has (RFC 5923 §8.1)");
    for (remote, name) in
        [("192.0.2.9:5061", "c.example"), ("192.0.2.9:5071", "a.example"), ("192.0.2.8:5061", "a.example")]
    {
        let elsewhere = to(&mut bench, remote, name);
        assert_eq!(bench.by(&elsewhere), None, "{remote} {name}");
    }
}

#[test]
fn a_flow_leads_to_its_peer_when_the_connection_is_gone() {
    let mut bench = Bench::new(10, 10);
    let to_a = to(&mut bench, "192.0.2.9:5061", "a.example");
    let first = open(&mut bench, &to_a);
    let by_first = Flow { connection: Some(first), ..to_a };
    bench.table.proved(first, names(&["a.example"]));
    bench.table.close(first);
    for flow in [to_a, by_first] {
        assert!(bench.by(&flow).is_none());
    }
    let second = open(&mut bench, &by_first);
    for flow in [to_a, by_first] {
        assert_eq!(bench.by(&flow), Some((second, "ours")));
    }
    bench.table.close(second);
    bench.assert_empty();
}

#[test]
fn a_flow_by_one_connection_alone_leads_to_no_stranger_once_that_is_gone_rfc_5626_5_3_1() {
    let mut bench = Bench::new(10, 10);
    let (first, _) = bench.accept(0, "192.0.2.9:4000", "first");
    let alone = flow("192.0.2.9:4000", Some(first.alone()));
    assert_eq!(bench.by(&alone), Some((first, "first")));
    assert_eq!(ConnectionId::from_number(first.alone().number()), first.alone());
    let (stranger, _) = bench.accept(0, "192.0.2.9:4000", "stranger");
    bench.table.close(first);
    assert!(matches!(bench.table.way(&alone), Way::Unknown));
    bench.table.close(stranger);
    assert!(matches!(bench.table.way(&alone), Way::Unknown), "nor is one opened");
    assert!(matches!(bench.table.way(&flow("192.0.2.9:4000", Some(first))), Way::Open(..)));
}

#[test]
fn a_flow_to_a_name_that_is_forgotten_leads_nowhere() {
    let mut bench = Bench::new(2, 10);
    let first = to(&mut bench, "192.0.2.9:5061", "a.example");
    let theirs = accept_tls(&mut bench, "192.0.2.9:5061");
    bench.table.proved(theirs, names(&["elsewhere.example"]));
    for number in 0..3 {
        to(&mut bench, "192.0.2.9:5061", &format!("{number}.example"));
    }
    assert!(matches!(bench.table.way(&first), Way::Unknown));
    // Somebody at the same address is not asked instead, but where anybody there will do.
    assert_eq!(bench.by(&Flow { connection: None, ..first }), Some((theirs, "theirs")));
}

#[test]
fn what_is_for_anybody_at_an_address_does_not_go_by_a_connection_of_ours_to_a_name() {
    let mut bench = Bench::new(10, 10);
    let to_a = to(&mut bench, "192.0.2.9:5061", "a.example");
    let ours = open(&mut bench, &to_a);
    bench.table.proved(ours, names(&["a.example"]));
    assert!(matches!(bench.table.way(&Flow { connection: None, ..to_a }), Way::Unknown));
}

#[test]
fn a_peer_that_has_proved_its_name_is_reached_by_the_connection_that_it_has_opened() {
    let mut bench = Bench::new(10, 10);
    let theirs = accept_tls(&mut bench, "192.0.2.9:40123");
    let to_a = to(&mut bench, "192.0.2.9:5061", "a.example");
    // Whoever proves nothing makes no alias (RFC 5923 §9.2), and whoever makes none is not reached by it.
    assert!(!bench.table.alias(theirs, 5061));
    bench.table.proved(theirs, names(&["a.example"]));
    assert!(bench.by(&to_a).is_none());
    assert!(bench.table.alias(theirs, 5061) && bench.table.alias(theirs, 5061));
    assert_eq!(bench.by(&to_a), Some((theirs, "theirs")));
    // Not for another name, address or port.
    for (remote, name) in
        [("192.0.2.9:5061", "b.example"), ("192.0.2.8:5061", "a.example"), ("192.0.2.9:5062", "a.example")]
    {
        let elsewhere = to(&mut bench, remote, name);
        assert!(bench.by(&elsewhere).is_none(), "{remote} {name}");
    }
    // The last that it says counts.
    assert!(bench.table.alias(theirs, 5062));
    assert!(bench.by(&to_a).is_none());
    let moved = to(&mut bench, "192.0.2.9:5062", "a.example");
    assert_eq!(bench.by(&moved), Some((theirs, "theirs")));
    bench.table.close(theirs);
    assert!(
        matches!(bench.table.way(&moved), Way::Open(_, Opener::UsTo(_))),
        "it is to be found where it listens (RFC 5923 §8.2)"
    );
    bench.assert_empty();
}

#[test]
fn no_alias_is_made_of_a_connection_that_we_have_opened() {
    let mut bench = Bench::new(10, 10);
    let to_a = to(&mut bench, "192.0.2.9:5061", "a.example");
    let ours = open(&mut bench, &to_a);
    bench.table.proved(ours, names(&["a.example"]));
    assert!(!bench.table.alias(ours, 5071));
    assert!(!bench.table.alias(ConnectionId::new(77), 5071));
}
