//! URIs, hosts and addresses.

use blether_sip_core::{AddressOfRecord, Host, SipUri, Uri};

use super::header;

/// A URI that is read is written as one that reads the same, and is equivalent to itself.
pub(crate) fn uri(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(uri) = text.parse::<Uri>() {
        let line = uri.to_string();
        assert!(!line.contains(|c: char| c.is_control() || c == ' '), "{text:?} was written as {line:?}");
        assert_eq!(line.parse::<Uri>().as_ref(), Ok(&uri), "{text:?} was written as {line:?}");
        if let Some(uri) = uri.as_sip() {
            sip(uri);
        }
    }
    if let Some(host) = Host::parse(&text) {
        assert_eq!(Host::parse(&host.to_string()), Some(host));
    }
    header::address(&text);
}

fn sip(uri: &SipUri) {
    assert!(uri.equivalent(uri), "{uri}");
    // What it means does not depend on how its escapes are written.
    let shouted: String = uri.to_string();
    if let Some(other) = upper_case_escapes(&shouted) {
        let other: SipUri = other.parse().unwrap();
        assert!(uri.equivalent(&other) && other.equivalent(uri), "{uri} and {other}");
    }
    if let Some(aor) = AddressOfRecord::from_uri(uri) {
        let line = aor.to_string();
        let again: SipUri = line.parse().unwrap();
        assert_eq!(AddressOfRecord::from_uri(&again), Some(aor), "{uri} was written as {line}");
    }
    assert!(uri.socket_addr().is_none_or(|addr| uri.host.ip() == Some(addr.ip())));
}

/// The text with its escapes in capitals; `None` if it has none.
fn upper_case_escapes(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    let before = out.len();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2)?;
        out.push('%');
        out.push_str(&escape.to_ascii_uppercase());
        out.push_str(rest);
    }
    (out.len() > before).then_some(out)
}
