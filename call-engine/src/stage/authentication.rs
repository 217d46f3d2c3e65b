//! Who is asking: digest authentication of requests (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! A nonce carries the time of its issue and a number, under an HMAC with a key that this process alone has ([`NonceKey`]). So what
//! was issued need not be remembered; only the nonces that somebody has logged in with are, with the counts used, and of these
//! at most [`AuthenticatorConfig::max_used_nonces`]. When an entry must go, every nonce as old as it is stale from then on: forgetting
//! never lets a replay in.
//!
//! From outside, a wrong password, an unknown user and an unknown algorithm are the same: the same hashes are computed, the
//! same challenge is sent.

mod fallback;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use blether_sip_core::digest::{
    Algorithm, Challenge, Credentials, Ha1, Nonce, NonceCheck, NonceCounts, NonceKey, NonceUse, ha1,
};
use blether_sip_core::{
    AddressOfRecord, Authorization, ByteStr, HeaderError, ProxyAuthorization, Request, SipUri, Uri, WwwAuthenticate,
};
use rand::{Rng, RngExt as _};

use crate::account::SharedAccounts;
use fallback::{Fallback, Phone};

/// How an [`Authenticator`] behaves.
#[derive(Debug, Clone)]
pub struct AuthenticatorConfig {
    /// The name that a phone shows when it asks for the password; part of what is hashed.
    pub realm: String,
    /// Which hashes are offered; answers by another one are refused. Default: SHA-256 before MD5.
    pub algorithms: OfferedAlgorithms,
    /// How long a nonce is good for. Default five minutes: most calls of a busy phone need no second round trip, and a
    /// captured answer is soon worthless.
    pub nonce_lifetime: Duration,
    /// How many used nonces are remembered. Default 100 000 (some 6 MB): 300 log-ins a second for the whole lifetime.
    pub max_used_nonces: usize,
}

impl AuthenticatorConfig {
    /// The defaults, for this realm.
    pub fn new(realm: &str) -> Self {
        Self {
            realm: realm.to_owned(),
            algorithms: OfferedAlgorithms::default(),
            nonce_lifetime: Duration::from_secs(300),
            max_used_nonces: 100_000,
        }
    }
}

/// Which hashes a challenge offers, each in a header of its own (RFC 8760 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OfferedAlgorithms {
    /// SHA-256 first, MD5 for phones that know no other.
    ///
    /// Some of those do not pass over SHA-256, as RFC 8760 §2.4 has it, but give up. One that comes again without credentials after
    /// 5 s, and within an hour, is offered MD5 alone, and goes on being offered that while it logs in so. One that has
    /// logged in by SHA-256 never is. Phones are told apart by their address and the user of From: two phones of one user behind one
    /// NAT count as one. Who can keep our answers from a phone, or send in its name, can bring it to log in by MD5 before it has ever
    /// done so by SHA-256; nothing in a datagram prevents that, and [`Self::Sha256`] does.
    #[default]
    Sha256ThenMd5,
    /// SHA-256 alone: no downgrade by someone in between, and no old phones.
    Sha256,
    /// MD5 alone, for peers that give up at the first header that they do not know and do not come again, as SIPp 3.6 does.
    Md5,
}

impl OfferedAlgorithms {
    /// What [`FromStr`] takes and [`fmt::Display`] writes, as a list for a person.
    pub const NAMES: &str = "sha256-then-md5, sha256, md5";

    /// In the order in which they are offered.
    pub fn as_slice(self) -> &'static [Algorithm] {
        match self {
            Self::Sha256ThenMd5 => &[Algorithm::Sha256, Algorithm::Md5],
            Self::Sha256 => &[Algorithm::Sha256],
            Self::Md5 => &[Algorithm::Md5],
        }
    }
}

impl fmt::Display for OfferedAlgorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256ThenMd5 => "sha256-then-md5",
            Self::Sha256 => "sha256",
            Self::Md5 => "md5",
        })
    }
}

impl FromStr for OfferedAlgorithms {
    type Err = UnknownOffer;

    fn from_str(text: &str) -> Result<Self, UnknownOffer> {
        [Self::Sha256ThenMd5, Self::Sha256, Self::Md5]
            .into_iter()
            .find(|offer| offer.to_string() == text)
            .ok_or_else(|| UnknownOffer(text.to_owned()))
    }
}

/// A text that names no [`OfferedAlgorithms`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not one of {known}", known = OfferedAlgorithms::NAMES)]
pub struct UnknownOffer(pub String);

/// A user who has proved to know the password. Only [`Authenticator::authenticate`] makes one, and an engine that was told to believe senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedUser(ByteStr);

