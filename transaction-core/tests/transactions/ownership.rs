//! Shards behind one address, in virtual time: whatever socket or connection a message comes by, one table sees all of its Call-ID.
//!
//! A history a seed (`BLETHER_SEED` replays one). Peers call the shards and are called by them; every datagram to the shards comes by a
//! socket or connection of its own choosing, a resend by another than the first. Most of what a peer sends is made by real client
//! transactions; a merged request is its INVITE again with another branch.
//!
//! The invariants, by the names that a failure bears: *one table*, *reported once*, *one branch is served* (of a merged request, the other is
//! answered 482 unless the first was refused before it came), *cancel finds its INVITE*, *ACK finds its INVITE*, *response finds its request*, *nothing is left*.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blether_sip_core::{Limits, Message, Method, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_testkit::{Impairment, SimulatedNetwork, seeds};
use blether_transaction_core::{
    ClientTransactionId, Event, Owner, Ownership, Router, ServerTransactionId, ShardIndex, Transactions,
    TransactionsConfig, Way,
};
use bytes::Bytes;
use rand::RngExt;
use rand::rngs::StdRng;

const SEEDS: u64 = 2_000;
const CALLS: u64 = 3;
const SHARDS: &str = "192.0.2.1:5060";
const PEER: &str = "192.0.2.2:5060";

/// Which shard handles what has come.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// The owner of its Call-ID.
    Owner,
    /// The one to which it came: what the invariants must notice.
    Receiver,
}

enum Chore {
    Call(u64),
    CallPeer(u64),
    Cancel(ClientTransactionId),
    /// A request within a dialog, or the INVITE once more by another way.
    Say(Box<Request>),
    Respond(usize, ServerTransactionId, Box<Request>, u16),
}

/// What a history was about.
#[derive(Default)]
struct Happened {
    cancelled: usize,
    acknowledged: usize,
    merged: usize,
    /// Served after another branch was refused, as a serial fork's next try is.
    searched: usize,
}

struct Asked {
    call_id: String,
    ended: bool,
}

struct Shard {
    transactions: Transactions,
    router: Router,
    passed: VecDeque<(Instant, Flow, Bytes)>,
    /// Branches of the requests whose transactions live.
    open: BTreeMap<ServerTransactionId, (Method, String)>,
    /// Those of them that were refused.
    over: BTreeSet<ServerTransactionId>,
}

struct World {
    rule: Rule,
    network: SimulatedNetwork,
    rng: StdRng,
    shards: Vec<Shard>,
    peer: Transactions,
    chores: BTreeMap<(Instant, u64), Chore>,
    planned: u64,
    /// By Call-ID.
    seen_by: BTreeMap<String, BTreeSet<usize>>,
    reported: BTreeSet<(Method, String)>,
    /// Branches of INVITEs that were answered 482.
    refused: BTreeSet<String>,
    /// What we asked, and whether it has ended.
    asked: BTreeMap<Owner, Asked>,
    peer_invites: BTreeMap<Owner, Request>,
    violation: Option<String>,
    cancelled: usize,
    acknowledged: usize,
    searched: usize,
}

impl World {
    fn new(seed: u64, rule: Rule) -> Self {
        let mut network = SimulatedNetwork::new(seed);
        let mut rng = network.rng();
        let ms = |ms: u64| Duration::from_millis(ms);
        let (loss, duplicate, reorder) =
            (rng.random_range(0.0..0.15), rng.random_range(0.0..0.3), rng.random_range(0.0..0.3));
        let (delay, jitter) = (ms(rng.random_range(0..80)), ms(rng.random_range(0..80)));
        network.set_impairment(Impairment { loss, duplicate, reorder, delay, jitter });
        let ownership = Ownership::new(rng.random_range(2..9), &mut rng);
        let shards = (0..ownership.shards())
            .map(|index| Shard {
                transactions: Transactions::new(TransactionsConfig::default(), network.rng()),
                router: Router::new(ownership, ShardIndex(index)),
                passed: VecDeque::new(),
                open: BTreeMap::new(),
                over: BTreeSet::new(),
            })
            .collect();
        let peer = Transactions::new(TransactionsConfig::default(), network.rng());
        let mut world = Self {
            rule,
            network,
            rng,
            shards,
            peer,
            chores: BTreeMap::new(),
            planned: 0,
            seen_by: BTreeMap::new(),
            reported: BTreeSet::new(),
            refused: BTreeSet::new(),
            asked: BTreeMap::new(),
            peer_invites: BTreeMap::new(),
            violation: None,
            cancelled: 0,
            acknowledged: 0,
            searched: 0,
        };
        for number in 0..CALLS {
            world.plan(0..5_000, Chore::Call(number));
            world.plan(0..5_000, Chore::CallPeer(CALLS + number));
        }
        world
    }

