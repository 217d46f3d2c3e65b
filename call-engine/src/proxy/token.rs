//! What the proxy writes into the user part of its Record-Route and Path URIs, so that it finds the way again without having kept anything: flow tokens
//! (RFC 5626 §5.2, §5.3).
//!
//! A token is a list of flows and a MAC, in the alphabet of base64url, which needs no escapes in a URI. That of a dialog belongs to one Call-ID, and says when
//! it was made and on which hosts the two ends are. It is no secret, for whoever sees a message of the dialog sees it: what it opens is the
//! way to the other end, for who sends from the host of one and in time. Others are asked who they are, or refused (`forwarder/admission.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use blether_sip_transport::{ConnectionId, Flow, Transport};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of the MAC: 80 bits, as RFC 5626 §5.2 has it.
const MAC: usize = 10;

/// Bytes of the longest token without its MAC: two hosts, and two flows over IPv6 by connections.
const MAX_PAYLOAD: usize = 1 + 4 + 4 + 2 * (1 + 16) + 2 * (1 + 18 + 18 + 12);

/// How long after it was made a token serves by itself, in hours: longer than calls last. A route set stays as it is as long as its dialog
/// (RFC 3261 §12.2), so that nothing renews it.
const VALID_FOR: u32 = 7 * 24;

const DIALOG: u8 = 0x10;
const PATH: u8 = 0x20;
const HAS_CALLER: u8 = 0x01;
const HAS_CALLEE: u8 = 0x02;
const STATELESS: u8 = 0x04;
const AUTHENTICATES: u8 = 0x08;

/// The number of a transport in a token. Tokens outlive the program, so one that was given stays.
fn number_of(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
    }
}

/// The transports that a token can name.
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Of a Record-Route: how requests within a dialog reach its two ends.
    Dialog(DialogToken),
    /// Of a Path: the way to a phone that has registered elsewhere.
    Path(Flow),
}

/// How requests within a dialog reach its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DialogToken {
    /// By what the caller is told from the callee: a hash of its tag.
    pub(crate) caller_tag: u32,
    /// The flow of the caller; `None` where the request's own URIs lead there.
    pub(crate) caller: Option<Flow>,
    /// The flow of the callee, likewise.
    pub(crate) callee: Option<Flow>,
    /// Whether its requests are forwarded without state.
    pub(crate) stateless: bool,
    /// Whether the sender of the request that opened it had to have an account.
    pub(crate) authenticates: bool,
    /// When the token was made, in hours: [`TokenKey::hour`].
    pub(crate) sealed: u32,
    /// The hosts of the caller and the callee, or of the next proxies towards them.
    pub(crate) hosts: [IpAddr; 2],
}

impl DialogToken {
    /// The hash of a caller's tag.
    pub(crate) fn tag_hash(tag: Option<&str>) -> u32 {
        // FNV-1a: the same in every version of this program, for dialogs that outlive it. The MAC keeps it from being chosen.
        let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        tag.unwrap_or_default().bytes().fold(0x811c_9dc5, fold)
    }

    /// The flow by which a request with this From tag goes on: to the other end than the one that sends it.
    pub(crate) fn onward(&self, from_tag: Option<&str>) -> Option<Flow> {
        if Self::tag_hash(from_tag) == self.caller_tag { self.callee } else { self.caller }
    }

    /// Whether one of its ends is on this host.
    pub(crate) fn is_end(&self, host: IpAddr) -> bool {
        self.hosts.iter().any(|end| end.to_canonical() == host.to_canonical())
    }

    /// Whether it is not too old at this hour. One from the future is young: a clock was put right.
    pub(crate) fn is_in_time(&self, hour: u32) -> bool {
        hour.saturating_sub(self.sealed) <= VALID_FOR
    }
}

/// Why a text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// It does not look like one: a user part like any other.
    Other,
    /// It looks like one, but its MAC is wrong: it is forged, of another call, or of a server with another key.
    Forged,
}

