//! Which seeds a test runs with, and how a failing one is made known.

use std::ops::Range;

/// The variable that names the one seed to run again.
const VARIABLE: &str = "BLETHER_SEED";

/// The seeds of a random test: `0..count`, or only the one in `BLETHER_SEED` if that is set, which is how a failure is replayed.
///
/// # Panics
///
/// When the variable is set to something that is no number: a test that ran other seeds than asked for would mislead.
pub fn seeds(count: u64) -> Range<u64> {
    match std::env::var(VARIABLE) {
        Ok(text) => {
            let Ok(seed) = text.parse::<u64>() else { panic!("{VARIABLE} is {text:?}, not a number") };
            seed..seed.saturating_add(1)
        }
        Err(_) => 0..count,
    }
}

/// Prints its seed when it is dropped by a panic.
#[derive(Debug)]
pub(crate) struct SeedGuard(pub(crate) u64);

impl Drop for SeedGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulated network: the failing seed is {0}; replay with {VARIABLE}={0}", self.0);
        }
    }
}
