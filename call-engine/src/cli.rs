//! The commands of the program.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use blether_call_engine::config::{CannotListen, Config, FILE_NAME, Listen, LogFormat, variables};
use blether_call_engine::first_run::{self, Greeting, Passwords};
use blether_call_engine::{Engine, EngineError, echo};
#[cfg(feature = "demo")]
use blether_rtp_core::Impairment;
use blether_session_core::actor::StartError;
use blether_sip_transport::LocalAddresses;
use tracing_subscriber::EnvFilter;

/// How long calls get to say goodbye when the server is told to stop: a BYE that is lost is sent again for 32 s, but nobody waits for a
/// server that long.
const GOODBYE: Duration = Duration::from_secs(5);

/// Addresses that no machine has (RFC 5737, RFC 3849): the route towards them is the one towards the rest of the world. Nothing is sent
/// there.
const ELSEWHERE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Runs the server until it is told to stop.
pub(crate) async fn serve(config_file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Result<ExitCode> {
    let (path, config, passwords) = configure(config_file, data_dir)?;
    start_log(&config);
    raise_file_limit();
    let listen = config.listen;
    let accounts = config.accounts.clone();
    let advertise = config.advertise;
    let engine = Engine::builder(config)
        .on_invite(echo::EXTENSION, echo::echo)
        .start()
        .await
        .map_err(|error| explain(error, listen, &path))?;
    // Listened for before anybody can know that the server runs.
    let stop = StopSignals::listen()?;
    let greeting = Greeting {
        address: reachable(engine.local_addr(), advertise),
        config: &path,
        accounts: &accounts,
        passwords,
        echo: Some(echo::EXTENSION),
    };
    write!(io::stdout(), "{greeting}").context("cannot write to standard output")?;
    if let Err(error) = first_run::note_shown(folder_of(&path)) {
        tracing::warn!(%error, "the passwords will be shown again at the next start");
    }
    stop.asked_for().await?;
    tracing::info!("stopping");
    engine.shut_down(GOODBYE).await;
    Ok(ExitCode::SUCCESS)
}

/// Takes as many file descriptors as the system allows: a call between two phones needs four for its media, and 1,024, which is what many
/// systems begin with, would end at 250 calls.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => tracing::debug!(before = ?limit.current, now = ?limit.maximum, "the limit of open files is raised"),
        Err(error) => tracing::warn!(%error, limit = ?limit.current, "the limit of open files stays"),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new("."))
}

/// Finds the configuration, and makes one at the first start.
fn configure(config_file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Result<(PathBuf, Config, Passwords)> {
    let environment = variables();
    let path = match &data_dir {
        Some(folder) => folder.join(FILE_NAME),
        None => Config::locate(config_file.as_deref(), &environment),
    };
    let folder = folder_of(&path);
    if config_file.is_none() && !path.exists() {
        first_run::create(folder, &mut rand::rng())?;
    }
    let passwords = first_run::passwords_to_show(folder);
    let mut config = Config::load(&path, environment)?;
    if let Some(folder) = data_dir {
        config.data_dir = folder;
    }
    Ok((path, config, passwords))
}

fn start_log(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.log.level.as_str()));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match config.log.format {
        LogFormat::Text => log.init(),
        LogFormat::Compact => log.compact().init(),
    }
}

/// What keeps the server from starting, in one line.
fn explain(error: EngineError, listen: Listen, config: &Path) -> anyhow::Error {
    match error {
        EngineError::Start(StartError::Bind(bind)) => CannotListen::new(listen, config, bind.source).into(),
        other => anyhow::Error::new(other).context(format!("{}", config.display())),
    }
}

/// The address to type into a phone.
fn reachable(bound: SocketAddr, advertise: Option<IpAddr>) -> SocketAddr {
    let ip = match advertise {
        Some(advertise) => advertise,
        None if bound.ip().is_unspecified() => {
            let (elsewhere, here) = match bound {
                SocketAddr::V4(_) => (ELSEWHERE_V4, IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SocketAddr::V6(_) => (ELSEWHERE_V6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
            };
            LocalAddresses::new(1).towards(SocketAddr::new(elsewhere, 5060)).unwrap_or(here)
        }
        None => bound.ip(),
    };
    SocketAddr::new(ip, bound.port())
}

/// Ctrl-C, and SIGTERM where there is one.
struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// From here on they are caught.
    #[cfg(unix)]
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn asked_for(mut self) -> Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn asked_for(self) -> Result<()> {
        Ok(tokio::signal::ctrl_c().await?)
    }
}

/// Shows a call, and whether everything about it was as it has to be.
#[cfg(feature = "demo")]
pub(crate) async fn demo(impairment: Option<Impairment>, keep: Option<PathBuf>) -> Result<ExitCode> {
    use blether_call_engine::demo::{DemoOptions, run};

    let mut out = io::stdout();
    let outcome = run(DemoOptions { impairment, keep }, &mut out).await?;
    writeln!(out, "\nWhat crossed the wire:\n\n{}\nWhat was verified:\n\n{}", outcome.ladder, outcome.report)?;
    for file in &outcome.files {
        writeln!(out, "  {}", file.display())?;
    }
    if outcome.report.all_held() {
        writeln!(out, "\nAll of it held.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let failures: Vec<_> = outcome.report.failures().map(|check| check.what.as_str()).collect();
    writeln!(out, "\nNot as it has to be: {}.", failures.join("; "))?;
    Ok(ExitCode::FAILURE)
}

/// Reads what to do to the sound: `loss=20%,jitter=60ms`, either of them or both.
#[cfg(feature = "demo")]
pub(crate) fn impairment(text: &str) -> Result<Impairment, String> {
    let (mut loss, mut jitter) = (0.0, Duration::ZERO);
    for part in text.split(',') {
        match part.trim().split_once('=') {
            Some(("loss", value)) => {
                let percent = value.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
                loss = percent.ok_or_else(|| format!("{value:?} is no loss; write loss=20%"))? / 100.0;
            }
            Some(("jitter", value)) => {
                let milliseconds = value.strip_suffix("ms").and_then(|number| number.parse().ok());
                jitter = Duration::from_millis(
                    milliseconds.ok_or_else(|| format!("{value:?} is no jitter; write jitter=60ms"))?,
                );
            }
            _ => return Err(format!("{part:?} is not known; write loss=20%,jitter=60ms")),
        }
    }
    Impairment::new(loss, jitter, rand::random()).map_err(|error| error.to_string())
}

#[cfg(all(test, feature = "demo"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_the_sound_is_read_in_any_order() {
        let both = impairment("jitter=60ms, loss=20%").unwrap();
        assert_eq!((both.loss(), both.jitter()), (0.2, Duration::from_millis(60)));
        assert_eq!(impairment("loss=5%").unwrap().jitter(), Duration::ZERO);
        for wrong in ["", "loss=20", "loss=-1%", "loss=101%", "jitter=60", "delay=3ms"] {
            assert!(impairment(wrong).is_err(), "{wrong}");
        }
    }
}
