//! What holds for every input: bytes of a stranger, mutated messages, and values of our own.

use std::sync::LazyLock;
use std::time::Duration;

use blether_sip_core::digest::{Algorithm, Challenge, Credentials, DigestRequest, Secret};
use blether_sip_core::sdp::attribute::{
    Candidate, Content, Crypto, Extmap, FilterMode, Fingerprint, Fmtp, Group, IceOptions, IcePwd, KeyParam, Keywords,
    Label, Msid, MsidSemantic, PayloadMap, Ptime, RemoteCandidate, RemoteCandidates, Rid, RidDirection, Rtcp,
    RtcpFeedback, SctpMap, Simulcast, SimulcastStream, SourceFilter, Ssrc,
};
use blether_sip_core::sdp::{Connection, Direction, MediaDescription, Origin, RtpMap, SessionDescription};
use blether_sip_core::{
    Accept, Allow, AllowEvents, Authorization, ByteStr, CSeq, CallId, Contact, ContentDisposition, ContentLength,
    ContentType, Date, Event, Expires, FlowTimer, From, Handling, HeaderName, Host, InfoPackage, Join, Limits,
    MaxBreadth, MaxForwards, Message, Method, MimeVersion, MinExpires, MinSe, NameAddr, Organization, Params, Path,
    Priority, ProxyAuthenticate, ProxyAuthorization, ProxyRequire, RAck, RSeq, Reason, RecordRoute, RecvInfo, ReferSub,
    ReferTo, ReferredBy, Refresher, Replaces, ReplyTo, Request, Require, Response, RetryAfter, Route, Server,
    ServiceRoute, SessionExpires, SipUri, StatusCode, Subject, SubscriptionState, Substate, Supported, TargetDialog,
    TerminationReason, Timestamp, To, TypedHeader, Unsupported, Uri, UserAgent, Via, Warning, WwwAuthenticate,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::properties::header::{HEADERS, made};
use crate::properties::message::again;
use crate::properties::sdp::{self, KINDS};
use crate::properties::{self, target};
use crate::seed_files::seed_files;

const VALID: [&str; 3] = [
    "INVITE sip:bob@biloxi.com;user=phone SIP/2.0\r\n\
     Via: SIP/2.0/UDP pc33.atlanta.com:5060;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK2\r\n\
     Max-Forwards: 70\r\nRecord-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n\
     To: \"Bob \\\" B\" <sip:bob@biloxi.com>\r\nf: sip:alice@atlanta.com;tag=1928301774\r\n\
     Call-ID: a84b4c76e66710@pc33.atlanta.com\r\nCSeq: 314159 INVITE\r\n\
     Contact: <sip:alice@pc33.atlanta.com>;expires=60;q=0.5\r\nSubject: folded\r\n  over\r\n\tlines\r\n\
     Allow: INVITE, ACK\r\nk: 100rel\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\nWarning: 399 a \"b\"\r\n\
     Reason: SIP;cause=200;text=\"x\"\r\nRetry-After: 18 (a (b));duration=3\r\n\
     Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.2;rport=9\r\n\
     t: <sip:bob@biloxi.com>;tag=2\r\nf: <sip:alice@atlanta.com>;tag=1\r\ni: 1\r\nCSeq: 1 BYE\r\nl: 0\r\n\r\n",
    "REGISTER sips:registrar.biloxi.com SIP/2.0\r\nVia: SIP/2.0/TLS b.example;branch=z9hG4bK1\r\nTo: sips:bob@biloxi.com\r\n\
     From: sips:bob@biloxi.com;tag=456248\r\nCall-ID: 843817637684230\r\nCSeq: 1826 REGISTER\r\nContact: *\r\n\
     Expires: 0\r\n\r\n",
];

/// A target, and what it starts from.
type Seeds = (&'static str, Vec<Vec<u8>>);

static SEEDS: LazyLock<Vec<Seeds>> = LazyLock::new(|| {
    let of = |target| seed_files(target).into_iter().map(|(_, bytes)| bytes).collect();
    let mut seeds: Vec<Seeds> = properties::TARGETS.iter().map(|(name, _)| (*name, of(name))).collect();
    for (name, seeds) in &mut seeds {
        if *name == "message" {
            seeds.extend(VALID.map(|text| text.as_bytes().to_vec()));
        }
    }
    seeds
});

/// A seed of the target with a few bytes put in, taken out or replaced, and sometimes the end of another behind it.
fn mutated(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        prop::sample::select(b"\r\n\0 \t:;,\"<>\\@%=*?[]()\xff0".to_vec()).prop_map(|byte| vec![byte]),
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\r\n",
            "\r\n ",
            "\r\n\r\n",
            ";tag=",
            "Via: ",
            "z9hG4bK",
            "sip:",
            "SIP/2.0",
            "%00",
            "\\\0",
            ":::",
            "99999999999"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, bytes), 1..6);
    let seeds = SEEDS.iter().find(|(name, _)| *name == target).map(|(_, seeds)| seeds).unwrap();
    let seed = || prop::sample::select(seeds.as_slice());
    let end = prop::option::weighted(0.2, (seed(), any::<prop::sample::Index>(), any::<prop::sample::Index>()));
    (seed(), end, edits).prop_map(|(seed, end, edits)| {
        let mut message = seed.clone();
        if let Some((other, cut, from)) = end {
            message.truncate(cut.index(message.len() + 1));
            message.extend_from_slice(&other[from.index(other.len() + 1)..]);
        }
        for (at, remove, insert) in edits {
            let at = at.index(message.len() + 1);
            let end = (at + remove).min(message.len());
            message.splice(at..end, insert);
        }
        message
    })
}

