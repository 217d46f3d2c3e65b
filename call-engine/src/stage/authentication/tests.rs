use std::net::Ipv4Addr;

use blether_sip_core::digest::{AlgorithmName, DigestRequest, Qop, Secret};
use blether_sip_core::{Limits, Message, Method};
use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use std::sync::atomic::AtomicU32;

use super::*;
use crate::account::{Account, Accounts, SharedAccounts};

const SECOND: Duration = Duration::from_secs(1);
const URI: &str = "sip:blether.example";
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

fn authenticator(now: Instant, change: impl FnOnce(&mut AuthenticatorConfig)) -> Authenticator {
    let accounts = [("alice", "wonderland"), ("bob", "the builder")];
    let accounts = accounts.map(|(user, password)| Account::new(user, "blether", password, None).unwrap());
    let mut config = AuthenticatorConfig::new("blether");
    change(&mut config);
    Authenticator::new(
        config,
        Arc::new(SharedAccounts::new(Accounts::new(accounts).unwrap())),
        now,
        &mut StdRng::seed_from_u64(7),
    )
}

/// Any instant does: only differences count.
fn start() -> (Instant, Authenticator) {
    let now = Instant::now();
    (now, authenticator(now, |_| {}))
}

/// A request that is no copy of any other.
fn request(method: &Method, uri: &str, header: &str) -> Request {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let branch = LAST.fetch_add(1, Ordering::Relaxed);
    let text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{branch}\r\nFrom: <sip:alice@blether.example>;tag=1\r\n\
         To: <sip:alice@blether.example>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n{header}Content-Length: 0\r\n\r\n"
    );
    match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

fn carrying(credentials: &Credentials) -> Request {
    request(&Method::Register, URI, &format!("Authorization: {credentials}\r\n"))
}

