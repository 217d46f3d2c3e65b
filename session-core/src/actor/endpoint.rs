//! A SIP endpoint: a shard of the transaction layer, the media workers, and the calls between them.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use blether_rtp_core::{Impairment, MediaWorkers, PortAllocator, PortRange};
use blether_sip_core::{ByteStr, Host, Limits, Request, Response, SipUri};
use blether_sip_transport::{BindError, Flow, LocalAddresses, NoRoute, Transport, UdpSocket};
use blether_transaction_core::{Failure, Shard, ShardConfig, ShardHandle, Timing, TransactionsConfig, WireTap};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::CallKey;
use super::application::Application;
use super::call::{Call, CallError};
use super::dispatcher::{Command, Dispatcher, connect};
use super::media::MediaSource;
use crate::SessionConfig;

/// How an [`Endpoint`] is set up.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// What it calls itself in User-Agent and Server.
    pub user_agent: String,
    /// T1, T2 and T4 (RFC 3261 §17.1.1.1).
    pub timing: Timing,
    /// What a message may measure.
    pub limits: Limits,
    /// Calls at a time; over it an INVITE gets 503. Each holds a task, two sockets and some tens of kilobytes.
    pub max_calls: usize,
    /// Threads that move media.
    pub media_workers: usize,
    /// Ports for RTP.
    pub media_ports: PortRange,
    /// What is done to packets that leave, to show how calls fare on a bad network; `None` for every real use.
    pub impairment: Option<Impairment>,
    /// After how long a call ends of which nothing is heard, neither of a leg nor of the one that it is bridged with. `None`, the default,
    /// leaves that to the people on it; a server has nobody to notice.
    pub end_when_silent: Option<Duration>,
    /// The address that stands in SIP and SDP instead of the one that faces the peer, for a machine behind a NAT.
    pub advertise: Option<IpAddr>,
    /// Transactions at a time; see [`TransactionsConfig::max_transactions`].
    pub max_transactions: usize,
    /// Who is shown every SIP datagram.
    pub tap: Option<WireTap>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            user_agent: concat!("Blether/", env!("CARGO_PKG_VERSION")).to_owned(),
            timing: Timing::default(),
            limits: Limits::default(),
            max_calls: 10_000,
            media_workers: 1,
            media_ports: PortRange::default(),
            impairment: None,
            end_when_silent: None,
            advertise: None,
            max_transactions: TransactionsConfig::default().max_transactions,
            tap: None,
        }
    }
}

impl EndpointConfig {
    /// What a session needs to know that talks over `flow`.
    pub(super) fn session_for(&self, contact_user: Option<&str>, flow: Flow) -> Arc<SessionConfig> {
        let contact = SipUri::new(contact_user, Host::from(flow.local.ip()), Some(flow.local.port()));
        Arc::new(SessionConfig {
            timing: self.timing,
            user_agent: ByteStr::from(self.user_agent.as_str()),
            ..SessionConfig::new(contact)
        })
    }
}

/// An endpoint could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The SIP socket.
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
    /// RTP ports in use (not those in quarantine).
    pub media_ports: usize,
}

/// A running endpoint. Dropping it stops everything at once; [`Self::shut_down`] does so in order.
#[derive(Debug)]
pub struct Endpoint {
    config: Arc<EndpointConfig>,
    shard: ShardHandle<Command>,
    local: SocketAddr,
    addresses: Mutex<LocalAddresses>,
    media: Arc<MediaSource>,
    next_call: Arc<AtomicU64>,
    calls: watch::Receiver<usize>,
    rng: Mutex<StdRng>,
    task: JoinHandle<()>,
}

/// Peers whose facing address is remembered for outgoing requests.
const REMEMBERED_PEERS: usize = 4_096;

