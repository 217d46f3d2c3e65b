//! One stream: an `m=` line and what follows it (RFC 8866 §5.14).

use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::attribute::{MaxPtime, Ptime};
use super::field::{is_word, number};
use super::lines::Word;
use super::section::{Attribute, Ending, Line, LineWriter, Section};
use super::static_payload::static_payload;
use super::{Connection, Direction, MediaBuilder, RtpMap, SdpError};
use crate::ByteStr;

/// One stream of a description. The public fields are those of its `m=` line; changing one rewrites that line alone.
///
/// ```
/// use blether_sip_core::sdp::{Direction, MediaDescription};
///
/// let mut audio = MediaDescription::builder("audio", 49170, "RTP/AVP").rtpmap(96, "opus", 48_000, 2).build()?;
/// audio.set_direction(Direction::SendOnly);
/// assert_eq!(&*audio.rtpmap(96).unwrap().encoding, "opus");
/// audio.port = 0; // refused
/// assert_eq!(audio.rtp_address(), None);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video`, `text`, `image`, `application`, `message`, …
    pub kind: ByteStr,
    /// Transport port; 0 refuses the stream (RFC 3264 §6).
    pub port: u16,
    /// Number of ports, if given (`49170/2`): for layered streams.
    pub port_count: Option<u16>,
    /// `RTP/AVP`, `RTP/SAVPF`, `udptl`, …
    pub protocol: ByteStr,
    /// The formats, best first; payload types if the protocol is RTP.
    pub formats: Vec<ByteStr>,
    /// The `m=` line as it came.
    source: Option<Line>,
    pub(super) section: Section,
    inherited: Inherited,
}

/// What the session says for streams that do not say it themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Inherited {
    pub(super) connection: Option<Connection>,
    pub(super) direction: Option<Direction>,
}

impl MediaDescription {
    /// Begins a fresh stream.
    pub fn builder(kind: &str, port: u16, protocol: &str) -> MediaBuilder {
        MediaBuilder::new(kind, port, protocol)
    }

    /// Where media of this stream is to be sent: its own `c=` line, or the session's.
    pub fn connection(&self) -> Option<Connection> {
        self.section.connection().or_else(|| self.inherited.connection.clone())
    }

    /// The numeric address and port that RTP is to be sent to; `None` for a host name, no `c=` line, or a refused stream.
    pub fn rtp_address(&self) -> Option<SocketAddr> {
        let ip = self.connection()?.ip()?;
        (self.port != 0).then_some(SocketAddr::new(ip, self.port))
    }

    /// Which way media flows: what this stream says, or the session, or else `sendrecv` (RFC 8866 §6.7).
    pub fn direction(&self) -> Direction {
        self.section.direction().or(self.inherited.direction).unwrap_or_default()
    }

