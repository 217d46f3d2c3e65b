//! The lines that are neither `o=`, `m=` nor attributes, and where they go (RFC 8866 §5, §9).

use alloc::vec::Vec;
use core::fmt;

use super::field::is_word;
use super::section::{Line, Section};
use super::{Bandwidth, Connection, MediaDescription, SdpError, SessionDescription, TimeDescription};

impl Section {
    pub(super) fn values(&self, key: char) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |line| line.key() == Some(key)).map(Line::value)
    }

    /// Puts lines in place of those of some types: where the first of them is, or where RFC 8866 §9 wants them.
    pub(super) fn replace(&mut self, keys: &str, fresh: impl IntoIterator<Item = Line>) {
        let is_one = |line: &Line| line.key().is_some_and(|key| keys.contains(key));
        let at = self.lines.iter().position(is_one).unwrap_or_else(|| self.place(keys.chars().next()));
        self.lines.retain(|line| !is_one(line));
        let tail = self.lines.split_off(at.min(self.lines.len()));
        self.lines.extend(fresh);
        self.lines.extend(tail);
    }

    /// Where one more line of a type goes: behind those of its type and of the types before it.
    fn place(&self, key: Option<char>) -> usize {
        let rank = key.and_then(rank);
        let precedes = |line: &Line| line.key().and_then(self::rank).is_some_and(|found| Some(found) <= rank);
        self.lines.iter().rposition(precedes).map_or(0, |last| last + 1)
    }

    fn set_text(&mut self, key: char, text: Option<&str>) -> Result<(), SdpError> {
        self.set_texts(key, text)
    }

    fn set_texts<'a>(&mut self, key: char, texts: impl IntoIterator<Item = &'a str>) -> Result<(), SdpError> {
        let line = |text: &str| {
            let valid = !text.is_empty() && !text.contains(['\r', '\n', '\0']) && (key != 'u' || is_word(text));
            if valid { Ok(Line::new(key, text)) } else { Err(SdpError::Unwritable { key }) }
        };
        let lines: Vec<Line> = texts.into_iter().map(line).collect::<Result<_, _>>()?;
        self.replace(key.encode_utf8(&mut [0; 4]), lines);
        Ok(())
    }

    pub(super) fn set_connections(&mut self, connections: &[Connection]) -> Result<(), SdpError> {
        if !connections.iter().all(Connection::is_writable) {
            return Err(SdpError::Unwritable { key: 'c' });
        }
        self.replace("c", connections.iter().map(|connection| Line::new('c', connection)));
        Ok(())
    }

    fn bandwidths(&self) -> impl Iterator<Item = Bandwidth> {
        self.values('b').filter_map(|value| value.parse().ok())
    }

    fn bandwidth(&self, kind: &str) -> Option<Bandwidth> {
        self.bandwidths().find(|bandwidth| bandwidth.kind.eq_ignore_ascii_case(kind))
    }

    fn remove_bandwidth(&mut self, kind: &str) -> usize {
        let before = self.lines.len();
        self.lines.retain(|line| !is_bandwidth(line, kind));
        before - self.lines.len()
    }

    fn set_bandwidth(&mut self, bandwidth: &Bandwidth) {
        let fresh = Line::new('b', bandwidth);
        let kind = &*bandwidth.kind;
        match self.lines.iter().position(|line| is_bandwidth(line, kind)) {
            Some(at) => {
                self.remove_bandwidth(kind);
                self.lines.insert(at.min(self.lines.len()), fresh);
            }
            None => self.lines.insert(self.place(Some('b')), fresh),
        }
    }
}

fn is_bandwidth(line: &Line, kind: &str) -> bool {
    let found = line.value().split_once(':').map(|(found, _)| found.trim());
    line.key() == Some('b') && found.is_some_and(|found| found.eq_ignore_ascii_case(kind))
}

/// The place of a type of line in RFC 8866 §9; `None` for types that it does not know.
fn rank(key: char) -> Option<usize> {
    // A time is three types of line.
    "vosiuepcbtka".find(if matches!(key, 'r' | 'z') { 't' } else { key })
}

