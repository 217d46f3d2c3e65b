//! When a shard is behind, and what it refuses then (RFC 3261 §21.5.4, RFC 5390): without I/O.
//!
//! A shard lags by as long as something may have waited for it: since it last saw one of its sources empty, for all that has come since may
//! stand in that queue, the kernel's included, into which nobody can look; and by how late its timers are. A shard that keeps up sees each
//! source empty every few milliseconds, however much it does; one that does not keep up never does.
//!
//! All sources are empty when the shard waits, until it is woken. How long the system then takes to let it run cannot be told from a quiet time:
//! only a timer that was due meanwhile shows it.
//!
//! ```text
//!            lag ≥ others_at                 lag ≥ all_at
//!  Keeps up ────────────────► RefusesOthers ─────────────► RefusesAll
//!      ▲                            │                          │
//!      └────────────────────────────┴──────────────────────────┘
//!                        lag < open_below
//! ```

use std::time::{Duration, Instant};

use blether_sip_core::{Method, Request};

/// When an [`OverloadGate`] closes and opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadConfig {
    /// The lag at which all is refused that begins something, but INVITE. Default 100 ms: a queue that stood for so long is not a burst.
    pub others_at: Duration,
    /// The lag at which INVITE is refused as well. Default 250 ms: an answer still goes out before the peer's first resend, at T1, doubles the
    /// load.
    pub all_at: Duration,
    /// The lag below which nothing is refused any more. Default 50 ms, which a queue that stood comes to only by being emptied.
    pub open_below: Duration,
}

impl Default for OverloadConfig {
    fn default() -> Self {
        Self {
            others_at: Duration::from_millis(100),
            all_at: Duration::from_millis(250),
            open_below: Duration::from_millis(50),
        }
    }
}

impl OverloadConfig {
    /// Never closes.
    pub const OFF: Self = Self { others_at: Duration::MAX, all_at: Duration::MAX, open_below: Duration::MAX };
}

/// What is refused at the moment, with 503 and Retry-After.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Overload {
    /// Nothing: the shard keeps up.
    #[default]
    KeepsUp,
    /// REGISTER, OPTIONS, SUBSCRIBE and whatever else begins something, but INVITE. A phone that cannot refresh stays registered for the rest of
    /// its interval and asks again; a call that is refused is lost. When every phone comes back at once, after a power cut, calls go on.
    RefusesOthers,
    /// INVITE as well.
    RefusesAll,
}

impl Overload {
    /// Whether a request is refused. What belongs to a dialog, by its To tag, and ACK, BYE and CANCEL never are: they end something or keep
    /// it going.
    pub fn refuses(self, request: &Request) -> bool {
        if request.to().tag().is_some() {
            return false;
        }
        match (self, request.method()) {
            (Self::KeepsUp, _) | (_, Method::Ack | Method::Bye | Method::Cancel) => false,
            (Self::RefusesOthers, Method::Invite) => false,
            (Self::RefusesOthers | Self::RefusesAll, _) => true,
        }
    }

    /// For a gauge: 0, 1, 2.
    pub fn level(self) -> u8 {
        match self {
            Self::KeepsUp => 0,
            Self::RefusesOthers => 1,
            Self::RefusesAll => 2,
        }
    }
}

/// Where a shard takes in what it has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Its UDP socket.
    Socket,
    /// What connections and other shards pass to it.
    Passed,
    /// What calls and applications ask of it.
    Commands,
    /// Its timers.
    Timers,
}

/// How many of [`Source`] there are.
const SOURCES: usize = 4;

/// Tells when a shard is behind; see the module.
///
/// For each turn in which the driver takes from a source call [`begin`](Self::begin) and [`end`](Self::end), and look at
/// [`overload`](Self::overload) before each thing that is taken in, with the time.
#[derive(Clone, Debug)]
pub struct OverloadGate {
    config: OverloadConfig,
    /// By source: since when something may wait there.
    waiting: [Option<Instant>; SOURCES],
    /// By source: when it was last seen empty.
    empty_at: [Option<Instant>; SOURCES],
    state: Overload,
    longest_lag: Duration,
}

impl OverloadGate {
    /// Open.
    pub fn new(config: OverloadConfig) -> Self {
        Self {
            config,
            waiting: [None; SOURCES],
            empty_at: [None; SOURCES],
            state: Overload::KeepsUp,
            longest_lag: Duration::ZERO,
        }
    }