impl AuthenticatedUser {
    /// Who the sender says it is: the user of From, without escapes.
    pub(crate) fn claimed_by(request: &Request) -> Option<Self> {
        let user = request.from().uri.as_sip()?.user_decoded()?;
        Some(Self(ByteStr::from(&*user)))
    }

    /// The user of the account.
    pub fn user(&self) -> &str {
        &self.0
    }

    /// Whether this user may act for an address of record: its own, whatever the domain (RFC 3261 §10.3 step 4).
    ///
    /// If not, the request is to be answered 403.
    #[must_use]
    pub fn authorises_aor(&self, aor: &AddressOfRecord) -> bool {
        aor.user() == &*self.0
    }
}

/// What became of a request's credentials.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Verification {
    /// The user knows the password, for this very request.
    Authenticated {
        /// Who it is.
        user: AuthenticatedUser,
    },
    /// Answer 401 with these headers and do nothing else.
    Challenge {
        /// In this order, each in a line of its own (RFC 8760 §2.3).
        headers: Vec<WwwAuthenticate>,
        /// For the log and the counters; it must not reach the peer.
        why: ChallengeReason,
    },
    /// Answer 400 with the reason.
    Malformed {
        /// What is wrong.
        error: MalformedCredentials,
    },
}

/// Why a request is challenged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChallengeReason {
    /// It came without credentials for this realm, as the first request of every phone does.
    NoCredentials,
    /// The response is not what the password gives. Unknown users and algorithms count here.
    WrongCredentials,
    /// The password is right; the nonce was not issued by this process (it has been restarted, perhaps).
    ForeignNonce,
    /// The password is right; the nonce is too old.
    ExpiredNonce,
    /// The password is right; the nonce count was used before, or is far below the last one ([`NonceCounts`]).
    Replay,
}

impl ChallengeReason {
    /// A name for logs and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::WrongCredentials => "wrong_credentials",
            Self::ForeignNonce => "foreign_nonce",
            Self::ExpiredNonce => "expired_nonce",
            Self::Replay => "replay",
        }
    }

    /// Whether the phone may try again without asking its user (RFC 7616 §3.3).
    fn is_stale(self) -> bool {
        matches!(self, Self::ForeignNonce | Self::ExpiredNonce | Self::Replay)
    }
}

/// Credentials that are no matter of passwords: the request is to be answered 400 (RFC 7616 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MalformedCredentials {
    /// The header cannot be read.
    #[error("Malformed Authorization")]
    Header,
    /// The `uri` parameter is not the Request-URI: the credentials were made for another resource.
    #[error("Authorization uri Is Not The Request-URI")]
    UriMismatch,
}

/// Checks credentials and issues challenges. One for all shards of a process, as a replay may come to any of them.
#[derive(Debug)]
pub struct Authenticator {
    config: AuthenticatorConfig,
    accounts: Arc<SharedAccounts>,
    /// What the credentials of unknown users are checked against. No password gives them.
    decoys: Decoys,
    opaque: ByteStr,
    key: NonceKey,
    /// Nonces count the time from here.
    epoch: Instant,
    issued: AtomicU64,
    /// Held for one look-up. A panic under the lock can at worst leave an entry too many, so poison does not matter.
    used: Mutex<UsedNonces>,
    /// Likewise.
    fallback: Mutex<Fallback>,
}

#[derive(Debug)]
struct Decoys {
    md5: Ha1,
    sha256: Ha1,
}

impl Authenticator {
    /// Makes an authenticator with a key of its own from `rng`, which must be cryptographically secure.
    pub fn new(config: AuthenticatorConfig, accounts: Arc<SharedAccounts>, now: Instant, rng: &mut impl Rng) -> Self {
        let unknowable = format!("{:032x}{:032x}", rng.random::<u128>(), rng.random::<u128>());
        let decoy = |algorithm| ha1(algorithm, "", &config.realm, &unknowable);
        Self {
            decoys: Decoys { md5: decoy(Algorithm::Md5), sha256: decoy(Algorithm::Sha256) },
            opaque: ByteStr::from(format!("{:016x}", rng.random::<u64>())),
            key: NonceKey::new(rng.random()),
            epoch: now,
            issued: AtomicU64::new(0),
            used: Mutex::new(UsedNonces { limit: config.max_used_nonces.max(1), ..UsedNonces::default() }),
            fallback: Mutex::default(),
            accounts,
            config,
        }
    }

