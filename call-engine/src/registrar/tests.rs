use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use blether_sip_core::digest::{Credentials, DigestRequest, Secret};
use blether_sip_core::{Host, Limits, Message, Uri, WwwAuthenticate};
use blether_sip_transport::Transport;
use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;
use crate::account::{Account, Accounts, SharedAccounts};
use crate::location::LocationLimits;
use crate::stage::{AuthenticatorConfig, ChallengeReason, MalformedCredentials};
use crate::store::Touched;

const SECOND: Duration = Duration::from_secs(1);
const BODY: &str = "Contact: <sip:alice@192.0.2.9:5062>\r\n";

/// A registrar with two users, and a clock.
struct Bench {
    registrar: Registrar,
    authenticator: Authenticator,
    now: Instant,
    nonce_count: u32,
}

/// A response in the parts that tests look at.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    reason: String,
    contacts: Vec<String>,
}

fn host(name: &str) -> Host {
    name.parse().unwrap()
}

fn flow() -> Flow {
    let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "203.0.113.7:40404".parse().unwrap());
    Flow::udp(local, remote)
}

fn date() -> SystemTime {
    SystemTime::UNIX_EPOCH + 1_289_690_940 * SECOND
}

fn parse(text: &str) -> Request {
    match Message::parse(Bytes::from(text.to_owned()), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

static BRANCHES: AtomicU64 = AtomicU64::new(0);

/// A REGISTER to `domain` for `to`, with a Call-ID, a CSeq and further header lines.
fn register(domain: &str, to: &str, call_id: &str, cseq: u32, lines: &str) -> Request {
    parse(&format!(
        "REGISTER {domain} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK{call_id}.{cseq}.{};rport\r\nMax-Forwards: 70\r\n\
         From: <{to}>;tag=49583\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{lines}Content-Length: 0\r\n\r\n",
        // Another request has another branch, whatever else is the same.
        BRANCHES.fetch_add(1, Ordering::Relaxed)
    ))
}

impl Bench {
    fn new() -> Self {
        Self::with(LocationLimits::default(), |_| {})
    }

    fn with(limits: LocationLimits, change: impl FnOnce(&mut RegistrarConfig)) -> Self {
        let rng = &mut StdRng::seed_from_u64(7);
        // Any instant does: only differences count.
        let now = Instant::now();
        let users = [("alice", "wonderland"), ("bob", "the builder")];
        let accounts = users.map(|(user, password)| Account::new(user, "blether", password, None).unwrap());
        let accounts = Arc::new(SharedAccounts::new(Accounts::new(accounts).unwrap()));
        let mut config = RegistrarConfig::new(Domains::new(host("blether.example"), [host("127.0.0.1")]));
        change(&mut config);
        Self {
            registrar: Registrar::new(config, Arc::new(Location::new(limits))).unwrap(),
            authenticator: Authenticator::new(AuthenticatorConfig::new("blether"), accounts, now, rng),
            now,
            nonce_count: 0,
        }
    }

    fn handle(&self, request: &Request) -> (Response, Outcome) {
        self.registrar.handle(self.now, date(), request, flow(), &self.authenticator)
    }

    /// The request with the credentials that answer its challenge.
    fn signed(&mut self, request: &Request, user: &str, password: &str) -> Request {
        let (response, _) = self.handle(request);
        let challenge = response.headers().all::<WwwAuthenticate>().unwrap().remove(0).0;
        self.nonce_count += 1;
        let uri = request.uri().to_string();
        let asked =
            DigestRequest { method: request.method(), uri: &uri, cnonce: "0a4f113b", nc: self.nonce_count, body: b"" };
        let credentials = Credentials::answer(&challenge, user, &Secret::password(password), &asked).unwrap();
        let mut request = request.clone();
        request.headers_mut().push(blether_sip_core::Authorization(credentials));
        request
    }

    fn sent(&mut self, request: &Request) -> (Answer, Outcome) {
        let signed = self.signed(request, "alice", "wonderland");
        let (response, outcome) = self.handle(&signed);
        (Answer::of(&response), outcome)
    }

    /// What alice's phone with this Call-ID gets for these header lines.
    fn alice(&mut self, call_id: &str, cseq: u32, lines: &str) -> Answer {
        self.sent(&register("sip:blether.example", "sip:alice@blether.example", call_id, cseq, lines)).0
    }

    /// What is registered for alice, by a look at the location service.
    fn contacts(&self) -> Vec<String> {
        let aor = self.registrar.domains().local("alice").unwrap();
        let bindings = self.registrar.location().bindings(&aor, self.now);
        bindings.iter().map(|binding| binding.contact.to_string()).collect()
    }
}

impl Answer {
    fn of(response: &Response) -> Self {
        let contacts = response.headers().all::<Contact>().unwrap();
        let contacts = contacts.iter().map(|contact| contact.address().unwrap().to_string()).collect();
        Self { status: response.status().code(), reason: response.reason().to_owned(), contacts }
    }
}

#[track_caller]
fn ok(answer: Answer, contacts: &[&str]) {
    assert_eq!((answer.status, answer.contacts), (200, contacts.iter().map(|c| (*c).to_owned()).collect()));
}

#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!((answer.status, answer.reason.as_str()), (status, reason));
    assert!(answer.contacts.is_empty());
}

#[test]
fn a_phone_registers_after_a_challenge_and_is_listed_with_its_interval() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, BODY);
    let (response, outcome) = bench.handle(&request);
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(outcome, Outcome::Challenged { why: ChallengeReason::NoCredentials });
    assert_eq!(response.headers().all::<WwwAuthenticate>().unwrap().len(), 2);
    assert!(bench.contacts().is_empty());

    let (answer, outcome) = bench.sent(&request);
    ok(answer, &["<sip:alice@192.0.2.9:5062>;expires=3600"]);
    let Outcome::Updated { aor, contacts: 1, changes } = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (aor.to_string().as_str(), changes),
        ("sip:alice@blether.example", Changes { added: 1, ..Changes::default() })
    );
}

