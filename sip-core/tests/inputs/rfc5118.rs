//! The IPv6 torture messages of RFC 5118, each by its name in the RFC: the file, whether it is taken, what it says, and what is answered.

use std::net::Ipv6Addr;

use blether_sip_core::AnomalyKind::{self, SurplusBytes, ThreeColons};
use blether_sip_core::ParseErrorKind::{BodyTruncated, RequestUri};
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{Contact, Host, Limits, Message, Uri, UriError, Via};

use crate::torture::Tolerant::{Refuses, Takes};
use crate::torture::{self, Octets, Strict, cases, request};

cases! { "rfc5118"
    /// §4.1: an IPv6 reference in Request-URI, Via and Contact.
    ipv6_good "ipv6-good.dat": Octets { len: 303, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!((host(request(message).uri()), port(request(message).uri())), (v6("2001:db8::10"), None));
            assert_eq!((&message.via().host, message.via().port), (&v6("2001:db8::9:1"), None));
            let contact = message.headers().get::<Contact>().unwrap().unwrap();
            let address = contact.address().unwrap();
            assert_eq!((address.display_name.as_deref(), host(&address.uri)), (Some("Caller"), v6("2001:db8::1")));
        },
    };
    /// §4.2: an IPv6 address without its brackets in the Request-URI.
    ipv6_bad "ipv6-bad.dat": Octets { len: 301, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(RequestUri { error: UriError::HostPort, column: Some(5) }, Some(400));
    /// §4.3: what was meant as a port, within the brackets: a part of the address.
    port_ambiguous "port-ambiguous.dat": Octets { len: 308, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let uri = request(message).uri();
            assert_eq!((host(uri), port(uri)), (v6("2001:db8::10:5070"), None));
        },
    };
    /// §4.4: a port outside the brackets.
    port_unambiguous "port-unambiguous.dat": Octets { len: 308, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let uri = request(message).uri();
            assert_eq!((host(uri), port(uri)), (v6("2001:db8::10"), Some(5070)));
        },
    };
    /// §4.5: brackets around the address in `received`, which the grammar of RFC 3261 does not have and every parser must take. (By the letter
    /// of the grammar the parameter could be a `via-extension`, and the RFC calls it invalid all the same.)
    via_received_param_with_delim "via-received-param-with-delim.dat":
        Octets { len: 283, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[AnomalyKind::Received]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!(message.via().host, v6("2001:db8::9:1"));
            assert_eq!(message.via().received(), Some(address("2001:db8::9:255").into()));
            assert_eq!(message.via().branch(), Some("z9hG4bKas3-111"));
        },
    };
    /// §4.5: the same without brackets, as we write it.
    via_received_param_no_delim "via-received-param-no-delim.dat":
        Octets { len: 317, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let mut via = message.via().clone();
            assert_eq!(via.received(), Some(address("2001:db8::9:255").into()));
            via.set_received(address("2001:db8::9:256").into());
            assert_eq!(via.params.to_string(), ";received=2001:db8::9:256;branch=z9hG4bKas3");
        },
    };
    /// §4.6: IPv6 addresses in the session description. The RFC calls the message valid, and it is not: its Content-Length is 268 and its
    /// body 251 bytes long, so it is cut short (RFC 3261 §18.3). [`ipv6_in_sdp_with_its_length`] is what was meant.
    ipv6_in_sdp "ipv6-in-sdp.dat": Octets { len: 590, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(BodyTruncated { announced: 268, received: 251 }, Some(400));
    /// §4.7: IPv4 and IPv6 addresses in Via.
    mult_ip_in_header "mult-ip-in-header.dat": Octets { len: 397, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let vias = message.headers().all::<Via>().unwrap();
            let hops: Vec<_> = vias.iter().map(|via| (via.host.clone(), via.port)).collect();
            let v4 = Host::V4([192, 0, 2, 1].into());
            assert_eq!(hops, [(v6("2001:db8::9:1"), Some(6050)), (v4, None), (v6("2001:db8::9:255"), None)]);
            assert_eq!(vias[2].received(), Some([192, 0, 2, 200].into()));
        },
    };
    /// §4.8: IPv4 and IPv6 addresses in the session description. The Content-Length is too small by 8, so that the last attribute is cut
    /// off in the middle; see [`mult_ip_in_sdp_with_its_length`].
    mult_ip_in_sdp "mult-ip-in-sdp.dat": Octets { len: 530, nul: 0, eight_bit: 0 }, Strict::TakesWith(&[SurplusBytes(8)]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!(message.body().len(), 181);
            mult_ip_in_sdp_reads(message);
        },
    };
    /// §4.9: IPv4-mapped IPv6 addresses. The Content-Length is too small by 9: it counts line ends as one byte; see
    /// [`ipv4_mapped_ipv6_with_its_length`].
    ipv4_mapped_ipv6 "ipv4-mapped-ipv6.dat": Octets { len: 657, nul: 0, eight_bit: 0 }, Strict::TakesWith(&[SurplusBytes(9)]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!(message.body().len(), 236);
            ipv4_mapped_ipv6_reads(message);
        },
    };
    /// §4.10: a colon too many in the Request-URI and in To, as the grammar of RFC 3261 has it by mistake and every parser must take. Valid when
    /// the RFC was written, it is not since RFC 5954 §4.1.
    ipv6_bug_abnf_3_colons "ipv6-bug-abnf-3-colons.dat":
        Octets { len: 282, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[ThreeColons, ThreeColons]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!(host(request(message).uri()), v6("2001:db8::192.0.2.1"));
            assert_eq!(host(&message.to().uri), v6("2001:db8::192.0.2.1"));
            // Written anew, it has the colons that it should.
            assert_eq!(message.to().uri.to_string().matches(":::").count(), 0);
        },
    };
    /// §4.10: the same as it should be.
    ipv6_correct_abnf_2_colons "ipv6-correct-abnf-2-colons.dat":
        Octets { len: 280, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| assert_eq!(host(request(message).uri()), v6("2001:db8::192.0.2.1")),
    };
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Host {
    Host::V6(address(text))
}

