//! What is refused, and what a stranger can send.

use super::*;

fn asked(method: &Method) -> DigestRequest<'_> {
    DigestRequest { method, uri: "sip:r", cnonce: "c", nc: 1, body: b"" }
}

#[test]
fn an_answer_never_verifies_with_the_ha1_of_another_algorithm() {
    let with = |algorithm| {
        let challenge = Challenge::new("r", "n", algorithm);
        Credentials::answer(&challenge, "u", &Secret::password("p"), &asked(&Method::Register)).unwrap()
    };
    let stored = |algorithm| ha1(algorithm, "u", "r", "p");
    for ours in Algorithm::ALL {
        for theirs in Algorithm::ALL {
            assert_eq!(with(theirs).verify(&stored(ours), &Method::Register), ours == theirs);
            let mut renamed = with(theirs);
            renamed.algorithm = Some(AlgorithmName::Known(ours));
            assert_eq!(renamed.verify(&stored(ours), &Method::Register), ours == theirs);
        }
        for name in ["MD5-sess", "SHA-256-sess", "SHA-512-256-sess", "x"] {
            let mut renamed = with(ours);
            renamed.algorithm = Some(AlgorithmName::from(name));
            assert!(!renamed.verify(&stored(ours), &Method::Register), "{name}");
        }
    }
}

#[test]
fn a_digest_without_qop_or_with_half_of_it_is_no_more_than_the_old_form() {
    let challenge: Challenge = "Digest realm=\"r\", nonce=\"n\"".parse().unwrap();
    let method = Method::Register;
    let legacy = Credentials::answer(&challenge, "u", &Secret::password("p"), &asked(&method)).unwrap();
    let stored = ha1(Algorithm::Md5, "u", "r", "p");
    assert_eq!(legacy.check(&stored, &method, b""), Some(Protection::Legacy));
    for qop in ["auth", "auth-int", "x"] {
        // What is computed without cnonce and nc must not pass for what is computed with them.
        let half = Credentials { qop: Some(Qop::from(qop)), ..legacy.clone() };
        assert_eq!(half.check(&stored, &method, b""), None, "{qop}");
    }
    let session = Credentials { algorithm: Some(AlgorithmName::Session(Algorithm::Md5)), ..legacy.clone() };
    assert_eq!(session.check(&stored, &method, b""), None);
    let mine = Credentials { response: Default::default(), ..legacy };
    assert_eq!(mine.check(&stored, &method, b""), None);
}

#[test]
fn a_stored_ha1_answers_like_the_password_but_only_for_its_algorithm() {
    let challenge = Challenge::new("r", "n", Algorithm::Sha256);
    let asked = asked(&Method::Register);
    let stored = Secret::Ha1(ha1(Algorithm::Sha256, "u", "r", "p"));
    let by_password = Credentials::answer(&challenge, "u", &Secret::password("p"), &asked);
    assert_eq!(Credentials::answer(&challenge, "u", &stored, &asked), by_password);
    let other = Secret::Ha1(ha1(Algorithm::Md5, "u", "r", "p"));
    let error = DigestError::WrongHa1 { have: Algorithm::Md5, wanted: Algorithm::Sha256 };
    assert_eq!(Credentials::answer(&challenge, "u", &other, &asked), Err(error));
}

#[test]
fn a_challenge_that_cannot_be_answered_says_why() {
    let method = Method::Register;
    let challenge = |text: &str| text.parse::<Challenge>().unwrap();
    let refused =
        |text: &str| Credentials::answer(&challenge(text), "u", &Secret::password("p"), &asked(&method)).unwrap_err();
    assert_eq!(refused("Basic realm=\"r\""), DigestError::UnsupportedScheme("Basic".into()));
    let unknown = "Digest realm=\"r\",nonce=\"n\",algorithm=AKAv1-MD5";
    assert_eq!(refused(unknown), DigestError::UnsupportedAlgorithm("AKAv1-MD5".into()));
    assert_eq!(refused("Digest realm=\"r\",nonce=\"n\",qop=\"auth-conf\""), DigestError::UnsupportedQop);
    assert_eq!(refused("Digest realm=\"r\",nonce=\"n\",algorithm=MD5-sess"), DigestError::UnsupportedQop);

    let key = ha1(Algorithm::Md5, "u", "r", "p").session("n", "c");
    let refused =
        |text: &str| Credentials::answer_in_session(&challenge(text), "u", &key, &asked(&method)).unwrap_err();
    let plain = "Digest realm=\"r\",nonce=\"n\",qop=auth";
    assert_eq!(refused(plain), DigestError::UnsupportedAlgorithm("MD5".into()));
    let error = DigestError::WrongHa1 { have: Algorithm::Md5, wanted: Algorithm::Sha256 };
    assert_eq!(refused(&format!("{plain},algorithm=SHA-256-sess")), error);
}

