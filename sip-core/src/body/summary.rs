use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::str::FromStr;

use bytes::Bytes;

use crate::{ByteStr, InvalidText, class, grammar};

/// How many messages wait in a mailbox: `application/simple-message-summary` (RFC 3842 §5).
///
/// Lines that are not known are passed over, and lines may end with LF alone.
///
/// ```
/// use blether_sip_core::body::{MessageClass, MessageCounts, MessageSummary};
///
/// let text = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n";
/// let summary: MessageSummary = text.parse()?;
/// assert_eq!(summary.count(&MessageClass::Voice).map(|it| (it.new, it.old)), Some((2, 8)));
///
/// let told = MessageSummary::new("sip:alice@vmail.example.com")
///     .with(MessageClass::Voice, MessageCounts { new: 2, old: 8, urgent: Some((0, 2)) });
/// assert_eq!(told, summary);
/// assert_eq!(told.to_string(), text);
/// # Ok::<(), blether_sip_core::body::SummaryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageSummary {
    /// Whether messages wait that were not heard.
    pub waiting: bool,
    /// The mailbox, as a URI, which must be there if the subscription was for a group.
    pub account: Option<ByteStr>,
    /// The counts of each class, in order.
    pub counts: Vec<(MessageClass, MessageCounts)>,
    /// Headers of each message that is new, name and value (RFC 3842 §3.5): none in the first NOTIFY of a subscription.
    pub messages: Vec<Vec<(ByteStr, ByteStr)>>,
}

/// What kind of messages are counted (RFC 3458 §6.2). Names are compared without case.
///
/// ```
/// use blether_sip_core::body::{MessageClass, MessageSummary};
///
/// let summary: MessageSummary = "Messages-Waiting: yes\r\nFAX-message: 1/0\r\n".parse()?;
/// assert!(summary.count(&MessageClass::Fax).is_some() && summary.count(&MessageClass::Voice).is_none());
/// assert_eq!("voice-message".parse(), Ok(MessageClass::Voice));
/// # Ok::<(), blether_sip_core::body::SummaryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageClass {
    /// `voice-message`
    Voice,
    /// `fax-message`
    Fax,
    /// `pager-message`
    Pager,
    /// `multimedia-message`
    Multimedia,
    /// `text-message`
    Text,
    /// `none`: none of the others.
    None,
    /// Another class, by its name.
    Other(ByteStr),
}

/// How many messages of one class there are.
///
/// ```
/// use blether_sip_core::body::{MessageClass, MessageCounts, MessageSummary};
///
/// let counts = MessageCounts { new: 1, old: 3, urgent: None };
/// let summary = MessageSummary::new("sip:alice@vmail.example.com").with(MessageClass::Voice, counts);
/// assert!(summary.waiting && summary.to_string().ends_with("Voice-Message: 1/3\r\n"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MessageCounts {
    /// Those that were not heard.
    pub new: u32,
    /// Those that were.
    pub old: u32,
    /// How many of the new and of the old ones are urgent.
    pub urgent: Option<(u32, u32)>,
}

/// Why text is no message summary. Lines are counted from 1.
///
/// ```
/// use blether_sip_core::body::{MessageSummary, SummaryError};
///
/// let text = "Messages-Waiting: yes\r\nVoice-Message: many\r\n";
/// assert_eq!(text.parse::<MessageSummary>(), Err(SummaryError::Counts { line: 2 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryError {
    /// More bytes than any summary has.
    #[error("message summary of {len} bytes is over the limit of {MAX_LEN}")]
    TooLarge {
        /// What came.
        len: usize,
    },
    /// The text is not UTF-8.
    #[error("message summary is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        at: usize,
    },
    /// The line Messages-Waiting is missing.
    #[error("message summary has no line Messages-Waiting")]
    NoStatus,
    /// Messages-Waiting says neither `yes` nor `no`.
    #[error("line {line}: expected yes or no")]
    Status {
        /// Where.
        line: usize,
    },
    /// Counts of a class are not `new/old (urgent new/urgent old)`.
    #[error("line {line}: expected counts as 2/8 or 2/8 (0/2)")]
    Counts {
        /// Where.
        line: usize,
    },
}

/// Bytes of a summary: some hundred messages with headers.
const MAX_LEN: usize = 65_535;

/// The classes that RFC 3458 names, as RFC 3842 writes them.
const CLASSES: [(&str, MessageClass); 6] = [
    ("Voice-Message", MessageClass::Voice),
    ("Fax-Message", MessageClass::Fax),
    ("Pager-Message", MessageClass::Pager),
    ("Multimedia-Message", MessageClass::Multimedia),
    ("Text-Message", MessageClass::Text),
    ("None", MessageClass::None),
];

