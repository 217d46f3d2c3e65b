//! A metrics recorder for tests: what was counted while it was the local one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// The counters that were registered, by name and the value of their label, if they have one.
#[derive(Default)]
pub(crate) struct Counted(Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>);

impl Counted {
    /// What a counter says; 0 if there is none.
    pub(crate) fn of(&self, name: &str, label: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        counters.get(&(name.to_owned(), label.to_owned())).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let label = key.labels().map(|label| label.value()).collect();
        let counter = self.0.lock().unwrap().entry((key.name().to_owned(), label)).or_default().clone();
        Counter::from_arc(counter)
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