#[test]
fn a_binding_remembers_the_flow_and_the_phone() {
    let mut bench = Bench::new();
    let lines = "Contact: \"Desk\" <sip:alice@192.0.2.9:5062;transport=udp>;q=0.7;+sip.instance=\"<urn:uuid:1>\";expires=60\r\n\
                 User-Agent: Deskphone 1.0\r\n";
    assert_eq!(bench.alice("c1", 7, lines).status, 200);
    let aor = bench.registrar.domains().local("alice").unwrap();
    let bindings = bench.registrar.location().bindings(&aor, bench.now);
    let binding = bindings.iter().next().unwrap();
    assert_eq!(binding.flow, flow());
    assert_eq!(binding.contact.to_string(), "sip:alice@192.0.2.9:5062;transport=udp");
    assert_eq!((&*binding.call_id, binding.cseq, binding.q), ("c1", 7, 700));
    assert_eq!(binding.user_agent.as_deref(), Some("Deskphone 1.0"));
    assert_eq!(binding.instance(), Some("<urn:uuid:1>"));
    assert_eq!((binding.registered_at, binding.expires_at), (bench.now, bench.now + 60 * SECOND));
    assert_eq!(
        binding.registered().to_string(),
        "\"Desk\" <sip:alice@192.0.2.9:5062;transport=udp>;q=0.7;+sip.instance=\"<urn:uuid:1>\""
    );
}

#[test]
fn the_response_has_a_date_and_no_record_route() {
    let mut bench = Bench::new();
    let lines = format!("{BODY}Record-Route: <sip:192.0.2.77;lr>\r\n");
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, &lines);
    let signed = bench.signed(&request, "alice", "wonderland");
    let (response, _) = bench.handle(&signed);
    assert_eq!(response.headers().get::<Date>().unwrap(), Some(date().into()));
    assert!(!response.headers().has(&blether_sip_core::HeaderName::RecordRoute), "RFC 3261 §10.3");
}

#[test]
fn a_copy_of_what_was_done_is_told_the_contacts_and_changes_nothing() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, BODY);
    let signed = bench.signed(&request, "alice", "wonderland");
    let again = |bench: &Bench, request: &Request, flow: Flow| {
        let again = bench.registrar.again(bench.now, date(), request, flow);
        again.map(|(response, outcome)| (Answer::of(&response), outcome.is_remembered()))
    };
    assert_eq!(again(&bench, &signed, flow()), None);
    let (response, outcome) = bench.handle(&signed);
    assert!(outcome.is_remembered());
    ok(Answer::of(&response), &["<sip:alice@192.0.2.9:5062>;expires=3600"]);
    bench.now += 4 * SECOND;
    let (answer, remembered) = again(&bench, &signed, flow()).unwrap();
    ok(answer, &["<sip:alice@192.0.2.9:5062>;expires=3596"]);
    assert!(remembered);
    // From elsewhere, with another branch, or with another number it is no copy.
    assert_eq!(again(&bench, &signed, Flow { remote: "203.0.113.7:40405".parse().unwrap(), ..flow() }), None);
    let other = |text: &str, by: &str| parse(&String::from_utf8(signed.to_bytes().to_vec()).unwrap().replace(text, by));
    assert_eq!(again(&bench, &other("branch=z9hG4bK", "branch=z9hG4bKx"), flow()), None);
    assert_eq!(again(&bench, &other("CSeq: 1", "CSeq: 2"), flow()), None);
    assert_eq!(again(&bench, &other("Call-ID: c1", "Call-ID: c2"), flow()), None);
    // Where nobody has to prove anything, no credentials are used up.
    let user = AuthenticatedUser::claimed_by(&request).unwrap();
    let (response, outcome) = bench.registrar.register(bench.now, date(), &request, flow(), &user);
    assert_eq!((response.status(), outcome.as_str()), (StatusCode::OK, "again"));
    // A contact that is gone remembers nothing.
    let removal = register("sip:blether.example", "sip:alice@blether.example", "c1", 2, "Contact: *\r\nExpires: 0\r\n");
    let signed = bench.signed(&removal, "alice", "wonderland");
    assert!(!bench.handle(&signed).1.is_remembered());
    assert_eq!(again(&bench, &signed, flow()), None);
}

