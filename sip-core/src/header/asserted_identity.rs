use alloc::string::String;
use alloc::string::ToString;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::{ByteStr, Params, Uri, grammar};

/// One address, or a SIP and a telephone one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identities {
    first: NameAddr,
    /// Of the kind that `first` is not of.
    second: Option<NameAddr>,
}

const EXPECTED: &str = "a sip, sips or tel address, or one of each kind";

/// Whether a URI is a telephone number; `None` if it is neither that nor a SIP URI.
fn is_tel(uri: &Uri) -> Option<bool> {
    if uri.as_sip().is_some() {
        return Some(false);
    }
    let text = match uri {
        Uri::Other(text) => text.clone(),
        uri => uri.to_string().into(),
    };
    text.get(..4)?.eq_ignore_ascii_case("tel:").then_some(true)
}

impl Identities {
    fn new(address: NameAddr, header: HeaderName) -> Result<Self, HeaderError> {
        match is_tel(&address.uri) {
            // The value has no parameters of its own (RFC 3325 §9.1).
            Some(_) => Ok(Identities { first: NameAddr { params: Params::new(), ..address }, second: None }),
            None => Err(HeaderError::malformed(header, EXPECTED)),
        }
    }

    /// Takes a second address; says whether it is one of the other kind, and the first of that.
    fn add(&mut self, address: NameAddr) -> bool {
        let kind = is_tel(&address.uri);
        let fits = self.second.is_none() && kind.is_some() && kind != is_tel(&self.first.uri);
        if fits {
            self.second = Some(NameAddr { params: Params::new(), ..address });
        }
        fits
    }

    fn and(mut self, address: NameAddr, header: HeaderName) -> Result<Self, HeaderError> {
        if self.add(address) { Ok(self) } else { Err(HeaderError::malformed(header, EXPECTED)) }
    }

    /// Reads the values between commas. Those that are not expected after those before them are passed over
    /// (RFC 5876 §4.5).
    fn parse(value: &ByteStr, header: HeaderName) -> Result<Self, HeaderError> {
        let mut found: Option<Identities> = None;
        for item in grammar::list(value) {
            let address = NameAddr::parse_value(&value.share(item), header.clone())?;
            match &mut found {
                None => found = Identities::new(address, header.clone()).ok(),
                Some(identities) => _ = identities.add(address), // what is not expected is left out
            }
        }
        found.ok_or(HeaderError::malformed(header, EXPECTED))
    }

    fn iter(&self) -> impl Iterator<Item = &NameAddr> {
        core::iter::once(&self.first).chain(&self.second)
    }

    fn of_kind(&self, tel: bool) -> Option<&NameAddr> {
        self.iter().find(|address| is_tel(&address.uri) == Some(tel))
    }

    fn write(&self, out: &mut String) {
        grammar::write_list(out, ", ", self.iter(), |out, address| address.write(out));
    }
}

macro_rules! identity_headers {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name(Identities);

            impl $name {
                /// One address; its parameters are left out, not those of its URI.
                ///
                /// # Errors
                ///
                /// [`HeaderError::Malformed`] if its URI is neither `sip`, `sips` nor `tel`.
                pub fn new(address: NameAddr) -> Result<Self, HeaderError> {
                    Identities::new(address, Self::NAME).map($name)
                }

                /// The same with a second address.
                ///
                /// # Errors
                ///
                /// [`HeaderError::Malformed`] unless one of the two is a `tel` URI and the other a `sip` or `sips` one.
                pub fn and(self, address: NameAddr) -> Result<Self, HeaderError> {
                    self.0.and(address, Self::NAME).map($name)
                }

                /// The address with a `sip` or `sips` URI.
                #[must_use]
                pub fn sip(&self) -> Option<&NameAddr> {
                    self.0.of_kind(false)
                }

                /// The address with a `tel` URI.
                #[must_use]
                pub fn tel(&self) -> Option<&NameAddr> {
                    self.0.of_kind(true)
                }

                /// The one or two addresses in order.
                pub fn iter(&self) -> impl Iterator<Item = &NameAddr> {
                    self.0.iter()
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::Whole;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    Identities::parse(&value, Self::NAME).map($name)
                }

                fn write(&self, out: &mut String) {
                    self.0.write(out);
                }
            }
        )*
    };
}

identity_headers! {
    /// Who sends the request, as the network says that it has authenticated (RFC 3325 §9.1, RFC 5876): a SIP or SIPS
    /// address, a telephone number, or one of each.
    ///
    /// It is to be believed only when it comes from inside the trust domain, and is taken out when the request leaves
    /// it if [`Privacy`](crate::Privacy) asks for `id`. What RFC 5876 §4.5 says is to be ignored is not in the value that is read.
    ///
    /// ```
    /// use blether_sip_core::PAssertedIdentity;
    ///
    /// let identity: PAssertedIdentity = "\"Cullen Jennings\" <sip:fluffy@cisco.com>, <tel:+14085264000>".parse()?;
    /// assert_eq!(identity.sip().and_then(|sip| sip.display_name.as_deref()), Some("Cullen Jennings"));
    /// assert_eq!(identity.tel().map(ToString::to_string), Some("<tel:+14085264000>".into()));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    PAssertedIdentity
    /// Which of its identities a user agent asks the trusted proxy to assert (RFC 3325 §9.2, RFC 5876).
    ///
    /// ```
    /// use blether_sip_core::PPreferredIdentity;
    ///
    /// let wish = PPreferredIdentity::new("<sip:fluffy@cisco.com>".parse()?)?;
    /// assert_eq!(wish.to_string(), "<sip:fluffy@cisco.com>");
    /// assert!(PPreferredIdentity::new("<mailto:fluffy@cisco.com>".parse()?).is_err());
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    PPreferredIdentity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn an_identity_is_a_sip_address_and_a_telephone_number() {
        // RFC 3325 §10.1.
        let (read, written) = rewritten::<PAssertedIdentity>("\"Cullen Jennings\" <sip:fluffy@cisco.com>");
        assert_eq!((read.tel(), written.as_str()), (None, "\"Cullen Jennings\" <sip:fluffy@cisco.com>"));
        let (read, written) = rewritten::<PAssertedIdentity>("tel:+14085264000;x=1 ,sips:fluffy@cisco.com");
        assert_eq!(written, "<tel:+14085264000>, <sips:fluffy@cisco.com>");
        assert!(read.sip().is_some() && read.tel().is_some());
        let again = PAssertedIdentity::new("tel:+1".parse().unwrap()).unwrap();
        assert!(again.clone().and("<tel:+2>".parse().unwrap()).is_err());
        let both = again.and("<sip:a@b>;q=1".parse().unwrap()).unwrap();
        assert_eq!(both.to_string(), "<tel:+1>, <sip:a@b>");
        assert!(both.and("<sip:c@d>".parse().unwrap()).is_err());
    }

    /// RFC 5876 §4.5.
    #[test]
    fn addresses_that_are_not_expected_are_passed_over() {
        let text = "<mailto:a@b>, <sip:a@b>, <sips:c@d>, <sip:e@f>, <tel:+1>, <tel:+2>";
        assert_eq!(rewritten::<PPreferredIdentity>(text).1, "<sip:a@b>, <tel:+1>");
        for text in ["", "<mailto:a@b>", "nobody", "<sip:a@b>, \"b"] {
            assert!(PPreferredIdentity::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
