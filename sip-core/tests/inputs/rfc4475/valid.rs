//! Valid messages (RFC 4475 §3.1.1): each is taken, and each thing that the RFC points at reads as it says.

use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{AnomalyKind, Contact, ContentType, Date, HeaderName, Method, Route, Via};

use super::response;
use crate::torture::Tolerant::Takes;
use crate::torture::{Octets, Strict, cases, request};

cases! { "rfc4475"
    /// §3.1.1.1: a short tortuous INVITE.
    wsinv "wsinv.dat": Octets { len: 1001, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            assert_eq!(request.method(), &Method::Invite);
            assert_eq!(request.uri().as_sip().unwrap().params.get("unknownparam"), Some(None));
            // Folding all over, white space around separators, leading zeros.
            assert_eq!(request.to().tag(), Some("1918181833n"));
            assert_eq!(request.from().display_name.as_deref(), Some(r#"J Rosenberg \""#));
            assert_eq!(request.from().tag(), Some("98asjd8"));
            assert_eq!((request.max_forwards(), request.cseq().number), (Some(68), 9));
            assert_eq!(request.headers().raw(&HeaderName::CSeq), Some("0009 INVITE"));
            // Rows and commas, long names and short.
            let vias = request.headers().all::<Via>().unwrap();
            let hops: Vec<_> = vias.iter().map(|via| (&*via.transport, via.host.to_string(), via.branch())).collect();
            assert_eq!(hops, [
                ("UDP", "192.0.2.2".to_owned(), Some("390skdjuw")),
                ("TCP", "spindle.example.com".to_owned(), Some("z9hG4bK9ikj8")),
                ("UDP", "192.168.255.111".to_owned(), Some("z9hG4bK30239")),
            ]);
            assert_eq!(request.headers().raw(&HeaderName::Subject), Some(""));
            let raw = |name: &str| request.headers().raw(&name.parse::<HeaderName>().unwrap()).unwrap();
            assert_eq!(raw("NewFangledHeader"), "newfangled value continued newfangled value");
            assert_eq!(raw("UnknownHeaderWithUnusualValue"), ";;,,;;,;");
            let Route(route) = request.headers().get().unwrap().unwrap();
            let params: Vec<_> = route.uri.as_sip().unwrap().params.iter().collect();
            assert_eq!(params, [("lr", None), ("unknownwith", Some("value")), ("unknown-no-value", None)]);
            let contact = request.headers().get::<Contact>().unwrap().unwrap();
            assert_eq!(contact.q(), 330);
            let address = contact.address().unwrap();
            assert_eq!(address.display_name.as_deref(), Some(r#"Quoted string """#));
            assert_eq!((address.params.value("newparam"), address.params.get("secondparam")), (Some("newvalue"), Some(None)));
            let sdp = SessionDescription::parse(request.body()).unwrap();
            // The attribute has no clock rate, so it is no rtpmap (RFC 8866 §6.6), and stays what it is.
            assert_eq!((sdp.media.len(), sdp.media[1].rtpmap(31)), (2, None));
            assert_eq!(sdp.media[1].attribute("rtpmap").unwrap().value, Some("31 LPC"));
        },
    };
    /// §3.1.1.2: a wide range of valid characters.
    intmeth "intmeth.dat": Octets { len: 641, nul: 1, eight_bit: 32 }, Strict::Takes, Takes {
        user_agent: "501 Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, REGISTER",
        // Or a 404, which is a matter of what the proxy has been told of this URI.
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            let method = "!interesting-Method0123456789_*+`.%indeed'~";
            assert_eq!((request.method().as_str(), request.cseq().method.as_str()), (method, method));
            let uri = request.uri().as_sip().unwrap();
            assert_eq!(uri.user.as_deref(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
            assert_eq!(uri.password.as_deref(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
            assert_eq!(request.via().branch(), Some("z9hG4bK-.!%66*_+`'~"));
            // Quoted pairs, of a NUL too.
            assert_eq!(request.to().display_name.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
            let user = &request.to().uri.as_sip().unwrap().user;
            assert_eq!(user.as_deref(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
            assert_eq!(request.from().display_name.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
            assert_eq!(request.from().params.value("fromParam''~+*_!.-%"), Some("работающий"));
            assert_eq!(request.from().tag(), Some("_token~1'+`*%!-."));
            assert_eq!(request.call_id().as_str(), r#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#);
            assert_eq!((request.cseq().number, request.max_forwards()), (139_122_385, Some(255)));
            let extension = "extensionHeader-!.%*+_`'~".parse::<HeaderName>().unwrap();
            assert_eq!(request.headers().raw(&extension), Some("\u{feff}大停電"));
        },
    };
    /// §3.1.1.3: valid use of the `%` escape.
    esc01 "esc01.dat": Octets { len: 543, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            let uri = request.uri().as_sip().unwrap();
            assert_eq!((uri.secure, uri.user_decoded().as_deref()), (false, Some("sips:user@example.com")));
            assert_eq!(uri.host.to_string(), "example.net");
            assert_eq!(request.to().uri.as_sip().unwrap().user_decoded().as_deref(), Some("user"));
            let plain = "sip:user@example.com".parse().unwrap();
            assert!(request.to().uri.as_sip().unwrap().equivalent(&plain));
            let from = request.from().uri.as_sip().unwrap();
            assert_eq!(from.user_decoded().as_deref(), Some("I have spaces"));
            let contact = request.headers().get::<Contact>().unwrap().unwrap();
            let contact = contact.address().unwrap().uri.as_sip().unwrap().clone();
            // As written: `lr`, and `name` with the value `value%41`, which is not `valueA`.
            assert_eq!((contact.params.get("%6C%72"), contact.params.value("n%61me")), (Some(None), Some("v%61lue%25%34%31")));
            let same = |text: &str| contact.equivalent(&text.parse().unwrap());
            assert!(same("sip:caller@host5.example.net;lr;name=value%2541"));
            assert!(!same("sip:caller@host5.example.net;lr;name=valueA"));
        },
    };
    /// §3.1.1.4: escaped NULs in URIs.
    escnull "escnull.dat": Octets { len: 359, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            assert_eq!(request.to().uri.as_sip().unwrap().user_decoded().as_deref(), Some("null-\0-null"));
            let contacts = request.headers().all::<Contact>().unwrap();
            let contacts: Vec<_> = contacts.iter().map(|it| it.address().unwrap().uri.as_sip().unwrap()).collect();
            let users: Vec<_> = contacts.iter().map(|uri| uri.user_decoded().unwrap()).collect();
            assert_eq!(users, ["\0", "\0\0"]);
            assert!(!contacts[0].equivalent(contacts[1]));
        },
    };
    /// §3.1.1.5: `%` where it is no escape.
    esc02 "esc02.dat": Octets { len: 439, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "501 Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, REGISTER",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            assert_eq!(request.method(), &Method::Extension("RE%47IST%45R".into()));
            assert_ne!(request.method(), &Method::Register);
            assert_eq!(request.to().display_name.as_deref(), Some("%Z%45"));
            assert_eq!(request.from().display_name.as_deref(), Some("%Z%45"));
            assert_eq!(request.via().branch(), Some("z9hG4bK209%fzsnel234"));
            assert_eq!(request.headers().all::<Contact>().unwrap().len(), 2);
            let other = "C%6Fntact".parse::<HeaderName>().unwrap();
            assert_eq!(request.headers().raw(&other), Some("<sip:alias2@host2.example.com>"));
        },
    };
    /// §3.1.1.6: no white space between display name and `<`, which the grammar of RFC 3261 forgot to allow: no deviation.
    lwsdisp "lwsdisp.dat": Octets { len: 255, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let from = request(message).from();
            assert_eq!((from.display_name.as_deref(), from.uri.to_string()), (Some("caller"), "sip:caller@example.com".into()));
            assert_eq!(from.tag(), Some("323"));
        },
    };
    /// §3.1.1.7: long values in header fields. The topmost Via has no branch, which RFC 3261 §8.1.1.7 asks for; yet the RFC calls the request
    /// well-formed, since the grammar lets the branch be absent for the sake of RFC 2543 (RFC 3261 §20.42). Nor does the port in the To make it
    /// invalid, which RFC 3261 §19.1.1 does not allow there and wants to be ignored.
    longreq "longreq.dat": Octets { len: 3515, nul: 0, eight_bit: 0 }, Strict::TakesWith(&[AnomalyKind::UriComponent("port"), AnomalyKind::NoBranch]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            let to = request.to();
            let name = format!("I have a user name of {} proportion", "extreme".repeat(10));
            assert_eq!(to.display_name.as_deref(), Some(name.as_str()));
            let uri = to.uri.as_sip().unwrap();
            assert_eq!(uri.port, Some(6000));
            assert_eq!(uri.params.value("unknownparam1"), Some(format!("very{}value", "long".repeat(20)).as_str()));
            assert_eq!(uri.params.value(&format!("longparam{}", "name".repeat(25))), Some("shortvalue"));
            assert_eq!(uri.params.get(&format!("very{}ParameterNameWithNoValue", "long".repeat(25))), Some(None));
            let from = request.from();
            assert_eq!(from.tag(), Some(format!("12{}424", "982".repeat(50)).as_str()));
            let user = "amazinglylongcallername".repeat(5);
            assert_eq!(from.uri.as_sip().unwrap().user.as_deref(), Some(user.as_str()));
            let value = format!("unknowheaderparam{}", "value".repeat(15));
            assert_eq!(from.params.value(&format!("unknownheaderparam{}", "name".repeat(20))), Some(value.as_str()));
            assert_eq!(from.params.get(&format!("unknownValueless{}", "paramname".repeat(10))), Some(None));
            assert_eq!(request.call_id().as_str(), format!("longreq.one{}longcallid", "really".repeat(20)));
            let vias = request.headers().all::<Via>().unwrap();
            assert_eq!(vias.len(), 34);
            for (via, number) in vias.iter().zip((1..34).rev()) {
                assert_eq!((via.host.to_string(), via.branch()), (format!("sip{number}.example.com"), None));
            }
            assert_eq!(vias[33].received(), Some([192, 0, 2, 5].into()));
            assert_eq!(vias[33].branch(), Some(format!("very{}branchvalue", "long".repeat(50)).as_str()));
            let long = "Long".repeat(20);
            let low = long.to_lowercase();
            let unknown = format!("unknown-{low}-value; unknown-{low}-parameter-name = unknown-{low}-parameter-value");
            assert_eq!(request.headers().raw(&format!("Unknown-{long}-Name").parse::<HeaderName>().unwrap()), Some(unknown.as_str()));
        },
    };
    /// §3.1.1.8: octets behind the message in its datagram, which are noise even though they look like an INVITE. The message is valid.
    dblreq "dblreq.dat": Octets { len: 750, nul: 0, eight_bit: 0 }, Strict::TakesWith(&[AnomalyKind::SurplusBytes(450)]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            assert_eq!((request.method(), request.body().len()), (&Method::Register, 0));
            assert_eq!(request.to_bytes().len(), 300);
            let contact = request.headers().get::<Contact>().unwrap().unwrap();
            assert_eq!(contact.address().unwrap().uri.to_string(), "sip:j.user@host.example.com");
        },
    };
    /// §3.1.1.9: a parameter within the user of a URI.
    semiuri "semiuri.dat": Octets { len: 380, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let uri = request(message).uri().as_sip().unwrap();
            assert_eq!(uri.user_decoded().as_deref(), Some("user;par=u@example.net"));
            assert_eq!((uri.host.to_string().as_str(), uri.params.is_empty()), ("example.com", true));
            let accept = message.headers().raw(&HeaderName::Accept);
            let types = "application/sdp, application/pkcs7-mime, multipart/mixed, multipart/signed, message/sip, message/sipfrag";
            assert_eq!(accept, Some(types));
        },
    };
    /// §3.1.1.10: varied and unknown transports.
    transports "transports.dat": Octets { len: 503, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let vias = message.headers().all::<Via>().unwrap();
            let transports: Vec<_> = vias.iter().map(|via| via.transport.as_str()).collect();
            assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
            assert_eq!(vias[3].branch(), Some("z9hG4bKasd0f3en"));
        },
    };
    /// §3.1.1.11: a multipart body, one part of which is binary.
    mpart01 "mpart01.dat": Octets { len: 1290, nul: 2, eight_bit: 89 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            assert_eq!((request.method(), request.body().len()), (&Method::Message, 553));
            assert!(request.body().starts_with(b"--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n"));
            assert!(request.body().ends_with(b"\r\n--7a9cbec02ceef655--\r\n"));
            assert_eq!(request.body().iter().filter(|byte| **byte == 0).count(), 2);
            let kind = request.headers().get::<ContentType>().unwrap().unwrap();
            assert_eq!(kind.essence(), "multipart/mixed");
            assert_eq!(kind.params.value("boundary"), Some("7a9cbec02ceef655"));
            assert!(request.headers().get::<Date>().unwrap().is_some());
            assert_eq!(request.via().rport(), Some(None));
        },
    };
    /// §3.1.1.12: an unusual reason phrase.
    unreason "unreason.dat": Octets { len: 526, nul: 0, eight_bit: 54 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "keeps it",
        reads: |message| {
            let response = response(message);
            assert_eq!(response.status().code(), 200);
            assert_eq!(response.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
        },
    };
    /// §3.1.1.13: an empty reason phrase.
    noreason "noreason.dat": Octets { len: 274, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "keeps it",
        reads: |message| {
            let response = response(message);
            assert_eq!((response.status().code(), response.reason()), (100, ""));
        },
    };
}
