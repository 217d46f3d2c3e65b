//! The lines of one section, session or media, as they came.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use super::SdpError;
use super::field::{Connection, Direction};
use crate::ByteStr;

/// An `a=` line (RFC 8866 §5.13).
///
/// ```
/// use blether_sip_core::sdp::MediaDescription;
///
/// let audio = MediaDescription::builder("audio", 4000, "RTP/AVP").format("0").attribute("x-seat", Some("3")).build()?;
/// assert_eq!(audio.attribute("x-seat").unwrap().value, Some("3"));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Case-sensitive.
    pub name: &'a str,
    /// What follows the colon, as written; `None` if there is no colon.
    pub value: Option<&'a str>,
}

/// One line. `text` is without its end; an empty line (only sloppy senders make one) has empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: ByteStr,
    pub(super) ending: Ending,
}

/// How a line ended when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    CrLf,
    /// Tolerated (RFC 8866 §5).
    Lf,
    /// The last line, cut short.
    Missing,
}

impl Line {
    pub(super) fn new(key: char, value: impl fmt::Display) -> Self {
        Self { text: ByteStr::from(format!("{key}={value}")), ending: Ending::CrLf }
    }

    pub(super) fn key(&self) -> Option<char> {
        self.text.chars().next()
    }

    pub(super) fn value(&self) -> &str {
        self.text.split_once('=').map_or("", |(_, value)| value)
    }

    pub(super) fn attribute(&self) -> Option<Attribute<'_>> {
        let text = self.text.strip_prefix("a=")?;
        Some(match text.split_once(':') {
            Some((name, value)) => Attribute { name, value: Some(value) },
            None => Attribute { name: text.trim_end(), value: None },
        })
    }
}

/// Writes lines one after the other, and ends a line that came without an end when another follows.
pub(super) struct LineWriter<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    owes_end: bool,
}

impl<'a, 'f> LineWriter<'a, 'f> {
    pub(super) fn new(out: &'a mut fmt::Formatter<'f>) -> Self {
        Self { out, owes_end: false }
    }

    pub(super) fn write(&mut self, text: impl fmt::Display, ending: Ending) -> fmt::Result {
        if core::mem::take(&mut self.owes_end) {
            self.out.write_str("\r\n")?;
        }
        write!(self.out, "{text}")?;
        match ending {
            Ending::CrLf => self.out.write_str("\r\n"),
            Ending::Lf => self.out.write_str("\n"),
            Ending::Missing => {
                self.owes_end = true;
                Ok(())
            }
        }
    }
}

/// The lines of a section in order; for a media section those after its `m=` line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) lines: Vec<Line>,
}

impl Section {
    pub(super) fn value(&self, key: char) -> Option<&str> {
        self.lines.iter().find(|line| line.key() == Some(key)).map(Line::value)
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.lines.iter().filter_map(Line::attribute)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        self.attributes().find(|attribute| attribute.name == name)
    }

    pub(super) fn push_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), SdpError> {
        let line = attribute_line(name, value)?;
        self.append(line);
        Ok(())
    }

    /// Puts the attribute where the first of its name is, and removes all others of that name.
    pub(super) fn set_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), SdpError> {
        let line = attribute_line(name, value)?;
        self.replace_attributes(line, |found| found == name);
        Ok(())
    }

    /// Puts a line where the first attribute is whose name is such, or at the end, and removes the others.
    pub(super) fn replace_attributes(&mut self, line: Line, is_named: impl Fn(&str) -> bool) {
        let is_one = |line: &Line| line.attribute().is_some_and(|attribute| is_named(attribute.name));
        let Some(first) = self.lines.iter().position(is_one) else { return self.append(line) };
        let mut index = 0;
        self.lines.retain(|line| {
            index += 1;
            index - 1 <= first || !is_one(line)
        });
        if let Some(place) = self.lines.get_mut(first) {
            *place = line;
        }
    }

    /// How many were removed.
    pub(super) fn remove_attributes(&mut self, mut unwanted: impl FnMut(Attribute<'_>) -> bool) -> usize {
        let before = self.lines.len();
        self.lines.retain(|line| !line.attribute().is_some_and(&mut unwanted));
        before - self.lines.len()
    }

    pub(super) fn connection(&self) -> Option<Connection> {
        self.value('c').and_then(Connection::parse)
    }

    /// The direction that this section itself names.
    pub(super) fn direction(&self) -> Option<Direction> {
        self.attributes().filter(|a| a.value.is_none()).find_map(|a| Direction::from_name(a.name))
    }

    /// Replaces whichever direction is there.
    pub(super) fn set_direction(&mut self, direction: Direction) {
        if self.direction() == Some(direction) {
            return;
        }
        let line = Line::new('a', direction);
        let is_direction = |l: &Line| l.attribute().is_some_and(|a| Direction::from_name(a.name).is_some());
        match self.lines.iter().position(is_direction) {
            Some(at) => {
                self.lines.retain(|l| !is_direction(l));
                self.lines.insert(at.min(self.lines.len()), line);
            }
            None => self.append(line),
        }
    }

    /// Puts a line at the end, but before blank lines that trail.
    pub(super) fn append(&mut self, line: Line) {
        let at = self.lines.iter().rposition(|l| !l.text.is_empty()).map_or(0, |last| last + 1);
        self.lines.insert(at, line);
    }
}

fn attribute_line(name: &str, value: Option<&str>) -> Result<Line, SdpError> {
    let breaks = |text: &str| text.contains(['\r', '\n', '\0']);
    let is_none = |value: &str| value.is_empty() || breaks(value); // RFC 8866 §9: `byte-string`
    if name.is_empty() || name.contains([' ', ':']) || breaks(name) || value.is_some_and(is_none) {
        return Err(SdpError::Unwritable { key: 'a' });
    }
    Ok(match value {
        Some(value) => Line::new('a', format_args!("{name}:{value}")),
        None => Line::new('a', name),
    })
}