#[test]
fn a_refresh_shares_the_text_of_what_it_refreshes() {
    let mut bench = Bench::new();
    let binding = |bench: &Bench| {
        let aor = bench.registrar.domains().local("alice").unwrap();
        bench.registrar.location().bindings(&aor, bench.now).iter().next().unwrap().clone()
    };
    bench.alice("c1", 1, "Contact: \"Alice\" <sip:alice@192.0.2.9:5062>;q=0.5;expires=60\r\nUser-Agent: X\r\n");
    let first = binding(&bench);
    bench.alice("c1", 2, "Contact: \"Alice\" <sip:alice@192.0.2.9:5062>;q=0.5;expires=90\r\nUser-Agent: X\r\n");
    let second = binding(&bench);
    let texts = |binding: &Binding| {
        let texts = [binding.contact.user.clone(), binding.display_name.clone(), Some(binding.call_id.clone())];
        texts.map(|text| text.unwrap().as_bytes().as_ptr())
    };
    assert_eq!(texts(&first), texts(&second));
    assert_eq!((second.cseq, second.expires_at), (2, bench.now + 90 * SECOND));
    bench.alice("c1", 3, "Contact: \"Alice\" <sip:alice@192.0.2.9:5062>;q=0.6;expires=90\r\nUser-Agent: Y\r\n");
    let third = binding(&bench);
    assert_eq!((third.q, third.user_agent.as_deref()), (600, Some("Y")));
}

#[test]
fn a_refresh_moves_the_expiry_and_keeps_the_first_registration() {
    let mut bench = Bench::new();
    let first = bench.now;
    bench.alice("c1", 1, BODY);
    bench.now += 1_800 * SECOND;
    ok(bench.alice("c1", 2, BODY), &["<sip:alice@192.0.2.9:5062>;expires=3600"]);
    let aor = bench.registrar.domains().local("alice").unwrap();
    let bindings = bench.registrar.location().bindings(&aor, bench.now);
    let binding = bindings.iter().next().unwrap();
    assert_eq!((binding.registered_at, binding.expires_at), (first, first + 5_400 * SECOND));
}

#[test]
fn a_query_lists_what_is_left_of_each_interval_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>;expires=60, <sip:b@192.0.2.9>;expires=600\r\n");
    bench.now += Duration::from_millis(10_500);
    ok(bench.alice("c2", 1, ""), &["<sip:a@192.0.2.9>;expires=50", "<sip:b@192.0.2.9>;expires=590"]);
    bench.now += 50 * SECOND;
    let query = register("sip:blether.example", "sip:alice@blether.example", "c2", 2, "Expires: 0\r\n");
    let (answer, outcome) = bench.sent(&query);
    ok(answer, &["<sip:b@192.0.2.9>;expires=540"]);
    assert_eq!(outcome.as_str(), "queried");
}

#[test]
fn a_contact_of_its_own_interval_goes_before_the_header_and_the_header_before_the_default() {
    let mut bench = Bench::new();
    let lines = "Contact: <sip:a@192.0.2.9>;expires=120\r\nContact: <sip:b@192.0.2.9>\r\nExpires: 240\r\n";
    ok(bench.alice("c1", 1, lines), &["<sip:a@192.0.2.9>;expires=120", "<sip:b@192.0.2.9>;expires=240"]);
    ok(
        bench.alice("c1", 2, "Contact: <sip:a@192.0.2.9>\r\n"),
        &["<sip:a@192.0.2.9>;expires=3600", "<sip:b@192.0.2.9>;expires=240"],
    );
}

#[test]
fn a_longer_interval_than_allowed_is_cut() {
    let mut bench = Bench::new();
    ok(bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>;expires=4294967295\r\n"), &["<sip:a@192.0.2.9>;expires=7200"]);
    ok(
        bench.alice("c1", 2, "Contact: <sip:a@192.0.2.9>\r\nExpires: 99999999999\r\n"),
        &["<sip:a@192.0.2.9>;expires=7200"],
    );
}

#[test]
fn a_shorter_interval_than_allowed_is_answered_423_and_nothing_changes() {
    let mut bench = Bench::new();
    let lines = "Contact: <sip:a@192.0.2.9>;expires=600, <sip:b@192.0.2.9>;expires=59\r\n";
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, lines);
    let signed = bench.signed(&request, "alice", "wonderland");
    let (response, outcome) = bench.handle(&signed);
    assert_eq!(response.status(), StatusCode::INTERVAL_TOO_BRIEF);
    assert_eq!(response.headers().get::<MinExpires>().unwrap(), Some(MinExpires(60)));
    assert_eq!(outcome, Outcome::Refused { refusal: Refusal::TooBrief { min_expires: 60 } });
    assert!(bench.contacts().is_empty());
    assert_eq!(bench.alice("c1", 2, "Contact: <sip:b@192.0.2.9>;expires=60\r\n").status, 200);
}

