//! Keeps an account registered: drives the session layer's registration machine, which decides everything.

use std::future::{Future, pending};
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_session_core::actor::{Endpoint, RequestError};
use blether_session_core::{
    DialogError, Registration, RegistrationConfig, RegistrationEvent, RegistrationFailure, RequestToken,
};
use blether_sip_core::{ByteStr, Host, Response, SipUri, StatusCode};
use blether_sip_transport::{Flow, Transport};
use blether_transaction_core::Failure;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::account::Account;
use crate::server::Server;

/// A registration that the server has granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// For how long; the phone renews it in time.
    pub expires: Duration,
}

/// Why a phone is not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// What the server said, or that it said nothing.
    #[error(transparent)]
    Failed(#[from] RegistrationFailure),
    /// The account cannot be put into a request.
    #[error("the account makes no REGISTER: {0}; check user, domain and display name")]
    Account(#[from] DialogError),
    /// The endpoint has stopped.
    #[error("the phone has stopped")]
    Stopped,
}

/// How a phone stands with its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationState {
    /// It was never registered, or has taken the registration back.
    Unregistered,
    /// The server has (again) granted a registration.
    Registered {
        /// For how long; the phone renews it in time.
        expires: Duration,
    },
    /// The registration could not be renewed. What was granted before may still stand for a while.
    Lost {
        /// Why.
        failure: RegistrationFailure,
        /// When the phone tries again; `None` when it does not, because the server would say the same.
        retry_in: Option<Duration>,
    },
}

/// Shows how a [`Phone`](crate::Phone) stands with its server. Cheap to clone; each clone sees every change for itself.
#[derive(Clone, Debug)]
pub struct RegistrationWatch(watch::Receiver<RegistrationState>);

impl RegistrationWatch {
    pub(crate) fn new(states: &watch::Sender<RegistrationState>) -> Self {
        Self(states.subscribe())
    }

    /// How things stand.
    pub fn current(&self) -> RegistrationState {
        self.0.borrow().clone()
    }

    /// Waits for the next change, which each renewal is, and tells how things stand then: of changes in quick succession only the last is
    /// seen. `None` when the phone is gone. Cancel safe.
    pub async fn changed(&mut self) -> Option<RegistrationState> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }
}

/// The task that keeps one account registered; dropping it stops refreshing and tells the server nothing.
#[derive(Debug)]
pub(crate) struct RegistrationLoop {
    stop: Option<oneshot::Sender<Removed>>,
    task: JoinHandle<()>,
}

/// Whom to tell that the registration has been taken back.
type Removed = oneshot::Sender<Result<(), RegisterError>>;

