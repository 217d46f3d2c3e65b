//! What a REGISTER costs: without authentication, challenged, and with a nonce that is known; from memory, and written before the answer;
//! and what a contact takes of memory.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::ensure;
use blether_sip_core::{Message, Request};

use crate::kamailio::{self, Kind};
use crate::load::{Load, Wire, drive};
use crate::place::Place;
use crate::report::{Report, Side};
use crate::server::{ACCOUNTS, Serve, Server, Stopwatch};
use crate::subscriber::Subscriber;

const UNIT: &str = "µs/REGISTER";

/// REGISTERs begun in a second while contacts are written one by one: the peer waits for the disk at each.
const WRITTEN_RATE: u32 = 200;

/// REGISTERs begun in a second while memory is filled.
const FILLING_RATE: u32 = 4_000;

/// Until the server has forgotten the transactions of the last requests: 64 × T1 (RFC 3261 §17.2.2), and a little.
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(34);

pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) runs: u32,
    pub(crate) rate: u32,
    /// Registrations that are held while memory is measured; 0 leaves that out.
    pub(crate) contacts: u32,
    pub(crate) peer: bool,
}

pub(crate) fn run(options: &Options, mut report: Report) -> anyhow::Result<Report> {
    if options.peer {
        kamailio::check()?;
        report.beside(kamailio::NAME);
    }
    let place = Place::choose(false, &mut report)?;
    for _ in 0..options.runs {
        report.next_run();
        for side in sides(options.peer) {
            in_memory(options, side, &place, &mut report)?;
            written(options, side, &place, &mut report)?;
        }
    }
    if options.contacts > 0 {
        for _ in 0..options.runs {
            report.next_run();
            for side in sides(options.peer) {
                memory(options, side, &place, &mut report)?;
            }
        }
    }
    let Options { rate, contacts, .. } = options;
    report.note(format!("{rate} REGISTERs begun a second by {ACCOUNTS} phones in turn. plain: without authentication. challenged: REGISTER, 401, REGISTER, 200."));
    report.note("known_nonce: REGISTER with credentials, 200. Digest with SHA-256 on both sides.");
    report.note(format!(
        "written: without authentication, {} a second; new: contacts that were not there, refresh: contacts that were.",
        WRITTEN_RATE.min(*rate)
    ));
    if options.peer {
        report.note("written, ours: given to the kernel before the 200 (SQLite in WAL, synced at checkpoints); a refresh within a second after it.");
        report.note("written, Kamailio: db_mode 1 on SQLite in WAL, synced at each write, for which its module has no setting; waiting is no CPU time.");
    }
    if *contacts > 0 {
        report.note(format!("memory: growth of the resident memory by {contacts} contacts of as many users, {FORGOTTEN:?} after the last 200."));
    }
    Ok(report)
}

/// Ours, and the peer's if there is one: in each run one after the other.
pub(crate) fn sides(peer: bool) -> impl Iterator<Item = Side> {
    std::iter::once(Side::Ours).chain(peer.then_some(Side::Peer))
}

fn open(side: Side, place: &Place, accounts: u32) -> anyhow::Result<Server> {
    match side {
        Side::Ours => Server::ours(place, &Serve::open().for_accounts(accounts)),
        Side::Peer => kamailio::start(place, Kind::Open),
    }
}

fn in_memory(options: &Options, side: Side, place: &Place, report: &mut Report) -> anyhow::Result<()> {
    {
        let server = open(side, place, ACCOUNTS)?;
        let mut wire = Wire::to(server.address)?;
        let mut load = Registrations::of(0..ACCOUNTS);
        load.once(&mut wire)?;
        measure(
            &server,
            (side, "registrar.plain"),
            &mut load,
            &mut wire,
            (options.time, options.rate, u64::MAX),
            report,
        )?;
    }
    let server = match side {
        Side::Ours => Server::ours(place, &Serve::with_digest())?,
        Side::Peer => kamailio::start(place, Kind::Digest)?,
    };
    let mut wire = Wire::to(server.address)?;
    let mut load = Registrations::of(0..ACCOUNTS);
    load.challenge = Challenge::First;
    load.once(&mut wire)?;
    for (name, challenge) in [("registrar.challenged", Challenge::Always), ("registrar.known_nonce", Challenge::Never)]
    {
        load.challenge = challenge;
        measure(&server, (side, name), &mut load, &mut wire, (options.time, options.rate, u64::MAX), report)?;
    }
    Ok(())
}

