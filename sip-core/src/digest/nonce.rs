//! Nonces that say themselves when they were issued and by whom (RFC 7616 §3.3, §5.4), and counts that are used once (§3.4).

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Bytes of the HMAC that a nonce carries: 128 bits cannot be guessed, and keep the header short.
const TAG_LEN: usize = 16;
/// Time, number and HMAC, two hexadecimal digits a byte.
const NONCE_DIGITS: usize = 2 * (8 + 8 + TAG_LEN);
/// Bytes that HMAC-SHA-256 takes as they are; a shorter key has zeros behind it (RFC 2104 §2).
const BLOCK: usize = 64;

/// The key that a server issues nonces with. As each nonce carries its time and a number under an HMAC-SHA-256, what was
/// issued need not be remembered, and servers that share a key take each other's nonces.
///
/// Time is since a moment of the caller's choice, in milliseconds: the start of the process, or 1970 for a key that outlives it. `Debug`
/// hides the key.
///
/// ```
/// use std::time::Duration;
/// use blether_sip_core::digest::{Nonce, NonceCheck, NonceKey};
///
/// let mut key = NonceKey::new([7; 32]); // from a generator that nobody can predict
/// let nonce = Nonce { issued: Duration::from_secs(1_000), number: 1 };
/// let text = key.issue(nonce, b"blether");
///
/// let lifetime = Duration::from_secs(300);
/// let at = |seconds| key.check(&text, b"blether", Duration::from_secs(seconds), lifetime);
/// assert_eq!(at(1_300), NonceCheck::Valid(nonce));
/// assert_eq!(at(1_301), NonceCheck::Expired(nonce));
/// assert_eq!(key.check(&text, b"another realm", Duration::from_secs(1_000), lifetime), NonceCheck::Forged);
///
/// key.rotate([8; 32]);
/// assert_eq!(key.check(&text, b"blether", Duration::from_secs(1_300), lifetime), NonceCheck::Valid(nonce));
/// ```
#[derive(Clone)]
pub struct NonceKey {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

/// What a nonce carries.
///
/// ```
/// use std::time::Duration;
/// use blether_sip_core::digest::{Nonce, NonceKey};
///
/// let key = NonceKey::new([7; 32]); // from a generator that nobody can predict
/// let at = |seconds, number| key.issue(Nonce { issued: Duration::from_secs(seconds), number }, b"blether");
/// assert_eq!(at(1_000, 1).len(), 64);
/// assert_ne!(at(1_000, 1), at(1_000, 2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonce {
    /// When it was issued. What is less than a millisecond is lost when it is written; some 500 million years fit.
    pub issued: Duration,
    /// Tells it from all others, if the caller gives each number once or draws them at random.
    pub number: u64,
}

/// What a text in place of a nonce is, by [`NonceKey::check`].
///
/// ```
/// use std::time::Duration;
/// use blether_sip_core::digest::{NonceCheck, NonceKey};
///
/// let (key, lifetime) = (NonceKey::new([7; 32]), Duration::from_secs(300));
/// let asked = match key.check("84a4cc6f", b"blether", Duration::from_secs(1_000), lifetime) {
///     NonceCheck::Valid(_) => None,
///     NonceCheck::Expired(_) => Some("ask again, with stale"),
///     NonceCheck::Forged => Some("ask again"),
/// };
/// assert_eq!(asked, Some("ask again"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum NonceCheck {
    /// It was issued under this key and is good.
    Valid(Nonce),
    /// It was issued under this key and is too old: if the password is right, the challenge is to say `stale`.
    Expired(Nonce),
    /// It was not issued under this key, nor under the one before, or for something else.
    Forged,
}

