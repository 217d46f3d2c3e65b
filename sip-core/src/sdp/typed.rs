//! Attributes by their types, of the session and of its streams.

use alloc::string::String;

use super::attribute::{Fmtp, SdpAttribute};
use super::section::{Line, Section};
use super::{MediaDescription, SdpError, SessionDescription};

impl Section {
    /// What each attribute of the type reads as.
    pub(super) fn read<T: SdpAttribute>(&self) -> impl Iterator<Item = Result<T, SdpError>> {
        self.lines.iter().filter_map(read)
    }

    fn replace_one<T: SdpAttribute>(&mut self, attribute: &T, is_it: impl Fn(&T) -> bool) -> bool {
        let found = self.lines.iter_mut().find(|line| matches!(read(line), Some(Ok(read)) if is_it(&read)));
        found.map(|line| *line = line_of(attribute)).is_some()
    }

    fn retain<T: SdpAttribute>(&mut self, mut keep: impl FnMut(&T) -> bool) -> usize {
        let before = self.lines.len();
        self.lines.retain(|line| !matches!(read(line), Some(Ok(read)) if !keep(&read)));
        before - self.lines.len()
    }

    fn set<T: SdpAttribute>(&mut self, attribute: &T) {
        self.replace_attributes(line_of(attribute), T::is_named);
    }

    fn remove<T: SdpAttribute>(&mut self) -> usize {
        self.remove_attributes(|attribute| T::is_named(attribute.name))
    }
}

/// What a line reads as, if it is an attribute of the type.
fn read<T: SdpAttribute>(line: &Line) -> Option<Result<T, SdpError>> {
    let attribute = line.attribute().filter(|attribute| T::is_named(attribute.name))?;
    let value = attribute.value.map(|value| line.text.share(value)).unwrap_or_default();
    Some(T::parse_value(value))
}

/// The line of an attribute. Those of this crate write nothing that would break it; others may.
fn line_of<T: SdpAttribute>(attribute: &T) -> Line {
    let mut text = String::from(T::NAME);
    text.retain(|c| !c.is_control() && !matches!(c, ' ' | ':'));
    text.push(':');
    let name = text.len();
    attribute.write(&mut text);
    if text.len() == name {
        text.truncate(name - 1);
    }
    if text.contains(['\r', '\n', '\0']) {
        text = text.replace(['\r', '\n', '\0'], " ");
    }
    Line::new('a', text)
}

macro_rules! typed_attributes {
    ($description:ident, $it:literal, $after:expr) => {
        impl $description {
            #[doc = concat!("The first attribute of a type that ", $it, " has. Attributes that are malformed are passed over, as RFC 8866 §5.13 wants")]
            #[doc = "it of those that are not understood; [`read_all`](Self::read_all) tells them."]
            pub fn get<T: SdpAttribute>(&self) -> Option<T> {
                self.all().next()
            }

            /// All attributes of a type, in order, but for those that are malformed.
            pub fn all<T: SdpAttribute>(&self) -> impl Iterator<Item = T> {
                self.read_all().filter_map(Result::ok)
            }

            /// All attributes of a type, in order, or why one cannot be read ([`SdpError::BadAttribute`]).
            pub fn read_all<T: SdpAttribute>(&self) -> impl Iterator<Item = Result<T, SdpError>> {
                self.section.read()
            }

            /// Whether there is an attribute of a type that can be read.
            pub fn has<T: SdpAttribute>(&self) -> bool {
                self.get::<T>().is_some()
            }

            /// Puts an attribute where the first of its type is, or at the end; the others go, malformed ones, too.
            pub fn set<T: SdpAttribute>(&mut self, attribute: &T) {
                self.section.set(attribute);
                $after(self);
            }

            /// Puts an attribute in place of the first of its type for which `is_it` says so; the others stay. Says whether there was one.
            pub fn replace<T: SdpAttribute>(&mut self, attribute: &T, is_it: impl Fn(&T) -> bool) -> bool {
                let replaced = self.section.replace_one(attribute, is_it);
                $after(self);
                replaced
            }

            /// Removes the attributes of a type for which `keep` says no, and tells how many that were. Those that are malformed stay.
            pub fn retain<T: SdpAttribute>(&mut self, keep: impl FnMut(&T) -> bool) -> usize {
                let removed = self.section.retain(keep);
                $after(self);
                removed
            }

            /// Adds an attribute at the end.
            pub fn add<T: SdpAttribute>(&mut self, attribute: &T) {
                self.section.append(line_of(attribute));
                $after(self);
            }

            /// Removes all attributes of a type, and tells how many that were.
            pub fn remove<T: SdpAttribute>(&mut self) -> usize {
                let removed = self.section.remove::<T>();
                $after(self);
                removed
            }
        }
    };
}

typed_attributes!(MediaDescription, "this stream", |_: &mut MediaDescription| {});
typed_attributes!(SessionDescription, "the session", SessionDescription::pass_on);

impl SessionDescription {
    /// An attribute that counts for a stream: its own, or else that of the session. So `ice-ufrag`, `fingerprint`, `setup` and others
    /// that may stand at either level are meant (RFC 8866 §6 and the RFC of each).
    ///
    /// ```
    /// use blether_sip_core::sdp::SessionDescription;
    /// use blether_sip_core::sdp::attribute::Setup;
    ///
    /// let description = SessionDescription::parse(
    ///     "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=setup:actpass\r\n\
    ///      m=audio 9 UDP/TLS/RTP/SAVP 0\r\nm=video 9 UDP/TLS/RTP/SAVP 96\r\na=setup:active\r\n",
    /// )?;
    /// let setup = |index: usize| description.get_for::<Setup>(&description.media[index]);
    /// assert_eq!((setup(0), setup(1)), (Some(Setup::ActPass), Some(Setup::Active)));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    pub fn get_for<T: SdpAttribute>(&self, media: &MediaDescription) -> Option<T> {
        media.get().or_else(|| self.get())
    }
}

impl MediaDescription {
    /// The parameters of a payload type, to be read one by one. [`MediaDescription::fmtp`] gives them as text.
    pub fn parameters(&self, payload_type: u8) -> Option<Fmtp> {
        self.all::<Fmtp>().find(|fmtp| fmtp.payload_type() == Some(payload_type))
    }
}