/// Each contact is in the database before its REGISTER is answered.
fn written(options: &Options, side: Side, place: &Place, report: &mut Report) -> anyhow::Result<()> {
    let rate = WRITTEN_RATE.min(options.rate);
    let count = (f64::from(rate) * options.time.as_secs_f64()).ceil().max(1.0) as u32;
    let server = match side {
        Side::Ours => Server::ours_durable(place, &Serve::open().for_accounts(count + 1))?,
        Side::Peer => kamailio::start(place, Kind::Written)?,
    };
    let mut wire = Wire::to(server.address)?;
    Registrations::of(0..1).once(&mut wire)?;
    let mut load = Registrations::of(1..=count);
    let all = u64::from(count);
    let long = options.time * 4;
    measure(&server, (side, "registrar.written.new"), &mut load, &mut wire, (long, rate, all), report)?;
    measure(&server, (side, "registrar.written.refresh"), &mut load, &mut wire, (long, rate, all), report)
}

fn memory(options: &Options, side: Side, place: &Place, report: &mut Report) -> anyhow::Result<()> {
    report.begin(side, "registrar.memory");
    let server = open(side, place, options.contacts)?;
    let mut wire = Wire::to(server.address)?;
    let before = server.memory()?;
    let all = u64::from(options.contacts);
    let mut load = Registrations::of(0..options.contacts);
    let outcome = drive(&mut load, &mut wire, Duration::from_secs(3_600), FILLING_RATE, all)?;
    report.outcome(side, "registrar.memory", outcome);
    std::thread::sleep(FORGOTTEN);
    let grown = server.memory()?.saturating_sub(before);
    report.figure(side, "registrar.memory", "B/contact", grown as f64 / all as f64, None);
    Ok(())
}

fn measure(
    server: &Server,
    (side, name): (Side, &str),
    load: &mut Registrations,
    wire: &mut Wire,
    (time, rate, most): (Duration, u32, u64),
    report: &mut Report,
) -> anyhow::Result<()> {
    report.begin(side, name);
    let watch = Stopwatch::start(server)?;
    let outcome = drive(load, wire, time, rate, most)?;
    watch.report(server, (side, name, UNIT), outcome.done, None, report)?;
    report.outcome(side, name, outcome);
    Ok(())
}

/// Whether the server is to ask for credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Not at all, or no more.
    Never,
    /// As it likes: phones that know no nonce are asked.
    First,
    /// Each time: phones forget the nonce.
    Always,
}

/// Phones that register in turn.
pub(crate) struct Registrations {
    idle: VecDeque<Subscriber>,
    /// By Call-ID: who waits for an answer, to what, and whether it has met a challenge.
    waiting: HashMap<String, (Subscriber, Request, bool)>,
    pub(crate) challenge: Challenge,
}

impl Registrations {
    pub(crate) fn of(users: impl Iterator<Item = u32>) -> Self {
        let idle = users.map(Subscriber::new).collect();
        Self { idle, waiting: HashMap::new(), challenge: Challenge::Never }
    }

    /// Registers each phone once, before anything is measured.
    pub(crate) fn once(&mut self, wire: &mut Wire) -> anyhow::Result<()> {
        let all = self.idle.len() as u64;
        let outcome = drive(self, wire, Duration::from_secs(20), 500, all)?;
        ensure!(outcome.done == all, "{} of {all} phones could not register", outcome.failed);
        Ok(())
    }
}

impl Load for Registrations {
    fn begin(&mut self, wire: &mut Wire) -> anyhow::Result<bool> {
        // Each phone may be waiting for an answer.
        let Some(mut subscriber) = self.idle.pop_front() else { return Ok(false) };
        if self.challenge == Challenge::Always {
            subscriber.forget();
        }
        let register = subscriber.register(wire)?;
        wire.request(register.clone())?;
        self.waiting.insert(register.call_id().to_string(), (subscriber, register, false));
        Ok(true)
    }

    fn receive(&mut self, wire: &mut Wire, message: Message) -> anyhow::Result<(u64, u64)> {
        let Message::Response(response) = message else { return Ok((0, 0)) };
        let call_id = response.call_id().to_string();
        let Some((mut subscriber, register, challenged)) = self.waiting.remove(&call_id) else { return Ok((0, 0)) };
        if response.status().code() == 401 && !challenged && self.challenge != Challenge::Never {
            let register = subscriber.authorized(&register, &response)?;
            wire.request(register.clone())?;
            self.waiting.insert(call_id, (subscriber, register, true));
            return Ok((0, 0));
        }
        // A challenge where none was to come, or none where one was, would make the figure that of another operation.
        let done = response.status().is_success() && (challenged || self.challenge != Challenge::Always);
        self.idle.push_back(subscriber);
        Ok((u64::from(done), u64::from(!done)))
    }
}
