//! SIPp through this server as a proxy to a server that is named, with a name server on loopback (RFC 3263).
#![cfg(feature = "dns")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

#[path = "../../sip-transport/tests/name_server/mod.rs"]
mod name_server;
mod peers;
mod server;

use std::net::UdpSocket;

use blether_call_engine::config::{Proxied, ProxyConfig, ProxyTo};
use tokio::runtime::Runtime;

use name_server::NameServer;
use peers::ports::free_port;
use peers::sipp::{Sipp, Tcp};
use peers::{Folder, User};
use server::{Server, config};

/// A server that forwards what begins with 7 to `partner.test`, which has two addresses, the first preferred.
struct Stage {
    server: Server,
    alice: User,
    folder: Folder,
    names: NameServer,
    // What the name server runs on.
    _runtime: Runtime,
}

impl Stage {
    fn set(name: &str, to: &str, [first, second]: [u16; 2]) -> Self {
        let runtime = Runtime::new().unwrap();
        let records = ["udp", "tcp"].map(|transport| {
            format!(
                "_sip._{transport}.partner 300 SRV 1 0 {first} first.test
                 _sip._{transport}.partner 300 SRV 2 0 {second} second.test\n"
            )
        });
        let addresses = "first 300 A 127.0.0.1\nsecond 300 A 127.0.0.1\n";
        let names = runtime.block_on(NameServer::start(&format!("{}{addresses}", records.concat())));
        let (folder, alice) = (Folder::new(name), User::new("alice", "wonderland"));
        let mut config = config(&[&alice]);
        config.dns.servers = vec![names.address()];
        let partner = ProxyTo::Servers(vec![to.parse().unwrap()]);
        config.proxies.push(ProxyConfig::new(Proxied::Dialled("7.".parse().unwrap()), partner));
        let server = Server::start_with(config, |engine| engine);
        Self { server, alice, folder, names, _runtime: runtime }
    }

    fn sipp(&self, name: &str, scenario: &str) -> Sipp {
        Sipp::new(self.folder.path(), name, scenario, self.server.address())
    }

    fn caller(&self, name: &str, scenario: &str) -> Sipp {
        self.sipp(name, scenario).user(&self.alice).callee("7123")
    }
}

#[test]
fn when_the_first_srv_target_is_down_a_call_goes_through_the_second() {
    let [down, up] = [free_port(), free_port()];
    let stage = Stage::set("down", "sip:partner.test;transport=tcp", [down, up]);
    // The second call begins with what was learnt by the first.
    let answering = stage.sipp("answers", "uas_answer").tcp(Tcp::One).port(up).calls(2);
    let answering = answering.set("contact_parameters", ";transport=tcp").start();
    for name in ["first", "second"] {
        stage.caller(name, "uac_call").set("talk_ms", 100).run().assert_successful(1);
    }
    let answered = answering.wait();
    answered.assert_successful(2);
    let invited = "INVITE sip:7123@partner.test;transport=tcp SIP/2.0";
    assert!(answered.messages.contains(invited), "{}", answered.messages);
    assert!(answered.messages.contains(";transport=tcp;lr>"), "{}", answered.messages);
    assert_eq!(stage.names.asked_times("SRV _sip._tcp.partner.test."), 1, "{:?}", stage.names.asked());
}

#[test]
fn when_the_first_srv_target_says_503_a_call_goes_through_the_second() {
    let [full, free] = [free_port(), free_port()];
    let stage = Stage::set("full", "sip:partner.test", [full, free]);
    let refusing =
        stage.sipp("refuses", "uas_busy").port(full).set("status", 503).set("reason", "Service Unavailable").start();
    let answering = stage.sipp("answers", "uas_answer").port(free).start();
    stage.caller("calls", "uac_call").set("talk_ms", 100).run().assert_successful(1);
    refusing.wait().assert_successful(1);
    answering.wait().assert_successful(1);
}

#[test]
fn a_cancel_ends_a_call_by_the_second_srv_target() {
    let [down, up] = [free_port(), free_port()];
    let stage = Stage::set("cancel", "sip:partner.test;transport=tcp", [down, up]);
    let ringing = stage.sipp("rings", "uas_no_answer").tcp(Tcp::One).port(up).start();
    stage.caller("cancels", "uac_cancel").set("ring_ms", 300).run().assert_successful(1);
    ringing.wait().assert_successful(1);
}

#[test]
fn a_name_without_an_address_is_told_502() {
    let stage = Stage::set("nowhere", "sip:nobody.test", [1, 2]);
    stage.caller("calls", "uac_expect_status").set("status", 502).run().assert_successful(1);
}

#[test]
fn a_name_server_that_is_silent_is_told_504() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let alice = User::new("alice", "wonderland");
    let mut config = config(&[&alice]);
    config.dns.servers = vec![silent.local_addr().unwrap()];
    let partner = ProxyTo::Servers(vec!["sip:partner.test".parse().unwrap()]);
    config.proxies.push(ProxyConfig::new(Proxied::Dialled("7.".parse().unwrap()), partner));
    let folder = Folder::new("silent");
    let server = Server::start_with(config, |engine| engine);
    let caller = Sipp::new(folder.path(), "calls", "uac_expect_status", server.address()).user(&alice).callee("7123");
    caller.set("status", 504).run().assert_successful(1);
}