#[test]
fn a_registration_by_tcp_lasts_no_longer_than_an_idle_connection() {
    let granted = |transport, idle, wished: u32| {
        let mut config = RegistrarConfig::new(Domains::new(host("blether.example"), []));
        config.max_expires_by_connection = idle;
        let lines = format!("Contact: <sip:a@192.0.2.9>;expires={wished}\r\n");
        let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, &lines);
        match Wanted::read(&request, Flow { transport, ..flow() }, &config).unwrap() {
            Wanted::Steps(steps) => steps[0].expires,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(granted(Transport::Udp, 600, 3_600), 3_600);
    for (wished, expires) in [(3_600, 600), (600, 600), (300, 300), (0, 0)] {
        for transport in [Transport::Tcp, Transport::Tls] {
            assert_eq!(granted(transport, 600, wished), expires);
        }
    }
    assert_eq!(granted(Transport::Tcp, 30, 3_600), 60, "not below the least interval");
}

#[test]
fn an_interval_of_zero_removes_that_contact_alone() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>\r\n");
    ok(bench.alice("c1", 2, "Contact: <sip:a@192.0.2.9>;expires=0\r\n"), &["<sip:b@192.0.2.9>;expires=3600"]);
    ok(bench.alice("c1", 3, "Contact: <sip:x@192.0.2.9>;expires=0\r\n"), &["<sip:b@192.0.2.9>;expires=3600"]);
    let last = register(
        "sip:blether.example",
        "sip:alice@blether.example",
        "c1",
        4,
        "Contact: <sip:b@192.0.2.9>\r\nExpires: 0\r\n",
    );
    let (answer, outcome) = bench.sent(&last);
    ok(answer, &[]);
    assert_eq!(outcome.as_str(), "unregistered");
    assert_eq!(bench.registrar.location().aors(), 0);
}

#[test]
fn one_request_can_add_refresh_and_remove() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>, <sip:c@192.0.2.9>\r\n");
    let lines = "Contact: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>;expires=0, <sip:d@192.0.2.9>\r\n";
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 2, lines);
    let (answer, outcome) = bench.sent(&request);
    assert_eq!(answer.contacts.len(), 3);
    let Outcome::Updated { changes, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(changes, Changes { added: 1, refreshed: 1, altered: 0, removed: 1 });
}

#[test]
fn contacts_are_compared_as_uris() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:%61lice@EXAMPLE.com;Transport=UDP>\r\n");
    ok(
        bench.alice("c1", 2, "Contact: <sip:alice@example.com;transport=udp>\r\n"),
        &["<sip:alice@example.com;transport=udp>;expires=3600"],
    );
    assert_eq!(bench.alice("c1", 3, "Contact: <sip:alice@example.com:5060>\r\n").contacts.len(), 2);
}

#[test]
fn of_equivalent_contacts_in_one_request_the_last_counts() {
    let mut bench = Bench::new();
    let lines = "Contact: <sip:a@192.0.2.9>;expires=60, <sip:a@192.0.2.9>;expires=90\r\n";
    ok(bench.alice("c1", 1, lines), &["<sip:a@192.0.2.9>;expires=90"]);
}

#[test]
fn several_phones_of_one_user_are_listed_by_preference() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>;q=0.5\r\n");
    ok(
        bench.alice("c2", 1, "Contact: <sip:b@192.0.2.10>;q=0.9\r\n"),
        &["<sip:b@192.0.2.10>;q=0.9;expires=3600", "<sip:a@192.0.2.9>;q=0.5;expires=3600"],
    );
}

#[test]
fn an_older_request_of_the_same_phone_fails_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.alice("c1", 5, "Contact: <sip:a@192.0.2.9>\r\n");
    for cseq in [5, 4] {
        let lines = "Contact: <sip:new@192.0.2.9>, <sip:a@192.0.2.9>;expires=0\r\n";
        refused(&bench.alice("c1", cseq, lines), 500, &format!("CSeq {cseq} Out Of Order"));
    }
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9"]);
    ok(bench.alice("c1", 6, "Contact: <sip:a@192.0.2.9>;expires=0\r\n"), &[]);
}

/// A Contact line of the device with this number.
fn device(uri: &str, number: u32, more: &str) -> String {
    format!("Contact: <{uri}>;+sip.instance=\"<urn:uuid:{number}>\"{more}\r\n")
}

