//! Which phones are offered MD5 alone, where SHA-256 and MD5 are on offer.
//!
//! A phone that does not know SHA-256 shall pass over that challenge and take the next (RFC 8760 §2.4). Some give up instead: baresip 1.0
//! never registers where SHA-256 stands anywhere in the answer, in whatever order. It asks again after 30 to 60 s, without
//! credentials; a phone that knows SHA-256 would have answered. So who was challenged with both and comes again without
//! credentials, after [`MIN_PAUSE`] and within [`WINDOW`], is offered MD5 alone for as long again. Once that was answered with the right
//! password, it stays so for [`KEPT`] after the last such answer, since phones of this kind come without credentials to every refresh
//! and every call.
//!
//! A right answer by SHA-256 ends this for good: its phone is never offered MD5 alone again while the process lives. A wrong one
//! shows that the phone is able, but not who sent it; it takes back what the silence has brought about, not what a right answer has.
//!
//! A phone is told by its address and the user of its From. From this follow the limits:
//! - Of two phones of one user behind one NAT, an old one gets no help once an able one has logged in; and an able one that first
//!   comes after the old one was helped logs in by MD5.
//! - An able phone that had no password to answer with, or that the challenge did not reach, may be taken for an old one. It then
//!   stays with MD5 until the process ends, or until it has not been heard of for [`KEPT`].
//! - Who can send from a phone's address, or keeps answers from it, can bring that about for a phone that has not logged in yet. He
//!   gains no more than by taking SHA-256 out of the challenge in passing, which nothing in a datagram prevents; only
//!   [`OfferedAlgorithms::Sha256`](super::OfferedAlgorithms::Sha256) does.
//! - Users that do not exist are treated alike, so that nobody learns who does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use blether_sip_core::digest::Algorithm;
use blether_sip_core::{ByteStr, Request};

/// Who comes again sooner has perhaps sent several requests before it read the first challenge, or its answer is on the way.
pub(super) const MIN_PAUSE: Duration = Duration::from_secs(5);

/// For how long a challenge counts as unanswered, and the offer that follows from it stands. One hour: baresip waits longer after each
/// failure, up to 30 minutes.
pub(super) const WINDOW: Duration = Duration::from_secs(3_600);

/// How long a phone that logged in so is known after its last log-in. Eight days: a registration lasts a week at most, and its
/// refresh must be offered what the phone can do.
pub(super) const KEPT: Duration = Duration::from_secs(8 * 86_400);

/// How many phones are remembered that have not answered, and as many again that have. 10 000, some 3 MB each: strangers can fill
/// the first, and push out what is older than their last 10 000 requests; the second takes a password.
pub(super) const MAX_REMEMBERED: usize = 10_000;

/// Bytes of a user that is remembered; no account has a longer one.
const MAX_USER: usize = 64;

/// What stands for one phone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Phone {
    source: IpAddr,
    user: ByteStr,
}

impl Phone {
    /// Who sent `request` from `source`; `None` if its From is nobody's who could log in.
    pub(super) fn of(request: &Request, source: IpAddr) -> Option<Self> {
        let user = request.from().uri.as_sip()?.user_decoded()?;
        // A copy, so that the table does not keep the datagram.
        (user.len() <= MAX_USER).then(|| Self { source: source.to_canonical(), user: ByteStr::from(&*user) })
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }
}

/// What is known of phones; see the module.
#[derive(Debug)]
pub(super) struct Fallback {
    silent: Remembered<Silent>,
    logged_in: Remembered<LoggedIn>,
}

/// What a phone was offered and has not answered.
#[derive(Debug, Clone, Copy)]
enum Silent {
    /// SHA-256 and MD5.
    Both { since: Instant, copy: u64 },
    /// MD5 alone, because it did not answer before.
    Md5 { since: Instant },
}

/// How a phone has last proved that it knows the password.
#[derive(Debug, Clone, Copy)]
enum LoggedIn {
    /// By MD5, which was all that it was offered.
    Md5 {
        last: Instant,
    },
    Sha256,
}

impl Default for Fallback {
    fn default() -> Self {
        Self { silent: Remembered::new(MAX_REMEMBERED), logged_in: Remembered::new(MAX_REMEMBERED) }
    }
}

impl Fallback {
    /// Takes in a request without credentials, and whether to offer MD5 alone. `copy` is the same for each copy of a request and another for
    /// another one: a phone that sends the same again has not heard the challenge.
    pub(super) fn handle_no_credentials(&mut self, now: Instant, phone: &Phone, copy: u64) -> bool {
        let silent = match (self.logged_in(now, phone), self.silent(now, phone)) {
            (Some(LoggedIn::Sha256), _) => return false,
            (Some(LoggedIn::Md5 { .. }), _) | (None, Some(Silent::Md5 { .. })) => return true,
            (None, Some(Silent::Both { since, copy: known }))
                if known == copy || now.saturating_duration_since(since) < MIN_PAUSE =>
            {
                return false;
            }
            (None, Some(Silent::Both { .. })) => Silent::Md5 { since: now },
            (None, None) => Silent::Both { since: now, copy },
        };
        self.silent.insert(phone, silent);
        matches!(silent, Silent::Md5 { .. })
    }

