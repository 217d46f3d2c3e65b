use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::str::FromStr;

use super::{HeaderError, HeaderName, NameAddr, Privacy, Repetition, TypedHeader, embedded};
use crate::{ByteStr, Host, Params, SipUri, Uri};

/// One target that a request was sent to on its way (RFC 7044): the Request-URI it had, and its place in the tree of targets.
///
/// Why the next target was tried is in the [`Reason`](crate::Reason)s that stand in the headers of the URI.
///
/// ```
/// use blether_sip_core::{HistoryInfo, HistoryTarget, Reason, StatusCode};
///
/// // RFC 7044 §5.
/// let entry: HistoryInfo =
///     "<sip:UserB@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1".parse()?;
/// assert_eq!(entry.embedded::<Reason>()[0].cause(), Some(486));
/// assert!(entry.is_private());
/// assert_eq!(entry.target, Some(HistoryTarget::Mp("1.1".parse()?)));
///
/// // The same hop tries another user.
/// let next = HistoryInfo::new("<sip:carol@example.com>".parse()?, entry.index.sibling());
/// assert_eq!(next.to_string(), "<sip:carol@example.com>;index=1.3");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HistoryInfo {
    /// The URI, and the parameters that are no fields here. Others of the names of those are not written.
    pub address: NameAddr,
    /// The place in the tree.
    pub index: HistoryIndex,
    /// How the URI was found.
    pub target: Option<HistoryTarget>,
}

/// How a target was found, and from which earlier entry (RFC 7044 §5).
///
/// ```
/// use blether_sip_core::{HistoryIndex, HistoryInfo, HistoryTarget};
///
/// let found: HistoryTarget = "mp=1.1".parse()?;
/// assert_eq!(found, HistoryTarget::Mp("1.1".parse()?));
/// let entry = HistoryInfo::new("<sip:bob@example.com>".parse()?, "1.2".parse()?).with_target(found);
/// assert_eq!(entry.to_string(), "<sip:bob@example.com>;index=1.2;mp=1.1");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HistoryTarget {
    /// `rc`: another URI of the same user, such as a registered contact.
    Rc(HistoryIndex),
    /// `mp`: another user.
    Mp(HistoryIndex),
    /// `np`: the same URI, passed on.
    Np(HistoryIndex),
}

/// A place in the tree of targets: a number for each hop, which counts the targets tried there (RFC 7044 §10.3).
///
/// Its order is that of the entries.
///
/// ```
/// use blether_sip_core::HistoryIndex;
///
/// let index = HistoryIndex::first().child();
/// assert_eq!(index.sibling().to_string(), "1.2");
/// assert!(index < index.sibling() && index < index.child());
/// // RFC 7044 §10.3: a hop that wrote nothing is a zero.
/// assert_eq!("1.1.2".parse::<HistoryIndex>()?.gap().child().to_string(), "1.1.2.0.1");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HistoryIndex(Vec<u32>);

impl HistoryIndex {
    /// `1`.
    #[must_use]
    pub fn first() -> Self {
        HistoryIndex(alloc::vec![1])
    }

    /// The first target of the hop after this one.
    #[must_use]
    pub fn child(&self) -> Self {
        self.with(1)
    }

    /// This, after which a hop has written nothing.
    #[must_use]
    pub fn gap(&self) -> Self {
        self.with(0)
    }

    fn with(&self, number: u32) -> Self {
        HistoryIndex(self.0.iter().copied().chain([number]).collect())
    }

    /// The next target of the same hop.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let mut next = self.clone();
        if let Some(last) = next.0.last_mut() {
            *last = last.saturating_add(1);
        }
        next
    }

    /// The entry that the request came from to the hop of this one; `None` for the first hop.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self.0.split_last() {
            Some((_, above)) if !above.is_empty() => Some(HistoryIndex(above.to_vec())),
            _ => None,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let number = |digits: &str| match digits.bytes().all(|digit| digit.is_ascii_digit()) {
            true => digits.parse().ok(),
            false => None,
        };
        text.split('.').map(number).collect::<Option<_>>().map(HistoryIndex)
    }
}

