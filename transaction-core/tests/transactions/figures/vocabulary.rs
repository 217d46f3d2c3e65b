//! The words in which the figures are written down, and `figure!`, which makes a test of each of their rows.

use std::fmt;
use std::time::Duration;

use blether_transaction_core::{Reliability, Timing};

/// A state of a figure. Two of them are halves of a state of the RFC: see [`State::detail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Before the first message.
    Initial,
    Calling,
    Trying,
    /// Proceeding, as long as nothing was said.
    Untouched,
    Proceeding,
    Accepted,
    Completed,
    /// Completed, once the response was said again because its connection had ended.
    SaidAgain,
    Confirmed,
    Terminated,
}

impl State {
    /// What the RFC calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Initial => "[*]",
            Self::Calling => "Calling",
            Self::Trying => "Trying",
            Self::Untouched | Self::Proceeding => "Proceeding",
            Self::Accepted => "Accepted",
            Self::Completed | Self::SaidAgain => "Completed",
            Self::Confirmed => "Confirmed",
            Self::Terminated => "Terminated",
        }
    }

    /// What tells it from the state of the RFC of which it is a part.
    pub(crate) fn detail(self) -> Option<&'static str> {
        match self {
            Self::Untouched => Some("nothing said yet"),
            Self::SaidAgain => Some("said again"),
            _ => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.detail()) {
            (Self::Initial, _) => f.write_str("none"),
            (_, Some(detail)) => write!(f, "{}, {detail}", self.name()),
            (_, None) => f.write_str(self.name()),
        }
    }
}

/// The responses that a figure treats alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Hundred,
    /// 101 to 199.
    OtherProvisional,
    /// 100 to 199.
    Provisional,
    /// 200 to 299.
    Success,
    /// 300 to 699.
    Refusal,
    /// 200 to 699.
    Final,
    /// 200 to 699, but not 408.
    FinalBut408,
    RequestTimeout,
}

impl Class {
    pub(crate) fn contains(self, code: u16) -> bool {
        match self {
            Self::Hundred => code == 100,
            Self::OtherProvisional => (101..200).contains(&code),
            Self::Provisional => (100..200).contains(&code),
            Self::Success => (200..300).contains(&code),
            Self::Refusal => (300..700).contains(&code),
            Self::Final => (200..700).contains(&code),
            Self::FinalBut408 => (200..700).contains(&code) && code != 408,
            Self::RequestTimeout => code == 408,
        }
    }

    /// Its codes that are tried: the ends of each hundred, those next to them, and some that are usual.
    pub(crate) fn codes(self) -> Vec<u16> {
        let usual = [180, 183, 302, 401, 407, 408, 409, 486, 487, 503, 603];
        let ends = (1..=6).flat_map(|hundred| [0, 1, 2, 98, 99].map(|code| 100 * hundred + code));
        usual.into_iter().chain(ends).filter(|&code| self.contains(code)).collect()
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hundred => "100",
            Self::OtherProvisional => "101-199",
            Self::Provisional => "1xx",
            Self::Success => "2xx",
            Self::Refusal => "300-699",
            Self::Final => "200-699",
            Self::FinalBut408 => "200-699 but 408",
            Self::RequestTimeout => "408",
        })
    }
}

/// The timers of RFC 3261 table 4 and RFC 6026, and those times to which no RFC gave a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clock {
    A,
    B,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
    /// When 100 is due, as the user has said nothing.
    TryingDue,
    /// How long a cancelled INVITE is waited for.
    Cancelled,
    /// How long a request may stay without a final response.
    Lapse,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TryingDue => f.write_str("100 due"),
            Self::Cancelled => f.write_str("CANCEL unanswered"),
            Self::Lapse => f.write_str("too late to answer"),
            letter => write!(f, "Timer {letter:?}"),
        }
    }
}

/// What happens to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The first message: the user's request of a client, the peer's of a server.
    Begin,
    /// A response comes to a client.
    Hears(Class),
    /// The request comes again to a server.
    HearsAgain,
    /// An ACK comes to a server.
    HearsAck,
    /// The user of a server says a response.
    Says(Class),
    /// The user of a client has sent CANCEL.
    Cancels,
    /// What was sent last could not be sent.
    NotSent,
    /// The connection has ended by which the last response went.
    ConnectionEnds,
    /// A timer runs out.
    Fires(Clock),
}

