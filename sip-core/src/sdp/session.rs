//! The whole description.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::{self, FromStr};

use super::media::{Inherited, MediaDescription};
use super::section::{Attribute, Ending, Line, LineWriter, Section};
use super::{Connection, Direction, Origin, SdpError, SdpLimits, SessionBuilder};
use crate::ByteStr;

/// A session description: what the session is, and its streams.
///
/// `to_string` gives back what was parsed, but for what was changed.
///
/// ```
/// use blether_sip_core::sdp::SessionDescription;
///
/// let text = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\na=x-kept: as it is \nm=audio 4000 RTP/AVP 0\n";
/// let mut description: SessionDescription = text.parse()?;
/// description.media[0].port = 5000;
/// assert_eq!(description.to_string().replace("m=audio 5000", "m=audio 4000"), text);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// The `o=` line. Changing a field rewrites that line alone.
    pub origin: Origin,
    /// The streams, in order: the order matches offer and answer (RFC 3264 §6). A stream added here by hand does not take over
    /// the session's address and direction; [`SessionDescription::push_media`] sees to that.
    pub media: Vec<MediaDescription>,
    pub(super) section: Section,
}

impl SessionDescription {
    /// Reads a description within the default [`SdpLimits`].
    ///
    /// # Errors
    /// See [`SdpError`]; a description that is refused is best answered 400 (or 488, if it is an answer).
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, SdpError> {
        Self::parse_within(text, &SdpLimits::default())
    }

    /// Reads a description within other limits.
    ///
    /// # Errors
    /// As [`SessionDescription::parse`].
    pub fn parse_within(text: impl AsRef<[u8]>, limits: &SdpLimits) -> Result<Self, SdpError> {
        let bytes = text.as_ref();
        if bytes.len() > limits.max_size {
            return Err(SdpError::TooLarge { len: bytes.len(), limit: limits.max_size });
        }
        let text = str::from_utf8(bytes).map_err(|error| SdpError::NotUtf8 { at: error.valid_up_to() })?;
        parse(&ByteStr::from(text), limits)
    }

    /// Begins a fresh description.
    pub fn builder(origin: Origin) -> SessionBuilder {
        SessionBuilder::new(origin)
    }

    /// The name of the session: the `s=` line, `-` if there is none.
    pub fn name(&self) -> &str {
        self.section.value('s').unwrap_or("-")
    }

    /// The address for streams that have none of their own.
    pub fn connection(&self) -> Option<Connection> {
        self.section.connection()
    }

    /// The direction of streams that name none (`sendrecv` if the session names none either).
    pub fn direction(&self) -> Direction {
        self.section.direction().unwrap_or_default()
    }

    /// The attributes of the session, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.section.attributes()
    }

    /// The first session attribute of this name. Names are case-sensitive.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        self.section.attribute(name)
    }

    /// Adds a session attribute after those that are there.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: there is a line end in it.
    pub fn push_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), SdpError> {
        self.section.push_attribute(name, value)?;
        self.pass_on();
        Ok(())
    }

    /// Puts a session attribute in place of all of its name.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: there is a line end in it.
    pub fn set_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), SdpError> {
        self.section.set_attribute(name, value)?;
        self.pass_on();
        Ok(())
    }

    /// Removes every session attribute for which `unwanted` says so, and tells how many that were.
    pub fn remove_attributes(&mut self, unwanted: impl FnMut(Attribute<'_>) -> bool) -> usize {
        let removed = self.section.remove_attributes(unwanted);
        self.pass_on();
        removed
    }

    /// Sets the address for streams that have none of their own.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: a part is empty or has a space or line end in it.
    pub fn set_connection(&mut self, connection: &Connection) -> Result<(), SdpError> {
        self.section.set_connections(core::slice::from_ref(connection))?;
        self.pass_on();
        Ok(())
    }

    /// Sets the direction of streams that name none.
    pub fn set_direction(&mut self, direction: Direction) {
        self.section.set_direction(direction);
        self.pass_on();
    }

    /// Adds a stream at the end.
    pub fn push_media(&mut self, mut media: MediaDescription) {
        media.inherit(&self.inherited());
        self.media.push(media);
    }

    pub(super) fn fresh(origin: Origin, name: &str) -> Self {
        let lines = vec![Line::new('v', 0), Line::new('o', &origin), Line::new('s', name), Line::new('t', "0 0")];
        Self { origin, media: Vec::new(), section: Section { lines } }
    }

    fn inherited(&self) -> Inherited {
        Inherited { connection: self.section.connection(), direction: self.section.direction() }
    }

    pub(super) fn pass_on(&mut self) {
        let inherited = self.inherited();
        self.media.iter_mut().for_each(|media| media.inherit(&inherited));
    }
}