impl Endpoint {
    /// Opens the socket, starts the media workers and serves `application`.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound or a thread cannot be started.
    pub async fn start(config: EndpointConfig, application: Arc<dyn Application>) -> Result<Self, StartError> {
        let socket = UdpSocket::bind(config.listen)?;
        let local = socket.local_addr();
        let workers = MediaWorkers::start(config.media_workers).map_err(StartError::Media)?;
        let ports = PortAllocator::new(config.media_ports);
        let media = Arc::new(MediaSource {
            workers,
            ports,
            impairment: config.impairment,
            silent_after: config.end_when_silent,
            advertise: config.advertise,
        });
        let mut rng: StdRng = rand::make_rng();
        let config = Arc::new(config);
        let next_call = Arc::new(AtomicU64::new(1));
        let shard_config = ShardConfig {
            transactions: TransactionsConfig {
                timing: config.timing,
                limits: config.limits.clone(),
                max_transactions: config.max_transactions,
            },
            advertise: config.advertise,
            tap: config.tap.clone(),
        };
        let (live, calls) = watch::channel(0);
        let dispatcher_rng = StdRng::from_rng(&mut rng);
        let (shard, handle) = Shard::new(socket, shard_config, StdRng::from_rng(&mut rng), |handle| {
            Dispatcher::new(application, config.clone(), handle, media.clone(), dispatcher_rng, next_call.clone(), live)
        });
        let task = tokio::spawn(shard.run());
        Ok(Self {
            config,
            shard: handle,
            local,
            addresses: Mutex::new(LocalAddresses::new(REMEMBERED_PEERS)),
            media,
            next_call,
            calls,
            rng: Mutex::new(rng),
            task,
        })
    }

    /// The address of the SIP socket, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The flow by which `remote` is reached, with the address of ours that faces it.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] when the system has no way there.
    pub fn flow_to(&self, remote: SocketAddr) -> Result<Flow, NoRoute> {
        let ip: IpAddr = if let Some(advertise) = self.config.advertise {
            advertise
        } else if self.local.ip().is_unspecified() {
            self.addresses.lock().unwrap_or_else(PoisonError::into_inner).towards(remote)?
        } else {
            self.local.ip()
        };
        Ok(Flow { transport: Transport::Udp, local: SocketAddr::new(ip, self.local.port()), remote })
    }

    /// Begins a call of ours: no leg is dialled yet. The handle is the call: dropping it hangs up.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] when the endpoint has stopped or is overloaded.
    pub fn new_call(&self) -> Result<Call, CallError> {
        let key = CallKey(self.next_call.fetch_add(1, Ordering::Relaxed));
        let rng = StdRng::from_rng(&mut *self.rng.lock().unwrap_or_else(PoisonError::into_inner));
        let (actor, mailbox, call) =
            connect(key, self.config.clone(), self.shard.clone(), self.media.clone(), rng, None);
        let started = Command::CallStarted { call: key, mailbox, actor: Box::new(actor) };
        self.shard.try_send(started).map_err(|_| CallError::Ended)?;
        Ok(call)
    }

    /// Sends a request outside of any call and waits for its final response. The request needs no Via: the transaction layer puts one.
    ///
    /// # Errors
    ///
    /// When nobody answers in 64 × T1, nothing can be sent, or the endpoint is overloaded.
    pub async fn request(&self, request: Request, flow: Flow) -> Result<Response, RequestError> {
        let (reply, response) = oneshot::channel();
        let command = Command::Request { request: Box::new(request), flow, reply };
        self.shard.try_send(command).map_err(|_| RequestError::Overloaded)?;
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

    /// Waits until no call is left, or the endpoint has stopped.
    pub async fn idle(&self) {
        // An error means that the shard is gone, and every call with it.
        let _ = self.calls.clone().wait_for(|calls| *calls == 0).await;
    }

    /// Refuses new calls, ends those that are there with BYE, CANCEL or a refusal, and stops when the last is gone or `patience` is over.
    pub async fn shut_down(self, patience: Duration) {
        if self.shard.send(Command::ShutDown).await.is_ok()
            && tokio::time::timeout(patience, self.idle()).await.is_err()
        {
            tracing::warn!("calls were left after {patience:?}; they are dropped");
        }
    }

    /// What is alive at this moment; `None` when the endpoint has stopped.
    pub async fn counts(&self) -> Option<EndpointCounts> {
        let (reply, counts) = oneshot::channel();
        self.shard.try_send(Command::Count { reply }).ok()?;
        let (calls, transactions) = counts.await.ok()?;
        Some(EndpointCounts { calls, transactions, media_ports: self.media.ports.in_use() })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}
