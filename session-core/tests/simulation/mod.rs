//! Phones made of sessions and transactions, joined by a simulated network in virtual time.
//!
//! Each message that leaves is a line of the ladder: when (in ms), who to whom, what, and `lost` if the test wants it lost.

#![allow(dead_code, reason = "each test file uses its own part of this")]

mod talk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_session_core::{
    Bridge, ClientCredentials, InviteSession, MediaCapabilities, NextHop, OutgoingInvite, RequestToken, SessionConfig,
    SessionEvent, SessionTransmit,
};
use blether_sip_core::{ByteStr, Limits, Message, NameAddr, Request, Response, SipUri, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_testkit::SimulatedNetwork;
use blether_transaction_core::{
    ClientTransactionId, Event, Owner, ServerTransactionId, Transactions, TransactionsConfig,
};
use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
pub(crate) use talk::Talk;

/// What a phone does with a call that comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Rings and waits for the test.
    Ring,
    /// Rings, and answers after this time.
    Answer(Duration),
    /// Refuses at once.
    Refuse(StatusCode),
    /// Is a server, that calls this phone and joins the two.
    PassOn(usize),
}

type Action = Box<dyn FnOnce(&mut Phone, Instant)>;

pub(crate) struct Seat {
    pub(crate) session: InviteSession,
    pub(crate) events: Vec<String>,
    pub(crate) ended: usize,
    answer_at: Option<Instant>,
    pub(crate) talk: Option<Talk>,
}

pub(crate) struct Phone {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) transactions: Transactions,
    pub(crate) seats: Vec<Seat>,
    pub(crate) manner: Manner,
    /// What it can do; without it, descriptions are just text.
    pub(crate) speech: Option<MediaCapabilities>,
    /// Which seats a server has joined.
    pub(crate) bridges: Vec<(usize, usize, Bridge)>,
    /// Whether offers of the peer are accepted at once.
    pub(crate) accepts_offers: bool,
    /// How they are refused otherwise.
    pub(crate) refuses_offers_with: StatusCode,
    config: Arc<SessionConfig>,
    rng: StdRng,
    clients: BTreeMap<u64, (usize, RequestToken, ClientTransactionId)>,
    invites: Vec<(ServerTransactionId, usize)>,
    next_owner: u64,
    started: Instant,
    /// Requests outside of any dialog but INVITE, for a test that plays a registrar.
    pub(crate) others: Vec<(ServerTransactionId, Request)>,
}

pub(crate) struct World {
    pub(crate) network: SimulatedNetwork,
    pub(crate) phones: Vec<Phone>,
    pub(crate) ladder: Vec<String>,
    /// An address that passes what comes from the first phone on to all of these, and back, without looking: a fork.
    fork: Option<(SocketAddr, Vec<SocketAddr>)>,
    losses: Vec<(Instant, String, usize)>,
    /// Whose network is gone, and from when on.
    cut: Option<(Instant, SocketAddr)>,
    plan: BTreeMap<(Instant, usize), (usize, Action)>,
    planned: usize,
}

pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + u8::try_from(index).unwrap()], 5060))
}

pub(crate) const FORK: usize = 99;

pub(crate) fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A description in a few words, or the text that stands for one.
fn described(sdp: &[u8]) -> String {
    match MediaCapabilities::from_offer(sdp) {
        Ok(described) => {
            let names: Vec<&str> = described.audio.iter().map(|format| &*format.name).collect();
            format!("{} {}", described.direction, names.join("+"))
        }
        Err(_) => String::from_utf8_lossy(sdp).into_owned(),
    }
}

