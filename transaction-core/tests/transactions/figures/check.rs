//! What is checked of each row, and of each figure as a whole.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use blether_transaction_core::{Reliability, Timing};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::pair::{Pair, STEP};
use super::vocabulary::{Arrow, Clock, Event, Figure, State};
use crate::machine::BOTH;

const fn timing(t1: u64, t2: u64, t4: u64) -> Timing {
    Timing { t1: Duration::from_millis(t1), t2: Duration::from_millis(t2), t4: Duration::from_millis(t4) }
}

/// The defaults; all short, so that what is at least 32 s shows; and T1 over T2, all different.
const TIMINGS: [Timing; 3] = [timing(500, 4_000, 5_000), timing(100, 1_000, 700), timing(3_000, 2_000, 1_000)];

/// On the way to a state.
#[derive(Clone, Copy, Debug)]
enum Leg {
    Input(Event, u16),
    Advance,
}

fn led(figure: &'static Figure, timing: Timing, over: Reliability, way: &[Leg]) -> Pair {
    let mut pair = Pair::new(figure, timing, over);
    for leg in way {
        match *leg {
            Leg::Input(event, code) => {
                pair.run_until(pair.now + STEP);
                pair.input(event, code);
            }
            Leg::Advance => assert!(pair.advance()),
        }
    }
    pair
}

/// The shortest way to a state in which this timer runs, if one is named. `None` if none leads there on this transport.
fn way_to(
    figure: &'static Figure,
    timing: Timing,
    over: Reliability,
    state: State,
    timer: Option<Clock>,
) -> Option<Vec<Leg>> {
    let mut ways = VecDeque::from([Vec::new()]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let pair = led(figure, timing, over, &way);
        let running = pair.model.running();
        if pair.model.state == state && timer.is_none_or(|timer| running.contains(&timer)) {
            return Some(way);
        }
        if pair.model.state == State::Terminated || !seen.insert((pair.model.state, running)) {
            continue;
        }
        let inputs = figure.events.iter().map(|event| Leg::Input(*event, event.codes()[0]));
        let advance = pair.model.next_due().map(|_| Leg::Advance);
        ways.extend(inputs.chain(advance).map(|leg| way.iter().copied().chain([leg]).collect()));
    }
    None
}

/// A machine to which the event of the row has just happened.
fn taken(figure: &'static Figure, timing: Timing, over: Reliability, way: &[Leg], row: &Arrow, code: u16) -> Pair {
    let mut pair = led(figure, timing, over, way);
    let Event::Fires(clock) = row.event else {
        if row.event != Event::Begin {
            pair.run_until(pair.now + STEP);
            assert_eq!(pair.model.row(row.event).name, row.name);
            pair.input(row.event, code);
        }
        return pair;
    };
    // Others may fire before, and stay in the state; if they leave it, only a process that was stalled sees this one fire.
    while pair.model.state == row.from {
        let due = pair.model.next_due().unwrap();
        let fires = pair.model.firing(due) == Some(clock);
        assert!(pair.advance());
        if fires {
            return pair;
        }
    }
    let mut pair = led(figure, timing, over, way);
    let due = pair.model.due(clock).unwrap();
    assert_eq!(pair.stall_until(due), [clock], "{} can fire in {}", clock, row.from);
    pair
}

/// Holds one row against the machine, wherever it can be reached.
pub(crate) fn row(figure: &'static Figure, name: &str) {
    let row = figure.rows().find(|row| row.name == name).unwrap();
    let mut tried = 0;
    for over in BOTH.into_iter().filter(|over| row.over.is_none_or(|only| only == *over)) {
        for timing in TIMINGS {
            let way = match row.event {
                Event::Begin => Some(Vec::new()),
                Event::Fires(clock) => way_to(figure, timing, over, row.from, Some(clock)),
                _ => way_to(figure, timing, over, row.from, None),
            };
            let Some(way) = way else { continue };
            for code in row.event.codes() {
                let mut pair = taken(figure, timing, over, &way, row, code);
                tried += 1;
                pair.run_to_end();
                // Once more, and this time it is asked late.
                let mut pair = taken(figure, timing, over, &way, row, code);
                pair.stall_until(pair.now + timing.t1 * 5);
                pair.run_to_end();
                for further in figure.events {
                    let mut pair = taken(figure, timing, over, &way, row, code);
                    pair.run_until(pair.now + STEP);
                    pair.input(*further, further.codes()[0]);
                    pair.run_to_end();
                }
            }
        }
    }
    assert!(tried > 0, "{name} can be reached");
}

/// Each event in each state has one row, no row stands for what cannot be, and the classes of responses leave none out.
pub(crate) fn complete(figure: &'static Figure) {
    for (state, clocks) in figure.states.iter().filter(|(state, _)| *state != State::Terminated) {
        for over in BOTH {
            for event in figure.events.iter().copied().chain(clocks.iter().map(|clock| Event::Fires(*clock))) {
                let rows = figure.matching(*state, event, over);
                assert_eq!(rows.len(), 1, "{event} in {state} over {over:?}: {rows:?}");
            }
        }
        assert!(way_to(figure, TIMINGS[0], Reliability::Unreliable, *state, None).is_some(), "a way to {state}");
    }
    for row in figure.rows() {
        let possible = match row.event {
            Event::Begin => row.from == State::Initial,
            Event::Fires(clock) => figure.clocks(row.from).contains(&clock),
            event => figure.events.contains(&event) && figure.states.iter().any(|(state, _)| *state == row.from),
        };
        assert!(possible && row.from != State::Terminated, "{row:?}");
        assert!(row.starts.iter().all(|(clock, _)| figure.clocks(row.to).contains(clock)), "{row:?}");
        assert!(row.section.starts_with("RFC ") && !row.label.trim().is_empty(), "{row:?}");
    }
    for code in 100..700 {
        let classes = figure.events.iter().filter(|event| match event {
            Event::Hears(class) | Event::Says(class) => class.contains(code),
            _ => false,
        });
        assert_eq!(classes.count(), 1, "{code}");
    }
}

/// Nothing that happens to a machine that is over has any effect.
pub(crate) fn terminated(figure: &'static Figure) {
    for over in BOTH {
        for timing in TIMINGS {
            let mut pair = led(figure, timing, over, &way_to(figure, timing, over, State::Terminated, None).unwrap());
            for event in figure.events.iter().chain(figure.events) {
                for code in event.codes() {
                    pair.run_until(pair.now + STEP);
                    pair.input(*event, code);
                }
            }
        }
    }
}

/// Lets a machine go where chance leads it.
pub(crate) fn walks(figure: &'static Figure) {
    for seed in 0..200 {
        for over in BOTH {
            for timing in TIMINGS {
                walk(figure, timing, over, seed);
            }
        }
    }
}

fn walk(figure: &'static Figure, timing: Timing, over: Reliability, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pair = Pair::new(figure, timing, over);
    for _ in 0..30 {
        let later = pair.now + Duration::from_millis(rng.random_range(0..3_000));
        match rng.random_range(0..10) {
            0..=5 => {
                pair.run_until(later);
                let event = figure.events[rng.random_range(0..figure.events.len())];
                let codes = event.codes();
                pair.input(event, codes[rng.random_range(0..codes.len())]);
            }
            6..=8 => _ = pair.advance(),
            _ => _ = pair.stall_until(later),
        }
    }
    pair.run_to_end();
}
