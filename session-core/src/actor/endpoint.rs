//! A SIP endpoint: the shards of the transaction layer, the media workers, and the calls between them.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use blether_rtp_core::{Impairment, MediaWorkers, PortAllocator, PortRange};
use blether_sip_core::{ByteStr, Host, Limits, Request, Response, SipUri};
use blether_sip_transport::resolve::{Destination, DestinationHost, Family, Means, ResolveError, Service, Target};
use blether_sip_transport::{
    BindError, ConnectionLimits, Flow, FramerLimits, LocalAddresses, NoRoute, TcpListener, Transport, UdpSocket,
};
#[cfg(feature = "tls")]
use blether_sip_transport::{PeerName, TlsClient, TlsServer};
use blether_transaction_core::{
    Failure, Locator, OverloadConfig, Ownership, Router, RunningShards, ShardConfig, ShardHandle, ShardIndex, Shards,
    Streams, Timing, TransactionsConfig, WireTap,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{oneshot, watch};

use super::CallKey;
use super::application::{Application, ShardPlace};
use super::call::{Call, CallError};
use super::dispatcher::{Command, Dispatcher, Home, RequestWay, connect};
use super::media::MediaSource;
use super::probe::Probe;
use crate::SessionConfig;

/// How an [`Endpoint`] is set up.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Where it listens for UDP and, if `tcp` is there, on the same port for TCP; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where it listens besides, in the same way, such as an IPv6 address beside an IPv4 one: neither receives for the other. Default: nowhere.
    pub also_listen: Vec<SocketAddr>,
    /// Tasks that share the SIP work of an address among them; all of them together, those of the other addresses too, share the Call-IDs: as
    /// many as the processors that SIP may use. Default: 1, which a phone needs, and some thousand messages a second.
    pub shards: usize,
    /// What TCP connections may cost; `None` (the default) for an endpoint without TCP. What a message may measure is said by `limits`.
    pub tcp: Option<ConnectionLimits>,
    /// How it speaks TLS; `None` (the default) for an endpoint without TLS. An endpoint listens for UDP in any case.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsConfig>,
    /// What it calls itself in User-Agent and Server.
    pub user_agent: String,
    /// T1, T2 and T4 (RFC 3261 §17.1.1.1).
    pub timing: Timing,
    /// What a message may measure.
    pub limits: Limits,
    /// Calls at a time; over it an INVITE gets 503. Each holds a task, four sockets and some tens of kilobytes.
    pub max_calls: usize,
    /// Threads that move media.
    pub media_workers: usize,
    /// Ports for RTP.
    pub media_ports: PortRange,
    /// What is done to packets that leave, to show how calls fare on a bad network; `None` for every real use.
    pub impairment: Option<Impairment>,
    /// After how long a call ends of which nothing is heard, neither of a leg nor of the one that it is bridged with, counted from the answer at the
    /// earliest. `None`, the default, leaves that to the people on it; a server has nobody to notice.
    pub end_when_silent: Option<Duration>,
    /// After how long, where [`end_when_silent`](Self::end_when_silent) is set, a leg whose phone is on hold counts as silent too: neither RTP nor RTCP has come
    /// for so long. One hour by default: longer than people wait on hold, and than phones with RTCP are quiet (RFC 3550 §6.2: some seconds); phones
    /// that have lost their power would stay in a held call for ever.
    pub end_when_gone: Duration,
    /// The address that stands in SIP and SDP instead of the one that faces the peer, for a machine behind a NAT; for peers of its family.
    pub advertise: Option<IpAddr>,
    /// Transactions at a time, in all shards together, of which each has an equal part; see [`TransactionsConfig::max_transactions`].
    pub max_transactions: usize,
    /// When a shard refuses what is new because it is behind.
    pub overload: OverloadConfig,
    /// Who is shown every SIP message.
    pub tap: Option<WireTap>,
    /// Who is asked where names lead (RFC 3263). Default: nobody; only addresses lead anywhere.
    pub locator: Locator,
}

/// How an [`Endpoint`] speaks TLS with those that connect, and those that it connects to.
#[cfg(feature = "tls")]
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    /// Where it listens, and what peers see that connect there. The port differs from that of UDP, which is that of TCP: 5061 by custom (RFC 3261
    /// §19.1.2). Without one, whoever is called over TLS has to answer by the connection, and to send what follows by it as well.
    pub listeners: Vec<(SocketAddr, TlsServer)>,
    /// Whom it believes when it connects ([`Endpoint::flow_over_tls`]), and what it shows then; `None` (the default): it opens no TLS connection.
    pub client: Option<TlsClient>,
    /// What connections may cost, those of TCP included; [`EndpointConfig::tcp`] counts where it is there.
    pub limits: ConnectionLimits,
}