    /// Checks the `Authorization` of a request for this realm.
    ///
    /// If it authenticates, the nonce count is used up by that: the same request again is a replay. `source` is the address that it
    /// came from; what is offered to a phone depends on what it has answered before ([`OfferedAlgorithms::Sha256ThenMd5`]).
    /// A copy of a request that was challenged may be shown again; it is challenged again.
    pub fn authenticate(&self, now: Instant, request: &Request, source: IpAddr) -> Verification {
        let all = request.headers().all::<Authorization>().map(|all| all.into_iter().map(|header| header.0).collect());
        self.verify(now, request, source, all)
    }

    /// [`Self::authenticate`] for a request that is forwarded: the credentials are those of Proxy-Authorization, and the challenges are for 407 and
    /// Proxy-Authenticate (RFC 3261 §22.3).
    pub fn authenticate_for_proxy(&self, now: Instant, request: &Request, source: IpAddr) -> Verification {
        let all = request.headers().all::<ProxyAuthorization>();
        self.verify(now, request, source, all.map(|all| all.into_iter().map(|header| header.0).collect()))
    }

    fn verify(
        &self,
        now: Instant,
        request: &Request,
        source: IpAddr,
        all: Result<Vec<Credentials>, HeaderError>,
    ) -> Verification {
        let Ok(all) = all else {
            return Verification::Malformed { error: MalformedCredentials::Header };
        };
        let phone = match self.config.algorithms {
            OfferedAlgorithms::Sha256ThenMd5 => Phone::of(request, source),
            OfferedAlgorithms::Sha256 | OfferedAlgorithms::Md5 => None,
        };
        let phone = phone.as_ref();
        let ours = |c: &Credentials| c.is_digest() && &*c.realm == self.config.realm.as_str();
        let Some(credentials) = all.into_iter().find(ours) else {
            let md5_alone = phone.is_some_and(|phone| {
                let mut fallback = self.fallback();
                let md5_alone = fallback.handle_no_credentials(now, phone, copy_of(request));
                let (silent, logged_in) = fallback.remembered();
                metrics::gauge!("blether_engine_phones_remembered", "as" => "silent").set(silent as f64);
                metrics::gauge!("blether_engine_phones_remembered", "as" => "logged_in").set(logged_in as f64);
                md5_alone
            });
            return self.challenge(now, ChallengeReason::NoCredentials, self.offer(md5_alone));
        };
        if !names_resource(&credentials.uri, request.uri()) {
            return Verification::Malformed { error: MalformedCredentials::UriMismatch };
        }
        let accounts = self.accounts.now();
        let account = accounts.get(&credentials.username);
        let offered = self.config.algorithms.as_slice();
        let wanted = credentials.known_algorithm().filter(|a| offered.contains(a) && !credentials.is_session());
        let algorithm = wanted.unwrap_or(Algorithm::Sha256);
        let decoy = match algorithm {
            Algorithm::Md5 => &self.decoys.md5,
            Algorithm::Sha256 | Algorithm::Sha512_256 => &self.decoys.sha256,
        };
        let stored = account.and_then(|account| account.ha1(algorithm));
        let proved = credentials.verify(stored.unwrap_or(decoy), request.method());
        let (true, Some(_), Some(account)) = (proved, wanted, account) else {
            if let Some((phone, algorithm)) = phone.zip(wanted) {
                self.fallback().handle_wrong_answer(phone, algorithm);
            }
            return self.challenge(now, ChallengeReason::WrongCredentials, self.offer_to(now, phone));
        };
        if let Err(why) = self.use_up(now, &credentials) {
            return self.challenge(now, why, self.offer_to(now, phone));
        }
        if let Some(phone) = phone.filter(|phone| phone.user() == account.user()) {
            self.fallback().handle_log_in(now, phone, algorithm);
        }
        Verification::Authenticated { user: AuthenticatedUser(ByteStr::from(account.user())) }
    }

    fn offer_to(&self, now: Instant, phone: Option<&Phone>) -> OfferedAlgorithms {
        self.offer(phone.is_some_and(|phone| self.fallback().offers_md5_alone(now, phone)))
    }

    fn offer(&self, md5_alone: bool) -> OfferedAlgorithms {
        if md5_alone { OfferedAlgorithms::Md5 } else { self.config.algorithms }
    }

    fn fallback(&self) -> MutexGuard<'_, Fallback> {
        self.fallback.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A header for each algorithm, one nonce.
    fn challenge(&self, now: Instant, why: ChallengeReason, offer: OfferedAlgorithms) -> Verification {
        let nonce = Nonce { issued: self.since_epoch(now), number: self.issued.fetch_add(1, Ordering::Relaxed) };
        let nonce = self.key.issue(nonce, self.config.realm.as_bytes());
        let header = |algorithm| {
            let mut challenge = Challenge::new(&self.config.realm, &nonce, algorithm);
            challenge.opaque = Some(self.opaque.clone());
            challenge.stale = why.is_stale();
            WwwAuthenticate(challenge)
        };
        let headers = offer.as_slice().iter().copied().map(header).collect();
        Verification::Challenge { headers, why }
    }

