use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpAttribute;
use super::words::{is_word_char, read, write_token, write_word};
use crate::ByteStr;
use crate::sdp::SdpError;

/// Whether a [`SourceFilter`] names whom to listen to or whom not.
///
/// ```
/// use blether_sip_core::sdp::attribute::{FilterMode, SourceFilter};
/// assert_eq!("excl IN IP4 * 192.0.2.10".parse::<SourceFilter>()?.mode, FilterMode::Exclude);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterMode {
    /// `incl`: these sources alone.
    Include,
    /// `excl`: all but these.
    Exclude,
}

/// Whose packets to a destination are wanted (RFC 4570 §3).
///
/// ```
/// use blether_sip_core::sdp::attribute::SourceFilter;
///
/// let filter: SourceFilter = "incl IN IP4 232.3.4.5 192.0.2.10".parse()?;
/// assert_eq!(filter.sources, ["192.0.2.10"]);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceFilter {
    /// Whether the sources are wanted.
    pub mode: FilterMode,
    /// `IN`.
    pub network: ByteStr,
    /// `IP4`, `IP6`, or `*` for both.
    pub address_type: ByteStr,
    /// The destination, as a `c=` line says it; `*` for all of them.
    pub destination: ByteStr,
    /// The sources; at least one is written.
    pub sources: Vec<ByteStr>,
}

impl FromStr for FilterMode {
    type Err = SdpError;

    /// Reads `incl` or `excl`.
    fn from_str(word: &str) -> Result<Self, SdpError> {
        match word {
            "incl" => Ok(FilterMode::Include),
            "excl" => Ok(FilterMode::Exclude),
            _ => Err(SdpError::BadAttribute { name: SourceFilter::NAME, expected: "incl or excl" }),
        }
    }
}

impl fmt::Display for FilterMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FilterMode {
    fn as_str(self) -> &'static str {
        match self {
            FilterMode::Include => "incl",
            FilterMode::Exclude => "excl",
        }
    }
}

impl SdpAttribute for SourceFilter {
    const NAME: &'static str = "source-filter";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a filter such as incl IN IP4 232.3.4.5 192.0.2.10", |words| {
            let mode = words.next()?.parse().ok()?;
            let (network, address_type) = (words.token()?, words.token()?);
            let destination = words.word()?;
            let sources = words.all(is_word_char).filter(|sources| !sources.is_empty())?;
            Some(SourceFilter { mode, network, address_type, destination, sources })
        })
    }

    fn write(&self, out: &mut String) {
        out.push_str(self.mode.as_str());
        out.push(' ');
        write_token(out, &self.network, "IN");
        out.push(' ');
        write_token(out, &self.address_type, "*");
        out.push(' ');
        write_word(out, &self.destination, "*");
        if self.sources.is_empty() {
            out.push_str(" 0.0.0.0");
        }
        for source in &self.sources {
            out.push(' ');
            write_word(out, source, "0.0.0.0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn filters_have_a_destination_and_sources() {
        // RFC 4570 §3.2; a space may stand after the colon.
        check::<SourceFilter>(" incl IN IP4 232.3.4.5 192.0.2.10", "incl IN IP4 232.3.4.5 192.0.2.10");
        check::<SourceFilter>(
            "excl IN IP6 FF0E::11A 2001:DB8:1:2:240:96FF:FE25:8EC9",
            "excl IN IP6 FF0E::11A 2001:DB8:1:2:240:96FF:FE25:8EC9",
        );
        check::<SourceFilter>(
            "incl IN * dst-1.example.com src-1.example.com  b",
            "incl IN * dst-1.example.com src-1.example.com b",
        );
        refused::<SourceFilter>(&["", "incl", "incl IN IP4 a", "only IN IP4 a b"]);
    }
}
