//! SIPp through this server as a proxy (RFC 3261 §16): what is forwarded, to whom, and what comes back.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod server;

use std::time::Duration;

use blether_call_engine::Fork;
use blether_call_engine::config::{Config, Proxied, ProxyConfig, ProxyTo};

use peers::ports::free_port;
use peers::sipp::{Sipp, SippReport, Tcp};
use peers::{Folder, User};
use server::{Server, config};

/// A server that forwards the calls of alice to the phones of bob.
struct Stage {
    server: Server,
    alice: User,
    bob: User,
    folder: Folder,
}

impl Stage {
    fn set(name: &str, change: impl FnOnce(&mut ProxyConfig)) -> Self {
        Self::set_with(name, |config| {
            let mut proxy = ProxyConfig::new(Proxied::Dialled("bob".parse().unwrap()), ProxyTo::Phones);
            change(&mut proxy);
            config.proxies.push(proxy);
        })
    }

    fn set_with(name: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = Folder::new(name);
        let (alice, bob) = (User::new("alice", "wonderland"), User::new("bob", "builder-1"));
        let mut config = config(&[&alice, &bob]);
        change(&mut config);
        let server = Server::start_with(config, |engine| engine);
        Self { server, alice, bob, folder }
    }

    fn sipp(&self, name: &str, scenario: &str) -> Sipp {
        Sipp::new(self.folder.path(), name, scenario, self.server.address())
    }

    fn caller(&self, name: &str, scenario: &str) -> Sipp {
        self.sipp(name, scenario).user(&self.alice).callee("bob")
    }

    /// Registers a phone of bob's, and hands out its port.
    fn phone(&self, name: &str, parameters: &str) -> u16 {
        let port = free_port();
        let contact = format!("<sip:bob@127.0.0.1:{port}>{parameters}");
        self.sipp(&format!("register-{name}"), "register")
            .user(&self.bob)
            .port(port)
            .set("contact", contact)
            .run()
            .assert_successful(1);
        port
    }

    /// No call was made here: what was forwarded is none of this server's.
    fn assert_no_calls(&self) {
        let left = self.server.after_the_calls();
        assert_eq!((left.calls, left.media_ports), (0, 0));
    }
}

fn has(report: &SippReport, text: &str) -> bool {
    report.messages.contains(text)
}

#[test]
fn a_call_is_forwarded_to_a_registered_phone_and_stays_on_our_path() {
    let stage = Stage::set("proxied", |_| {});
    let port = stage.phone("one", "");
    let answering = stage.sipp("answers", "uas_answer").port(port).start();
    let called = stage.caller("calls", "uac_call").set("talk_ms", 100).run();
    let answered = answering.wait();
    called.assert_successful(1);
    answered.assert_successful(1);
    assert!(has(&answered, "Record-Route: <sip:"), "{}", answered.messages);
    assert!(!has(&answered, "Proxy-Authorization"), "what is for us goes no further\n{}", answered.messages);
    assert!(has(&answered, "Max-Forwards: 69") && has(&answered, "Max-Breadth: 60"), "{}", answered.messages);
    stage.assert_no_calls();
}

#[test]
fn calls_are_forwarded_between_udp_and_tcp_with_a_record_route_for_each_side() {
    let stage = Stage::set("tcp", |_| {});
    let port = free_port();
    let contact = format!("<sip:bob@127.0.0.1:{port};transport=tcp>");
    let register = stage.sipp("register", "register").tcp(Tcp::One).user(&stage.bob).set("contact", contact);
    register.run().assert_successful(1);
    let answering = stage.sipp("answers", "uas_answer").tcp(Tcp::One).port(port).calls(3).start();
    let calling = stage.caller("calls", "uac_call").set("talk_ms", 100).calls(3).run();
    calling.assert_successful(3);
    let answered = answering.wait();
    answered.assert_successful(3);
    assert!(has(&answered, ";transport=tcp;lr>") && has(&calling, ";lr>"), "{}", answered.messages);
    stage.assert_no_calls();
}

#[test]
fn the_callee_hangs_up_through_the_proxy() {
    let stage = Stage::set("hangs-up", |_| {});
    let port = stage.phone("one", "");
    let answering = stage.sipp("hangs-up", "uas_hang_up").port(port).set("talk_ms", 100).start();
    stage.caller("is-hung-up", "uac_call_until_bye").run().assert_successful(1);
    answering.wait().assert_successful(1);
}

#[test]
fn phones_ring_in_parallel_and_the_slow_one_is_cancelled() {
    let stage = Stage::set("parallel", |proxy| proxy.fork = Fork::Parallel);
    let (slow, quick) = (stage.phone("slow", ";q=0.5"), stage.phone("quick", ";q=1.0"));
    let slow = stage.sipp("slow", "uas_no_answer").port(slow).start();
    let quick = stage.sipp("quick", "uas_answer").port(quick).set("ring_ms", 300).start();
    stage.caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    quick.wait().assert_successful(1);
    let cancelled = slow.wait();
    cancelled.assert_successful(1);
    assert!(has(&cancelled, "Max-Breadth: 30"), "{}", cancelled.messages);
}