/// The challenges for a request without credentials.
fn challenged(authenticator: &Authenticator, now: Instant) -> Vec<Challenge> {
    match authenticator.authenticate(now, &request(&Method::Register, URI, ""), SOURCE) {
        Verification::Challenge { headers, why: ChallengeReason::NoCredentials } => {
            headers.into_iter().map(|header| header.0).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn answer(challenge: &Challenge, user: &str, password: &str, nc: u32) -> Credentials {
    let asked = DigestRequest { method: &Method::Register, uri: URI, cnonce: "0a4f113b", nc, body: b"" };
    Credentials::answer(challenge, user, &Secret::password(password), &asked).unwrap()
}

/// What `alice` gets for her right answer to a fresh SHA-256 challenge, changed so.
fn after(change: impl FnOnce(&mut Credentials)) -> Verification {
    let (now, authenticator) = start();
    let mut credentials = answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1);
    change(&mut credentials);
    authenticator.authenticate(now, &carrying(&credentials), SOURCE)
}

fn reason(verification: &Verification) -> ChallengeReason {
    match verification {
        Verification::Challenge { why, headers } => {
            let stale = headers.iter().all(|header| header.0.stale);
            assert_eq!(stale, why.is_stale(), "all headers say the same");
            *why
        }
        other => panic!("{other:?}"),
    }
}

fn is_alice(verification: &Verification) -> bool {
    matches!(verification, Verification::Authenticated { user } if user.user() == "alice")
}

#[test]
fn a_challenge_offers_sha_256_before_md5_in_headers_of_their_own() {
    let (now, authenticator) = start();
    let challenges = challenged(&authenticator, now);
    let algorithms: Vec<_> = challenges.iter().map(|c| c.known_algorithm().unwrap()).collect();
    assert_eq!(algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    for challenge in &challenges {
        assert_eq!((&*challenge.realm, challenge.stale), ("blether", false));
        assert_eq!(challenge.qop, [Qop::Auth]);
        assert!(challenge.opaque.is_some());
    }
}

#[test]
fn no_two_challenges_have_the_same_nonce() {
    let (now, authenticator) = start();
    assert_ne!(challenged(&authenticator, now)[0].nonce, challenged(&authenticator, now)[0].nonce);
}

#[test]
fn the_right_password_authenticates_by_either_algorithm() {
    let (now, authenticator) = start();
    for challenge in
        challenged(&authenticator, now).iter().zip([1, 2]).map(|(c, nc)| answer(c, "alice", "wonderland", nc))
    {
        assert!(is_alice(&authenticator.authenticate(now, &carrying(&challenge), SOURCE)));
    }
}

#[test]
fn a_replayed_answer_authenticates_nobody_and_is_told_to_try_again() {
    let (now, authenticator) = start();
    let request = carrying(&answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1));
    assert!(is_alice(&authenticator.authenticate(now, &request, SOURCE)));
    assert_eq!(reason(&authenticator.authenticate(now, &request, SOURCE)), ChallengeReason::Replay);
    assert_eq!(reason(&authenticator.authenticate(now + SECOND, &request, SOURCE)), ChallengeReason::Replay);
}

#[test]
fn a_nonce_count_is_good_once_in_any_order_but_not_far_below_the_last() {
    let (now, authenticator) = start();
    let challenge = challenged(&authenticator, now).remove(0);
    for (nc, accepted) in
        [(0, false), (3, true), (3, false), (2, true), (2, false), (4, true), (u32::MAX, true), (1, false)]
    {
        let verification =
            authenticator.authenticate(now, &carrying(&answer(&challenge, "alice", "wonderland", nc)), SOURCE);
        assert_eq!(is_alice(&verification), accepted, "{nc}");
    }
}

#[test]
fn a_wrong_answer_uses_up_no_nonce_count() {
    let (now, authenticator) = start();
    let challenge = challenged(&authenticator, now).remove(0);
    let wrong = authenticator.authenticate(now, &carrying(&answer(&challenge, "alice", "guess", u32::MAX)), SOURCE);
    assert_eq!(reason(&wrong), ChallengeReason::WrongCredentials);
    assert_eq!(authenticator.used_nonces(), 0);
    assert!(is_alice(&authenticator.authenticate(
        now,
        &carrying(&answer(&challenge, "alice", "wonderland", 1)),
        SOURCE
    )));
}

#[test]
fn a_nonce_that_was_not_issued_here_is_refused() {
    let (now, authenticator) = start();
    let genuine = challenged(&authenticator, now).remove(0);
    let digits = genuine.nonce.to_string();
    let other_digit = |digit: char| if digit == '0' { '1' } else { '0' };
    let forged = (0..digits.len()).map(|at| {
        digits.char_indices().map(|(i, digit)| if i == at { other_digit(digit) } else { digit }).collect::<String>()
    });
    let others = ["", "0", "dcd98b7102dd2f0e8b11d0f600bfb0c093", &digits.to_uppercase(), &format!("{digits}0")]
        .map(String::from);
    for nonce in forged.chain(others).filter(|nonce| *nonce != digits) {
        let mut challenge = genuine.clone();
        challenge.nonce = nonce.as_str().into();
        let verification =
            authenticator.authenticate(now, &carrying(&answer(&challenge, "alice", "wonderland", 1)), SOURCE);
        assert_eq!(reason(&verification), ChallengeReason::ForeignNonce, "{nonce}");
    }
}

#[test]
fn a_nonce_of_another_process_is_refused() {
    let (now, authenticator) = start();
    let accounts = Arc::new(SharedAccounts::new(Accounts::default()));
    let rng = &mut StdRng::seed_from_u64(8);
    let restarted = Authenticator::new(AuthenticatorConfig::new("blether"), accounts, now, rng);
    let theirs = challenged(&restarted, now).remove(0);
    let verification = authenticator.authenticate(now, &carrying(&answer(&theirs, "alice", "wonderland", 1)), SOURCE);
    assert_eq!(reason(&verification), ChallengeReason::ForeignNonce);
}

#[test]
fn credentials_for_this_server_are_known_by_their_nonce_at_any_age_and_others_of_its_name_are_not() {
    let (now, authenticator) = start();
    let ours = answer(&challenged(&authenticator, now + 1_000 * SECOND)[0], "alice", "wrong", 1);
    assert!(authenticator.has_asked_for(&ours));
    let rng = &mut StdRng::seed_from_u64(8);
    let accounts = Arc::new(SharedAccounts::new(Accounts::default()));
    let another = Authenticator::new(AuthenticatorConfig::new("blether"), accounts, now, rng);
    assert!(!another.has_asked_for(&ours));
}

#[test]
fn a_nonce_is_stale_after_its_lifetime() {
    let (now, authenticator) = start();
    let challenge = challenged(&authenticator, now).remove(0);
    let at = |seconds: u64, nc| {
        let request = carrying(&answer(&challenge, "alice", "wonderland", nc));
        authenticator.authenticate(now + Duration::from_secs(seconds), &request, SOURCE)
    };
    assert!(is_alice(&at(300, 1)));
    assert_eq!(reason(&at(301, 2)), ChallengeReason::ExpiredNonce);
}

#[test]
fn wrong_password_unknown_user_and_unknown_algorithm_look_the_same() {
    let (now, authenticator) = start();
    let seen = |change: &dyn Fn(&Challenge) -> Credentials, at: Instant| {
        let verification =
            authenticator.authenticate(at, &carrying(&change(&challenged(&authenticator, now)[0])), SOURCE);
        assert_eq!(reason(&verification), ChallengeReason::WrongCredentials);
        let Verification::Challenge { headers, .. } = verification else { unreachable!() };
        let without_nonce = headers.into_iter().map(|mut header| {
            header.0.nonce = "".into();
            header.0.to_string()
        });
        without_nonce.collect::<Vec<_>>()
    };
    let unknown_algorithm = |c: &Challenge| {
        let mut credentials = answer(c, "alice", "wonderland", 1);
        credentials.algorithm = Some(AlgorithmName::from("SHA-512-256"));
        credentials
    };
    // Also when the nonce is too old: only who knows the password is told that.
    for at in [now, now + 301 * SECOND] {
        let wrong_password = seen(&|c| answer(c, "alice", "guess", 1), at);
        assert_eq!(seen(&|c| answer(c, "mallory", "guess", 1), at), wrong_password);
        assert_eq!(seen(&|c| answer(c, "", "", 1), at), wrong_password);
        assert_eq!(seen(&unknown_algorithm, at), wrong_password);
        assert!(wrong_password.iter().all(|header| !header.contains("stale")));
    }
}

#[test]
fn an_answer_to_one_algorithm_is_none_to_another() {
    let verification = after(|credentials| credentials.algorithm = Some(AlgorithmName::Known(Algorithm::Md5)));
    assert_eq!(reason(&verification), ChallengeReason::WrongCredentials);
    assert_eq!(reason(&after(|credentials| credentials.algorithm = None)), ChallengeReason::WrongCredentials);
}

#[test]
fn only_what_is_offered_is_accepted() {
    let now = Instant::now();
    for (algorithms, count) in
        [(OfferedAlgorithms::Sha256, 1), (OfferedAlgorithms::Md5, 1), (OfferedAlgorithms::Sha256ThenMd5, 2)]
    {
        let authenticator = authenticator(now, |config| config.algorithms = algorithms);
        assert_eq!(challenged(&authenticator, now).len(), count);
        for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
            let mut challenge = challenged(&authenticator, now).remove(0);
            challenge.algorithm = Some(AlgorithmName::Known(algorithm));
            let verification =
                authenticator.authenticate(now, &carrying(&answer(&challenge, "alice", "wonderland", 1)), SOURCE);
            assert_eq!(
                is_alice(&verification),
                algorithms.as_slice().contains(&algorithm),
                "{algorithms:?} {algorithm}"
            );
        }
    }
}

#[test]
fn each_offer_has_a_name_and_no_other_text_is_one() {
    for name in OfferedAlgorithms::NAMES.split(", ") {
        assert_eq!(name.parse::<OfferedAlgorithms>().unwrap().to_string(), name);
    }
    for name in ["", "MD5", "md5-then-sha256"] {
        let line = name.parse::<OfferedAlgorithms>().unwrap_err().to_string();
        assert_eq!(line, format!("\"{name}\" is not one of sha256-then-md5, sha256, md5"));
    }
}

#[test]
fn an_answer_without_protection_is_refused() {
    let changes: [fn(&mut Credentials); 4] =
        [|c| c.qop = None, |c| c.nc = None, |c| c.cnonce = None, |c| c.qop = Some("auth-int".into())];
    for change in changes {
        assert_eq!(reason(&after(change)), ChallengeReason::WrongCredentials);
    }
}

#[test]
fn an_answer_is_good_for_one_method_only() {
    let (now, authenticator) = start();
    let credentials = answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1);
    let invite = request(&Method::Invite, URI, &format!("Authorization: {credentials}\r\n"));
    assert_eq!(reason(&authenticator.authenticate(now, &invite, SOURCE)), ChallengeReason::WrongCredentials);
}