/// See [`EndpointConfig::end_when_gone`].
const GONE_AFTER: Duration = Duration::from_secs(3_600);

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            also_listen: Vec::new(),
            shards: 1,
            tcp: None,
            #[cfg(feature = "tls")]
            tls: None,
            user_agent: concat!("Blether/", env!("CARGO_PKG_VERSION")).to_owned(),
            timing: Timing::default(),
            limits: Limits::default(),
            max_calls: 10_000,
            media_workers: 1,
            media_ports: PortRange::default(),
            impairment: None,
            end_when_silent: None,
            end_when_gone: GONE_AFTER,
            advertise: None,
            max_transactions: TransactionsConfig::default().max_transactions,
            overload: OverloadConfig::default(),
            tap: None,
            locator: Locator::default(),
        }
    }
}

impl EndpointConfig {
    /// Whether it opens TLS connections, and so has a name to show by them.
    fn opens_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.as_ref().is_some_and(|tls| tls.client.is_some());
        #[cfg(not(feature = "tls"))]
        false
    }

    /// What a session needs to know that talks over `flow`.
    pub(super) fn session_for(&self, contact_user: Option<&str>, flow: Flow) -> Arc<SessionConfig> {
        let mut contact = SipUri::new(contact_user, Host::from(flow.local.ip()), Some(flow.local.port()));
        if flow.transport != Transport::Udp {
            contact.params.set("transport", Some(&flow.transport.to_string()));
        }
        Arc::new(SessionConfig {
            timing: self.timing,
            user_agent: ByteStr::from(self.user_agent.as_str()),
            // A call hears keys in RTP alone, and that is how they reach the phone at its other end.
            takes_info: false,
            ..SessionConfig::new(contact)
        })
    }
}

/// An endpoint could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A SIP socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The media threads.
    #[error("cannot start the media workers: {0}")]
    Media(std::io::Error),
}

/// No response to a request outside of a call.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The transaction failed: nobody answered in time, or nothing could be sent.
    #[error("no answer: {0:?}")]
    Failed(Failure),
    /// Too many transactions, or the endpoint is shutting down.
    #[error("the endpoint is overloaded or has stopped")]
    Overloaded,
}

/// What an endpoint holds at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointCounts {
    /// Calls whose actor lives.
    pub calls: usize,
    /// Transactions that have not terminated.
    pub transactions: usize,
    /// TCP and TLS connections that are open.
    pub connections: usize,
    /// RTP ports in use (not those in quarantine).
    pub media_ports: usize,
}

/// A running endpoint. Dropping it stops everything at once; [`Self::shut_down`] does so in order.
#[derive(Debug)]
pub struct Endpoint {
    config: Arc<EndpointConfig>,
    /// In the order of their indices.
    shards: Vec<ShardHandle<Command>>,
    ownership: Ownership,
    /// Where it listens, the address of [`EndpointConfig::listen`] first.
    local: Vec<SocketAddr>,
    /// Where it listens for TLS.
    local_tls: Vec<SocketAddr>,
    addresses: Mutex<LocalAddresses>,
    media: Arc<MediaSource>,
    next_call: Arc<AtomicU64>,
    calls: watch::Receiver<usize>,
    rng: Mutex<StdRng>,
    running: RunningShards,
}

/// Ports that are tried for one that is free for UDP and for TCP, where the system chooses.
const PORTS_TRIED: usize = 16;

/// Peers whose facing address is remembered for outgoing requests.
const REMEMBERED_PEERS: usize = 4_096;