impl RegistrationLoop {
    /// Registers, and goes on doing so if the first attempt succeeds.
    pub(crate) async fn start(
        endpoint: Arc<Endpoint>,
        account: &Account,
        server: Arc<Server>,
        states: watch::Sender<RegistrationState>,
    ) -> Result<(Self, Registered), RegisterError> {
        let to_server = server.way().ok_or(RegisterError::Stopped)?;
        let config = RegistrationConfig {
            expires: account.expires,
            credentials: Some(account.credentials()),
            timing: endpoint.timing(),
            user_agent: ByteStr::from(endpoint.user_agent()),
            ..RegistrationConfig::new(
                registrar_of(account),
                account.identity(),
                contact_of(account, to_server),
                ByteStr::from(format!("{:032x}", rand::random::<u128>())),
                to_server,
            )
        };
        let registration = Registration::new(config, rand::make_rng());
        let mut driver = Driver { endpoint, server, registration, under_way: None, last: None, states };
        driver.registration.start(Instant::now())?;
        let event = driver.next_event().await;
        driver.tell(&event);
        let registered = match event {
            RegistrationEvent::Registered { expires } => Registered { expires },
            RegistrationEvent::Failed { failure, .. } => return Err(failure.into()),
            _ => return Err(RegisterError::Stopped),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(driver.keep(stopped));
        Ok((Self { stop: Some(stop), task }, registered))
    }

    /// Takes the registration back and waits until the server has answered, or has had its time to.
    pub(crate) async fn stop(mut self) -> Result<(), RegisterError> {
        let (done, removed) = oneshot::channel();
        let stop = self.stop.take().ok_or(RegisterError::Stopped)?;
        stop.send(done).map_err(|_| RegisterError::Stopped)?;
        removed.await.map_err(|_| RegisterError::Stopped)?
    }
}

impl Drop for RegistrationLoop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address of the registrar: the account's domain without a user (RFC 3261 §10.2).
fn registrar_of(account: &Account) -> SipUri {
    SipUri { user: None, ..account.address_of_record() }
}

/// Where the phone is reached: over the transport by which it registers (RFC 3261 §19.1.1: UDP unless the URI says otherwise).
fn contact_of(account: &Account, to_server: Flow) -> SipUri {
    let Flow { transport, local, .. } = to_server;
    let mut contact = SipUri::new(Some(&account.user), Host::from(local.ip()), Some(local.port()));
    if transport != Transport::Udp {
        contact.params.set("transport", Some(&transport.to_string()));
    }
    contact
}

/// A REGISTER that has no answer yet.
struct UnderWay {
    token: RequestToken,
    answer: Pin<Box<dyn Future<Output = Result<Response, RequestError>> + Send>>,
}

struct Driver {
    endpoint: Arc<Endpoint>,
    server: Arc<Server>,
    registration: Registration,
    under_way: Option<UnderWay>,
    /// What became of the last REGISTER, for the one that takes the registration back: the machine does not tell.
    last: Option<Result<StatusCode, RegistrationFailure>>,
    states: watch::Sender<RegistrationState>,
}

impl Driver {
    /// Does what the machine asks until it has something to say. Cancel safe.
    async fn next_event(&mut self) -> RegistrationEvent {
        loop {
            if let Some(event) = self.registration.poll_event() {
                return event;
            }
            if let Some(transmit) = self.registration.poll_transmit() {
                let (endpoint, server) = (self.endpoint.clone(), self.server.clone());
                let answer = Box::pin(async move {
                    let ways = server.ways(&endpoint).await;
                    let (response, way) = endpoint.request_by(transmit.request, ways).await?;
                    server.answered(way);
                    Ok(response)
                });
                // The machine has one REGISTER out at a time.
                self.under_way = Some(UnderWay { token: transmit.token, answer });
            }
            tokio::select! {
                (token, outcome) = answer_to(&mut self.under_way) => self.answered(token, outcome),
                () = wait_until(self.registration.poll_timeout()) => self.registration.handle_timeout(Instant::now()),
            }
        }
    }

    fn answered(&mut self, token: RequestToken, outcome: Result<Response, RequestError>) {
        self.under_way = None;
        let now = Instant::now();
        let failure = match outcome {
            Ok(response) => {
                self.last = Some(Ok(response.status()));
                return self.registration.handle_response(now, token, &response);
            }
            Err(RequestError::Failed(failure)) => failure,
            Err(RequestError::Overloaded) => Failure::Transport(ErrorKind::QuotaExceeded),
        };
        self.last = Some(Err(match failure.unreachable() {
            Some(kind) => RegistrationFailure::Unreachable(kind),
            None => RegistrationFailure::TimedOut,
        }));
        self.registration.handle_failure(now, token, failure);
    }

    async fn keep(mut self, mut stopped: oneshot::Receiver<Removed>) {
        loop {
            tokio::select! {
                event = self.next_event() => self.tell(&event),
                done = &mut stopped => {
                    let Ok(done) = done else { return };
                    // Whoever asked may have stopped waiting.
                    let _ = done.send(self.remove().await);
                    return;
                }
            }
        }
    }

    fn tell(&self, event: &RegistrationEvent) {
        self.states.send_replace(match event {
            RegistrationEvent::Registered { expires } => {
                tracing::debug!(?expires, "registered");
                RegistrationState::Registered { expires: *expires }
            }
            RegistrationEvent::Failed { failure, retry_in } => {
                tracing::debug!(%failure, ?retry_in, "not registered");
                RegistrationState::Lost { failure: failure.clone(), retry_in: *retry_in }
            }
            _ => RegistrationState::Unregistered,
        });
    }

    async fn remove(mut self) -> Result<(), RegisterError> {
        self.last = None;
        self.registration.unregister(Instant::now())?;
        loop {
            let event = self.next_event().await;
            self.tell(&event);
            if event == RegistrationEvent::Unregistered {
                break;
            }
        }
        match self.last.take() {
            Some(Ok(status)) if !status.is_success() => Err(RegistrationFailure::Refused(status).into()),
            Some(Err(failure)) => Err(failure.into()),
            _ => Ok(()),
        }
    }
}

async fn answer_to(under_way: &mut Option<UnderWay>) -> (RequestToken, Result<Response, RequestError>) {
    match under_way {
        Some(UnderWay { token, answer }) => (*token, answer.await),
        None => pending().await,
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => pending().await,
    }
}
