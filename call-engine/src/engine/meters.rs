//! What the engine counts of requests.

use metrics::Counter;

use crate::registrar::Outcome;
use crate::stage::ChallengeReason;

/// Held rather than looked up: each request counts. A metrics recorder, if there is to be one, is installed before.
pub(super) struct Meters {
    no_credentials: Counter,
    wrong_credentials: Counter,
    foreign_nonce: Counter,
    expired_nonce: Counter,
    replay: Counter,
    queried: Counter,
    registered: Counter,
    unregistered: Counter,
    challenged: Counter,
    refused: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        let challenges =
            |why: ChallengeReason| metrics::counter!("blether_engine_challenges_total", "why" => why.as_str());
        let registrations =
            |outcome: &'static str| metrics::counter!("blether_engine_registrations_total", "outcome" => outcome);
        Self {
            no_credentials: challenges(ChallengeReason::NoCredentials),
            wrong_credentials: challenges(ChallengeReason::WrongCredentials),
            foreign_nonce: challenges(ChallengeReason::ForeignNonce),
            expired_nonce: challenges(ChallengeReason::ExpiredNonce),
            replay: challenges(ChallengeReason::Replay),
            queried: registrations("queried"),
            registered: registrations("registered"),
            unregistered: registrations("unregistered"),
            challenged: registrations("challenged"),
            refused: registrations("refused"),
        }
    }

    pub(super) fn challenge(&self, why: ChallengeReason) {
        let counter = match why {
            ChallengeReason::NoCredentials => &self.no_credentials,
            ChallengeReason::WrongCredentials => &self.wrong_credentials,
            ChallengeReason::ForeignNonce => &self.foreign_nonce,
            ChallengeReason::ExpiredNonce => &self.expired_nonce,
            ChallengeReason::Replay => &self.replay,
        };
        counter.increment(1);
    }

    pub(super) fn registration(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Queried { .. } => &self.queried,
            Outcome::Updated { contacts: 0, .. } => &self.unregistered,
            Outcome::Updated { .. } => &self.registered,
            Outcome::Challenged { .. } => &self.challenged,
            Outcome::Refused { .. } => &self.refused,
        };
        counter.increment(1);
    }
}