#[test]
fn an_answer_for_another_resource_is_a_bad_request() {
    let mismatch = Verification::Malformed { error: MalformedCredentials::UriMismatch };
    for uri in [
        "sip:other.example",
        "sips:blether.example",
        "sip:alice@blether.example",
        "sip:blether.example:5070",
        "",
        "/",
        "tel:1",
    ] {
        assert_eq!(after(|credentials| credentials.uri = uri.into()), mismatch, "{uri}");
    }
}

#[test]
fn the_digest_uri_may_be_an_equivalent_form_of_the_request_uri() {
    let (now, authenticator) = start();
    for uri in
        ["sip:BLETHER.example", "sip:blether.example:5060", "SIP:blether.example", "sip:blether.example;transport=udp"]
    {
        let asked = DigestRequest { method: &Method::Register, uri, cnonce: "0a4f113b", nc: 1, body: b"" };
        let challenge = challenged(&authenticator, now).remove(0);
        let credentials = Credentials::answer(&challenge, "alice", &Secret::password("wonderland"), &asked).unwrap();
        assert!(is_alice(&authenticator.authenticate(now, &carrying(&credentials), SOURCE)), "{uri}");
    }
}

#[test]
fn a_digest_uri_without_a_user_names_the_whole_server() {
    let (now, authenticator) = start();
    let authorised = |digest_uri: &str, request_uri: &str| {
        let asked = DigestRequest { method: &Method::Invite, uri: digest_uri, cnonce: "0a4f113b", nc: 1, body: b"" };
        let challenge = challenged(&authenticator, now).remove(0);
        let credentials = Credentials::answer(&challenge, "alice", &Secret::password("wonderland"), &asked).unwrap();
        let invite = request(&Method::Invite, request_uri, &format!("Authorization: {credentials}\r\n"));
        is_alice(&authenticator.authenticate(now, &invite, SOURCE))
    };
    assert!(authorised("sip:127.0.0.1:5070", "sip:*43@127.0.0.1:5070"));
    assert!(authorised("sip:*43@127.0.0.1:5070", "sip:%2A43@127.0.0.1:5070"));
    assert!(!authorised("sip:127.0.0.1", "sip:*43@127.0.0.1:5070"));
    assert!(!authorised("sip:bob@127.0.0.1:5070", "sip:*43@127.0.0.1:5070"));
}

