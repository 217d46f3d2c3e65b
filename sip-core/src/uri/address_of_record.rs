use core::fmt;
use core::str::FromStr;

use super::{SipUri, UriError, escape};
use crate::{ByteStr, Host};

/// A user at a domain, in the one form under which a location service knows it (RFC 3261 §10.3, step 5).
///
/// The user is without its escapes, the host in lower case; scheme, port, parameters and headers do not count.
///
/// ```
/// use blether_sip_core::{AddressOfRecord, SipUri};
///
/// let uri: SipUri = "sips:%61lice@AtLanTa.CoM.:5070;user=phone".parse()?;
/// let aor = AddressOfRecord::from_uri(&uri).unwrap();
/// assert_eq!((aor.user(), aor.to_string().as_str()), ("alice", "sip:alice@atlanta.com"));
/// assert_eq!("sip:alice@atlanta.com".parse(), Ok(aor));
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressOfRecord {
    user: ByteStr,
    host: Host,
}

impl AddressOfRecord {
    /// The address of record that a URI names.
    ///
    /// # Errors
    ///
    /// [`UriError::User`] if it has no user, or one that is not UTF-8 or has control characters once its escapes are undone.
    pub fn from_uri(uri: &SipUri) -> Result<Self, UriError> {
        let user = uri.user_decoded().ok_or(UriError::User)?;
        AddressOfRecord::new(&user, uri.host.clone())
    }

    /// An address of record of a user without escapes.
    ///
    /// # Errors
    ///
    /// [`UriError::User`] if the user is empty or has control characters.
    pub fn new(user: &str, host: Host) -> Result<Self, UriError> {
        if user.is_empty() || user.chars().any(char::is_control) {
            return Err(UriError::User);
        }
        Ok(AddressOfRecord { user: user.into(), host: host.normalised() })
    }

    /// A copy that shares no memory with this one.
    #[must_use]
    pub fn detached(&self) -> Self {
        AddressOfRecord { user: self.user.detached(), host: self.host.normalised() }
    }

    /// The user, without escapes.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The host, in lower case.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The address of record as a SIP URI.
    #[must_use]
    pub fn to_uri(&self) -> SipUri {
        SipUri::new(Some(&escape::escaped_anew(&self.user, crate::class::USER)), self.host.clone(), None)
    }
}

impl fmt::Display for AddressOfRecord {
    /// Writes `sip:user@host`, the user escaped where it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_uri().fmt(f)
    }
}

impl FromStr for AddressOfRecord {
    type Err = UriError;

    /// Reads a SIP URI, as [`AddressOfRecord::from_uri`] does.
    fn from_str(text: &str) -> Result<Self, UriError> {
        AddressOfRecord::from_uri(&text.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_record_is_read_as_it_is_written() {
        for user in ["alice", "a b", "\"<sip:@>", "%41", "\u{e9}"] {
            let aor = AddressOfRecord::new(user, "[2001:DB8::1]".parse().unwrap()).unwrap();
            assert_eq!(aor.to_string().parse(), Ok(aor), "{user}");
        }
        let read = |text: &str| text.parse::<AddressOfRecord>();
        assert_eq!((read("sip:atlanta.com"), read("sip:a%0D@b")), (Err(UriError::User), Err(UriError::User)));
        assert_eq!((read("tel:+1"), read("alice@atlanta.com")), (Err(UriError::Scheme), Err(UriError::Scheme)));
    }
}
