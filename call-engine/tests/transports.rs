//! Phones by UDP and by TCP, over IPv4 and IPv6, at a server with several shards.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod peers;

use std::net::SocketAddr;
use std::time::Instant;

use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::{Engine, echo};
use blether_rtp_core::PortRange;
use blether_session_core::actor::EndpointCounts;
use blether_sip_client::{Account, Audio, Phone, PhoneCall, PhoneConfig, PhoneEvent};
use blether_sip_transport::Transport;

use calls::{PASSWORD, connect, in_time};

async fn engine(listen: &str, shards: usize) -> Engine {
    engine_on(&[listen], shards).await
}

async fn engine_on(listen: &[&str], shards: usize) -> Engine {
    let mut listens = listen.iter().map(|address| Listen { address: address.parse().unwrap(), ..Listen::default() });
    let config = Config {
        listen: listens.next().unwrap(),
        also_listen: listens.collect(),
        shards: Some(shards),
        accounts: ["100", "101"].map(|user| AccountConfig::new(user, PASSWORD)).to_vec(),
        ..Config::default()
    };
    let builder = Engine::builder(config).media_ports(PortRange::system_chosen());
    builder.on_invite(echo::EXTENSION, echo::echo).start().await.unwrap()
}

async fn phone(user: &str, server: SocketAddr, transport: Transport) -> Phone {
    let account = Account::new(user, PASSWORD, server);
    let mut phone = Phone::start(PhoneConfig { transport, ..PhoneConfig::new(account) }).await.unwrap();
    in_time("the registration", phone.register()).await.unwrap();
    phone
}

/// By which transports `user` is registered.
fn transports(engine: &Engine, user: &str) -> Vec<Transport> {
    let handle = engine.handle();
    let aor = handle.extension(user).unwrap();
    handle.location().bindings(&aor, Instant::now()).iter().map(|binding| binding.flow.transport).collect()
}

/// Waits until sound has come.
async fn hears(call: &PhoneCall) {
    let heard = async {
        while call.statistics().await.unwrap().received_packets < 5 {
            tokio::task::yield_now().await;
        }
    };
    in_time("sound", heard).await;
}

/// Hangs up on one side, and waits until the other knows.
async fn hang_up([mut one, mut other]: [PhoneCall; 2]) {
    in_time("the end", one.hang_up()).await.unwrap();
    in_time("the end on the other side", other.ended()).await.unwrap();
}

/// Nothing is left of any call but what rests by the rules of the protocol.
async fn nothing_left(engine: &Engine) {
    in_time("the last call", engine.idle()).await;
    let EndpointCounts { calls, media_ports, .. } = engine.counts().await.unwrap();
    assert_eq!((calls, media_ports), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_by_udp_and_by_tcp_call_each_other() {
    let engine = engine("127.0.0.1:0", 2).await;
    let mut by_tcp = phone("100", engine.local_addr(), Transport::Tcp).await;
    let mut by_udp = phone("101", engine.local_addr(), Transport::Udp).await;
    assert_eq!((transports(&engine, "100"), transports(&engine, "101")), (vec![Transport::Tcp], vec![Transport::Udp]));

    let call = connect(&by_tcp, &mut by_udp, "101").await;
    hears(&call[0]).await;
    hears(&call[1]).await;
    hang_up(call).await;
    let [caller, callee] = connect(&by_udp, &mut by_tcp, "100").await;
    hears(&caller).await;
    hears(&callee).await;
    // This time the callee hangs up.
    hang_up([callee, caller]).await;
    nothing_left(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_one_time_share_four_shards() {
    let engine = engine("127.0.0.1:0", 4).await;
    let mut by_tcp = phone("100", engine.local_addr(), Transport::Tcp).await;
    let mut by_udp = phone("101", engine.local_addr(), Transport::Udp).await;
    let mut calls = Vec::new();
    for _ in 0..16 {
        calls.push(connect(&by_tcp, &mut by_udp, "101").await);
        calls.push(connect(&by_udp, &mut by_tcp, "100").await);
    }
    assert_eq!(engine.counts().await.unwrap().calls, 32);
    for call in calls {
        hang_up(call).await;
    }
    nothing_left(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_register_and_call_over_ipv6() {
    let engine = engine("[::1]:0", 2).await;
    assert!(engine.local_addr().is_ipv6());
    let by_tcp = phone("100", engine.local_addr(), Transport::Tcp).await;
    let mut by_udp = phone("101", engine.local_addr(), Transport::Udp).await;
    let call = connect(&by_tcp, &mut by_udp, "101").await;
    hears(&call[0]).await;
    hears(&call[1]).await;
    hang_up(call).await;

    let mut call = by_udp.call("*43").await.unwrap();
    in_time("the echo", call.answered(Audio::silent(), || ())).await.unwrap();
    hears(&call).await;
    let end = in_time("the end", call.hang_up()).await.unwrap();
    assert!(end.statistics.is_some_and(|statistics| statistics.remote.is_some_and(|remote| remote.is_ipv6())));
    assert_eq!(call.event().await, None::<PhoneEvent>);
    nothing_left(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_on_ipv4_and_one_on_ipv6_call_each_other() {
    let engine = engine_on(&["127.0.0.1:0", "[::1]:0"], 2).await;
    let [v4, v6] = engine.local_addrs() else { panic!("{:?}", engine.local_addrs()) };
    assert!(v4.is_ipv4() && v6.is_ipv6());
    for (one, other) in [(Transport::Udp, Transport::Udp), (Transport::Tcp, Transport::Tcp)] {
        let (mut on_v4, mut on_v6) = (phone("100", *v4, one).await, phone("101", *v6, other).await);
        let call = connect(&on_v4, &mut on_v6, "101").await;
        hears(&call[0]).await;
        hears(&call[1]).await;
        hang_up(call).await;
        let [caller, callee] = connect(&on_v6, &mut on_v4, "100").await;
        hang_up([callee, caller]).await;
        in_time("the answer", on_v4.unregister()).await.unwrap();
        in_time("the answer", on_v6.unregister()).await.unwrap();
    }
    nothing_left(&engine).await;
}