impl Endpoint {
    /// Opens the sockets, starts the media workers and serves `application`.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound or a thread cannot be started.
    pub async fn start(config: EndpointConfig, application: Arc<dyn Application>) -> Result<Self, StartError> {
        let (sockets, streams) = open_sockets(&config)?;
        let mut local: Vec<_> = sockets.iter().map(UdpSocket::local_addr).collect();
        local.dedup();
        let listeners = streams.iter().flat_map(|streams| &streams.listeners);
        let local_tls = listeners.filter(|listener| listener.transport() == Transport::Tls);
        let local_tls: Vec<_> = local_tls.map(TcpListener::local_addr).collect();
        let workers = MediaWorkers::start(config.media_workers).map_err(StartError::Media)?;
        let ports = PortAllocator::new(config.media_ports);
        let media = Arc::new(MediaSource {
            workers,
            ports,
            impairment: config.impairment,
            silent_after: config.end_when_silent,
            gone_after: config.end_when_silent.map(|_| config.end_when_gone),
            advertise: config.advertise,
        });
        let mut rng: StdRng = rand::make_rng();
        let config = Arc::new(config);
        let next_call = Arc::new(AtomicU64::new(1));
        let mut interceptors: VecDeque<_> = (0..sockets.len())
            .map(|_| {
                application.interceptor(ShardPlace {
                    local: &local,
                    tls: &local_tls,
                    advertise: config.advertise,
                    tcp: config.tcp.is_some(),
                    timing: config.timing,
                    rng: StdRng::from_rng(&mut rng),
                })
            })
            .collect();
        let intercepts = interceptors.iter().any(Option::is_some);
        let shard_config = ShardConfig {
            transactions: TransactionsConfig {
                refuse_merged: !intercepts,
                pass_unmatched: intercepts,
                timing: config.timing,
                limits: config.limits.clone(),
                max_transactions: config.max_transactions.div_ceil(sockets.len().max(1)),
                alias: config.opens_tls(),
                ..TransactionsConfig::default()
            },
            overload: config.overload,
            advertise: config.advertise,
            tap: config.tap.clone(),
            locator: config.locator.clone(),
        };
        let (live, calls) = watch::channel(0);
        let live = Arc::new(live);
        let mut shards_rng = StdRng::from_rng(&mut rng);
        let (shards, handles) = Shards::new(sockets, streams, &shard_config, &mut shards_rng, |router, shard| {
            let (application, home, rng) = (application.clone(), Home { router, shard }, StdRng::from_rng(&mut rng));
            Dispatcher::new(application, config.clone(), home, media.clone(), rng, next_call.clone(), live.clone())
                .behind(interceptors.pop_front().flatten())
        });
        Ok(Self {
            config,
            shards: handles,
            ownership: shards.ownership(),
            local,
            local_tls,
            addresses: Mutex::new(LocalAddresses::new(REMEMBERED_PEERS)),
            media,
            next_call,
            calls,
            rng: Mutex::new(rng),
            running: shards.spawn(),
        })
    }

    /// The address of the SIP sockets, with the port that the system chose; of several, that of [`EndpointConfig::listen`].
    pub fn local_addr(&self) -> SocketAddr {
        self.local.first().copied().unwrap_or(self.config.listen)
    }

