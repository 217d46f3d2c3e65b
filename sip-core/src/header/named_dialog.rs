//! Headers that name another dialog: Replaces, Join and Target-Dialog.

use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::class::{self, BARE_VALUE, GRAPHIC, PARAM_VALUE};
use crate::{ByteStr, Params};

/// What names a dialog, with the other parameters.
struct Named {
    call_id: ByteStr,
    local_tag: ByteStr,
    remote_tag: ByteStr,
    params: Params,
}

/// Reads `callid *(SEMI param)` with each of the tags once, in this order: local, remote, as the recipient sees it.
fn read(value: &ByteStr, tags: [&str; 2], error: impl Fn() -> HeaderError) -> Result<Named, HeaderError> {
    let text = class::trim_wsp(value);
    let (call_id, rest) = class::split(text, PARAM_VALUE);
    if call_id.is_empty() || !class::all(call_id.as_bytes(), GRAPHIC) {
        return Err(error().at(value, text));
    }
    let mut params = match crate::grammar::params(value, rest) {
        Ok(("", params)) => params,
        Ok((rest, _)) => return Err(error().at(value, rest)),
        Err(_) => return Err(error().at(value, rest)),
    };
    let mut tag = |name: &str| {
        let is_one = params.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).count() == 1;
        params.take(name).flatten().filter(|tag| is_one && class::all(tag.as_bytes(), BARE_VALUE) && !tag.is_empty())
    };
    let [local, remote] = tags;
    match (tag(local), tag(remote)) {
        (Some(local_tag), Some(remote_tag)) => {
            Ok(Named { call_id: value.share(call_id), local_tag, remote_tag, params })
        }
        _ => Err(error().at(value, rest)),
    }
}

/// Appends the Call-ID and both tags, each without the characters that it cannot have here, or as a zero if no other is left.
fn write(out: &mut String, call_id: &str, tags: [(&str, &str); 2]) {
    write_word(out, call_id, |c| c.is_ascii_graphic() && c != ';');
    for (name, tag) in tags {
        out.extend([";", name, "="]);
        write_word(out, tag, |c| u8::try_from(c).is_ok_and(|byte| class::is(byte, BARE_VALUE)));
    }
}

fn write_word(out: &mut String, text: &str, is_allowed: impl Fn(char) -> bool) {
    let before = out.len();
    out.extend(text.chars().filter(|c| is_allowed(*c)));
    if out.len() == before {
        out.push('0');
    }
}

/// Whether the tag of a Replaces or Join is that of a dialog: a zero stands for no tag, too (RFC 3891 §6.1, RFC 3911 §7.1).
fn is_tag(named: &str, of_dialog: &str) -> bool {
    named == of_dialog || (named == "0" && of_dialog.is_empty())
}

/// The dialog that an INVITE takes the place of (RFC 3891 §6.1). What becomes of it is said in §3.
///
/// ```
/// use blether_sip_core::Replaces;
///
/// let replaces: Replaces = "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only".parse()?;
/// assert!(replaces.matches("12adf2f34456gs5", "12345", "54321"));
/// assert!(replaces.early_only);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replaces {
    /// The Call-ID of the dialog.
    pub call_id: ByteStr,
    /// The tag of the side that receives the header.
    pub to_tag: ByteStr,
    /// The tag of the other side.
    pub from_tag: ByteStr,
    /// Whether the dialog is to be replaced only as long as it is not confirmed; else the answer is 486.
    pub early_only: bool,
    /// The parameters that have no field.
    pub params: Params,
}

impl Replaces {
    /// Names a dialog by its Call-ID and the tags as the recipient sees them. An empty tag is written as `0`.
    #[must_use]
    pub fn new(call_id: &str, to_tag: &str, from_tag: &str) -> Self {
        let (call_id, to_tag, from_tag) = (call_id.into(), to_tag.into(), from_tag.into());
        Replaces { call_id, to_tag, from_tag, early_only: false, params: Params::new() }
    }

    /// Whether this is a dialog of the recipient; a tag that the dialog does not have is empty.
    #[must_use]
    pub fn matches(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        self.call_id == *call_id && is_tag(&self.to_tag, local_tag) && is_tag(&self.from_tag, remote_tag)
    }
}

impl TypedHeader for Replaces {
    const NAME: HeaderName = HeaderName::Replaces;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let error = || HeaderError::malformed(Self::NAME, "a Call-ID with one to-tag and one from-tag");
        let Named { call_id, local_tag, remote_tag, mut params } = read(&value, ["to-tag", "from-tag"], error)?;
        let early_only = params.take("early-only").is_some();
        Ok(Replaces { call_id, to_tag: local_tag, from_tag: remote_tag, early_only, params })
    }

    fn write(&self, out: &mut String) {
        write(out, &self.call_id, [("to-tag", &self.to_tag), ("from-tag", &self.from_tag)]);
        out.push_str(if self.early_only { ";early-only" } else { "" });
        self.params.write_without(out, &["to-tag", "from-tag", "early-only"]);
    }
}

/// The dialog whose conversation an INVITE enters (RFC 3911 §7.1). What becomes of it is said in §4.
///
/// ```
/// use blether_sip_core::Join;
///
/// let join: Join = "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff".parse()?;
/// assert!(join.matches("98732@sip.example.com", "ff87ff", "r33th4x0r"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Join {
    /// The Call-ID of the dialog.
    pub call_id: ByteStr,
    /// The tag of the side that receives the header.
    pub to_tag: ByteStr,
    /// The tag of the other side.
    pub from_tag: ByteStr,
    /// The parameters that have no field.
    pub params: Params,
}

