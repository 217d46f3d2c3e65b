//! When a sound began to be spoken or heard, by one clock for both ends.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use blether_media_core::{AudioSink, AudioSource};

/// The instant at which the first sample passed; unset until then.
#[derive(Clone, Debug, Default)]
pub(super) struct Started(Arc<OnceLock<Instant>>);

impl Started {
    pub(super) fn at(&self) -> Option<Instant> {
        self.0.get().copied()
    }

    fn now(&self) {
        self.0.get_or_init(Instant::now);
    }
}

/// Notes when the first sample passes through a source or sink.
pub(super) struct Timed<T> {
    inner: T,
    started: Started,
}

impl<T> Timed<T> {
    pub(super) fn new(inner: T, started: Started) -> Self {
        Self { inner, started }
    }
}

impl<T: AudioSource> AudioSource for Timed<T> {
    fn read(&mut self, out: &mut [i16]) -> usize {
        self.started.now();
        self.inner.read(out)
    }
}

impl<T: AudioSink> AudioSink for Timed<T> {
    fn write(&mut self, samples: &[i16]) {
        self.started.now();
        self.inner.write(samples);
    }
}
