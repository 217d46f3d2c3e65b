//! Challenges and credentials.

use blether_sip_core::Method;
use blether_sip_core::digest::{Challenge, Credentials, DigestRequest, Secret, ha1};

/// Both are written as what reads the same, and the answer to a challenge verifies.
pub(crate) fn digest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(challenge) = text.parse::<Challenge>() {
        let line = challenge.to_string();
        let again = line.parse::<Challenge>();
        if !text.contains(char::is_control) {
            assert_eq!(again.as_ref(), Ok(&challenge), "{text:?} was written as {line:?}");
        }
        assert_eq!(again.map(|again| again.to_string()), Ok(line));
        answer(&challenge);
    }
    if let Ok(credentials) = text.parse::<Credentials>() {
        let line = credentials.to_string();
        let again = line.parse::<Credentials>();
        if !text.contains(char::is_control) {
            assert_eq!(again.as_ref(), Ok(&credentials), "{text:?} was written as {line:?}");
        }
        assert_eq!(again.map(|again| again.to_string()), Ok(line));
        if let Some(algorithm) = credentials.known_algorithm() {
            let stranger = ha1(algorithm, "nobody", &credentials.realm, "no password");
            assert!(!credentials.verify(&stranger, &Method::Register), "{text:?}");
        }
    }
}

fn answer(challenge: &Challenge) {
    let asked = DigestRequest { method: &Method::Register, uri: "sip:blether.example", cnonce: "0a4f113b", nc: 1 };
    let answer = Credentials::answer(challenge, "alice", &Secret::password("wonderland"), &asked);
    assert_eq!(answer.is_ok(), challenge.is_answerable());
    let (Ok(answer), Some(algorithm)) = (answer, challenge.known_algorithm()) else { return };
    let stored = ha1(algorithm, "alice", &challenge.realm, "wonderland");
    // Without `qop` an answer can be made and is never accepted.
    assert_eq!(answer.verify(&stored, &Method::Register), !challenge.qop.is_empty());
    assert!(!answer.verify(&stored, &Method::Invite));
    let again: Credentials = answer.to_string().parse().unwrap();
    if ![&challenge.realm, &challenge.nonce].iter().any(|text| text.contains(char::is_control)) {
        assert_eq!(again.verify(&stored, &Method::Register), answer.verify(&stored, &Method::Register));
    }
}