#[test]
fn a_header_that_cannot_be_read_is_a_bad_request() {
    let (now, authenticator) = start();
    for header in ["Digest", "Digest username=\"alice\"", "Digest x", "Digest nonce=1,nonce=2", "="] {
        let request = request(&Method::Register, URI, &format!("Authorization: {header}\r\n"));
        let verification = authenticator.authenticate(now, &request, SOURCE);
        assert_eq!(verification, Verification::Malformed { error: MalformedCredentials::Header }, "{header}");
    }
}

#[test]
fn credentials_for_others_are_passed_over() {
    let (now, authenticator) = start();
    let credentials = answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1);
    let mut elsewhere = credentials.clone();
    elsewhere.realm = "elsewhere".into();
    let others = format!("Authorization: Basic YWxpY2U6d29uZGVybGFuZA==\r\nAuthorization: {elsewhere}\r\n");
    let alone = request(&Method::Register, URI, &others);
    assert_eq!(reason(&authenticator.authenticate(now, &alone, SOURCE)), ChallengeReason::NoCredentials);
    let with_ours = request(&Method::Register, URI, &format!("{others}Authorization: {credentials}\r\n"));
    assert!(is_alice(&authenticator.authenticate(now, &with_ours, SOURCE)));
}

#[test]
fn forgetting_a_used_nonce_lets_no_replay_in() {
    let now = Instant::now();
    let authenticator = authenticator(now, |config| config.max_used_nonces = 3);
    let requests: Vec<_> =
        (0..10).map(|_| carrying(&answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1))).collect();
    let unused_but_old = answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1);
    let accepted = |request: &Request| is_alice(&authenticator.authenticate(now, request, SOURCE));
    for request in &requests {
        assert!(accepted(request));
        assert!(authenticator.used_nonces() <= 3);
    }
    assert!(!requests.iter().any(accepted), "the nonces that were forgotten are stale, the others replayed");
    assert!(accepted(&carrying(&unused_but_old)), "a nonce younger than all that were forgotten is still good");
}

