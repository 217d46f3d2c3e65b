//! The server's end of the socket.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{AccountItem, CallItem, Done, MAX_REQUEST, Refusal, RegistrationItem, Reply, Request};
use crate::config::{AccountConfig, Password};
use crate::engine::{DATABASE, EngineHandle};
use crate::store::SqliteStore;

/// Connections at a time: people and scripts ask. Further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 16;

/// How long a request may take to come, and each part of its answer to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait when the system gives no connection, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that a server listens on. Dropping it takes it out of the folder.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// A path at which no server listens, as [`ControlSocket::nobody_answers`] has found: what is there may be replaced.
#[derive(Debug, Clone)]
pub struct Unused {
    path: PathBuf,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum CannotListen {
    /// Somebody answers at it.
    #[error("{}: another server answers there", .0.display())]
    InUse(PathBuf),
    /// Whoever has made it lets nobody else in, and whether they still listen cannot be found out.
    #[error("{}: it belongs to another user, and whether a server still listens there cannot be known ({cause}); remove it if none does", path.display())]
    Unknown {
        /// The socket.
        path: PathBuf,
        /// Why the lock of the database does not tell.
        cause: io::Error,
    },
    /// What has that name is no socket, so it is left alone.
    #[error("{}: there is something else of this name; move it away", .0.display())]
    NoSocket(PathBuf),
    /// What the system said, such as that the path is too long.
    #[error("{}: {cause}", path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl ControlSocket {
    /// Listens at a path, for its owner alone (mode 0600). A socket that a server has left behind, and that nobody answers at, is replaced. Must
    /// be called on a tokio runtime.
    ///
    /// # Errors
    /// [`CannotListen`].
    pub fn bind(place: &Unused) -> Result<Self, CannotListen> {
        let path = place.path.as_path();
        let failed = |cause| CannotListen::Failed { path: path.to_owned(), cause };
        match path.symlink_metadata() {
            Ok(there) if !there.file_type().is_socket() => return Err(CannotListen::NoSocket(path.to_owned())),
            Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => return Err(CannotListen::InUse(path.to_owned())),
                // One that another user has left behind, such as root, refuses us even if nobody listens, and that nobody does is known.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied) => {
                    std::fs::remove_file(path).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let socket = Self { listener, path: path.to_owned() };
        // Whoever came in between is turned away by who they are.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(socket)
    }

    /// That no server answers at `path`: one that does uses the data folder in which that is, and the database there. Where another user's socket turns
    /// us away, the lock of the database tells whether a server lives. Whatever else is wrong there, [`Self::bind`] says.
    ///
    /// # Errors
    /// [`CannotListen::InUse`], [`CannotListen::Unknown`].
    pub fn nobody_answers(path: &Path) -> Result<Unused, CannotListen> {
        let unused = Unused { path: path.to_owned() };
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(CannotListen::InUse(unused.path)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                match SqliteStore::is_in_use(&path.with_file_name(DATABASE)) {
                    Ok(false) => Ok(unused),
                    Ok(true) => Err(CannotListen::InUse(unused.path)),
                    Err(cause) => Err(CannotListen::Unknown { path: unused.path, cause }),
                }
            }
            Err(_) => Ok(unused),
        }
    }

    /// Answers until this is dropped.
    pub async fn serve(self, engine: EngineHandle) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut asked = JoinSet::new();
        loop {
            while asked.try_join_next().is_some() {}
            // Nobody closes it.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let engine = engine.clone();
                    asked.spawn(async move {
                        if let Err(error) = answer(stream, &engine).await {
                            tracing::debug!(%error, "a question at the control socket has no answer");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control socket could not be taken in");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // It may have been taken away before.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

async fn answer(stream: UnixStream, engine: &EngineHandle) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer != 0 && peer != rustix::process::geteuid().as_raw() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    let (reading, writing) = stream.into_split();
    let mut answers = Answers(BufWriter::new(writing));
    let mut line = Vec::new();
    let most = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX);
    in_time(BufReader::new(reading.take(most)).read_until(b'\n', &mut line)).await?;
    if line.last() != Some(&b'\n') {
        let refusal = Refusal::new("invalid", format!("a request is a line of at most {MAX_REQUEST} bytes"));
        return answers.end(&Reply::Error(refusal)).await;
    }
    match serde_json::from_slice(&line) {
        Ok(request) => serve(request, engine, &mut answers).await,
        // What serde says would show what was sent, which may be a password.
        Err(_) => answers.end(&Reply::Error(Refusal::new("invalid", "this is no request"))).await,
    }
}

async fn serve(request: Request, engine: &EngineHandle, answers: &mut Answers) -> io::Result<()> {
    let changed = match request {
        Request::Calls => {
            let date = SystemTime::now();
            for call in engine.calls() {
                answers.item(&CallItem::of(call, date)).await?;
            }
            return answers.end(&Reply::Done(Done::default())).await;
        }
        Request::Registrations => {
            let now = Instant::now();
            for (aor, bindings) in engine.location().all(now) {
                for binding in bindings.iter() {
                    answers.item(&RegistrationItem::of(&aor, binding, now)).await?;
                }
            }
            return answers.end(&Reply::Done(Done::default())).await;
        }
        Request::AccountList => {
            let accounts = Arc::clone(&engine.accounts().now());
            for account in accounts.iter() {
                answers.item(&AccountItem::of(account)).await?;
            }
            return answers.end(&Reply::Done(Done::default())).await;
        }
        Request::AccountAdd { user, display_name, password } => {
            let display_name = display_name.unwrap_or_else(|| user.clone());
            engine.add_account(&AccountConfig { display_name, user, password: Password::from(password) }).await
        }
        Request::AccountPasswd { user, password } => engine.change_password(&user, Password::from(password)).await,
        Request::AccountRemove { user } => engine.remove_account(&user).await,
    };
    let reply = match changed {
        Ok(written) => Reply::Done(written.into()),
        Err(error) => Reply::Error((&error).into()),
    };
    answers.end(&reply).await
}

struct Answers(BufWriter<tokio::net::unix::OwnedWriteHalf>);

impl Answers {
    async fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        self.write(&Reply::Item(serde_json::to_value(item)?)).await
    }

    async fn end(&mut self, reply: &Reply) -> io::Result<()> {
        self.write(reply).await?;
        in_time(self.0.flush()).await
    }

    async fn write(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        in_time(self.0.write_all(&line)).await
    }
}
