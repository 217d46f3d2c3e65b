//! SIPp as phones of this server: every way that a registration and a call can go.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod server;

use std::time::Duration;

use blether_call_engine::config::Config;

use peers::ports::free_port;
use peers::rtp::RtpEnd;
use peers::sipp::{Sipp, Tcp};
use peers::sound::{assert_heard, tune};
use peers::{Folder, User};
use server::{Server, config};

fn users() -> (User, User) {
    (User::new("alice", "wonderland"), User::new("bob", "builder-1"))
}

/// A server for alice and bob, with bob registered at a port of his own.
struct Stage {
    server: Server,
    alice: User,
    bobs_port: u16,
    folder: Folder,
}

impl Stage {
    fn set(name: &str) -> Self {
        let folder = Folder::new(name);
        let (alice, bob) = users();
        let server = Server::start(&[&alice, &bob]);
        let bobs_port = free_port();
        let stage = Self { server, alice, bobs_port, folder };
        stage.sipp("register", "register").user(&bob).port(bobs_port).run().assert_successful(1);
        stage
    }

    fn sipp(&self, name: &str, scenario: &str) -> Sipp {
        Sipp::new(self.folder.path(), name, scenario, self.server.address())
    }

    fn caller(&self, name: &str, scenario: &str) -> Sipp {
        self.sipp(name, scenario).user(&self.alice).callee("bob")
    }

    fn callee(&self, name: &str, scenario: &str) -> Sipp {
        self.sipp(name, scenario).port(self.bobs_port)
    }

    fn assert_nothing_is_left(&self) {
        let left = self.server.after_the_calls();
        assert_eq!((left.calls, left.media_ports), (0, 0));
    }
}

