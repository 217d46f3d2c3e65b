use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, TypedHeader};
use crate::host::HostPart;
use crate::{ByteStr, grammar};

/// Who has referred the sender to the recipient (RFC 3892 §3).
///
/// ```
/// use blether_sip_core::ReferredBy;
///
/// let referred_by: ReferredBy = "sip:r@ref.example;cid=\"2UWQFN309shb3@ref.example\"".parse()?;
/// assert_eq!(referred_by.cid(), Some("2UWQFN309shb3@ref.example"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReferredBy {
    /// The referrer, with the parameters that have no field.
    pub address: NameAddr,
    cid: Option<ByteStr>,
}

impl ReferredBy {
    /// A referrer whose statement nothing proves.
    #[must_use]
    pub fn new(address: NameAddr) -> Self {
        ReferredBy { address, cid: None }
    }

    /// The same with the Content-ID, without angle brackets, of the body part that proves it; `None` if it is no
    /// `sip-clean-msg-id`.
    #[must_use]
    pub fn with_cid(self, cid: &str) -> Option<Self> {
        is_message_id(cid).then(|| ReferredBy { cid: Some(cid.into()), ..self })
    }

    /// The Content-ID, without angle brackets, of the body part that proves who the referrer is.
    #[must_use]
    pub fn cid(&self) -> Option<&str> {
        self.cid.as_deref()
    }
}

/// `dot-atom "@" (dot-atom / host)`.
fn is_message_id(text: &str) -> bool {
    // An atom has the characters of a token but for the dot.
    let is_dot_atom = |text: &str| text.split('.').all(grammar::is_token);
    text.split_once('@').is_some_and(|(left, right)| {
        is_dot_atom(left)
            && (is_dot_atom(right) || (right.starts_with('[') && matches!(HostPart::read(right), Ok(("", _)))))
    })
}

impl TypedHeader for ReferredBy {
    const NAME: HeaderName = HeaderName::ReferredBy;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let mut address = NameAddr::parse_value(&value, Self::NAME)?;
        let cid = match address.params.take("cid") {
            None => None,
            Some(Some(cid)) if is_message_id(&cid) => Some(cid),
            Some(_) => return Err(HeaderError::malformed(Self::NAME, "a cid such as \"id@host\"")),
        };
        Ok(ReferredBy { address, cid })
    }

    fn write(&self, out: &mut String) {
        let mut address = self.address.clone();
        address.params.remove("cid");
        if let Some(cid) = &self.cid {
            address.params.set_quoted("cid", cid);
        }
        address.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_referrer_is_proved_by_a_body_part() {
        let (read, written) = rewritten::<ReferredBy>("Ref <sip:r@ref.example;x>;cid=\"20398823.2UWQ@[::1]\";y=1");
        assert_eq!(read.cid(), Some("20398823.2UWQ@[::1]"));
        assert_eq!(written, "\"Ref\" <sip:r@ref.example;x>;y=1;cid=\"20398823.2UWQ@[::1]\"");
        assert_eq!(rewritten::<ReferredBy>("sip:a@b;CID=c@d").1, "<sip:a@b>;cid=\"c@d\"");
        assert_eq!(rewritten::<ReferredBy>("sip:a@b").0.cid(), None);
        for cid in ["", "=", "=a", "=\"a\"", "=\"<a@b>\"", "=\"a..b@c\"", "=\"@a\"", "=\"a@\"", "=\"a@[b\""] {
            let text = format!("<sip:a@b>;cid{cid}");
            assert!(ReferredBy::parse_value(text.as_str().into()).is_err(), "{text}");
        }
    }

    #[test]
    fn no_cid_is_made_that_is_no_message_id() {
        let mut made = ReferredBy::new("sip:a@b".parse().unwrap());
        made.address.params.set("CID", Some("x"));
        assert_eq!(made.to_string(), "<sip:a@b>");
        assert_eq!(made.clone().with_cid("a\"b@c"), None);
        assert_eq!(made.with_cid("c@d").unwrap().to_string(), "<sip:a@b>;cid=\"c@d\"");
    }
}