impl Event {
    /// The codes with which it is tried.
    pub(crate) fn codes(self) -> Vec<u16> {
        match self {
            Self::Hears(class) | Self::Says(class) => class.codes(),
            _ => vec![0],
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => f.write_str("request"),
            Self::Hears(class) => write!(f, "{class}"),
            Self::HearsAgain => f.write_str("request again"),
            Self::HearsAck => f.write_str("ACK"),
            Self::Says(class) => write!(f, "{class} from TU"),
            Self::Cancels => f.write_str("CANCEL from TU"),
            Self::NotSent => f.write_str("transport error"),
            Self::ConnectionEnds => f.write_str("connection ended"),
            Self::Fires(clock) => write!(f, "{clock}"),
        }
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    /// The request, the same bytes each time.
    Request,
    /// The ACK for a refusal, the same bytes each time.
    Ack,
    /// The response that the user says.
    Response,
    /// The response that was sent last, the same bytes.
    Last,
    /// 100 Trying.
    Hundred,
}

impl fmt::Display for Sends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Ack => "ACK",
            Self::Response => "response",
            Self::Last => "last response",
            Self::Hundred => "100",
        })
    }
}

/// What the user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    Response,
    TimedOutB,
    TimedOutF,
    RequestNotSent,
    AckNotSent,
    ResponseNotSent,
    NotAcknowledged,
    Ack,
}

impl fmt::Display for Tells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Response => "response",
            Self::TimedOutB | Self::TimedOutF => "timeout",
            Self::RequestNotSent => "failure to send",
            Self::AckNotSent => "ACK not sent",
            Self::ResponseNotSent => "response not sent",
            Self::NotAcknowledged => "not acknowledged",
            Self::Ack => "ACK",
        })
    }
}

/// How long a timer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    T1,
    T2,
    T4,
    SixtyFourT1,
    /// 64 × T1, and at least 32 s.
    AtLeast32s,
    /// Twice what it ran before.
    Twice,
    /// Twice what it ran before, and at most T2.
    TwiceUpToT2,
    Ms200,
    /// What Timer E of the client takes to be reset to T2.
    UntilEReachesT2,
}

impl Wait {
    /// In figures of its own, none of them the crate's. `before` is what the timer ran before.
    pub(crate) fn duration(self, timing: Timing, before: Duration) -> Duration {
        let Timing { t1, t2, t4 } = timing;
        match self {
            Self::T1 => t1,
            Self::T2 => t2,
            Self::T4 => t4,
            Self::SixtyFourT1 => t1 * 64,
            Self::AtLeast32s => (t1 * 64).max(Duration::from_secs(32)),
            Self::Twice => before * 2,
            Self::TwiceUpToT2 => (before * 2).min(t2),
            Self::Ms200 => Duration::from_millis(200),
            Self::UntilEReachesT2 => {
                let (mut at, mut timer_e) = (t1, (t1 * 2).min(t2));
                while timer_e < t2 {
                    at += timer_e;
                    timer_e = (timer_e * 2).min(t2);
                }
                at
            }
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T4 => "T4",
            Self::SixtyFourT1 => "64 × T1",
            Self::AtLeast32s => "64 × T1, at least 32 s",
            Self::Twice => "twice as long as before",
            Self::TwiceUpToT2 => "twice as long as before, at most T2",
            Self::Ms200 => "200 ms",
            Self::UntilEReachesT2 => "until Timer E of the client is reset to T2",
        })
    }
}

/// Which transports a timer is started on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Always(Wait),
    /// It is not started on a reliable transport.
    IfUnreliable(Wait),
    /// It is zero on a reliable transport, and fires at once.
    ZeroIfReliable(Wait),
}

impl Start {
    pub(crate) fn wait(self) -> Wait {
        let (Self::Always(wait) | Self::IfUnreliable(wait) | Self::ZeroIfReliable(wait)) = self;
        wait
    }
}

/// A row: in a state, on an event, what is done.
#[derive(Debug)]
pub(crate) struct Arrow {
    /// Of its test.
    pub(crate) name: &'static str,
    /// What stands at the arrow in the figure, or that it is not there.
    pub(crate) label: &'static str,
    pub(crate) from: State,
    /// Where the transports differ.
    pub(crate) over: Option<Reliability>,
    pub(crate) event: Event,
    pub(crate) to: State,
    pub(crate) sends: &'static [Sends],
    pub(crate) tells: &'static [Tells],
    pub(crate) starts: &'static [(Clock, Start)],
    pub(crate) section: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    InviteClient,
    NonInviteClient,
    InviteServer,
    NonInviteServer,
}