#[test]
fn a_phone_that_was_restarted_takes_the_place_of_its_old_contact() {
    let mut bench = Bench::new();
    bench.alice("c0", 1, &device("sip:other@192.0.2.8", 2, ""));
    bench.alice("c1", 80, &device("sip:a@192.0.2.9:5062", 1, ""));
    let request =
        register("sip:blether.example", "sip:alice@blether.example", "c2", 1, &device("sip:a@192.0.2.9:6000", 1, ""));
    let (_, outcome) = bench.sent(&request);
    assert_eq!(bench.contacts(), ["sip:other@192.0.2.8", "sip:a@192.0.2.9:6000"]);
    let Outcome::Updated { changes, contacts: 2, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(changes, Changes { added: 1, removed: 1, ..Changes::default() });
}

#[test]
fn a_restarted_phone_needs_no_further_room() {
    let mut bench = Bench::with(LocationLimits { max_contacts_per_aor: 1, ..LocationLimits::default() }, |_| {});
    for turn in 0..3 {
        let lines = device(&format!("sip:a@192.0.2.9:{}", 5_000 + turn), 1, "");
        assert_eq!(bench.alice(&turn.to_string(), 1, &lines).status, 200);
    }
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9:5002"]);
}

#[test]
fn phones_that_do_not_say_which_device_they_are_stand_beside_each_other() {
    let mut bench = Bench::new();
    let lines = [BODY.to_owned(), "Contact: <sip:a@192.0.2.9>\r\n".to_owned(), device("sip:b@192.0.2.9", 1, "")];
    for (call_id, lines) in ["c1", "c2", "c3"].iter().zip(&lines) {
        bench.alice(call_id, 1, lines);
    }
    assert_eq!(bench.contacts().len(), 3);
}

#[test]
fn the_numbered_ways_of_one_device_stand_beside_each_other() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, &device("sip:a@192.0.2.9", 1, ";reg-id=1"));
    bench.alice("c2", 1, &device("sip:b@192.0.2.9", 1, ";reg-id=2"));
    bench.alice("c3", 1, &device("sip:c@192.0.2.9", 1, ";reg-id=1"));
    assert_eq!(bench.contacts(), ["sip:c@192.0.2.9", "sip:b@192.0.2.9"]);
}

#[test]
fn several_contacts_of_one_device_in_one_request_are_all_kept() {
    let mut bench = Bench::new();
    let both = |port: u16| {
        device(&format!("sip:a@192.0.2.9:{port}"), 1, "") + &device(&format!("sip:b@192.0.2.9:{port}"), 1, "")
    };
    bench.alice("c1", 1, &both(5_062));
    bench.alice("c1", 2, &both(5_062));
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9:5062", "sip:b@192.0.2.9:5062"]);
    bench.alice("c1", 3, &both(6_000));
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9:6000", "sip:b@192.0.2.9:6000"]);
}

#[test]
fn a_removal_removes_no_other_contact_of_the_device() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, &device("sip:a@192.0.2.9:6000", 1, ""));
    bench.alice("c1", 2, &device("sip:a@192.0.2.9:5062", 1, ";expires=0"));
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9:6000"]);
}

#[test]
fn an_older_request_does_not_bring_back_the_old_contact_of_its_device() {
    let mut bench = Bench::new();
    bench.alice("c1", 5, &device("sip:a@192.0.2.9:6000", 1, ""));
    refused(&bench.alice("c1", 4, &device("sip:a@192.0.2.9:5062", 1, "")), 500, "CSeq 4 Out Of Order");
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9:6000"]);
}

#[test]
fn another_phone_overrides_whatever_its_cseq() {
    let mut bench = Bench::new();
    bench.alice("c1", 500, BODY);
    ok(bench.alice("c2", 1, BODY), &["<sip:alice@192.0.2.9:5062>;expires=3600"]);
    ok(bench.alice("c1", 2, "Contact: <sip:alice@192.0.2.9:5062>;expires=0\r\n"), &[]);
}

#[test]
fn a_star_removes_everything() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>\r\n");
    bench.alice("c2", 9, "Contact: <sip:c@192.0.2.10>\r\n");
    ok(bench.alice("c1", 2, "Contact: *\r\nExpires: 0\r\n"), &[]);
    ok(bench.alice("c1", 3, "Contact: *\r\nExpires: 0\r\n"), &[]);
}

#[test]
fn a_star_with_anything_else_is_a_bad_request() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, BODY);
    for lines in [
        "Contact: *\r\n",
        "Contact: *\r\nExpires: 1\r\n",
        "Contact: *\r\nContact: <sip:a@192.0.2.9>\r\nExpires: 0\r\n",
        "Contact: <sip:a@192.0.2.9>, *\r\nExpires: 0\r\n",
        "Contact: *, *\r\nExpires: 0\r\n",
    ] {
        refused(&bench.alice("c1", 2, lines), 400, "Bad Contact header: * stands alone and with Expires: 0");
    }
    assert_eq!(bench.contacts().len(), 1);
}