impl MessageClass {
    fn of(name: &str) -> Option<MessageClass> {
        CLASSES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, class)| class.clone())
    }

    /// Its name, as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            MessageClass::Other(name) => name,
            known => CLASSES.iter().find(|(_, class)| class == known).map_or("None", |(name, _)| name),
        }
    }
}

impl FromStr for MessageClass {
    type Err = InvalidText;

    /// Reads a token, in any case.
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        match MessageClass::of(name) {
            Some(known) => Ok(known),
            None if grammar::is_token(name) => Ok(MessageClass::Other(name.into())),
            None => Err(InvalidText::MessageClass),
        }
    }
}

impl fmt::Display for MessageClass {
    /// Writes the name; characters that no token has are left out, and if that leaves nothing, it is `None`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        grammar::fmt_token(f, self.as_str(), "None")
    }
}

impl FromStr for MessageCounts {
    type Err = InvalidText;

    /// Reads counts such as `2/8 (0/2)`; those over 2³² − 1 read as that.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        counts(text).ok_or(InvalidText::MessageCounts)
    }
}

impl fmt::Display for MessageCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.new, self.old)?;
        self.urgent.map_or(Ok(()), |(new, old)| write!(f, " ({new}/{old})"))
    }
}

impl MessageSummary {
    /// The media type.
    pub const CONTENT_TYPE: &'static str = "application/simple-message-summary";

    /// The summary of a mailbox in which nothing waits yet.
    #[must_use]
    pub fn new(account: &str) -> Self {
        MessageSummary { account: Some(account.into()), ..MessageSummary::default() }
    }

    /// The same with the counts of a class; messages wait if any of them is new.
    #[must_use]
    pub fn with(mut self, class: MessageClass, counts: MessageCounts) -> Self {
        self.waiting |= counts.new > 0;
        self.counts.push((class, counts));
        self
    }

    /// The counts of a class; `None` if nothing is said of it.
    #[must_use]
    pub fn count(&self, class: &MessageClass) -> Option<MessageCounts> {
        self.counts.iter().find(|(found, _)| found == class).map(|(_, counts)| *counts)
    }

    /// Reads a summary.
    ///
    /// # Errors
    ///
    /// [`SummaryError`]. Counts over 2³² − 1, which RFC 3842 forbids, read as that.
    pub fn parse(bytes: &[u8]) -> Result<Self, SummaryError> {
        if bytes.len() > MAX_LEN {
            return Err(SummaryError::TooLarge { len: bytes.len() });
        }
        let text = core::str::from_utf8(bytes).map_err(|error| SummaryError::NotUtf8 { at: error.valid_up_to() })?;
        let mut summary = MessageSummary::default();
        let (mut status, mut in_message) = (None, None::<Vec<(ByteStr, ByteStr)>>);
        for (index, line) in text.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.trim().is_empty() {
                // Behind an empty line are the headers of a message.
                if status.is_some() {
                    summary.messages.extend(in_message.replace(Vec::new()).filter(|headers| !headers.is_empty()));
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (class::trim_wsp(name), class::trim_wsp(value));
            if !grammar::is_token(name) {
                continue;
            }
            if let Some(headers) = &mut in_message {
                headers.push((name.into(), value.into()));
            } else if name.eq_ignore_ascii_case("Messages-Waiting") {
                status = Some(match value {
                    _ if value.eq_ignore_ascii_case("yes") => true,
                    _ if value.eq_ignore_ascii_case("no") => false,
                    _ => return Err(SummaryError::Status { line: index + 1 }),
                });
            } else if name.eq_ignore_ascii_case("Message-Account") {
                summary.account = Some(value.into());
            } else if let Some(class) = MessageClass::of(name) {
                let counts = counts(value).ok_or(SummaryError::Counts { line: index + 1 })?;
                summary.counts.push((class, counts));
            } else if let Some(counts) = counts(value) {
                summary.counts.push((MessageClass::Other(name.into()), counts));
            }
        }
        summary.messages.extend(in_message.filter(|headers| !headers.is_empty()));
        summary.waiting = status.ok_or(SummaryError::NoStatus)?;
        Ok(summary)
    }

    /// The summary as it goes into a body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        alloc::format!("{self}").into()
    }
}

/// `newmsgs SLASH oldmsgs [ LPAREN new-urgentmsgs SLASH old-urgentmsgs RPAREN ]`
fn counts(text: &str) -> Option<MessageCounts> {
    let pair = |text: &str| {
        let (new, old) = text.split_once('/')?;
        Some((count(new)?, count(old)?))
    };
    let (all, urgent) = match text.split_once('(') {
        Some((all, urgent)) => (all, Some(pair(urgent.trim_end().strip_suffix(')')?)?)),
        None => (text, None),
    };
    let (new, old) = pair(all)?;
    Some(MessageCounts { new, old, urgent })
}

