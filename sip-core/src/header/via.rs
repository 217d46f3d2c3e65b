use alloc::string::{String, ToString};
use core::net::IpAddr;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::class::{self, TOKEN, skip_wsp};
use crate::grammar::{self, Deviation, ParamRule, ParamsPart, Parsed, Told};
use crate::host::HostPart;
use crate::{ByteStr, Host, Params, ordinary};

/// One hop that a request has passed and its response has to pass (RFC 3261 §20.42).
///
/// ```
/// use blether_sip_core::Via;
///
/// let via: Via = "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7;received=192.0.2.4".parse()?;
/// assert_eq!((&*via.transport, via.port, via.branch()), ("UDP", Some(5060), Some("z9hG4bK87asdks7")));
/// assert_eq!(via.received(), "192.0.2.4".parse().ok());
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Via {
    /// The transport as written, usually in capitals: `UDP`, `TCP`, `TLS`, `WS`, `WSS`.
    pub transport: ByteStr,
    /// The host of `sent-by`.
    pub host: Host,
    /// The port of `sent-by`, if it is given.
    pub port: Option<u16>,
    /// The parameters: `branch`, `received`, `rport`, `maddr`, `ttl`.
    pub params: Params,
}

impl Via {
    /// What stands at the start of every branch made by RFC 3261 (§8.1.1.7).
    pub const MAGIC_COOKIE: &'static str = "z9hG4bK";

    /// A hop with this branch, which should start with [`Via::MAGIC_COOKIE`].
    #[must_use]
    pub fn new(transport: &str, host: Host, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        Via { transport: transport.into(), host, port, params }
    }

    /// The `branch` parameter, which identifies the transaction (RFC 3261 §17.1.3, §17.2.3).
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// The address that the request really came from, as the receiver noted it (RFC 3261 §18.2.1).
    /// `None` if it is absent or no address.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse(self.params.value("received")?)?.ip()
    }

    /// The `rport` parameter (RFC 3581): `Some(None)` asks for the source port, `Some(Some(port))` is the answer.
    /// A value that is no port reads as the question.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port?.parse().ok())
    }

    /// The `maddr` parameter: where responses go in place of `sent-by` (RFC 3261 §18.2.2).
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        Host::parse(self.params.value("maddr")?)
    }

    /// Notes the address that the request came from.
    pub fn set_received(&mut self, ip: IpAddr) {
        self.params.set("received", Some(&ip.to_string()));
    }

    /// Asks for the source port (`None`) or notes it.
    pub fn set_rport(&mut self, port: Option<u16>) {
        self.params.set("rport", port.map(|port| port.to_string()).as_deref());
    }
}

/// A Via where it stands: read and checked, not yet made into a value.
pub(crate) struct ViaPart<'a> {
    transport: &'a str,
    host: HostPart<'a>,
    port: Option<u16>,
    params: ParamsPart<'a>,
}

impl<'a> ViaPart<'a> {
    #[inline]
    fn read(input: &'a str) -> Parsed<'a, ViaPart<'a>> {
        let Some((transport, rest)) = sent_protocol(input) else { return grammar::stop(input) };
        let (rest, (host, port)) = grammar::host_port_part(rest)?;
        let (rest, params) = grammar::params_part(rest)?;
        Ok((rest, ViaPart { transport, host, port, params }))
    }