impl FromStr for HistoryIndex {
    type Err = HeaderError;

    /// Reads numbers between dots, of up to 32 bits each.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        HistoryIndex::read(text).ok_or(HeaderError::malformed(HeaderName::HistoryInfo, "an index such as 1.2.1"))
    }
}

impl fmt::Display for HistoryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if index == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl FromStr for HistoryTarget {
    type Err = HeaderError;

    /// Reads the parameter: `rc`, `mp` or `np`, in any case, and the index of the earlier entry.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let read = || {
            let (name, index) = text.split_once('=')?;
            let index = HistoryIndex::read(index)?;
            match name {
                _ if name.eq_ignore_ascii_case("rc") => Some(HistoryTarget::Rc(index)),
                _ if name.eq_ignore_ascii_case("mp") => Some(HistoryTarget::Mp(index)),
                _ if name.eq_ignore_ascii_case("np") => Some(HistoryTarget::Np(index)),
                _ => None,
            }
        };
        read().ok_or(HeaderError::malformed(HeaderName::HistoryInfo, "rc, mp or np and an index, such as mp=1.1"))
    }
}

impl fmt::Display for HistoryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HistoryTarget::Rc(index) => write!(f, "rc={index}"),
            HistoryTarget::Mp(index) => write!(f, "mp={index}"),
            HistoryTarget::Np(index) => write!(f, "np={index}"),
        }
    }
}

impl HistoryInfo {
    /// An entry; how its target was found is not said.
    #[must_use]
    pub fn new(address: NameAddr, index: HistoryIndex) -> Self {
        HistoryInfo { address, index, target: None }
    }

    /// The same with how its target was found.
    #[must_use]
    pub fn with_target(mut self, target: HistoryTarget) -> Self {
        self.target = Some(target);
        self
    }

    /// The values of a header that stands in the URI, such as [`Reason`](crate::Reason) or
    /// [`UserToUser`](crate::UserToUser); those that cannot be read are passed over.
    #[must_use]
    pub fn embedded<H: TypedHeader>(&self) -> Vec<H> {
        self.address.uri.as_sip().map(embedded::all).unwrap_or_default()
    }

    /// The same with these values of a header in the URI, in place of any others of that header. A URI that is no SIP URI
    /// has no headers and stays as it is (RFC 7044 §5).
    #[must_use]
    pub fn with_embedded<H: TypedHeader>(mut self, values: &[H]) -> Self {
        if let Uri::Sip(uri) = &mut self.address.uri {
            embedded::set(uri, values);
        }
        self
    }

    /// Whether this entry is to be made anonymous before it leaves the domain (RFC 7044 §10.1.2).
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.embedded::<Privacy>().iter().any(|privacy| privacy.asks_for(Privacy::HISTORY))
    }

    /// The entry with `sip:anonymous@anonymous.invalid` as its URI, and the Reasons it had (RFC 7044 §10.1.2).
    #[must_use]
    pub fn anonymized(&self) -> Self {
        let reasons = self.embedded::<crate::Reason>();
        let host = Host::Name(ByteStr::from_static("anonymous.invalid"));
        let uri = SipUri::new(Some("anonymous"), host, None).into();
        let address = NameAddr { display_name: None, uri, params: self.address.params.clone() };
        HistoryInfo { address, index: self.index.clone(), target: self.target.clone() }.with_embedded(&reasons)
    }
}

/// The parameters that are fields of an entry.
const FIELDS: [&str; 4] = ["index", "rc", "mp", "np"];

fn without_fields(params: &mut Params) {
    for name in FIELDS {
        params.remove(name);
    }
}

