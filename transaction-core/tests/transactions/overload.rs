//! A shard that gets three times what it can carry, on a real socket: each request costs its user a fixed time.
#![expect(clippy::disallowed_methods, reason = "real time is what it is about")]

use std::collections::HashMap;
use std::net::UdpSocket as StdSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use blether_sip_core::{Method, Response, StatusCode};
use blether_sip_transport::UdpSocket;
use blether_transaction_core::{
    Event, OverloadConfig, Shard, ShardConfig, TransactionUser, Transactions, TransactionsConfig,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::exchange::text;

/// What a new request costs the user.
const COST: Duration = Duration::from_millis(5);
/// Over what the shard can carry.
const LOAD: u32 = 3;
const CALLS: usize = 800;
/// One in so many calls is followed by a request within a dialog.
const IN_DIALOG: usize = 10;
/// By when an answer is worth something: the peer's first resend doubles the load.
const IN_TIME: Duration = Duration::from_millis(500);

/// Answers 200 to everything, after so much work for what is outside of dialogs. It notes the microseconds that this took: on a machine that has
/// other things to do, more than it should.
struct Busy(Arc<AtomicU64>);

impl TransactionUser for Busy {
    type Command = ();

    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) {
        let Event::Request { id, request, .. } = event else { return };
        if *request.method() == Method::Invite {
            let begun = Instant::now();
            while begun.elapsed() < COST {
                std::hint::spin_loop();
            }
            self.0.fetch_add(u64::try_from(begun.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
        }
        transactions.respond(now, id, Response::to_request(&request, StatusCode::OK).build()).unwrap();
    }

    fn on_command(&mut self, _now: Instant, (): (), _transactions: &mut Transactions) {}
}

/// What became of a burst.
#[derive(Debug, Default)]
struct Outcome {
    /// Calls answered 200 in time, and too late.
    served: usize,
    late: usize,
    /// Calls answered 503.
    refused: usize,
    /// Requests within a dialog answered 200.
    in_dialog: usize,
    /// How long the burst lasted, and how much of the time until the last answer went into calls.
    lasted: Duration,
    worked: Duration,
}

/// Sends the calls at an even rate and takes the time to each answer. Nothing is sent again: a lost call is a lost call.
fn generate(server: std::net::SocketAddr) -> Outcome {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    let reader = socket.try_clone().unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let (done, wanted) = (CALLS + CALLS / IN_DIALOG, Instant::now());
    let answers = std::thread::spawn(move || {
        let (mut heard, mut buffer) = (HashMap::new(), [0; 2_048]);
        // Without the gate the last wait in the kernel's buffer; who hears nothing for so long will hear no more.
        while heard.len() < done
            && let Ok(length) = reader.recv(&mut buffer)
        {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let call = text.split_once("Call-ID: ").unwrap().1.split_once("\r\n").unwrap().0.to_owned();
            heard.entry(call).or_insert((Instant::now(), text[8..11].to_owned()));
        }
        heard
    });
    let (mut sent, pause) = (HashMap::new(), COST / LOAD);
    for number in 0..CALLS {
        let due = wanted + pause * u32::try_from(number).unwrap();
        while Instant::now() < due {
            std::thread::yield_now();
        }
        let mut say = |call: String, to_tag: &str, method: &str| {
            let message = text(method, &format!("127.0.0.1;rport;branch=z9hG4bK{call}"), to_tag);
            sent.insert(call.clone(), Instant::now());
            socket.send_to(message.replace("1@192.0.2.1", &call).as_bytes(), server).unwrap();
        };
        say(format!("call-{number}"), "", "INVITE");
        if number % IN_DIALOG == 0 {
            say(format!("bye-{number}"), ";tag=u", "BYE");
        }
    }
    let mut outcome = Outcome { lasted: wanted.elapsed(), ..Outcome::default() };
    for (call, (at, status)) in answers.join().unwrap() {
        match (call.starts_with("call"), status.as_str()) {
            (true, "200") if at - sent[&call] < IN_TIME => outcome.served += 1,
            (true, "200") => outcome.late += 1,
            (true, "503") => outcome.refused += 1,
            (false, "200") => outcome.in_dialog += 1,
            other => panic!("{other:?} to {call}"),
        }
    }
    outcome
}

async fn burst(overload: OverloadConfig) -> Outcome {
    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = socket.local_addr();
    let transactions = TransactionsConfig::default();
    let config = ShardConfig { overload, transactions, ..ShardConfig::default() };
    let worked = Arc::new(AtomicU64::new(0));
    let (shard, handle) = Shard::new(socket, config, StdRng::seed_from_u64(1), |_| Busy(worked.clone()));
    let shard = tokio::spawn(shard.run());
    let mut outcome = tokio::task::spawn_blocking(move || generate(server)).await.unwrap();
    drop(handle);
    shard.await.unwrap();
    outcome.worked = Duration::from_micros(worked.load(Ordering::Relaxed));
    outcome
}

#[tokio::test]
async fn at_three_times_its_load_a_shard_still_answers_in_time_whom_it_serves_and_all_within_dialogs() {
    let outcome = burst(OverloadConfig::default()).await;
    println!("with the gate: {outcome:?}");
    // It refuses, and goes on with calls for much of the time all the same.
    assert!(outcome.refused > CALLS / 3, "{outcome:?}");
    assert!(outcome.worked > outcome.lasted / 4, "{outcome:?}");
    assert!(outcome.late < outcome.served / 5 + 5, "{outcome:?}");
    // The system may lose some; none is refused.
    assert!(outcome.in_dialog > CALLS / IN_DIALOG / 2, "{outcome:?}");

    // The same without it: nearly all come too late.
    let open = burst(OverloadConfig::OFF).await;
    println!("without: {open:?}");
    assert!(open.refused == 0 && open.late > open.served, "{open:?}");
}
