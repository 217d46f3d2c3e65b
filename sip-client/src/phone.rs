//! A phone: one account, one socket, calls out and calls in.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use blether_rtp_core::{Impairment, JitterBuffer, JitterConfig, JitterConfigError, PortRange};
use blether_session_core::actor::{
    Admission, Answer, Application, CallError, Dial, Endpoint, EndpointConfig, Responder, StartError,
};
use blether_session_core::{NextHop, RegistrationFailure};
use blether_sip_core::{NameAddr, Request, Response, StatusCode};
use blether_sip_transport::resolve::{Destination, DestinationHost, Family, Means, Protocol, ResolveError, Service};
use blether_sip_transport::{ConnectionLimits, Flow, LocalAddresses, NoRoute, Transport};
use blether_transaction_core::{Locator, Timing, WireTap};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::account::{Account, BadTarget};
use crate::call::{PhoneCall, phone_media};
use crate::registration::{RegisterError, Registered, RegistrationLoop, RegistrationState, RegistrationWatch};
use crate::server::Server;
use crate::waiting::{NoPlace, WaitingCalls};

/// Calls at a time, out and in. A person has one or two; this leaves room for a program that calls many.
const MAX_CALLS: usize = 64;

/// How a [`Phone`] is set up.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Who it is.
    pub account: Account,
    /// Where it listens. Default: a port that the system chooses, on the address that faces the server.
    pub listen: Option<SocketAddr>,
    /// How it speaks with its server: by UDP or TCP, not by TLS. Default: UDP. With TCP it also listens for connections, on the port that it has for UDP: a server whose
    /// connection is gone opens another.
    pub transport: Transport,
    /// Ports for RTP. Default: whatever the system chooses.
    pub media_ports: PortRange,
    /// Whether calls that do not come from the account's server are taken. Default: no; the server knows who calls.
    pub accept_from_anyone: bool,
    /// SIP timers.
    pub timing: Timing,
    /// How the sound that is heard is delayed to hide jitter.
    pub jitter: JitterConfig,
    /// What is done to the sound on its way out, to show how a call fares on a bad network.
    pub impairment: Option<Impairment>,
    /// Who is asked where the server's name leads, if it has one. Default: `None`, the name servers of the system (feature `dns`, on by default;
    /// without it only addresses lead anywhere).
    pub locator: Option<Locator>,
    /// Who is shown every SIP message as it comes and goes. It is called in the phone's signalling task and must be quick.
    pub tap: Option<WireTap>,
}

impl PhoneConfig {
    /// A phone for `account`, with the default of everything else.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            listen: None,
            transport: Transport::Udp,
            media_ports: PortRange::system_chosen(),
            accept_from_anyone: false,
            timing: Timing::default(),
            jitter: JitterConfig::default(),
            impairment: None,
            locator: None,
            tap: None,
        }
    }
}