impl TypedHeader for HistoryInfo {
    const NAME: HeaderName = HeaderName::HistoryInfo;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let mut address = NameAddr::parse_value(&value, Self::NAME)?;
        let index = |name: &str| address.params.value(name).and_then(HistoryIndex::read);
        let target = index("rc").map(HistoryTarget::Rc);
        let target = target.or_else(|| index("mp").map(HistoryTarget::Mp));
        let target = target.or_else(|| index("np").map(HistoryTarget::Np));
        let index = index("index").ok_or(HeaderError::malformed(Self::NAME, "an index such as ;index=1.1"))?;
        without_fields(&mut address.params);
        Ok(HistoryInfo { address, index, target })
    }

    fn write(&self, out: &mut String) {
        if FIELDS.iter().any(|name| self.address.params.has(name)) {
            let mut address = self.address.clone();
            without_fields(&mut address.params);
            address.write(out);
        } else {
            self.address.write(out);
        }
        // Writing to a `String` cannot fail.
        let _ = write!(out, ";index={}", self.index);
        if let Some(target) = &self.target {
            let _ = write!(out, ";{target}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;
    use crate::{Reason, StatusCode, UserToUser};

    /// RFC 7044 §5, §5.1, RFC 7433 §4.3.
    #[test]
    fn an_entry_has_an_index_and_headers_in_its_uri() {
        let (entry, written) = rewritten::<HistoryInfo>("<sip:UserA@ims.example.com>;index=1;foo=bar");
        assert_eq!((entry.index, entry.target), (HistoryIndex::first(), None));
        assert_eq!(written, "<sip:UserA@ims.example.com>;foo=bar;index=1");
        let (entry, _) = rewritten::<HistoryInfo>("<sip:bob@biloxi.example.com;p=x>;NP=1;index=1.1");
        assert_eq!(entry.target, Some(HistoryTarget::Np(HistoryIndex::first())));
        assert_eq!(entry.index.parent(), Some(HistoryIndex::first()));
        let text =
            "<sips:alice@example.com?Reason=SIP%3Bcause%3D302&User-to-User=342342ef34%3Bencoding%3Dhex>;index=1.1;rc=1";
        let (entry, written) = rewritten::<HistoryInfo>(text);
        assert_eq!(written, text);
        assert_eq!(entry.embedded::<UserToUser>()[0].bytes().unwrap(), [0x34, 0x23, 0x42, 0xef, 0x34]);
        assert!(!entry.is_private() && entry.embedded::<Privacy>().is_empty());
        for text in
            ["", "<sip:a@b>", "<sip:a@b>;index", "<sip:a@b>;index=1..2", "<sip:a@b>;index=+1", "sip:a@b;index=1.x"]
        {
            assert!(HistoryInfo::parse_value(text.into()).is_err(), "{text}");
        }
        assert_eq!(rewritten::<HistoryInfo>("<tel:+1>;index=0.01;rc=x;mp=99999999999").1, "<tel:+1>;index=0.1");
    }

    #[test]
    fn headers_of_the_uri_are_set_and_the_others_stay() {
        let entry: HistoryInfo = "<sip:a@b?x=%41&reason=Q.850&Privacy=history>;index=1".parse().unwrap();
        let busy = [Reason::sip(StatusCode::BUSY_HERE, "a, \"b\""), Reason::sip(StatusCode::OK, "é")];
        let entry = entry.with_embedded(&busy);
        assert_eq!(entry.embedded::<Reason>(), busy);
        let written = entry.to_string();
        assert!(
            written.starts_with("<sip:a@b?x=%41&Privacy=history&Reason=SIP%3Bcause%3D486%3Btext%3D%22a%2C"),
            "{written}"
        );
        assert_eq!(written.parse::<HistoryInfo>().unwrap(), entry);
        let hidden = entry.anonymized();
        assert_eq!((hidden.embedded::<Reason>().len(), hidden.is_private()), (2, false));
        assert!(hidden.to_string().starts_with("<sip:anonymous@anonymous.invalid?Reason=SIP"));
        let plain = entry.with_embedded::<Reason>(&[]).with_embedded::<Privacy>(&[]);
        assert_eq!(plain.to_string(), "<sip:a@b?x=%41>;index=1");
        let tel = HistoryInfo::new("<tel:+1>;index=7;rc=8".parse().unwrap(), HistoryIndex::first());
        let target = HistoryTarget::Mp(HistoryIndex::first());
        assert_eq!(tel.with_embedded(&busy).with_target(target).to_string(), "<tel:+1>;index=1;mp=1");
    }
}
