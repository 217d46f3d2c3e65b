use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// After how many seconds without a keep-alive the edge proxy takes a flow for dead (RFC 5626 §5.4, §10).
///
/// A client over TCP sends one after 80 to 100 per cent of it (§4.4.1).
///
/// ```
/// use blether_sip_core::FlowTimer;
///
/// assert_eq!("120".parse(), Ok(FlowTimer(120)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowTimer(pub u32);

impl TypedHeader for FlowTimer {
    const NAME: HeaderName = HeaderName::FlowTimer;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, grammar::delta_seconds, Self::NAME, "a number of seconds").map(FlowTimer)
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn flow_timer_is_a_number_of_seconds() {
        assert_eq!(rewritten::<FlowTimer>("0126").1, "126");
        assert_eq!(rewritten::<FlowTimer>("99999999999").0, FlowTimer(u32::MAX));
        assert!(FlowTimer::parse_value("".into()).is_err() && FlowTimer::parse_value("5 s".into()).is_err());
    }
}
