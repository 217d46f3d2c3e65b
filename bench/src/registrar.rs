//! What a REGISTER costs: one that is challenged and then comes with credentials, and one that answers a nonce it knows.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::ensure;
use blether_sip_core::{Message, Request};

use crate::load::{Load, Wire, drive};
use crate::report::Report;
use crate::server::{ACCOUNTS, Server, Stopwatch};
use crate::subscriber::Subscriber;

pub(crate) fn run(time: Duration, rate: u32) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let server = Server::start(&mut report)?;
    let mut wire = Wire::to(server.address)?;
    let mut load = Registrations::of(0..ACCOUNTS);
    load.once(&mut wire)?;
    for (name, challenged) in [("registrar.challenged", true), ("registrar.known_nonce", false)] {
        load.challenged = challenged;
        let watch = Stopwatch::start(&server)?;
        let outcome = drive(&mut load, &mut wire, time, rate, u64::MAX)?;
        watch.report(&server, name, outcome.done, "µs/REGISTER", None, &mut report)?;
        report.outcome(name, outcome);
    }
    report.note(format!("{rate} REGISTERs begun a second by {ACCOUNTS} phones in turn; digest with SHA-256."));
    report.note("Challenged: REGISTER, 401, REGISTER, 200. Known nonce: REGISTER, 200.");
    Ok(report)
}

/// Phones that register in turn.
pub(crate) struct Registrations {
    idle: VecDeque<Subscriber>,
    /// By Call-ID: who waits for an answer, to what, and whether it has met a challenge.
    waiting: HashMap<String, (Subscriber, Request, bool)>,
    /// Whether the server is to ask each time.
    challenged: bool,
}

impl Registrations {
    pub(crate) fn of(users: impl Iterator<Item = u32>) -> Self {
        Self { idle: users.map(Subscriber::new).collect(), waiting: HashMap::new(), challenged: false }
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
        if self.challenged {
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
        if response.status().code() == 401 && !challenged {
            let register = subscriber.authorized(&register, &response)?;
            wire.request(register.clone())?;
            self.waiting.insert(call_id, (subscriber, register, true));
            return Ok((0, 0));
        }
        // A challenge where none was to come would make the figure that of another operation.
        let done = response.status().is_success() && (challenged || !self.challenged);
        self.idle.push_back(subscriber);
        Ok((u64::from(done), u64::from(!done)))
    }
}