    /// The driver has waited, with nothing to take from any source until `now`.
    pub fn waited(&mut self, now: Instant) {
        self.empty_at = [Some(now); SOURCES];
    }

    /// When a source was last seen empty; `None` before the first time.
    pub fn seen_empty(&mut self, source: Source) -> Option<Instant> {
        *self.empty_at(source)
    }

    /// The driver begins to take from a source: what it finds there may have waited since `since`, which is now, or when a timer was due; or
    /// for longer, since the source was last seen empty.
    pub fn begin(&mut self, since: Instant, source: Source) {
        let since = match source {
            Source::Timers => since,
            _ => self.empty_at(source).map_or(since, |empty| empty.min(since)),
        };
        self.waiting_at(source).get_or_insert(since);
    }

    /// The driver stops taking from a source; `emptied` tells that nothing was left there.
    pub fn end(&mut self, now: Instant, source: Source, emptied: bool) {
        // First what it comes to: one turn may take longer than is allowed.
        self.overload(now);
        if emptied {
            *self.waiting_at(source) = None;
            *self.empty_at(source) = Some(now);
            self.overload(now);
        }
    }

    /// For how long what is taken in now may have waited.
    pub fn lag(&self, now: Instant) -> Duration {
        let since = self.waiting.iter().flatten().min();
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(*since))
    }

    /// The longest lag that [`overload`](Self::overload) has met since the last call of this.
    pub fn take_longest_lag(&mut self) -> Duration {
        std::mem::take(&mut self.longest_lag)
    }

    /// What is refused at this moment.
    pub fn overload(&mut self, now: Instant) -> Overload {
        let lag = self.lag(now);
        self.longest_lag = self.longest_lag.max(lag);
        let reached = if lag >= self.config.all_at {
            Overload::RefusesAll
        } else if lag >= self.config.others_at {
            Overload::RefusesOthers
        } else {
            Overload::KeepsUp
        };
        self.state = if lag < self.config.open_below { Overload::KeepsUp } else { self.state.max(reached) };
        self.state
    }

    fn waiting_at(&mut self, source: Source) -> &mut Option<Instant> {
        of(&mut self.waiting, source)
    }

    fn empty_at(&mut self, source: Source) -> &mut Option<Instant> {
        of(&mut self.empty_at, source)
    }
}