#[test]
fn a_full_table_refuses_an_older_nonce_rather_than_forget_that_it_was_used() {
    let now = Instant::now();
    let authenticator = authenticator(now, |config| config.max_used_nonces = 2);
    let requests: Vec<_> =
        (0..3).map(|_| carrying(&answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1))).collect();
    for request in requests.iter().rev() {
        assert!(is_alice(&authenticator.authenticate(now, request, SOURCE)));
    }
    assert_eq!(reason(&authenticator.authenticate(now, &requests[0], SOURCE)), ChallengeReason::ExpiredNonce);
}

#[test]
fn expired_nonces_leave_the_table() {
    let (now, authenticator) = start();
    let log_in = |at: Instant| {
        let request = carrying(&answer(&challenged(&authenticator, at)[0], "alice", "wonderland", 1));
        assert!(is_alice(&authenticator.authenticate(at, &request, SOURCE)));
    };
    (0..5).for_each(|_| log_in(now));
    assert_eq!(authenticator.used_nonces(), 5);
    log_in(now + 301 * SECOND);
    assert_eq!(authenticator.used_nonces(), 1);
}

#[test]
fn of_the_same_request_in_many_shards_one_is_accepted() {
    let (now, authenticator) = start();
    let request = carrying(&answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1));
    let accepted = std::thread::scope(|scope| {
        let shards = [(); 8].map(|()| scope.spawn(|| is_alice(&authenticator.authenticate(now, &request, SOURCE))));
        shards.into_iter().map(|shard| shard.join().unwrap()).filter(|accepted| *accepted).count()
    });
    assert_eq!(accepted, 1);
}

#[test]
fn a_user_speaks_for_its_own_address_of_record_only() {
    let Verification::Authenticated { user } = after(|_| {}) else { unreachable!() };
    let aor = |text: &str| AddressOfRecord::from_uri(text.parse::<Uri>().unwrap().as_sip().unwrap()).unwrap();
    assert!(user.authorises_aor(&aor("sip:alice@blether.example")));
    assert!(user.authorises_aor(&aor("sip:%61lice@blether.example")));
    assert!(!user.authorises_aor(&aor("sip:bob@blether.example")));
    assert!(!user.authorises_aor(&aor("sip:Alice@blether.example")));
}

/// Which algorithms a request without credentials gets after these seconds.
fn offered(authenticator: &Authenticator, at: Instant) -> Vec<Algorithm> {
    challenged(authenticator, at).iter().map(|challenge| challenge.known_algorithm().unwrap()).collect()
}

#[test]
fn a_phone_that_gives_up_at_sha_256_logs_in_when_it_comes_again() {
    let (now, authenticator) = start();
    assert_eq!(offered(&authenticator, now).len(), 2);
    // It refreshes each hour, without credentials each time.
    for at in [40, 3_280, 6_520].map(|seconds| now + seconds * SECOND) {
        let challenges = challenged(&authenticator, at);
        assert_eq!(challenges.len(), 1, "MD5 alone");
        let request = carrying(&answer(&challenges[0], "alice", "wonderland", 1));
        assert!(is_alice(&authenticator.authenticate(at, &request, SOURCE)));
    }
    let wrong = carrying(&answer(&challenged(&authenticator, now)[0], "alice", "guess", 1));
    let Verification::Challenge { headers, .. } = authenticator.authenticate(now, &wrong, SOURCE) else {
        unreachable!()
    };
    assert_eq!(headers.len(), 1, "a wrong password is asked for again in the same way");
}

