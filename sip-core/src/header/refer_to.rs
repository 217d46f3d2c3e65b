use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Replaces, TypedHeader, embedded};
use crate::{ByteStr, Method, SipUri};

/// What the recipient of a REFER is to send a request to (RFC 3515 §2.1).
///
/// ```
/// use blether_sip_core::{Method, ReferTo, Replaces, SipUri};
///
/// let dave: SipUri = "sip:dave@denver.example.org".parse()?;
/// let refer_to = ReferTo::replacing(dave, &Replaces::new("12345@192.168.118.3", "12345", "5FFE-3994"));
/// assert_eq!(
///     refer_to.to_string(),
///     "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
/// );
/// assert_eq!(refer_to.replaces().unwrap()?.from_tag, "5FFE-3994");
/// assert_eq!(refer_to.method(), Method::Invite);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReferTo(pub NameAddr);

impl ReferTo {
    /// A reference to an address whose dialog is to be replaced, as for a transfer to whom one has talked to before
    /// (RFC 5589 §7.3). Any Replaces that the URI brings goes.
    #[must_use]
    pub fn replacing(mut uri: SipUri, replaces: &Replaces) -> Self {
        embedded::set(&mut uri, core::slice::from_ref(replaces));
        ReferTo(NameAddr::new(uri))
    }

    /// The request to send: what the `method` parameter of the URI says, or INVITE (RFC 3261 §19.1.1).
    #[must_use]
    pub fn method(&self) -> Method {
        self.0.uri.as_sip().and_then(SipUri::method).unwrap_or(Method::Invite)
    }

    /// The Replaces header that the URI brings for the request; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`], as of the header itself.
    #[must_use]
    pub fn replaces(&self) -> Option<Result<Replaces, HeaderError>> {
        self.0.uri.as_sip().and_then(embedded::first)
    }
}

impl TypedHeader for ReferTo {
    const NAME: HeaderName = HeaderName::ReferTo;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(ReferTo)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_reference_names_method_and_dialog() {
        // RFC 3515 §2.1.
        let (plain, written) = rewritten::<ReferTo>("sip:alice@atlanta.example.com");
        assert_eq!((plain.method(), plain.replaces()), (Method::Invite, None));
        assert_eq!(written, "<sip:alice@atlanta.example.com>");
        let text = "<sip:dave@denver.example.org?a=b&%52eplaces=12345%40192.168.118.3%3B\
                    to-tag%3D12345%3Bfrom-tag%3D5FFE-3994&Replaces=x>";
        let replaces = rewritten::<ReferTo>(text).0.replaces().unwrap().unwrap();
        assert!(replaces.matches("12345@192.168.118.3", "12345", "5FFE-3994"));
        let subscribe = rewritten::<ReferTo>("<sip:carol@cleveland.example.org;method=SUBSCRIBE>").0;
        assert_eq!(subscribe.method(), Method::Subscribe);
        assert_eq!(rewritten::<ReferTo>("<tel:+1;method=BYE>").0.method(), Method::Invite);
        assert!(rewritten::<ReferTo>("<sip:a@b?Replaces=c>").0.replaces().unwrap().is_err());
    }

    #[test]
    fn an_older_replaces_of_the_uri_goes() {
        let uri: SipUri = "sip:a@b?Subject=x&replaces=old&Replaces=older".parse().unwrap();
        let refer_to = ReferTo::replacing(uri, &Replaces::new("c&d=\"e\"?", "1", "2"));
        let written = "<sip:a@b?Subject=x&Replaces=c%26d%3D%22e%22?%3Bto-tag%3D1%3Bfrom-tag%3D2>";
        assert_eq!(refer_to.to_string(), written);
        assert_eq!(rewritten::<ReferTo>(written).0.replaces().unwrap().unwrap().call_id, "c&d=\"e\"?");
    }
}
