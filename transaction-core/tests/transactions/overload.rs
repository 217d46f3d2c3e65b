//! A shard that gets three times what it can carry, in virtual time: each call costs its user a fixed time. And the shard on a real socket.
#![expect(clippy::disallowed_methods, reason = "real time is what the shard goes by")]

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::time::{Duration, Instant};

use blether_sip_core::{Message, Method, Response, StatusCode};
use blether_sip_transport::{ReceiveBuffer, UdpSocket};
use blether_testkit::SimulatedNetwork;
use blether_transaction_core::{
    Event, OverloadConfig, OverloadGate, Shard, ShardConfig, Source, TransactionUser, Transactions, TransactionsConfig,
};
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::exchange::{flow, parse, text};

/// What a new call costs the user, and anything else the shard.
const COST: Duration = Duration::from_millis(5);
const LITTLE: Duration = Duration::from_micros(100);
/// Over what the shard can carry.
const LOAD: u32 = 3;
const CALLS: u32 = 800;
/// One in so many calls is followed by a request within a dialog.
const IN_DIALOG: u32 = 10;
/// By when an answer is worth something: the peer's first resend doubles the load.
const IN_TIME: Duration = Duration::from_millis(500);
/// What the shard takes in one turn.
const BATCH: usize = 64;

/// What became of a burst.
#[derive(Debug, Default)]
struct Outcome {
    /// Calls answered 200 in time, and too late.
    served: u32,
    late: u32,
    /// Calls answered 503.
    refused: u32,
    /// Requests within a dialog answered 200.
    in_dialog: u32,
}

/// A socket whose queue is never full, and a shard's turns: what the driver does, with a clock that only work moves.
struct Burst {
    gate: OverloadGate,
    transactions: Transactions,
    now: Instant,
    /// What has been sent, by when it arrives.
    queue: VecDeque<(Instant, Bytes)>,
    sent_at: HashMap<String, Instant>,
    outcome: Outcome,
}

impl Burst {
    fn new(overload: OverloadConfig) -> Self {
        let now = SimulatedNetwork::new(0).start();
        let (mut queue, mut sent_at) = (VecDeque::new(), HashMap::new());
        for number in 0..CALLS {
            let at = now + COST / LOAD * number;
            let mut say = |call: String, to_tag: &str, method: &str| {
                let message = text(method, &format!("192.0.2.1;branch=z9hG4bK{call}"), to_tag);
                queue.push_back((at, Bytes::from(message.replace("1@192.0.2.1", &call))));
                sent_at.insert(call, at);
            };
            say(format!("call-{number}"), "", "INVITE");
            if number % IN_DIALOG == 0 {
                say(format!("bye-{number}"), ";tag=u", "BYE");
            }
        }
        let transactions = Transactions::new(TransactionsConfig::default(), StdRng::seed_from_u64(1));
        Self { gate: OverloadGate::new(overload), transactions, now, queue, sent_at, outcome: Outcome::default() }
    }

    fn run(mut self) -> Outcome {
        while let Some(&(next, _)) = self.queue.front() {
            if next > self.now {
                self.now = next;
                self.gate.waited(next);
            }
            self.gate.begin(self.now, Source::Socket);
            let emptied = (0..BATCH).any(|_| !self.receive_one());
            self.gate.end(self.now, Source::Socket, emptied);
        }
        self.outcome
    }

    fn receive_one(&mut self) -> bool {
        let Some((_, bytes)) = self.queue.pop_front_if(|(at, _)| *at <= self.now) else { return false };
        self.transactions.set_overload(self.gate.overload(self.now));
        self.transactions.handle_datagram(self.now, flow(), bytes);
        self.now += LITTLE;
        while let Some(event) = self.transactions.poll_event() {
            let Event::Request { id, request, .. } = event else { continue };
            if *request.method() == Method::Invite {
                self.now += COST;
            }
            let ok = Response::to_request(&request, StatusCode::OK).build();
            self.transactions.respond(self.now, id, ok).unwrap();
        }
        while let Some(transmit) = self.transactions.poll_transmit() {
            let Message::Response(response) = parse(&transmit.payload) else { panic!("a request") };
            let in_time = self.now - self.sent_at[&**response.call_id()] < IN_TIME;
            let invite = response.cseq().method == Method::Invite;
            *match (invite, response.status().code()) {
                (true, 200) if in_time => &mut self.outcome.served,
                (true, 200) => &mut self.outcome.late,
                (true, 503) => &mut self.outcome.refused,
                (false, 200) => &mut self.outcome.in_dialog,
                other => panic!("{other:?} to {}", response.call_id()),
            } += 1;
        }
        true
    }
}

