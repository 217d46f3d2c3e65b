//! One connection: reads frames, writes what waits, and notices its end.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

#[cfg(feature = "tls")]
use super::HandshakeFailure;
use super::outbound::Outbound;
use super::{CloseReason, Connections, StreamEvent};
use crate::{ConnectionId, Flow, Frame, Framer};

/// What is read at a time, in bytes. On the stack for the time of a read, so that an idle connection holds no buffer.
const CHUNK: usize = 16 * 1_024;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
pub(super) const PONG: Bytes = Bytes::from_static(b"\r\n");

/// How long a connection lives on that sent what is no message, so that it can be told.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection until it ends: what is read from `reader`, and written to `writer`.
pub(super) async fn run(
    connections: &Connections,
    flow: Flow,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    outbound: &Outbound,
) -> CloseReason {
    let Some(id) = flow.connection else { return CloseReason::Stopped };
    tokio::select! {
        reason = read(connections, flow, id, reader, outbound) => reason,
        reason = write(connections, writer, outbound) => reason,
        reason = outbound.closing() => reason,
    }
}

async fn read(
    connections: &Connections,
    flow: Flow,
    id: ConnectionId,
    mut reader: impl AsyncRead + Unpin,
    outbound: &Outbound,
) -> CloseReason {
    let limits = &connections.shared.limits;
    let mut framer = Framer::new(limits.framer);
    let mut begun: Option<Instant> = None;
    loop {
        let Some(expires) = connections.expires_at(id) else { return outbound.closing().await };
        let due = begun.map_or(expires, |begun| expires.min(begun + limits.message_timeout));
        match tokio::time::timeout_at(due.into(), receive(&mut reader, &mut framer)).await {
            Ok(Ok(0)) => return CloseReason::Peer,
            Ok(Ok(_)) => {}
            // Over TLS, an end without a word of farewell: many take their leave so, and half a message counts for nothing in any case.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return CloseReason::Peer,
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(Err(error)) => return broken(&error),
            Err(_) => {
                // Something that was sent meanwhile keeps it open.
                if is_over(connections, id, begun) {
                    return CloseReason::Idle;
                }
                continue;
            }
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
                    return linger(reader).await;
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

/// Waits for more of the stream and gives it to `framer`; zero at its end. Cancel safe.
async fn receive(reader: &mut (impl AsyncRead + Unpin), framer: &mut Framer) -> io::Result<usize> {
    std::future::poll_fn(|context| {
        let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut *reader).poll_read(context, &mut chunk))?;
        framer.receive(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    })
    .await
}

/// Takes what else comes and throws it away, for what is left unread when a connection closes makes the answer go lost as well.
async fn linger(mut reader: impl AsyncRead + Unpin) -> CloseReason {
    let mut ignored = Framer::new(crate::FramerLimits { max_header_section: 0, max_message: 0 });
    let drained = async {
        while let Ok(1..) = receive(&mut reader, &mut ignored).await {
            drop(ignored.poll_frame());
        }
    };
    // Whichever comes first, the reason is the same.
    let _ = tokio::time::timeout(LINGER, drained).await;
    CloseReason::Framing
}

/// What an error of a connection at work means. In TLS 1.3 a server looks at the certificate of a client when that has done its part of the handshake, so
/// the refusal comes where the first answer would (RFC 8446 §4.4.2.4).
fn broken(error: &io::Error) -> CloseReason {
    #[cfg(feature = "tls")]
    if crate::tls::failure(error) == HandshakeFailure::Refused {
        return CloseReason::Handshake(HandshakeFailure::Refused);
    }
    CloseReason::Broken(error.kind())
}

async fn write(connections: &Connections, mut writer: impl AsyncWrite + Unpin, outbound: &Outbound) -> CloseReason {
    loop {
        let payload = outbound.next().await;
        if let Err(reason) = write_all(connections, &mut writer, &payload).await {
            return reason;
        }
        outbound.done();
        connections.shared.meters.sent.increment(1);
    }
}

async fn write_all(
    connections: &Connections,
    writer: &mut (impl AsyncWrite + Unpin),
    mut rest: &[u8],
) -> Result<(), CloseReason> {
    let patience = connections.shared.limits.write_timeout;
    while !rest.is_empty() {
        match tokio::time::timeout(patience, writer.write(rest)).await {
            Ok(Ok(0)) => return Err(CloseReason::Broken(io::ErrorKind::WriteZero)),
            Ok(Ok(written)) => rest = rest.get(written..).unwrap_or_default(),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(broken(&error)),
            Err(_) => return Err(CloseReason::Stalled),
        }
    }
    match tokio::time::timeout(patience, writer.flush()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(CloseReason::Stalled),
    }
}
