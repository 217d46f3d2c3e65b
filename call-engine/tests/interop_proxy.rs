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
            .contact(&contact)
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
