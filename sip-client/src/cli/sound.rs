//! The files that a call says and hears.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use blether_media_core::{AudioSink, AudioSource, Clip, SilenceSource, WavError, WavRecording, WavReport, record_wav};
use blether_sip_client::Audio;

use super::arguments::AudioArguments;

/// The longest file that is played: it is held in memory, 58 MB of it.
const LONGEST_FILE: Duration = Duration::from_secs(3_600);

/// The longest recording.
const LONGEST_RECORDING: Duration = Duration::from_secs(24 * 3_600);

/// What each call says, and where what it hears is written.
pub(super) struct Sound {
    clip: Option<Clip>,
    record: Option<PathBuf>,
    recorded: u32,
}

impl Sound {
    /// Loads the file to play and makes sure that there is a folder to record to, so that no call is made or taken in vain.
    pub(super) fn open(arguments: &AudioArguments) -> Result<Self> {
        let clip = match &arguments.play {
            Some(path) => Some(load(path)?),
            None => None,
        };
        if let Some(path) = &arguments.record {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() {
                bail!(
                    "--record {}: the folder {} does not exist; make it, or name another",
                    path.display(),
                    folder.display()
                );
            }
            if path.is_dir() {
                bail!("--record {}: this is a folder; name a file in it", path.display());
            }
        }
        Ok(Self { clip, record: arguments.record.clone(), recorded: 0 })
    }

    pub(super) fn plays(&self) -> bool {
        self.clip.is_some()
    }

    /// The sound of the next call. Its recording, if there is one, begins.
    pub(super) fn next_call(&mut self) -> Result<(Audio, Option<WavRecording>)> {
        let source: Box<dyn AudioSource> = match &self.clip {
            Some(clip) => Box::new(clip.play()),
            None => Box::new(SilenceSource::endless()),
        };
        let Some(path) = &self.record else {
            return Ok((Audio::playing(source), None));
        };
        self.recorded += 1;
        let (sink, recording) = record_wav(numbered(path, self.recorded), LONGEST_RECORDING).context("--record")?;
        let sink: Box<dyn AudioSink> = Box::new(sink);
        Ok((Audio::new(source, sink), Some(recording)))
    }
}

fn load(path: &Path) -> Result<Clip> {
    Clip::load_wav(path, LONGEST_FILE).map_err(|error| match error {
        WavError::Io { path, source } => {
            anyhow::anyhow!("--play {}: {source}; name a WAV file that can be read", path.display())
        }
        error => anyhow::Error::from(error).context("--play"),
    })
}

/// The file of the `number`th call: `heard.wav`, `heard-2.wav`, `heard-3.wav`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number <= 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Waits until the recording is whole; the disk is not for a runtime's thread.
pub(super) async fn finish(recording: WavRecording) -> Result<WavReport> {
    tokio::task::spawn_blocking(move || recording.finish()).await?.context("--record")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_a_recording_of_its_own() {
        for (path, number, expected) in [
            ("heard.wav", 1, "heard.wav"),
            ("out/heard.wav", 2, "out/heard-2.wav"),
            ("out.d/heard", 3, "out.d/heard-3"),
        ] {
            assert_eq!(numbered(Path::new(path), number), Path::new(expected));
        }
    }
}