impl NonceKey {
    /// Takes 32 bytes, which must come from a cryptographically secure generator.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { current: hmac(&key), previous: None }
    }

    /// Issues with a new key from here on. What was issued with the one before stays good for its lifetime, what was issued
    /// with those before that does not.
    pub fn rotate(&mut self, key: [u8; 32]) {
        self.previous = Some(core::mem::replace(&mut self.current, hmac(&key)));
    }

    /// Writes a nonce: 64 hexadecimal digits. `binding` is anything that it is to be good for and no other; it is not readable from the
    /// text. An address is a poor choice: requests of one user may come by several proxies (RFC 7616 §3.3).
    #[must_use]
    pub fn issue(&self, nonce: Nonce, binding: &[u8]) -> String {
        let issued_ms = milliseconds(nonce.issued);
        let tag = u128::from_be_bytes(tag(&self.current, issued_ms, nonce.number, binding));
        format!("{issued_ms:016x}{:016x}{tag:032x}", nonce.number)
    }

    /// Checks a text that came in place of a nonce, in a time that does not depend on where it is wrong.
    ///
    /// A nonce is good up to and with its `lifetime`, and as long before its time as after: the clocks of two servers may differ.
    pub fn check(&self, text: &str, binding: &[u8], now: Duration, lifetime: Duration) -> NonceCheck {
        let Some((issued_ms, number, said)) = read(text) else { return NonceCheck::Forged };
        let is_by = |key: &Hmac<Sha256>| bool::from(tag(key, issued_ms, number, binding).ct_eq(&said));
        if !is_by(&self.current) && !self.previous.as_ref().is_some_and(is_by) {
            return NonceCheck::Forged;
        }
        let nonce = Nonce { issued: Duration::from_millis(issued_ms), number };
        match milliseconds(now).abs_diff(issued_ms) <= milliseconds(lifetime) {
            true => NonceCheck::Valid(nonce),
            false => NonceCheck::Expired(nonce),
        }
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey(***)")
    }
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new(&block.into())
}

/// The time and the number have fixed lengths, so that nothing of what is bound can be taken for one of them.
fn tag(key: &Hmac<Sha256>, issued_ms: u64, number: u64, binding: &[u8]) -> [u8; TAG_LEN] {
    let mut mac = key.clone();
    mac.update(&issued_ms.to_be_bytes());
    mac.update(&number.to_be_bytes());
    mac.update(binding);
    let mut tag = [0; TAG_LEN];
    tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
    tag
}

/// Time, number and HMAC of a text that looks like a nonce of ours.
fn read(text: &str) -> Option<(u64, u64, [u8; TAG_LEN])> {
    let valid = text.len() == NONCE_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (time, rest) = text.split_at_checked(16).filter(|_| valid)?;
    let (number, tag) = rest.split_at_checked(16)?;
    let tag = u128::from_str_radix(tag, 16).ok()?.to_be_bytes();
    Some((u64::from_str_radix(time, 16).ok()?, u64::from_str_radix(number, 16).ok()?, tag))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The counts that a client has used with one nonce: each is good once (RFC 7616 §3.4), in any order within the last
/// [`NonceCounts::WINDOW`], as requests over UDP overtake each other. 16 bytes, however many come.
///
/// ```
/// use blether_sip_core::digest::{NonceCounts, NonceUse};
///
/// let mut counts = NonceCounts::default();
/// assert_eq!([1, 3, 2, 3].map(|nc| counts.use_up(nc)), [NonceUse::Fresh, NonceUse::Fresh, NonceUse::Fresh, NonceUse::Replay]);
/// assert_eq!((counts.use_up(1_000), counts.use_up(4)), (NonceUse::Fresh, NonceUse::TooOld));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NonceCounts {
    highest: u32,
    /// Bit n: `highest - n` was used.
    used: u64,
}

/// What a nonce count is, by [`NonceCounts::use_up`].
///
/// ```
/// use blether_sip_core::digest::{NonceCounts, NonceUse};
///
/// let mut counts = NonceCounts::default();
/// assert_eq!(counts.use_up(1), NonceUse::Fresh);
/// // Somebody sends what they have heard.
/// assert_eq!(counts.use_up(1), NonceUse::Replay);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum NonceUse {
    /// It was not used, and is now.
    Fresh,
    /// It was used before: the request is a copy, or someone sends it again.
    Replay,
    /// It is so far below the highest that it is not known whether it was used, or 0, which none is. To be refused, like a
    /// replay, with a challenge that says `stale`.
    TooOld,
}

impl NonceCounts {
    /// How far below the highest a count may be, in counts: 64 requests on the way at a time.
    pub const WINDOW: u32 = u64::BITS;