fn shown(event: &SessionEvent) -> String {
    let body = |sdp: &Option<Bytes>| sdp.as_ref().map_or("-".to_owned(), |sdp| described(sdp));
    match event {
        SessionEvent::Ringing => "Ringing".to_owned(),
        SessionEvent::Progress { sdp } => format!("Progress {}", body(sdp)),
        SessionEvent::Answered { sdp } => format!("Answered {}", body(sdp)),
        SessionEvent::Confirmed { sdp } => format!("Confirmed {}", body(sdp)),
        SessionEvent::Refused { response, .. } => format!("Refused {}", response.status().code()),
        SessionEvent::Offer { sdp } => format!("Offer {}", described(sdp)),
        SessionEvent::OfferWanted => "OfferWanted".to_owned(),
        SessionEvent::OfferWithdrawn => "OfferWithdrawn".to_owned(),
        SessionEvent::OfferAnswered { sdp } => format!("OfferAnswered {}", body(sdp)),
        SessionEvent::OfferRefused { response } => format!("OfferRefused {}", response.status().code()),
        SessionEvent::Info { content_type, .. } => format!("Info {content_type}"),
        SessionEvent::Ended { by, cause } => format!("Ended {by:?}: {cause}"),
        other => format!("{other:?}"),
    }
}

/// What a message is, in a word or two.
pub(crate) fn summary(bytes: &Bytes) -> String {
    match Message::parse(bytes.clone(), &Limits::default()).unwrap() {
        Message::Request(request) => request.method().to_string(),
        Message::Response(response) => format!("{} {}", response.status().code(), response.cseq().method),
    }
}

impl Phone {
    fn new(name: &'static str, index: usize, seed: u64, started: Instant) -> Self {
        let contact: SipUri = format!("sip:{name}@{}", address(index)).parse().unwrap();
        let config = SessionConfig { next_hop: NextHop::Routed, ..SessionConfig::new(contact) };
        let mut rng = StdRng::seed_from_u64(seed ^ (index as u64) << 32);
        Self {
            name,
            address: address(index),
            transactions: Transactions::new(TransactionsConfig::default(), StdRng::from_rng(&mut rng)),
            seats: Vec::new(),
            manner: Manner::Ring,
            speech: None,
            bridges: Vec::new(),
            accepts_offers: true,
            refuses_offers_with: StatusCode::NOT_ACCEPTABLE_HERE,
            config: Arc::new(config),
            rng,
            clients: BTreeMap::new(),
            invites: Vec::new(),
            next_owner: 0,
            started,
            others: Vec::new(),
        }
    }

    pub(crate) fn flow(&self, remote: SocketAddr) -> Flow {
        Flow::udp(self.address, remote)
    }

    /// The INVITE of a call to this address.
    pub(crate) fn invite(&self, remote: SocketAddr, offer: Option<&'static str>) -> OutgoingInvite {
        let uri: Uri = format!("sip:callee@{remote}").parse().unwrap();
        OutgoingInvite {
            request_uri: uri.clone(),
            from: format!("<sip:{}@{}>", self.name, self.address).parse::<NameAddr>().unwrap(),
            to: NameAddr::new(uri),
            call_id: ByteStr::from(format!("call-{}-{}", self.name, self.seats.len())),
            route: Vec::new(),
            offer: offer.map(sdp),
            credentials: Some(ClientCredentials::with_password(self.name, "secret")),
            flow: self.flow(remote),
            next_hop: NextHop::Routed,
            max_forwards: 70,
            extra: Vec::new(),
            timeout: Some(Duration::from_secs(60)),
        }
    }

    pub(crate) fn call(&mut self, now: Instant, invite: OutgoingInvite) {
        let rng = StdRng::from_rng(&mut self.rng);
        let session = InviteSession::outgoing(now, self.config.clone(), invite, rng);
        self.seats.push(Seat { session, events: Vec::new(), ended: 0, answer_at: None, talk: None });
    }

    fn ms(&self, now: Instant) -> u128 {
        (now - self.started).as_millis()
    }