    fn plan(&mut self, ms: std::ops::Range<u64>, chore: Chore) {
        self.planned += 1;
        let at = self.network.now() + Duration::from_millis(self.rng.random_range(ms));
        self.chores.insert((at, self.planned), chore);
    }

    fn violated(&mut self, what: impl Into<String>) {
        self.violation.get_or_insert(what.into());
    }

    fn run(mut self) -> Result<Happened, String> {
        while let Some(next) = self.next() {
            self.network.advance_to(next);
            self.deliver();
            self.work();
            for index in 0..self.shards.len() {
                self.settle_shard(index);
            }
            self.settle_peer();
            if let Some(violation) = self.violation {
                return Err(format!("{violation} (seed {})", self.network.seed()));
            }
            assert!(self.network.elapsed() < Duration::from_secs(400), "the traffic does not end");
        }
        let left: usize = self.shards.iter().map(|shard| shard.transactions.counts().total() + shard.open.len()).sum();
        if left + self.peer.counts().total() > 0 || self.asked.values().any(|asked| !asked.ended) {
            return Err(format!("nothing is left: {left} transactions are (seed {})", self.network.seed()));
        }
        let (cancelled, acknowledged, searched) = (self.cancelled, self.acknowledged, self.searched);
        Ok(Happened { cancelled, acknowledged, merged: self.refused.len(), searched })
    }

    fn next(&self) -> Option<Instant> {
        let timers = self.shards.iter().filter_map(|shard| shard.transactions.poll_timeout());
        let passed = self.shards.iter().filter_map(|shard| shard.passed.front().map(|(due, ..)| *due));
        let chores = self.chores.keys().map(|&(at, _)| at).take(1);
        timers.chain(passed).chain(chores).chain(self.peer.poll_timeout()).chain(self.network.next_event_at()).min()
    }

    fn deliver(&mut self) {
        while let Some((_, from, to, bytes)) = self.network.poll_deliver() {
            if to == address(PEER) {
                self.peer.handle_datagram(self.network.now(), Flow::udp(to, from), bytes);
            } else {
                self.arrive(from, bytes);
            }
        }
        let now = self.network.now();
        for index in 0..self.shards.len() {
            while let Some((_, flow, bytes)) = self.shards[index].passed.pop_front_if(|(due, ..)| *due <= now) {
                self.handle(index, flow, &bytes);
            }
        }
    }

    /// A datagram comes by whatever way it likes.
    fn arrive(&mut self, from: SocketAddr, bytes: Bytes) {
        let receiver = self.rng.random_range(0..self.shards.len());
        let flow = Flow::udp(address(SHARDS), from);
        let router = self.shards[receiver].router;
        if self.rule == Rule::Receiver {
            self.handle(receiver, flow, &bytes);
        } else if self.rng.random_bool(0.4) {
            // As a connection's task does, which passes to the owner at once. The flow stays that of a datagram, for the peer resends.
            let owner = router.ownership().owner_of_message(&bytes).unwrap_or(ShardIndex(0));
            self.pass(owner, flow, bytes);
        } else {
            match router.route(&bytes) {
                Way::Here => self.handle(receiver, flow, &bytes),
                Way::Pass { to, .. } => self.pass(to, flow, bytes),
            }
        }
    }

