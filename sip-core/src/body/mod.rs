//! Message bodies: several in one, and those that are neither audio nor video (RFC 5621 and the event packages).
//!
//! [`Part::of`] gives the body of a message with the headers that describe it, and [`Part::find`] the one of a type that is wanted, whether it is
//! the body or stands in a [`Multipart`]:
//!
//! ```
//! use blether_sip_core::body::Part;
//! use blether_sip_core::{Limits, Message};
//!
//! let invite = "INVITE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n\
//!     Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Type: multipart/mixed;boundary=next\r\n\r\n\
//!     --next\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n\
//!     --next\r\nContent-Type: application/isup;version=itu-t92+\r\n\
//!     Content-Disposition: signal;handling=optional\r\n\r\n\x01\x00\r\n--next--\r\n";
//! let message = Message::parse(invite.into(), &Limits::default())?;
//! let offer = Part::of(&message).find("application/sdp")?.expect("an offer");
//! assert_eq!(offer.body(), "v=0\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What comes as lines of text, [`SipFragment`] and [`MessageSummary`], needs no more than this crate; what comes as XML is behind the feature
//! `xml`, which needs `std`.

#[cfg(feature = "xml")]
pub mod conference;
#[cfg(feature = "xml")]
pub mod dialog_info;
mod header_section;
mod isup;
mod multipart;
mod part;
#[cfg(feature = "xml")]
pub mod pidf;
#[cfg(feature = "xml")]
pub mod reginfo;
#[cfg(feature = "xml")]
pub mod resource_lists;
mod sip_fragment;
mod summary;
#[cfg(feature = "xml")]
pub mod xml;

pub use isup::Isup;
pub use multipart::{Multipart, MultipartError, MultipartLimits};
pub use part::Part;
pub use sip_fragment::{FragmentError, FragmentLine, SipFragment};
pub use summary::{MessageClass, MessageCounts, MessageSummary, SummaryError};
