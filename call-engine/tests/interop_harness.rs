//! The interop harness held against a server that is known to work: what fails here is the harness, not this project.

mod peers;

use std::time::Duration;

use peers::baresip::BaresipConfig;
use peers::kamailio::Kamailio;
use peers::ports::free_port;
use peers::rtp::RtpEnd;
use peers::sipp::Sipp;
use peers::sound::{assert_heard, tune, write_pcmu, write_wav};
use peers::{Folder, PATIENCE, User};

#[test]
fn sipp_registers_with_digest_and_removes_its_contact() {
    let folder = Folder::new("register");
    let kamailio = Kamailio::start(folder.path(), "secret");
    let users: Vec<User> = ["alice", "bob", "carol"].map(|name| User::new(name, "secret")).into();
    let register = |name| Sipp::new(folder.path(), name, "register", kamailio.address());

    register("register").users(&users).calls(3).run().assert_successful(3);
    let removed = register("remove").user(&users[0]).contact("*").set("expires", 0).run();
    removed.assert_successful(1);
    assert!(!removed.messages.contains("Contact: <sip:alice"), "a binding is left:\n{}", removed.messages);
    register("wrong-password").user(&User::new("alice", "wrong")).set("status", 401).run().assert_successful(1);
}

#[test]
fn sipp_calls_sipp_through_a_proxy_in_every_way_that_a_call_can_end() {
    let folder = Folder::new("calls");
    let kamailio = Kamailio::start(folder.path(), "secret");
    let (alice, bob) = (User::new("alice", "secret"), User::new("bob", "secret"));
    let run = |name: &str, scenario: &str| Sipp::new(folder.path(), name, scenario, kamailio.address());
    let bobs_port = free_port();
    run("register", "register").user(&bob).port(bobs_port).run().assert_successful(1);
    let caller = |name: &str, scenario: &str| run(name, scenario).user(&alice).callee("bob");
    let callee = |name: &str, scenario: &str| run(name, scenario).port(bobs_port);

    let answering = callee("answers", "uas_answer").start();
    caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    answering.wait().assert_successful(1);

    let hanging_up = callee("hangs-up", "uas_hang_up").set("talk_ms", 100).start();
    caller("is-hung-up", "uac_call_until_bye").run().assert_successful(1);
    hanging_up.wait().assert_successful(1);

    let busy = callee("busy", "uas_busy").start();
    caller("is-refused", "uac_expect_status").set("status", 486).run().assert_successful(1);
    busy.wait().assert_successful(1);

    let ringing = callee("rings", "uas_no_answer").start();
    caller("cancels", "uac_cancel").set("ring_ms", 100).run().assert_successful(1);
    ringing.wait().assert_successful(1);

    caller("unknown", "uac_expect_status").callee("nobody").run().assert_successful(1);
}

#[test]
fn what_sipp_plays_and_echoes_can_be_heard() {
    let folder = Folder::new("audio");
    let kamailio = Kamailio::start(folder.path(), "secret");
    let (alice, bob) = (User::new("alice", "secret"), User::new("bob", "secret"));
    let run = |name: &str, scenario: &str| Sipp::new(folder.path(), name, scenario, kamailio.address());
    let bobs_port = free_port();
    run("register", "register").user(&bob).port(bobs_port).run().assert_successful(1);
    let (played, echoed) = (tune(1, 2), tune(2, 2));
    let audio = folder.file("tune.pcmu");
    write_pcmu(&audio, &played);

    let (caller, callee) = (RtpEnd::open(1), RtpEnd::open(2));
    let answering = run("plays", "uas_answer").port(bobs_port).audio_port(callee.port()).start();
    let calling = run("calls", "uac_call").user(&alice).callee("bob").play(&audio).set("talk_ms", 1_900).start();
    let arrived = callee.listen(Duration::from_millis(1_600), PATIENCE);
    assert_heard("the callee", &played, &arrived.samples, 1);
    assert_eq!((arrived.sources.len(), arrived.gaps, arrived.not_rtp), (1, 0, 0), "{:?}", arrived.other_payload_types);
    calling.wait().assert_successful(1);
    answering.wait().assert_successful(1);

    let answering = run("echoes", "uas_answer").port(bobs_port).echo().start();
    let calling =
        run("calls-echo", "uac_call").user(&alice).callee("bob").audio_port(caller.port()).set("talk_ms", 2_500);
    let mut calling = calling.start();
    let arrived = caller.play(&echoed, calling.remote_audio());
    assert_heard("the caller", &echoed, &arrived.samples, 1);
    calling.wait().assert_successful(1);
    answering.wait().assert_successful(1);
}

#[test]
fn baresip_calls_baresip_through_a_proxy_and_each_hears_the_other() {
    let folder = Folder::new("phones");
    let kamailio = Kamailio::start(folder.path(), "secret");
    let (alices, bobs) = (tune(1, 8), tune(2, 8));
    write_wav(&folder.file("alice.wav"), &alices);
    write_wav(&folder.file("bob.wav"), &bobs);
    let (alice, bob) = (User::new("alice", "secret"), User::new("bob", "secret"));
    let mut alice =
        BaresipConfig::ringing(folder.path(), &alice, kamailio.address()).play(&folder.file("alice.wav")).start();
    let mut bob = BaresipConfig::ringing(folder.path(), &bob, kamailio.address()).play(&folder.file("bob.wav")).start();
    alice.wait_registered();
    bob.wait_registered();

    alice.dial(&kamailio.uri("bob"));
    bob.wait_event("CALL_INCOMING", PATIENCE);
    bob.accept();
    alice.wait_event("CALL_ESTABLISHED", PATIENCE);
    bob.wait_event("CALL_ESTABLISHED", PATIENCE);
    alice.send_digits("7");
    let digit = bob.wait_event("CALL_DTMF_START", PATIENCE);
    assert_eq!(digit["param"], "7");
    bob.wait_event("CALL_DTMF_END", PATIENCE);
    for phone in [&mut alice, &mut bob] {
        phone.wait_heard(Duration::from_millis(2_700));
    }
    alice.hang_up();
    bob.wait_event("CALL_CLOSED", PATIENCE);

    assert_heard("bob", &alices, &bob.heard(), 2);
    assert_heard("alice", &bobs, &alice.heard(), 2);
    alice.quit();
    bob.quit();
}
