//! Which of several challenges a client answers.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{Algorithm, Challenge, Secret};
use crate::InvalidText;

/// Of how many realms one response is answered: the server, and the proxies on the way.
pub const MAX_REALMS: usize = 8;

/// Which of several challenges for one realm is answered.
///
/// RFC 8760 §2.4 and RFC 7616 §3.7: the topmost that is supported, as the server puts the one that it likes best first, unless the
/// client has a policy. RFC 7616 §5.6 and §5.8: the strongest, since who stands in between may add a weak one.
///
/// ```
/// use blether_sip_core::digest::Preference;
///
/// assert_eq!(Preference::default(), Preference::Strongest);
/// // As it stands in a configuration.
/// assert_eq!("topmost".parse(), Ok(Preference::Topmost));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preference {
    /// The one with the longest digest ([`Algorithm::bits`]), and of those the topmost.
    #[default]
    Strongest,
    /// The topmost.
    Topmost,
}

impl Preference {
    /// Its name: `strongest` or `topmost`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strongest => "strongest",
            Self::Topmost => "topmost",
        }
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Preference {
    type Err = InvalidText;

    /// Reads the name, in any case.
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        let known =
            [Self::Strongest, Self::Topmost].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        known.ok_or(InvalidText::Preference)
    }
}

/// How a client chooses among challenges.
///
/// ```
/// use blether_sip_core::digest::{Algorithm, Challenge, ChallengePolicy, Preference, Secret};
///
/// let offered = Challenge::new("blether", "84a4cc6f", Algorithm::Md5)
///     .for_each_algorithm(&[Algorithm::Md5.into(), Algorithm::Sha256.into()]);
/// let secret = Secret::password("wonderland");
///
/// let mut policy = ChallengePolicy::default();
/// assert_eq!(policy.choose(&offered, &secret), [&offered[1]]);
/// policy.preference = Preference::Topmost;
/// assert_eq!(policy.choose(&offered, &secret), [&offered[0]]);
/// // This server has asked for SHA-256 before: what asks for less is not it.
/// policy.at_least = Some(Algorithm::Sha256);
/// assert_eq!(policy.choose(&offered, &secret), [&offered[1]]);
/// assert!(policy.choose(&offered[..1], &secret).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChallengePolicy {
    /// Which one of a realm.
    pub preference: Preference,
    /// Nothing is answered that is weaker than this ([`Algorithm::bits`]). What a server has once asked for is a good
    /// floor from then on: it shows a challenge that has been weakened on its way (RFC 7616 §5.8). `None`: MD5 will do.
    pub at_least: Option<Algorithm>,
}

impl ChallengePolicy {
    /// The challenges to answer: one for each realm, in the order in which the realms first appear, at most [`MAX_REALMS`].
    ///
    /// Those that are not understood, that the secret cannot answer or that are too weak are passed over (RFC 8760 §2.4). If none is left,
    /// the request is to be given up.
    pub fn choose<'a>(
        &self,
        challenges: impl IntoIterator<Item = &'a Challenge>,
        secret: &Secret,
    ) -> Vec<&'a Challenge> {
        let mut chosen: Vec<&Challenge> = Vec::new();
        for challenge in challenges {
            if bits(challenge) < self.at_least.map_or(0, Algorithm::bits) || !secret.can_answer(challenge) {
                continue;
            }
            if let Some(other) = chosen.iter_mut().find(|other| other.realm == challenge.realm) {
                if self.preference == Preference::Strongest && bits(challenge) > bits(other) {
                    *other = challenge;
                }
            } else if chosen.len() < MAX_REALMS {
                chosen.push(challenge);
            }
        }
        chosen
    }
}

fn bits(challenge: &Challenge) -> u16 {
    challenge.known_algorithm().map_or(0, Algorithm::bits)
}

#[cfg(test)]
mod tests {
    use super::super::ha1;
    use super::*;

    /// The places of those chosen; a challenge is `realm algorithm`.
    #[track_caller]
    fn check(policy: &ChallengePolicy, secret: &Secret, offered: &[&str], expected: &[usize]) {
        let read = |text: &&str| -> Challenge {
            let (realm, algorithm) = text.split_once(' ').unwrap();
            format!("Digest realm={realm}, nonce=n, algorithm={algorithm}, qop=auth").parse().unwrap()
        };
        let offered: Vec<Challenge> = offered.iter().map(read).collect();
        let expected: Vec<&Challenge> = expected.iter().map(|at| &offered[*at]).collect();
        assert_eq!(policy.choose(&offered, secret), expected);
    }

    #[test]
    fn each_realm_is_answered_once_in_the_order_of_the_response() {
        let password = Secret::password("p");
        let offered = ["a MD5", "b SHA-512-256", "a SHA-512-256", "b SHA-256", "a SHA-256", "c AKAv1-MD5"];
        let mut policy = ChallengePolicy::default();
        check(&policy, &password, &offered, &[2, 1]);
        policy.preference = Preference::Topmost;
        check(&policy, &password, &offered, &[0, 1]);
        policy.at_least = Some(Algorithm::Sha256);
        check(&policy, &password, &offered, &[1, 2]);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let policy = ChallengePolicy { preference: Preference::Topmost, at_least: None };
        check(&policy, &Secret::password("p"), &["a SHA-3", "a MD5-sess", "a MD5"], &[1]);
        check(&policy, &Secret::password("p"), &["a SHA-3"], &[]);
        let stored = Secret::Ha1(ha1(Algorithm::Md5, "u", "a", "p"));
        check(&ChallengePolicy::default(), &stored, &["a SHA-256", "a MD5"], &[1]);
    }

    #[test]
    fn many_realms_are_answered_up_to_a_bound() {
        let many: Vec<String> = (0..1_000).map(|n| format!("r{n} MD5")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let first: Vec<usize> = (0..MAX_REALMS).collect();
        check(&ChallengePolicy::default(), &Secret::password("p"), &many, &first);
    }
}