#[test]
fn a_session_goes_on_with_another_nonce_and_ends_nowhere_else() {
    let mut challenge: Challenge =
        "Digest realm=\"r\",nonce=\"n1\",algorithm=SHA-512-256-sess,qop=auth".parse().unwrap();
    let method = Method::Invite;
    let stored = ha1(Algorithm::Sha512_256, "u", "r", "p");
    let key = stored.session("n1", "c");
    let first = Credentials::answer(&challenge, "u", &Secret::password("p"), &asked(&method)).unwrap();
    assert_eq!(first.check_in_session(&key, &method, b""), Some(Protection::Auth));
    assert_eq!(first.check(&stored, &method, b""), Some(Protection::Auth));

    challenge.nonce = "n2".into();
    let second = DigestRequest { cnonce: "d", ..asked(&method) };
    let second = Credentials::answer_in_session(&challenge, "u", &key, &second).unwrap();
    assert_eq!(second.check_in_session(&key, &method, b""), Some(Protection::Auth));
    assert_eq!(second.check(&stored, &method, b""), None, "that would be another session");
    let confirmation = Confirmation::in_session(&second, &key, b"");
    assert!(confirmation.check_in_session(&second, &key, b"").is_right());
    assert_eq!(confirmation.check(&second, &stored, b""), ServerProof::Wrong);

    let renamed = Credentials { algorithm: Some(Algorithm::Sha512_256.into()), ..second };
    assert_eq!(renamed.check_in_session(&key, &method, b""), None);
}

#[test]
fn a_confirmation_is_of_what_was_sent_and_of_nothing_else() {
    let challenge = Challenge::new("r", "n", Algorithm::Sha256);
    let sent = Credentials::answer(&challenge, "u", &Secret::password("p"), &asked(&Method::Invite)).unwrap();
    let stored = ha1(Algorithm::Sha256, "u", "r", "p");
    let right = Confirmation::new(&sent, &stored, b"");
    let bare = Confirmation { qop: None, cnonce: None, nc: None, ..right.clone() };
    assert_eq!(bare.check(&sent, &stored, b""), ServerProof::Right(Protection::Auth));
    assert_eq!(Confirmation::default().check(&sent, &stored, b""), ServerProof::Absent);
    for wrong in [
        Confirmation { nc: Some(2), ..right.clone() },
        Confirmation { cnonce: Some("other".into()), ..right.clone() },
        Confirmation { qop: Some(Qop::AuthInt), ..right.clone() },
        Confirmation { qop: Some(Qop::Other("x".into())), ..right.clone() },
        Confirmation { rspauth: Some(Default::default()), ..right.clone() },
        Confirmation::new(&sent, &ha1(Algorithm::Sha256, "u", "r", "q"), b""),
    ] {
        assert_eq!(wrong.check(&sent, &stored, b""), ServerProof::Wrong, "{wrong}");
    }
    assert_eq!(right.check(&sent, &ha1(Algorithm::Md5, "u", "r", "p"), b""), ServerProof::Wrong);
}

#[test]
fn hostile_credentials_are_read_or_refused_and_break_no_line() {
    let commas = format!("Digest {}", ",".repeat(60_000));
    assert_eq!(commas.parse::<Credentials>(), Err(DigestError::Missing("username")));
    let whole = format!("{commas}username=u,realm=r,nonce=\"a\\\"b\\\\\",uri=u,response=0{}", " ,\t".repeat(20_000));
    let credentials: Credentials = whole.parse().unwrap();
    assert_eq!(&*credentials.nonce, "a\"b\\");
    assert_eq!(credentials.to_string(), r#"Digest username="u", realm="r", nonce="a\"b\\", uri="u", response="0""#);
    let doubled = format!("Digest {}", "nonce=x,".repeat(7_500));
    assert_eq!(doubled.parse::<Credentials>(), Err(DigestError::Duplicate("nonce".into())));
    let open = format!("Digest nonce=\"{}", "\\\"".repeat(30_000));
    assert_eq!(open.parse::<Credentials>(), Err(DigestError::Syntax { at: open.len() }));
    let long = Credentials { response: "a".repeat(60_000).as_str().into(), ..credentials };
    assert_eq!(long.check(&ha1(Algorithm::Md5, "u", "r", "p"), &Method::Invite, b""), None);
}

#[test]
fn no_value_that_a_program_sets_ends_the_line() {
    let evil = "x\r\nInjected: 1\u{0}\"\\,";
    let mut challenge = Challenge::new(evil, evil, Algorithm::Md5).for_each_algorithm(&[evil.into()]).remove(0);
    challenge.opaque = Some(evil.into());
    challenge.domain = Some(evil.into());
    challenge.charset = Some(evil.into());
    challenge.qop.push(Qop::Other(evil.into()));
    let mut answerable = challenge.clone();
    answerable.algorithm = None;
    answerable.qop.clear();
    let request = DigestRequest { uri: evil, cnonce: evil, ..asked(&Method::Register) };
    let mut credentials = Credentials::answer(&answerable, evil, &Secret::password("p"), &request).unwrap();
    (credentials.qop, credentials.cnonce) = (Some(Qop::Other(evil.into())), Some(evil.into()));
    let confirmation = Confirmation { qop: Some(evil.into()), cnonce: Some(evil.into()), ..Confirmation::default() };
    let folded = "Basic a\r\n b".parse::<Challenge>().unwrap();
    for line in [challenge.to_string(), credentials.to_string(), confirmation.to_string(), folded.to_string()] {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    assert!(challenge.to_string().parse::<Challenge>().is_ok());
    assert!(credentials.to_string().parse::<Credentials>().is_ok());
    assert!(confirmation.to_string().parse::<Confirmation>().is_ok());
}
