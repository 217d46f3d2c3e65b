//! A million transactions over a bad link in virtual time, each held against RFC 3261 table 4 to the nanosecond.
//!
//! A history is a seed (`BLETHER_SEED` replays one): two tables send each other INVITE and OPTIONS over links that lose, double, delay and
//! reorder. `oracle` has its own figures and its own idea of what a transaction does when, and says which invariant a history breaks:
//! *each request ends once*, *reported once*, *nothing is left*, *Timer A*, *Timer B*, *Timer D*, *Timer E*, *Timer F*, *Timer G*, *Timer H*,
//! *Timer I*, *Timer J*, *Timer K*, *Timer L*, *Timer M*, *100 Trying*.
//!
//! It takes 45 s of processor time in the profile `ci`, on all cores at once, and minutes in `dev`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, its helpers too")]

mod oracle;
mod world;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use blether_testkit::seeds;
use blether_transaction_core::Timing;

use crate::world::World;

/// Each brings some 486 transactions, client and server.
const SEEDS: u64 = 2_080;

#[test]
fn a_million_transactions_over_a_bad_link_keep_every_timer() {
    let seeds = seeds(SEEDS);
    println!("seeds {seeds:?}");
    let (next, transactions) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let violations = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match World::new(seed, Timing::default()).run() {
                        Ok(count) => _ = transactions.fetch_add(count, Ordering::Relaxed),
                        Err(violation) => violations.lock().unwrap().push(format!("seed {seed}: {violation}")),
                    }
                }
            });
        }
    });
    let violations = violations.into_inner().unwrap();
    assert!(
        violations.is_empty(),
        "{} seeds of {seeds:?} fail: {:#?}",
        violations.len(),
        &violations[..violations.len().min(5)]
    );
    let transactions = transactions.into_inner();
    println!("{transactions} transactions");
    assert!(transactions >= 1_000_000 || seeds.end - seeds.start == 1, "only {transactions} transactions");
}

/// What the invariants say of tables that keep other times than the RFC's.
fn broken_by(timing: Timing) -> BTreeSet<String> {
    let invariant = |violation: String| violation.split(':').next().unwrap_or_default().to_owned();
    (0..40).filter_map(|seed| World::new(seed, timing).run().err()).map(invariant).collect()
}

#[test]
fn one_timer_constant_that_is_off_by_a_millisecond_breaks_an_invariant() {
    let right = Timing::default();
    assert!(broken_by(right).is_empty());
    let more = Duration::from_millis(1);
    for (name, timing) in [
        ("T1", Timing { t1: right.t1 + more, ..right }),
        ("T2", Timing { t2: right.t2 + more, ..right }),
        ("T4", Timing { t4: right.t4 - more, ..right }),
    ] {
        let broken = broken_by(timing);
        assert!(!broken.is_empty(), "{name} is off, and nothing notices");
        println!("{name} breaks {broken:?}");
    }
}
