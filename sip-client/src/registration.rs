//! Keeps an account registered: drives the session layer's registration machine, which decides everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_session_core::actor::{Endpoint, RequestError};
use blether_session_core::{
    DialogError, Registration, RegistrationConfig, RegistrationEvent, RegistrationFailure, RegistrationTransmit,
};
use blether_sip_core::{ByteStr, Host, SipUri};
use blether_sip_transport::Flow;
use blether_transaction_core::Failure;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::account::Account;

/// A registration that the server has granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// For how long; the phone renews it in time.
    pub expires: Duration,
}

/// Why a phone is not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// What the server said, or that it said nothing.
    #[error(transparent)]
    Failed(#[from] RegistrationFailure),
    /// The account cannot be put into a request.
    #[error("the account makes no REGISTER: {0}")]
    Account(#[from] DialogError),
    /// The endpoint has stopped.
    #[error("the phone has stopped")]
    Stopped,
}

/// The task that keeps one account registered; dropping it stops refreshing and tells the server nothing.
#[derive(Debug)]
pub(crate) struct RegistrationLoop {
    stop: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl RegistrationLoop {
    /// Registers, and goes on doing so if the first attempt succeeds.
    pub(crate) async fn start(
        endpoint: Arc<Endpoint>,
        account: &Account,
        to_server: Flow,
    ) -> Result<(Self, Registered), RegisterError> {
        let config = RegistrationConfig {
            expires: account.expires,
            credentials: Some(account.credentials()),
            timing: endpoint.timing(),
            user_agent: ByteStr::from(endpoint.user_agent()),
            ..RegistrationConfig::new(
                registrar_of(account),
                account.identity(),
                SipUri::new(Some(&account.user), Host::from(to_server.local.ip()), Some(to_server.local.port())),
                ByteStr::from(format!("{:032x}", rand::random::<u128>())),
                to_server,
            )
        };
        let mut driver = Driver { endpoint, registration: Registration::new(config, rand::make_rng()) };
        driver.registration.start(Instant::now())?;
        let registered = match driver.next_event().await {
            RegistrationEvent::Registered { expires } => Registered { expires },
            RegistrationEvent::Failed { failure, .. } => return Err(failure.into()),
            _ => return Err(RegisterError::Stopped),
        };
        let (stop, stopped) = mpsc::channel(1);
        let task = tokio::spawn(driver.keep(stopped));
        Ok((Self { stop, task }, registered))
    }

    /// Takes the registration back and waits until the server has answered, or has had its time to.
    pub(crate) async fn stop(self) -> Result<(), RegisterError> {
        let (done, removed) = oneshot::channel();
        self.stop.send(done).await.map_err(|_| RegisterError::Stopped)?;
        removed.await.map_err(|_| RegisterError::Stopped)
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

struct Driver {
    endpoint: Arc<Endpoint>,
    registration: Registration,
}

impl Driver {
    /// Does what the machine asks until it has something to say. Not cancel safe: a REGISTER on its way would be forgotten.
    async fn next_event(&mut self) -> RegistrationEvent {
        loop {
            while let Some(transmit) = self.registration.poll_transmit() {
                self.send(transmit).await;
            }
            if let Some(event) = self.registration.poll_event() {
                return event;
            }
            wait_until(self.registration.poll_timeout()).await;
            self.registration.handle_timeout(Instant::now());
        }
    }

    async fn send(&mut self, transmit: RegistrationTransmit) {
        let outcome = self.endpoint.request(transmit.request, transmit.flow).await;
        let now = Instant::now();
        match outcome {
            Ok(response) => self.registration.handle_response(now, transmit.token, &response),
            Err(RequestError::Failed(failure)) => self.registration.handle_failure(now, transmit.token, failure),
            Err(RequestError::Overloaded) => {
                self.registration.handle_failure(
                    now,
                    transmit.token,
                    Failure::Transport(std::io::ErrorKind::QuotaExceeded),
                );
            }
        }
    }

    async fn keep(mut self, mut stopped: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            tokio::select! {
                () = wait_until(self.registration.poll_timeout()) => self.registration.handle_timeout(Instant::now()),
                done = stopped.recv() => return self.remove(done).await,
            }
            while let Some(transmit) = self.registration.poll_transmit() {
                self.send(transmit).await;
            }
            while let Some(event) = self.registration.poll_event() {
                match event {
                    RegistrationEvent::Registered { expires } => tracing::debug!(?expires, "registered again"),
                    RegistrationEvent::Failed { failure, retry_in } => {
                        tracing::warn!(%failure, ?retry_in, "not registered")
                    }
                    _ => {}
                }
            }
        }
    }

    async fn remove(mut self, done: Option<oneshot::Sender<()>>) {
        let Some(done) = done else { return };
        if let Err(error) = self.registration.unregister(Instant::now()) {
            tracing::warn!(%error, "the registration stays until it expires");
            return;
        }
        while self.next_event().await != RegistrationEvent::Unregistered {}
        // Whoever asked may have stopped waiting.
        let _ = done.send(());
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
