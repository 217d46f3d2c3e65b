use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// An address of record that belongs to the one just registered, in the answer to a REGISTER (RFC 7315 §4.1).
///
/// The header with no value says that there is none: [`Headers::all`](crate::Headers::all) is then empty, and
/// [`Headers::has`](crate::Headers::has) is true.
///
/// ```
/// use blether_sip_core::PAssociatedUri;
///
/// let uri: PAssociatedUri = "<tel:+15551234567>".parse()?;
/// assert_eq!(uri.0.uri.to_string(), "tel:+15551234567");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PAssociatedUri(pub NameAddr);

impl TypedHeader for PAssociatedUri {
    const NAME: HeaderName = HeaderName::PAssociatedUri;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(PAssociatedUri)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;
    use crate::header::rewritten;

    #[test]
    fn there_may_be_none() {
        assert_eq!(
            rewritten::<PAssociatedUri>("Alice <sip:a@b;user=phone> ;x=1").1,
            "\"Alice\" <sip:a@b;user=phone>;x=1"
        );
        let mut headers = Headers::new();
        headers.push_raw(&HeaderName::PAssociatedUri, "").unwrap();
        assert!(headers.has(&HeaderName::PAssociatedUri));
        assert_eq!(headers.all::<PAssociatedUri>(), Ok(Vec::new()));
        headers.push_raw(&HeaderName::PAssociatedUri, "<sip:a@b>, <tel:+1>").unwrap();
        assert_eq!(headers.all::<PAssociatedUri>().unwrap().len(), 2);
        assert!(PAssociatedUri::parse_value("+1".into()).is_err());
    }
}
