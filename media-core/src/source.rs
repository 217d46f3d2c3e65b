//! Sources of sound: a clip in memory, silence, one after the other, over and over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::frame::{AudioSource, SampleRate};

/// A sound in memory at 8 kHz; a clone shares the samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    samples: Arc<[i16]>,
}

impl Clip {
    /// Takes over samples at 8 kHz.
    #[must_use]
    pub fn new(samples: impl Into<Arc<[i16]>>) -> Self {
        Self { samples: samples.into() }
    }

    /// The samples at 8 kHz.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        SampleRate::HZ_8000.duration_of(self.samples.len())
    }

    /// A source that plays it once from the start.
    #[must_use]
    pub fn play(&self) -> ClipSource {
        ClipSource { clip: self.clone(), position: 0, looping: false }
    }

    /// A source that plays it over and over without a gap, and never ends (unless the clip is empty).
    #[must_use]
    pub fn play_looping(&self) -> ClipSource {
        ClipSource { clip: self.clone(), position: 0, looping: true }
    }
}

/// Plays a [`Clip`], once or over and over.
#[derive(Clone, Debug)]
pub struct ClipSource {
    clip: Clip,
    position: usize,
    looping: bool,
}

impl AudioSource for ClipSource {
    fn read(&mut self, out: &mut [i16]) -> usize {
        let mut written = 0;
        while let Some(room) = out.get_mut(written..).filter(|room| !room.is_empty()) {
            let rest = self.clip.samples.get(self.position..).unwrap_or_default();
            if rest.is_empty() {
                if !self.looping || self.clip.samples.is_empty() {
                    break;
                }
                self.position = 0;
                continue;
            }
            let count = copy_front(rest, room);
            self.position += count;
            written += count;
        }
        written
    }
}

/// Silence, for a while or for ever.
#[derive(Clone, Copy, Debug)]
pub struct SilenceSource {
    left: Option<usize>,
}

impl SilenceSource {
    /// Silence that ends after a time.
    #[must_use]
    pub fn lasting(time: Duration) -> Self {
        Self { left: Some(SampleRate::HZ_8000.samples_in(time)) }
    }

    /// Silence that never ends.
    #[must_use]
    pub const fn endless() -> Self {
        Self { left: None }
    }
}

impl AudioSource for SilenceSource {
    fn read(&mut self, out: &mut [i16]) -> usize {
        let count = self.left.map_or(out.len(), |left| left.min(out.len()));
        if let Some(left) = &mut self.left {
            *left -= count;
        }
        out.iter_mut().take(count).for_each(|sample| *sample = 0);
        count
    }
}

/// Plays sources one after the other without a gap; a source that never ends keeps those behind it waiting.
pub struct SequenceSource {
    sources: VecDeque<Box<dyn AudioSource>>,
}

impl SequenceSource {
    /// The sources in the order in which they are to be played.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Box<dyn AudioSource>>) -> Self {
        Self { sources: sources.into_iter().collect() }
    }
}

impl AudioSource for SequenceSource {
    fn read(&mut self, out: &mut [i16]) -> usize {
        let mut written = 0;
        while let Some(source) = self.sources.front_mut() {
            let Some(room) = out.get_mut(written..).filter(|room| !room.is_empty()) else { break };
            let (room_len, count) = (room.len(), source.read(room));
            written += count.min(room_len);
            if count < room_len {
                self.sources.pop_front();
            }
        }
        written
    }
}

/// Copies as much as fits, and says how much that was.
fn copy_front(from: &[i16], to: &mut [i16]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

/// Reads a source to its end or to a limit, in samples.
#[must_use]
pub fn collect(source: &mut dyn AudioSource, limit: usize) -> Vec<i16> {
    let mut samples = Vec::new();
    while samples.len() < limit {
        let mut frame: crate::frame::Frame = [0; crate::frame::FRAME_SAMPLES];
        let count = source.read(&mut frame);
        let wanted = count.min(limit - samples.len());
        samples.extend(frame.iter().take(wanted));
        if count < frame.len() {
            break;
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_plays_once_and_then_has_nothing_more() {
        let mut source = Clip::new(vec![1, 2, 3]).play();
        let mut out = [9; 2];
        assert_eq!((source.read(&mut out), out), (2, [1, 2]));
        assert_eq!((source.read(&mut out), out), (1, [3, 2]));
        assert_eq!(source.read(&mut out), 0);
    }

    #[test]
    fn a_looping_clip_joins_its_end_to_its_start() {
        let mut source = Clip::new(vec![1, 2, 3]).play_looping();
        assert_eq!(collect(&mut source, 7), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_looping_clip_of_nothing_ends_at_once() {
        assert_eq!(Clip::new(vec![]).play_looping().read(&mut [0; 4]), 0);
    }

    #[test]
    fn a_sequence_joins_its_sources_without_a_gap() {
        let mut source = SequenceSource::new([
            Box::new(Clip::new(vec![1, 2, 3]).play()) as Box<dyn AudioSource>,
            Box::new(SilenceSource::lasting(Duration::from_micros(250))),
            Box::new(Clip::new(vec![4]).play()),
        ]);
        assert_eq!(collect(&mut source, 100), [1, 2, 3, 0, 0, 4]);
        assert_eq!(source.read(&mut [0; 4]), 0);
    }

    #[test]
    fn endless_silence_fills_every_frame() {
        let mut out = [5; 160];
        assert_eq!(SilenceSource::endless().read(&mut out), 160);
        assert_eq!(out, [0; 160]);
    }
}
