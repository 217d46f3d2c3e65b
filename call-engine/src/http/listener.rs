//! Takes in connections, few enough, and for a short time.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Connections at a time: a few Prometheus servers and probes, and people; each holds some tens of kilobytes.
const MAX_CONNECTIONS: usize = 64;

/// What a connection may send, in bytes: a GET with the headers of a browser behind a proxy, and nothing after it.
const MAX_REQUEST: usize = 16 * 1_024;

/// How long a connection lasts: an answer takes a second at most, and some 100 kB are to go through a slow network.
const LIFETIME: Duration = Duration::from_secs(10);

/// How long to wait when the system gives no connection, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Bounded {
    inner: TcpListener,
    places: Arc<Semaphore>,
    lifetime: Duration,
}

impl Bounded {
    pub(super) fn new(inner: TcpListener) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(MAX_CONNECTIONS)), lifetime: LIFETIME }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else {
                // Nobody closes it.
                std::future::pending().await
            };
            match self.inner.accept().await {
                Ok((stream, from)) => return (Connection::new(stream, place, self.lifetime), from),
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection could not be taken in");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that breaks when it has sent too much or lasted too long.
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    /// Bytes that may still come.
    left: usize,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, lifetime: Duration) -> Self {
        Self { stream, deadline: Box::pin(tokio::time::sleep(lifetime)), left: MAX_REQUEST, _place: place }
    }

    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.in_time(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let came = buffer.filled().len().saturating_sub(before);
        match this.left.checked_sub(came) {
            Some(left) => this.left = left,
            None => return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into())),
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.in_time(context)?;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.in_time(context)?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.in_time(context)?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn one_who_says_nothing_is_cut_off_and_the_next_in_the_queue_gets_the_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bounded =
            Bounded { lifetime: Duration::from_millis(50), places: Arc::new(Semaphore::new(1)), inner: listener };
        let serving = tokio::spawn(async { axum::serve(bounded, Router::<()>::new()).await });
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        // Both ends come, one after the other: an end of the stream or an error is the same to a peer.
        for stream in [&mut silent, &mut next] {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        serving.abort();
    }
}
