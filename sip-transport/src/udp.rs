//! UDP sockets for SIP.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use metrics::Counter;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::Transport;

/// What the kernel is asked to hold of datagrams that arrive while the process is away: some 4,000 messages of 1 kB. The kernel
/// grants less where `net.core.rmem_max` says so.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// A listening socket could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport}:{address}")]
pub struct BindError {
    /// The protocol.
    pub transport: Transport,
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the kernel said; [`io::ErrorKind::AddrInUse`] when another process has the port.
    pub source: io::Error,
}

/// Room for one datagram of any size, used again for each.
#[derive(Debug)]
pub struct ReceiveBuffer(Box<[u8]>);

impl ReceiveBuffer {
    /// 65,535 bytes: no UDP datagram is larger, so none is ever cut.
    pub fn new() -> Self {
        Self(vec![0; 65_535].into_boxed_slice())
    }
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Held rather than looked up: each datagram counts. A metrics recorder, if there is to be one, is installed before the socket is bound.
#[derive(Debug)]
struct DatagramMeters {
    received: Counter,
    sent: Counter,
    send_errors: Counter,
}

impl DatagramMeters {
    fn new() -> Self {
        Self {
            received: metrics::counter!("blether_transport_received_datagrams_total"),
            sent: metrics::counter!("blether_transport_sent_datagrams_total"),
            send_errors: metrics::counter!("blether_transport_send_errors_total"),
        }
    }
}

/// A UDP socket on a tokio reactor.
#[derive(Debug)]
pub struct UdpSocket {
    inner: tokio::net::UdpSocket,
    local: SocketAddr,
    meters: DatagramMeters,
}

impl UdpSocket {
    /// Binds `address` (port 0 lets the system choose) with a large receive buffer. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BindError`] when the address is taken, not ours or not allowed.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_io(address, false).map_err(|source| BindError { transport: Transport::Udp, address, source })
    }

    /// Binds `count` sockets (at least one) to the same address, among which the kernel shares the peers out (`SO_REUSEPORT`); with port 0
    /// all have the one port that the system chose. Nobody else can join them: the first is bound alone.
    ///
    /// # Errors
    ///
    /// As [`Self::bind`]; `Unsupported` where the system has no such option and `count` is over one.
    pub fn bind_shared(address: SocketAddr, count: usize) -> Result<Vec<Self>, BindError> {
        let bind = || -> io::Result<Vec<Self>> {
            let first = Self::bind_io(address, false)?;
            let local = first.local;
            let mut sockets = vec![first];
            if count > 1 {
                // Only from here on: a socket that had the option when it was bound could share a port of somebody else's.
                sockets.iter().try_for_each(|socket| reuse_port(&SockRef::from(&socket.inner)))?;
            }
            for _ in 1..count {
                sockets.push(Self::bind_io(local, true)?);
            }
            Ok(sockets)
        };
        bind().map_err(|source| BindError { transport: Transport::Udp, address, source })
    }

    fn bind_io(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            // Each family has its own listener: a v4-mapped source address would compare unequal to the same peer over IPv4.
            socket.set_only_v6(true)?;
        }
        if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
            tracing::debug!(%error, "the system's default receive buffer stays");
        }
        if shared {
            reuse_port(&SockRef::from(&socket))?;
        }
        socket.bind(&address.into())?;
        let inner = tokio::net::UdpSocket::from_std(socket.into())?;
        let local = inner.local_addr()?;
        Ok(Self { inner, local, meters: DatagramMeters::new() })
    }

    /// The address that is bound; a wildcard address stays one.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits until a datagram can probably be received; [`Self::try_receive`] may still find none. Cancel safe.
    ///
    /// # Errors
    ///
    /// When the reactor is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.inner.readable().await
    }

    /// Waits for one datagram and takes it. Cancel safe.
    ///
    /// # Errors
    ///
    /// Those of [`Self::try_receive`] but `WouldBlock`.
    pub async fn receive(&self, buffer: &mut ReceiveBuffer) -> io::Result<(Bytes, SocketAddr)> {
        loop {
            self.readable().await?;
            match self.try_receive(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    /// Takes one datagram and its source, without waiting. The bytes are copied once, into an allocation of their own size, so a
    /// message that is kept keeps nothing else alive.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when there is none; [`io::ErrorKind::ConnectionRefused`] reports an ICMP message about
    /// something sent before, and the socket goes on.
    pub fn try_receive(&self, buffer: &mut ReceiveBuffer) -> io::Result<(Bytes, SocketAddr)> {
        let (length, source) = self.inner.try_recv_from(&mut buffer.0)?;
        self.meters.received.increment(1);
        Ok((Bytes::copy_from_slice(buffer.0.get(..length).unwrap_or_default()), source))
    }

    /// Sends one datagram, without waiting.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when the kernel's send buffer is full, and whatever the kernel says of the destination.
    pub fn try_send_to(&self, payload: &[u8], destination: SocketAddr) -> io::Result<()> {
        // Straight to the kernel: the reactor's own `try_send_to` refuses until it has seen the socket writable once, which would fail
        // the first message of a fresh socket.
        match SockRef::from(&self.inner).send_to(payload, &destination.into()) {
            Ok(_) => {
                self.meters.sent.increment(1);
                Ok(())
            }
            Err(error) => {
                self.meters.send_errors.increment(1);
                Err(error)
            }
        }
    }
}

#[cfg(unix)]
fn reuse_port(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn reuse_port(_socket: &SockRef<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_address() {
        let first = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = UdpSocket::bind(first.local_addr()).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&first.local_addr().to_string()), "{error}");
    }

    #[tokio::test]
    async fn sockets_that_share_a_port_get_each_peer_once_and_let_nobody_in() {
        let shared = UdpSocket::bind_shared("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let local = shared[0].local_addr();
        assert!(shared.iter().all(|socket| socket.local_addr() == local));
        assert_eq!(UdpSocket::bind_shared(local, 2).unwrap_err().source.kind(), io::ErrorKind::AddrInUse);
        let peers: Vec<_> = (0..64).map(|_| UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap()).collect();
        for peer in &peers {
            peer.try_send_to(b"x", local).unwrap();
        }
        let (mut buffer, mut heard, mut busy) = (ReceiveBuffer::new(), Vec::new(), 0);
        while heard.len() < peers.len() {
            let [a, b, c] = &shared[..] else { panic!("not three") };
            tokio::select! { _ = a.readable() => {}, _ = b.readable() => {}, _ = c.readable() => {} }
            for socket in &shared {
                let before = heard.len();
                while let Ok((_, source)) = socket.try_receive(&mut buffer) {
                    heard.push(source);
                }
                busy += usize::from(heard.len() > before);
            }
        }
        heard.sort();
        heard.dedup();
        assert_eq!(heard.len(), peers.len());
        assert!(busy > 1, "only one socket has heard anything");
    }

    #[tokio::test]
    async fn the_largest_datagram_arrives_whole() {
        let a = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let b = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let largest = vec![7u8; 65_507];
        a.try_send_to(&largest, b.local_addr()).unwrap();
        let (datagram, source) = b.receive(&mut ReceiveBuffer::new()).await.unwrap();
        assert_eq!((datagram.len(), source), (largest.len(), a.local_addr()));
    }
}
