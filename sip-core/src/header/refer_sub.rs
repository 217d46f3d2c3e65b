use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// Whether a REFER makes a subscription to what becomes of it (RFC 4488 §4).
///
/// ```
/// use blether_sip_core::ReferSub;
///
/// let refer_sub: ReferSub = "false".parse()?;
/// assert!(!refer_sub.subscribe);
/// assert_eq!(ReferSub::new(false), refer_sub);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReferSub {
    /// `true`, as without the header: there is a subscription. `false` in the REFER asks for none, and in the 2xx grants
    /// that.
    pub subscribe: bool,
    /// The parameters, of which none is defined.
    pub params: Params,
}

impl ReferSub {
    /// The header without parameters.
    #[must_use]
    pub fn new(subscribe: bool) -> Self {
        ReferSub { subscribe, params: Params::new() }
    }
}

fn refer_sub<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, ReferSub> {
    let (rest, word) = grammar::token(input)?;
    let subscribe = match word {
        _ if word.eq_ignore_ascii_case("true") => true,
        _ if word.eq_ignore_ascii_case("false") => false,
        _ => return grammar::stop(input),
    };
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, ReferSub { subscribe, params }))
}

impl TypedHeader for ReferSub {
    const NAME: HeaderName = HeaderName::ReferSub;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| refer_sub(&value, input), Self::NAME, "true or false")
    }

    fn write(&self, out: &mut String) {
        out.push_str(if self.subscribe { "true" } else { "false" });
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn refer_sub_is_true_or_false() {
        assert_eq!(rewritten::<ReferSub>("FALSE ;x=1").1, "false;x=1");
        assert_eq!(rewritten::<ReferSub>("true").0, ReferSub::new(true));
        for text in ["", "0", "falsely", "true;", ";x"] {
            assert!(ReferSub::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
