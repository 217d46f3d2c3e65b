use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

/// Where a user agent can be reached, or all its addresses at once in a REGISTER (RFC 3261 §20.10).
///
/// ```
/// use blether_sip_core::Contact;
///
/// let contact: Contact = "<sip:bob@192.0.2.4>;expires=60;q=0.7".parse()?;
/// assert_eq!((contact.expires(), contact.q()), (Some(60), 700));
/// assert_eq!("*".parse::<Contact>()?.address(), None);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::large_enum_variant,
    reason = "a star is rare, and boxing would cost every other Contact an allocation"
)]
pub enum Contact {
    /// `*`: every binding of the address of record, to be removed (RFC 3261 §10.2.2).
    Star,
    /// One address.
    Address(NameAddr),
}

impl Contact {
    /// The address; `None` for `*`.
    #[must_use]
    pub fn address(&self) -> Option<&NameAddr> {
        match self {
            Contact::Star => None,
            Contact::Address(address) => Some(address),
        }
    }

    /// The `expires` parameter in seconds; `None` if it is absent. What is no number counts as 3,600, as
    /// RFC 3261 §10.2.1.1 says, and what is too large for 32 bits as 4,294,967,295.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        let text = self.address()?.params.get("expires")?;
        match grammar::delta_seconds(text.unwrap_or_default()) {
            Ok(("", seconds)) => Some(seconds),
            _ => Some(3600),
        }
    }

    /// The identity of the user agent, the same for all its registrations: the URN of `+sip.instance`, without its angle
    /// brackets (RFC 5626 §4.1).
    ///
    /// ```
    /// use blether_sip_core::Contact;
    ///
    /// let contact: Contact = "<sip:a@192.0.2.1>;reg-id=1;+sip.instance=\"<urn:uuid:0C67446E-F1A1-11D9-94D3-000A95A0E128>\"".parse()?;
    /// assert_eq!(contact.instance_id(), Some("urn:uuid:0C67446E-F1A1-11D9-94D3-000A95A0E128"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        let text = self.address()?.params.value("+sip.instance")?.trim();
        Some(text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text))
    }

    /// The number of this registration among those of the user agent: the `reg-id` parameter, from 1 to 2,147,483,647
    /// (RFC 5626 §4.2). `None` if it is absent or malformed.
    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        match grammar::number::<u32>(self.address()?.params.value("reg-id")?) {
            Ok(("", number @ 1..=0x7fff_ffff)) => Some(number),
            _ => None,
        }
    }

    /// The `q` parameter in thousandths: how much this address is preferred. What is finer than that, which RFC 3261 §25.1 does not allow
    /// (`qvalue`), is cut off. 1,000 if it is absent or malformed.
    #[must_use]
    pub fn q(&self) -> u16 {
        self.address().and_then(|address| address.params.value("q")).and_then(thousandths).unwrap_or(1000)
    }
}

/// `qvalue` in thousandths. What is finer than that is cut off.
pub(super) fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => Some(fraction.bytes().zip([100, 10, 1]).map(|(digit, unit)| u16::from(digit - b'0') * unit).sum()),
        "1" if fraction.bytes().all(|digit| digit == b'0') => Some(1000),
        _ => None,
    }
}

/// Whether it is a `qvalue` of three digits at most.
pub(crate) fn is_qvalue(text: &str) -> bool {
    thousandths(text).is_some() && text.len() <= "0.000".len()
}

impl TypedHeader for Contact {
    const NAME: HeaderName = HeaderName::Contact;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        // An address starts with neither, as a rule.
        if matches!(value.as_bytes(), [b'*' | b' ' | b'\t', ..]) && value.trim_matches(grammar::is_wsp) == "*" {
            return Ok(Contact::Star);
        }
        NameAddr::parse_value(&value, Self::NAME).map(Contact::Address)
    }

    fn write(&self, out: &mut String) {
        match self {
            Contact::Star => out.push('*'),
            Contact::Address(address) => address.write(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn expires_and_q_are_read_leniently() {
        #[track_caller]
        fn check(params: &str, expires: Option<u32>, q: u16) {
            let (contact, _) = rewritten::<Contact>(&format!("<sip:a@192.0.2.1>{params}"));
            assert_eq!((contact.expires(), contact.q()), (expires, q), "{params}");
        }
        check("", None, 1000);
        check(";expires=60;q=0.7", Some(60), 700);
        check(";EXPIRES=0;Q=1.000", Some(0), 1000);
        check(";expires=99999999999;q=0", Some(u32::MAX), 0);
        check(";expires=soon;q=2", Some(3600), 1000);
        check(";expires;q=0.1239", Some(3600), 123);
        check(";q=0.0000001", None, 0);
        check(";q=1.0000", None, 1000);
        check(";expires=-1;q=.5", Some(3600), 1000);
        check(";q=0.05", None, 50);
    }

    /// RFC 5626 §4.1, §4.2.
    #[test]
    fn an_instance_has_numbered_registrations() {
        let contact = |params: &str| rewritten::<Contact>(&format!("<sip:a@192.0.2.1>{params}")).0;
        let one = contact(";reg-id=1;+SIP.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\"");
        let uuid = "urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF";
        assert_eq!((one.instance_id(), one.reg_id()), (Some(uuid), Some(1)));
        assert_eq!(contact(";+sip.instance=\"urn:a:b\"").instance_id(), Some("urn:a:b"));
        for params in ["", ";reg-id", ";reg-id=0", ";reg-id=2147483648", ";reg-id=1x"] {
            assert_eq!((contact(params).reg_id(), contact(params).instance_id()), (None, None), "{params}");
        }
    }

    #[test]
    fn a_star_stands_for_all_contacts() {
        let (star, written) = rewritten::<Contact>(" * ");
        assert_eq!((star.expires(), written.as_str()), (None, "*"));
        assert_eq!(star, Contact::Star);
    }
}
