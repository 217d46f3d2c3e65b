//! What a service manager such as systemd is told: that the server is ready, and that it ends (sd_notify(3)).

use std::time::Duration;

/// How long a message to the service manager may take. It is never waited for in practice: the socket is local, and its queue is emptied at once.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager that started this process, if one wants to be told.
#[derive(Debug)]
pub(super) struct ServiceManager {
    #[cfg(unix)]
    socket: Option<std::os::unix::net::UnixDatagram>,
}

impl ServiceManager {
    /// The one that the environment variable NOTIFY_SOCKET names. One that cannot be reached is left out, with a line in the log: it will give
    /// this process up, which the log should explain.
    #[cfg(unix)]
    pub(super) fn from_environment() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let socket = address.and_then(|address| match connect(&address) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, ?address, "the service manager cannot be told anything");
                None
            }
        });
        Self { socket }
    }

    #[cfg(not(unix))]
    pub(super) fn from_environment() -> Self {
        Self {}
    }

    /// The server takes calls.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The server ends, which may take `longest`: the service manager should not end it before, whatever its own patience is.
    pub(super) fn stopping(&self, status: &str, longest: Duration) {
        self.tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={status}", longest.as_micros()));
    }

    #[cfg(unix)]
    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::warn!(%error, state, "the service manager was not told");
        }
    }

    #[cfg(not(unix))]
    fn tell(&self, _state: &str) {}
}

#[cfg(unix)]
fn connect(address: &std::ffi::OsStr) -> std::io::Result<std::os::unix::net::UnixDatagram> {
    use std::os::unix::ffi::OsStrExt;

    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    match address.as_bytes().strip_prefix(b"@") {
        Some(name) => connect_abstract(&socket, name)?,
        None => socket.connect(address)?,
    }
    Ok(socket)
}

/// An address that is no file, as containers use it: the `@` stands for a zero byte.
#[cfg(target_os = "linux")]
fn connect_abstract(socket: &std::os::unix::net::UnixDatagram, name: &[u8]) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt;

    socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn connect_abstract(_: &std::os::unix::net::UnixDatagram, _: &[u8]) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
