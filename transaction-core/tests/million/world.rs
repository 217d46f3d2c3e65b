//! Two tables, their users, and the link between them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use blether_sip_core::{Method, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_testkit::{Impairment, SimulatedNetwork};
use blether_transaction_core::{
    ClientTransactionId, Event, Owner, ServerTransactionId, Timing, Transactions, TransactionsConfig,
};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::oracle::{Asked, Served};

/// Of each side in one history.
const REQUESTS: u64 = 100;
/// By when all of them have begun.
const BEGIN_WITHIN: Range<u64> = 0..60_000;

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
    uri: Uri,
    rng: StdRng,
    chores: BTreeMap<(Instant, u64), Chore>,
    planned: u64,
    asked: HashMap<Owner, Asked>,
    owners: HashMap<u128, Owner>,
    served: HashMap<ServerTransactionId, Served>,
    by_branch: HashMap<u128, ServerTransactionId>,
    invites: HashMap<ServerTransactionId, Request>,
    /// Branches that may not be reported again.
    reported: HashSet<u128>,
    /// By Call-ID: the 2xx need not be said again.
    acknowledged: HashSet<String>,
    ended: u64,
    count: u64,
    violation: Option<String>,
}

/// A history.
pub(crate) struct World {
    network: SimulatedNetwork,
    sides: [Side; 2],
}

impl World {
    /// Of tables that keep these times.
    pub(crate) fn new(seed: u64, timing: Timing) -> Self {
        let mut network = SimulatedNetwork::new(seed);
        let mut rng = network.rng();
        let mut part = |most: f64| rng.random_range(0.0..most);
        let (loss, duplicate, reorder) = (part(0.35), part(0.2), part(0.3));
        let [delay, jitter] = [part(0.3), part(0.3)].map(Duration::from_secs_f64);
        network.set_impairment(Impairment { loss, duplicate, reorder, delay, jitter });
        let [a, b] = ["192.0.2.1:5060", "192.0.2.2:5060"].map(|address| address.parse().unwrap());
        let sides = [Side::new(&mut network, timing, a, b), Side::new(&mut network, timing, b, a)];
        Self { network, sides }
    }

    /// Runs it to its end: how many transactions there were, or which invariant does not hold.
    pub(crate) fn run(mut self) -> Result<u64, String> {
        while let Some(next) = self.sides.iter().filter_map(Side::next).chain(self.network.next_event_at()).min() {
            self.network.advance_to(next);
            let now = self.network.now();
            while let Some((_, from, to, payload)) = self.network.poll_deliver() {
                let side = usize::from(self.sides[0].flow.local != to);
                let side = &mut self.sides[side];
                side.note_arrival(now, &payload);
                side.transactions.handle_datagram(now, Flow { remote: from, ..side.flow }, payload);
                side.settle(now, &mut self.network);
            }
            for side in &mut self.sides {
                side.work(now, &mut self.network);
                if let Some(violation) = side.violation.take() {
                    return Err(violation);
                }
            }
            if self.network.elapsed() > Duration::from_secs(400) {
                return Err("nothing is left: the traffic does not end".to_owned());
            }
        }
        for side in &self.sides {
            let left = (side.transactions.counts().total(), side.transactions.poll_timeout(), side.served.len());
            if left != (0, None, 0) || side.ended != REQUESTS {
                return Err(format!("nothing is left: {left:?}, {} of {REQUESTS} ended", side.ended));
            }
        }
        Ok(self.sides.iter().map(|side| side.count).sum())
    }
}

impl Side {
    fn new(network: &mut SimulatedNetwork, timing: Timing, local: SocketAddr, remote: SocketAddr) -> Self {
        let config = TransactionsConfig { timing, ..TransactionsConfig::default() };
        let mut side = Self {
            transactions: Transactions::new(config, network.rng()),
            flow: Flow::udp(local, remote),
            uri: format!("sip:peer@{remote}").parse().unwrap(),
            rng: network.rng(),
            chores: BTreeMap::new(),
            planned: 0,
            asked: HashMap::new(),
            owners: HashMap::new(),
            served: HashMap::new(),
            by_branch: HashMap::new(),
            invites: HashMap::new(),
            reported: HashSet::new(),
            acknowledged: HashSet::new(),
            ended: 0,
            count: 0,
            violation: None,
        };
        for number in 0..REQUESTS {
            side.plan(network.start(), BEGIN_WITHIN, Chore::Ask(number));
        }
        side
    }

    fn plan(&mut self, now: Instant, ms: Range<u64>, chore: Chore) {
        self.planned += 1;
        let at = now + Duration::from_millis(self.rng.random_range(ms));
        self.chores.insert((at, self.planned), chore);
    }