fn params() -> impl Strategy<Value = Params> {
    prop::collection::vec(("[a-z.+-]{1,8}", prop::option::of(any::<String>())), 0..4).prop_map(|pairs| {
        let mut params = Params::new();
        for (name, value) in pairs {
            params.set(&name, value.as_deref());
        }
        params
    })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(Host::from),
        "[a-z][a-z0-9-]{0,9}(\\.[a-z][a-z0-9-]{0,9}){0,3}".prop_map(|name| name.parse::<Host>().unwrap()),
        any::<String>().prop_map(|name| Host::Name(name.as_str().into())),
    ]
}

fn uri() -> impl Strategy<Value = SipUri> {
    (prop::option::of(any::<String>()), host(), prop::option::of(any::<u16>()), params()).prop_map(
        |(user, host, port, params)| {
            let mut uri = SipUri::new(user.as_deref(), host, port);
            uri.params = params;
            uri
        },
    )
}

fn address() -> impl Strategy<Value = NameAddr> {
    (any::<Option<String>>(), uri(), params()).prop_map(|(name, uri, params)| {
        let mut address = NameAddr::new(uri).with_display_name(&name.unwrap_or_default());
        address.params = params;
        address
    })
}

fn texts() -> impl Strategy<Value = Vec<ByteStr>> {
    prop::collection::vec(any::<String>().prop_map(|text| text.as_str().into()), 0..4)
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        Just(Method::Ack),
        Just(Method::Publish),
        any::<String>().prop_map(|name| Method::Extension(name.as_str().into())),
    ]
}

