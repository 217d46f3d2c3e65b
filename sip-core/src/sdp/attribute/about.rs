//! What the session or a stream is about, for people and tools (RFC 8866 §6, RFC 4574, RFC 4796, RFC 6236).

use alloc::string::String;
use alloc::vec::Vec;

use super::SdpAttribute;
use super::words::{is_token_char, one_number, one_text, read, write_token};
use crate::ByteStr;
use crate::grammar::write_list;
use crate::sdp::SdpError;

one_text!(
    /// The category of the session, from wide to narrow with dots between (RFC 8866 §6.1).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Category;
    /// assert_eq!("foo.bar".parse::<Category>()?, Category("foo.bar".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Category, "cat", text, write_text, "-"
);
one_text!(
    /// Words to find the session by (RFC 8866 §6.2).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Keywords;
    /// assert_eq!("SDP session description".parse::<Keywords>()?.to_string(), "SDP session description");
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Keywords, "keywds", text, write_text, "-"
);
one_text!(
    /// What made the description, name and version (RFC 8866 §6.3).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Tool;
    /// assert_eq!(Tool("phone\r\n2".into()).to_string(), "phone  2");
    /// ```
    Tool, "tool", text, write_text, "-"
);
one_text!(
    /// What kind of conference it is: `broadcast`, `meeting`, `moderated`, `test`, `H332` (RFC 8866 §6.9).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::ConferenceType;
    /// assert!("two words".parse::<ConferenceType>().is_err());
    /// ```
    ConferenceType, "type", token, write_token, "meeting"
);
one_text!(
    /// The character set of the `s=` and `i=` lines (RFC 8866 §6.10). Only UTF-8 is read.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Charset;
    /// assert_eq!(Charset("UTF-8".into()).to_string(), "UTF-8");
    /// ```
    Charset, "charset", token, write_token, "UTF-8"
);
one_text!(
    /// The language of the description's own text, a tag of RFC 5646 (RFC 8866 §6.11).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::SdpLang;
    /// assert_eq!("gd".parse::<SdpLang>()?, SdpLang("gd".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    SdpLang, "sdplang", token, write_token, "und"
);
one_text!(
    /// A language of the session or stream, a tag of RFC 5646 (RFC 8866 §6.12).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Lang;
    /// assert_eq!("de-CH".parse::<Lang>()?, Lang("de-CH".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Lang, "lang", token, write_token, "und"
);
one_text!(
    /// Which way up a whiteboard is: `portrait`, `landscape` or `seascape` (RFC 8866 §6.8).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Orient;
    /// assert_eq!("seascape".parse::<Orient>()?.to_string(), "seascape");
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Orient, "orient", token, write_token, "portrait"
);
one_number!(
    /// How good a picture should look, 10 best and 0 worst (RFC 8866 §6.14).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Quality;
    /// assert_eq!("10".parse::<Quality>()?, Quality(10));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Quality, "quality", u32
);
one_text!(
    /// A name for the stream that other documents use, as RFC 4575 does (RFC 4574).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Label;
    /// assert_eq!("main-audio".parse::<Label>()?, Label("main-audio".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Label, "label", token, write_token, "0"
);
one_text!(
    /// What sizes of picture can be sent and received (RFC 6236), as text.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::ImageAttr;
    /// let sizes: ImageAttr = "97 send [x=800,y=640,sar=1.1,q=0.6] recv [x=330,y=250]".parse()?;
    /// assert!(sizes.0.starts_with("97 send"));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    ImageAttr, "imageattr", text, write_text, "*"
);
one_text!(
    /// Whether and how silence is suppressed (RFC 3108 §5.6.1.1), as text: `off - - - -` in offers of gateways.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::SilenceSupp;
    /// assert!("off - - - -".parse::<SilenceSupp>()?.is_off());
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    SilenceSupp, "silenceSupp", text, write_text, "off - - - -"
);

impl SilenceSupp {
    /// Whether silence is to be sent like anything else.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case("off"))
    }
}

/// What a stream shows, for devices with more than one: `slides`, `speaker`, `sl`, `main`, `alt`, or others (RFC 4796).
///
/// ```
/// use blether_sip_core::sdp::attribute::Content;
/// let content: Content = "slides,speaker".parse()?;
/// assert_eq!(content.0, ["slides", "speaker"]);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Content(pub Vec<ByteStr>);

impl SdpAttribute for Content {
    const NAME: &'static str = "content";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "tokens with commas between", |words| {
            let items = words.rest().split(',').map(str::trim).filter(|item| !item.is_empty());
            let items: Option<Vec<ByteStr>> = items.map(|item| words.share(item, is_token_char)).collect();
            items.filter(|items| !items.is_empty()).map(Content)
        })
    }

    fn write(&self, out: &mut String) {
        if self.0.is_empty() {
            out.push_str("main");
        }
        write_list(out, ",", &self.0, |out, item| write_token(out, item, "main"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn content_is_a_list_and_never_empty() {
        check::<Content>("slides, speaker", "slides,speaker");
        assert_eq!(Content(Vec::new()).to_string(), "main");
        assert_eq!(Content(vec!["a,b\n".into(), "\0".into()]).to_string(), "ab,main");
        refused::<Content>(&["", ",", "a b"]);
    }

    #[test]
    fn texts_stay_on_their_line() {
        check::<Keywords>(" several  words ", "several  words");
        assert_eq!(Tool("\r\n".into()).to_string(), "-");
        assert_eq!(Label("a b\r\nc=IN".into()).to_string(), "abcIN");
        refused::<Tool>(&["", " "]);
        refused::<Quality>(&["", "-1", "1 2"]);
    }
}