    /// A queue keeps its order, and takes its time.
    fn pass(&mut self, to: ShardIndex, flow: Flow, bytes: Bytes) {
        let due = self.network.now() + Duration::from_millis(self.rng.random_range(0..20));
        let passed = &mut self.shards[usize::from(to.0)].passed;
        let due = passed.back().map_or(due, |(last, ..)| due.max(*last));
        passed.push_back((due, flow, bytes));
    }

    fn handle(&mut self, index: usize, flow: Flow, bytes: &Bytes) {
        let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
        let seen_by = self.seen_by.entry(message.call_id().to_string()).or_default();
        seen_by.insert(index);
        if seen_by.len() > 1 {
            let violation = format!("one table: {} came to {seen_by:?}", message.call_id());
            // Told only of the true rule: a false one is to break the others as well.
            if self.rule == Rule::Owner {
                self.violated(violation);
            }
        }
        let strays = self.shards[index].transactions.counters().stray_responses;
        self.shards[index].transactions.handle_datagram(self.network.now(), flow, bytes.clone());
        if self.shards[index].transactions.counters().stray_responses > strays {
            let call_id = message.call_id();
            if self.asked.values().any(|asked| !asked.ended && asked.call_id == **call_id) {
                self.violated(format!("response finds its request: {call_id} is unknown to shard {index}"));
            }
        }
    }