/// Makes and checks tokens. `Debug` hides the key.
#[derive(Clone)]
pub(crate) struct TokenKey {
    mac: Hmac<Sha256>,
    /// Which life of the server this is: a connection's number means nothing in another.
    epoch: u32,
    /// What the clock of the wall said at some instant.
    clock: (Instant, SystemTime),
}

impl TokenKey {
    /// `clock` is what the clock of the wall says at some instant; it is not asked again.
    pub(crate) fn new(secret: &[u8; 32], epoch: u32, clock: (Instant, SystemTime)) -> Self {
        // An HMAC takes a key of any length; the error is for ciphers.
        let mac = Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { mac, epoch, clock }
    }

    /// The hours from 1970 to now.
    pub(crate) fn hour(&self, now: Instant) -> u32 {
        let (instant, date) = self.clock;
        let before = date.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since: Duration = before + now.saturating_duration_since(instant);
        u32::try_from(since.as_secs() / 3_600).unwrap_or(u32::MAX)
    }

    /// The token as it stands in a URI. `call_id` is that of the dialog; a [`Token::Path`] has none.
    pub(crate) fn seal(&self, token: Token, call_id: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(MAX_PAYLOAD + MAC);
        match token {
            Token::Path(flow) => {
                bytes.push(PATH);
                self.write_flow(&mut bytes, flow);
            }
            Token::Dialog(DialogToken { caller_tag, caller, callee, stateless, authenticates, sealed, hosts }) => {
                let flag = |set, flag| if set { flag } else { 0 };
                let flows = flag(caller.is_some(), HAS_CALLER) | flag(callee.is_some(), HAS_CALLEE);
                bytes.push(DIALOG | flows | flag(stateless, STATELESS) | flag(authenticates, AUTHENTICATES));
                bytes.extend_from_slice(&caller_tag.to_be_bytes());
                bytes.extend_from_slice(&sealed.to_be_bytes());
                hosts.into_iter().for_each(|host| write_host(&mut bytes, host));
                [caller, callee].into_iter().flatten().for_each(|flow| self.write_flow(&mut bytes, flow));
            }
        }
        let of_call = if matches!(token, Token::Path(_)) { &[] } else { call_id };
        let tag = self.tag(&bytes, of_call);
        bytes.extend_from_slice(&tag);
        encode(&bytes)
    }

    /// Reads what [`Self::seal`] wrote.
    pub(crate) fn open(&self, text: &str, call_id: &[u8]) -> Result<Token, NoToken> {
        let bytes = decode(text).ok_or(NoToken::Other)?;
        let (payload, tag) = bytes.split_last_chunk::<MAC>().ok_or(NoToken::Other)?;
        let (&kind, rest) = payload.split_first().ok_or(NoToken::Other)?;
        let call_id = match kind & 0xf0 {
            DIALOG => call_id,
            PATH => &[],
            _ => return Err(NoToken::Other),
        };
        let mut mac = self.mac.clone();
        [payload, &[0], call_id].iter().for_each(|part| mac.update(part));
        mac.verify_truncated_left(tag).map_err(|_| NoToken::Forged)?;
        self.read(kind, rest).ok_or(NoToken::Forged)
    }

    fn read(&self, kind: u8, mut rest: &[u8]) -> Option<Token> {
        if kind == PATH {
            return self.read_flow(&mut rest).map(Token::Path);
        }
        let (caller_tag, sealed) = (u32::from_be_bytes(take(&mut rest)?), u32::from_be_bytes(take(&mut rest)?));
        let hosts = [read_host(&mut rest)?, read_host(&mut rest)?];
        let caller = if kind & HAS_CALLER != 0 { Some(self.read_flow(&mut rest)?) } else { None };
        let callee = if kind & HAS_CALLEE != 0 { Some(self.read_flow(&mut rest)?) } else { None };
        let (stateless, authenticates) = (kind & STATELESS != 0, kind & AUTHENTICATES != 0);
        Some(Token::Dialog(DialogToken { caller_tag, caller, callee, stateless, authenticates, sealed, hosts }))
    }