    fn next(&self) -> Option<Instant> {
        self.chores.keys().map(|&(at, _)| at).take(1).chain(self.transactions.poll_timeout()).min()
    }

    fn check(&mut self, result: Result<(), String>) {
        if let Err(violation) = result {
            self.violation.get_or_insert(violation);
        }
    }

    fn work(&mut self, now: Instant, network: &mut SimulatedNetwork) {
        if self.transactions.poll_timeout().is_some_and(|due| due <= now) {
            self.transactions.handle_timeout(now);
            self.settle(now, network);
        }
        while let Some(entry) = self.chores.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Chore::Ask(number) => self.ask(now, number),
                Chore::Cancel(id) => self.transactions.cancel(now, id),
                Chore::Repeat(id, request, wait) => {
                    if !self.acknowledged.contains(request.call_id().as_str()) && wait <= 16_000 {
                        self.respond(now, id, &request, 200);
                        self.plan(now, wait..wait + 1, Chore::Repeat(id, request, wait * 2));
                    }
                }
                Chore::Respond(id, request, code) => {
                    let taken = self.respond(now, id, &request, code);
                    if taken && code == 200 && *request.method() == Method::Invite {
                        self.plan(now, 500..501, Chore::Repeat(id, request, 1_000));
                    }
                }
            }
            self.settle(now, network);
        }
    }

    fn ask(&mut self, now: Instant, number: u64) {
        let invite = self.rng.random_bool(0.6);
        let method = if invite { Method::Invite } else { Method::Options };
        let request = Request::builder(method, self.uri.clone())
            .from(format!("<sip:me@{}>;tag={number}", self.flow.local).parse().unwrap())
            .to(format!("<{}>", self.uri).parse().unwrap())
            .call_id(&format!("{number}@{}", self.flow.local))
            .cseq(1)
            .build()
            .unwrap();
        let id = self.transactions.request(now, request, self.flow, Owner(number)).unwrap();
        self.asked.insert(
            Owner(number),
            Asked {
                invite,
                begun: now,
                sent: Vec::new(),
                provisional: None,
                answered: None,
                cancelled: None,
                failed: None,
            },
        );
        if invite {
            if self.rng.random_bool(0.3) {
                self.plan(now, 0..8_000, Chore::Cancel(id));
            }
            // No timer runs after a 1xx: a user that has waited long enough gives up by itself.
            self.plan(now, 60_000..61_000, Chore::Cancel(id));
        }
    }

    /// Says something in a server transaction; it may have been cancelled, or be over.
    fn respond(&mut self, now: Instant, id: ServerTransactionId, request: &Request, code: u16) -> bool {
        let response = Response::to_request(request, StatusCode::new(code).unwrap()).to_tag("u").build();
        let taken = self.transactions.respond(now, id, response).is_ok();
        if taken && let Some(served) = self.served.get_mut(&id) {
            served.spoken.get_or_insert(now);
            if code >= 200 {
                served.answered.get_or_insert((now, code));
            }
        }
        taken
    }

    /// Notes what the oracle wants to know of a datagram before the table takes it.
    fn note_arrival(&mut self, now: Instant, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap();
        let (ack, again) = (text.starts_with("ACK "), text.starts_with("INVITE ") || text.starts_with("OPTIONS "));
        if !ack && !again {
            return;
        }
        let Some(served) = self.by_branch.get(&branch_of(text)).and_then(|id| self.served.get_mut(id)) else { return };
        if again {
            served.copies.push(now);
        } else if served.answered.is_some_and(|(_, code)| code >= 300) {
            served.acknowledged.get_or_insert(now);
        }
    }

    fn settle(&mut self, now: Instant, network: &mut SimulatedNetwork) {
        loop {
            while let Some(transmit) = self.transactions.poll_transmit() {
                self.note_departure(now, &transmit.payload);
                network.send(transmit.flow.local, transmit.flow.remote, transmit.payload);
            }
            match self.transactions.poll_event() {
                Some(event) => self.hear(now, event),
                None => return,
            }
        }
    }

    fn note_departure(&mut self, now: Instant, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap();
        let branch = branch_of(text);
        if let Some(rest) = text.strip_prefix("SIP/2.0 ") {
            if text.contains(" CANCEL\r\n") {
                return;
            }
            if let Some(served) = self.by_branch.get(&branch).and_then(|id| self.served.get_mut(id)) {
                match rest.as_bytes()[0] {
                    b'1' if rest.starts_with("100") => _ = served.trying.get_or_insert(now),
                    b'1' => {}
                    _ => served.sent.push(now),
                }
            }
        } else if text.starts_with("CANCEL ") {
            self.count += 1;
            if let Some(asked) = self.owners.get(&branch).and_then(|owner| self.asked.get_mut(owner)) {
                asked.cancelled.get_or_insert(now);
            }
        } else if !text.starts_with("ACK ") {
            let number = text.split_once("Call-ID: ").unwrap().1.split_once('@').unwrap().0.parse().unwrap();
            self.owners.insert(branch, Owner(number));
            if let Some(asked) = self.asked.get_mut(&Owner(number)) {
                asked.sent.push(now);
            }
        }
    }

    fn hear(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { id, request, .. } => self.hear_request(now, id, request),
            Event::Cancelled { id, .. } => {
                let invite = self.invites[&id].clone();
                self.plan(now, 0..1_000, Chore::Respond(id, invite, 487));
            }
            Event::Response { owner, response, .. } => self.hear_response(now, owner, &response),
            Event::Failed { owner, failure, .. } => match self.asked.get_mut(&owner) {
                Some(asked) if asked.failed.is_none() => asked.failed = Some((now, failure)),
                _ => self.check(Err(format!("each request ends once: {owner:?} fails again"))),
            },
            Event::ClientTerminated { owner, .. } => {
                let checked = match self.asked.remove(&owner) {
                    Some(asked) => asked.check(now),
                    None => Err(format!("each request ends once: {owner:?} is over again")),
                };
                self.check(checked);
                (self.ended, self.count) = (self.ended + 1, self.count + 1);
            }
            Event::ServerTerminated { id, .. } => {
                // A CANCEL's is nobody's but the table's.
                self.count += 1;
                if let Some(served) = self.served.remove(&id) {
                    self.by_branch.remove(&served.branch);
                    if !served.invite {
                        // A copy that was under way for longer than the first may find nothing.
                        self.reported.remove(&served.branch);
                    }
                    self.invites.remove(&id);
                    self.check(served.check(now));
                }
            }
            Event::Ack { request, .. } => _ = self.acknowledged.insert(request.call_id().to_string()),
            Event::NotAcknowledged { id, .. } => {
                if let Some(served) = self.served.get_mut(&id) {
                    served.given_up = Some(now);
                }
            }
            other => panic!("not expected: {other:?}"),
        }
    }

    fn hear_request(&mut self, now: Instant, id: ServerTransactionId, request: Request) {
        let branch = number_of(request.via().branch().unwrap());
        if !self.reported.insert(branch) {
            self.check(Err(format!("reported once: {request:?}")));
        }
        let invite = *request.method() == Method::Invite;
        self.by_branch.insert(branch, id);
        self.served.insert(
            id,
            Served {
                branch,
                invite,
                begun: now,
                copies: Vec::new(),
                spoken: None,
                trying: None,
                answered: None,
                sent: Vec::new(),
                acknowledged: None,
                given_up: None,
            },
        );
        if invite {
            self.invites.insert(id, request.clone());
            if self.rng.random_bool(0.5) {
                self.plan(now, 0..3_000, Chore::Respond(id, request.clone(), 180));
            }
            let code = [200, 200, 302, 486, 603][self.rng.random_range(0..5)];
            self.plan(now, 0..20_000, Chore::Respond(id, request, code));
        } else if self.rng.random_bool(0.95) {
            let code = [200, 404][self.rng.random_range(0..2)];
            self.plan(now, 0..6_000, Chore::Respond(id, request, code));
        }
    }

    fn hear_response(&mut self, now: Instant, owner: Owner, response: &Response) {
        let code = response.status().code();
        let asked = match self.asked.get_mut(&owner) {
            Some(asked) if asked.failed.is_none() => asked,
            _ => return self.check(Err(format!("each request ends once: {owner:?} hears {code} after its end"))),
        };
        match asked.answered {
            None if code < 200 => _ = asked.provisional.get_or_insert(now),
            None => asked.answered = Some((now, code)),
            Some((_, 200..300)) if asked.invite && (200..300).contains(&code) => {}
            Some(answered) => {
                return self.check(Err(format!("each request ends once: {owner:?} hears {code} after {answered:?}")));
            }
        }
        if (200..300).contains(&code) && response.cseq().method == Method::Invite {
            let ack = Request::builder(Method::Ack, self.uri.clone())
                .from(response.from().clone())
                .to(response.to().clone())
                .call_id(response.call_id())
                .cseq(1)
                .build()
                .unwrap();
            self.transactions.acknowledge(now, ack, self.flow);
        }
    }
}

/// The branch of the topmost Via, as the number that it is.
fn branch_of(text: &str) -> u128 {
    number_of(text.split_once("branch=").unwrap().1)
}

fn number_of(branch: &str) -> u128 {
    u128::from_str_radix(&branch["z9hG4bK".len()..][..32], 16).unwrap()
}
