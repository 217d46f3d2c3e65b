//! Serving, which is what the program does without a command.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use blether_call_engine::config::{Advice, CannotListen, Config, Listen, advice, calls_for_open_files};
use blether_call_engine::first_run::{self, Greeting, Passwords};
use blether_call_engine::{Engine, EngineError, echo};
use blether_session_core::actor::StartError;
use blether_sip_transport::{BindError, LocalAddresses};
use tokio::task::JoinSet;

use super::place::{Place, folder_of};
use super::service_manager::ServiceManager;
use super::signals::{Signals, Stop, Told};
use super::{log, observed, open_files};

/// How long calls get to say goodbye when the server is told to stop: a BYE that is lost is sent again for 32 s, but nobody waits for a
/// server that long.
const GOODBYE: Duration = Duration::from_secs(5);

/// The longest that ending takes from when calls are hung up: [`GOODBYE`], and what the engine gives its records and its store.
const LONGEST_END: Duration = Duration::from_secs(15);

/// Addresses that no machine has (RFC 5737, RFC 3849): the route towards them is the one towards the rest of the world. Nothing is sent
/// there.
const ELSEWHERE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Runs the server until it is told to stop.
pub(super) async fn serve(place: &Place) -> Result<ExitCode> {
    // Caught before anything else is done: what is said to a server that has not started yet holds once it has, and SIGHUP ends nothing.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let Configured { path, config, advice: of_the_file, passwords } = configure(place)?;
    // Dropped last: what the end of all others has to say is written as well.
    let _flush = log::start(&config.log).context("cannot start the log")?;
    let control = observed::be_the_only_one(&config.data_dir)?;
    let (open_files, wanted) = (open_files::raise(), config.clone());
    let service_manager = ServiceManager::from_environment();
    let recorder = observed::record(&config.http)?;
    let engine = Engine::builder(config)
        .on_invite(echo::EXTENSION, echo::echo)
        .durable()
        .start()
        .await
        .map_err(|error| explain(error, &path))?;
    // They end with the server.
    let mut tasks = JoinSet::new();
    observed::observe(&mut tasks, recorder, &wanted.http, &path, engine.handle()).await?;
    observed::listen_to_operators(&mut tasks, &control, engine.handle());
    state_limits(open_files, &wanted, of_the_file);
    let addresses: Vec<_> = engine.local_addrs().iter().map(|bound| reachable(*bound, wanted.advertise)).collect();
    let over_tls: Vec<_> = engine.tls_addrs().iter().map(|bound| reachable(*bound, wanted.advertise)).collect();
    let greeting = Greeting {
        addresses: &addresses,
        tcp: wanted.tcp.enabled,
        tls: &over_tls,
        config: &path,
        accounts: &wanted.accounts,
        passwords,
        echo: Some(echo::EXTENSION),
    };
    // It serves already, whether or not anybody reads this.
    match write!(io::stdout(), "{greeting}") {
        Ok(()) => {
            if let Err(error) = first_run::note_shown(folder_of(&path)) {
                tracing::warn!(%error, "the passwords will be shown again at the next start");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "nobody reads what to type into a phone; it is shown again at the next start")
        }
    }
    let serving = engine.local_addrs().iter().chain(engine.tls_addrs());
    let serving: Vec<_> = serving.map(ToString::to_string).collect();
    service_manager.ready(&format!("Serving on {}", serving.join(", ")));
    if serve_until_told(&mut signals, &engine).await == Stop::Drain {
        let drained = engine.drain(wanted.calls.drain_timeout);
        service_manager.stopping("No new calls; those that live go on", wanted.calls.drain_timeout + LONGEST_END);
        tokio::select! {
            _ = drained => {}
            _ = serve_until_told(&mut signals, &engine) => {
                tracing::info!("told to end a second time: live calls are hung up");
            }
        }
    }
    service_manager.stopping("Hanging up", LONGEST_END);
    tracing::info!("stopping");
    engine.shut_down(GOODBYE).await;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the server is to end, and does what else it is told until then. Cancel safe.
async fn serve_until_told(signals: &mut Signals, engine: &Engine) -> Stop {
    loop {
        match signals.next().await {
            Told::Stop(stop) => return stop,
            Told::Reload => reload(engine),
        }
    }
}

/// Reads again what can be read again. Nobody waits for an answer: it is in the log.
#[cfg(feature = "tls")]
fn reload(engine: &Engine) {
    if engine.tls_addrs().is_empty() {
        return not_read_again();
    }
    match engine.reload_certificate() {
        Ok(()) => tracing::info!(
            "SIGHUP: the certificate for TLS was read again; the rest of the configuration is read at the start alone"
        ),
        Err(error) => tracing::error!(%error, "SIGHUP: the certificate for TLS stays as it was"),
    }
}

#[cfg(not(feature = "tls"))]
fn reload(_engine: &Engine) {
    not_read_again();
}

fn not_read_again() {
    tracing::warn!("SIGHUP is ignored: the configuration is read at the start alone");
}

/// Says where everything is kept, what there is room for, and what the operator may not have meant.
fn state_limits(open_files: Option<u64>, config: &Config, of_the_file: Vec<Advice>) {
    tracing::info!(folder = %config.data_dir.display(), "the data folder");
    match open_files {
        Some(limit) => {
            let calls = calls_for_open_files(config, limit);
            tracing::info!(
                limit,
                calls,
                "the limit of open files, and for how many calls it has room beside all TCP connections"
            );
        }
        None => tracing::info!("there is no limit of open files"),
    }
    for advice in of_the_file.into_iter().chain(advice(config, open_files)) {
        tracing::warn!("{advice}");
    }
}

/// What the server is to do, and where that stands.
struct Configured {
    path: PathBuf,
    config: Config,
    advice: Vec<Advice>,
    passwords: Passwords,
}

/// Finds the configuration, and makes one at the first start.
fn configure(place: &Place) -> Result<Configured> {
    let path = place.file();
    let folder = folder_of(&path);
    if place.may_be_made() && !path.exists() {
        first_run::create(folder, &mut rand::rng())?;
    }
    let passwords = first_run::passwords_to_show(folder);
    let (config, advice) = place.load()?;
    Ok(Configured { path, config, advice, passwords })
}

/// What keeps the server from starting, in one line.
fn explain(error: EngineError, config: &Path) -> anyhow::Error {
    match error {
        EngineError::Start(StartError::Bind(BindError { transport, address, source })) => {
            CannotListen::new(Listen { transport, address, ..Listen::default() }, config, source).into()
        }
        other => anyhow::Error::new(other).context(format!("{}", config.display())),
    }
}

/// The address to type into a phone.
fn reachable(bound: SocketAddr, advertise: Option<IpAddr>) -> SocketAddr {
    let ip = match advertise {
        Some(advertise) if advertise.is_ipv4() == bound.is_ipv4() => advertise,
        _ if bound.ip().is_unspecified() => {
            let (elsewhere, here) = match bound {
                SocketAddr::V4(_) => (ELSEWHERE_V4, IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SocketAddr::V6(_) => (ELSEWHERE_V6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
            };
            LocalAddresses::new(1).towards(SocketAddr::new(elsewhere, 5060)).unwrap_or(here)
        }
        _ => bound.ip(),
    };
    SocketAddr::new(ip, bound.port())
}
