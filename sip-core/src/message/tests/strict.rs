//! What is built is read, and with `build_strict` it is valid.

use super::{builder, parse, received};
use crate::{
    BuildError, ByteStr, HeaderError, HeaderName, InvalidHeader, Limits, Message, NameAddr, Params, ParseErrorKind,
    RecordRoute, Request, RequestBuilder, Response, Route, StatusCode, TypedHeader, Via,
};

fn many_params(count: usize) -> Params {
    let mut params = Params::new();
    (0..count).for_each(|number| params.set(&format!("p{number}"), Some("a b")));
    params
}

#[test]
fn a_strict_build_takes_what_is_valid() {
    let request = builder().build_strict().unwrap();
    assert!(!request.has_via(), "that is left to the transaction");
    let response = Response::to_request(&received(), StatusCode::RINGING).to_tag("2").build_strict().unwrap();
    assert_eq!(response.to_tag(), Some("2"));
}

#[test]
fn a_strict_build_refuses_what_strict_reading_refuses_and_no_other() {
    #[track_caller]
    fn check(with: impl Fn(RequestBuilder) -> RequestBuilder) {
        let strict = with(builder()).build_strict();
        assert!(matches!(strict, Err(BuildError::Invalid(ParseErrorKind::Anomaly(_)))), "{strict:?}");
        let mut tolerant: Request = with(builder()).build().unwrap();
        tolerant.push_via(super::via("a.example"));
        let read = Message::parse(tolerant.to_bytes(), &Limits::default()).unwrap();
        assert!(Message::parse_strict(tolerant.to_bytes(), &Limits::default()).is_err(), "{read:?}");
    }
    for call_id in ["a,b", "a@b@c", "a;b", "@"] {
        check(|builder| builder.call_id(call_id));
    }
    for value in ["<sip:a@b_c>", "< sip:a@b >", "B[b] <sip:a@b>", "<sip:a@b>;q=0.12345"] {
        check(|builder| builder.raw("Contact", value));
    }
    check(|builder| builder.from("<sip:a@b>;tag=1;x=a@b/c".parse().unwrap()));
    let odd = parse(&super::RECEIVED.replace("tag=1", "tag=1;x=a@b"));
    let Message::Request(odd) = odd else { panic!("{odd:?}") };
    let answer = Response::to_request(&odd, StatusCode::OK).to_tag("2");
    assert!(matches!(answer.build_strict(), Err(BuildError::Invalid(_))));
}

#[test]
fn however_many_parameters_are_set_the_message_is_read() {
    let address = || NameAddr { params: many_params(200), ..received().to().clone() };
    let mut via: Via = super::via("a.example");
    via.params = many_params(200);
    let mut request = builder().via(via.clone()).header(Route(address())).build().unwrap();
    request.push_via(via.clone());
    request.headers_mut().push(RecordRoute(address()));
    let read = Message::parse(request.to_bytes(), &Limits::default()).unwrap();
    assert_eq!((read.via().params.len(), read.headers().all::<Via>().unwrap().len()), (64, 2));
    assert_eq!(read.headers().get::<Route>().unwrap().unwrap().0.params.len(), 64);
}

#[test]
fn a_to_that_is_full_of_parameters_still_gets_its_tag() {
    for to in [many_params(64).to_string(), ";x".repeat(64)] {
        let text = super::RECEIVED.replace("Bob  <sip:bob@biloxi.com>", &format!("<sip:bob@biloxi.com>{to}"));
        let Message::Request(request) = parse(&text) else { panic!("{text}") };
        let response = Response::to_request(&request, StatusCode::OK).to_tag("2").build();
        assert_eq!(response.to_tag(), Some("2"));
        let read = Message::parse(response.to_bytes(), &Limits::default()).unwrap();
        assert_eq!(read.to_tag(), Some("2"));
    }
}

/// A header of a caller's own, whose name and value are whatever it likes.
macro_rules! own {
    ($($header:ident $name:literal $value:literal)*) => {
        $(
            struct $header;

            impl TypedHeader for $header {
                const NAME: HeaderName = HeaderName::Extension(ByteStr::from_static($name));

                fn parse_value(_: ByteStr) -> Result<Self, HeaderError> {
                    Ok($header)
                }

                fn write(&self, out: &mut String) {
                    out.push_str($value);
                }
            }
        )*
    };
}

own! {
    Injected "X: y\r\nVia" "SIP/2.0/UDP evil.example"
    Nameless "" "x"
    Disguised "Contact" "<<<"
    Honest "X-Mine" "anything"
}

#[test]
fn a_header_of_the_callers_own_cannot_break_the_message() {
    let mut free = crate::Headers::new();
    free.push(Injected);
    free.push(Nameless);
    assert_eq!(free.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Invalid-Name"; 2]);
    let injected = builder().header(Injected).build();
    assert!(matches!(injected, Err(BuildError::Raw(InvalidHeader::Name(_)))), "{injected:?}");
    assert!(builder().header(Nameless).build().is_err());
    assert!(matches!(builder().header(Disguised).build(), Err(BuildError::Header(_))));
    let request = builder().header(Honest).build_strict().unwrap();
    assert_eq!(request.headers().raw(&"x-mine".parse().unwrap()), Some("anything"));

    let mut request = received();
    let mut headers = request.headers_mut();
    headers.push(Injected);
    headers.push_front(Nameless);
    headers.set(Disguised);
    assert_eq!(headers.len(), received().headers().len());
    headers.push(Honest);
    assert_eq!(headers.len(), received().headers().len() + 1);
    let response = Response::to_request(&request, StatusCode::OK).header(Injected).header(Disguised).header(Honest);
    let names = ["Via", "Via", "Record-Route", "From", "To", "Call-ID", "CSeq", "X-Mine", "Content-Length"];
    assert!(response.build().headers().iter().map(|(name, _)| name.as_str()).eq(names));
}

#[test]
fn white_space_around_a_value_does_not_change_what_is_within() {
    for value in ["a\u{85}\tb", " a\u{85}\tb", "a\u{85}\tb \t"] {
        let request = builder().raw("Subject", value).build().unwrap();
        assert_eq!(request.headers().raw(&HeaderName::Subject), Some("a\u{85}\tb"), "{value:?}");
    }
}
