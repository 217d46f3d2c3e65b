//! Recorders: to a WAV file by a thread of its own, and to memory.
//!
//! A recorder is two things: the sink, which goes to the media worker with the leg, and the recording, which stays
//! with whoever wants the sound. The sink never waits: what there is no room for is counted, and replaced by silence
//! in the file, so that the rest stays where it was in time.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hound::WavWriter;

use crate::error::WavError;
use crate::frame::{AudioSink, FRAME_SAMPLES, Frame, SampleRate};
use crate::source::Clip;
use crate::wav::{RECORDING, wav_error};

/// Frames that may wait for the writer thread: 5.12 s, longer than a busy disk makes one wait.
const QUEUED_FRAMES: usize = 256;
/// Samples after which the file's header is brought up to date, so that a killed process leaves a playable file.
const FLUSH_EVERY: u64 = 8_000;
/// How often an idle writer looks whether it was told to finish.
const FINISH_CHECK: Duration = Duration::from_millis(50);

/// Up to a frame of samples, with the silence that stands for what was lost before it.
struct Chunk {
    lost_before: u64,
    used: usize,
    samples: Frame,
}

/// What writer thread, sink and recording tell each other.
#[derive(Default)]
struct Shared {
    finish: AtomicBool,
    overrun: AtomicU64,
}

/// The sink of a WAV recording: hands what it hears to the writer thread. Dropping it ends the file.
pub struct WavSink {
    queue: SyncSender<Chunk>,
    shared: Arc<Shared>,
    lost: u64,
    room: u64,
}

/// A WAV file in the making. Dropping this neither stops the recording nor waits for it.
#[must_use = "call `finish` to learn whether the file was written"]
pub struct WavRecording {
    path: PathBuf,
    shared: Arc<Shared>,
    writer: JoinHandle<Result<u64, hound::Error>>,
}

/// What became of a WAV recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavReport {
    /// The file.
    pub path: PathBuf,
    /// How long the file plays.
    pub duration: Duration,
    /// Samples that are not in it: the disk was slower than the sound, or the longest duration was reached.
    pub overrun_samples: u64,
}

/// Begins a recording in a file of 8 kHz, mono, 16 bits. A file that is there is replaced. After `longest` no more is
/// written, only counted.
///
/// # Errors
/// When the file cannot be made, or no thread started.
pub fn record_wav(path: impl AsRef<Path>, longest: Duration) -> Result<(WavSink, WavRecording), WavError> {
    let path = path.as_ref().to_owned();
    let file = WavWriter::create(&path, RECORDING).map_err(|error| wav_error(&path, error))?;
    let (queue, chunks) = sync_channel(QUEUED_FRAMES);
    let shared = Arc::new(Shared::default());
    let for_writer = Arc::clone(&shared);
    let writer = std::thread::Builder::new()
        .name("blether-record".to_owned())
        .spawn(move || write_file(file, &chunks, &for_writer.finish))
        .map_err(|source| WavError::Io { path: path.clone(), source })?;
    // A WAV file holds no more than 4 GB: 37 hours leave room for its header, too.
    let room = SampleRate::HZ_8000.samples_in(longest.min(Duration::from_secs(37 * 3_600))) as u64;
    Ok((WavSink { queue, shared: Arc::clone(&shared), lost: 0, room }, WavRecording { path, shared, writer }))
}

impl AudioSink for WavSink {
    fn write(&mut self, samples: &[i16]) {
        for part in samples.chunks(FRAME_SAMPLES) {
            let length = part.len() as u64;
            let sent = self.lost.saturating_add(length) <= self.room && {
                let mut chunk = Chunk { lost_before: self.lost, used: part.len(), samples: [0; FRAME_SAMPLES] };
                chunk.samples.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
                match self.queue.try_send(chunk) {
                    Ok(()) => true,
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
                }
            };
            if sent {
                self.room -= self.lost + length;
                self.lost = 0;
            } else {
                self.lost = self.lost.saturating_add(length);
                self.shared.overrun.fetch_add(length, Ordering::Relaxed);
            }
        }
    }
}

impl WavRecording {
    /// Samples that are not in the file so far.
    #[must_use]
    pub fn overrun_samples(&self) -> u64 {
        self.shared.overrun.load(Ordering::Relaxed)
    }

    /// Ends the recording, also when the sink still lives, and waits until the file is whole. It blocks for as long
    /// as the disk needs: call it from an ordinary thread, not from a media worker or an async task.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub fn finish(self) -> Result<WavReport, WavError> {
        self.shared.finish.store(true, Ordering::Release);
        match self.writer.join() {
            Ok(Ok(samples)) => Ok(WavReport {
                path: self.path,
                duration: SampleRate::HZ_8000.duration_of(usize::try_from(samples).unwrap_or(usize::MAX)),
                overrun_samples: self.shared.overrun.load(Ordering::Relaxed),
            }),
            Ok(Err(error)) => Err(wav_error(&self.path, error)),
            Err(_panic) => Err(WavError::WriterLost { path: self.path }),
        }
    }
}

