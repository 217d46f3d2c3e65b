//! The libraries, each behind the same trait.

pub mod blether;
#[cfg(feature = "peers")]
pub mod ezk;
#[cfg(feature = "peers")]
pub mod httparse;
#[cfg(feature = "peers")]
pub mod memchr;
#[cfg(feature = "peers")]
pub mod rsip;
#[cfg(feature = "peers")]
pub mod rsipstack;
#[cfg(feature = "peers")]
pub mod rvoip;
#[cfg(feature = "peers")]
pub mod sip_core;

use anyhow::{Context as _, ensure};
use bytes::Bytes;

/// What is measured.
#[derive(Clone, Copy)]
pub enum Operation {
    /// Reads the message.
    Parse,
    /// Reads the message, then what a proxy needs of it: the top Via's branch, the tags of From and To, Call-ID, CSeq, Max-Forwards, the first Route, and
    /// the Request-URI's host.
    Proxy,
    /// Reads the message, then each header of which the library has a type.
    Typed,
    /// Finds that the message, whose CSeq is made no number, is none.
    Refuse,
    /// Writes the message: one that was built, where the library has a builder, else one that was read.
    Write,
    /// Builds the message of values that are there, and writes it.
    Build,
    /// Writes a request as a proxy passes it on: a Via and a Record-Route added, Max-Forwards one less, the rest as it came.
    Forward,
    /// Reads the session description that is the body.
    Sdp,
}

impl Operation {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "parse" => Operation::Parse,
            "proxy" => Operation::Proxy,
            "typed" => Operation::Typed,
            "refuse" => Operation::Refuse,
            "write" => Operation::Write,
            "build" => Operation::Build,
            "forward" => Operation::Forward,
            "sdp" => Operation::Sdp,
            _ => return None,
        })
    }
}

/// A library. What is measured includes the way from the bytes that came to what it reads, and to its own memory if it borrows nothing.
pub trait Library {
    type Message: 'static;
    /// The library's own, so that nothing but it is measured.
    type Error: std::fmt::Display;

    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error>;

    /// Whether it has found the headers that are there.
    fn is_understood(message: &Self::Message, expected: &Expected) -> anyhow::Result<()>;

    /// Reads what a proxy needs; `None` if the library does not know it.
    fn proxy(message: &Self::Message) -> Option<()>;

    /// Reads all that has a type; `None` if the library does not know any.
    fn typed(message: &Self::Message) -> Option<()>;

    /// Writes the message; `None` if the library does not know how.
    fn write(message: &Self::Message) -> Option<()>;

    /// One operation, to be run often; `None` if the library cannot do it.
    fn operation(operation: Operation, bytes: &Bytes, message: Self::Message) -> Option<Box<dyn FnMut()>> {
        read_or_refuse::<Self>(operation, bytes, message)
    }
}

/// What all libraries do alike.
fn read_or_refuse<L: Library + ?Sized>(
    operation: Operation,
    bytes: &Bytes,
    message: L::Message,
) -> Option<Box<dyn FnMut()>> {
    use std::hint::black_box;
    let bytes = bytes.clone();
    let whole = bytes.clone();
    let parsed = move || L::parse(black_box(&whole)).unwrap_or_else(|_| unreachable!("it was taken before"));
    match operation {
        Operation::Parse => Some(Box::new(move || drop(black_box(parsed())))),
        Operation::Proxy => {
            L::proxy(&message)?;
            Some(Box::new(move || assert!(L::proxy(&parsed()).is_some())))
        }
        Operation::Typed => {
            L::typed(&message)?;
            Some(Box::new(move || assert!(L::typed(&parsed()).is_some())))
        }
        Operation::Refuse => {
            let broken = broken(&bytes)?;
            L::parse(&broken).err()?;
            Some(Box::new(move || assert!(L::parse(black_box(&broken)).is_err())))
        }
        Operation::Write => {
            L::write(&message)?;
            Some(Box::new(move || assert!(L::write(black_box(&message)).is_some())))
        }
        Operation::Build | Operation::Forward | Operation::Sdp => None,
    }
}

/// The message with letters where CSeq has its number; `None` if it does not spell CSeq so.
pub fn broken(bytes: &Bytes) -> Option<Bytes> {
    let name = b"\r\nCSeq: ";
    let at = bytes.windows(name.len()).position(|window| window == name)? + name.len();
    let mut broken = bytes.to_vec();
    broken.get_mut(at..at + 1)?.fill(b'x');
    Some(broken.into())
}

/// What is to be found in a message: found by splitting its lines, so that a library that reads fast because it reads wrongly is known.
pub struct Expected {
    pub call_id: String,
    pub cseq: u32,
    pub headers: usize,
    pub body: usize,
}

impl Expected {
    pub fn of(bytes: &[u8]) -> anyhow::Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").context("no empty line")?;
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let value = |names: [&str; 2]| {
            unfolded.split("\r\n").skip(1).find_map(|line| {
                let (name, value) = line.split_once(':')?;
                names.iter().any(|known| name.trim().eq_ignore_ascii_case(known)).then(|| value.trim().to_owned())
            })
        };
        let cseq = value(["CSeq", "CSeq"]).context("no CSeq")?;
        Ok(Expected {
            call_id: value(["Call-ID", "i"]).context("no Call-ID")?,
            cseq: cseq.split_whitespace().next().unwrap_or_default().parse()?,
            headers: unfolded.split("\r\n").count() - 1,
            body: body.len(),
        })
    }

    /// Compares what a library has found; a library may make several headers of a list.
    pub fn check(&self, call_id: &str, cseq: u32, headers: usize, body: usize) -> anyhow::Result<()> {
        ensure!(call_id == self.call_id, "reads {call_id:?} as Call-ID");
        ensure!(cseq == self.cseq, "reads {cseq} as CSeq");
        ensure!(headers >= self.headers, "finds {headers} of {} headers", self.headers);
        ensure!(body == self.body, BodyCut { found: body, len: self.body });
        Ok(())
    }
}

/// All headers are found, and not all of the body.
#[derive(Debug)]
pub struct BodyCut {
    found: usize,
    len: usize,
}

impl std::fmt::Display for BodyCut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "finds {} bytes of a body of {}", self.found, self.len)
    }
}

impl std::error::Error for BodyCut {}