#[test]
fn phones_are_tried_one_after_the_other_by_their_q() {
    let stage = Stage::set("serial", |proxy| proxy.fork = Fork::Serial);
    let (second, first) = (stage.phone("second", ";q=0.5"), stage.phone("first", ";q=1.0"));
    let busy = stage.sipp("first", "uas_busy").port(first).start();
    let answering = stage.sipp("second", "uas_answer").port(second).start();
    stage.caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    busy.wait().assert_successful(1);
    answering.wait().assert_successful(1);
}

#[test]
fn a_caller_who_gives_up_cancels_the_phone() {
    let stage = Stage::set("cancel", |_| {});
    let port = stage.phone("one", "");
    let ringing = stage.sipp("rings", "uas_no_answer").port(port).start();
    stage.caller("cancels", "uac_cancel").set("ring_ms", 300).run().assert_successful(1);
    ringing.wait().assert_successful(1);
}

#[test]
fn a_6xx_speaks_for_all_phones() {
    let stage = Stage::set("declined", |proxy| proxy.fork = Fork::Parallel);
    let (ringing, declining) = (stage.phone("ringing", ""), stage.phone("declining", ""));
    let ringing = stage.sipp("ringing", "uas_no_answer").port(ringing).start();
    let declining =
        stage.sipp("declining", "uas_busy").port(declining).set("status", 603).set("reason", "Decline").start();
    stage.caller("calls", "uac_expect_status").set("status", 603).run().assert_successful(1);
    declining.wait().assert_successful(1);
    ringing.wait().assert_successful(1);
}

#[test]
fn timer_c_ends_what_rings_for_ever() {
    let stage = Stage::set("timer-c", |proxy| proxy.timer_c = Duration::from_secs(2));
    let port = stage.phone("one", "");
    let ringing = stage.sipp("rings", "uas_no_answer").port(port).start();
    stage.caller("waits", "uac_expect_status").set("status", 408).run().assert_successful(1);
    ringing.wait().assert_successful(1);
}

#[test]
fn a_challenge_of_the_callee_is_passed_on_and_answered_through_the_proxy() {
    let stage = Stage::set("challenge", |proxy| proxy.authenticate = false);
    let port = stage.phone("one", "");
    let asking = stage.sipp("asks", "uas_challenge").port(port).start();
    stage.caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    let asked = asking.wait();
    asked.assert_successful(1);
    assert!(has(&asked, "Proxy-Authorization: Digest"), "{}", asked.messages);
}

#[test]
fn nobody_is_called_who_is_not_there_or_by_a_stranger() {
    let stage = Stage::set("refusals", |_| {});
    stage.caller("absent", "uac_expect_status").set("status", 480).run().assert_successful(1);
    let stranger = User::new("mallory", "looking-glass");
    let refused = stage.sipp("stranger", "uac_expect_status").user(&stranger).callee("bob").set("status", 407);
    refused.run().assert_successful(1);
}

#[test]
fn what_is_dialled_goes_to_another_server_of_the_configuration() {
    let port = free_port();
    let stage = Stage::set_with("trunk", |config| {
        let server = format!("sip:127.0.0.1:{port}").parse().unwrap();
        let proxied = Proxied::Dialled("7.".parse().unwrap());
        config.proxies.push(ProxyConfig::new(proxied, ProxyTo::Servers(vec![server])));
    });
    let answering = stage.sipp("answers", "uas_answer").port(port).start();
    stage.caller("calls", "uac_call").callee("7123").set("talk_ms", 100).run().assert_successful(1);
    let answered = answering.wait();
    answered.assert_successful(1);
    assert!(has(&answered, &format!("INVITE sip:7123@127.0.0.1:{port} SIP/2.0")), "{}", answered.messages);
}

#[test]
fn a_request_that_would_go_round_for_ever_is_told_482() {
    let port = free_port();
    let stage = Stage::set_with("loop", |config| {
        config.listen.address.set_port(port);
        let itself = ProxyTo::Servers(vec![format!("sip:127.0.0.1:{port}").parse().unwrap()]);
        let proxied = Proxied::Dialled("round".parse().unwrap());
        config.proxies.push(ProxyConfig { authenticate: false, ..ProxyConfig::new(proxied, itself) });
    });
    let caller = stage.caller("calls", "uac_unasked_expect_status").callee("round").set("status", 482);
    caller.run().assert_successful(1);
}

#[test]
fn a_server_of_the_configuration_is_reached_without_state() {
    let port = free_port();
    let stage = Stage::set_with("stateless", |config| {
        let server = format!("sip:127.0.0.1:{port}").parse().unwrap();
        let proxied = Proxied::Dialled("7.".parse().unwrap());
        let proxy = ProxyConfig::new(proxied, ProxyTo::Servers(vec![server]));
        config.proxies.push(ProxyConfig { stateless: true, authenticate: false, ..proxy });
    });
    let answering = stage.sipp("answers", "uas_answer").port(port).start();
    stage.caller("calls", "uac_unasked_call").callee("7123").set("talk_ms", 100).run().assert_successful(1);
    answering.wait().assert_successful(1);
    let refusing = stage.sipp("refuses", "uas_busy").port(port).start();
    stage
        .caller("is-refused", "uac_unasked_expect_status")
        .callee("7123")
        .set("status", 486)
        .run()
        .assert_successful(1);
    refusing.wait().assert_successful(1);
}