fn count(text: &str) -> Option<u32> {
    let digits = class::trim_wsp(text);
    let is_number = !digits.is_empty() && class::all(digits.as_bytes(), class::DIGIT);
    is_number.then(|| digits.parse().unwrap_or(u32::MAX))
}

impl fmt::Display for MessageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages-Waiting: {}\r\n", if self.waiting { "yes" } else { "no" })?;
        let mut out = String::new();
        if let Some(account) = &self.account {
            write_line(&mut out, "Message-Account", account);
        }
        for (class, counts) in &self.counts {
            write!(out, "{class}: {counts}\r\n")?;
        }
        for headers in self.messages.iter().filter(|headers| !headers.is_empty()) {
            out.push_str("\r\n");
            for (name, value) in headers {
                write_line(&mut out, name, value);
            }
        }
        f.write_str(&out)
    }
}

fn write_line(out: &mut String, name: &str, value: &str) {
    grammar::write_token(out, name, "X");
    out.push_str(": ");
    grammar::write_text(out, value);
    out.push_str("\r\n");
}

impl FromStr for MessageSummary {
    type Err = SummaryError;

    fn from_str(text: &str) -> Result<Self, SummaryError> {
        MessageSummary::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> MessageSummary {
        let summary: MessageSummary = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(summary.to_string().parse::<MessageSummary>().as_ref(), Ok(&summary), "{text}");
        summary
    }

    /// The NOTIFY with headers of RFC 3842 §4.
    #[test]
    fn a_summary_may_tell_of_the_new_messages() {
        let text = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 4/8 (1/2)\r\n\r\n\
            To: <alice@atlanta.example.com>\r\nFrom: <bob@biloxi.example.com>\r\nSubject: carpool tomorrow?\r\n\
            Date: Sun, 09 Jul 2000 21:23:01 -0700\r\nPriority: normal\r\nMessage-ID: 13784434989@vmail.example.com\r\n\r\n\
            To: <alice@example.com>\r\nFrom: <cathy-the-bob@example.com>\r\n";
        let summary = read(text);
        assert_eq!(summary.messages.iter().map(Vec::len).collect::<Vec<_>>(), [6, 2]);
        assert_eq!(summary.messages[0][2].1, "carpool tomorrow?");
        assert_eq!(summary.to_string(), text);
    }

    #[test]
    fn names_and_white_space_do_not_matter() {
        let summary = read(
            "messages-waiting :NO\nVOICE-MESSAGE: 0 / 1 ( 0/0 )\nx-strange: hello\nnothing\nvideo: 1/99999999999\n",
        );
        assert!(!summary.waiting && summary.account.is_none());
        assert_eq!(summary.count(&MessageClass::Voice), Some(MessageCounts { new: 0, old: 1, urgent: Some((0, 0)) }));
        assert_eq!(summary.count(&MessageClass::Other("video".into())).map(|it| it.old), Some(u32::MAX));
        assert_eq!(summary.counts.len(), 2);
    }

    #[test]
    fn an_error_names_the_line() {
        let error = |text: &str| text.parse::<MessageSummary>().unwrap_err();
        assert_eq!(error(""), SummaryError::NoStatus);
        assert_eq!(error("Messages-Waiting: maybe\r\n"), SummaryError::Status { line: 1 });
        for counts in ["1", "1/", "-1/2", "1/2 (", "1/2 (3)", "1/2 (3/4", "1/2 3"] {
            let text = format!("Messages-Waiting: yes\r\nFax-Message: {counts}\r\n");
            assert_eq!(error(&text), SummaryError::Counts { line: 2 }, "{counts}");
        }
        assert_eq!(MessageSummary::parse(b"Messages\xff"), Err(SummaryError::NotUtf8 { at: 8 }));
        assert_eq!(MessageSummary::parse(&[b'\n'; 70_000]), Err(SummaryError::TooLarge { len: 70_000 }));
    }

    #[test]
    fn a_hostile_value_writes_no_line_of_its_own() {
        let hostile = MessageSummary::new("sip:a@b\r\nVoice-Message: 9/9")
            .with(MessageClass::Other("\r\n".into()), MessageCounts::default());
        assert_eq!(
            hostile.to_string(),
            "Messages-Waiting: no\r\nMessage-Account: sip:a@b  Voice-Message: 9/9\r\nNone: 0/0\r\n"
        );
    }
}