    fn seat_of(&mut self, request: &Request) -> Option<usize> {
        let tag = request.to().tag()?;
        self.seats
            .iter()
            .position(|seat| *seat.session.call_id() == *request.call_id() && **seat.session.local_tag() == *tag)
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { id, request, flow } => self.on_request(now, id, request, flow),
            Event::Ack { request, .. } => {
                if let Some(seat) = self.seat_of(&request) {
                    self.seats[seat].session.handle_ack(now, request);
                }
            }
            Event::Cancelled { id, .. } => {
                if let Some((_, seat)) = self.invites.iter().find(|(of, _)| *of == id) {
                    self.seats[*seat].session.handle_cancelled(now, id);
                }
            }
            Event::NotAcknowledged { id, .. } => {
                if let Some((_, seat)) = self.invites.iter().find(|(of, _)| *of == id) {
                    self.seats[*seat].session.handle_not_acknowledged(now);
                }
            }
            Event::Response { owner, response, flow, .. } => {
                if let Some((seat, token, _)) = self.clients.get(&owner.0).copied() {
                    self.seats[seat].session.handle_response(now, token, response, flow);
                }
            }
            Event::Failed { owner, failure, .. } => {
                if let Some((seat, token, _)) = self.clients.get(&owner.0).copied() {
                    self.seats[seat].session.handle_failure(now, token, failure);
                }
            }
            _ => {}
        }
    }

    fn on_request(&mut self, now: Instant, id: ServerTransactionId, request: Request, flow: Flow) {
        if let Some(seat) = self.seat_of(&request) {
            self.invites.push((id, seat));
            return self.seats[seat].session.handle_request(now, id, request, flow);
        }
        if request.to().tag().is_some() {
            let gone = Response::to_request(&request, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST).build();
            // The transaction may be over; nobody waits then.
            let _ = self.transactions.respond(now, id, gone);
            return;
        }
        if request.method().as_str() != "INVITE" {
            self.others.push((id, request));
            return;
        }
        let tag = ByteStr::from(format!("{}{}", self.name, self.seats.len()));
        match InviteSession::incoming(now, self.config.clone(), id, request, flow, tag) {
            Ok(mut session) => {
                self.invites.push((id, self.seats.len()));
                let mut answer_at = None;
                match self.manner {
                    Manner::Ring => session.ring(now),
                    Manner::Answer(after) => {
                        session.ring(now);
                        answer_at = Some(now + after);
                    }
                    Manner::Refuse(status) => session.reject(now, status),
                    Manner::PassOn(_) => {}
                }
                let (talk, index) = (self.talk(), self.seats.len());
                self.seats.push(Seat { session, events: Vec::new(), ended: 0, answer_at, talk });
                if let Manner::PassOn(to) = self.manner {
                    self.connect(now, index, to);
                }
            }
            Err(refusal) => self.transactions.respond(now, id, refusal.into_response()).unwrap(),
        }
    }

    /// Carries out what the sessions want, until all is quiet.
    fn settle(&mut self, now: Instant) -> Vec<(Flow, Bytes)> {
        let mut out = Vec::new();
        loop {
            let mut quiet = true;
            while let Some(event) = self.transactions.poll_event() {
                quiet = false;
                self.on_event(now, event);
            }
            for index in 0..self.seats.len() {
                while let Some(transmit) = self.seats[index].session.poll_transmit() {
                    quiet = false;
                    self.carry_out(now, index, transmit);
                }
                while let Some(event) = self.seats[index].session.poll_event() {
                    quiet = false;
                    self.note(now, index, &event);
                }
            }
            if quiet {
                self.settle_bridges(now);
                for index in 0..self.seats.len() {
                    while let Some(transmit) = self.seats[index].session.poll_transmit() {
                        quiet = false;
                        self.carry_out(now, index, transmit);
                    }
                }
            }
            while let Some(transmit) = self.transactions.poll_transmit() {
                quiet = false;
                out.push((transmit.flow, transmit.payload));
            }
            if quiet {
                return out;
            }
        }
    }

    fn carry_out(&mut self, now: Instant, seat: usize, transmit: SessionTransmit) {
        match transmit {
            SessionTransmit::Respond { transaction, response } => {
                // A transaction that is over waits for no response.
                let _ = self.transactions.respond(now, transaction, response);
            }
            SessionTransmit::Request { token, request, flow } => {
                self.next_owner += 1;
                let id = self.transactions.request(now, request, flow, Owner(self.next_owner)).unwrap();
                self.clients.insert(self.next_owner, (seat, token, id));
            }
            SessionTransmit::Acknowledge { request, flow } => self.transactions.acknowledge(now, request, flow),
            SessionTransmit::Cancel { token } => {
                let wanted = self.clients.values().find(|(of, t, _)| *of == seat && *t == token);
                if let Some((_, _, id)) = wanted.copied() {
                    self.transactions.cancel(now, id);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn note(&mut self, now: Instant, index: usize, event: &SessionEvent) {
        let ms = self.ms(now);
        let accepts = self.accepts_offers;
        let seat = &mut self.seats[index];
        assert_eq!(seat.ended, 0, "{} said something after Ended: {event:?}", self.name);
        seat.events.push(format!("{ms} {}", shown(event)));
        match event {
            _ if seat.talk.is_some() => {
                if let SessionEvent::Ended { .. } = event {
                    seat.ended += 1;
                    seat.answer_at = None;
                }
                self.react(now, index, event);
            }
            SessionEvent::Offer { .. } if accepts => seat.session.accept_offer(now, sdp("later answer")).unwrap(),
            SessionEvent::OfferWanted if accepts => seat.session.accept_offer(now, sdp("later offer")).unwrap(),
            SessionEvent::Ended { .. } => {
                seat.ended += 1;
                seat.answer_at = None;
            }
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.seats.iter().flat_map(|seat| [seat.session.poll_timeout(), seat.answer_at]).flatten();
        let bridges = self.bridges.iter().filter_map(|(_, _, bridge)| bridge.poll_timeout());
        sessions.chain(bridges).chain(self.transactions.poll_timeout()).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        for seat in &mut self.seats {
            seat.session.handle_timeout(now);
            if seat.answer_at.is_some_and(|at| at <= now) {
                seat.answer_at = None;
                if let Some(talk) = &mut seat.talk {
                    talk::answer_talking(now, &mut seat.session, talk);
                    continue;
                }
                // A call that was cancelled cannot be answered any more; that is what the test is about then.
                let _ = seat.session.answer(now, sdp("answer"));
            }
        }
        self.time_out_bridges(now);
    }
}

impl World {
    pub(crate) fn new(seed: u64, names: &[&'static str]) -> Self {
        let network = SimulatedNetwork::new(seed);
        let started = network.start();
        let phones = names.iter().enumerate().map(|(at, name)| Phone::new(name, at, seed, started)).collect();
        Self {
            network,
            phones,
            ladder: Vec::new(),
            fork: None,
            losses: Vec::new(),
            cut: None,
            plan: BTreeMap::new(),
            planned: 0,
        }
    }

    /// Puts a fork at [`FORK`]'s address between the first phone and these.
    pub(crate) fn fork_to(&mut self, phones: &[usize]) {
        self.fork = Some((address(FORK), phones.iter().map(|phone| address(*phone)).collect()));
    }

    /// Loses the first so many messages that are such: `alice>bob ACK`.
    pub(crate) fn lose(&mut self, what: &str, times: usize) {
        self.lose_from(0, what, times);
    }

    /// The same, from this time on.
    pub(crate) fn lose_from(&mut self, ms: u64, what: &str, times: usize) {
        self.losses.push((self.network.start() + Duration::from_millis(ms), what.to_owned(), times));
    }

    /// Loses whatever a phone sends or is sent from this time on.
    pub(crate) fn cut(&mut self, ms: u64, phone: usize) {
        self.cut = Some((self.network.start() + Duration::from_millis(ms), self.phones[phone].address));
    }

    /// Lets a phone do something at this time.
    pub(crate) fn at(&mut self, ms: u64, phone: usize, action: impl FnOnce(&mut Phone, Instant) + 'static) {
        self.planned += 1;
        let when = self.network.start() + Duration::from_millis(ms);
        self.plan.insert((when, self.planned), (phone, Box::new(action)));
    }

    /// Alice calls Bob at once, with an offer.
    pub(crate) fn alice_calls(&mut self, to: usize) {
        self.at(0, 0, move |alice, now| {
            let invite = alice.invite(address(to), Some("offer"));
            alice.call(now, invite);
        });
    }

    fn name(&self, of: SocketAddr) -> String {
        let phone = self.phones.iter().find(|phone| phone.address == of);
        phone.map_or_else(|| "fork".to_owned(), |phone| phone.name.to_owned())
    }

    fn post(&mut self, from: SocketAddr, to: SocketAddr, payload: Bytes) {
        let what = format!("{}>{} {}", self.name(from), self.name(to), summary(&payload));
        let ms = (self.network.now() - self.network.start()).as_millis();
        let now = self.network.now();
        let lost = self.losses.iter_mut().find(|(since, of, times)| *since <= now && *of == what && *times > 0);
        if let Some((_, _, times)) = lost {
            *times -= 1;
            self.ladder.push(format!("{ms} {what} lost"));
            return;
        }
        if self.cut.is_some_and(|(since, whose)| since <= self.network.now() && (whose == from || whose == to)) {
            return self.ladder.push(format!("{ms} {what} lost"));
        }
        self.ladder.push(format!("{ms} {what}"));
        self.network.send(from, to, payload);
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, payload: Bytes) {
        let now = self.network.now();
        if let Some((hub, branches)) = self.fork.clone().filter(|(hub, _)| *hub == to) {
            let first = self.phones[0].address;
            let targets = if from == first { branches } else { vec![first] };
            for target in targets {
                self.network.send(hub, target, payload.clone());
            }
            return;
        }
        if let Some(phone) = self.phones.iter_mut().find(|phone| phone.address == to) {
            let flow = phone.flow(from);
            phone.transactions.handle_datagram(now, flow, payload);
        }
    }

    /// Runs until nothing happens any more.
    pub(crate) fn run(&mut self) {
        for _ in 0..100_000 {
            let now = self.network.now();
            for index in 0..self.phones.len() {
                let from = self.phones[index].address;
                for (flow, payload) in self.phones[index].settle(now) {
                    self.post(from, flow.remote, payload);
                }
            }
            let next_plan = self.plan.keys().next().map(|(at, _)| *at);
            let phones = self.phones.iter().filter_map(Phone::poll_timeout).min();
            let Some(next) = [self.network.next_event_at(), next_plan, phones].into_iter().flatten().min() else {
                return;
            };
            self.network.advance_to(next);
            let now = self.network.now();
            while let Some((_, from, to, payload)) = self.network.poll_deliver() {
                self.deliver(from, to, payload);
            }
            while let Some(entry) = self.plan.first_entry().filter(|entry| entry.key().0 <= now) {
                let (phone, action) = entry.remove();
                action(&mut self.phones[phone], now);
            }
            for phone in &mut self.phones {
                phone.handle_timeout(now);
            }
        }
        panic!("the simulation does not come to rest");
    }

    /// What one phone's first session said.
    pub(crate) fn events(&self, phone: usize) -> Vec<&str> {
        self.phones[phone].seats[0].events.iter().map(String::as_str).collect()
    }

    /// The same without times.
    pub(crate) fn said(&self, phone: usize) -> Vec<&str> {
        self.events(phone).into_iter().map(|event| event.split_once(' ').unwrap().1).collect()
    }

    /// The messages without times, resends included.
    pub(crate) fn messages(&self) -> Vec<&str> {
        self.ladder.iter().map(|line| line.split_once(' ').unwrap().1).collect()
    }

    /// The times of the messages that are such.
    pub(crate) fn times_of(&self, what: &str) -> Vec<u64> {
        let matching = self.ladder.iter().filter_map(|line| line.split_once(' ')).filter(|(_, of)| *of == what);
        matching.map(|(ms, _)| ms.parse().unwrap()).collect()
    }

    /// What must hold of every session once nothing happens any more: over, said so once, no timer left.
    pub(crate) fn assert_all_over(&self) {
        for phone in &self.phones {
            for seat in &phone.seats {
                assert_eq!(seat.ended, 1, "{}: {:?}\n{:#?}", phone.name, seat.events, self.ladder);
                assert!(seat.session.is_terminated());
                assert_eq!(seat.session.poll_timeout(), None);
            }
        }
    }
}