    /// All addresses of the SIP sockets: that of [`EndpointConfig::listen`], then those of [`EndpointConfig::also_listen`].
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local
    }

    /// The addresses where it listens for TLS, in the order of its configuration, with the ports that the system chose.
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        &self.local_tls
    }

    /// The flow by which `remote` is reached over UDP, with the address of ours that faces it.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] when the system has no way there.
    pub fn flow_to(&self, remote: SocketAddr) -> Result<Flow, NoRoute> {
        self.flow_over(Transport::Udp, remote)
    }

    /// The flow by which `remote` is reached over a transport. Over TCP, a connection is opened when something is sent and there is none;
    /// without [`EndpointConfig::tcp`] sending fails. Over TLS, one that the peer has opened is used, and else sending fails: to open one, it has to be
    /// known who is to be there, and `flow_over_tls` asks that.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] when the system has no way there.
    pub fn flow_over(&self, transport: Transport, remote: SocketAddr) -> Result<Flow, NoRoute> {
        // Without an address of the peer's family nothing reaches it; the sending will say so.
        let same_family = |ours: &&SocketAddr| ours.is_ipv4() == remote.is_ipv4();
        let for_tls = if transport == Transport::Tls { self.local_tls.as_slice() } else { &[] };
        let local = for_tls.iter().chain(&self.local).find(same_family).copied().unwrap_or_else(|| self.local_addr());
        let ip: IpAddr = if let Some(advertise) = self.config.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            advertise
        } else if local.ip().is_unspecified() {
            self.addresses.lock().unwrap_or_else(PoisonError::into_inner).towards(remote)?
        } else {
            local.ip()
        };
        let local = SocketAddr::new(ip, local.port());
        Ok(Flow { transport, local, remote, connection: None })
    }

    /// The flow by which `remote` is reached over TLS, where it has to prove by its certificate that it is `name`: the domain that was looked up, such as
    /// the host of a `sips:` URI, and not what its SRV records name (RFC 5922 §7.3). A connection is opened when something is sent, unless there is one
    /// whose peer has proved the same; without [`TlsConfig::client`] sending fails. Requests and calls that go by the flow lead to that peer for as long as they
    /// last, whatever becomes of the connection.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] when the system has no way there.
    #[cfg(feature = "tls")]
    pub fn flow_over_tls(&self, remote: SocketAddr, name: &PeerName) -> Result<Flow, NoRoute> {
        let Flow { local, .. } = self.flow_over(Transport::Tls, remote)?;
        Ok(self.running.lead_to(local, remote, name))
    }

    /// The flows by which a destination is reached, in the order in which they are to be tried (RFC 3263): UDP, and TCP and TLS if the endpoint has them, to the
    /// kinds of addresses that it has itself. Those that the system has no way to are left out.
    ///
    /// # Errors
    ///
    /// [`ResolveError`], which names the name and the record.
    pub async fn locate(&self, destination: &Destination) -> Result<Vec<Flow>, ResolveError> {
        let mut families = vec![Family::V6, Family::V4];
        families.retain(|family| self.local.iter().any(|local| local.is_ipv4() == (*family == Family::V4)));
        let mut services = vec![Service::Udp];
        if self.config.tcp.is_some() {
            services.push(Service::Tcp);
        }
        if self.config.opens_tls() {
            services.push(Service::Tls);
        }
        let targets = self.config.locator.locate(destination, &Means { services, families }).await?;
        let flow = |target: &Target| match target.service.transport()? {
            #[cfg(feature = "tls")]
            Transport::Tls => self.flow_over_tls(target.address, &target.peer_name()?).ok(),
            transport => self.flow_over(transport, target.address).ok(),
        };
        let flows: Vec<_> = targets.iter().filter_map(flow).collect();
        match (&destination.host, flows.is_empty()) {
            (_, false) => Ok(flows),
            (DestinationHost::Name(name), true) => Err(ResolveError::NoAddress { name: name.clone() }),
            (DestinationHost::Address(_), true) => {
                Err(ResolveError::NoFamily { destination: Box::new(destination.clone()) })
            }
        }
    }

    /// Begins a call of ours: no leg is dialled yet. The handle is the call: dropping it hangs up.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] when the endpoint has stopped or is overloaded.
    pub fn new_call(&self) -> Result<Call, CallError> {
        let key = CallKey(self.next_call.fetch_add(1, Ordering::Relaxed));
        // One after the other; the Call-IDs of its legs follow the shard.
        let count = self.ownership.shards();
        let index = ShardIndex(u16::try_from(key.0 % u64::from(count)).unwrap_or_default());
        let shard = self.shards.get(usize::from(index.0)).ok_or(CallError::Ended)?.clone();
        let home = Home { router: Router::new(self.ownership, index), shard };
        let rng = StdRng::from_rng(&mut *self.rng.lock().unwrap_or_else(PoisonError::into_inner));
        let (actor, mailbox, call) = connect(key, self.config.clone(), home.clone(), self.media.clone(), rng, None);
        let started = Command::CallStarted { call: key, mailbox, actor };
        home.shard.try_send(started).map_err(|_| CallError::Ended)?;
        Ok(call)
    }

    /// Sends a request outside of any call and waits for its final response. The request needs no Via: the transaction layer puts one.
    ///
    /// # Errors
    ///
    /// When nobody answers in 64 × T1, nothing can be sent, or the endpoint is overloaded.
    pub async fn request(&self, request: Request, flow: Flow) -> Result<Response, RequestError> {
        self.send_request(request, RequestWay::Flow(flow)).await.map(|(response, _)| response)
    }

    /// Sends a request outside of any call to the first of several ways ([`Self::locate`]), and to the next when one fails (RFC 3263 §4.3). Waits for
    /// the final response, and tells by which of them it came: what belongs to the same matter should go there, such as the answer to a challenge.
    ///
    /// # Errors
    ///
    /// When none of them answers, each in 64 × T1, nothing can be sent, or the endpoint is overloaded.
    pub async fn request_by(&self, request: Request, flows: Vec<Flow>) -> Result<(Response, Flow), RequestError> {
        self.send_request(request, RequestWay::Located(flows)).await
    }

    async fn send_request(&self, request: Request, way: RequestWay) -> Result<(Response, Flow), RequestError> {
        let (reply, response) = oneshot::channel();
        // Its responses come to the owner of its Call-ID.
        let owner = usize::from(self.ownership.owner_of(request.call_id().as_bytes()).0);
        let shard = self.shards.get(owner).ok_or(RequestError::Overloaded)?;
        let command = Command::Request { request: Box::new(request), way, reply };
        shard.try_send(command).map_err(|_| RequestError::Overloaded)?;
        response.await.map_err(|_| RequestError::Overloaded)?
    }

    /// The SIP timers that it keeps.
    pub fn timing(&self) -> Timing {
        self.config.timing
    }

    /// What it calls itself.
    pub fn user_agent(&self) -> &str {
        &self.config.user_agent
    }

    /// How many calls there are, without asking the shards.
    pub fn live_calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// Waits until no call is left, or the endpoint has stopped.
    pub async fn idle(&self) {
        // An error means that the shards are gone, and every call with it.
        let _ = self.calls.clone().wait_for(|calls| *calls == 0).await;
    }

    /// Refuses new calls, ends those that are there with BYE, CANCEL or a refusal, and stops when the last is gone or `patience` is over.
    pub async fn shut_down(self, patience: Duration) {
        let mut runs = false;
        for shard in &self.shards {
            runs |= shard.send(Command::ShutDown).await.is_ok();
        }
        if runs && tokio::time::timeout(patience, self.idle()).await.is_err() {
            tracing::warn!("calls were left after {patience:?}; they are dropped");
        }
    }

    /// A look at this endpoint that others may keep: it outlives it, and keeps nothing of it running.
    pub fn probe(&self) -> Probe {
        Probe::new(self.shards.clone(), self.running.watch(), &self.media)
    }

    /// What is alive at this moment; `None` when the endpoint has stopped.
    pub async fn counts(&self) -> Option<EndpointCounts> {
        let (mut calls, mut transactions) = (0, 0);
        for shard in &self.shards {
            let (reply, counts) = oneshot::channel();
            shard.try_send(Command::Count { reply }).ok()?;
            let counts = counts.await.ok()?;
            (calls, transactions) = (calls + counts.calls, transactions + counts.transactions);
        }
        let connections = self.running.connections();
        Some(EndpointCounts { calls, transactions, connections, media_ports: self.media.ports.in_use() })
    }
}