    fn work(&mut self) {
        let now = self.network.now();
        self.peer.handle_timeout(now);
        for shard in &mut self.shards {
            shard.transactions.handle_timeout(now);
        }
        while let Some(entry) = self.chores.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Chore::Call(number) => self.call(now, number),
                Chore::CallPeer(number) => self.call_peer(now, number),
                Chore::Cancel(id) => self.peer.cancel(now, id),
                Chore::Say(request) => self.say(request.to_bytes()),
                Chore::Respond(index, id, request, code) => {
                    let response = Response::to_request(&request, StatusCode::new(code).unwrap()).to_tag("u").build();
                    // It may have been cancelled, or be over, meanwhile.
                    let taken = self.shards[index].transactions.respond(now, id, response).is_ok();
                    if taken && code >= 300 {
                        self.shards[index].over.insert(id);
                    }
                }
            }
        }
    }

    /// The peer calls.
    fn call(&mut self, now: Instant, number: u64) {
        let invite = request(Method::Invite, PEER, (SHARDS, "<sip:x@a>"), &format!("peer-{number}"), 1);
        let flow = Flow::udp(address(PEER), address(SHARDS));
        let id = self.peer.request(now, invite, flow, Owner(number)).unwrap();
        if self.rng.random_bool(0.4) {
            self.plan(100..4_000, Chore::Cancel(id));
        }
        // No timer runs after a 1xx.
        self.plan(60_000..61_000, Chore::Cancel(id));
    }

    /// A shard calls.
    fn call_peer(&mut self, now: Instant, number: u64) {
        let shard = self.rng.random_range(0..self.shards.len());
        let call_id = self.shards[shard].router.new_call_id(&mut self.rng);
        let options = request(Method::Options, SHARDS, (PEER, "<sip:x@a>"), call_id.as_str(), 1);
        let flow = Flow::udp(address(SHARDS), address(PEER));
        self.shards[shard].transactions.request(now, options, flow, Owner(number)).unwrap();
        self.asked.insert(Owner(number), Asked { call_id: call_id.to_string(), ended: false });
    }

    fn say(&mut self, bytes: Bytes) {
        let form = ["Call-ID:", "i:", "CALL-ID \t: ", "Call-ID:\r\n "][self.rng.random_range(0..4)];
        let text = String::from_utf8(bytes.to_vec()).unwrap().replacen("Call-ID:", form, 1);
        self.network.send(address(PEER), address(SHARDS), Bytes::from(text));
    }

    fn settle_shard(&mut self, index: usize) {
        let mut refusals = Vec::new();
        while let Some(transmit) = self.shards[index].transactions.poll_transmit() {
            if transmit.payload.starts_with(b"SIP/2.0 481") {
                let text = String::from_utf8_lossy(&transmit.payload).into_owned();
                let open = |(method, branch): &(Method, String)| *method == Method::Invite && text.contains(branch);
                if self.shards.iter().any(|shard| shard.open.values().any(open)) {
                    self.violated("cancel finds its INVITE");
                }
            }
            if transmit.payload.starts_with(b"SIP/2.0 482") {
                refusals.push(transmit.payload.clone());
            }
            self.network.send(address(SHARDS), transmit.flow.remote, transmit.payload);
        }
        while let Some(event) = self.shards[index].transactions.poll_event() {
            self.shard_hears(index, event);
        }
        // What was served may have come at the same instant.
        for refusal in refusals {
            self.shard_refuses(&refusal);
        }
    }

    /// A 482 goes to a branch that was not served, because the other was.
    fn shard_refuses(&mut self, payload: &Bytes) {
        let Message::Response(response) = Message::parse(payload.clone(), &Limits::default()).unwrap() else { return };
        let branch = response.via().branch().unwrap().to_owned();
        let reported = |wanted: &dyn Fn(&str) -> bool| {
            self.reported.iter().any(|(method, known)| *method == Method::Invite && wanted(known))
        };
        if reported(&|known| known == branch) || !reported(&|known| same_but_merged(known, &branch)) {
            self.violated(format!("one branch is served: {branch} is refused"));
        }
        self.refused.insert(branch);
    }

    fn shard_hears(&mut self, index: usize, event: Event) {
        match event {
            Event::Request { id, request, .. } => {
                let branch = request.via().branch().unwrap().to_owned();
                let key = (request.method().clone(), branch);
                if !self.reported.insert(key.clone()) {
                    self.violated(format!("reported once: {key:?}"));
                }
                let merged = |(method, branch): &(Method, String)| {
                    *method == Method::Invite && same_but_merged(branch, &key.1) && key.0 == Method::Invite
                };
                let (mut served, mut searched) = (false, false);
                for shard in &self.shards {
                    for (id, _) in shard.open.iter().filter(|(_, open)| merged(open)) {
                        let over = shard.over.contains(id);
                        (served, searched) = (served | !over, searched | over);
                    }
                }
                self.searched += usize::from(searched && !served);
                if served || self.refused.contains(&key.1) {
                    self.violated(format!("one branch is served: {key:?} as well"));
                }
                self.shards[index].open.insert(id, key);
                if *request.method() == Method::Invite {
                    let code = [200, 200, 486, 603][self.rng.random_range(0..4)];
                    self.plan(0..6_000, Chore::Respond(index, id, Box::new(request), code));
                } else {
                    self.plan(0..300, Chore::Respond(index, id, Box::new(request), 200));
                }
            }
            Event::Cancelled { id, .. } => {
                self.cancelled += 1;
                let (_, branch) = self.shards[index].open[&id].clone();
                let invite = self.peer_invites.values().find(|invite| {
                    let known = invite.via().branch().unwrap_or_default();
                    known == branch || same_but_merged(known, &branch)
                });
                let invite = invite.cloned().unwrap();
                self.plan(0..500, Chore::Respond(index, id, Box::new(invite), 487));
            }
            Event::Ack { request, .. } => {
                let key = (Method::Invite, request.via().branch().unwrap().to_owned());
                if self.shards.iter().any(|shard| shard.open.values().any(|open| *open == key)) {
                    self.violated(format!("ACK finds its INVITE: {key:?}"));
                }
                self.acknowledged += 1;
            }
            Event::ServerTerminated { id, .. } => {
                self.shards[index].open.remove(&id);
                self.shards[index].over.remove(&id);
            }
            Event::ClientTerminated { owner, .. } => self.asked.get_mut(&owner).unwrap().ended = true,
            Event::Response { .. } | Event::Failed { .. } | Event::NotAcknowledged { .. } => {}
            other => panic!("not expected: {other:?}"),
        }
    }

    fn settle_peer(&mut self) {
        while let Some(transmit) = self.peer.poll_transmit() {
            self.note_and_say(&transmit.payload);
        }
        let now = self.network.now();
        while let Some(event) = self.peer.poll_event() {
            match event {
                Event::Request { id, request, .. } => {
                    let ok = Response::to_request(&request, StatusCode::OK).build();
                    self.peer.respond(now, id, ok).unwrap();
                }
                Event::Response { owner, response, flow, .. } if response.cseq().method == Method::Invite => {
                    self.peer_hears(now, owner, &response, flow);
                }
                _ => {}
            }
        }
        while let Some(transmit) = self.peer.poll_transmit() {
            self.note_and_say(&transmit.payload);
        }
    }

    /// Some INVITEs come a second time by another way: a proxy has forked them (RFC 3261 §8.2.2.2).
    fn note_and_say(&mut self, payload: &Bytes) {
        if let Ok(Message::Request(request)) = Message::parse(payload.clone(), &Limits::default())
            && *request.method() == Method::Invite
        {
            let number: u64 = request.call_id().trim_start_matches("peer-").parse().unwrap();
            if self.peer_invites.insert(Owner(number), request.clone()).is_none() && self.rng.random_bool(0.3) {
                let text = String::from_utf8(payload.to_vec()).unwrap().replacen("z9hG4bK", "z9hG4bKmerged", 1);
                let merged = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
                let Message::Request(merged) = merged else { panic!("it was a request") };
                self.plan(0..4_000, Chore::Say(Box::new(merged)));
            }
        }
        self.say(payload.clone());
    }

    fn peer_hears(&mut self, now: Instant, owner: Owner, response: &Response, flow: Flow) {
        if !response.status().is_success() {
            return;
        }
        let call_id = response.call_id().to_string();
        let to = response.to().to_string();
        let follow = |method, cseq| request(method, PEER, (SHARDS, &to), &call_id, cseq);
        self.peer.acknowledge(now, follow(Method::Ack, 1), flow);
        // Once: a 2xx that comes again is only acknowledged again.
        if self.peer_invites.contains_key(&owner) && self.rng.random_bool(0.8) {
            let _ = self.peer.request(now, follow(Method::Bye, 2), flow, Owner(owner.0 + 1_000));
        }
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Whether one branch is that of the other's merged copy.
fn same_but_merged(one: &str, other: &str) -> bool {
    one != other && one.replace("merged", "") == other.replace("merged", "")
}

fn request(method: Method, from: &str, (host, to): (&str, &str), call_id: &str, cseq: u32) -> Request {
    let uri: Uri = format!("sip:x@{host}").parse().unwrap();
    Request::builder(method, uri)
        .from(format!("<sip:me@{from}>;tag=f").parse().unwrap())
        .to(to.parse().unwrap())
        .call_id(call_id)
        .cseq(cseq)
        .build()
        .unwrap()
}

#[test]
fn one_table_sees_all_of_a_call_id_whatever_way_its_messages_come() {
    let mut all = Happened::default();
    let seeds = seeds(SEEDS);
    println!("seeds {seeds:?}");
    for seed in seeds {
        let one = World::new(seed, Rule::Owner).run().unwrap_or_else(|violation| panic!("{violation}"));
        all.cancelled += one.cancelled;
        all.acknowledged += one.acknowledged;
        all.merged += one.merged;
        all.searched += one.searched;
    }
    let Happened { cancelled, acknowledged, merged, searched } = all;
    println!(
        "{cancelled} cancelled, {acknowledged} acknowledged, {merged} merged requests refused, {searched} searched on"
    );
    if std::env::var_os("BLETHER_SEED").is_none() {
        assert!(cancelled > 500 && acknowledged > 500 && merged > 500, "{cancelled} {acknowledged} {merged}");
        assert!(searched > 100, "{searched}");
    }
}

#[test]
fn a_rule_that_looks_at_the_way_instead_breaks_the_invariants() {
    let violations: Vec<_> = (0..60).filter_map(|seed| World::new(seed, Rule::Receiver).run().err()).collect();
    assert!(violations.len() > 50, "{} of 60 were noticed", violations.len());
    for invariant in ["reported once", "one branch is served", "cancel finds", "response finds"] {
        assert!(violations.iter().any(|violation| violation.starts_with(invariant)), "{invariant}: {violations:?}");
    }
}