#[test]
fn sipp_registers_refreshes_and_removes_its_contacts() {
    let folder = Folder::new("registrar");
    let (alice, bob) = users();
    let server = Server::start(&[&alice, &bob]);
    let sipp = |name: &str| Sipp::new(folder.path(), name, "register", server.address());

    sipp("register").users(&[alice.clone(), bob.clone()]).calls(2).run().assert_successful(2);
    assert_eq!((server.contacts("alice"), server.contacts("bob")), (1, 1));
    let port = free_port();
    sipp("second").user(&alice).port(port).run().assert_successful(1);
    sipp("refresh").user(&alice).port(port).run().assert_successful(1);
    assert_eq!(server.contacts("alice"), 2, "a second phone rings beside the first, and a refresh adds none");
    sipp("remove-one").user(&alice).port(port).set("expires", 0).run().assert_successful(1);
    assert_eq!(server.contacts("alice"), 1);
    sipp("remove-all").user(&alice).contact("*").set("expires", 0).run().assert_successful(1);
    assert_eq!((server.contacts("alice"), server.contacts("bob")), (0, 1));
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_and_register_nothing() {
    let folder = Folder::new("refused");
    let (alice, bob) = users();
    let server = Server::start(&[&alice, &bob]);
    for (name, user) in
        [("wrong", User::new("alice", "looking-glass")), ("unknown", User::new("mallory", "wonderland"))]
    {
        let run = Sipp::new(folder.path(), name, "register", server.address()).user(&user).set("status", 401);
        run.run().assert_successful(1);
    }
    assert_eq!(server.contacts("alice"), 0);
    let brief = Sipp::new(folder.path(), "brief", "register", server.address()).user(&alice).set("expires", 5);
    let report = brief.set("status", 423).run();
    report.assert_successful(1);
    assert!(report.messages.contains("Min-Expires: 60"), "{}", report.messages);
}

#[test]
fn sipp_calls_the_echo_and_hears_itself() {
    let stage = Stage::set("echo");
    let played = tune(1, 2);
    let end = RtpEnd::open(7);
    let mut call = stage
        .sipp("echo", "uac_call")
        .user(&stage.alice)
        .callee("*43")
        .audio_port(end.port())
        .set("talk_ms", 2_500)
        .start();
    let arrived = end.play(&played, call.remote_audio());
    assert_heard("the caller", &played, &arrived.samples, 1);
    assert_eq!((arrived.sources.len(), arrived.not_rtp), (1, 0));
    call.wait().assert_successful(1);
    stage.assert_nothing_is_left();
}

#[test]
fn a_call_between_extensions_ends_whoever_hangs_up() {
    let stage = Stage::set("calls");
    let answering = stage.callee("answers", "uas_answer").start();
    stage.caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    answering.wait().assert_successful(1);

    let hanging_up = stage.callee("hangs-up", "uas_hang_up").set("talk_ms", 100).start();
    stage.caller("is-hung-up", "uac_call_until_bye").run().assert_successful(1);
    hanging_up.wait().assert_successful(1);
    stage.assert_nothing_is_left();
}

#[test]
fn the_caller_hears_why_nobody_answers() {
    let stage = Stage::set("refusals");
    let busy = stage.callee("busy", "uas_busy").start();
    stage.caller("is-refused", "uac_expect_status").set("status", 486).run().assert_successful(1);
    busy.wait().assert_successful(1);

    let ringing = stage.callee("rings", "uas_no_answer").start();
    stage.caller("cancels", "uac_cancel").set("ring_ms", 100).run().assert_successful(1);
    ringing.wait().assert_successful(1);

    stage.caller("unknown", "uac_expect_status").callee("nobody").set("status", 404).run().assert_successful(1);
    stage.caller("absent", "uac_expect_status").callee("alice").set("status", 480).run().assert_successful(1);
    stage.assert_nothing_is_left();
}

#[test]
fn a_callee_that_never_answers_is_cancelled_when_its_time_is_over() {
    let folder = Folder::new("no-answer");
    let (alice, bob) = users();
    let mut config = config(&[&alice, &bob]);
    config.calls.ring_timeout = Duration::from_secs(5);
    let server = Server::start_with(config, |engine| engine);
    let sipp = |name: &str, scenario: &str| Sipp::new(folder.path(), name, scenario, server.address());
    let port = free_port();
    sipp("register", "register").user(&bob).port(port).run().assert_successful(1);
    let ringing = sipp("rings", "uas_no_answer").port(port).start();
    sipp("waits", "uac_expect_status").user(&alice).callee("bob").set("status", 480).run().assert_successful(1);
    ringing.wait().assert_successful(1);
    assert_eq!(server.after_the_calls().calls, 0);
}

#[test]
fn all_phones_ring_the_first_that_answers_talks_and_the_others_are_cancelled() {
    let stage = Stage::set("fork");
    let second_port = free_port();
    let (_, bob) = users();
    stage.sipp("second", "register").user(&bob).port(second_port).run().assert_successful(1);
    assert_eq!(stage.server.contacts("bob"), 2);
    let slow = stage.callee("slow", "uas_no_answer").start();
    let quick = stage.sipp("quick", "uas_answer").port(second_port).set("ring_ms", 300).start();
    stage.caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    quick.wait().assert_successful(1);
    let cancelled = slow.wait();
    cancelled.assert_successful(1);
    stage.assert_nothing_is_left();
}

#[test]
fn sipp_calls_over_tcp_by_one_connection_and_by_one_for_each_call() {
    let folder = Folder::new("tcp");
    let (alice, bob) = users();
    let config = Config { shards: Some(2), ..config(&[&alice, &bob]) };
    let server = Server::start_with(config, |engine| engine);
    let sipp = |name: &str, scenario: &str| Sipp::new(folder.path(), name, scenario, server.address()).tcp(Tcp::One);
    let port = free_port();
    // Bob's connection ends with the registration: the server opens another to where he says that he listens.
    let contact = format!("<sip:bob@127.0.0.1:{port};transport=tcp>");
    sipp("register", "register").user(&bob).set("contact", contact).run().assert_successful(1);
    assert_eq!(server.contacts("bob"), 1);

    for (name, tcp, calls) in [("one", Tcp::One, 20), ("each", Tcp::EachCall, 100)] {
        let answering = sipp(&format!("answers-{name}"), "uas_answer").port(port).calls(calls).start();
        let calling = sipp(&format!("calls-{name}"), "uac_call").tcp(tcp).user(&alice).callee("bob").calls(calls);
        calling.rate(50).set("talk_ms", 100).run().assert_successful(u64::from(calls));
        answering.wait().assert_successful(u64::from(calls));
    }
    let left = server.after_the_calls();
    assert_eq!((left.calls, left.media_ports), (0, 0));
}

#[test]
fn five_hundred_calls_at_fifty_a_second_with_sound_both_ways_and_none_fails() {
    let stage = Stage::set("load");
    let media = stage.folder.file("tune.pcmu");
    peers::sound::write_pcmu(&media, &tune(1, 2));
    let answering = stage.callee("answers", "uas_answer").calls(500).echo().timeout(Duration::from_secs(60)).start();
    let calling = stage.caller("calls", "uac_call").calls(500).rate(50).play(&media).set("talk_ms", 1_000);
    let called = calling.timeout(Duration::from_secs(60)).run();
    let answered = answering.wait();
    called.assert_successful(500);
    answered.assert_successful(500);
    assert_eq!((called.unexpected, answered.unexpected), (0, 0));
    assert_eq!((called.failed, answered.failed), (0, 0));
    stage.assert_nothing_is_left();
}
