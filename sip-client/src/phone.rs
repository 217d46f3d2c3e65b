//! A phone: one account, one socket, calls out and calls in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use blether_rtp_core::{Impairment, PortRange};
use blether_session_core::NextHop;
use blether_session_core::actor::{
    Admission, Application, Call, CallError, Dial, Endpoint, EndpointConfig, StartError,
};
use blether_sip_core::{NameAddr, Request, Response, StatusCode};
use blether_sip_transport::{Flow, NoRoute};
use blether_transaction_core::Timing;
use tokio::sync::mpsc;

use crate::account::{Account, BadTarget};
use crate::call::{PhoneCall, phone_media};
use crate::registration::{RegisterError, Registered, RegistrationLoop};

/// Calls that may wait to be looked at; a phone that does not look is busy (486).
const WAITING_CALLS: usize = 4;

/// How a [`Phone`] is set up.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Who it is.
    pub account: Account,
    /// Where it listens. Default: a port that the system chooses, on the address that faces the server.
    pub listen: Option<SocketAddr>,
    /// Ports for RTP. Default: whatever the system chooses.
    pub media_ports: PortRange,
    /// Whether calls that do not come from the account's server are taken. Default: no; the server knows who calls.
    pub accept_from_anyone: bool,
    /// SIP timers.
    pub timing: Timing,
    /// What is done to the sound on its way out, to show how a call fares on a bad network.
    pub impairment: Option<Impairment>,
}

impl PhoneConfig {
    /// A phone for `account`, with the default of everything else.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            listen: None,
            media_ports: PortRange::system_chosen(),
            accept_from_anyone: false,
            timing: Timing::default(),
            impairment: None,
        }
    }
}

/// Why a phone cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server cannot be reached from here.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// What was to be called is no address.
    #[error(transparent)]
    BadTarget(#[from] BadTarget),
    /// The call could not be placed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A phone. Dropping it ends everything at once, calls included.
#[derive(Debug)]
pub struct Phone {
    endpoint: Arc<Endpoint>,
    account: Arc<Account>,
    to_server: Flow,
    calls: mpsc::Receiver<Call>,
    registration: Option<RegistrationLoop>,
}

impl Phone {
    /// Starts a phone. Must be called on a tokio runtime; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When its address cannot be bound, or the server's cannot be reached.
    pub async fn start(config: PhoneConfig) -> Result<Self, PhoneError> {
        let server = config.account.server;
        let listen = match config.listen {
            Some(listen) => listen,
            None => SocketAddr::new(blether_sip_transport::LocalAddresses::new(1).towards(server)?, 0),
        };
        let (waiting, calls) = mpsc::channel(WAITING_CALLS);
        let only_from = (!config.accept_from_anyone).then_some(server.ip());
        let endpoint_config = EndpointConfig {
            listen,
            timing: config.timing,
            media_ports: config.media_ports,
            impairment: config.impairment,
            max_calls: 64,
            ..EndpointConfig::default()
        };
        let endpoint = Arc::new(Endpoint::start(endpoint_config, Arc::new(Incoming { waiting, only_from })).await?);
        let to_server = endpoint.flow_to(server)?;
        Ok(Self { endpoint, account: Arc::new(config.account), to_server, calls, registration: None })
    }

    /// The address of its SIP socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// Registers with the server and keeps the registration alive until [`Self::unregister`] or the end of the phone. Returns when the
    /// server has answered the first time.
    ///
    /// # Errors
    ///
    /// What the server said, or that it said nothing. The phone does not try again by itself then.
    pub async fn register(&mut self) -> Result<Registered, RegisterError> {
        let (registration, registered) =
            RegistrationLoop::start(self.endpoint.clone(), &self.account, self.to_server).await?;
        self.registration = Some(registration);
        Ok(registered)
    }

    /// Takes the registration back. Does nothing when there is none.
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

    /// Calls `target`: a number, a name, or a SIP URI. Returns at once; the call's events tell how it goes on.
    ///
    /// # Errors
    ///
    /// When the target is no address, or no media can be opened.
    pub async fn call(&self, target: &str) -> Result<PhoneCall, PhoneError> {
        let request_uri = self.account.target(target)?;
        let mut call = self.endpoint.new_call()?;
        let dial = Dial {
            to: NameAddr::new(request_uri.clone()),
            request_uri,
            from: self.account.identity(),
            route: Vec::new(),
            flow: self.to_server,
            next_hop: NextHop::Routed,
            credentials: Some(self.account.credentials()),
            ring_timeout: None,
            max_forwards: 70,
            media: phone_media(),
        };
        call.dial(dial).await?;
        Ok(PhoneCall::outgoing(call))
    }

    /// Waits for the next call. `None` never comes while the phone lives.
    pub async fn incoming(&mut self) -> Option<PhoneCall> {
        Some(PhoneCall::incoming(self.calls.recv().await?))
    }
}

/// What a phone does with requests that belong to no call.
struct Incoming {
    waiting: mpsc::Sender<Call>,
    only_from: Option<IpAddr>,
}

impl Application for Incoming {
    fn on_invite(&self, _now: Instant, invite: &Request, flow: Flow) -> Admission {
        if self.only_from.is_some_and(|server| server != flow.remote.ip()) {
            tracing::info!(source = %flow.remote, "a call from a stranger is refused");
            return Admission::refuse(Response::to_request(invite, StatusCode::FORBIDDEN).build());
        }
        let Ok(place) = self.waiting.clone().try_reserve_owned() else {
            return Admission::refuse(Response::to_request(invite, StatusCode::BUSY_HERE).build());
        };
        Admission::accept(|call| async move {
            place.send(call);
            Ok(())
        })
    }

    fn on_request(&self, _now: Instant, _request: &Request, _flow: Flow) -> Option<Response> {
        None
    }
}
