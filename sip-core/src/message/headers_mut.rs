use core::ops::Deref;

use super::inner::{Core, is_mandatory};
use crate::header::check_readable;
use crate::headers::{check, written};
use crate::parse::{has_control, stands_once};
use crate::{HeaderName, Headers, InvalidHeader, TypedHeader};

/// The headers of a message, to be changed in every way that leaves the message valid.
///
/// It reads as [`Headers`]. Four headers that every message has (From, To, Call-ID, CSeq) can be replaced by ones
/// that are valid and cannot be removed; Content-Length follows the body and cannot be set at all.
///
/// ```
/// use blether_sip_core::{HeaderName, Limits, Message, Subject};
///
/// let datagram = "OPTIONS sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nX-Trace: 7\r\n\
///     From: <sip:a@b>;tag=1\r\nTo: <sip:bob@biloxi.com>\r\nCall-ID: 1@a\r\nCSeq: 1 OPTIONS\r\n\r\n";
/// let Message::Request(mut request) = Message::parse(datagram.into(), &Limits::default())? else { unreachable!() };
/// let mut headers = request.headers_mut();
/// headers.set("Lunch".parse::<Subject>()?);
/// assert_eq!(headers.remove(&"X-Trace".parse()?), 1);
/// assert_eq!(headers.remove(&HeaderName::From), 0); // no message is without
/// assert_eq!(headers.raw(&HeaderName::Subject), Some("Lunch"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HeadersMut<'a> {
    core: &'a mut Core,
}

impl Deref for HeadersMut<'_> {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        self.core.headers()
    }
}

impl<'a> HeadersMut<'a> {
    pub(super) fn new(core: &'a mut Core) -> Self {
        HeadersMut { core }
    }

    /// Adds a row at the end, or sets a header that may stand once, where it stands.
    pub fn push<H: TypedHeader>(&mut self, header: H) {
        if stands_once(&H::NAME.canonical()) {
            self.set(header);
        } else if !self.set_own(&header) {
            self.core.edit().push(header);
            self.refresh(&H::NAME);
        }
    }

    /// Adds a row before the first of the same name, or before all others if there is none. One that may stand once is set where
    /// it stands.
    pub fn push_front<H: TypedHeader>(&mut self, header: H) {
        if self.has(&H::NAME) && stands_once(&H::NAME.canonical()) {
            self.set(header);
        } else if !self.set_own(&header) {
            self.core.edit().push_front(header);
            self.refresh(&H::NAME);
        }
    }

    /// Sets the header where its first row stands, or adds it at the end; other rows of its name go.
    ///
    /// A From, To, Call-ID or CSeq that would not read back, or a CSeq of another method, is not taken, nor is a
    /// Content-Length.
    pub fn set<H: TypedHeader>(&mut self, header: H) {
        if !self.set_own(&header) {
            self.core.edit().set(header);
            self.refresh(&H::NAME);
        }
    }

    /// [`HeadersMut::set`] of a value as text.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is no token, if the value has a control character or does not read as the type that the header has, or if
    /// the header is the message's own (From, To, Call-ID, CSeq, Via, Content-Length).
    pub fn set_raw(&mut self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        self.check(name, value)?;
        self.core.edit().set_raw(name, value)
    }

    /// [`HeadersMut::push`] of a value as text.
    ///
    /// # Errors
    ///
    /// As [`HeadersMut::set_raw`].
    pub fn push_raw(&mut self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        self.check(name, value)?;
        self.core.edit().push_or_set(&name.canonical(), value);
        Ok(())
    }

    /// Removes every row of this name; says how many there were. 0 for the headers that a message cannot be without.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let name = name.canonical();
        if is_mandatory(&name) || name == HeaderName::ContentLength || !self.has(&name) {
            return 0;
        }
        let removed = self.core.edit().remove(&name);
        self.refresh(&name);
        removed
    }

    fn check(&self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        let name = check(name, value)?;
        if is_own(&name) { Err(InvalidHeader::Reserved(name)) } else { check_text(&name, value) }
    }

    /// Whether `H` is one of the headers that are not just added; it is set if it is valid.
    fn set_own<H: TypedHeader>(&mut self, header: &H) -> bool {
        if let HeaderName::Extension(name) = H::NAME {
            // A type of the caller's own, which may call itself anything: one that would not be read is not taken.
            let name = HeaderName::Extension(name);
            return self.check(&name, &written(header)).is_err();
        }
        if is_mandatory(&H::NAME) {
            self.core.set_mandatory(&H::NAME.canonical(), header);
            return true;
        }
        H::NAME.code() == HeaderName::ContentLength.code()
    }

    fn refresh(&mut self, name: &HeaderName) {
        if name.code() == HeaderName::Via.code() {
            self.core.refresh_via();
        }
    }
}

/// Fails if text would make a message invalid as the value of a header that is set like any other. The name is canonical.
pub(super) fn check_text(name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
    if has_control(name, value.as_bytes()) {
        return Err(InvalidHeader::Value(name.clone()));
    }
    Ok(check_readable(name, value)?)
}

/// Headers that a message writes from its own values.
pub(super) fn is_own(name: &HeaderName) -> bool {
    is_mandatory(name) || [HeaderName::Via, HeaderName::ContentLength].contains(name)
}
