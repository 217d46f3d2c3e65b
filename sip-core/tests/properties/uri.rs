//! URIs, hosts and addresses.

use blether_sip_core::{AddressOfRecord, Host, SipUri, TelUri, Uri};

use super::header;

/// A URI that is read is written as one that reads the same, and means what it means in any spelling.
///
/// Of an input with line breaks each line is a URI, and whether two are equivalent does not depend on which is asked first.
pub(crate) fn uri(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    one(&text);
    let uris: Vec<Uri> = text.lines().skip(usize::from(!text.contains('\n'))).filter_map(one).collect();
    for (a, b) in uris.iter().zip(uris.iter().skip(1)) {
        assert_eq!(a.equivalent(b), b.equivalent(a), "{a} and {b}");
        assert_eq!(a.equivalent(b), a.equivalent(&b.normalised()), "{a} and {b}");
        if let (Some(a), Some(b)) = (a.as_tel(), b.as_tel()) {
            assert_eq!(a.equivalent(b), a.normalised() == b.normalised(), "{a} and {b}");
        }
    }
}

fn one(text: &str) -> Option<Uri> {
    let uri: Option<Uri> = text.parse().ok();
    if let Some(uri) = &uri {
        let line = written(uri, text);
        let normal = uri.normalised();
        written(&normal, &line);
        assert!(uri.equivalent(uri) && uri.equivalent(&normal) && normal.equivalent(uri), "{uri} and {normal}");
        assert_eq!(normal.normalised(), normal, "{uri}");
        assert!(line.starts_with(uri.scheme()) && normal.scheme().eq_ignore_ascii_case(uri.scheme()), "{uri}");
        match uri {
            Uri::Sip(uri) => sip(uri),
            Uri::Tel(uri) => tel(uri),
            Uri::Other(_) => {}
        }
    }
    if let Ok(host) = text.parse::<Host>() {
        assert_eq!(host.to_string().parse(), Ok(host));
    }
    header::address(text);
    uri
}

/// What is written of a URI that was read from `text`.
fn written(uri: &Uri, text: &str) -> String {
    let line = uri.to_string();
    assert!(!line.contains(|c: char| c.is_control() || c == ' '), "{text:?} was written as {line:?}");
    assert_eq!(line.parse().as_ref(), Ok(uri), "{text:?} was written as {line:?}");
    line
}

fn sip(uri: &SipUri) {
    // What it means does not depend on how its escapes are written.
    let shouted: String = uri.to_string();
    if let Some(other) = upper_case_escapes(&shouted) {
        let other: SipUri = other.parse().unwrap();
        assert!(uri.equivalent(&other) && other.equivalent(uri), "{uri} and {other}");
    }
    if let Ok(aor) = AddressOfRecord::from_uri(uri) {
        let line = aor.to_string();
        let again: SipUri = line.parse().unwrap();
        assert_eq!(AddressOfRecord::from_uri(&again), Ok(aor), "{uri} was written as {line}");
    }
    assert!(uri.socket_addr().is_none_or(|addr| uri.host.ip() == Some(addr.ip())));
    let normal = uri.normalised();
    assert_eq!((uri.transport(), uri.maddr(), uri.ttl()), (normal.transport(), normal.maddr(), normal.ttl()), "{uri}");
    assert_eq!((uri.method(), uri.cause(), uri.gruu()), (normal.method(), normal.cause(), normal.gruu()), "{uri}");
    assert_eq!((uri.is_loose_router(), uri.is_outbound()), (normal.is_loose_router(), normal.is_outbound()), "{uri}");
    if let Some(number) = uri.to_tel() {
        tel(&number);
    }
}

/// A number is the same number as the user of a SIP URI, and has one form.
fn tel(uri: &TelUri) {
    let sip = uri.to_sip("example.com".parse().unwrap());
    assert_eq!(sip.to_string().parse().as_ref(), Ok(&sip), "{uri}");
    let back = sip.to_tel().unwrap_or_else(|| panic!("{uri} became {sip}"));
    assert!(back.equivalent(uri) && uri.equivalent(&back), "{uri} became {sip}");
    assert_eq!(back.normalised(), uri.normalised(), "{uri} became {sip}");
    assert!(uri.number().len() >= uri.digits().len() && uri.digits().starts_with('+') == uri.is_global(), "{uri}");
    let domain = uri.enum_domain();
    assert!(domain.is_none_or(|domain| domain.len() == 2 * (uri.digits().len() - 1) + "e164.arpa.".len()), "{uri}");
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
