//! Answers to 401 and 407 (RFC 3261 §22, RFC 7616, RFC 8760).

use std::fmt;

use blether_sip_core::digest::{Challenge, ChallengePolicy, Credentials, DigestRequest, MAX_REALMS, Secret};
use blether_sip_core::{Authorization, ByteStr, HeaderName, ProxyAuthorization, Request, Response};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::error::AuthError;

/// How many challenges one request may meet before it is given up, so that a server that calls every nonce stale does not
/// keep it going for ever. Each proxy on the way may ask once, and once more for a stale nonce.
const MAX_CHALLENGES_OF_A_REQUEST: u8 = 6;

/// Who we say we are when a server asks, and the proof.
#[derive(Clone)]
pub struct ClientCredentials {
    username: ByteStr,
    secret: Secret,
}

impl ClientCredentials {
    /// Makes credentials of a user name and a password, or the HA1 that was stored in its place.
    pub fn new(username: impl Into<ByteStr>, secret: Secret) -> Self {
        Self { username: username.into(), secret }
    }

    /// Makes credentials of a user name and a password.
    pub fn with_password(username: &str, password: &str) -> Self {
        Self::new(username, Secret::password(password))
    }

    /// The user name that goes into the answer.
    pub fn username(&self) -> &str {
        &self.username
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Which of the two header pairs: a server's (401) or a proxy's (407).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asker {
    Server,
    Proxy,
}

/// A challenge that was answered, and may be answered again ahead of being asked (RFC 7616 §3.6).
#[derive(Debug)]
struct Known {
    asker: Asker,
    challenge: Challenge,
    /// Ours, which a session variant keeps while it keeps the nonce (RFC 7616 §3.4.2).
    cnonce: String,
    /// How many requests carried this nonce.
    nonce_count: u32,
}

/// Answers the challenges that servers and proxies set a client (RFC 3261 §22).
///
/// For each request: [`prepare`](Self::prepare) before it is sent, and on a 401 or 407
/// [`authorize`](Self::authorize) on a copy of it that has the next CSeq number, which is then sent as a new transaction (§22.2).
#[derive(Debug)]
pub struct ClientAuthenticator {
    credentials: ClientCredentials,
    rng: StdRng,
    known: Vec<Known>,
    challenges_of_this_request: u8,
}

impl ClientAuthenticator {
    /// Makes one for an account. `rng` is where client nonces come from.
    pub fn new(credentials: ClientCredentials, rng: StdRng) -> Self {
        Self { credentials, rng, known: Vec::new(), challenges_of_this_request: 0 }
    }

    /// Makes a request ready to be sent for the first time: puts in answers to the challenges that are known already, so
    /// that a server which accepts a nonce more than once need not ask again (RFC 3261 §22.2, RFC 7616 §3.6).
    pub fn prepare(&mut self, request: &mut Request) {
        self.challenges_of_this_request = 0;
        self.write_answers(request, |_| true);
    }

    /// Answers the challenges of a 401 or 407 in `request`, which the caller sends as a new transaction with a higher CSeq
    /// number (RFC 3261 §8.1.3.5, §22.2, §22.3).
    ///
    /// Of several challenges for one realm the strongest that is known is answered ([`ChallengePolicy`]): SHA-256 before MD5, and
    /// the server's order only among equals. Answers for other realms that the request carries stay.
    ///
    /// # Errors
    /// See [`AuthError`]; the request is then better given up, and the response is what its user gets to see.
    pub fn authorize(&mut self, request: &mut Request, response: &Response) -> Result<(), AuthError> {
        let (asker, challenges) = match response.status().code() {
            401 => (Asker::Server, challenges_in(response, &HeaderName::WwwAuthenticate)),
            407 => (Asker::Proxy, challenges_in(response, &HeaderName::ProxyAuthenticate)),
            _ => return Err(AuthError::NotAChallenge(response.status())),
        };
        let chosen = ChallengePolicy::default().choose(&challenges, &self.credentials.secret);
        if chosen.is_empty() {
            return Err(AuthError::NothingAnswerable);
        }
        if self.challenges_of_this_request >= MAX_CHALLENGES_OF_A_REQUEST {
            return Err(AuthError::TooManyChallenges(self.challenges_of_this_request));
        }
        if let Some(refused) = chosen.iter().find(|challenge| self.is_refusal(asker, challenge, request)) {
            return Err(AuthError::Refused { realm: refused.realm.clone() });
        }
        self.challenges_of_this_request += 1;
        for challenge in chosen {
            self.remember(asker, challenge.clone());
        }
        self.write_answers(request, |known| known.asker == asker);
        Ok(())
    }

    /// Whether this challenge says no to an answer made for it, rather than asking for the first time or for a fresh nonce.
    ///
    /// An answer given ahead of the question (nonce count above 1) may meet a server that has forgotten its nonce and does
    /// not say `stale`; that is worth one try more.
    fn is_refusal(&self, asker: Asker, challenge: &Challenge, request: &Request) -> bool {
        !challenge.stale
            && answers_in(asker, request).iter().any(|answer| {
                answer.realm == challenge.realm
                    && answer.username == self.credentials.username
                    && answer.nc.unwrap_or(1) <= 1
            })
    }

    fn remember(&mut self, asker: Asker, challenge: Challenge) {
        let same = |known: &Known| known.asker == asker && known.challenge.realm == challenge.realm;
        match self.known.iter().position(same) {
            Some(at) => {
                self.known.remove(at);
            }
            // A further realm replaces the oldest.
            None if self.known.len() >= MAX_REALMS => {
                self.known.remove(0);
            }
            None => {}
        }
        let cnonce = fresh_cnonce(&mut self.rng);
        self.known.push(Known { asker, challenge, cnonce, nonce_count: 0 });
    }

    /// Replaces the answers in `request` by fresh ones to all known challenges that `which` selects.
    fn write_answers(&mut self, request: &mut Request, which: impl Fn(&Known) -> bool) {
        let uri = request.uri().to_string();
        let method = request.method().clone();
        let body = request.body().clone();
        let mut answers = Vec::new();
        for known in self.known.iter_mut().filter(|known| which(known)) {
            known.nonce_count = known.nonce_count.saturating_add(1);
            if !known.challenge.is_session() {
                known.cnonce = fresh_cnonce(&mut self.rng);
            }
            let (cnonce, nc) = (known.cnonce.as_str(), known.nonce_count);
            let asked = DigestRequest { method: &method, uri: &uri, cnonce, nc, body: &body };
            let answer =
                Credentials::answer(&known.challenge, &self.credentials.username, &self.credentials.secret, &asked);
            // Cannot fail: only challenges that the secret can answer are chosen.
            if let Ok(answer) = answer {
                answers.push((known.asker, answer));
            }
        }
        if answers.iter().any(|(asker, _)| *asker == Asker::Server) {
            request.headers_mut().remove(&HeaderName::Authorization);
        }
        if answers.iter().any(|(asker, _)| *asker == Asker::Proxy) {
            request.headers_mut().remove(&HeaderName::ProxyAuthorization);
        }
        for (asker, answer) in answers {
            match asker {
                Asker::Server => request.headers_mut().push(Authorization(answer)),
                Asker::Proxy => request.headers_mut().push(ProxyAuthorization(answer)),
            }
        }
    }
}

/// Reads what can be read; a malformed challenge beside a good one is no reason to fail.
fn challenges_in(response: &Response, name: &HeaderName) -> Vec<Challenge> {
    response.headers().raw_all(name).filter_map(|value| value.parse().ok()).collect()
}

fn answers_in(asker: Asker, request: &Request) -> Vec<Credentials> {
    let name = match asker {
        Asker::Server => HeaderName::Authorization,
        Asker::Proxy => HeaderName::ProxyAuthorization,
    };
    request.headers().raw_all(&name).filter_map(|value| value.parse().ok()).collect()
}

fn fresh_cnonce(rng: &mut StdRng) -> String {
    format!("{:016x}", rng.random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::digest::{Algorithm, ha1};
    use blether_sip_core::{CallId, Method, NameAddr, StatusCode, Uri};
    use rand::SeedableRng as _;

    fn authenticator() -> ClientAuthenticator {
        let credentials = ClientCredentials::with_password("alice", "wonderland");
        ClientAuthenticator::new(credentials, StdRng::seed_from_u64(1))
    }

    fn request() -> Request {
        let uri: Uri = "sip:example.org".parse().unwrap();
        let alice: NameAddr = "<sip:alice@example.org>;tag=1".parse().unwrap();
        let builder = Request::builder(Method::Register, uri).from(alice.clone()).to(alice).cseq(1);
        builder.header(CallId("c".into())).build().unwrap()
    }

    fn challenged(status: StatusCode, challenges: &[&str]) -> Response {
        let name = if status == StatusCode::UNAUTHORIZED { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        let builder = Response::to_request(&request(), status);
        challenges.iter().fold(builder, |builder, challenge| builder.raw(name, challenge)).build()
    }

    fn only_answer(request: &Request) -> Credentials {
        let answers = answers_in(Asker::Server, request);
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers[0].clone()
    }

    const MD5: &str = r#"Digest realm="example.org", nonce="n1", algorithm=MD5, qop="auth""#;
    const SHA256: &str = r#"Digest realm="example.org", nonce="n2", algorithm=SHA-256, qop="auth""#;

    #[test]
    fn the_strongest_algorithm_of_a_realm_is_answered_whatever_the_order() {
        for order in [[MD5, SHA256], [SHA256, MD5]] {
            let mut request = request();
            authenticator().authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &order)).unwrap();
            let answer = only_answer(&request);
            assert_eq!(answer.known_algorithm(), Some(Algorithm::Sha256));
            assert!(answer.verify(&ha1(Algorithm::Sha256, "alice", "example.org", "wonderland"), &Method::Register));
        }
    }

    #[test]
    fn an_unknown_algorithm_is_passed_over() {
        let unknown = r#"Digest realm="example.org", nonce="n3", algorithm=AKAv2-SHA-256, qop="auth""#;
        let mut request = request();
        authenticator().authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[unknown, MD5])).unwrap();
        assert_eq!(only_answer(&request).known_algorithm(), Some(Algorithm::Md5));
        let nothing = authenticator().authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[unknown]));
        assert_eq!(nothing, Err(AuthError::NothingAnswerable));
    }

    #[test]
    fn a_second_refusal_is_taken_as_the_last_word() {
        let (mut authenticator, mut request) = (authenticator(), request());
        authenticator.authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[MD5])).unwrap();
        let again = r#"Digest realm="example.org", nonce="n9", algorithm=MD5, qop="auth""#;
        let refused = authenticator.authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[again]));
        assert_eq!(refused, Err(AuthError::Refused { realm: "example.org".into() }));
    }

    #[test]
    fn a_stale_nonce_is_replaced_but_not_for_ever() {
        let (mut authenticator, mut request) = (authenticator(), request());
        authenticator.prepare(&mut request);
        let mut tries = 0;
        let error = loop {
            let stale = format!(r#"Digest realm="example.org", nonce="n{tries}", stale=true, qop="auth""#);
            match authenticator.authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[&stale])) {
                Ok(()) => tries += 1,
                Err(error) => break error,
            }
            assert_eq!(&*only_answer(&request).nonce, format!("n{}", tries - 1));
        };
        assert_eq!(error, AuthError::TooManyChallenges(MAX_CHALLENGES_OF_A_REQUEST));
    }

    #[test]
    fn a_known_nonce_is_used_ahead_of_being_asked_with_a_rising_count() {
        let mut authenticator = authenticator();
        let mut first = request();
        authenticator.prepare(&mut first);
        assert!(answers_in(Asker::Server, &first).is_empty());
        authenticator.authorize(&mut first, &challenged(StatusCode::UNAUTHORIZED, &[MD5])).unwrap();
        assert_eq!(only_answer(&first).nc, Some(1));
        let mut second = request();
        authenticator.prepare(&mut second);
        assert_eq!((only_answer(&second).nc, &*only_answer(&second).nonce), (Some(2), "n1"));
        // The server has forgotten the nonce and does not say that it is stale: that is no refusal of the password yet.
        authenticator.authorize(&mut second, &challenged(StatusCode::UNAUTHORIZED, &[SHA256])).unwrap();
        assert_eq!(&*only_answer(&second).nonce, "n2");
    }

    #[test]
    fn a_proxy_and_a_server_are_both_answered() {
        let (mut authenticator, mut request) = (authenticator(), request());
        let proxy = r#"Digest realm="proxy.example.org", nonce="p", algorithm=MD5, qop="auth""#;
        let proxy = challenged(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &[proxy]);
        authenticator.authorize(&mut request, &proxy).unwrap();
        authenticator.authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[MD5])).unwrap();
        assert_eq!(answers_in(Asker::Proxy, &request).len(), 1);
        assert_eq!(answers_in(Asker::Server, &request).len(), 1);
    }

    #[test]
    fn a_stored_ha1_answers_only_its_own_algorithm() {
        let secret = Secret::Ha1(ha1(Algorithm::Md5, "alice", "example.org", "wonderland"));
        let credentials = ClientCredentials::new("alice", secret);
        let mut authenticator = ClientAuthenticator::new(credentials, StdRng::seed_from_u64(1));
        let mut request = request();
        authenticator.authorize(&mut request, &challenged(StatusCode::UNAUTHORIZED, &[SHA256, MD5])).unwrap();
        assert_eq!(only_answer(&request).known_algorithm(), Some(Algorithm::Md5));
    }

    #[test]
    fn what_is_no_challenge_is_an_error_that_names_the_status() {
        let response = Response::to_request(&request(), StatusCode::FORBIDDEN).build();
        let error = authenticator().authorize(&mut request(), &response).unwrap_err();
        assert_eq!(error, AuthError::NotAChallenge(StatusCode::FORBIDDEN));
    }

    #[test]
    fn debug_text_does_not_tell_the_password() {
        assert!(!format!("{:?}", authenticator()).contains("wonderland"));
    }
}