    /// Takes in a right answer: fresh, not replayed, and of the user that the phone says it is.
    pub(super) fn handle_log_in(&mut self, now: Instant, phone: &Phone, algorithm: Algorithm) {
        match algorithm {
            Algorithm::Sha256 | Algorithm::Sha512_256 => self.logged_in.insert(phone, LoggedIn::Sha256),
            // One that took MD5 out of both needs no help.
            Algorithm::Md5 if self.offers_md5_alone(now, phone) => {
                self.logged_in.insert(phone, LoggedIn::Md5 { last: now });
            }
            Algorithm::Md5 => {}
        }
        self.silent.remove(phone);
    }

    /// Takes in an answer that proves nothing.
    pub(super) fn handle_wrong_answer(&mut self, phone: &Phone, algorithm: Algorithm) {
        if algorithm == Algorithm::Sha256 {
            self.silent.remove(phone);
        }
    }

    /// Whether to offer MD5 alone.
    pub(super) fn offers_md5_alone(&self, now: Instant, phone: &Phone) -> bool {
        match self.logged_in(now, phone) {
            Some(known) => matches!(known, LoggedIn::Md5 { .. }),
            None => matches!(self.silent(now, phone), Some(Silent::Md5 { .. })),
        }
    }

    fn silent(&self, now: Instant, phone: &Phone) -> Option<Silent> {
        self.silent.get(phone).filter(|(Silent::Both { since, .. } | Silent::Md5 { since })| {
            now.saturating_duration_since(*since) < WINDOW
        })
    }

    fn logged_in(&self, now: Instant, phone: &Phone) -> Option<LoggedIn> {
        self.logged_in.get(phone).filter(|known| match known {
            LoggedIn::Md5 { last } => now.saturating_duration_since(*last) < KEPT,
            LoggedIn::Sha256 => true,
        })
    }

    /// A request without credentials that is no copy of another.
    #[cfg(test)]
    fn comes(&mut self, now: Instant, phone: &Phone) -> bool {
        let copy = self.silent.inserted;
        self.handle_no_credentials(now, phone, copy)
    }

    /// How many phones are remembered that have not answered, and that have.
    pub(super) fn remembered(&self) -> (usize, usize) {
        (self.silent.by_phone.len(), self.logged_in.by_phone.len())
    }
}

/// The last thing that happened with each of so many phones. The one with which something happened the longest ago goes first, so
/// what has expired needs no other broom.
#[derive(Debug)]
struct Remembered<T> {
    limit: usize,
    inserted: u64,
    by_phone: BTreeMap<Phone, (u64, T)>,
    by_age: BTreeMap<u64, Phone>,
}

impl<T: Copy> Remembered<T> {
    fn new(limit: usize) -> Self {
        Self { limit, inserted: 0, by_phone: BTreeMap::new(), by_age: BTreeMap::new() }
    }

    fn get(&self, phone: &Phone) -> Option<T> {
        self.by_phone.get(phone).map(|(_, value)| *value)
    }

    fn insert(&mut self, phone: &Phone, value: T) {
        self.remove(phone);
        while self.by_phone.len() >= self.limit {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.by_phone.remove(&oldest);
        }
        // 2^64 insertions are out of reach, so that the number stays unique.
        self.inserted = self.inserted.saturating_add(1);
        self.by_phone.insert(phone.clone(), (self.inserted, value));
        self.by_age.insert(self.inserted, phone.clone());
    }

