//! Random traffic between two tables over a bad network, a history a seed: `BLETHER_SEED` replays one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use blether_sip_core::{Method, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_testkit::{Impairment, SimulatedNetwork, seeds};
use blether_transaction_core::{
    ClientTransactionId, Event, Owner, ServerTransactionId, Transactions, TransactionsConfig,
};
use rand::RngExt;
use rand::rngs::StdRng;

const SEEDS: u64 = 2_000;
/// Of each side in one history.
const REQUESTS: u64 = 2;

/// What became of one request.
#[derive(Debug, Default)]
struct Outcome {
    finals: Vec<u16>,
    failures: usize,
    over: usize,
}

/// What a side has planned.
enum Chore {
    Ask(u64),
    Cancel(ClientTransactionId),
    Respond(ServerTransactionId, Request, u16),
    /// A 2xx again, which is the user's to do until it is acknowledged (RFC 3261 §13.3.1.4), and how long to wait after it.
    Repeat(ServerTransactionId, Request, u64),
}

struct Side {
    transactions: Transactions,
    flow: Flow,
    rng: StdRng,
    chores: BTreeMap<(Instant, u64), Chore>,
    planned: u64,
    asked: BTreeMap<Owner, Outcome>,
    /// By branch.
    reported: BTreeSet<String>,
    /// Requests left without an answer on purpose, by branch.
    unanswered: BTreeSet<String>,
    /// Server transactions that live, as far as their user was told.
    open: BTreeSet<ServerTransactionId>,
    invites: BTreeMap<ServerTransactionId, Request>,
    /// By Call-ID.
    acknowledged: BTreeSet<String>,
}

impl Side {
    fn new(network: &mut SimulatedNetwork, local: &str, remote: &str) -> Self {
        let flow = Flow::udp(local.parse().unwrap(), remote.parse().unwrap());
        let transactions = Transactions::new(TransactionsConfig::default(), network.rng());
        let mut side = Self {
            transactions,
            flow,
            rng: network.rng(),
            chores: BTreeMap::new(),
            planned: 0,
            asked: BTreeMap::new(),
            reported: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            open: BTreeSet::new(),
            invites: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        };
        for number in 0..REQUESTS {
            side.plan(network.start(), 0..60_000, Chore::Ask(number));
        }
        side
    }

    fn plan(&mut self, now: Instant, ms: std::ops::Range<u64>, chore: Chore) {
        self.planned += 1;
        let at = now + Duration::from_millis(self.rng.random_range(ms));
        self.chores.insert((at, self.planned), chore);
    }

    fn next(&self) -> Option<Instant> {
        self.chores.keys().map(|&(at, _)| at).chain(self.transactions.poll_timeout()).min()
    }

