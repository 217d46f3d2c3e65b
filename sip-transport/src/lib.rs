//! Sockets for SIP: UDP datagrams in and out, the [`Flow`] by which a peer is reached, and which local address faces it.
//!
//! This crate moves bytes. What a header means, which transaction a message belongs to and where a response goes are the
//! business of the layers above; it does not know that it carries SIP.
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
//! RFC 3261 §18 as far as UDP goes (its header rules are in `blether-transaction-core`). TCP, TLS, WebSocket and RFC 3263
//! are absent.

mod flow;
mod local;
mod udp;

pub use flow::{Flow, Transport};
pub use local::{LocalAddresses, NoRoute};
pub use udp::{BindError, ReceiveBuffer, UdpSocket};