    fn tag(&self, payload: &[u8], call_id: &[u8]) -> [u8; MAC] {
        let mut mac = self.mac.clone();
        [payload, &[0], call_id].iter().for_each(|part| mac.update(part));
        let mut tag = [0; MAC];
        tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        tag
    }

    fn write_flow(&self, out: &mut Vec<u8>, flow: Flow) {
        let is_v6 = flow.remote.is_ipv6() || flow.local.is_ipv6();
        let connection = flow.connection;
        // Fewer than sixteen transports.
        out.push(number_of(flow.transport) | u8::from(is_v6) << 4 | u8::from(connection.is_some()) << 5);
        for address in [flow.local, flow.remote] {
            match (address.ip(), is_v6) {
                (IpAddr::V4(ip), false) => out.extend_from_slice(&ip.octets()),
                (IpAddr::V4(ip), true) => out.extend_from_slice(&ip.to_ipv6_mapped().octets()),
                (IpAddr::V6(ip), _) => out.extend_from_slice(&ip.octets()),
            }
            out.extend_from_slice(&address.port().to_be_bytes());
        }
        if let Some(connection) = connection {
            out.extend_from_slice(&self.epoch.to_be_bytes());
            out.extend_from_slice(&connection.number().to_be_bytes());
        }
    }

    fn read_flow(&self, rest: &mut &[u8]) -> Option<Flow> {
        let [head] = take(rest)?;
        let transport = TRANSPORTS.into_iter().find(|known| number_of(*known) == head & 0x0f)?;
        let mut address = || {
            let ip = if head & 0x10 != 0 {
                IpAddr::from(Ipv6Addr::from(take::<16>(rest)?)).to_canonical()
            } else {
                IpAddr::from(Ipv4Addr::from(take::<4>(rest)?))
            };
            Some(SocketAddr::new(ip, u16::from_be_bytes(take(rest)?)))
        };
        let (local, remote) = (address()?, address()?);
        let mut connection = None;
        if head & 0x20 != 0 {
            let epoch = u32::from_be_bytes(take(rest)?);
            let number = ConnectionId::from_number(u64::from_be_bytes(take(rest)?));
            connection = match (epoch == self.epoch, number.is_alone()) {
                (true, _) => Some(number),
                // It is gone with that life, and nobody listens at its other end: one that there never is.
                (false, true) => Some(ConnectionId::new(0).alone()),
                (false, false) => None,
            };
        }
        Some(Flow { transport, local, remote, connection })
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

fn write_host(out: &mut Vec<u8>, host: IpAddr) {
    match host.to_canonical() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
}

fn read_host(rest: &mut &[u8]) -> Option<IpAddr> {
    match take(rest)? {
        [4] => take::<4>(rest).map(IpAddr::from),
        [6] => take::<16>(rest).map(IpAddr::from),
        [_] => None,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*first)
}

/// The alphabet of base64url (RFC 4648 §5); without padding.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let part = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for sextet in 0..=chunk.len() {
            let digit = bits >> (18 - 6 * sextet) & 0x3f;
            text.push(char::from(ALPHABET.get(digit as usize).copied().unwrap_or_default()));
        }
    }
    text
}