impl FromStr for SessionDescription {
    type Err = SdpError;

    /// Reads a description as [`SessionDescription::parse`] does.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        Self::parse(text)
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = LineWriter::new(f);
        for line in &self.section.lines {
            if line.key() == Some('o') && Origin::parse(line.value()).as_ref() != Some(&self.origin) {
                out.write(format_args!("o={}", self.origin), line.ending)?;
            } else {
                out.write(&line.text, line.ending)?;
            }
        }
        self.media.iter().try_for_each(|media| media.write(&mut out))
    }
}

/// The one copy is made before: each line is a slice of `text`.
fn parse(text: &ByteStr, limits: &SdpLimits) -> Result<SessionDescription, SdpError> {
    let mut origin = None;
    let mut session = Section::default();
    let mut media: Vec<MediaDescription> = Vec::new();
    for (index, piece) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        if index >= limits.max_lines {
            return Err(SdpError::TooManyLines { limit: limits.max_lines });
        }
        let line = read_line(text, piece, number)?;
        match line.key() {
            Some('v') if number == 1 && line.value().trim_end() == "0" => {}
            _ if number == 1 => return Err(SdpError::BadVersion),
            Some('m') if media.len() >= limits.max_media => {
                return Err(SdpError::TooManyMedia { limit: limits.max_media });
            }
            Some('m') => {
                media.push(MediaDescription::parse(line, number, limits.max_formats)?);
                continue;
            }
            Some('v') => return Err(SdpError::Duplicate { key: 'v', line: number }),
            Some('o') => {
                let parsed = Origin::parse(line.value()).filter(|_| media.is_empty());
                let parsed = parsed.ok_or(SdpError::BadField { key: 'o', line: number })?;
                if origin.replace(parsed).is_some() {
                    return Err(SdpError::Duplicate { key: 'o', line: number });
                }
            }
            Some('c') if Connection::parse(line.value()).is_none() => {
                return Err(SdpError::BadField { key: 'c', line: number });
            }
            Some(_) | None => {}
        }
        media.last_mut().map_or(&mut session, MediaDescription::section_mut).lines.push(line);
    }
    if session.lines.is_empty() {
        return Err(SdpError::BadVersion);
    }
    let origin = origin.ok_or(SdpError::Missing('o'))?;
    let mut description = SessionDescription { origin, media, section: session };
    description.pass_on();
    Ok(description)
}

fn read_line(whole: &ByteStr, piece: &str, number: usize) -> Result<Line, SdpError> {
    let (text, ending) = match piece.strip_suffix('\n') {
        Some(text) => match text.strip_suffix('\r') {
            Some(text) => (text, Ending::CrLf),
            None => (text, Ending::Lf),
        },
        None => (piece, Ending::Missing),
    };
    let mut chars = text.chars();
    let is_field = match (chars.next(), chars.next()) {
        // Some senders leave a blank line at the end.
        (None, _) => number > 1,
        (Some(key), Some('=')) => key.is_ascii_alphabetic(),
        _ => false,
    };
    if !is_field || text.contains(['\r', '\0']) {
        return Err(SdpError::BadLine { line: number });
    }
    Ok(Line { text: whole.share(text), ending })
}
