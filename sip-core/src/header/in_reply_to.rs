use alloc::string::String;
use alloc::vec::Vec;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::ByteStr;
use crate::class::{self, GRAPHIC};

/// The Call-IDs of the calls that this one returns (RFC 3261 §20.21), at least one.
///
/// ```
/// use blether_sip_core::{CallId, InReplyTo};
///
/// let returned: InReplyTo = "70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com".parse()?;
/// assert!(returned.contains(&CallId("17320@saturn.bell-tel.com".into())));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InReplyTo(Vec<ByteStr>);

/// Whether the text is one Call-ID of a list: peers do not keep to `word [ "@" word ]`.
fn is_call_id(text: &str) -> bool {
    !text.is_empty() && class::all(text.as_bytes(), GRAPHIC) && !text.contains(',')
}

impl InReplyTo {
    /// A list of Call-IDs; `None` if there are none, or if one is no word or has a comma.
    #[must_use]
    pub fn new<'a>(calls: impl IntoIterator<Item = &'a super::CallId>) -> Option<Self> {
        let list: Vec<_> = calls.into_iter().map(|call| call.0.clone()).collect();
        (!list.is_empty() && list.iter().all(|call| is_call_id(call))).then_some(InReplyTo(list))
    }

    /// Whether this call is returned.
    #[must_use]
    pub fn contains(&self, call: &super::CallId) -> bool {
        self.0.contains(&call.0)
    }

    /// The Call-IDs.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ByteStr::as_str)
    }
}

impl TypedHeader for InReplyTo {
    const NAME: HeaderName = HeaderName::InReplyTo;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        // Quotes and angle brackets may stand in a Call-ID and do not hide a comma there.
        let calls = || value.split(',').map(class::trim_wsp).filter(|call| !call.is_empty());
        match calls().find(|call| !is_call_id(call)) {
            None if calls().next().is_some() => Ok(InReplyTo(calls().map(|call| value.share(call)).collect())),
            wrong => {
                Err(HeaderError::malformed(Self::NAME, "Call-IDs between commas").at(&value, wrong.unwrap_or(&value)))
            }
        }
    }

    fn write(&self, out: &mut String) {
        crate::grammar::write_list(out, ", ", &self.0, |out, call| out.push_str(call));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallId;
    use crate::header::rewritten;

    #[test]
    fn in_reply_to_lists_call_ids() {
        let (list, written) = rewritten::<InReplyTo>("a<b,c\"d@e ,, f");
        assert_eq!(written, "a<b, c\"d@e, f");
        assert!(list.contains(&CallId("c\"d@e".into())) && !list.contains(&CallId("F".into())));
        for (text, column) in [("", 1), (" , ", 1), ("a, b c", 4), ("\u{e9}", 1)] {
            assert_eq!(InReplyTo::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
        let ids = ["a", "b,c", "", "d e"].map(|id| CallId(id.into()));
        assert!(ids.iter().skip(1).all(|id| InReplyTo::new([id]).is_none()) && InReplyTo::new([]).is_none());
        assert_eq!(InReplyTo::new([&ids[0], &ids[0]]).unwrap().to_string(), "a, a");
    }
}