macro_rules! lines_of_both {
    ($description:ident, $after:expr) => {
        impl $description {
            /// The values of all lines of a type, in order and as written: `lines('b')`.
            pub fn lines(&self, key: char) -> impl Iterator<Item = &str> {
                self.section.values(key)
            }

            /// What it is, for people: the `i=` line (RFC 8866 §5.4).
            pub fn information(&self) -> Option<&str> {
                self.section.value('i')
            }

            /// Sets the `i=` line, or takes it away.
            ///
            /// # Errors
            /// [`SdpError::Unwritable`]: the text is empty or has a line end in it.
            pub fn set_information(&mut self, text: Option<&str>) -> Result<(), SdpError> {
                self.section.set_text('i', text)
            }

            /// The bandwidths named here (`b=`), in order, but for those that are malformed.
            pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth> {
                self.section.bandwidths()
            }

            /// The first bandwidth of a kind, such as `AS` or `TIAS`.
            pub fn bandwidth(&self, kind: &str) -> Option<Bandwidth> {
                self.section.bandwidth(kind)
            }

            /// Puts a bandwidth in place of those of its kind, or behind the others.
            pub fn set_bandwidth(&mut self, bandwidth: &Bandwidth) {
                self.section.set_bandwidth(bandwidth);
            }

            /// Removes the bandwidths of a kind, and tells how many that were.
            pub fn remove_bandwidth(&mut self, kind: &str) -> usize {
                self.section.remove_bandwidth(kind)
            }

            /// The `k=` line as written. RFC 8866 §5.12 wants it neither written nor used: it is a key in the open.
            pub fn key(&self) -> Option<&str> {
                self.section.value('k')
            }

            /// Removes the `k=` lines, and tells how many that were.
            pub fn remove_key(&mut self) -> usize {
                let before = self.section.lines.len();
                self.section.lines.retain(|line| line.key() != Some('k'));
                before - self.section.lines.len()
            }

            /// Sets the `c=` lines: several for addresses of hierarchical multicast, none to take them away (RFC 8866 §5.7).
            ///
            /// # Errors
            /// [`SdpError::Unwritable`]: a part is empty or has a space or line end in it.
            pub fn set_connections(&mut self, connections: &[Connection]) -> Result<(), SdpError> {
                self.section.set_connections(connections)?;
                $after(self);
                Ok(())
            }
        }
    };
}

lines_of_both!(MediaDescription, |_: &mut MediaDescription| {});
lines_of_both!(SessionDescription, SessionDescription::pass_on);

impl MediaDescription {
    /// Where media is to be sent: all `c=` lines of this stream, or else that of the session.
    pub fn connections(&self) -> Vec<Connection> {
        let own: Vec<Connection> = self.section.values('c').filter_map(Connection::parse).collect();
        if own.is_empty() { self.connection().into_iter().collect() } else { own }
    }
}

impl SessionDescription {
    /// Sets the name of the session, the `s=` line.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: the name is empty or has a line end in it. `-` stands for none.
    pub fn set_name(&mut self, name: &str) -> Result<(), SdpError> {
        self.section.set_text('s', Some(name))
    }

    /// Where there is more to read: the `u=` line (RFC 8866 §5.5).
    pub fn uri(&self) -> Option<&str> {
        self.section.value('u')
    }

    /// Sets the `u=` line, or takes it away.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: the URI is empty or has a space or line end in it.
    pub fn set_uri(&mut self, uri: Option<&str>) -> Result<(), SdpError> {
        self.section.set_text('u', uri)
    }

    /// Mail addresses of whoever answers for the session: the `e=` lines (RFC 8866 §5.6).
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.section.values('e')
    }

    /// Sets the `e=` lines.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: one is empty or has a line end in it.
    pub fn set_emails<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) -> Result<(), SdpError> {
        self.section.set_texts('e', addresses)
    }

    /// Their telephone numbers: the `p=` lines (RFC 8866 §5.6).
    pub fn phones(&self) -> impl Iterator<Item = &str> {
        self.section.values('p')
    }

    /// Sets the `p=` lines.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: one is empty or has a line end in it.
    pub fn set_phones<'a>(&mut self, numbers: impl IntoIterator<Item = &'a str>) -> Result<(), SdpError> {
        self.section.set_texts('p', numbers)
    }

    /// When the session is held: the `t=`, `r=` and `z=` lines, but for those that are malformed.
    pub fn times(&self) -> Vec<TimeDescription> {
        TimeDescription::read_all(&self.section.lines)
    }

    /// Sets when the session is held; with no times at all, always.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: a time is not what [`TimeDescription::is_writable`] wants.
    pub fn set_times(&mut self, times: &[TimeDescription]) -> Result<(), SdpError> {
        if !times.iter().all(TimeDescription::is_writable) {
            return Err(SdpError::Unwritable { key: 't' });
        }
        let always = TimeDescription::default();
        let times = if times.is_empty() { core::slice::from_ref(&always) } else { times };
        self.section.replace("trz", times.iter().flat_map(TimeDescription::to_lines));
        Ok(())
    }
}

/// Text without the characters that end a field or a line, or something else if that leaves nothing.
pub(super) struct Word<'a>(pub(super) &'a str, pub(super) &'static str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, otherwise) = *self;
        let mut parts = text.split(|c: char| c == ' ' || c.is_control()).filter(|part| !part.is_empty()).peekable();
        if parts.peek().is_none() {
            return f.write_str(otherwise);
        }
        parts.try_for_each(|part| f.write_str(part))
    }
}