#[test]
fn a_phone_that_answers_by_sha_256_is_always_offered_it() {
    let (now, authenticator) = start();
    for at in [0, 60, 3_000, 100_000].map(|seconds| now + seconds * SECOND) {
        assert_eq!(offered(&authenticator, at), [Algorithm::Sha256, Algorithm::Md5]);
        let request = carrying(&answer(&challenged(&authenticator, at)[0], "alice", "wonderland", 1));
        assert!(is_alice(&authenticator.authenticate(at, &request, SOURCE)));
    }
}

#[test]
fn an_answer_by_sha_256_is_accepted_from_whom_md5_alone_is_offered() {
    let (now, authenticator) = start();
    let earlier = challenged(&authenticator, now).remove(0);
    let at = now + 30 * SECOND;
    assert_eq!(offered(&authenticator, at), [Algorithm::Md5]);
    let request = carrying(&answer(&earlier, "alice", "wonderland", 1));
    assert!(is_alice(&authenticator.authenticate(at, &request, SOURCE)));
    assert_eq!(offered(&authenticator, at + 30 * SECOND).len(), 2);
}

#[test]
fn a_captured_answer_by_sha_256_pins_nobody() {
    let (now, authenticator) = start();
    let captured = carrying(&answer(&challenged(&authenticator, now)[0], "alice", "wonderland", 1));
    assert!(is_alice(&authenticator.authenticate(now, &captured, SOURCE)));
    let elsewhere = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
    assert_eq!(reason(&authenticator.authenticate(now, &captured, elsewhere)), ChallengeReason::Replay);
    let offered_elsewhere = |at: Instant| {
        let Verification::Challenge { headers, .. } =
            authenticator.authenticate(at, &request(&Method::Register, URI, ""), elsewhere)
        else {
            unreachable!()
        };
        headers.len()
    };
    assert_eq!([now, now + 30 * SECOND].map(offered_elsewhere), [2, 1]);
}

#[test]
fn one_user_says_nothing_of_the_phone_of_another() {
    let (now, authenticator) = start();
    // Bob logs in by SHA-256 from alice's address, with her name in From.
    let request_of_bob = carrying(&answer(&challenged(&authenticator, now)[0], "bob", "the builder", 1));
    let verification = authenticator.authenticate(now, &request_of_bob, SOURCE);
    assert!(matches!(verification, Verification::Authenticated { .. }));
    assert_eq!(offered(&authenticator, now + 30 * SECOND), [Algorithm::Md5]);
}

#[test]
fn md5_alone_is_never_offered_where_it_is_not_on_offer() {
    let now = Instant::now();
    let authenticator = authenticator(now, |config| config.algorithms = OfferedAlgorithms::Sha256);
    for seconds in [0, 30, 60] {
        assert_eq!(offered(&authenticator, now + seconds * SECOND), [Algorithm::Sha256]);
    }
}

#[test]
fn users_that_do_not_exist_are_offered_the_same() {
    let (now, authenticator) = start();
    let unknown = |at: Instant| {
        let text = request(&Method::Register, URI, "").to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap().replace("sip:alice@", "sip:nobody@");
        let Message::Request(request) = Message::parse(Bytes::from(text), &Limits::default()).unwrap() else {
            unreachable!()
        };
        match authenticator.authenticate(at, &request, SOURCE) {
            Verification::Challenge { headers, .. } => headers.len(),
            other => panic!("{other:?}"),
        }
    };
    for at in [0, 4, 30, 60].map(|seconds| now + seconds * SECOND) {
        assert_eq!(unknown(at), offered(&authenticator, at).len());
    }
}

#[test]
fn debug_shows_no_key() {
    let (_, authenticator) = start();
    let said = format!("{authenticator:?}");
    assert!(said.contains("NonceKey(***)") && said.contains("Ha1(MD5, ***)"), "{said}");
}