fn host(uri: &Uri) -> Host {
    uri.as_sip().unwrap().host.clone()
}

fn port(uri: &Uri) -> Option<u16> {
    uri.as_sip().unwrap().port
}

fn mult_ip_in_sdp_reads(message: &Message) {
    assert_eq!(host(&message.to().uri), v6("2001:db8::10"));
    let sdp = SessionDescription::parse(message.body()).unwrap();
    let addresses: Vec<_> = sdp.media.iter().map(|media| media.connection().unwrap().ip()).collect();
    assert_eq!(addresses, [Some([192, 0, 2, 1].into()), Some(address("2001:db8::1").into())]);
    assert_eq!(sdp.connection(), None);
}

fn ipv4_mapped_ipv6_reads(message: &Message) {
    let mapped = address("::ffff:192.0.2.2");
    let vias = message.headers().all::<Via>().unwrap();
    let hops: Vec<_> = vias.iter().map(|via| (via.host.clone(), via.port)).collect();
    assert_eq!(hops, [(v6("::ffff:192.0.2.10"), Some(19823)), (Host::V6(mapped), None)]);
    let contact = message.headers().get::<Contact>().unwrap().unwrap();
    assert_eq!(host(&contact.address().unwrap().uri), Host::V6(mapped));
    let sdp = SessionDescription::parse(message.body()).unwrap();
    assert_eq!(
        (sdp.origin.address.as_str(), sdp.connection().unwrap().ip()),
        ("::ffff:192.0.2.2", Some(mapped.into()))
    );
}

/// The message with the Content-Length of the body that it has.
fn with_its_length(bytes: &[u8], printed: usize) -> Message {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let mended =
        text.replace(&format!("Content-Length: {printed}\r\n"), &format!("Content-Length: {}\r\n", body.len()));
    assert_ne!(text, mended);
    let message = Message::parse(mended.into(), &Limits::default()).unwrap();
    assert_eq!(message.body(), body);
    message
}

#[test]
fn ipv6_in_sdp_with_its_length() {
    let message = with_its_length(include_bytes!("../rfc5118/ipv6-in-sdp.dat"), 268);
    let sdp = SessionDescription::parse(message.body()).unwrap();
    assert_eq!(sdp.connection().unwrap().ip(), Some(address("2001:db8::20").into()));
    assert_eq!((sdp.origin.address.as_str(), sdp.media.len()), ("2001:db8::20", 2));
    assert_eq!(sdp.media[1].rtpmap(107).unwrap().encoding.as_ref(), "H263-1998");
}

#[test]
fn mult_ip_in_sdp_with_its_length() {
    let message = with_its_length(include_bytes!("../rfc5118/mult-ip-in-sdp.dat"), 181);
    mult_ip_in_sdp_reads(&message);
    let sdp = SessionDescription::parse(message.body()).unwrap();
    assert_eq!(sdp.media[1].rtpmap(107).unwrap().clock_rate, 90_000);
}

#[test]
fn ipv4_mapped_ipv6_with_its_length() {
    let message = with_its_length(include_bytes!("../rfc5118/ipv4-mapped-ipv6.dat"), 236);
    ipv4_mapped_ipv6_reads(&message);
    let sdp = SessionDescription::parse(message.body()).unwrap();
    assert_eq!(sdp.media[1].rtpmap(107).unwrap().clock_rate, 90_000);
}

/// The RFC has 12 messages.
#[test]
fn all_messages_are_tested() {
    torture::is_complete("rfc5118", &[CASES], 12);
}