#[test]
fn an_older_star_of_the_same_phone_fails_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.alice("c1", 3, "Contact: <sip:a@192.0.2.9>\r\n");
    bench.alice("c2", 1, "Contact: <sip:b@192.0.2.9>\r\n");
    refused(&bench.alice("c1", 3, "Contact: *\r\nExpires: 0\r\n"), 500, "CSeq 3 Out Of Order");
    assert_eq!(bench.contacts().len(), 2);
}

#[test]
fn a_contact_disappears_when_it_is_not_refreshed() {
    let mut bench = Bench::new();
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>;expires=60\r\n");
    bench.now += 59 * SECOND;
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9"]);
    bench.now += SECOND;
    assert!(bench.contacts().is_empty());
    ok(bench.alice("c2", 1, ""), &[]);
    // A phone that starts its CSeq anew after that is welcome.
    assert_eq!(bench.alice("c1", 1, BODY).status, 200);
}

#[test]
fn more_contacts_than_one_user_may_have_are_refused_whole() {
    let limits = LocationLimits { max_contacts_per_aor: 2, ..LocationLimits::default() };
    let mut bench = Bench::with(limits, |_| {});
    bench.alice("c1", 1, "Contact: <sip:a@192.0.2.9>\r\n");
    let two_more = "Contact: <sip:b@192.0.2.9>, <sip:c@192.0.2.9>\r\n";
    refused(&bench.alice("c1", 2, two_more), 403, "Too Many Contacts: 2 Allowed");
    assert_eq!(bench.contacts(), ["sip:a@192.0.2.9"]);
    let exchange = "Contact: <sip:a@192.0.2.9>;expires=0, <sip:b@192.0.2.9>, <sip:c@192.0.2.9>\r\n";
    assert_eq!(bench.alice("c1", 3, exchange).status, 200);
}

#[test]
fn a_full_registrar_says_when_to_come_again() {
    let mut bench = Bench::with(LocationLimits { max_aors: 1, ..LocationLimits::default() }, |_| {});
    bench.alice("c1", 1, BODY);
    let request =
        register("sip:blether.example", "sip:bob@blether.example", "c2", 1, "Contact: <sip:bob@192.0.2.10>\r\n");
    let signed = bench.signed(&request, "bob", "the builder");
    let (response, outcome) = bench.handle(&signed);
    assert_eq!(Answer::of(&response).status, 503);
    assert!(response.headers().get::<RetryAfter>().unwrap().is_some());
    assert_eq!(outcome, Outcome::Refused { refusal: Refusal::Full { limit: 1 } });
}

#[test]
fn a_domain_that_is_not_ours_is_not_found_before_anybody_is_asked_for_a_password() {
    let bench = Bench::new();
    let (response, outcome) = bench.handle(&register("sip:other.example", "sip:alice@other.example", "c1", 1, BODY));
    refused(&Answer::of(&response), 404, "Domain Not Served Here");
    assert_eq!(outcome, Outcome::Refused { refusal: Refusal::Domain });
}

#[test]
fn an_address_of_record_of_another_domain_is_not_found() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:alice@other.example", "c1", 1, BODY);
    refused(&bench.sent(&request).0, 404, "Not Found");
    let request = register("sip:blether.example", "sip:blether.example", "c1", 2, BODY);
    refused(&bench.sent(&request).0, 404, "Not Found");
    assert_eq!(bench.registrar.location().aors(), 0);
}

#[test]
fn all_names_of_the_server_and_the_address_that_was_reached_are_one_domain() {
    let mut bench = Bench::new();
    for (cseq, domain) in (1..).zip(["blether.example", "BLETHER.example", "127.0.0.1", "192.0.2.1:5060"]) {
        let request = register(&format!("sip:{domain}"), &format!("sip:alice@{domain}"), "c1", cseq, BODY);
        assert_eq!(bench.sent(&request).0.status, 200, "{domain}");
        assert_eq!(bench.contacts().len(), 1, "{domain}");
    }
    assert_eq!(bench.registrar.location().aors(), 1);
}

#[test]
fn the_credentials_of_one_user_register_nothing_for_another() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:bob@blether.example", "c1", 1, BODY);
    let (answer, outcome) = bench.sent(&request);
    refused(&answer, 403, "Not Your Address Of Record");
    assert_eq!(outcome, Outcome::Refused { refusal: Refusal::Forbidden { user: "alice".into() } });
    assert_eq!(bench.registrar.location().aors(), 0);
}

#[test]
fn a_replayed_register_registers_nothing() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, BODY);
    let signed = bench.signed(&request, "alice", "wonderland");
    assert_eq!(Answer::of(&bench.handle(&signed).0).status, 200);
    bench.alice("c1", 2, "Contact: *\r\nExpires: 0\r\n");

    let mut replayed = signed.clone();
    replayed.headers_mut().set(Contact::Address("<sip:mallory@198.51.100.66>".parse().unwrap()));
    for stolen in [signed, replayed] {
        let (response, outcome) = bench.handle(&stolen);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(outcome, Outcome::Challenged { why: ChallengeReason::Replay });
    }
    assert!(bench.contacts().is_empty());
}