fn of<T>([socket, passed, commands, timers]: &mut [T; SOURCES], source: Source) -> &mut T {
    match source {
        Source::Socket => socket,
        Source::Passed => passed,
        Source::Commands => commands,
        Source::Timers => timers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::{Limits, Message};
    use blether_testkit::SimulatedNetwork;
    use bytes::Bytes;

    struct Bench {
        gate: OverloadGate,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { gate: OverloadGate::new(OverloadConfig::default()), start: SimulatedNetwork::new(0).start() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn turn(&mut self, begin: u64, end: u64, emptied: bool) {
            self.gate.begin(self.at(begin), Source::Socket);
            self.gate.end(self.at(end), Source::Socket, emptied);
        }

        fn overload(&mut self, ms: u64) -> Overload {
            let at = self.at(ms);
            self.gate.overload(at)
        }
    }

    #[test]
    fn a_shard_that_sees_its_socket_empty_now_and_then_refuses_nothing_however_much_it_does() {
        let mut bench = Bench::new();
        for turn in 0..1_000 {
            // Three turns of 10 ms leave something behind, the fourth does not.
            bench.turn(turn * 10, turn * 10 + 10, turn % 4 == 3);
            assert_eq!(bench.overload(turn * 10 + 10), Overload::KeepsUp);
        }
    }

    #[test]
    fn a_queue_that_stands_closes_the_gate_to_registrations_first_and_to_calls_later() {
        let mut bench = Bench::new();
        for turn in 0..30 {
            bench.turn(turn * 10, turn * 10 + 10, false);
            let expected = match turn * 10 + 10 {
                0..100 => Overload::KeepsUp,
                100..250 => Overload::RefusesOthers,
                _ => Overload::RefusesAll,
            };
            assert_eq!(bench.overload(turn * 10 + 10), expected, "after turn {turn}");
        }
    }

    #[test]
    fn it_opens_when_the_queue_has_been_emptied_and_not_when_it_is_a_little_shorter() {
        let mut bench = Bench::new();
        bench.turn(0, 260, false);
        bench.gate.begin(bench.at(250), Source::Passed);
        bench.gate.end(bench.at(270), Source::Passed, false);
        assert_eq!(bench.overload(270), Overload::RefusesAll);
        // The socket is empty; what others have passed has waited for 60 ms.
        bench.turn(270, 310, true);
        assert_eq!(bench.overload(310), Overload::RefusesAll);
        bench.gate.end(bench.at(311), Source::Passed, true);
        assert_eq!(bench.overload(311), Overload::KeepsUp);
    }

    #[test]
    fn within_one_slow_turn_and_behind_late_timers_it_closes_as_well() {
        let mut slow = Bench::new();
        slow.gate.begin(slow.at(0), Source::Socket);
        assert_eq!(slow.overload(99), Overload::KeepsUp);
        assert_eq!(slow.overload(120), Overload::RefusesOthers);
        slow.gate.end(slow.at(300), Source::Socket, true);
        assert_eq!(slow.overload(300), Overload::KeepsUp, "one slow turn is no overload for what comes after it");
        let mut late = Bench::new();
        late.gate.begin(late.at(0), Source::Timers);
        assert_eq!(late.overload(260), Overload::RefusesAll);
        assert_eq!(late.gate.take_longest_lag(), Duration::from_millis(260));
        assert_eq!(late.gate.take_longest_lag(), Duration::ZERO);
    }

    #[test]
    fn the_source_that_waits_the_longest_counts() {
        let mut bench = Bench::new();
        bench.turn(0, 1, false);
        bench.gate.begin(bench.at(90), Source::Commands);
        assert_eq!(bench.gate.lag(bench.at(95)), Duration::from_millis(95));
        bench.turn(95, 96, true);
        assert_eq!(bench.gate.lag(bench.at(98)), Duration::from_millis(8));
    }

    #[test]
    fn what_came_while_another_source_was_served_has_waited_since_its_own_was_last_seen_empty() {
        let mut bench = Bench::new();
        bench.gate.waited(bench.at(1_000));
        bench.gate.begin(bench.at(1_000), Source::Commands);
        bench.gate.end(bench.at(1_300), Source::Commands, true);
        bench.gate.begin(bench.at(1_300), Source::Socket);
        assert_eq!(bench.gate.lag(bench.at(1_300)), Duration::from_millis(300));
        assert_eq!(bench.overload(1_300), Overload::RefusesAll);
        bench.gate.end(bench.at(1_301), Source::Socket, true);
        assert_eq!(bench.overload(1_301), Overload::KeepsUp);
        // What comes now has not waited for longer than since then, nor since before the shard went idle.
        bench.gate.begin(bench.at(1_310), Source::Socket);
        assert_eq!(bench.gate.lag(bench.at(1_310)), Duration::from_millis(9));
        bench.gate.end(bench.at(1_310), Source::Socket, true);
        bench.gate.waited(bench.at(9_000));
        bench.gate.begin(bench.at(9_000), Source::Passed);
        assert_eq!(bench.gate.lag(bench.at(9_000)), Duration::ZERO);
    }

    #[test]
    fn an_idle_shard_does_not_lag() {
        let mut bench = Bench::new();
        bench.turn(0, 1, true);
        bench.gate.waited(bench.at(3_600_000));
        assert_eq!(bench.gate.lag(bench.at(3_600_000)), Duration::ZERO);
        assert_eq!(bench.overload(3_600_000), Overload::KeepsUp);
    }

    fn request(method: &str, to_tag: &str) -> Request {
        let text = format!(
            "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=a\r\n\
             To: <sip:bob@192.0.2.2>{to_tag}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\r\n"
        );
        match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    }

    #[test]
    fn what_keeps_a_call_going_or_ends_it_is_never_refused() {
        for overload in [Overload::KeepsUp, Overload::RefusesOthers, Overload::RefusesAll] {
            for method in ["ACK", "BYE", "CANCEL"] {
                assert!(!overload.refuses(&request(method, "")), "{method} {overload:?}");
            }
            for method in ["INVITE", "UPDATE", "INFO", "NOTIFY", "OPTIONS"] {
                assert!(!overload.refuses(&request(method, ";tag=b")), "{method} {overload:?}");
            }
            for method in ["REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "PUBLISH", "NEW"] {
                assert_eq!(overload.refuses(&request(method, "")), overload > Overload::KeepsUp, "{method}");
            }
            assert_eq!(overload.refuses(&request("INVITE", "")), overload == Overload::RefusesAll);
        }
    }
}
