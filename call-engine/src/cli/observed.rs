//! What the server lets be seen of itself: metrics and health over HTTP, and answers to its operators.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, anyhow};
use blether_call_engine::EngineHandle;
use blether_call_engine::config::HttpConfig;
use blether_call_engine::http::{HttpServer, Recorder, watch};
use tokio::task::JoinSet;

/// Makes the server count, from before its first part is made. Where nothing is served over HTTP, nothing is counted.
pub(super) fn record(http: &HttpConfig) -> Result<Option<Recorder>> {
    Ok(match http.listen {
        Some(_) => Some(Recorder::install()?),
        None => None,
    })
}

/// Serves HTTP. Somebody who has named an address wants it, and is told that it cannot be; a server that has the default address goes on without:
/// two of them on one machine are common, and calls matter more.
pub(super) async fn observe(
    tasks: &mut JoinSet<()>,
    recorder: Option<Recorder>,
    http: &HttpConfig,
    config: &Path,
    engine: &EngineHandle,
) -> Result<()> {
    let (Some(recorder), Some(address)) = (recorder, http.listen) else { return Ok(()) };
    tasks.spawn(watch(engine.clone(), recorder.clone()));
    match HttpServer::bind(address).await {
        Ok(server) => {
            // The port that the system chose, if it was let choose.
            let address = server.local_addr().unwrap_or(address);
            tracing::info!("HTTP is served on http://{address}/: metrics, healthz, readyz");
            tasks.spawn(server.serve(engine.clone(), recorder));
        }
        Err(error) if Some(address) == HttpConfig::default().listen => {
            tracing::warn!("{}; the server goes on without", refused(address, &error))
        }
        Err(error) => return Err(anyhow!("{}: {}", config.display(), refused(address, &error))),
    }
    Ok(())
}

#[cfg(unix)]
use blether_call_engine::control::Unused;
/// There are no such sockets.
#[cfg(not(unix))]
type Unused = ();

/// Refuses to start beside a server that answers in this data folder. The lock of its database says the same, unless somebody has removed it.
#[cfg(unix)]
pub(super) fn be_the_only_one(data_dir: &Path) -> Result<Unused> {
    use blether_call_engine::control::{CannotListen, ControlSocket, FILE_NAME};

    ControlSocket::nobody_answers(&data_dir.join(FILE_NAME)).map_err(|error| match error {
        CannotListen::InUse(_) => anyhow!("{error}: stop that one, or choose another data folder"),
        other => other.into(),
    })
}

#[cfg(not(unix))]
pub(super) fn be_the_only_one(_data_dir: &Path) -> Result<Unused> {
    Ok(())
}

/// Lets operators ask. Without that, calls go on as well.
#[cfg(unix)]
pub(super) fn listen_to_operators(tasks: &mut JoinSet<()>, place: &Unused, engine: &EngineHandle) {
    match blether_call_engine::control::ControlSocket::bind(place) {
        Ok(socket) => drop(tasks.spawn(socket.serve(engine.clone()))),
        Err(error) => tracing::warn!(
            "{error}: the commands `calls`, `registrations` and `account` do not reach this server; a path of a socket has at most 107 bytes"
        ),
    }
}

#[cfg(not(unix))]
pub(super) fn listen_to_operators(_tasks: &mut JoinSet<()>, _place: &Unused, _engine: &EngineHandle) {}

fn refused(address: SocketAddr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another program has this port".to_owned(),
        _ => error.to_string(),
    };
    format!("`http.listen` = {address}: cannot listen there: {why}; choose another address, or \"off\"")
}
