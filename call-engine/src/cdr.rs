//! Call detail records: who called whom, when, how it ended and what the media were like.
//!
//! A record is written when its call is answered, and again, whole, when it ends. One that has no end when the server starts belongs to
//! a call that the server did not survive: it is marked [`CdrEnd::Interrupted`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use blether_sip_core::StatusCode;
use rand::{Rng, RngExt as _};
use serde_json::Value;

/// Bytes of each text that a record keeps. What is longer is cut: a stranger writes Call-IDs and dials numbers.
pub const MAX_CDR_TEXT: usize = 512;

/// Bytes of [`Cdr::legs`] as JSON text. What is longer is left out, with a note of its length.
pub const MAX_CDR_LEGS: usize = 16_384;

/// Bits of a [`CdrId`] that count; those above are milliseconds since 1970.
const COUNT_BITS: u32 = 20;

/// Names a record, for ever: a later call has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CdrId(i64);

impl CdrId {
    /// The id with this number, as a store or a log holds it.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for CdrId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Gives out ids: milliseconds, then a count that begins anywhere, so that neither a million calls in a millisecond nor a clock that is set
/// back across a restart is likely to give one out twice.
#[derive(Debug)]
pub struct CdrIds {
    count: AtomicU64,
}

impl CdrIds {
    /// A source of ids. One a process.
    pub fn new(rng: &mut impl Rng) -> Self {
        Self { count: AtomicU64::new(u64::from(rng.random::<u32>())) }
    }

    /// The next id, for a call that begins at `date`.
    pub fn next(&self, date: SystemTime) -> CdrId {
        let count = self.count.fetch_add(1, Ordering::Relaxed) & ((1 << COUNT_BITS) - 1);
        // 42 bits of milliseconds last until 2109; together they stay a positive 64 bit integer, which every database has.
        let ms = epoch_ms(date) & ((1 << 42) - 1);
        CdrId((ms << COUNT_BITS) | i64::try_from(count).unwrap_or(0))
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdrEnd {
    /// The caller hung up after the answer.
    Caller,
    /// The callee hung up after the answer.
    Callee,
    /// The caller gave up before the answer.
    Cancelled,
    /// Nobody was connected; this is what the caller was told.
    Refused(StatusCode),
    /// This server ended it: it was told to stop, a program hung up.
    Server,
    /// It broke: a peer vanished, nothing was heard of it any more, or this server failed.
    Failed,
    /// The server was not there when it ended.
    Interrupted,
}

impl CdrEnd {
    /// A name for stores and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Cancelled => "cancelled",
            Self::Refused(_) => "refused",
            Self::Server => "server",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The status that goes with the name: of [`CdrEnd::Refused`] alone.
    pub fn status(self) -> Option<StatusCode> {
        match self {
            Self::Refused(status) => Some(status),
            _ => None,
        }
    }

    /// The end that a name and a status stand for.
    #[must_use]
    pub fn from_parts(name: &str, status: Option<StatusCode>) -> Option<Self> {
        let plain = [Self::Caller, Self::Callee, Self::Cancelled, Self::Server, Self::Failed, Self::Interrupted];
        match (name, status) {
            ("refused", Some(status)) => Some(Self::Refused(status)),
            _ => plain.into_iter().find(|end| end.as_str() == name),
        }
    }
}

/// The record of one call. Times are to the millisecond.
#[derive(Debug, Clone, PartialEq)]
pub struct Cdr {
    /// Its name.
    pub id: CdrId,
    /// Call-ID of the caller's leg.
    pub call_id: String,
    /// The account that the caller proved to be.
    pub caller: Option<String>,
    /// What was dialled.
    pub dialled: String,
    /// Who answered: the contact, or the application's name.
    pub answered_by: Option<String>,
    /// When the INVITE came.
    pub started_at: SystemTime,
    /// When it was answered.
    pub answered_at: Option<SystemTime>,
    /// When it ended. An interrupted call has an end without a time.
    pub ended_at: Option<SystemTime>,
    /// How it ended; `None` while it lives.
    pub end: Option<CdrEnd>,
    /// What was measured on each leg whose media was agreed, as JSON text: an array of objects, the caller's first. The store does not look into it. What was not
    /// measured is absent; milliseconds have one decimal.
    ///
    /// | name | meaning |
    /// | --- | --- |
    /// | `party`, `contact` | `caller` or `callee`, and the address of its phone |
    /// | `codec` | name and clock rate, such as `PCMU/8000` |
    /// | `signalled`, `remote`, `latched` | where its SDP said it listens, where its packets went, and whether it was found elsewhere than signalled |
    /// | `received` | RTP from it: `packets`, `bytes`, `lost` and in how many `loss_bursts` (RFC 3550 A.3), `duplicates`, `late` ones (after a later one), `jitter_ms` at the end and `max_jitter_ms` (RFC 3550 A.8), and `first_after_ms`: how long the first took |
    /// | `sent` | RTP to it: `packets`, `bytes` |
    /// | `reported` | what it last said of that by RTCP: `lost` packets, `jitter_ms` |
    /// | `round_trip_ms` | to its phone and back, by RTCP |
    /// | `mos_received`, `mos_sent` | estimated MOS (ITU-T G.107) of what it said as it came here, and of what it heard, on this leg alone and with a jitter buffer of 60 ms; for G.711 |
    /// | `digits` | keys that it pressed: how many, not which |
    /// | `refused` | packets to its port that were not its own |
    /// | `relay_lost` | packets from it that this machine could not send on |
    pub legs: Option<Arc<str>>,
}

impl Cdr {
    /// The record of a call that begins.
    pub fn begin(id: CdrId, call_id: &str, dialled: &str, started_at: SystemTime) -> Self {
        Self {
            id,
            call_id: call_id.to_owned(),
            caller: None,
            dialled: dialled.to_owned(),
            answered_by: None,
            started_at,
            answered_at: None,
            ended_at: None,
            end: None,
            legs: None,
        }
    }

    /// The record with every part cut to what a store keeps.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let optional = [self.caller.as_mut(), self.answered_by.as_mut()].into_iter().flatten();
        for text in [&mut self.call_id, &mut self.dialled].into_iter().chain(optional) {
            *text = cut(std::mem::take(text));
        }
        let len = self.legs.as_ref().map_or(0, |legs| legs.len());
        if len > MAX_CDR_LEGS {
            let note = serde_json::json!({ "left_out": { "bytes": len, "limit": MAX_CDR_LEGS } });
            self.legs = Some(note.to_string().into());
        }
        self
    }

    /// [`Self::legs`] as a value; a string where the text is no JSON, as somebody else may have written it into the store.
    pub fn legs_json(&self) -> Option<Value> {
        let legs = self.legs.as_deref()?;
        Some(serde_json::from_str(legs).unwrap_or_else(|_| legs.into()))
    }

    /// The record as one JSON object, for logs: times are milliseconds since 1970, and the names are those of the store's columns.
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "id": self.id.number(),
            "call_id": self.call_id,
            "caller": self.caller,
            "dialled": self.dialled,
            "answered_by": self.answered_by,
            "started_at": epoch_ms(self.started_at),
            "answered_at": self.answered_at.map(epoch_ms),
            "ended_at": self.ended_at.map(epoch_ms),
            "ended": self.end.map(CdrEnd::as_str),
            "status": self.end.and_then(CdrEnd::status).map(StatusCode::code),
            "legs": self.legs_json(),
        })
    }
}