    /// Uses up a count, if that has not happened yet. Call it once the digest is found right: it would let a stranger use
    /// up counts otherwise.
    pub fn use_up(&mut self, nc: u32) -> NonceUse {
        if nc > self.highest {
            self.used = self.used.checked_shl(nc - self.highest).unwrap_or(0) | 1;
            self.highest = nc;
            return NonceUse::Fresh;
        }
        let bit = 1_u64.checked_shl(self.highest - nc).filter(|_| nc > 0);
        match bit {
            None => NonceUse::TooOld,
            Some(bit) if self.used & bit != 0 => NonceUse::Replay,
            Some(bit) => {
                self.used |= bit;
                NonceUse::Fresh
            }
        }
    }

    /// The highest count that was used; 0 if none was.
    #[must_use]
    pub fn highest(&self) -> u32 {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(60);

    #[test]
    fn a_nonce_is_the_hmac_of_what_it_says() {
        // HMAC-SHA-256 with this key of sixteen zero bytes and "b", as Python's hmac module computes it.
        let text = NonceKey::new([0x0b; 32]).issue(Nonce { issued: Duration::ZERO, number: 0 }, b"b");
        assert_eq!(text, format!("{:032}8318ed9bdf510d69f795e0403f4ba18c", 0));
    }

    #[test]
    fn any_digit_changed_makes_it_forged() {
        let key = NonceKey::new([1; 32]);
        let nonce = Nonce { issued: Duration::from_millis(123_456), number: 7 };
        let text = key.issue(nonce, b"r");
        let check = |text: &str, binding: &[u8]| key.check(text, binding, nonce.issued, LIFETIME);
        assert_eq!(check(&text, b"r"), NonceCheck::Valid(nonce));
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(check(&changed, b"r"), NonceCheck::Forged, "{at}");
        }
        for (other, binding) in [(text.to_uppercase(), "r"), (text[1..].into(), "r"), ("\"".into(), "r"), (text, "s")] {
            assert_eq!(check(&other, binding.as_bytes()), NonceCheck::Forged, "{other}");
        }
        assert_eq!(check(&"\u{e9}".repeat(32), b"r"), NonceCheck::Forged);
    }

    #[test]
    fn a_nonce_lasts_as_long_as_was_said_and_through_one_change_of_keys() {
        let mut key = NonceKey::new([1; 32]);
        let nonce = Nonce { issued: Duration::from_secs(100), number: 7 };
        let text = key.issue(nonce, b"");
        for (now_ms, good) in [(39_999, false), (40_000, true), (160_000, true), (160_001, false), (u64::MAX, false)] {
            let checked = key.check(&text, b"", Duration::from_millis(now_ms), LIFETIME);
            assert_eq!(checked, if good { NonceCheck::Valid(nonce) } else { NonceCheck::Expired(nonce) }, "{now_ms}");
        }
        for (secret, expected) in [([2; 32], NonceCheck::Valid(nonce)), ([3; 32], NonceCheck::Forged)] {
            key.rotate(secret);
            assert_eq!(key.check(&text, b"", nonce.issued, LIFETIME), expected);
        }
        let longest = Nonce { issued: Duration::MAX, number: u64::MAX };
        assert!(matches!(key.check(&key.issue(longest, b""), b"", Duration::MAX, LIFETIME), NonceCheck::Valid(_)));
    }

    #[test]
    fn each_count_is_fresh_once() {
        use NonceUse::{Fresh, Replay, TooOld};
        #[track_caller]
        fn check(uses: &[(u32, NonceUse)]) {
            let mut counts = NonceCounts::default();
            for (nc, expected) in uses {
                assert_eq!(counts.use_up(*nc), *expected, "{nc} in {uses:?}");
            }
        }
        check(&[(0, TooOld), (1, Fresh), (1, Replay), (0, TooOld)]);
        check(&[(5, Fresh), (4, Fresh), (1, Fresh), (4, Replay), (5, Replay), (6, Fresh), (4, Replay), (3, Fresh)]);
        check(&[(64, Fresh), (1, Fresh), (1, Replay), (65, Fresh), (1, TooOld), (2, Fresh), (2, Replay)]);
        check(&[(u32::MAX, Fresh), (u32::MAX, Replay), (u32::MAX - 63, Fresh), (u32::MAX - 64, TooOld), (1, TooOld)]);
        check(&[(1, Fresh), (65, Fresh), (1, TooOld), (2, Fresh), (1_000, Fresh), (999, Fresh), (65, TooOld)]);
    }
}
