use bytes::Bytes;

use super::Part;
use crate::{ByteStr, ContentType};
use crate::{ContentDisposition, Handling};

/// An ISUP message in a body: `application/ISUP` (RFC 3204 §2), kept as bytes.
///
/// ```
/// use blether_sip_core::body::{Isup, Part};
///
/// let iam = Isup { version: "nxv3".into(), base: Some("etsi121".into()), message: (&b"\x01\x00\x49"[..]).into() };
/// let part = iam.to_part();
/// assert_eq!(part.disposition().to_string(), "signal;handling=optional");
/// assert_eq!(Isup::from_part(&part), Some(iam));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isup {
    /// Whose ISUP it is, such as `itu-t92+` or `ansi`.
    pub version: ByteStr,
    /// The standard it is built on, for those who do not know the version.
    pub base: Option<ByteStr>,
    /// The message, from its type code on.
    pub message: Bytes,
}

impl Isup {
    /// The media type.
    pub const CONTENT_TYPE: &'static str = "application/isup";

    /// The ISUP message that a part is; `None` if it is something else, or if it has no `version`, which it must have.
    #[must_use]
    pub fn from_part(part: &Part) -> Option<Isup> {
        let content_type = part.content_type().filter(|content_type| content_type.essence() == Isup::CONTENT_TYPE)?;
        let param = |name| content_type.params.value_shared(name);
        Some(Isup { version: param("version")?, base: param("base"), message: part.body().clone() })
    }

    /// A part for the other side's gateway, which those who do not know ISUP pass over: `signal;handling=optional` (RFC 3204 §3).
    #[must_use]
    pub fn to_part(&self) -> Part {
        let mut content_type = ContentType::of(Isup::CONTENT_TYPE);
        content_type.params.set("version", Some(&self.version));
        if let Some(base) = &self.base {
            content_type.params.set("base", Some(base));
        }
        let disposition = ContentDisposition::new("signal").with_handling(Handling::Optional);
        Part::new(content_type, self.message.clone()).with_disposition(&disposition)
    }
}