    /// The formats that are RTP payload types, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|format| number::<u8>(format)).filter(|number| *number < 128)
    }

    /// What a payload type stands for: its `a=rtpmap`, or the static assignment of RFC 3551 §6, which needs none.
    ///
    /// `None` if neither is there, or the attribute is malformed.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        match self.for_format("rtpmap", payload_type) {
            Some(text) => text.parse().ok(),
            None => static_payload(payload_type),
        }
    }

    /// The parameters of a payload type, as written: `a=fmtp` (RFC 8866 §6.15).
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.for_format("fmtp", payload_type)
    }

    /// How much audio the sender of this description wants in one packet: `a=ptime` (RFC 8866 §6.4).
    pub fn ptime(&self) -> Option<Duration> {
        self.get::<Ptime>().map(|ptime| ptime.0)
    }

    /// The most audio that may be in one packet: `a=maxptime` (RFC 8866 §6.5).
    pub fn max_ptime(&self) -> Option<Duration> {
        self.get::<MaxPtime>().map(|ptime| ptime.0)
    }

    /// The attributes of this stream, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.section.attributes()
    }

    /// The first attribute of this name. Names are case-sensitive.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        self.section.attribute(name)
    }

    /// Adds an attribute at the end of this stream.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: there is a line end in it.
    pub fn push_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), SdpError> {
        self.section.push_attribute(name, value)
    }

    /// Puts an attribute in place of all of its name.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: there is a line end in it.
    pub fn set_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), SdpError> {
        self.section.set_attribute(name, value)
    }

    /// Removes every attribute for which `unwanted` says so, and tells how many that were.
    pub fn remove_attributes(&mut self, unwanted: impl FnMut(Attribute<'_>) -> bool) -> usize {
        self.section.remove_attributes(unwanted)
    }

    /// Puts a direction in place of whichever this stream names.
    pub fn set_direction(&mut self, direction: Direction) {
        self.section.set_direction(direction);
    }

    /// Gives this stream a `c=` line of its own, in place of any that it has.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: a part is empty or has a space or line end in it.
    pub fn set_connection(&mut self, connection: &Connection) -> Result<(), SdpError> {
        self.section.set_connections(core::slice::from_ref(connection))
    }

    /// Reads the `m=` line, the first of a media section.
    pub(super) fn parse(line: Line, number: usize, max_formats: usize) -> Result<Self, SdpError> {
        let fields = MediaLine::parse(line.value(), max_formats);
        let MediaLine { kind, port, port_count, protocol, formats } =
            fields.ok_or(SdpError::BadField { key: 'm', line: number })?;
        if formats.len() > max_formats {
            return Err(SdpError::TooManyFormats { line: number, limit: max_formats });
        }
        Ok(Self {
            kind: line.text.share(kind),
            port,
            port_count,
            protocol: line.text.share(protocol),
            formats: formats.into_iter().map(|format| line.text.share(format)).collect(),
            source: Some(line),
            section: Section::default(),
            inherited: Inherited::default(),
        })
    }

    pub(super) fn fresh(kind: &str, port: u16, protocol: &str) -> Self {
        Self {
            kind: ByteStr::from(kind),
            port,
            port_count: None,
            protocol: ByteStr::from(protocol),
            formats: Vec::new(),
            source: None,
            section: Section::default(),
            inherited: Inherited::default(),
        }
    }

    pub(super) fn section_mut(&mut self) -> &mut Section {
        &mut self.section
    }

    pub(super) fn inherit(&mut self, inherited: &Inherited) {
        self.inherited = inherited.clone();
    }

    pub(super) fn is_writable(&self) -> bool {
        is_word(&self.kind)
            && is_word(&self.protocol)
            && !self.formats.is_empty()
            && self.formats.iter().all(|f| is_word(f))
    }

    pub(super) fn write(&self, out: &mut LineWriter<'_, '_>) -> fmt::Result {
        match &self.source {
            Some(source) if self.is_as(source) => out.write(&source.text, source.ending)?,
            Some(source) => out.write(AsLine(self), source.ending)?,
            None => out.write(AsLine(self), Ending::CrLf)?,
        }
        self.section.lines.iter().try_for_each(|line| out.write(&line.text, line.ending))
    }

    /// Whether the fields are still those of the line that they were read from.
    fn is_as(&self, source: &Line) -> bool {
        MediaLine::parse(source.value(), self.formats.len()).is_some_and(|m| {
            m.kind == &*self.kind
                && (m.port, m.port_count) == (self.port, self.port_count)
                && m.protocol == &*self.protocol
                && m.formats.len() == self.formats.len()
                && m.formats.iter().zip(&self.formats).all(|(a, b)| *a == &**b)
        })
    }

    fn for_format(&self, name: &str, payload_type: u8) -> Option<&str> {
        self.attributes().filter(|a| a.name == name).find_map(|a| {
            let (format, rest) = a.value?.trim().split_once([' ', '\t'])?;
            (number::<u8>(format)? == payload_type).then(|| rest.trim())
        })
    }
}

/// The fields of an `m=` line, not yet owned.
struct MediaLine<'a> {
    kind: &'a str,
    port: u16,
    port_count: Option<u16>,
    protocol: &'a str,
    formats: Vec<&'a str>,
}

impl<'a> MediaLine<'a> {
    /// Reads one format more than allowed at most, so that the caller can tell that there were too many.
    fn parse(value: &'a str, max_formats: usize) -> Option<Self> {
        let mut words = value.split([' ', '\t']).filter(|word| !word.is_empty());
        let kind = words.next()?;
        let ports = words.next()?;
        let (port, port_count) = match ports.split_once('/') {
            Some((port, count)) => (number(port)?, Some(number(count)?)),
            None => (number(ports)?, None),
        };
        let protocol = words.next()?;
        let formats: Vec<&str> = words.take(max_formats.saturating_add(1)).collect();
        (!formats.is_empty()).then_some(Self { kind, port, port_count, protocol, formats })
    }
}

/// Writes the `m=` line from the fields. They are public, so what would break the line is left out, and there is a format whatever they say.
struct AsLine<'a>(&'a MediaDescription);

impl fmt::Display for AsLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(media) = self;
        write!(f, "m={} {}", Word(&media.kind, "audio"), media.port)?;
        if let Some(count) = media.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", Word(&media.protocol, "RTP/AVP"))?;
        if media.formats.is_empty() {
            f.write_str(" 0")?;
        }
        media.formats.iter().try_for_each(|format| write!(f, " {}", Word(format, "0")))
    }
}
