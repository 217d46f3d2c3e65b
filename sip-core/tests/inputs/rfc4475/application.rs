//! Messages that test what is above the parser (RFC 4475 §3.2, §3.3) and what is older than RFC 3261 (§3.4).

use blether_sip_core::ParseErrorKind::{Header, Missing};
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{
    AnomalyKind, Authorization, Contact, ContentType, HeaderError, HeaderName, Host, ProxyRequire, RecordRoute,
    Require, Uri, Via,
};

use super::response;
use crate::torture::Tolerant::{Refuses, Takes};
use crate::torture::{Octets, Strict, cases, request};

cases! { "rfc4475"
    /// §3.2.1: a branch that is the magic cookie and nothing else. As syntax it is right; that it identifies no transaction is for the
    /// transaction layer, which matches as RFC 2543 did.
    badbranch "badbranch.dat": Octets { len: 262, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| assert_eq!(message.via().branch(), Some(Via::MAGIC_COOKIE)),
    };
    /// §3.3.1: no Call-ID, From and To.
    insuf "insuf.dat": Octets { len: 304, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(Missing(HeaderName::CallId), Some(400));
    /// §3.3.2: a Request-URI of a scheme that nobody knows.
    unkscm "unkscm.dat": Octets { len: 291, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "416",
        proxy: "416",
        reads: |message| {
            assert_eq!(request(message).uri(), &Uri::Other("nobodyKnowsThisScheme:totallyopaquecontent".into()));
        },
    };
    /// §3.3.3: one of a scheme that is known, but not here.
    novelsc "novelsc.dat": Octets { len: 277, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "416",
        proxy: "416",
        reads: |message| assert_eq!(request(message).uri(), &Uri::Other("soap.beep://192.0.2.103:3002".into())),
    };
    /// §3.3.4: other schemes in To, From and Contact, of which the To of a REGISTER is wrong.
    unksm2 "unksm2.dat": Octets { len: 282, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "400 Warning: 399 torture \"To is no SIP URI\"",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!(message.to().uri, Uri::Other("isbn:2983792873".into()));
            assert_eq!(message.from().uri, Uri::Other("http://www.example.com".into()));
            assert_eq!(message.from().tag(), Some("3234233"));
            let contact = message.headers().get::<Contact>().unwrap().unwrap();
            assert_eq!(contact.address().unwrap().uri, Uri::Other("name:John_Smith".into()));
        },
    };
    /// §3.3.5: extensions that nobody supports.
    bext01 "bext01.dat": Octets { len: 381, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "420 Unsupported: nothingSupportsThis, nothingSupportsThisEither",
        proxy: "420 Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis",
        reads: |message| {
            assert_eq!(message.headers().get::<Require>().unwrap().unwrap().0.len(), 2);
            assert!(message.headers().get::<ProxyRequire>().unwrap().unwrap().contains("NOPROXIESSUPPORTTHIS"));
        },
    };
    /// §3.3.6: a body of a type that nobody knows.
    invut "invut.dat": Octets { len: 391, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "415 Accept: application/sdp, multipart/mixed, text/plain",
        proxy: "sends it on",
        reads: |message| {
            let kind = message.headers().get::<ContentType>().unwrap().unwrap();
            assert_eq!((kind.essence(), message.body().len()), ("application/unknownformat", 40));
        },
    };
    /// §3.3.7: an authorization scheme that nobody knows. Whoever wants credentials asks for others with a 401.
    regaut01 "regaut01.dat": Octets { len: 304, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let Authorization(credentials) = message.headers().get().unwrap().unwrap();
            assert!(!credentials.is_digest());
            let raw = message.headers().raw(&HeaderName::Authorization);
            assert_eq!(raw, Some("NoOneKnowsThisScheme opaque-data=here"));
        },
    };
    /// §3.3.8: Call-ID, To, From, Max-Forwards and CSeq more than once each.
    multi01 "multi01.dat": Octets { len: 643, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(Header(HeaderError::Repeated { header: HeaderName::CallId }), Some(400));
    /// §3.3.9: Content-Length twice.
    mcl01 "mcl01.dat": Octets { len: 382, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(Header(HeaderError::Repeated { header: HeaderName::ContentLength }), Some(400));
    /// §3.3.10: a response whose second Via is the broadcast address.
    bcast "bcast.dat": Octets { len: 516, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "drops it",
        proxy: "drops it",
        reads: |message| {
            let vias = response(message).headers().all::<Via>().unwrap();
            assert_eq!((vias.len(), &vias[1].host), (2, &Host::V4(std::net::Ipv4Addr::BROADCAST)));
        },
    };
    /// §3.3.11: Max-Forwards of zero.
    zeromf "zeromf.dat": Octets { len: 272, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "483",
        reads: |message| assert_eq!(request(message).max_forwards(), Some(0)),
    };
    /// §3.3.12: a parameter of the Contact, not of its URI.
    cparam01 "cparam01.dat": Octets { len: 321, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let contact = message.headers().get::<Contact>().unwrap().unwrap();
            let address = contact.address().unwrap();
            assert_eq!(address.params.get("unknownparam"), Some(None));
            assert_eq!(address.uri.to_string(), "sip:+19725552222@gw1.example.net");
            assert_eq!(address.to_string(), "<sip:+19725552222@gw1.example.net>;unknownparam");
        },
    };
    /// §3.3.13: a parameter of the URI, not of the Contact.
    cparam02 "cparam02.dat": Octets { len: 311, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let contact = message.headers().get::<Contact>().unwrap().unwrap();
            let address = contact.address().unwrap();
            assert!(address.params.is_empty());
            assert_eq!(address.uri.to_string(), "sip:+19725552222@gw1.example.net;unknownparam");
        },
    };
    /// §3.3.14: a header in the URI of the Contact, which belongs to the binding.
    regescrt "regescrt.dat": Octets { len: 302, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let contact = message.headers().get::<Contact>().unwrap().unwrap();
            let address = contact.address().unwrap();
            assert_eq!(address.uri.as_sip().unwrap().headers.as_deref(), Some("Route=%3Csip:sip.example.com%3E"));
            assert_eq!(address.uri.to_string(), "sip:user@example.com?Route=%3Csip:sip.example.com%3E");
        },
    };
    /// §3.3.15: an Accept that leaves no type for the answer. The RFC allows 400 and 406.
    sdp01 "sdp01.dat": Octets { len: 494, nul: 0, eight_bit: 0 }, Strict::Takes, Takes {
        user_agent: "406 Warning: 399 torture \"Accept lacks application/sdp\"",
        proxy: "sends it on",
        reads: |message| {
            assert_eq!(message.headers().raw(&HeaderName::Accept), Some("text/nobodyKnowsThis"));
            assert_eq!(SessionDescription::parse(message.body()).unwrap().media.len(), 2);
        },
    };
    /// §3.4.1: an INVITE as RFC 2543 had it: no branch, no tag in From, no Max-Forwards, no Content-Length. RFC 3261 §8.1.1 asks for the first
    /// three; the RFC has it taken by those who want to be backward compatible, as tolerant reading does.
    inv2543 "inv2543.dat": Octets { len: 445, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[
        AnomalyKind::NoBranch, AnomalyKind::NoFromTag, AnomalyKind::NoMaxForwards, AnomalyKind::NoContentLength,
    ]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let request = request(message);
            assert_eq!((request.via().branch(), request.from().tag(), request.max_forwards()), (None, None, None));
            assert!(!request.headers().has(&HeaderName::ContentLength));
            assert_eq!((request.body().len(), SessionDescription::parse(request.body()).unwrap().media.len()), (105, 1));
            let RecordRoute(route) = request.headers().get().unwrap().unwrap();
            assert_eq!(route.uri.as_sip().unwrap().params.value("maddr"), Some("ss1.example.com"));
            // Without brackets, the parameter is the header's.
            assert_eq!(request.to().params.value("user"), Some("phone"));
            assert_eq!(request.from().uri.as_sip().unwrap().params.value("user"), Some("phone"));
        },
    };
}