/// The writer thread: until the sink is gone or it is told to finish. Says how many samples the file holds.
fn write_file(
    mut file: WavWriter<BufWriter<File>>,
    chunks: &Receiver<Chunk>,
    finish: &AtomicBool,
) -> Result<u64, hound::Error> {
    let (mut written, mut flushed) = (0, 0);
    loop {
        // Asked before the queue is: what the sink wrote before `finish` was called is still taken.
        let last_round = finish.load(Ordering::Acquire);
        let chunk = match chunks.recv_timeout(if last_round { Duration::ZERO } else { FINISH_CHECK }) {
            Ok(chunk) => chunk,
            Err(RecvTimeoutError::Timeout) if !last_round => continue,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        };
        for _ in 0..chunk.lost_before {
            file.write_sample(0_i16)?;
        }
        for &sample in chunk.samples.iter().take(chunk.used) {
            file.write_sample(sample)?;
        }
        written += chunk.lost_before + chunk.used as u64;
        if written - flushed >= FLUSH_EVERY {
            file.flush()?;
            flushed = written;
        }
    }
    file.finalize()?;
    Ok(written)
}

/// The sink of a recording in memory.
pub struct MemorySink {
    kept: Arc<Mutex<Kept>>,
}

/// A recording in memory, growing while its sink is written; a clone sees the same sound.
#[derive(Clone)]
pub struct MemoryRecording {
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    samples: Vec<i16>,
    limit: usize,
    overrun: u64,
}

/// Begins a recording in memory, of up to `longest`; what comes later is counted and dropped.
#[must_use]
pub fn record_to_memory(longest: Duration) -> (MemorySink, MemoryRecording) {
    let limit = SampleRate::HZ_8000.samples_in(longest);
    let kept = Arc::new(Mutex::new(Kept { samples: Vec::new(), limit, overrun: 0 }));
    (MemorySink { kept: Arc::clone(&kept) }, MemoryRecording { kept })
}

impl AudioSink for MemorySink {
    fn write(&mut self, samples: &[i16]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let count = samples.len().min(kept.limit.saturating_sub(kept.samples.len()));
        kept.samples.extend(samples.iter().take(count));
        kept.overrun = kept.overrun.saturating_add((samples.len() - count) as u64);
    }
}

impl MemoryRecording {
    /// A copy of what was heard so far.
    #[must_use]
    pub fn samples(&self) -> Vec<i16> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).samples.clone()
    }

    /// Takes what was heard so far out of the recording, which goes on with all its room free.
    #[must_use]
    pub fn take(&self) -> Clip {
        Clip::new(std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner).samples))
    }

    /// Samples for which there was no room.
    #[must_use]
    pub fn overrun_samples(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).overrun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_recording_holds_what_the_sink_was_told() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sink, recording) = record_wav(dir.path().join("a.wav"), MINUTE).unwrap();
        let sound: Vec<i16> = (0..1_000).collect();
        sink.write(&sound);
        let report = recording.finish().unwrap();
        assert_eq!((report.duration, report.overrun_samples), (Duration::from_millis(125), 0));
        assert_eq!(Clip::load_wav(report.path, MINUTE).unwrap().samples(), sound);
        sink.write(&[1]); // a sink that outlives its file only counts
    }

    #[test]
    fn a_file_is_whole_when_its_sink_was_dropped_and_its_recording_never_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sink, recording) = record_wav(dir.path().join("b.wav"), MINUTE).unwrap();
        sink.write(&[5; 320]);
        drop(sink);
        let WavRecording { writer, path, .. } = recording;
        assert_eq!(writer.join().unwrap().unwrap(), 320);
        assert_eq!(Clip::load_wav(path, MINUTE).unwrap().samples(), [5; 320]);
    }

    #[test]
    fn what_the_writer_has_no_room_for_is_counted_and_becomes_silence() {
        let (queue, chunks) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let mut sink = WavSink { queue, shared: Arc::clone(&shared), lost: 0, room: 8_000 };
        sink.write(&[1; 480]); // one frame fits, two are lost
        assert_eq!(shared.overrun.load(Ordering::Relaxed), 320);
        let first = chunks.try_recv().unwrap();
        sink.write(&[2; 160]);
        let second = chunks.try_recv().unwrap();
        assert_eq!((first.lost_before, second.lost_before, second.samples[0]), (0, 320, 2));
        drop(chunks); // a writer that died is an overrun, not a panic
        sink.write(&[3; 160]);
        assert_eq!(shared.overrun.load(Ordering::Relaxed), 480);
    }

    #[test]
    fn the_longest_duration_bounds_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sink, recording) = record_wav(dir.path().join("c.wav"), Duration::from_millis(40)).unwrap();
        sink.write(&[7; 160 * 3]);
        let report = recording.finish().unwrap();
        assert_eq!((report.duration, report.overrun_samples), (Duration::from_millis(40), 160));
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = record_wav(dir.path().join("missing/d.wav"), MINUTE).map(drop).unwrap_err();
        assert!(error.to_string().contains("missing/d.wav"), "{error}");
    }

    #[test]
    fn a_memory_recording_is_bounded_and_can_be_emptied() {
        let (mut sink, recording) = record_to_memory(Duration::from_millis(1));
        sink.write(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!((recording.samples().len(), recording.overrun_samples()), (8, 2));
        assert_eq!(recording.take().samples(), [1, 2, 3, 4, 5, 6, 7, 8]);
        sink.write(&[11]);
        assert_eq!(recording.clone().samples(), [11]);
    }
}
