//! What can be wrong with a configuration, each as one line: what, where, how to mend it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::value::ValueError;

/// Where a setting was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the configuration file.
    File {
        /// The file, as it was named to us.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In the environment.
    Variable(String),
    /// In the configuration file or left out of it: the value is a default, or follows from several keys.
    WholeFile(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::WholeFile(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why there is no configuration. Each is displayed as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: cannot read the configuration: {cause}; {}", path.display(), mend_reading(cause))]
    Unreadable {
        /// The file, as it was named to us.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: this is not TOML: {message}; text needs quotes, and each line has the form `key = value`")]
    Syntax {
        /// Where reading stopped.
        place: Place,
        /// What the TOML reader said, in one line.
        message: String,
    },
    /// A key or section that is not known, such as a misspelt one.
    #[error("{place}: unknown key `{key}`; {}", mend_unknown(nearest.as_deref(), known))]
    UnknownKey {
        /// Where the key stands.
        place: Place,
        /// The key as written.
        key: String,
        /// The known key that looks most like it, if any does.
        nearest: Option<String>,
        /// All keys that may stand there.
        known: Vec<String>,
    },
    /// A variable that begins with `BLETHER_` and names no key.
    #[error("environment variable {name}: it names no key; {}", mend_unknown(nearest.as_deref(), &[]))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The variable that looks most like it, if any does.
        nearest: Option<String>,
    },
    /// A section written as something else, or something else in the place of a section.
    #[error("{place}: this must be {expected}")]
    NoSection {
        /// Where it stands.
        place: Place,
        /// The form that it must have.
        expected: String,
    },
    /// A key with a value of another type.
    #[error("{place}: `{key}` must be {expected}, but here it is {found}")]
    WrongType {
        /// Where the value stands.
        place: Place,
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value that cannot be used.
    #[error("{place}: {invalid}")]
    Invalid {
        /// Where the value stands.
        place: Place,
        /// What is wrong with it.
        invalid: Box<Invalid>,
    },
}

/// A value that is of the right type and yet cannot be used. `key` is the key as it stands under its section
/// (`media.ports`), or with the number of its account, from 1 (`password of account 2`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A number outside its range, both ends allowed.
    #[error("`{key}` is {value}; give a whole number from {min} to {max}{unit}")]
    OutOfRange {
        /// The key.
        key: String,
        /// Its value.
        value: i128,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
        /// The unit with a space before it, or nothing.
        unit: &'static str,
    },
    /// A duration that is not a whole number of seconds; it cannot be written into a SIP message.
    #[error("`{key}` is not a whole number of seconds; round it")]
    NotWholeSeconds {
        /// The key.
        key: String,
    },
    /// Text that is not what the key needs.
    #[error("`{key}`: {cause}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with it.
        cause: ValueError,
    },
    /// A value that is above that of another key.
    #[error("`{key}` is {value}, which is above `{limit_key}` = {limit}; lower the first or raise the second")]
    Above {
        /// The key.
        key: String,
        /// Its value.
        value: u64,
        /// The key that bounds it.
        limit_key: String,
        /// The value of that key.
        limit: u64,
    },
    /// A SIP port that RTP would take.
    #[error("`media.ports` = {ports} holds the port of `listen` = {address}; move one of them")]
    ListenInMediaPorts {
        /// The range.
        ports: String,
        /// The address of `listen`.
        address: String,
    },
    /// Two addresses to listen on of which only one can be had.
    #[error("`listen` has {first} and {second}, of which only one can be had; remove one, or change its port")]
    ListenTwice {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
    /// A port for HTTP that SIP takes for TCP.
    #[error("`http.listen` = {address} is the port that `listen` = {listen} takes for TCP; move one of them")]
    HttpOnListen {
        /// The address for HTTP.
        address: SocketAddr,
        /// That for SIP.
        listen: String,
    },
    /// Two accounts with one user.
    #[error("account {second} has the user `{user}` of account {first}{}; give it another, or remove it", at(first_place.as_ref()))]
    DuplicateUser {
        /// The user of both.
        user: String,
        /// The earlier account, from 1.
        first: usize,
        /// The later account.
        second: usize,
        /// Where the earlier one stands, when it is known.
        first_place: Option<Place>,
    },
    /// A `[[proxy]]` that lacks a key.
    #[error("proxy {proxy} has no `{key}`; add the line {key} = \"...\"")]
    MissingInProxy {
        /// The section, from 1.
        proxy: usize,
        /// The key.
        key: &'static str,
    },
    /// An account that lacks a key.
    #[error("account {account} has no `{key}`; add the line {key} = \"...\"")]
    Missing {
        /// The account, from 1.
        account: usize,
        /// The key.
        key: &'static str,
    },
}

fn at(place: Option<&Place>) -> String {
    place.map(|place| format!(" ({place})")).unwrap_or_default()
}

fn mend_reading(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "check the path, or start without one to have a configuration made",
        ErrorKind::PermissionDenied => {
            "start the server as the user who owns it, or give this user the right to read it"
        }
        ErrorKind::IsADirectory => "name the file in it",
        ErrorKind::InvalidData => "save it as UTF-8 text",
        _ => "check the disk and the path",
    }
}

fn mend_unknown(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "remove it, or see the reference for the names there are".to_owned(),
        None => format!("the keys here are {}", known.join(", ")),
    }
}

/// The candidate that a typing mistake most likely stands for, if one is near enough to be worth naming.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    let allowed = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            // `timeout` for `ring_timeout` is far in letters and near in mind.
            let is_part = written.len() > 3 && format!("_{lower}_").contains(&format!("_{written}_"));
            let distance = if is_part { 1 } else { edits(&written, &lower) };
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour to get from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j + 1] + 1).min(row[j] + 1).min(last[j] + usize::from(x != *y));
            if j > 0 && previous == Some(*y) && b[j - 1] == x {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        (before_last, last, previous) = (last, row, Some(x));
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_typing_mistake_away() {
        let keys = ["listen", "data_dir", "ring_timeout", "min_expires", "max_expires"];
        let check = |written: &str, expected: Option<&str>| assert_eq!(nearest(written, keys), expected, "{written}");
        check("lsiten", Some("listen"));
        check("listn", Some("listen"));
        check("data-dir", Some("data_dir"));
        check("timeout", Some("ring_timeout"));
        check("max_expire", Some("max_expires"));
        check("codec", None);
        check("", None);
    }
}
