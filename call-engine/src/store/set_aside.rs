//! Puts a database that is not to be written to out of the way, under a name that nothing had before.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cdr::epoch_ms;

/// What SQLite keeps beside its file: the log with what is not in the file yet, and the index of that log.
pub(super) const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Names that are tried in one second.
const MAX_NAMES: u32 = 100;

/// Why a database is put out of the way, as its name says after.
pub(super) const CORRUPT: &str = "corrupt";
/// Somebody has put it in the place of the one in use.
pub(super) const OTHER: &str = "other";

/// Renames a database and what belongs to it to `FILE.WHY-SECONDS`, and says where it is. No process may have it open.
///
/// # Errors
/// The folder cannot be written; what was there is there.
pub(super) fn set_aside(path: &Path, why: &str, date: SystemTime) -> io::Result<PathBuf> {
    let to = free_name(path, why, date)?;
    for companion in COMPANIONS {
        let from = with_suffix(path, companion);
        if from.try_exists()? {
            std::fs::rename(&from, with_suffix(&to, companion))?;
        }
    }
    // Over the empty file that took the name: nothing else can be there.
    std::fs::rename(path, &to)?;
    Ok(to)
}

/// Takes a name by making an empty file of it, which fails if there is one.
fn free_name(path: &Path, why: &str, date: SystemTime) -> io::Result<PathBuf> {
    let seconds = epoch_ms(date) / 1_000;
    for number in 0..MAX_NAMES {
        let again = if number == 0 { String::new() } else { format!("-{number}") };
        let name = with_suffix(path, &format!(".{why}-{seconds}{again}"));
        match OpenOptions::new().write(true).create_new(true).open(&name) {
            Ok(_) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_keeps_its_bytes_and_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.db");
        let mut places = Vec::new();
        for content in ["first", "second"] {
            std::fs::write(&path, content).unwrap();
            std::fs::write(with_suffix(&path, "-wal"), format!("log of {content}")).unwrap();
            places.push(set_aside(&path, CORRUPT, SystemTime::UNIX_EPOCH).unwrap());
            assert!(!path.exists() && !with_suffix(&path, "-wal").exists());
        }
        for (place, content) in places.iter().zip(["first", "second"]) {
            assert_eq!(std::fs::read_to_string(place).unwrap(), content);
            assert_eq!(std::fs::read_to_string(with_suffix(place, "-wal")).unwrap(), format!("log of {content}"));
        }
    }
}
