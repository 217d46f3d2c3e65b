//! One connection: reads frames, writes what waits, and notices its end.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::outbound::Outbound;
use super::{CloseReason, Connections, StreamEvent};
use crate::{ConnectionId, Flow, Frame, Framer};

/// What is read at a time, in bytes. On the stack for the time of a read, so that an idle connection holds no buffer.
const CHUNK: usize = 16 * 1_024;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
pub(super) const PONG: Bytes = Bytes::from_static(b"\r\n");

/// How long a connection lives on that sent what is no message, so that it can be told.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
pub(super) async fn run(connections: &Connections, flow: Flow, stream: &TcpStream, outbound: &Outbound) -> CloseReason {
    let Some(id) = flow.connection else { return CloseReason::Stopped };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%flow, %error, "small messages may wait for each other");
    }
    tokio::select! {
        reason = read(connections, flow, id, stream, outbound) => reason,
        reason = write(connections, stream, outbound) => reason,
        reason = outbound.closing() => reason,
    }
}

async fn read(
    connections: &Connections,
    flow: Flow,
    id: ConnectionId,
    stream: &TcpStream,
    outbound: &Outbound,
) -> CloseReason {
    let limits = &connections.shared.limits;
    let mut framer = Framer::new(limits.framer);
    let mut begun: Option<Instant> = None;
    loop {
        let Some(expires) = connections.expires_at(id) else { return outbound.closing().await };
        let due = begun.map_or(expires, |begun| expires.min(begun + limits.message_timeout));
        match tokio::time::timeout_at(due.into(), stream.readable()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return CloseReason::Broken(error.kind()),
            Err(_) => {
                // Something that was sent meanwhile keeps it open.
                if is_over(connections, id, begun) {
                    return CloseReason::Idle;
                }
                continue;
            }
        }
        match receive(stream, &mut framer) {
            Ok(0) => return CloseReason::Peer,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => continue,
            Err(error) => return CloseReason::Broken(error.kind()),
        }
        loop {
            match framer.poll_frame() {
                Ok(None) => break,
                Ok(Some(Frame::Message(bytes))) => {
                    begun = None;
                    connections.shared.meters.received.increment(1);
                    connections.used(id, true);
                    connections.tell(StreamEvent::Message { flow, bytes }).await;
                }
                Ok(Some(Frame::Ping)) => {
                    connections.used(id, false);
                    if !outbound.push(PONG, limits.max_queued) {
                        return CloseReason::Stalled;
                    }
                }
                Ok(Some(Frame::Pong)) => connections.used(id, false),
                Err(error) => {
                    tracing::debug!(%flow, %error, "the stream is at its end");
                    connections.shared.meters.framing_errors.increment(1);
                    connections.tell(StreamEvent::Unframed { flow, error: Box::new(error) }).await;
                    return linger(stream).await;
                }
            }
        }
        if framer.is_within_message() {
            begun.get_or_insert_with(Instant::now);
        }
        // Whoever never lets the wait end, with one keep-alive after the other, has no more time than others.
        if is_over(connections, id, begun) {
            return CloseReason::Idle;
        }
    }
}

/// Whether nobody needs to wait longer: for the end of a message that has `begun`, or for anything at all.
fn is_over(connections: &Connections, id: ConnectionId, begun: Option<Instant>) -> bool {
    let now = Instant::now();
    begun.is_some_and(|begun| begun + connections.shared.limits.message_timeout <= now)
        || connections.expires_at(id).is_none_or(|expires| expires <= now)
}

fn receive(stream: &TcpStream, framer: &mut Framer) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let length = stream.try_read(&mut chunk)?;
    framer.receive(chunk.get(..length).unwrap_or_default());
    Ok(length)
}

/// Takes what else comes and throws it away, for what is left unread when a connection closes makes the answer go lost as well.
async fn linger(stream: &TcpStream) -> CloseReason {
    let mut ignored = Framer::new(crate::FramerLimits { max_header_section: 0, max_message: 0 });
    let drained = async {
        while stream.readable().await.is_ok() {
            match receive(stream, &mut ignored) {
                Ok(0) => return,
                Ok(_) => drop(ignored.poll_frame()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    // Whichever comes first, the reason is the same.
    let _ = tokio::time::timeout(LINGER, drained).await;
    CloseReason::Framing
}

async fn write(connections: &Connections, stream: &TcpStream, outbound: &Outbound) -> CloseReason {
    loop {
        let payload = outbound.next().await;
        if let Err(reason) = write_all(connections, stream, &payload).await {
            return reason;
        }
        outbound.done();
        connections.shared.meters.sent.increment(1);
    }
}

async fn write_all(connections: &Connections, stream: &TcpStream, mut rest: &[u8]) -> Result<(), CloseReason> {
    while !rest.is_empty() {
        match tokio::time::timeout(connections.shared.limits.write_timeout, stream.writable()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(CloseReason::Broken(error.kind())),
            Err(_) => return Err(CloseReason::Stalled),
        }
        match stream.try_write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(CloseReason::Broken(error.kind())),
        }
    }
    Ok(())
}
