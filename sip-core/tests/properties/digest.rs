//! Challenges, credentials and confirmations.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use blether_sip_core::digest::{
    Algorithm, AlgorithmName, Challenge, ChallengePolicy, Confirmation, Credentials, DigestRequest, Nonce, NonceCheck,
    NonceKey, Protection, Qop, Secret, ha1,
};
use blether_sip_core::{ByteStr, Method};

/// Each is written as what reads the same, and the answer to a challenge verifies, whether the challenge was read or made.
pub(crate) fn digest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(challenge) = rewritten::<Challenge>(&text) {
        answer(&challenge, b"");
    }
    if let Some(credentials) = rewritten::<Credentials>(&text)
        && let Some(algorithm) = credentials.known_algorithm()
    {
        let stranger = ha1(algorithm, "nobody", &credentials.realm, "no password");
        assert_eq!(credentials.check(&stranger, &Method::Register, bytes), None, "{text:?}");
        if let Some(confirmation) = rewritten::<Confirmation>(&text) {
            assert!(!confirmation.check(&credentials, &stranger, bytes).is_right(), "{text:?}");
        }
    }
    rewritten::<Confirmation>(&text);
    let (hour, none) = (Duration::from_secs(3_600), Duration::ZERO);
    assert_eq!(NonceKey::new([7; 32]).check(&text, b"", none, hour), NonceCheck::Forged, "{text:?}");
    made(bytes);
}

/// What is read is written on one line, which reads as the same and is written the same.
fn rewritten<T: FromStr<Err: Debug + PartialEq> + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value = text.parse::<T>().ok()?;
    let line = value.to_string();
    assert!(!line.contains(['\r', '\n', '\0']), "{text:?} was written as {line:?}");
    let again = line.parse::<T>();
    if !text.contains(char::is_control) {
        assert_eq!(again.as_ref(), Ok(&value), "{text:?} was written as {line:?}");
    }
    assert_eq!(again.map(|again| again.to_string()), Ok(line));
    Some(value)
}

/// A challenge that a server makes: the first byte says of what kind, the rest is its texts.
fn made(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let bit = |bit: u8| kind >> bit & 1 == 1;
    let algorithm = Algorithm::ALL[usize::from(kind & 3) % Algorithm::ALL.len()];
    let mut texts = rest.splitn(3, |byte| *byte == b'|').map(|text| String::from_utf8_lossy(text).into_owned());
    let mut next = || texts.next().unwrap_or_default();
    let (realm, binding, opaque) = (next(), next(), next());

    let key = NonceKey::new([*kind; 32]);
    let nonce = Nonce { issued: Duration::from_secs(rest.len() as u64), number: u64::from(*kind) };
    let issued = key.issue(nonce, binding.as_bytes());
    let check = |at| key.check(&issued, binding.as_bytes(), Duration::from_secs(at), Duration::from_secs(1));
    assert_eq!(check(rest.len() as u64), NonceCheck::Valid(nonce));
    assert_eq!(check(rest.len() as u64 + 2), NonceCheck::Expired(nonce));

    let mut first = Challenge::new(&realm, &issued, algorithm);
    first.opaque = Some(ByteStr::from(opaque));
    first.qop = if bit(2) { vec![Qop::AuthInt] } else { vec![Qop::Other("x".into()), Qop::Auth] };
    (first.userhash, first.stale) = (bit(3), bit(4));
    first.charset = bit(5).then(|| "UTF-8".into());
    let strongest = if bit(6) { AlgorithmName::Session(algorithm) } else { algorithm.into() };
    let offered = first.for_each_algorithm(&[Algorithm::Md5.into(), strongest]);
    for challenge in &offered {
        answer(challenge, rest);
    }
    let chosen = ChallengePolicy::default().choose(&offered, &Secret::password("p"));
    assert_eq!(chosen.iter().map(|chosen| chosen.known_algorithm()).collect::<Vec<_>>(), [Some(algorithm)]);
}

/// One thing that is not as it was.
type Change = fn(&mut Credentials);

/// A client's answer is accepted, as it was made and as it was read, and refused when any one thing is changed. So is the
/// server's.
fn answer(challenge: &Challenge, body: &[u8]) {
    let secret = Secret::password("wonderland");
    let asked =
        DigestRequest { method: &Method::Register, uri: "sip:blether.example", cnonce: "0a4f113b", nc: 1, body };
    let answer = Credentials::answer(challenge, "alice", &secret, &asked);
    assert_eq!(answer.is_ok(), challenge.is_answerable());
    assert_eq!(answer.is_ok(), secret.can_answer(challenge));
    let (Ok(answer), Some(algorithm)) = (answer, challenge.known_algorithm()) else { return };
    assert!(answer.names_user("alice") && !answer.names_user("bob"));
    let stored = ha1(algorithm, "alice", &challenge.realm, "wonderland");
    let proved = answer.check(&stored, &Method::Register, body);
    let expected = match &answer.qop {
        None => Protection::Legacy,
        Some(Qop::Auth) => Protection::Auth,
        Some(_) => Protection::AuthInt,
    };
    assert_eq!(proved, Some(expected));
    let again: Credentials = answer.to_string().parse().unwrap();
    // Control characters, which no header has, do not arrive as they were.
    if ![&challenge.realm, &challenge.nonce].iter().any(|text| text.contains(char::is_control)) {
        assert_eq!(again.check(&stored, &Method::Register, body), proved);
    }

    let refused =
        |what: &str, proved: Option<Protection>| assert_eq!(proved, None, "{what} of {challenge:?} was changed");
    for (what, other) in [
        ("the user", ha1(algorithm, "bob", &challenge.realm, "wonderland")),
        ("the realm", ha1(algorithm, "alice", &format!("{}.", challenge.realm), "wonderland")),
        ("the password", ha1(algorithm, "alice", &challenge.realm, "Wonderland")),
    ] {
        refused(what, answer.check(&other, &Method::Register, body));
    }
    refused("the method", answer.check(&stored, &Method::Invite, body));
    if expected == Protection::AuthInt {
        refused("the body", answer.check(&stored, &Method::Register, &[body, b"."].concat()));
    }
    let mut changes: Vec<(&str, Change)> = vec![
        ("the nonce", |c| c.nonce = format!("{}.", c.nonce).into()),
        ("the URI", |c| c.uri = "sip:other.example".into()),
        ("the response", |c| c.response = format!("{}0", c.response).into()),
        ("the algorithm", |c| c.algorithm = Some(AlgorithmName::from("other"))),
        ("the qop", |c| c.qop = Some(Qop::Other("x".into()))),
    ];
    if answer.qop.is_some() {
        changes.extend([
            ("the cnonce", (|c| c.cnonce = Some("other".into())) as Change),
            ("the count", |c| c.nc = Some(2)),
            ("the qop", |c| c.qop = None),
            ("the qop", |c| c.qop = Some(if c.qop == Some(Qop::Auth) { Qop::AuthInt } else { Qop::Auth })),
        ]);
    }
    for (what, change) in changes {
        let mut changed = answer.clone();
        change(&mut changed);
        refused(what, changed.check(&stored, &Method::Register, body));
    }

    let confirmation: Confirmation = Confirmation::new(&answer, &stored, body).to_string().parse().unwrap();
    assert!(confirmation.check(&answer, &stored, body).is_right());
    let mut reflected = confirmation;
    reflected.rspauth = Some(answer.response.clone());
    assert!(!reflected.check(&answer, &stored, body).is_right(), "{challenge:?}");
}
