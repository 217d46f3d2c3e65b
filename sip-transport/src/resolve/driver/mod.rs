//! Asks name servers (feature `dns`): the driver of [`Resolution`], on hickory-resolver.

mod hickory;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use metrics::Counter;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use super::cache::{CacheLimits, RecordCache};
use super::destination::Destination;
use super::error::{LookupFailure, ResolveError};
use super::locate::{Locate, Locating};
use super::plan::{Resolution, Target};
use super::question::{Question, Record};
use super::service::Means;

/// How a [`Resolver`] asks.
#[derive(Clone, Debug)]
pub struct ResolverConfig {
    /// Name servers, in place of those that the system names; default: none, so those of the system are asked.
    pub name_servers: Vec<SocketAddr>,
    /// How long one name server is waited for, at each attempt. Default 2 s.
    pub attempt_timeout: Duration,
    /// How often a question is sent again that was not answered. Default 1.
    pub attempts: usize,
    /// How long a whole resolution may take; after it, what has been found so far is what there is. Default 5 s: a call that has not even rung
    /// by then is thought to be dead by whoever makes it.
    pub timeout: Duration,
    /// Questions that may be open at a time, identical ones counted once. Default 256; over it, [`LookupFailure::Overloaded`].
    pub max_open: usize,
    /// What is remembered.
    pub cache: CacheLimits,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            name_servers: Vec::new(),
            attempt_timeout: Duration::from_secs(2),
            attempts: 1,
            timeout: Duration::from_secs(5),
            max_open: 256,
            cache: CacheLimits::default(),
        }
    }
}

/// A [`Resolver`] could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolverStartError {
    /// What the system says about name servers cannot be read.
    #[error("cannot read which name servers the system has: {0}; name some in the configuration")]
    System(String),
    /// The client could not be set up.
    #[error("cannot set up the client for name servers: {0}")]
    Client(String),
}

/// Finds the targets of destinations by asking name servers, and remembers the answers. Clones share them.
///
/// Nothing blocks: questions are asked in tasks of their own, and whoever asks what is asked already waits for the same answer.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

type Outcome = Result<Vec<Record>, LookupFailure>;

struct Shared {
    client: TokioResolver,
    config: ResolverConfig,
    state: Mutex<State>,
    meters: Meters,
}

struct State {
    cache: RecordCache,
    /// What is being asked, and where the answer will be seen.
    open: HashMap<Question, watch::Receiver<Option<Outcome>>>,
    rng: StdRng,
}

struct Meters {
    remembered: Counter,
    answered: Counter,
    nothing: Counter,
    failed: Counter,
    overloaded: Counter,
}