    /// Whether credentials answer a challenge of this authenticator, however old, and whether or not they are right: their nonce is one of its own. A proxy
    /// passes such on to nobody.
    pub fn has_asked_for(&self, credentials: &Credentials) -> bool {
        let realm = self.config.realm.as_bytes();
        let check = || self.key.check(&credentials.nonce, realm, Duration::ZERO, Duration::MAX);
        credentials.is_digest() && check() != NonceCheck::Forged
    }

    /// How many used nonces are remembered; never more than [`AuthenticatorConfig::max_used_nonces`].
    pub fn used_nonces(&self) -> usize {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).by_number.len()
    }

    fn use_up(&self, now: Instant, credentials: &Credentials) -> Result<(), ChallengeReason> {
        let (now, lifetime) = (self.since_epoch(now), self.config.nonce_lifetime);
        let nonce = match self.key.check(&credentials.nonce, self.config.realm.as_bytes(), now, lifetime) {
            NonceCheck::Valid(nonce) => nonce,
            NonceCheck::Expired(_) => return Err(ChallengeReason::ExpiredNonce),
            NonceCheck::Forged => return Err(ChallengeReason::ForeignNonce),
        };
        // `verify` accepts nothing without a count.
        let count = credentials.nc.unwrap_or(0);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let result = used.use_up(nonce, count, now.saturating_sub(lifetime));
        metrics::gauge!("blether_engine_nonces_remembered").set(used.by_number.len() as f64);
        result
    }

    fn since_epoch(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch)
    }
}

/// What all copies of a request have in common.
fn copy_of(request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    (request.call_id(), request.cseq().number, request.via().branch()).hash(&mut hasher);
    hasher.finish()
}

/// Whether the digest's `uri` names what the request asks for: same scheme, user, host and port, a port that is the scheme's
/// own being as good as none. Parameters are let differ: phones leave `;transport` out of one of the two.
///
/// A digest `uri` without a user names the whole server, and so whoever is asked for there: SIPp and others write no more.
/// RFC 8760 §2.6 lets a server accept URIs that are not equivalent, and the nonce count keeps such an answer from being used twice.
fn names_resource(digest_uri: &ByteStr, request_uri: &Uri) -> bool {
    let place = |uri: &SipUri| (uri.secure, uri.host.clone(), uri.port.unwrap_or(if uri.secure { 5061 } else { 5060 }));
    // A user that is not UTF-8 without its escapes is compared with them.
    let user = |uri: &SipUri| uri.user_decoded().or(uri.user.as_deref().map(Cow::Borrowed)).map(Cow::into_owned);
    match (Uri::parse(digest_uri), request_uri) {
        (Ok(Uri::Sip(a)), Uri::Sip(b)) => place(&a) == place(b) && (a.user.is_none() || user(&a) == user(b)),
        (Ok(a), b) => a == *b,
        (Err(_), _) => false,
    }
}

/// The nonces that somebody has logged in with.
#[derive(Debug, Default)]
struct UsedNonces {
    limit: usize,
    /// Oldest first: numbers are given out in the order of time.
    by_number: BTreeMap<u64, Used>,
    /// Every nonce with a lower number is stale: some of them were forgotten.
    horizon: u64,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    issued: Duration,
    counts: NonceCounts,
}

impl UsedNonces {
    /// `oldest` is when a nonce was issued that is just still good.
    fn use_up(&mut self, nonce: Nonce, count: u32, oldest: Duration) -> Result<(), ChallengeReason> {
        if nonce.number < self.horizon {
            return Err(ChallengeReason::ExpiredNonce);
        }
        let mut counts = self.by_number.get(&nonce.number).map_or_else(NonceCounts::default, |used| used.counts);
        if counts.use_up(count) != NonceUse::Fresh {
            return Err(ChallengeReason::Replay);
        }
        self.by_number.insert(nonce.number, Used { issued: nonce.issued, counts });
        // What has expired is refused for that, and need not be remembered.
        while let Some(first) = self.by_number.first_entry() {
            let expired = first.get().issued < oldest;
            if !expired && self.by_number.len() <= self.limit {
                break;
            }
            if let Some((number, _)) = self.by_number.pop_first() {
                self.horizon = number.saturating_add(1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
