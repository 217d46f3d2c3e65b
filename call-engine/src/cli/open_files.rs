//! The limit of open files, which is one of calls: each needs a file descriptor for every socket of its media.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many file descriptors as the system allows: a call between two phones needs four for its media, and 1,024, which is what many
/// systems begin with, would end at 250 calls. Tells how many there are; `None` where there is no limit.
pub(super) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, limit = ?limit.current, "the limit of open files stays");
            limit.current
        }
    }
}

/// How many [`raise`] would take.
pub(super) fn attainable() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}