/// A text that a stranger wrote, cut to [`MAX_CDR_TEXT`] between characters.
pub(crate) fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_CDR_TEXT));
    text
}

/// Milliseconds since 1970, as stores and logs have times; a time before that is 0.
pub(crate) fn epoch_ms(date: SystemTime) -> i64 {
    let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time that a store's milliseconds stand for.
pub(crate) fn from_epoch_ms(ms: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    fn date(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn ids_of_one_millisecond_differ_and_later_ones_are_greater() {
        let ids = CdrIds::new(&mut StdRng::seed_from_u64(1));
        let now: Vec<_> = (0..1_000).map(|_| ids.next(date(1_760_000_000_000))).collect();
        let distinct: std::collections::BTreeSet<_> = now.iter().collect();
        assert_eq!(distinct.len(), now.len());
        let later = ids.next(date(1_760_000_000_001));
        assert!(now.iter().all(|id| *id < later) && later.number() > 0);
    }

    #[test]
    fn every_end_is_read_as_it_is_written() {
        let all = [
            CdrEnd::Caller,
            CdrEnd::Callee,
            CdrEnd::Cancelled,
            CdrEnd::Refused(StatusCode::BUSY_HERE),
            CdrEnd::Server,
            CdrEnd::Failed,
            CdrEnd::Interrupted,
        ];
        for end in all {
            assert_eq!(CdrEnd::from_parts(end.as_str(), end.status()), Some(end));
        }
        assert_eq!(CdrEnd::from_parts("refused", None), None);
        assert_eq!(CdrEnd::from_parts("", None), None);
    }

    #[test]
    fn a_record_is_cut_between_characters_and_says_what_it_left_out() {
        let mut cdr = Cdr::begin(CdrId::new(1), &"é".repeat(MAX_CDR_TEXT), "102", date(0));
        cdr.call_id.insert(0, 'x');
        cdr.legs = Some(format!("{:?}", "y".repeat(MAX_CDR_LEGS)).into());
        let cdr = cdr.bounded();
        assert_eq!(cdr.call_id.len(), MAX_CDR_TEXT - 1);
        assert_eq!(cdr.legs_json().unwrap()["left_out"]["bytes"], MAX_CDR_LEGS + 2);
    }

    #[test]
    fn a_record_in_the_log_has_the_names_of_the_columns() {
        let mut cdr = Cdr::begin(CdrId::new(7), "c1", "102", date(1_000));
        cdr.end = Some(CdrEnd::Refused(StatusCode::BUSY_HERE));
        let json = cdr.to_json();
        assert_eq!((&json["id"], &json["started_at"], &json["status"]), (&7.into(), &1_000.into(), &486.into()));
        assert!(json["caller"].is_null() && json["ended"] == "refused");
    }
}