#[test]
fn wrong_password_and_unknown_account_get_the_same_answer_and_register_nothing() {
    let mut bench = Bench::new();
    let mut seen = Vec::new();
    for (user, password) in [("alice", "guess"), ("mallory", "guess")] {
        let request = register("sip:blether.example", &format!("sip:{user}@blether.example"), "c1", 1, BODY);
        let signed = bench.signed(&request, user, password);
        let (response, outcome) = bench.handle(&signed);
        assert_eq!(outcome, Outcome::Challenged { why: ChallengeReason::WrongCredentials });
        let names: Vec<_> = response.headers().iter().map(|(name, _)| name.clone()).collect();
        seen.push((response.status(), response.reason().to_owned(), names));
    }
    assert_eq!(seen.first(), seen.last());
    assert_eq!(bench.registrar.location().aors(), 0);
}

#[test]
fn a_required_extension_is_refused_by_name() {
    let bench = Bench::new();
    let lines = format!("{BODY}Require: path, gruu\r\n");
    let (response, _) = bench.handle(&register("sip:blether.example", "sip:alice@blether.example", "c1", 1, &lines));
    refused(&Answer::of(&response), 420, "Bad Extension");
    assert_eq!(response.headers().get::<Unsupported>().unwrap(), Some(Unsupported(vec!["gruu".into()])));
}

#[test]
fn the_proxies_of_a_path_are_kept_and_listed_and_lead_to_the_phone_rfc_3327_5_3() {
    let mut bench = Bench::new();
    let lines =
        "Path: <sip:token@203.0.113.7:5066;lr;ob>\r\nPath: <sip:p2.example;lr>\r\nRequire: path\r\nSupported: path\r\n";
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, &format!("{BODY}{lines}"));
    let signed = bench.signed(&request, "alice", "wonderland");
    let (response, _) = bench.handle(&signed);
    let listed: Vec<_> = response.headers().all::<Path>().unwrap().iter().map(|path| path.0.uri.to_string()).collect();
    assert_eq!(listed, ["sip:token@203.0.113.7:5066;lr;ob", "sip:p2.example;lr"]);
    let aor = AddressOfRecord::new("alice", host("blether.example")).unwrap();
    let bindings = bench.registrar.location().bindings(&aor, bench.now);
    let binding = bindings.iter().next().unwrap();
    let kept: Vec<_> = binding.path.iter().map(ToString::to_string).collect();
    assert_eq!((kept, binding.way()), (listed, flow()));
    // A refresh without one takes it away.
    bench.alice("c1", 2, BODY);
    assert!(bench.registrar.location().bindings(&aor, bench.now).iter().all(|binding| binding.path.is_empty()));
}

#[test]
fn a_path_that_cannot_be_kept_is_refused() {
    let mut bench = Bench::new();
    let too_long = format!("Path: <sip:{}@p.example;lr>\r\n", "a".repeat(600));
    let too_many = "Path: <sip:p.example;lr>\r\n".repeat(9);
    for path in ["Path: <sip:strict.example>\r\n", "Path: <tel:+1>\r\n", &too_long, &too_many] {
        let answer = bench.alice("c1", 1, &format!("{BODY}{path}"));
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(bench.registrar.location().aors(), 0);
}

#[test]
fn phones_are_told_by_which_proxies_to_send_rfc_3608_6_4() {
    let route: SipUri = "sip:edge.example;lr".parse().unwrap();
    let mut bench = Bench::with(LocationLimits::default(), |config| config.service_route = vec![route.clone()]);
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, BODY);
    let signed = bench.signed(&request, "alice", "wonderland");
    let (response, _) = bench.handle(&signed);
    let told = response.headers().all::<ServiceRoute>().unwrap();
    assert_eq!(told, [ServiceRoute(NameAddr::new(route))]);
}

#[test]
fn nothing_but_register_is_taken() {
    let bench = Bench::new();
    let text = "OPTIONS sip:blether.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let (response, _) = bench.handle(&parse(text));
    assert_eq!(
        (response.status().code(), response.headers().get::<Allow>().unwrap()),
        (405, Some(Allow(vec![Method::Register])))
    );
}

#[test]
fn bad_headers_are_named_and_change_nothing() {
    let mut bench = Bench::new();
    let long = "x".repeat(600);
    for (lines, reason) in [
        ("Contact: <tel:+15551234>\r\n".to_owned(), "Bad Contact header: expected a SIP URI"),
        (format!("Contact: <sip:{long}@192.0.2.9>\r\n"), "Bad Contact header: over 512 bytes"),
        (format!("{BODY}Expires: soon\r\n"), "Bad Expires header: expected a number of seconds at column 1"),
    ] {
        refused(&bench.alice("c1", 1, &lines), 400, reason);
    }
    assert_eq!(bench.alice("c1", 1, "Contact: <sip:a b>\r\n").status, 400);
    refused(&bench.alice(&long, 1, BODY), 400, "Bad Call-ID header: over 512 bytes");
    assert!(bench.contacts().is_empty());
}

