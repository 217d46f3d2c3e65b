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
    again: Counter,
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
            again: registrations("again"),
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
            Outcome::Queried { again: true, .. } => &self.again,
            Outcome::Queried { .. } => &self.queried,
            Outcome::Updated { contacts: 0, .. } => &self.unregistered,
            Outcome::Updated { .. } => &self.registered,
            Outcome::Challenged { .. } => &self.challenged,
            Outcome::Refused { .. } => &self.refused,
        };
        counter.increment(1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::net::UdpSocket;

    use crate::Engine;
    use crate::config::{AccountConfig, Config, Listen};
    use crate::counted::Counted;

    #[test]
    fn a_copy_of_a_register_counts_as_one_and_not_as_a_query() {
        let counted = Counted::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let registers = async {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let config = Config {
                listen: Listen { address: any, ..Listen::default() },
                accounts: vec![AccountConfig::new("alice", "wonderland")],
                ..Config::default()
            };
            let engine = Engine::builder(config).without_authentication().start().await.unwrap();
            let phone = UdpSocket::bind(any).await.unwrap();
            let (server, here) = (engine.local_addr(), phone.local_addr().unwrap());
            let register = format!(
                "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK1;rport\r\nFrom: <sip:alice@{server}>;tag=1\r\n\
                 To: <sip:alice@{server}>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@{here}>\r\n\
                 Authorization: Digest username=\"alice\", realm=\"blether\", nonce=\"n\", uri=\"sip:{server}\", response=\"0\"\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            for _ in 0..3 {
                phone.send_to(register.as_bytes(), server).await.unwrap();
                let mut answer = [0; 2_048];
                let answered = tokio::time::timeout(Duration::from_secs(20), phone.recv(&mut answer)).await;
                let answer = answer.get(..answered.unwrap().unwrap()).unwrap();
                assert!(answer.starts_with(b"SIP/2.0 200 "), "{}", String::from_utf8_lossy(answer));
            }
        };
        metrics::with_local_recorder(&counted, || runtime.block_on(registers));
        let of = |outcome| counted.of("blether_engine_registrations_total", outcome);
        assert_eq!([of("registered"), of("again"), of("queried")], [1, 2, 0]);
    }
}