/// One of the four machines.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) kind: Kind,
    pub(crate) title: &'static str,
    /// Which figure it is, as changed by what, in paragraphs.
    pub(crate) about: &'static str,
    /// The states, and the timers that may run in each: what is not among those of the next state stops.
    pub(crate) states: &'static [(State, &'static [Clock])],
    /// What may happen to it in any state, timers aside.
    pub(crate) events: &'static [Event],
    pub(crate) arrows: &'static [Arrow],
    /// Where nothing happens, with the reason in place of the label: neither is anything sent or told, nor does a timer change. What the user of
    /// a server says there is not taken.
    pub(crate) nothing: &'static [Arrow],
}

impl Figure {
    pub(crate) fn clocks(&self, state: State) -> &'static [Clock] {
        self.states.iter().find(|(listed, _)| *listed == state).map_or(&[], |(_, clocks)| clocks)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Arrow> + use<> {
        self.arrows.iter().chain(self.nothing)
    }

    /// The rows for this: one, if the figure is complete and says one thing.
    pub(crate) fn matching(&self, from: State, event: Event, over: Reliability) -> Vec<&'static Arrow> {
        self.rows()
            .filter(|row| (row.from, row.event) == (from, event) && row.over.is_none_or(|it| it == over))
            .collect()
    }

    /// Whether this row is one where nothing happens.
    pub(crate) fn is_nothing(&self, row: &Arrow) -> bool {
        self.nothing.iter().any(|nothing| nothing.name == row.name)
    }
}

/// Makes the `static FIGURE` of a module from its rows, and of each row a test with its name.
macro_rules! figure {
    (
        $(#[doc = $about:literal])+
        $kind:ident, $title:literal;
        states { $($state:ident [$($clock:ident),*];)+ }
        events { $($event:expr),+ $(,)? }
        arrows { $(
            $(#[doc = $label:literal])+
            $name:ident: $from:ident $(over $over:ident)?, $on:expr => $to:ident,
                sends [$($sends:ident),*], tells [$($tells:ident),*], starts [$($timer:ident: $start:ident($wait:ident)),*],
                $section:literal;
        )+ }
        nothing { $(
            $(#[doc = $reason:literal])+
            $absorbed:ident: $in:ident $(over $only:ident)?, $what:expr, $source:literal;
        )+ }
    ) => {
        pub(crate) static FIGURE: $crate::figures::vocabulary::Figure = {
            use $crate::figures::vocabulary::{Arrow, Clock, Figure, Kind, Sends, Start, State, Tells, Wait};
            Figure {
                kind: Kind::$kind,
                title: $title,
                about: concat!($($about, "\n"),+),
                states: &[$((State::$state, &[$(Clock::$clock),*])),+],
                events: &[$($event),+],
                arrows: &[$(Arrow {
                    name: stringify!($name),
                    label: concat!($($label),+),
                    from: State::$from,
                    over: figure!(@over $($over)?),
                    event: $on,
                    to: State::$to,
                    sends: &[$(Sends::$sends),*],
                    tells: &[$(Tells::$tells),*],
                    starts: &[$((Clock::$timer, Start::$start(Wait::$wait))),*],
                    section: $section,
                }),+],
                nothing: &[$(Arrow {
                    name: stringify!($absorbed),
                    label: concat!($($reason),+),
                    from: State::$in,
                    over: figure!(@over $($only)?),
                    event: $what,
                    to: State::$in,
                    sends: &[],
                    tells: &[],
                    starts: &[],
                    section: $source,
                }),+],
            }
        };

        $(
            #[test]
            fn $name() {
                $crate::figures::check::row(&FIGURE, stringify!($name));
            }
        )+

        $(
            #[test]
            fn $absorbed() {
                $crate::figures::check::row(&FIGURE, stringify!($absorbed));
            }
        )+

        #[test]
        fn each_event_in_each_state_is_one_arrow_or_nothing_happens() {
            $crate::figures::check::complete(&FIGURE);
        }

        #[test]
        fn terminated_does_nothing_any_more() {
            $crate::figures::check::terminated(&FIGURE);
        }

        #[test]
        fn a_random_walk_never_leaves_the_figure() {
            $crate::figures::check::walks(&FIGURE);
        }
    };
    (@over) => { None };
    (@over $over:ident) => { Some(blether_transaction_core::Reliability::$over) };
}

pub(crate) use figure;
