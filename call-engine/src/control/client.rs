//! The asker's end of the socket.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{Done, Refusal, Reply, Request};

/// How long each line of an answer may take: a change waits for the store, which has a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket, or one that a server has left behind.
    #[error("no server answers at {}", .0.display())]
    NoServer(PathBuf),
    /// There may be a server, but it cannot be asked.
    #[error("the server at {} cannot be asked: {cause}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The server says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Asks the server at `path`, and gives each item of its answer to `item`, which may stop the answer by an error.
///
/// # Errors
/// [`AskError`].
pub async fn ask(
    path: &Path,
    request: &Request,
    mut item: impl FnMut(serde_json::Value) -> io::Result<()>,
) -> Result<Done, AskError> {
    let unreachable = |cause: io::Error| AskError::Unreachable { path: path.to_owned(), cause };
    let mut stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Err(AskError::NoServer(path.to_owned()));
        }
        Err(error) => return Err(unreachable(error)),
    };
    let mut line = serde_json::to_vec(request).map_err(|error| unreachable(error.into()))?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(unreachable)?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let next = tokio::time::timeout(PATIENCE, lines.next_line());
        let line = next.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(unreachable)?;
        let line = line.ok_or_else(|| unreachable(ErrorKind::UnexpectedEof.into()))?;
        match serde_json::from_str(&line).map_err(|error| unreachable(error.into()))? {
            Reply::Item(value) => item(value).map_err(unreachable)?,
            Reply::Done(done) => return Ok(done),
            Reply::Error(refusal) => return Err(AskError::Refused(refusal)),
        }
    }
}
