//! Resource-Priority and Accept-Resource-Priority (RFC 4412).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

/// A priority of a namespace (RFC 4412 §3.1): `dsn.flash`. Values are equal whatever the case of their letters.
///
/// ```
/// use blether_sip_core::ResourceValue;
///
/// let value: ResourceValue = "dsn.flash".parse()?;
/// assert_eq!((value.namespace(), value.priority()), ("dsn", "flash"));
/// assert_eq!(value, "DSN.Flash".parse()?);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResourceValue {
    namespace: ByteStr,
    priority: ByteStr,
}

const EXPECTED: &str = "values such as dsn.flash between commas";

fn is_token_nodot(text: &str) -> bool {
    grammar::is_token(text) && !text.contains('.')
}

impl ResourceValue {
    /// A priority of a namespace.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if one of them is no token, or has a dot.
    pub fn new(namespace: &str, priority: &str) -> Result<Self, HeaderError> {
        if !is_token_nodot(namespace) || !is_token_nodot(priority) {
            return Err(HeaderError::malformed(HeaderName::ResourcePriority, EXPECTED));
        }
        Ok(ResourceValue { namespace: namespace.into(), priority: priority.into() })
    }

    /// The namespace, such as `dsn`, `wps` or `esnet`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The priority; what order priorities have is the namespace's to say.
    #[must_use]
    pub fn priority(&self) -> &str {
        &self.priority
    }

    fn is_of(&self, namespace: &str) -> bool {
        self.namespace.eq_ignore_ascii_case(namespace)
    }
}

impl PartialEq for ResourceValue {
    fn eq(&self, other: &Self) -> bool {
        self.is_of(&other.namespace) && self.priority.eq_ignore_ascii_case(&other.priority)
    }
}

impl Eq for ResourceValue {}

impl core::hash::Hash for ResourceValue {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        for byte in self.namespace.as_bytes().iter().chain(b".").chain(self.priority.as_bytes()) {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl FromStr for ResourceValue {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (namespace, priority) = text.split_once('.').unwrap_or_default();
        ResourceValue::new(namespace, priority)
    }
}

impl fmt::Display for ResourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace, self.priority)
    }
}

/// The values between commas as namespace and priority.
fn parse(value: &str, header: HeaderName) -> impl Iterator<Item = Result<(&str, &str), HeaderError>> {
    grammar::list(value).map(move |item| {
        let parts =
            item.split_once('.').filter(|(namespace, priority)| is_token_nodot(namespace) && is_token_nodot(priority));
        parts.ok_or_else(|| HeaderError::malformed(header.clone(), EXPECTED).at(value, item))
    })
}

fn share(whole: &ByteStr, (namespace, priority): (&str, &str)) -> ResourceValue {
    ResourceValue { namespace: whole.share(namespace), priority: whole.share(priority) }
}

fn write(values: &[ResourceValue], out: &mut String) {
    grammar::write_list(out, ", ", values, |out, ResourceValue { namespace, priority }| {
        out.extend([namespace, ".", priority]);
    });
}

/// What priority a request asks for, in one or more namespaces (RFC 4412 §3.1), all at once.
///
/// A namespace stands in it once. A request where one stands twice is read all the same: the first counts.
///
/// ```
/// use blether_sip_core::ResourcePriority;
///
/// let asked: ResourcePriority = "wps.3, dsn.flash".parse()?;
/// assert_eq!(asked.priority("DSN"), Some("flash"));
/// assert_eq!(asked.and("esnet.0".parse()?).to_string(), "wps.3, dsn.flash, esnet.0");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourcePriority(Vec<ResourceValue>);

/// More namespaces than anybody has a priority in: others are not taken.
const MAX_NAMESPACES: usize = 16;

impl ResourcePriority {
    /// A priority of one namespace.
    #[must_use]
    pub fn new(value: ResourceValue) -> Self {
        ResourcePriority(alloc::vec![value])
    }

    /// The same with a priority of one more namespace, or another of one that it has. It is the same if it has 16.
    #[must_use]
    pub fn and(mut self, value: ResourceValue) -> Self {
        let count = self.0.len();
        match self.0.iter_mut().find(|listed| listed.is_of(&value.namespace)) {
            Some(listed) => *listed = value,
            None if count < MAX_NAMESPACES => self.0.push(value),
            None => {}
        }
        self
    }

    /// The priority of a namespace.
    #[must_use]
    pub fn priority(&self, namespace: &str) -> Option<&str> {
        self.0.iter().find(|value| value.is_of(namespace)).map(ResourceValue::priority)
    }

    /// The values, of which there is at least one; their order says nothing.
    #[must_use]
    pub fn values(&self) -> &[ResourceValue] {
        &self.0
    }
}

impl TypedHeader for ResourcePriority {
    const NAME: HeaderName = HeaderName::ResourcePriority;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let mut values: Vec<ResourceValue> = Vec::new();
        for parts in parse(&value, Self::NAME) {
            let parts = parts?;
            if values.len() < MAX_NAMESPACES && !values.iter().any(|listed| listed.is_of(parts.0)) {
                values.push(share(&value, parts));
            }
        }
        if values.is_empty() { Err(HeaderError::malformed(Self::NAME, EXPECTED)) } else { Ok(ResourcePriority(values)) }
    }

    fn write(&self, out: &mut String) {
        write(&self.0, out);
    }
}

/// The priorities that a server takes (RFC 4412 §3.2), all at once; there may be none.
///
/// ```
/// use blether_sip_core::AcceptResourcePriority;
///
/// // RFC 4412 §3.2.
/// let taken: AcceptResourcePriority = "dsn.flash-override, dsn.flash, dsn.immediate, dsn.priority, dsn.routine".parse()?;
/// assert!(taken.0.contains(&"dsn.Flash".parse()?));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AcceptResourcePriority(pub Vec<ResourceValue>);

impl TypedHeader for AcceptResourcePriority {
    const NAME: HeaderName = HeaderName::AcceptResourcePriority;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let values = parse(&value, Self::NAME).map(|parts| Ok(share(&value, parts?)));
        values.collect::<Result<_, _>>().map(AcceptResourcePriority)
    }

    fn write(&self, out: &mut String) {
        write(&self.0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_namespace_stands_once() {
        let (read, written) = rewritten::<ResourcePriority>("DSN.Flash ,wps.3,, dsn.routine");
        assert_eq!((written.as_str(), read.priority("q735")), ("DSN.Flash, wps.3", None));
        let lower = ResourcePriority::new("dsn.flash".parse().unwrap()).and("wps.3".parse().unwrap());
        assert_eq!(lower, read);
        assert_eq!(lower.and(ResourceValue::new("WPS", "0").unwrap()).to_string(), "dsn.flash, WPS.0");
        assert_eq!(rewritten::<AcceptResourcePriority>("").0, AcceptResourcePriority::default());
        let many: String = (0..100).map(|number| alloc::format!("n{number}.1,")).collect();
        assert_eq!(rewritten::<ResourcePriority>(&many).0.values().len(), MAX_NAMESPACES);
        for text in ["", "dsn", "dsn.", ".flash", "a.b.c", "a. b", "a.b;c", "a.\"b\""] {
            assert!(ResourcePriority::parse_value(text.into()).is_err(), "{text}");
            assert!(text.parse::<ResourceValue>().is_err(), "{text}");
        }
    }
}
