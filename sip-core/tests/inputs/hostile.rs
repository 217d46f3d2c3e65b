//! Messages and session descriptions made to be expensive: the work must not grow faster than their length.
//!
//! Each is read with limits that let all of it through. One that took quadratic time would need minutes where all take seconds.

use blether_sip_core::sdp::attribute::{
    Candidate, Content, Crypto, Fingerprint, Fmtp, Group, IceOptions, Mid, RemoteCandidates, Rid, Simulcast,
    SourceFilter, Ssrc, SsrcGroup,
};
use blether_sip_core::sdp::{SdpLimits, SessionDescription};
use blether_sip_core::{Allow, Contact, HeaderName, Message, Route, SipUri, Supported, Uri, Via, Warning};

use crate::expensive::{message_with, wide_open};

const LENGTH: usize = 200_000;

/// Reads a message with the header, and the header in all the ways there are.
fn check(start: &str, repeated: &str) {
    let bytes = message_with(&format!("{start}{}", repeated.repeat(LENGTH / repeated.len())));
    let message = match Message::parse(bytes, &wide_open()) {
        Ok(message) => message,
        Err(error) => {
            let reply = error.reply("192.0.2.1:5060".parse().unwrap());
            assert!(reply.is_none_or(|reply| reply.len() < 8_192), "{start}");
            return;
        }
    };
    assert!(!message.anomalies().is_empty());
    let headers = message.headers();
    let _ = (headers.all::<Via>(), headers.all::<Route>(), headers.all::<Contact>(), headers.all::<Warning>());
    let _ = (headers.get::<Allow>(), headers.get::<Supported>(), headers.raw(&HeaderName::Subject));
    let Message::Request(mut request) = message else { return };
    request.push_via(Via::new("UDP", "192.0.2.1".parse().unwrap(), None, "z9hG4bK2"));
    while request.via().branch() == Some("z9hG4bK2") {
        request.pop_via();
    }
    assert!(request.to_bytes().len() > LENGTH);
}

#[test]
fn one_endless_list_takes_linear_time() {
    for header in ["Via", "Route", "Contact", "Warning", "Allow", "Supported"] {
        for repeated in
            [",", "a,", "<sip:a@b>,", "SIP/2.0/UDP a,", "\"", "\",\"", "<", "<,", "><", "\\", "\"\\", "\r\n ,", " "]
        {
            check(&format!("{header}: x, "), repeated);
        }
    }
}

#[test]
fn one_endless_value_takes_linear_time() {
    for header in ["Contact: <sip:a@b>", "Via: SIP/2.0/UDP a", "Subject: ", "Retry-After: 1 ", "Max-Forwards: 7"] {
        for repeated in [";a=b", ";a=\"b\"", ";", "(", "\r\n\t", "9", "%", "%41", "@", ":", "&a=b"] {
            check(header, repeated);
        }
    }
}

#[test]
fn endless_rows_take_linear_time() {
    for row in
        ["\r\nVia: SIP/2.0/UDP a", "\r\nX: y", "\r\nAllow: A", "\r\nv:a,b", "\r\n:", "\r", "\n", "\r\nA\r\n B: c"]
    {
        check("X: y", row);
    }
}

/// What is looked at in strict reading alone.
#[test]
fn endless_deviations_take_linear_time() {
    for start in [
        "X: y\r\nContact: *",
        "User-Agent: a",
        "Accept: a/b",
        "Refer-To: <sip:a@b",
        "Authorization: Digest a=b",
        "X: y",
    ] {
        for repeated in [
            ";a",
            ",*",
            ",",
            " (",
            " a/b",
            " ()",
            ",a=\"b\"",
            ",a=",
            "\r\nSubject: a",
            "\r\nExpires: x",
            "\r\nContact: *",
            "\r\nAccept: ,",
            "\r\nUser-Agent: (",
            "\r\nP-Asserted-Identity: <sip:a@b;x;x>",
        ] {
            check(start, repeated);
        }
    }
}

#[test]
fn a_request_uri_has_few_parameters_to_compare() {
    let uri =
        |count| format!("sip:a@b{}", (0..count).map(|n| format!(";p{n}=1")).collect::<String>()).parse::<SipUri>();
    assert!(uri(64).is_ok_and(|uri| uri.equivalent(&uri)));
    assert!(uri(65).is_err());
}

