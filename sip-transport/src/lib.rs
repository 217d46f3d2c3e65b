//! Sockets for SIP: UDP datagrams, TCP and TLS connections in and out, the [`Flow`] by which a peer is reached, and which local address faces it.
//!
//! This crate moves bytes. What a header means, which transaction a message belongs to and where a response goes are the
//! business of the layers above; it knows of SIP where a message on a stream ends ([`Framer`]) and where its Call-ID stands
//! ([`find_call_id`]), by which messages are shared out among shards.
//!
//! The [`Framer`] has no I/O: receive bytes, then poll frames until it is quiet. [`Connections`] is the driver for TCP: one task a connection,
//! messages and ends handed to a [`StreamUser`], sending by [`Flow`] whoever opened the connection. A [`TcpListener`] may have a `TlsServer`: what it
//! takes in becomes TLS first, and is a connection like any other then. `Connections::lead_to` gives the flow to a peer that has to prove a name by TLS.
//!
//! Feature `tls` (off by default) is TLS 1.2 and 1.3 with the cryptography of aws-lc-rs, which a C compiler builds.
//!
//! # Example
//!
//! ```
//! use blether_sip_transport::{LocalAddresses, UdpSocket};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = UdpSocket::bind("127.0.0.1:0".parse()?)?;
//! let bob = UdpSocket::bind("127.0.0.1:0".parse()?)?;
//! alice.try_send_to(b"hello", bob.local_addr())?;
//!
//! let mut buffer = blether_sip_transport::ReceiveBuffer::new();
//! let (datagram, source) = bob.receive(&mut buffer).await?;
//! assert_eq!((&datagram[..], source), (&b"hello"[..], alice.local_addr()));
//! assert_eq!(LocalAddresses::new(16).towards(source)?, source.ip());
//! # Ok(())
//! # }
//! ```
//!
//! # RFCs
//!
//! RFC 3261 §18 as far as UDP, TCP and TLS go (its header rules are in `blether-transaction-core`), §20.14, §26.3.1; RFC 3263 in [`resolve`]; RFC 5626 §3.5.1: pings are
//! answered, and none are sent; RFC 5922 §7: whom a certificate proves a peer to be, but the name in its subject, which may be looked at where there is no other; RFC 5923 §8. The
//! purpose of RFC 5924, revoked certificates and WebSocket are absent.
#![warn(clippy::indexing_slicing)]

mod connection_table;
mod flow;
mod framer;
mod local;
mod named_peers;
mod peer_name;
pub mod resolve;
mod rows;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;

pub use connection_table::ConnectionLimits;
pub use flow::{ConnectionId, Flow, Transport};
pub use framer::{Frame, Framer, FramerLimits, FramingError};
pub use local::{LocalAddresses, NoRoute};
pub use peer_name::{InvalidPeerName, PeerName};
pub use rows::find_call_id;
pub use tcp::{
    CertificateFault, CloseReason, Connections, HandshakeFailure, LocalEnd, Room, StreamEvent, StreamUser, TcpListener,
};
#[cfg(feature = "tls")]
pub use tls::{CertificateChain, ClientCertificates, TlsClient, TlsError, TlsServer, TrustAnchors};
pub use udp::{BindError, ReceiveBuffer, UdpSocket};