    fn remove(&mut self, phone: &Phone) {
        if let Some((number, _)) = self.by_phone.remove(phone) {
            self.by_age.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn phone(source: &str, user: &str) -> Phone {
        Phone { source: source.parse().unwrap(), user: user.into() }
    }

    fn alice() -> Phone {
        phone("192.0.2.9", "alice")
    }

    /// Any instant does: only differences count.
    fn start() -> (Instant, Fallback) {
        (Instant::now(), Fallback::default())
    }

    /// After how many seconds alice's phone sends requests without credentials, and which of them are offered MD5 alone.
    #[track_caller]
    fn check(seconds: &[u32], expected: &[bool]) {
        let (now, mut fallback) = start();
        let offered: Vec<bool> = seconds.iter().map(|s| fallback.comes(now + *s * SECOND, &alice())).collect();
        assert_eq!(offered, expected, "{seconds:?}");
    }

    /// A phone that has logged in by MD5, which was all that it was offered.
    fn helped(now: Instant, fallback: &mut Fallback, phone: &Phone) -> Instant {
        assert!(!fallback.comes(now, phone));
        assert!(fallback.comes(now + 30 * SECOND, phone));
        fallback.handle_log_in(now + 30 * SECOND, phone, Algorithm::Md5);
        now + 30 * SECOND
    }

    #[test]
    fn who_comes_again_without_an_answer_is_offered_md5_alone() {
        check(&[0, 30], &[false, true]);
        check(&[0, 5, 6, 3604], &[false, true, true, true]);
    }

    #[test]
    fn requests_sent_before_the_challenge_could_be_answered_do_not_count() {
        check(&[0, 0, 1, 4], &[false; 4]);
    }

    #[test]
    fn a_resend_tells_nothing_of_what_its_phone_can_do() {
        let (now, mut fallback) = start();
        for seconds in [0, 1, 8, 31] {
            assert!(!fallback.handle_no_credentials(now + seconds * SECOND, &alice(), 7), "after {seconds} s");
        }
        assert!(fallback.handle_no_credentials(now + 32 * SECOND, &alice(), 8));
    }

    #[test]
    fn a_challenge_is_forgotten_after_the_window() {
        check(&[0, 3599], &[false, true]);
        check(&[0, 3600], &[false, false]);
    }

    #[test]
    fn an_offer_that_is_not_taken_ends_with_the_window() {
        check(&[0, 30, 3629, 3630, 3640], &[false, true, true, false, true]);
    }

    #[test]
    fn other_users_and_other_addresses_are_other_phones() {
        let (now, mut fallback) = start();
        for other in [alice(), phone("192.0.2.9", "bob"), phone("192.0.2.10", "alice")] {
            assert!(!fallback.comes(now, &other));
        }
        assert!(fallback.comes(now + 30 * SECOND, &alice()));
    }

    #[test]
    fn who_logs_in_by_md5_after_that_is_offered_it_alone_from_then_on() {
        let (now, mut fallback) = start();
        let mut last = helped(now, &mut fallback, &alice());
        for _ in 0..3 {
            last += KEPT - SECOND;
            assert!(fallback.comes(last, &alice()));
            fallback.handle_log_in(last, &alice(), Algorithm::Md5);
        }
        assert!(!fallback.comes(last + KEPT, &alice()), "it was not heard of for long");
    }

    #[test]
    fn who_takes_md5_out_of_both_needs_no_help() {
        let (now, mut fallback) = start();
        assert!(!fallback.comes(now, &alice()));
        fallback.handle_log_in(now, &alice(), Algorithm::Md5);
        assert!(!fallback.comes(now + 30 * SECOND, &alice()));
        assert_eq!(fallback.remembered(), (1, 0));
    }

    #[test]
    fn who_logs_in_by_sha_256_is_never_offered_md5_alone_again() {
        let (now, mut fallback) = start();
        let at = helped(now, &mut fallback, &alice());
        fallback.handle_log_in(at, &alice(), Algorithm::Sha256);
        for seconds in [0, 30, 60, 4_000, 10 * 86_400] {
            assert!(!fallback.comes(at + seconds * SECOND, &alice()));
            fallback.handle_log_in(at + seconds * SECOND, &alice(), Algorithm::Md5);
            assert!(!fallback.offers_md5_alone(at + seconds * SECOND, &alice()));
        }
    }

    #[test]
    fn a_wrong_answer_by_sha_256_takes_back_what_silence_has_brought_about() {
        let (now, mut fallback) = start();
        assert!(!fallback.comes(now, &alice()));
        fallback.handle_wrong_answer(&alice(), Algorithm::Md5);
        assert!(fallback.comes(now + 30 * SECOND, &alice()));
        fallback.handle_wrong_answer(&alice(), Algorithm::Sha256);
        assert!(!fallback.offers_md5_alone(now + 30 * SECOND, &alice()));
        assert!(!fallback.comes(now + 60 * SECOND, &alice()));
    }

    #[test]
    fn a_wrong_answer_takes_nothing_back_from_who_has_logged_in() {
        let (now, mut fallback) = start();
        let at = helped(now, &mut fallback, &alice());
        fallback.handle_wrong_answer(&alice(), Algorithm::Sha256);
        assert!(fallback.offers_md5_alone(at, &alice()));
    }

    #[test]
    fn strangers_push_out_who_has_not_answered_for_longest_and_nobody_who_has_logged_in() {
        let (now, mut fallback) = start();
        let at = helped(now, &mut fallback, &phone("192.0.2.9", "old"));
        fallback.handle_log_in(at, &phone("192.0.2.9", "able"), Algorithm::Sha256);
        fallback.comes(at, &alice());
        for stranger in 0..MAX_REMEMBERED {
            fallback.comes(at + SECOND, &phone("203.0.113.1", &stranger.to_string()));
        }
        assert_eq!(fallback.remembered(), (MAX_REMEMBERED, 2));
        let later = at + 30 * SECOND;
        assert!(!fallback.comes(later, &alice()), "the oldest was forgotten");
        assert!(fallback.comes(later, &phone("203.0.113.1", "9999")));
        assert!(fallback.comes(later, &phone("192.0.2.9", "old")));
        assert!(!fallback.comes(later, &phone("192.0.2.9", "able")));
    }

    #[test]
    fn what_is_remembered_of_a_phone_takes_one_place_however_often_it_changes() {
        let (now, mut fallback) = start();
        for turn in 0..100 {
            let at = helped(now + 2 * turn * KEPT, &mut fallback, &alice());
            assert_eq!(fallback.remembered(), (0, 1));
            assert_eq!((fallback.silent.by_age.len(), fallback.logged_in.by_age.len()), (0, 1));
            fallback.handle_log_in(at, &alice(), Algorithm::Md5);
        }
    }
}
