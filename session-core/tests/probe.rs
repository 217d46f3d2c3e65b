//! What can be seen of an endpoint from outside, while it runs and afterwards.
#![cfg(feature = "media")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use blether_rtp_core::PortRange;
use blether_session_core::actor::{Admission, Answer, Application, Endpoint, EndpointConfig, Responder};
use blether_sip_core::{Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;

const PATIENCE: Duration = Duration::from_secs(20);

/// Holds its shard still from one meeting at the barrier to the next.
struct Standstill(Arc<Barrier>);

impl Application for Standstill {
    fn on_invite(&self, _now: Instant, invite: &Request, _flow: Flow) -> Admission {
        Admission::refuse(Response::to_request(invite, StatusCode::NOT_FOUND).build())
    }

    fn on_request(&self, _now: Instant, request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        // The runtime's other tasks go on elsewhere.
        tokio::task::block_in_place(|| {
            self.0.wait();
            self.0.wait();
        });
        Answer::now(Response::to_request(request, StatusCode::OK).build())
    }
}

fn config(shards: usize) -> EndpointConfig {
    EndpointConfig { shards, media_ports: PortRange::system_chosen(), media_workers: 2, ..EndpointConfig::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_shard_that_stands_still_does_not_answer_and_the_others_and_the_media_workers_do() {
    let barrier = Arc::new(Barrier::new(2));
    let server = Endpoint::start(config(2), Arc::new(Standstill(barrier.clone()))).await.unwrap();
    let probe = server.probe();
    let report = probe.look(PATIENCE).await;
    assert!(report.all_answer(), "{report:?}");
    assert_eq!((report.shards.len(), report.workers.len(), report.ports_in_use, report.ports_free), (2, 2, 0, None));

    let nobody = Arc::new(Standstill(Arc::new(Barrier::new(1))));
    let phone = Endpoint::start(config(1), nobody).await.unwrap();
    let flow = phone.flow_to(server.local_addr()).unwrap();
    let uri: Uri = format!("sip:{}", server.local_addr()).parse().unwrap();
    let message = Request::builder(Method::Message, uri.clone())
        .from(NameAddr::new(uri.clone()).with_tag("1"))
        .to(NameAddr::new(uri))
        .call_id("still")
        .cseq(1)
        .build()
        .unwrap();
    let asking = async { phone.request(message, flow).await.unwrap().status() };
    let standing = async {
        tokio::task::block_in_place(|| barrier.wait());
        // What goes on answers in time sooner or later, however busy the machine is; what stands still never does.
        let seen = async {
            loop {
                let report = probe.look(Duration::from_millis(50)).await;
                let silent = report.shards.iter().filter(|shard| shard.lag.is_none()).count();
                assert!(silent >= 1 && !report.all_answer(), "{report:?}");
                if silent == 1 && report.workers.iter().all(|worker| worker.lag.is_some()) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap();
        tokio::task::block_in_place(|| barrier.wait());
    };
    let (status, ()) = tokio::join!(asking, standing);
    assert_eq!(status, StatusCode::OK);
    assert!(probe.look(PATIENCE).await.all_answer());

    drop(server);
    let report = probe.look(PATIENCE).await;
    assert!(!report.all_answer() && report.shards.iter().all(|shard| shard.lag.is_none()), "{report:?}");
}