#[test]
fn one_endless_uri_takes_linear_time() {
    let starts =
        ["sip:", "sip:a@b;x=", "sip:a@b?x=", "sip:[", "tel:", "tel:+1;x=", "tel:1;phone-context=", "urn:", "http://"];
    let all = ["%25", "%41", ";a", ";a=b", "[", ":", ":::", "1", "-", "a", "a.", "&a=b", "#", "?", "@", "%", "{"];
    for (start, repeated) in starts.iter().flat_map(|start| all.map(|repeated| (start, repeated))) {
        let text = format!("{start}{}", repeated.repeat(LENGTH / repeated.len()));
        for end in ["", "@b", "]", ".com", ";a=b"] {
            let Ok(uri) = format!("{text}{end}").parse::<Uri>() else { continue };
            let normal = uri.normalised();
            assert!(uri.equivalent(&normal) && normal.to_string().len() <= 8 * LENGTH, "{start} {repeated}");
            if let Some(tel) = uri.as_tel() {
                let sip = tel.to_sip("b".parse().unwrap());
                assert!(sip.to_tel().is_some_and(|back| back.equivalent(tel)), "{start} {repeated}");
            }
        }
    }
}

/// Reads a description whose stream ends in the text, its attributes by their types, and changes one of each type.
fn check_description(start: &str, repeated: &str) {
    macro_rules! types {
        ($media:ident: $($name:ident)*) => {
            $(if let Some(first) = $media.all::<$name>().last() {
                $media.set(&first);
            })*
        };
    }
    let limits =
        SdpLimits { max_size: usize::MAX, max_lines: usize::MAX, max_media: usize::MAX, max_formats: usize::MAX };
    let tail = repeated.repeat(LENGTH / repeated.len());
    let text = format!("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n{start}{tail}");
    let Ok(mut description) = SessionDescription::parse_within(&text, &limits) else { return };
    assert_eq!(description.to_string(), text);
    let _ = (description.times(), description.bandwidths().count());
    let Some(media) = description.media.last_mut() else { return };
    let _ = (media.rtpmap(0), media.fmtp(0), media.connections(), media.bandwidths().count());
    if let Some(mut fmtp) = media.parameters(96) {
        let _ = (fmtp.iter().count(), fmtp.telephone_events(), fmtp.remove("a"));
        fmtp.set("b", Some("1"));
        assert!(media.replace(&fmtp, |old: &Fmtp| old.format == fmtp.format));
    }
    types!(media: Candidate Content Crypto Fingerprint Group IceOptions Mid RemoteCandidates Rid Simulcast SourceFilter Ssrc SsrcGroup);
    let changed = description.to_string();
    assert_eq!(SessionDescription::parse_within(&changed, &limits).unwrap().to_string(), changed);
}

#[test]
fn endless_session_descriptions_take_linear_time() {
    for (start, repeated) in [
        ("a=candidate:1 1 UDP 1 a 9 typ host", " a b"),
        ("a=candidate:1 1 UDP 1 a 9 typ host", " raddr a"),
        ("a=content:a", ",a"),
        ("a=crypto:1 A inline:a", ";inline:a"),
        ("a=crypto:1 A inline:a", " ;"),
        ("a=fingerprint:sha-1 00", ":00"),
        ("a=fmtp:96 a=1", ";a=1"),
        ("a=fmtp:96 0", ",0"),
        ("a=group:LS", " a"),
        ("a=ice-options:a", " a"),
        ("a=mid:", " "),
        ("a=remote-candidates:1 a 1", " 1 a 1"),
        ("a=rid:1 send a", ";a=1"),
        ("a=rid:1 send pt=1", ",1"),
        ("a=simulcast:send 1", ";1"),
        ("a=simulcast:send 1", ",~1"),
        ("a=source-filter:incl IN IP4 * a", " a"),
        ("a=ssrc:1 a", ":"),
        ("a=ssrc-group:FID", " 1"),
        ("a=x\r\n", "a=mid:a\r\n"),
        ("a=x\r\n", "b=AS:1\r\n"),
        ("a=x\r\n", "c=IN IP4 a\r\n"),
        ("a=x\r\n", "\r\n"),
        ("m=audio 1 RTP/AVP 0", " 0"),
        ("", "m=audio 1 RTP/AVP 0\r\n"),
        ("a=x", "="),
    ] {
        check_description(start, repeated);
    }
}
