//! A name server on loopback, which has the zone `test` and counts what it is asked.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, NAPTR, SOA, SRV};
use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordType, RrKey};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// For how long it may be believed, in seconds, that the zone lacks something.
pub(crate) const NEGATIVE_TTL: u32 = 60;

/// Serves until it is dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    zone: Arc<InMemoryZoneHandler>,
    asked: Arc<Mutex<Vec<String>>>,
    _server: Server<Counting>,
}

impl NameServer {
    /// Serves records, one a line: `name ttl kind data`, the name without `.test`, a name in data with it.
    pub(crate) async fn start(records: &str) -> Self {
        let zone = InMemoryZoneHandler::empty(name("test"), ZoneType::Primary, AxfrPolicy::Deny);
        let zone = Arc::new(zone);
        let soa = SOA::new(name("ns.test"), name("admin.test"), 1, 60, 60, 60, NEGATIVE_TTL);
        assert!(zone.upsert(Record::from_rdata(name("test"), 3_600, RData::SOA(soa)), 1).await);
        for line in records.lines().filter(|line| !line.trim().is_empty()) {
            assert!(zone.upsert(record(line), 1).await, "{line}");
        }
        let mut catalog = Catalog::new();
        catalog.upsert(LowerName::new(&name("test")), vec![zone.clone()]);
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let mut server = Server::new(Counting { catalog, asked: asked.clone() });
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 4_096);
        Self { address, zone, asked, _server: server }
    }

    /// Where it is asked.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked so far, as `A name.test.`, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How often it was asked that.
    pub(crate) fn asked_times(&self, question: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == question).count()
    }

    /// Puts a record into the zone beside those of its name.
    pub(crate) async fn add(&self, line: &str) {
        assert!(self.zone.upsert(record(line), 2).await, "{line}");
    }

    /// Takes the records of a kind away that a name has.
    pub(crate) async fn remove(&self, of: &str, kind: RecordType) {
        self.zone.records_mut().await.remove(&RrKey::new(LowerName::new(&in_zone(of)), kind));
    }
}

/// A UDP socket and a TCP listener of the same port: long answers are asked for again over TCP.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap()
}

fn in_zone(of: &str) -> Name {
    name(&format!("{of}.test"))
}

fn record(line: &str) -> Record {
    let words: Vec<_> = line.split_whitespace().collect();
    let [of, ttl, kind, data @ ..] = &words[..] else { panic!("{line}") };
    let number = |index: usize| data[index].parse::<u16>().unwrap();
    let rdata = match *kind {
        "A" => RData::A(A(data[0].parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(data[0].parse().unwrap())),
        "CNAME" => RData::CNAME(CNAME(name(data[0]))),
        "SRV" => RData::SRV(SRV::new(number(0), number(1), number(2), name(data[3]))),
        "NAPTR" => {
            let text = |index: usize| data[index].as_bytes().to_vec().into_boxed_slice();
            RData::NAPTR(NAPTR::new(number(0), number(1), text(2), text(3), Box::default(), name(data[4])))
        }
        _ => panic!("{line}"),
    };
    Record::from_rdata(in_zone(of), ttl.parse().unwrap(), rdata)
}

struct Counting {
    catalog: Catalog,
    asked: Arc<Mutex<Vec<String>>>,
}

impl RequestHandler for Counting {
    fn handle_request<'server, 'request, 'answer, R, T>(
        &'server self,
        request: &'request Request,
        response_handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'answer>>
    where
        R: ResponseHandler + 'answer,
        T: Time + 'answer,
        Self: 'answer,
        'server: 'answer,
        'request: 'answer,
    {
        if let Ok(info) = request.request_info() {
            let question = format!("{} {}", info.query.query_type(), info.query.name());
            self.asked.lock().unwrap().push(question);
        }
        self.catalog.handle_request::<R, T>(request, response_handle)
    }
}
