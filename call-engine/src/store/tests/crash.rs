//! What was answered is there after `kill -9`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use blether_sip_core::digest::{Credentials, DigestRequest, Secret};
use blether_sip_core::{Authorization, Limits, Message, Request, WwwAuthenticate};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;
use crate::account::{Account, Accounts, SharedAccounts};
use crate::registrar::{Domains, Registrar, RegistrarConfig};
use crate::stage::{Authenticator, AuthenticatorConfig};

/// Tells a test that it is the process to be killed, and where its data are.
const FOLDER: &str = "BLETHER_TEST_STORE_FOLDER";
const REGISTRATIONS: usize = 1_000;
/// One call for so many registrations: 50 in all.
const REGISTRATIONS_A_CALL: usize = 20;

/// Prints what it is told, as the network would have it.
struct Printed(String);

impl Waiter for Printed {
    fn written(self: Box<Self>, written: Written) {
        print(written, &self.0);
    }
}

fn print(written: Written, line: &str) {
    assert_eq!(written, Written::Durably);
    let mut out = std::io::stdout().lock();
    // One write, so that a line is there whole or not at all.
    out.write_all(format!("\nanswered {line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn request(user: &str) -> Request {
    let text = format!(
        "REGISTER sip:blether.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
         From: <sip:{user}@blether.example>;tag=1\r\nTo: <sip:{user}@blether.example>\r\nCall-ID: {user}\r\n\
         CSeq: 1 REGISTER\r\nContact: <sip:{user}@192.0.2.9:5062>\r\nContent-Length: 0\r\n\r\n"
    );
    match Message::parse(text.into(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

/// What the process does that is killed: everything at once, until its standard input ends.
async fn live(folder: &Path) {
    let rng = &mut StdRng::seed_from_u64(11);
    let now = Instant::now();
    let location = Arc::new(Location::default());
    let users: Vec<String> = (0..REGISTRATIONS).map(|n| format!("user{n:04}")).collect();
    let accounts = users.iter().map(|user| Account::new(user, "blether", "x", None).unwrap());
    let accounts = Arc::new(SharedAccounts::new(Accounts::new(accounts).unwrap()));
    let authenticator = Authenticator::new(AuthenticatorConfig::new("blether"), accounts, now, rng);
    let domains = Domains::new("blether.example".parse().unwrap(), []);
    let registrar = Registrar::new(RegistrarConfig::new(domains), Arc::clone(&location)).unwrap();
    // A write that takes its time on a busy machine is none of this test's business.
    let limits = BacklogLimits { longest_wait: 60 * SECOND, ..BacklogLimits::default() };
    let config = WriterConfig { limits, ..WriterConfig::default() };
    let at = Moment { now, date: SystemTime::now() };
    let (writer, handle, _) = Writer::open(sqlite(folder), config, location, at).await.unwrap();
    tokio::spawn(writer.run());
    for (count, user) in (1..).zip(&users) {
        let mut request = request(user);
        let (challenge, _) = registrar.handle(now, at.date, &request, flow(), &authenticator);
        let challenge = challenge.headers().all::<WwwAuthenticate>().unwrap().remove(0).0;
        let uri = request.uri().to_string();
        let asked = DigestRequest { method: request.method(), uri: &uri, cnonce: "c", nc: 1, body: b"" };
        let credentials = Credentials::answer(&challenge, user, &Secret::password("x"), &asked).unwrap();
        request.headers_mut().push(Authorization(credentials));
        let (response, outcome) = registrar.handle(now, at.date, &request, flow(), &authenticator);
        assert_eq!(response.status().code(), 200);
        let (aor, touched) = outcome.touched().unwrap();
        let admitted = handle.registered(now, aor, touched, Printed(format!("register {user}")));
        assert!(matches!(admitted, Admitted::Later));
        if count % REGISTRATIONS_A_CALL == 0 {
            let record = handle.record(now, cdr(count as i64, at));
            tokio::spawn(async move { print(record.await, &format!("call {count}")) });
            // Lets the writer in: the batches are to be of all sizes.
            tokio::task::yield_now().await;
        }
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

/// Not a test by itself: the process that the test below kills.
#[test]
fn the_process_that_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        tokio::runtime::Runtime::new().unwrap().block_on(live(Path::new(&folder)));
    }
}

/// Runs the process until it has answered so often, kills it, and hands out all that it answered.
fn answered_before_kill(folder: &Path, answers: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::the_process_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut answered = Vec::new();
    let is_answer = |line: String| line.strip_prefix("answered ").map(str::to_owned);
    answered.extend(lines.by_ref().filter_map(is_answer).take(answers));
    child.kill().unwrap(); // SIGKILL
    answered.extend(lines.filter_map(is_answer));
    child.wait().unwrap();
    answered
}

#[tokio::test]
async fn after_kill_9_every_contact_that_was_answered_is_there_and_every_call_is_marked_interrupted() {
    for answers in [1, 300, 700, REGISTRATIONS + REGISTRATIONS / REGISTRATIONS_A_CALL] {
        let folder = folder();
        let answered = answered_before_kill(folder.path(), answers);
        assert!(answered.len() >= answers, "{} of {answers} answers", answered.len());
        let (location, now) = (Arc::new(Location::default()), Instant::now());
        let at = Moment { now, date: SystemTime::now() };
        let opened = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::clone(&location), at).await;
        let (mut writer, _handle, loaded) = opened.unwrap();
        assert_eq!((loaded.dropped, loaded.set_aside), (0, None));
        let cdrs = writer.store.cdrs(1_000).await.unwrap();
        assert_eq!(cdrs.len() as u64, loaded.interrupted);
        for answer in &answered {
            match answer.split_once(' ').unwrap() {
                ("register", user) => assert_eq!(location.bindings(&aor(user), now).len(), 1, "{user}"),
                (_, number) => {
                    let cdr = cdrs.iter().find(|cdr| cdr.id.to_string() == number);
                    assert_eq!(cdr.unwrap().end, Some(CdrEnd::Interrupted), "{number}");
                }
            }
        }
    }
}