    fn work(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        while let Some(entry) = self.chores.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Chore::Ask(number) => self.ask(now, number),
                Chore::Cancel(id) => self.transactions.cancel(now, id),
                Chore::Repeat(id, request, wait) => {
                    if !self.acknowledged.contains(request.call_id().as_str()) && wait <= 16_000 {
                        let ok = Response::to_request(&request, StatusCode::OK).to_tag("u").build();
                        self.transactions.respond(now, id, ok).unwrap();
                        self.plan(now, wait..wait + 1, Chore::Repeat(id, request, wait * 2));
                    }
                }
                Chore::Respond(id, request, code) => {
                    let response = Response::to_request(&request, StatusCode::new(code).unwrap()).to_tag("u").build();
                    // It may have been cancelled, or be over, meanwhile.
                    let taken = self.transactions.respond(now, id, response).is_ok();
                    if taken && code == 200 && *request.method() == Method::Invite {
                        self.plan(now, 500..501, Chore::Repeat(id, request, 1_000));
                    }
                }
            }
        }
    }

    fn ask(&mut self, now: Instant, number: u64) {
        let method = if self.rng.random_bool(0.6) { Method::Invite } else { Method::Options };
        let uri: Uri = format!("sip:peer@{}", self.flow.remote).parse().unwrap();
        let request = Request::builder(method.clone(), uri.clone())
            .from(format!("<sip:me@{}>;tag={number}", self.flow.local).parse().unwrap())
            .to(format!("<{uri}>").parse().unwrap())
            .call_id(&format!("{number}@{}", self.flow.local))
            .cseq(1)
            .build()
            .unwrap();
        let id = self.transactions.request(now, request, self.flow, Owner(number)).unwrap();
        self.asked.insert(Owner(number), Outcome::default());
        if method == Method::Invite {
            if self.rng.random_bool(0.4) {
                self.plan(now, 0..8_000, Chore::Cancel(id));
            }
            // No timer runs after a 1xx: a user that has waited long enough gives up by itself.
            self.plan(now, 60_000..61_000, Chore::Cancel(id));
        }
    }

    fn hear_events(&mut self, now: Instant) {
        while let Some(event) = self.transactions.poll_event() {
            match event {
                Event::Request { id, request, .. } => self.asked_by_peer(now, id, request),
                Event::Cancelled { id, .. } => {
                    assert!(self.open.contains(&id));
                    let invite = self.invites[&id].clone();
                    self.plan(now, 0..1_000, Chore::Respond(id, invite, 487));
                }
                Event::Response { owner, response, .. } => self.answered(now, owner, &response),
                Event::Failed { owner, .. } => {
                    let outcome = self.asked.get_mut(&owner).unwrap();
                    assert_eq!(outcome.over, 0);
                    outcome.failures += 1;
                }
                Event::ClientTerminated { owner, .. } => self.asked.get_mut(&owner).unwrap().over += 1,
                Event::ServerTerminated { id, .. } => _ = self.open.remove(&id),
                Event::Ack { request, .. } => _ = self.acknowledged.insert(request.call_id().to_string()),
                Event::NotAcknowledged { .. } => {}
                other => panic!("not expected: {other:?}"),
            }
        }
    }

    fn asked_by_peer(&mut self, now: Instant, id: ServerTransactionId, request: Request) {
        let branch = request.via().branch().unwrap().to_owned();
        // A request that its user never answers is forgotten after 64 × T1 (RFC 4320 §4.2): the resend at 31.5 s, if it is under way for
        // half a second longer than the first was, then finds nothing.
        let forgotten = self.unanswered.contains(&branch);
        assert!(self.reported.insert(branch.clone()) || forgotten, "a server transaction is reported once");
        assert!(self.open.insert(id), "an id names one transaction");
        if *request.method() == Method::Invite {
            self.invites.insert(id, request.clone());
            if self.rng.random_bool(0.7) {
                self.plan(now, 0..3_000, Chore::Respond(id, request.clone(), 180));
            }
            let code = [200, 200, 302, 486, 603][self.rng.random_range(0..5)];
            self.plan(now, 0..20_000, Chore::Respond(id, request, code));
        } else if self.rng.random_bool(0.9) && !forgotten {
            let code = [200, 404][self.rng.random_range(0..2)];
            self.plan(now, 0..6_000, Chore::Respond(id, request, code));
        } else {
            self.unanswered.insert(branch);
        }
    }

    fn answered(&mut self, now: Instant, owner: Owner, response: &Response) {
        let outcome = self.asked.get_mut(&owner).unwrap();
        assert_eq!((outcome.over, outcome.failures), (0, 0), "nothing comes after the end");
        let code = response.status().code();
        if code < 200 {
            assert!(outcome.finals.is_empty(), "no 1xx comes after a final response");
            return;
        }
        outcome.finals.push(code);
        if code < 300 && response.cseq().method == Method::Invite {
            let ack = Request::builder(Method::Ack, format!("sip:peer@{}", self.flow.remote).parse::<Uri>().unwrap())
                .from(response.from().clone())
                .to(response.to().clone())
                .call_id(response.call_id())
                .cseq(1)
                .build()
                .unwrap();
            self.transactions.acknowledge(now, ack, self.flow);
        }
    }

    fn send(&mut self, network: &mut SimulatedNetwork) {
        while let Some(transmit) = self.transactions.poll_transmit() {
            network.send(transmit.flow.local, transmit.flow.remote, transmit.payload);
        }
    }

    fn assert_quiet(&self) {
        assert_eq!(self.transactions.counts().total(), 0, "no transaction is left");
        assert_eq!(self.transactions.poll_timeout(), None, "no timer is left");
        assert!(self.open.is_empty(), "each server transaction said that it is over");
        assert_eq!(self.asked.len() as u64, REQUESTS);
        for (owner, outcome) in &self.asked {
            assert_eq!(outcome.over, 1, "{owner:?}: {outcome:?}");
            let accepted = !outcome.finals.is_empty() && outcome.finals.iter().all(|code| *code < 300);
            let answered = accepted || outcome.finals.len() == 1;
            assert!(answered != (outcome.failures == 1) && outcome.failures <= 1, "{owner:?}: {outcome:?}");
        }
    }
}

/// Runs one history and tells how many requests were answered and how many failed.
fn history(seed: u64, worst: f64) -> (usize, usize) {
    let mut network = SimulatedNetwork::new(seed);
    let mut rng = network.rng();
    let mut part = |most: f64| if most == 0.0 { 0.0 } else { rng.random_range(0.0..most) };
    let (loss, duplicate, reorder) = (part(worst), part(worst), part(worst));
    let [delay, jitter] = [part(400.0), part(400.0)].map(|ms| Duration::from_micros((ms * 1_000.0) as u64));
    network.set_impairment(Impairment { loss, duplicate, reorder, delay, jitter });
    let [a, b] = ["192.0.2.1:5060", "192.0.2.2:5060"];
    let mut sides = [Side::new(&mut network, a, b), Side::new(&mut network, b, a)];
    while let Some(next) = sides.iter().filter_map(Side::next).chain(network.next_event_at()).min() {
        network.advance_to(next);
        let now = network.now();
        while let Some((_, from, to, payload)) = network.poll_deliver() {
            let side = sides.iter_mut().find(|side| side.flow.local == to).unwrap();
            side.transactions.handle_datagram(now, Flow { remote: from, ..side.flow }, payload);
        }
        for side in &mut sides {
            side.work(now);
            side.hear_events(now);
            side.send(&mut network);
        }
        assert!(network.elapsed() < Duration::from_secs(400), "the traffic does not end");
    }
    sides.iter().for_each(Side::assert_quiet);
    let outcomes = || sides.iter().flat_map(|side| side.asked.values());
    (
        outcomes().filter(|outcome| outcome.failures == 0).count(),
        outcomes().filter(|outcome| outcome.failures > 0).count(),
    )
}

#[test]
fn whatever_is_lost_doubled_or_overtaken_each_request_ends_once_and_nothing_is_left() {
    let (mut answered, mut failed) = (0, 0);
    for seed in seeds(SEEDS) {
        let (ok, not) = history(seed, 0.4);
        (answered, failed) = (answered + ok, failed + not);
    }
    assert!(answered > failed, "{answered} answered, {failed} failed");
}

#[test]
fn on_a_network_that_only_delays_only_what_is_never_answered_fails() {
    for seed in seeds(200) {
        let mut network_free = history(seed, 0.0);
        // One in ten of the non-INVITE requests is left without an answer on purpose.
        network_free.0 += network_free.1;
        assert_eq!(network_free.0 as u64, 2 * REQUESTS);
    }
}

#[test]
fn one_seed_is_one_history() {
    assert_eq!(history(11, 0.4), history(11, 0.4));
}