impl Meters {
    fn new() -> Self {
        let questions =
            |outcome: &'static str| metrics::counter!("blether_transport_dns_questions_total", "outcome" => outcome);
        Self {
            remembered: questions("remembered"),
            answered: questions("answered"),
            nothing: questions("nothing"),
            failed: questions("failed"),
            overloaded: questions("overloaded"),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver that has asked nothing yet.
    ///
    /// # Errors
    ///
    /// [`ResolverStartError`], above all where [`ResolverConfig::name_servers`] is empty and the system has no configuration.
    pub fn new(config: ResolverConfig) -> Result<Self, ResolverStartError> {
        let client = hickory::client(&config)?;
        let state = State { cache: RecordCache::new(config.cache), open: HashMap::new(), rng: rand::make_rng() };
        Ok(Self { shared: Arc::new(Shared { client, config, state: Mutex::new(state), meters: Meters::new() }) })
    }

    /// The targets of a destination, in the order in which they are to be tried (RFC 3263). Must be called on a tokio runtime; ends within
    /// [`ResolverConfig::timeout`].
    ///
    /// # Errors
    ///
    /// [`ResolveError`], which names the name and the record.
    pub async fn resolve(&self, destination: &Destination, means: &Means) -> Result<Vec<Target>, ResolveError> {
        let deadline = tokio::time::Instant::now() + self.shared.config.timeout;
        let rng = StdRng::from_rng(&mut self.state().rng);
        let mut resolution = Resolution::new(destination.clone(), means.clone(), rng);
        let mut answers = JoinSet::new();
        loop {
            while let Some(question) = resolution.poll_question() {
                if let Some(answer) = self.remembered(&question) {
                    resolution.handle_answer(&question, answer);
                    continue;
                }
                let resolver = self.clone();
                answers.spawn(async move {
                    let answer = resolver.ask(&question).await;
                    (question, answer)
                });
            }
            match timeout_at(deadline, answers.join_next()).await {
                Ok(Some(Ok((question, answer)))) => resolution.handle_answer(&question, answer),
                Ok(Some(Err(error))) => tracing::error!(%error, %destination, "a question to a name server panicked"),
                Ok(None) | Err(_) => break,
            }
        }
        resolution.finish()
    }

    fn remembered(&self, question: &Question) -> Option<Outcome> {
        let answer = self.state().cache.get(Instant::now(), question).cloned();
        if answer.is_some() {
            self.shared.meters.remembered.increment(1);
        }
        answer
    }

    /// Waits for the answer to a question: one that is open already, or one that is opened.
    async fn ask(&self, question: &Question) -> Outcome {
        let mut answer = {
            let mut state = self.state();
            match state.open.get(question) {
                Some(answer) => answer.clone(),
                None if state.open.len() >= self.shared.config.max_open => {
                    self.shared.meters.overloaded.increment(1);
                    return Err(LookupFailure::Overloaded);
                }
                None => {
                    let (sender, receiver) = watch::channel(None);
                    state.open.insert(question.clone(), receiver.clone());
                    let open = Open { resolver: self.clone(), question: question.clone(), sender };
                    tokio::spawn(open.answer());
                    receiver
                }
            }
        };
        match answer.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(LookupFailure::Unreachable)),
            // The task is gone without an answer.
            Err(_) => Err(LookupFailure::Unreachable),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locate for Resolver {
    fn known(
        &self,
        now: Instant,
        destination: &Destination,
        means: &Means,
    ) -> Option<Result<Vec<Target>, ResolveError>> {
        let mut guard = self.state();
        let State { cache, rng, .. } = &mut *guard;
        let mut resolution = Resolution::new(destination.clone(), means.clone(), StdRng::from_rng(rng));
        let mut remembered = 0;
        while let Some(question) = resolution.poll_question() {
            let answer = cache.get(now, &question)?.clone();
            resolution.handle_answer(&question, answer);
            remembered += 1;
        }
        drop(guard);
        self.shared.meters.remembered.increment(remembered);
        Some(resolution.finish())
    }

    fn locate(&self, destination: Destination, means: Means) -> Locating {
        let resolver = self.clone();
        Box::pin(async move { resolver.resolve(&destination, &means).await })
    }
}

/// A question that is being asked. Its end is seen by those who wait, however it ends.
struct Open {
    resolver: Resolver,
    question: Question,
    sender: watch::Sender<Option<Outcome>>,
}

impl Open {
    async fn answer(self) {
        let shared = &self.resolver.shared;
        let asking = timeout(shared.config.timeout, hickory::ask(&shared.client, &self.question));
        let answer = asking.await.unwrap_or(Err(LookupFailure::TimedOut));
        match &answer {
            Ok(answer) if answer.records.is_empty() => &shared.meters.nothing,
            Ok(_) => &shared.meters.answered,
            Err(_) => &shared.meters.failed,
        }
        .increment(1);
        let outcome = match &answer {
            Ok(answer) => Ok(answer.records.clone()),
            Err(failure) => Err(*failure),
        };
        self.resolver.state().cache.insert(Instant::now(), self.question.clone(), answer);
        // Those who asked may have stopped waiting.
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.resolver.state().open.remove(&self.question);
    }
}