#[test]
fn credentials_that_cannot_be_read_or_are_for_another_resource_are_a_bad_request() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, BODY);
    let lines = format!("{BODY}Authorization: Digest username\r\n");
    let (response, _) = bench.handle(&register("sip:blether.example", "sip:alice@blether.example", "c1", 1, &lines));
    refused(&Answer::of(&response), 400, "Malformed Authorization");

    let mut moved = bench.signed(&request, "alice", "wonderland");
    moved.set_uri("sip:127.0.0.1".parse::<Uri>().unwrap());
    let (response, outcome) = bench.handle(&moved);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(outcome, Outcome::Refused { refusal: Refusal::Credentials(MalformedCredentials::UriMismatch) });
}

#[test]
fn registrations_of_one_user_from_many_shards_all_arrive() {
    let mut bench = Bench::new();
    let requests: Vec<_> = (0..8)
        .map(|n| {
            let lines = format!("Contact: <sip:phone-{n}@192.0.2.9>\r\n");
            let request = register("sip:blether.example", "sip:alice@blether.example", &format!("c{n}"), 1, &lines);
            bench.signed(&request, "alice", "wonderland")
        })
        .collect();
    let shared = &bench;
    std::thread::scope(|scope| {
        for request in &requests {
            scope.spawn(move || assert_eq!(shared.handle(request).0.status(), StatusCode::OK));
        }
    });
    assert_eq!(bench.contacts().len(), 8);
}

#[test]
fn a_binding_does_not_keep_the_datagram_that_it_came_in() {
    let mut bench = Bench::new();
    let request = register("sip:blether.example", "sip:alice@blether.example", "c1", 1, BODY);
    let signed = bench.signed(&request, "alice", "wonderland");
    assert_eq!(bench.handle(&signed).1.as_str(), "registered");
    let aor = bench.registrar.domains().local("alice").unwrap();
    let bindings = bench.registrar.location().bindings(&aor, bench.now);
    let binding = bindings.iter().next().unwrap();
    assert_ne!(binding.call_id.as_bytes().as_ptr(), signed.call_id().as_bytes().as_ptr());
    let contact = signed.headers().get::<Contact>().unwrap().unwrap();
    let in_datagram = contact.address().unwrap().uri.as_sip().unwrap().user.clone().unwrap();
    assert_ne!(binding.contact.user.as_ref().unwrap().as_bytes().as_ptr(), in_datagram.as_bytes().as_ptr());
}

#[test]
fn intervals_that_contradict_each_other_are_refused_at_the_start() {
    let made = |min, default, max| {
        let mut config = RegistrarConfig::new(Domains::new(host("blether.example"), []));
        (config.min_expires, config.default_expires, config.max_expires) = (min, default, max);
        Registrar::new(config, Arc::default()).map(|_| ())
    };
    assert_eq!(made(60, 3_600, 3_600), Ok(()));
    assert_eq!(made(60, 30, 3_600), Err(RegistrarConfigError::Order { min: 60, default: 30, max: 3_600 }));
    assert_eq!(made(60, 7_200, 3_600), Err(RegistrarConfigError::Order { min: 60, default: 7_200, max: 3_600 }));
    assert_eq!(made(3_601, 7_200, 7_200), Err(RegistrarConfigError::MinOverAnHour(3_601)));
}

#[test]
fn only_a_refresh_that_moves_nothing_but_the_expiry_may_be_written_late() {
    let mut bench = Bench::new();
    let mut touched = |call_id: &str, cseq: u32, lines: &str| {
        let request = register("sip:blether.example", "sip:alice@blether.example", call_id, cseq, lines);
        let (_, outcome) = bench.sent(&request);
        outcome.touched().map(|(aor, touched)| (aor.user().to_owned(), touched)).unwrap()
    };
    let is = |touched: Touched| ("alice".to_owned(), touched);
    assert_eq!(touched("c1", 1, BODY), is(Touched::Contacts), "added");
    assert_eq!(touched("c1", 2, BODY), is(Touched::Expiry));
    assert_eq!(touched("c1", 3, "Contact: <sip:alice@192.0.2.9:5062>;expires=90\r\n"), is(Touched::Expiry));
    assert_eq!(touched("c1", 4, "Contact: <sip:alice@192.0.2.9:5062>;q=0.5\r\n"), is(Touched::Contacts), "altered");
    assert_eq!(touched("c2", 1, "Contact: <sip:alice@192.0.2.9:5062>;q=0.5\r\n"), is(Touched::Contacts), "restarted");
    assert_eq!(touched("c2", 2, ""), is(Touched::Nothing));
    assert_eq!(touched("c2", 3, "Contact: *\r\nExpires: 0\r\n"), is(Touched::Contacts), "removed");
    let refused = Outcome::Refused { refusal: Refusal::Contended };
    assert_eq!(refused.touched(), None);
}