#[test]
fn at_three_times_its_load_a_shard_still_answers_in_time_whom_it_serves_and_all_within_dialogs() {
    let outcome = Burst::new(OverloadConfig::default()).run();
    println!("with the gate: {outcome:?}");
    assert_eq!(outcome.served + outcome.refused, CALLS, "{outcome:?}");
    assert_eq!((outcome.late, outcome.in_dialog), (0, CALLS / IN_DIALOG));
    // A third is what it can carry; most of that it does.
    assert!(outcome.served > CALLS / 4 && outcome.served < CALLS / 2, "{outcome:?}");

    // The same without it: nearly all come too late.
    let open = Burst::new(OverloadConfig::OFF).run();
    println!("without: {open:?}");
    assert!(open.refused == 0 && open.late > 3 * open.served, "{open:?}");
}

/// What is asked of the user of a real shard.
enum Command {
    /// To count it among the others, and tell their number.
    Count(tokio::sync::oneshot::Sender<usize>),
    /// To be busy for so long, after this datagram has been sent to the shard.
    Work(Duration, Box<dyn FnOnce() + Send>),
}

/// Answers everything 200 and counts its commands.
struct Counting(usize);

impl TransactionUser for Counting {
    type Command = Command;

    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) {
        if let Event::Request { id, request, .. } = event {
            transactions.respond(now, id, Response::to_request(&request, StatusCode::OK).build()).unwrap();
        }
    }

    fn on_command(&mut self, _now: Instant, command: Command, _transactions: &mut Transactions) {
        match command {
            Command::Count(reply) => {
                self.0 += 1;
                // Only the last is waited for.
                let _ = reply.send(self.0);
            }
            Command::Work(time, send) => {
                send();
                let begun = Instant::now();
                while begun.elapsed() < time {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

fn request(method: &str, number: u32) -> String {
    text(method, &format!("127.0.0.1:9;rport;branch=z9hG4bK{number}"), "").replace("1@192", &format!("{number}@192"))
}

async fn status(peer: &UdpSocket) -> String {
    let mut buffer = ReceiveBuffer::new();
    let (answer, _) = tokio::time::timeout(Duration::from_secs(10), peer.receive(&mut buffer)).await.unwrap().unwrap();
    String::from_utf8(answer[8..11].to_vec()).unwrap()
}

#[tokio::test]
async fn a_datagram_that_waited_while_commands_were_carried_out_has_waited() {
    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server: SocketAddr = socket.local_addr();
    let (shard, handle) = Shard::new(socket, ShardConfig::default(), StdRng::seed_from_u64(1), |_| Counting(0));
    let peer = StdSocket::bind("127.0.0.1:0").unwrap();
    peer.set_nonblocking(true).unwrap();
    let sender = peer.try_clone().unwrap();
    let all_at = OverloadConfig::default().all_at;
    let send = Box::new(move || _ = sender.send_to(request("INVITE", 1).as_bytes(), server).unwrap());
    assert!(handle.try_send(Command::Work(all_at, send)).is_ok());
    let shard = tokio::spawn(shard.run());
    let peer = tokio::net::UdpSocket::from_std(peer).unwrap();
    let mut answer = [0; 2_048];
    tokio::time::timeout(Duration::from_secs(10), peer.recv(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer[..11], b"SIP/2.0 503");
    drop(handle);
    shard.await.unwrap();
}

#[tokio::test]
async fn a_queue_that_held_exactly_one_turn_is_empty_and_the_shard_does_not_lag_ever_after() {
    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = socket.local_addr();
    let rng = StdRng::seed_from_u64(1);
    let (shard, handle) = Shard::new(socket, ShardConfig::default(), rng, |_| Counting(0));
    // As many as one turn takes, before the first turn.
    let mut replies = Vec::new();
    for _ in 0..BATCH {
        let (reply, count) = tokio::sync::oneshot::channel();
        assert!(handle.try_send(Command::Count(reply)).is_ok());
        replies.push(count);
    }
    let shard = tokio::spawn(shard.run());
    assert_eq!(replies.pop().unwrap().await.unwrap(), BATCH);
    let peer = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (begun, mut number) = (Instant::now(), 0);
    // A lag that never ends refuses everything from `all_at` on. One that the machine has caused ends.
    loop {
        number += 1;
        peer.try_send_to(request("OPTIONS", number).as_bytes(), server).unwrap();
        let (served, elapsed) = (status(&peer).await == "200", begun.elapsed());
        if served && elapsed > 2 * OverloadConfig::default().all_at {
            break;
        }
        assert!(elapsed < Duration::from_secs(10), "still refused after {elapsed:?}");
    }
    drop(handle);
    shard.await.unwrap();
}