/// A value made of anything is written as what reads again, and is then written the same.
fn is_sound<H: TypedHeader + Clone + std::fmt::Debug>(value: H) {
    made(&value, || value.clone());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 10_000 }))]

    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, target) in properties::TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn messages_that_were_tampered_with(bytes in mutated("message")) {
        target("message")(&bytes);
    }

    #[test]
    fn header_values_that_were_tampered_with(bytes in mutated("header"), other in 0..HEADERS.len()) {
        target("header")(&bytes);
        // And the value of one header as that of another.
        if let Some((first, rest)) = bytes.split_first() {
            let other = [&[first.wrapping_add(u8::try_from(other).unwrap())], rest].concat();
            target("header")(&other);
        }
    }

    #[test]
    fn header_values_of_any_text(which in 0..HEADERS.len(), text in any::<String>()) {
        target("header")(&[&[u8::try_from(which).unwrap()], text.as_bytes()].concat());
    }

    #[test]
    fn uris_that_were_tampered_with(bytes in mutated("uri")) {
        target("uri")(&bytes);
    }

    #[test]
    fn uris_of_what_uris_are_made_of(text in "(sips?|tel):[a-z%0-9@:;=?&.\\[\\]]{1,40}") {
        target("uri")(text.as_bytes());
    }

    #[test]
    fn addresses_of_what_addresses_are_made_of(text in "(\"[a \\\\\"]{0,6}\" ?)?<?sip:[a-z;=@?]{1,12}>?(;[a-z=\"<>]{1,6}){0,3}") {
        target("uri")(text.as_bytes());
    }

    #[test]
    fn session_descriptions_that_were_tampered_with(bytes in mutated("sdp")) {
        target("sdp")(&bytes);
    }

    #[test]
    fn multipart_bodies_that_were_tampered_with(bytes in mutated("multipart")) {
        target("multipart")(&bytes);
    }

    #[test]
    fn documents_that_were_tampered_with(bytes in mutated("xml")) {
        target("xml")(&bytes);
    }

    #[test]
    fn challenges_and_credentials_that_were_tampered_with(bytes in mutated("digest")) {
        target("digest")(&bytes);
    }

    #[test]
    fn a_uri_that_is_made_reads_again_and_is_written_the_same(uri in uri()) {
        let written = uri.to_string();
        let again: Uri = written.parse().unwrap();
        prop_assert_eq!(again.to_string(), written);
    }

    #[test]
    fn an_address_that_is_made_reads_again_and_is_written_the_same(address in address()) {
        let written = address.to_string();
        let again: NameAddr = written.parse().unwrap();
        prop_assert_eq!(again.to_string(), written);
    }

    #[test]
    fn addresses_in_headers_that_are_made(address in address()) {
        is_sound(From(address.clone()));
        is_sound(To(address.clone()));
        is_sound(Route(address.clone()));
        is_sound(RecordRoute(address.clone()));
        is_sound(Contact::Address(address));
    }

    #[test]
    fn hops_that_are_made(
        transport in any::<String>(), host in host(), port in any::<Option<u16>>(), branch in any::<String>(),
        params in params(), ip in any::<std::net::IpAddr>(), rport in any::<Option<u16>>(),
    ) {
        let mut via = Via::new(&transport, host, port, &branch);
        is_sound(via.clone());
        via.params = params;
        via.set_received(ip);
        via.set_rport(rport);
        is_sound(via.clone());
        let mut line = String::new();
        via.write(&mut line);
        let again = Via::parse_value(line.as_str().into()).unwrap();
        prop_assert_eq!((again.received(), again.rport()), (Some(ip), Some(rport)));
    }

    #[test]
    fn numbers_that_are_made(number in any::<u32>(), small in any::<u8>(), large in any::<u32>(), method in method()) {
        is_sound(CSeq { number, method });
        is_sound(Expires(number));
        is_sound(MinExpires(number));
        is_sound(MaxForwards(small));
        is_sound(ContentLength(usize::try_from(large).unwrap()));
        is_sound(Date(u64::from(number) * 100));
    }

    #[test]
    fn lists_that_are_made(methods in prop::collection::vec(method(), 0..4), tags in texts()) {
        is_sound(Allow(methods));
        is_sound(Supported(tags.clone()));
        is_sound(Require(tags.clone()));
        is_sound(ProxyRequire(tags.clone()));
        is_sound(Unsupported(tags));
    }

    #[test]
    fn texts_that_are_made(
        text in any::<String>(), agent in any::<String>(), code in any::<u16>(), seconds in any::<u32>(), params in params(),
    ) {
        let (text, agent) = (ByteStr::from(text.as_str()), ByteStr::from(agent.as_str()));
        is_sound(Warning { code, agent: agent.clone(), text: text.clone() });
        is_sound(Reason { protocol: agent, params: params.clone() });
        is_sound(Reason::sip(StatusCode::OK, &text));
        is_sound(RetryAfter { seconds, comment: Some(text.clone()), params });
        is_sound(Server(text.clone()));
        is_sound(UserAgent(text.clone()));
        if !text.chars().any(|c| c.is_ascii_graphic()) {
            return Ok(()); // a Call-ID of nothing is what no builder takes
        }
        is_sound(CallId(text));
    }

    #[test]
    fn dialogs_and_events_that_are_made(
        words in prop::collection::vec(any::<String>(), 3), flag in any::<bool>(), seconds in any::<u32>(), params in params(),
        address in address(),
    ) {
        let [a, b, c] = [0, 1, 2].map(|index: usize| words[index].as_str());
        let replaces = Replaces { early_only: flag, params: params.clone(), ..Replaces::new(a, b, c) };
        is_sound(replaces.clone());
        is_sound(Join { params: params.clone(), ..Join::new(a, b, c) });
        is_sound(TargetDialog { params: params.clone(), ..TargetDialog::new(a, b, c) });
        if let Uri::Sip(uri) = &address.uri {
            let refer_to = ReferTo::replacing(uri.clone(), &replaces);
            prop_assert!(refer_to.replaces().unwrap().is_ok());
            is_sound(refer_to);
        }
        is_sound(ReferredBy::new(address.clone()));
        is_sound(ReferTo(address.clone()));
        is_sound(Path(address.clone()));
        is_sound(ServiceRoute(address.clone()));
        is_sound(ReplyTo(address));
        is_sound(ReferSub { subscribe: flag, params: params.clone() });
        is_sound(Event { id: flag.then(|| b.into()), params: params.clone(), ..Event::new(a) });
        is_sound(AllowEvents::new(words.iter().map(String::as_str)).unwrap());
        let expires = flag.then_some(seconds);
        for state in [
            Substate::Active { expires },
            Substate::Pending { expires },
            Substate::Terminated { reason: Some(TerminationReason::Other(a.into())), retry_after: expires },
            Substate::Terminated { reason: None, retry_after: expires },
            Substate::Other(format!("x{b}").into()),
        ] {
            is_sound(SubscriptionState { state, params: params.clone() });
        }
    }

    #[test]
    fn timers_and_bodies_that_are_made(
        words in prop::collection::vec(any::<String>(), 2), seconds in any::<u32>(), nanoseconds in any::<u64>(), params in params(),
        method in method(),
    ) {
        let [a, b] = [0, 1].map(|index: usize| words[index].as_str());
        let (mut expires, mut min) = (SessionExpires::new(seconds), MinSe::new(seconds));
        expires.refresher = Some(Refresher::Uas);
        expires.params = params.clone();
        min.params = params.clone();
        is_sound(expires);
        is_sound(min);
        is_sound(FlowTimer(seconds));
        is_sound(MaxBreadth(seconds));
        is_sound(MimeVersion { major: seconds, minor: 0 });
        let rseq = RSeq(std::num::NonZeroU32::new(seconds).unwrap_or(std::num::NonZeroU32::MIN));
        is_sound(rseq);
        is_sound(RAck { rseq, cseq: CSeq { number: seconds, method } });
        let delay = Duration::from_nanos(nanoseconds);
        let timestamp = Timestamp::new(Duration::from_secs(nanoseconds)).with_delay(delay);
        prop_assert_eq!(timestamp.delay(), Some(delay));
        is_sound(timestamp);
        let package = InfoPackage { params: params.clone(), ..InfoPackage::new(a) };
        is_sound(RecvInfo(vec![package.clone(), InfoPackage::new(b)]));
        is_sound(package);
        is_sound(ContentDisposition {
            handling: Some(Handling::Other(b.into())), params: params.clone(), ..ContentDisposition::new(a)
        });
        let mut media_type = ContentType::sdp();
        media_type.params = params;
        let accept = Accept::new([media_type.clone(), media_type.clone()]);
        prop_assert!(accept.accepts(&media_type));
        is_sound(accept);
        is_sound(Subject(a.into()));
        is_sound(Organization(b.into()));
        is_sound(Priority::Other(a.into()));
    }

    #[test]
    fn challenges_and_credentials_that_are_made(
        realm in any::<String>(), nonce in any::<String>(), opaque in any::<Option<String>>(), stale in any::<bool>(),
        username in any::<String>(), uri in any::<String>(), cnonce in any::<String>(), nc in any::<u32>(),
    ) {
        let mut challenge = Challenge::new(&realm, &nonce, Algorithm::Sha256);
        challenge.opaque = opaque.as_deref().map(ByteStr::from);
        challenge.stale = stale;
        let asked = DigestRequest { method: &Method::Register, uri: &uri, cnonce: &cnonce, nc, body: b"" };
        let credentials = Credentials::answer(&challenge, &username, &Secret::password("secret"), &asked).unwrap();
        is_sound(WwwAuthenticate(challenge.clone()));
        is_sound(ProxyAuthenticate(challenge));
        is_sound(Authorization(credentials.clone()));
        is_sound(ProxyAuthorization(credentials));
    }

    #[test]
    fn a_session_description_that_is_made_reads_again(
        username in any::<String>(), name in any::<String>(), kind in "[a-z]{1,8}", port in any::<u16>(),
        format in any::<String>(), attributes in prop::collection::vec((any::<String>(), any::<Option<String>>()), 0..4),
        ip in any::<std::net::IpAddr>(),
    ) {
        let mut media = MediaDescription::builder(&kind, port, "RTP/AVP").format(&format).direction(Direction::RecvOnly);
        let mut session = SessionDescription::builder(Origin::new(&username, 1, 2, ip)).name(&name).connection(Connection::new(ip));
        for (name, value) in &attributes {
            media = media.attribute(name, value.as_deref());
            session = session.attribute(name, value.as_deref());
        }
        // What cannot be written is not made.
        if let Ok(media) = media.build() && let Ok(session) = session.media(media).build() {
            let written = session.to_string();
            let again = SessionDescription::parse(&written).unwrap();
            prop_assert_eq!(again.to_string(), written.as_str());
            prop_assert_eq!((again.media.len(), again.name()), (1, session.name()));
            prop_assert_eq!(again.media[0].attributes().count(), session.media[0].attributes().count(), "{}", written);
            target("sdp")(written.as_bytes());
        }
    }

    #[test]
    fn attribute_values_of_any_text(kind in 0..KINDS.len(), text in any::<String>(), words in "[a-z0-9:;=/,~* -]{0,30}") {
        properties::sdp::attribute(kind, &text);
        properties::sdp::attribute(kind, &words);
    }

    #[test]
    fn attribute_values_that_were_tampered_with(bytes in mutated("sdp"), kind in 0..KINDS.len()) {
        // The values of all attributes as those of another.
        let text = String::from_utf8_lossy(&bytes);
        for value in text.lines().filter_map(|line| line.strip_prefix("a=")?.split_once(':')) {
            properties::sdp::attribute(kind, value.1);
        }
    }

    #[test]
    fn attributes_that_are_made(
        text in any::<String>(), other in any::<String>(), list in texts(), number in any::<u32>(), port in any::<u16>(),
        ip in any::<std::net::IpAddr>(), maybe in any::<Option<String>>(), digest in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let (text, other) = (ByteStr::from(text.as_str()), ByteStr::from(other.as_str()));
        let maybe = maybe.as_deref().map(ByteStr::from);
        let pairs: Vec<_> = list.iter().map(|name| (name.clone(), other.clone())).collect();
        let foundation = text.clone();
        sdp::made(&Candidate {
            foundation, component: port, transport: other.clone(), priority: number, address: text.clone(), port, kind: other.clone(),
            related_address: maybe.clone(), related_port: Some(port), extensions: pairs.clone(),
        });
        let keys = pairs.iter().map(|(method, info)| KeyParam { method: method.clone(), info: info.clone() }).collect();
        sdp::made(&Crypto { tag: number, suite: text.clone(), keys, session_params: list.clone() });
        sdp::made(&Fingerprint { hash: text.clone(), digest });
        let mut fmtp = Fmtp { format: text.clone(), parameters: other.clone() };
        sdp::made(&fmtp);
        fmtp.set(&other, maybe.as_deref());
        sdp::made(&fmtp);
        sdp::made(&Group { semantics: text.clone(), mids: list.clone() });
        let connection = Connection { network: text.clone(), address_type: other.clone(), address: text.clone() };
        sdp::made(&Rtcp { port, connection: Some(connection) });
        sdp::made(&Rtcp { port, connection: Some(Connection::new(ip)) });
        sdp::made(&RtcpFeedback { format: text.clone(), kind: other.clone(), parameters: maybe.clone() });
        sdp::made(&Ssrc { id: number, attribute: text.clone(), value: maybe.clone() });
        sdp::made(&Msid { stream: text.clone(), track: maybe.clone() });
        sdp::made(&MsidSemantic { semantic: text.clone(), streams: list.clone() });
        sdp::made(&Extmap { id: port, direction: Some(Direction::SendOnly), uri: text.clone(), attributes: maybe.clone() });
        let restrictions = pairs.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
        sdp::made(&Rid { id: text.clone(), direction: RidDirection::Recv, formats: list.clone(), restrictions });
        let streams: Vec<_> = list.iter().map(|rid| vec![SimulcastStream { rid: rid.clone(), paused: port % 2 == 0 }]).collect();
        sdp::made(&Simulcast { send: streams.clone(), recv: streams });
        let (mode, destination) = (FilterMode::Include, other.clone());
        sdp::made(&SourceFilter { mode, network: text.clone(), address_type: other.clone(), destination, sources: list.clone() });
        let candidates = list.iter().map(|address| RemoteCandidate { component: port, address: address.clone(), port });
        sdp::made(&RemoteCandidates(candidates.collect()));
        sdp::made(&SctpMap { port, protocol: text.clone(), streams: Some(number) });
        let map = RtpMap { encoding: text.clone(), clock_rate: number, channels: port };
        sdp::made(&PayloadMap { payload_type: port.to_le_bytes()[0], map });
        sdp::made(&Ptime(Duration::from_nanos(u64::from(number) * u64::from(port))));
        sdp::made(&IceOptions(list.clone()));
        sdp::made(&Content(list));
        sdp::made(&IcePwd(text.clone()));
        sdp::made(&Label(text.clone()));
        sdp::made(&Keywords(text));
    }

    #[test]
    fn whatever_is_put_into_a_request_it_is_valid_or_not_built(
        uri in uri(), method in method(), from in address(), to in address(), call_id in any::<String>(),
        number in any::<u32>(), host in host(), branch in any::<String>(), name in any::<String>(),
        value in any::<String>(), body in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let built = Request::builder(method, uri)
            .via(Via::new("UDP", host, None, &branch))
            .from(from.clone())
            .to(to)
            .call_id(&call_id)
            .cseq(number & 0x7fff_ffff)
            .header(Contact::Address(from))
            .raw("Subject", &value)
            .raw(&name, &value)
            .body(&value, body.clone().into())
            .build();
        if let Ok(mut request) = built {
            let same = |request: &Request| -> Result<(), TestCaseError> {
                let Message::Request(again) = again(request.to_bytes()) else { panic!("a request became a response") };
                prop_assert_eq!(again.to_bytes(), request.to_bytes());
                prop_assert!(again.headers().iter().eq(request.headers().iter()));
                prop_assert_eq!((again.from(), again.to(), again.via()), (request.from(), request.to(), request.via()));
                prop_assert_eq!((again.method(), again.cseq()), (request.method(), request.cseq()));
                prop_assert_eq!((again.call_id(), again.body()), (request.call_id(), request.body()));
                Ok(())
            };
            same(&request)?;
            prop_assert_eq!(request.body(), &body);
            request.headers_mut().set(Reason::sip(StatusCode::OK, &value));
            let refused = request.headers_mut().push_raw(&HeaderName::Subject, &value).is_err();
            prop_assert_eq!(refused, value.contains(|c: char| c.is_ascii_control() && c != '\t'));
            request.set_body(&name, Bytes::new());
            same(&request)?;
            let response = Response::to_request(&request, StatusCode::OK).reason(&value).to_tag(&name).raw(&name, &value).build();
            let written = response.to_bytes();
            let Message::Response(again) = again(written.clone()) else { panic!("a response became a request") };
            prop_assert_eq!(again.to_bytes(), written);
            prop_assert_eq!((again.status(), again.to(), again.via()), (response.status(), response.to(), response.via()));
        }
    }
}

#[test]
fn the_messages_that_are_tampered_with_are_valid() {
    for text in VALID {
        let message = Message::parse(Bytes::from_static(text.as_bytes()), &Limits::default()).unwrap();
        assert_eq!(message.to_bytes(), text);
        target("message")(text.as_bytes());
    }
}