/// Why a phone cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It is to listen on an IPv4 address, and its server has an IPv6 address, or the other way round.
    #[error(
        "{server} cannot be reached from {listen}: one is IPv4, the other IPv6; listen on an address of the same kind"
    )]
    OtherFamily {
        /// Where it was to listen.
        listen: SocketAddr,
        /// Its server.
        server: SocketAddr,
    },
    /// The server cannot be reached from here.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// [`PhoneConfig::transport`] is TLS, which a phone does not speak.
    #[error("a phone does not speak TLS; it speaks UDP and TCP")]
    NoTls,
    /// The server's name leads nowhere.
    #[error("the server cannot be found: {0}")]
    NoServer(#[from] ResolveError),
    /// The name servers of the system are not known.
    #[error("the server cannot be found: {0}")]
    NoNameServer(String),
    /// What was to be called is no address.
    #[error(transparent)]
    BadTarget(#[from] BadTarget),
    /// The call could not be placed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// [`PhoneConfig::jitter`] contradicts itself.
    #[error(transparent)]
    Jitter(#[from] JitterConfigError),
}

/// A phone. Dropping it ends everything at once, calls included, and tells nobody; [`Self::shut_down`] says goodbye.
#[derive(Debug)]
pub struct Phone {
    endpoint: Arc<Endpoint>,
    account: Arc<Account>,
    server: Arc<Server>,
    waiting: Arc<WaitingCalls>,
    registration: Option<RegistrationLoop>,
    jitter: JitterConfig,
    states: watch::Sender<RegistrationState>,
}

impl Phone {
    /// Starts a phone. Must be called on a tokio runtime; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When its address cannot be bound, the server's cannot be reached, or the configuration contradicts itself.
    pub async fn start(config: PhoneConfig) -> Result<Self, PhoneError> {
        JitterBuffer::new(config.jitter)?;
        let locator = match config.locator {
            Some(locator) => locator,
            None => locator_for(&config.account.server.host)?,
        };
        let protocol = match config.transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
            // Whoever asks for it is not to be sent in clear.
            Transport::Tls => return Err(PhoneError::NoTls),
        };
        let destination = Destination { transport: Some(protocol), ..config.account.server.clone() };
        let listen = match config.listen {
            Some(listen) => listen,
            None => SocketAddr::new(facing(&locator, &destination).await?, 0),
        };
        if let DestinationHost::Address(server) = destination.host
            && listen.is_ipv4() != server.is_ipv4()
        {
            return Err(PhoneError::OtherFamily {
                listen,
                server: SocketAddr::new(server, destination.port.unwrap_or(5060)),
            });
        }
        let waiting = Arc::new(WaitingCalls::default());
        let endpoint_config = EndpointConfig {
            listen,
            tcp: (config.transport == Transport::Tcp).then(ConnectionLimits::default),
            timing: config.timing,
            media_ports: config.media_ports,
            impairment: config.impairment,
            tap: config.tap,
            max_calls: MAX_CALLS,
            locator,
            ..EndpointConfig::default()
        };
        let known = Arc::new(OnceLock::new());
        let only_from = (!config.accept_from_anyone).then(|| known.clone());
        let incoming = Incoming { waiting: waiting.clone(), only_from };
        let endpoint = Arc::new(Endpoint::start(endpoint_config, Arc::new(incoming)).await?);
        let server = Arc::new(Server::new(&endpoint, destination).await?);
        // It was empty; until here, nobody was known to be the server.
        let _ = known.set(server.clone());
        let (states, _) = watch::channel(RegistrationState::Unregistered);
        let (account, jitter) = (Arc::new(config.account), config.jitter);
        Ok(Self { endpoint, account, server, waiting, registration: None, jitter, states })
    }

    /// The address of its SIP socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// Registers with the server and keeps the registration alive until [`Self::unregister`] or the end of the phone. Returns when the
    /// server has answered the first time, after 64 × T1 (32 s) at the latest; of a name with several servers, after as much for each of those
    /// that are silent. A second call registers anew.
    ///
    /// When the future is dropped before, the server may have registered the phone without anybody renewing it.
    ///
    /// # Errors
    ///
    /// What the server said, or that it said nothing. The phone does not try again by itself then.
    pub async fn register(&mut self) -> Result<Registered, RegisterError> {
        let (endpoint, states) = (self.endpoint.clone(), self.states.clone());
        let (registration, registered) =
            RegistrationLoop::start(endpoint, &self.account, self.server.clone(), states).await?;
        self.registration = Some(registration);
        Ok(registered)
    }

    /// Shows whether the registration is being renewed, or was lost.
    pub fn watch_registration(&self) -> RegistrationWatch {
        RegistrationWatch::new(&self.states)
    }

    /// Takes the registration back, and waits for the server's word for up to 64 × T1 (32 s). Does nothing when there is none.
    ///
    /// # Errors
    ///
    /// What the server said, or that it said nothing; it will forget the phone when the registration's time is over.
    pub async fn unregister(&mut self) -> Result<(), RegisterError> {
        match self.registration.take() {
            Some(registration) => registration.stop().await,
            None => Ok(()),
        }
    }

    /// Refuses new calls and those that nobody has looked at (480), takes the registration back, waits until every call has said
    /// goodbye, and stops, with or without these after `patience`. Calls that the application holds it hangs up itself, or drops.
    ///
    /// # Errors
    ///
    /// As [`Self::unregister`]; [`RegistrationFailure::TimedOut`] when the server did not answer within `patience`. The phone has stopped.
    pub async fn shut_down(mut self, patience: Duration) -> Result<(), RegisterError> {
        let deadline = tokio::time::Instant::now() + patience;
        self.waiting.close();
        let removed = match timeout_at(deadline, self.unregister()).await {
            Ok(removed) => removed,
            Err(_) => Err(RegistrationFailure::TimedOut.into()),
        };
        if timeout_at(deadline, self.endpoint.idle()).await.is_err() {
            tracing::debug!("the phone stops in the middle of a call");
        }
        removed
    }

    /// Calls `target`: a number, a name, or a SIP URI. Returns at once; the call's events tell how it goes on.
    ///
    /// # Errors
    ///
    /// When the target is no address, or no media can be opened.
    pub async fn call(&self, target: &str) -> Result<PhoneCall, PhoneError> {
        let request_uri = self.account.target(target)?;
        let targets = self.server.ways(&self.endpoint).await;
        let flow = targets.first().copied().ok_or(CallError::Ended)?;
        let mut call = self.endpoint.new_call()?;
        let dial = Dial {
            to: NameAddr::new(request_uri.clone()),
            request_uri,
            from: self.account.identity(),
            route: Vec::new(),
            flow,
            targets,
            next_hop: NextHop::Routed,
            credentials: Some(self.account.credentials()),
            ring_timeout: None,
            max_forwards: 70,
            media: phone_media(),
        };
        call.dial(dial).await?;
        Ok(PhoneCall::new(call, self.jitter))
    }

    /// Waits for the next call; one whose caller has given up meanwhile is passed over. Up to four calls wait here, a further caller hears
    /// that the phone is busy (486). `None` when the phone's endpoint has stopped, which it does not by itself. Cancel safe.
    pub async fn incoming(&mut self) -> Option<PhoneCall> {
        Some(PhoneCall::new(self.waiting.next().await?, self.jitter))
    }
}

/// Whom to ask about a host: of an address nobody.
fn locator_for(host: &DestinationHost) -> Result<Locator, PhoneError> {
    match host {
        DestinationHost::Address(_) => Ok(Locator::default()),
        #[cfg(feature = "dns")]
        DestinationHost::Name(_) => {
            use blether_sip_transport::resolve::{Resolver, ResolverConfig};
            let resolver = Resolver::new(ResolverConfig::default());
            Ok(Locator::new(resolver.map_err(|error| PhoneError::NoNameServer(error.to_string()))?))
        }
        #[cfg(not(feature = "dns"))]
        DestinationHost::Name(_) => Ok(Locator::default()),
    }
}

/// Our address that faces the server; of a server with addresses of both kinds, the one that faces the first IPv4 address.
async fn facing(locator: &Locator, destination: &Destination) -> Result<IpAddr, PhoneError> {
    let means = Means { services: vec![Service::Udp, Service::Tcp], families: vec![Family::V4, Family::V6] };
    let targets = locator.locate(destination, &means).await?;
    let first = targets.iter().find(|target| target.address.is_ipv4()).or(targets.first());
    let remote = first.ok_or_else(|| ResolveError::NoFamily { destination: Box::new(destination.clone()) })?.address;
    Ok(LocalAddresses::new(1).towards(remote)?)
}

/// What a phone does with requests that belong to no call.
struct Incoming {
    waiting: Arc<WaitingCalls>,
    /// The server, once it is known, where nobody else may call.
    only_from: Option<Arc<OnceLock<Arc<Server>>>>,
}

impl Application for Incoming {
    fn on_invite(&self, _now: Instant, invite: &Request, flow: Flow) -> Admission {
        let refuse = |status| Admission::refuse(Response::to_request(invite, status).build());
        let is_server =
            |known: &Arc<OnceLock<Arc<Server>>>| known.get().is_some_and(|server| server.is_at(flow.remote.ip()));
        if self.only_from.as_ref().is_some_and(|known| !is_server(known)) {
            tracing::info!(source = %flow.remote, "a call from a stranger is refused");
            return refuse(StatusCode::FORBIDDEN);
        }
        match self.waiting.reserve() {
            Ok(place) => Admission::accept(|call| async move {
                place.seat(call);
                // The end of the call ends this, and gives back the place if the call still has it.
                pending().await
            }),
            Err(NoPlace::Full) => refuse(StatusCode::BUSY_HERE),
            Err(NoPlace::Closed) => refuse(StatusCode::TEMPORARILY_UNAVAILABLE),
        }
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow, _responder: Responder) -> Answer {
        Answer::NotServed
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.waiting.close();
    }
}