/// Binds, for each address, a UDP socket a shard and, if wanted, a TCP listener, all on one port; and the listeners for TLS.
fn open_sockets(config: &EndpointConfig) -> Result<(Vec<UdpSocket>, Option<Streams>), BindError> {
    let (mut sockets, mut listeners) = (Vec::new(), Vec::new());
    for &address in std::iter::once(&config.listen).chain(&config.also_listen) {
        let (more, listener) = open_address(address, config)?;
        sockets.extend(more);
        listeners.extend(listener);
    }
    let limits = config.tcp;
    #[cfg(feature = "tls")]
    let limits = limits.or(config.tls.as_ref().map(|tls| tls.limits));
    #[cfg(feature = "tls")]
    for (address, server) in config.tls.iter().flat_map(|tls| &tls.listeners) {
        let listener = TcpListener::bind(*address).map_err(|error| BindError { transport: Transport::Tls, ..error })?;
        listeners.push(listener.with_tls(server.clone()));
    }
    let Some(mut limits) = limits else { return Ok((sockets, None)) };
    limits.framer = FramerLimits {
        max_header_section: config.limits.max_start_line.saturating_add(config.limits.max_header_section),
        max_message: config.limits.max_message,
    };
    let streams = Streams::new(listeners, limits);
    #[cfg(feature = "tls")]
    let streams = Streams { tls: config.tls.as_ref().and_then(|tls| tls.client.clone()), ..streams };
    Ok((sockets, Some(streams)))
}

fn open_address(
    listen: SocketAddr,
    config: &EndpointConfig,
) -> Result<(Vec<UdpSocket>, Option<TcpListener>), BindError> {
    let mut tries = if listen.port() == 0 { PORTS_TRIED } else { 1 };
    loop {
        tries -= 1;
        let sockets = UdpSocket::bind_shared(listen, config.shards)?;
        if config.tcp.is_none() {
            return Ok((sockets, None));
        }
        let mut address = listen;
        address.set_port(sockets.first().map_or(address.port(), |socket| socket.local_addr().port()));
        match TcpListener::bind(address) {
            Ok(listener) => return Ok((sockets, Some(listener))),
            // Somebody else has that port for TCP.
            Err(error) if tries == 0 || error.source.kind() != std::io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => {}
        }
    }
}