    /// All of `value` as a Via.
    pub(crate) fn of(value: &'a str) -> Option<ViaPart<'a>> {
        super::whole(value, ViaPart::read).ok()
    }

    /// Whether there is a `branch` parameter with a value.
    pub(crate) fn has_branch(&self) -> bool {
        self.params.has_value("branch")
    }

    /// Tells what the Via has that it should not.
    pub(crate) fn deviations(&self, told: Told<'_>) {
        // `via-branch`, `via-ttl`, `via-maddr` (RFC 3261 §25.1), `response-port` (RFC 3581 §5).
        const RULES: &[(&str, ParamRule)] = &[
            ("branch", ParamRule::TokenOrNone),
            ("ttl", ParamRule::Ttl),
            ("maddr", ParamRule::Host),
            ("rport", ParamRule::DigitsOrNone),
        ];
        self.host.deviation(told);
        // `via-received` has no brackets; who takes the value for a `via-extension` has another RFC against it (RFC 5118 §4.5).
        let received = grammar::param_value(self.params.text, "received");
        if let Some(received) = received.filter(|received| received.parse::<IpAddr>().is_err()) {
            told(Deviation::Received, received);
        }
        self.params.deviations(RULES, told);
    }

    fn to_via(&self, whole: &ByteStr) -> Via {
        Via {
            transport: Via::known_transport(self.transport.as_bytes()).unwrap_or_else(|| whole.share(self.transport)),
            host: self.host.to_host(whole),
            port: self.port,
            params: self.params.to_params(whole),
        }
    }
}

/// The transport of `sent-protocol`, and what follows the white space behind it.
#[inline]
fn sent_protocol(input: &str) -> Option<(&str, &str)> {
    let rest = match input.strip_prefix("SIP/2.0/") {
        Some(rest) => rest,
        None => {
            let rest = strip_no_case(input, "SIP").map(skip_wsp)?.strip_prefix('/').map(skip_wsp)?;
            skip_wsp(rest.strip_prefix("2.0")?).strip_prefix('/').map(skip_wsp)?
        }
    };
    let (transport, rest) = class::split(rest, TOKEN);
    let host = skip_wsp(rest);
    (!transport.is_empty() && host.len() < rest.len()).then_some((transport, host))
}

fn strip_no_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl Via {
    /// Checks a value without making it: fails where [`Via::parse_value`] does.
    pub(crate) fn check(value: &str) -> Result<(), HeaderError> {
        super::whole(value, ViaPart::read).map(drop).map_err(Self::malformed)
    }

    /// A transport that needs no memory of its own.
    pub(crate) fn known_transport(name: &[u8]) -> Option<ByteStr> {
        Some(ByteStr::from_static(match name {
            b"UDP" => "UDP",
            b"TCP" => "TCP",
            b"TLS" => "TLS",
            b"WS" => "WS",
            b"WSS" => "WSS",
            _ => return None,
        }))
    }

    /// Reads one value, which was cut out of `whole`.
    pub(crate) fn read(value: &str, whole: &ByteStr) -> Result<Via, HeaderError> {
        super::whole(value, ViaPart::read).map(|part| part.to_via(whole)).map_err(Self::malformed)
    }

    #[cold]
    fn malformed(column: Option<usize>) -> HeaderError {
        let expected = "SIP/2.0/UDP host:port;branch=z9hG4bK...";
        HeaderError::Malformed { header: Self::NAME, expected, column }
    }
}

impl TypedHeader for Via {
    const NAME: HeaderName = HeaderName::Via;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        match ordinary::hop(value.as_bytes(), 0) {
            Some((hop, end)) if end == value.as_bytes().len() => Ok(hop.to_via(&value, 0)),
            _ => Via::read(&value, &value),
        }
    }

    fn write(&self, out: &mut String) {
        out.push_str("SIP/2.0/");
        grammar::write_token(out, &self.transport, "UDP");
        out.push(' ');
        self.host.write(out);
        if let Some(port) = self.port {
            out.push(':');
            grammar::write_number(out, port.into());
        }
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_via_is_read_with_all_its_white_space() {
        #[track_caller]
        fn check(text: &str, expected: &str) -> Via {
            let (via, written) = rewritten::<Via>(text);
            assert_eq!(written, expected);
            via
        }
        let via = check(
            "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7",
            "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7",
        );
        assert_eq!((via.branch(), via.port), (Some("z9hG4bK87asdks7"), Some(5060)));
        // RFC 3261 §20.42
        let via = check(
            "SIP / 2.0 / UDP first.example.com: 4000;ttl=16\t;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
            "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1",
        );
        assert_eq!(via.maddr(), Host::parse("224.2.0.1"));
        let via = check(
            "sip/2.0/tcp [2001:db8::1];received=2001:db8::2;rport;branch=z9hG4bK1==",
            "SIP/2.0/tcp [2001:db8::1];received=2001:db8::2;rport;branch=z9hG4bK1==",
        );
        assert_eq!((via.received(), via.rport()), ("2001:db8::2".parse().ok(), Some(None)));
        assert_eq!(check("SIP/2.0/UDP a;rport=x", "SIP/2.0/UDP a;rport=x").rport(), Some(None));
        assert_eq!(check("SIP/2.0/UDP a;received=b", "SIP/2.0/UDP a;received=b").received(), None);
    }

    #[test]
    fn where_a_request_came_from_is_noted() {
        let mut via = Via::new("UDP", Host::parse("a.example").unwrap(), None, "z9hG4bK1");
        via.set_rport(None);
        assert_eq!(via.rport(), Some(None));
        via.set_rport(Some(9));
        via.set_received([192, 0, 2, 1].into());
        let mut written = String::new();
        via.write(&mut written);
        assert_eq!(written, "SIP/2.0/UDP a.example;branch=z9hG4bK1;rport=9;received=192.0.2.1");
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/3.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0 a",
            "SIP/2.0/UDP a:99999",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a;;branch=1",
            "SIP/2.0/UDP a;branch=",
            "SIP/2.0/UDP a b",
        ] {
            assert!(Via::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