impl Join {
    /// Names a dialog by its Call-ID and the tags as the recipient sees them. An empty tag is written as `0`.
    #[must_use]
    pub fn new(call_id: &str, to_tag: &str, from_tag: &str) -> Self {
        Join { call_id: call_id.into(), to_tag: to_tag.into(), from_tag: from_tag.into(), params: Params::new() }
    }

    /// Whether this is a dialog of the recipient; a tag that the dialog does not have is empty.
    #[must_use]
    pub fn matches(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        self.call_id == *call_id && is_tag(&self.to_tag, local_tag) && is_tag(&self.from_tag, remote_tag)
    }
}

impl TypedHeader for Join {
    const NAME: HeaderName = HeaderName::Join;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let error = || HeaderError::malformed(Self::NAME, "a Call-ID with one to-tag and one from-tag");
        let Named { call_id, local_tag, remote_tag, params } = read(&value, ["to-tag", "from-tag"], error)?;
        Ok(Join { call_id, to_tag: local_tag, from_tag: remote_tag, params })
    }

    fn write(&self, out: &mut String) {
        write(out, &self.call_id, [("to-tag", &self.to_tag), ("from-tag", &self.from_tag)]);
        self.params.write_without(out, &["to-tag", "from-tag"]);
    }
}

/// A dialog of the recipient that the sender knows of, for which it may be let do what it asks for (RFC 4538 §7).
///
/// ```
/// use blether_sip_core::TargetDialog;
///
/// let target: TargetDialog = "090459243588173445;local-tag=7553452;remote-tag=31kdl4i3k".parse()?;
/// assert!(target.matches("090459243588173445", "7553452", "31kdl4i3k"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetDialog {
    /// The Call-ID of the dialog.
    pub call_id: ByteStr,
    /// The tag of the side that receives the header.
    pub local_tag: ByteStr,
    /// The tag of the other side.
    pub remote_tag: ByteStr,
    /// The parameters that have no field.
    pub params: Params,
}

impl TargetDialog {
    /// Names a dialog by its Call-ID and the tags as the recipient sees them. An empty tag is written as `0`.
    #[must_use]
    pub fn new(call_id: &str, local_tag: &str, remote_tag: &str) -> Self {
        let (call_id, local_tag, remote_tag) = (call_id.into(), local_tag.into(), remote_tag.into());
        TargetDialog { call_id, local_tag, remote_tag, params: Params::new() }
    }

    /// Whether this is a dialog of the recipient.
    #[must_use]
    pub fn matches(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        (&*self.call_id, &*self.local_tag, &*self.remote_tag) == (call_id, local_tag, remote_tag)
    }
}

impl TypedHeader for TargetDialog {
    const NAME: HeaderName = HeaderName::TargetDialog;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let error = || HeaderError::malformed(Self::NAME, "a Call-ID with one local-tag and one remote-tag");
        let Named { call_id, local_tag, remote_tag, params } = read(&value, ["local-tag", "remote-tag"], error)?;
        Ok(TargetDialog { call_id, local_tag, remote_tag, params })
    }

    fn write(&self, out: &mut String) {
        write(out, &self.call_id, [("local-tag", &self.local_tag), ("remote-tag", &self.remote_tag)]);
        self.params.write_without(out, &["local-tag", "remote-tag"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_dialog_is_named_by_a_call_id_and_two_tags() {
        // RFC 3891 §6.1; RFC 3911 §7.1 has the same; RFC 5589 §6.1 F3 shows whose tag is the local one.
        let (read, written) = rewritten::<Replaces>("98732@sip.example.com\t ;from-tag=r33th4x0r ;to-tag=ff87ff;x");
        assert_eq!(written, "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r;x");
        assert!(read.matches("98732@sip.example.com", "ff87ff", "r33th4x0r") && !read.early_only);
        assert!(!read.matches("98732@sip.example.com", "r33th4x0r", "ff87ff"));
        let zero = Replaces { early_only: true, ..Replaces::new("87134@171.161.34.23", "24796", "") };
        assert_eq!(zero.to_string(), "87134@171.161.34.23;to-tag=24796;from-tag=0;early-only");
        let (zero, _) = rewritten::<Join>("87134@192.0.2.23;to-tag=24796;from-tag=0");
        assert!(zero.matches("87134@192.0.2.23", "24796", "") && zero.matches("87134@192.0.2.23", "24796", "0"));
        let (zero, _) = rewritten::<TargetDialog>("a;remote-tag=\"0\";local-tag=1/2==");
        assert!(zero.matches("a", "1/2==", "0") && !zero.matches("a", "1/2==", ""));
    }

    #[test]
    fn each_tag_stands_once() {
        for text in
            ["", "a", "a;to-tag=1", "a;to-tag=1;from-tag", "a;to-tag=1;from-tag=2;To-Tag=1", ";to-tag=1;from-tag=2"]
        {
            assert!(Replaces::parse_value(text.into()).is_err() && Join::parse_value(text.into()).is_err(), "{text}");
        }
        let error = TargetDialog::parse_value("a b;local-tag=1;remote-tag=2".into()).unwrap_err();
        assert_eq!(error.column(), Some(2), "{error}");
    }

    #[test]
    fn what_a_value_holds_cannot_end_it() {
        let mut hostile = Replaces::new("a;to-tag=1\r\nEvil: yes", " ;x,\u{e9}", "a\"<b>");
        hostile.params.set("to-tag", Some("2"));
        assert_eq!(hostile.to_string(), "ato-tag=1Evil:yes;to-tag=x;from-tag=ab");
        assert_eq!(Join::new("", "", "").to_string(), "0;to-tag=0;from-tag=0");
    }
}