/// `None` for what is no base64url, or longer than a token.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > (MAX_PAYLOAD + MAC).div_ceil(3) * 4 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for &character in chunk {
            let digit = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(digit);
        }
        bits <<= 6 * (4 - chunk.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend(decoded.into_iter().take(chunk.len().checked_sub(1).filter(|count| *count > 0)?));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u8, epoch: u32) -> TokenKey {
        TokenKey::new(&[secret; 32], epoch, (Instant::now(), UNIX_EPOCH + Duration::from_secs(3_600 * 480_000)))
    }

    fn dialog(caller: Option<Flow>, callee: Option<Flow>) -> DialogToken {
        let hosts = ["198.51.100.7", "2001:db8::7"].map(|host| host.parse().unwrap());
        let authenticates = callee.is_some();
        DialogToken { caller_tag: 0xdead_beef, caller, callee, stateless: false, authenticates, sealed: 480_000, hosts }
    }

    fn flows() -> [Flow; 4] {
        let (v4, phone) = ("192.0.2.1:5060".parse().unwrap(), "198.51.100.7:40001".parse().unwrap());
        let (v6, phone6) = ("[2001:db8::1]:5060".parse().unwrap(), "[2001:db8::7]:1".parse().unwrap());
        let by = |flow, number| Flow { connection: Some(ConnectionId::new(number)), ..flow };
        [Flow::udp(v4, phone), by(Flow::tcp(v4, phone), 7), Flow::udp(v6, phone6), by(Flow::tcp(v6, phone6), u64::MAX)]
    }

    #[test]
    fn a_token_says_what_was_put_into_it() {
        let key = key(1, 2);
        let mut tokens: Vec<_> = flows().map(Token::Path).into();
        for caller in [None].into_iter().chain(flows().map(Some)) {
            for callee in [None].into_iter().chain(flows().map(Some)) {
                let stateless = caller.is_some();
                tokens.push(Token::Dialog(DialogToken { stateless, ..dialog(caller, callee) }));
            }
        }
        for token in tokens {
            let text = key.seal(token, b"call");
            assert_eq!(key.open(&text, b"call"), Ok(token), "{text}");
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        }
    }

    #[test]
    fn a_token_that_was_changed_or_is_of_another_call_is_forged_rfc_5626_5_3_1() {
        let one = key(1, 2);
        let token = Token::Dialog(dialog(Some(flows()[0]), None));
        let text = one.seal(token, b"call");
        assert_eq!(one.open(&text, b"another"), Err(NoToken::Forged));
        assert_eq!(key(2, 2).open(&text, b"call"), Err(NoToken::Forged));
        for at in 4..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(one.open(&String::from_utf8(changed).unwrap(), b"call"), Err(NoToken::Forged), "{at}");
        }
        let path = one.seal(Token::Path(flows()[0]), &[]);
        assert_eq!(one.open(&path, b"whatever"), Ok(Token::Path(flows()[0])));
    }

    #[test]
    fn what_is_no_token_is_a_user_like_any_other() {
        for text in ["", "alice", "a", "%41", "100", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(4_096)] {
            assert_eq!(key(1, 1).open(text, b"c"), Err(NoToken::Other), "{text}");
        }
    }

    #[test]
    fn a_connection_is_not_known_in_another_life_of_the_server() {
        let flow = flows()[1];
        let text = key(1, 1).seal(Token::Path(flow), &[]);
        assert_eq!(key(1, 2).open(&text, &[]), Ok(Token::Path(Flow { connection: None, ..flow })));
        // One in whose place no other is taken does not become any to that address.
        let alone = Flow { connection: flow.connection.map(ConnectionId::alone), ..flow };
        let text = key(1, 1).seal(Token::Path(alone), &[]);
        assert_eq!(key(1, 1).open(&text, &[]), Ok(Token::Path(alone)));
        let gone = Some(ConnectionId::new(0).alone());
        assert_eq!(key(1, 2).open(&text, &[]), Ok(Token::Path(Flow { connection: gone, ..flow })));
    }

    #[test]
    fn a_token_is_in_time_for_a_week_from_when_it_was_made() {
        let (key, token) = (key(1, 1), dialog(None, None));
        let (start, hour) = (key.clock.0, Duration::from_secs(3_600));
        assert_eq!(key.hour(start), 480_000);
        assert_eq!(key.hour(start + 3 * hour), 480_003);
        let in_time = |hour| token.is_in_time(hour);
        assert_eq!([479_000, 480_000, 480_168, 480_169].map(in_time), [true, true, true, false]);
    }

    #[test]
    fn a_request_goes_on_to_the_end_that_has_not_sent_it() {
        let [caller, callee, ..] = flows().map(Some);
        let caller_tag = DialogToken::tag_hash(Some("a"));
        let token = DialogToken { caller_tag, ..dialog(caller, callee) };
        assert_eq!((token.onward(Some("a")), token.onward(Some("b"))), (callee, caller));
    }
}
