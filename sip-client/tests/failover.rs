//! A phone whose server is a name, with a name server on loopback (RFC 3263).
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

#[path = "../../sip-transport/tests/name_server/mod.rs"]
mod name_server;
mod server;

use std::net::UdpSocket;
use std::time::Duration;

use blether_sip_client::{Account, Audio, Phone, PhoneConfig, PhoneError, RegisterError};
use blether_sip_transport::Transport;
use blether_sip_transport::resolve::{Resolver, ResolverConfig};
use blether_transaction_core::{Locator, Timing};

use name_server::NameServer;
use server::{PASSWORD, Server, in_time};

/// A phone whose server is `example.test`, and that gives a silent server up after 1.9 s.
async fn phone(names: &NameServer, transport: Transport) -> Result<Phone, PhoneError> {
    let resolver = ResolverConfig { name_servers: vec![names.address()], ..ResolverConfig::default() };
    let timing = Timing { t1: Duration::from_millis(30), ..Timing::default() };
    let account = Account::at("alice", PASSWORD, "example.test".parse().unwrap());
    let locator = Some(Locator::new(Resolver::new(resolver).unwrap()));
    Phone::start(PhoneConfig { transport, timing, locator, ..PhoneConfig::new(account) }).await
}

/// Two servers, the first before the second; at the port of the first nobody answers UDP, nor listens for TCP.
async fn dead_and_alive(server: &Server) -> (UdpSocket, NameServer) {
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (first, second) = (dead.local_addr().unwrap().port(), server.address().port());
    let records = format!(
        "_sip._udp.example 300 SRV 1 0 {first} first.test
         _sip._udp.example 300 SRV 2 0 {second} second.test
         _sip._tcp.example 300 SRV 1 0 {first} first.test
         _sip._tcp.example 300 SRV 2 0 {second} second.test
         first 300 A 127.0.0.1
         second 300 A 127.0.0.1"
    );
    (dead, NameServer::start(&records).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_first_srv_target_is_down_a_phone_registers_with_the_second_and_calls_by_it() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut server = Server::start().await;
        let (dead, names) = dead_and_alive(&server).await;
        let mut phone = phone(&names, transport).await.unwrap();
        in_time("the registration", phone.register()).await.unwrap();
        assert_eq!(server.bindings(1).await.last().unwrap().transport(), transport);
        let mut call = phone.call("echo").await.unwrap();
        in_time("the answer", call.answered(Audio::silent(), || ())).await.unwrap();
        drop(call);
        in_time("the BYE", server.ended.recv()).await.unwrap();
        in_time("the end", phone.shut_down(Duration::from_secs(10))).await.unwrap();
        drop(dead);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_registration_goes_to_the_second_srv_target_and_so_does_the_answer_to_its_challenge() {
    let mut server = Server::start().await;
    let (_dead, names) = dead_and_alive(&server).await;
    let phone = phone(&names, Transport::Udp).await.unwrap();
    let mut call = phone.call("echo").await.unwrap();
    in_time("the answer", call.answered(Audio::silent(), || ())).await.unwrap();
    assert_eq!(in_time("the call", server.answered.recv()).await.unwrap().dialled, "echo");
    // The ACK and the BYE have found it, too.
    drop(call);
    in_time("the BYE", server.ended.recv()).await.unwrap();
    server.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_hung_up_while_the_first_srv_target_is_silent_reaches_nobody() {
    let mut server = Server::start().await;
    let (_dead, names) = dead_and_alive(&server).await;
    let phone = phone(&names, Transport::Udp).await.unwrap();
    let mut call = phone.call("echo").await.unwrap();
    in_time("the end", call.hang_up()).await.unwrap();
    // Another call, which goes to the second at once, and with the answer to its challenge too, finds that it is the first there.
    let mut call = phone.call("echo").await.unwrap();
    in_time("the answer", call.answered(Audio::silent(), || ())).await.unwrap();
    in_time("the call", server.answered.recv()).await.unwrap();
    assert!(server.answered.try_recv().is_err());
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_named_at_once() {
    let names = NameServer::start("").await;
    let error = phone(&names, Transport::Udp).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server cannot be found: example.test has no address that can be reached from here"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_server_answers_the_registration_fails_once() {
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = dead.local_addr().unwrap().port();
    let records = format!(
        "_sip._udp.example 300 SRV 1 0 {port} first.test
         _sip._udp.example 300 SRV 2 0 {port} second.test
         first 300 A 127.0.0.1
         second 300 A 127.0.0.2"
    );
    let names = NameServer::start(&records).await;
    let mut phone = phone(&names, Transport::Udp).await.unwrap();
    let error = in_time("the failure", phone.register()).await.unwrap_err();
    assert!(matches!(error, RegisterError::Failed(_)), "{error}");
}
