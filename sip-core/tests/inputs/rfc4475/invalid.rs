//! Invalid messages (RFC 4475 §3.1.2): what strict reading refuses, and which of them the tolerant way takes for what they plainly mean.

use blether_sip_core::ParseErrorKind::{
    BodyTruncated, Header, HeaderLine, MethodMismatch, NoEmptyLine, NotSip, RequestLine, RequestUri, RequestUriHeaders,
    StatusLine, UnknownMethodMismatch, Version,
};
use blether_sip_core::{
    AnomalyKind, Contact, Date, HeaderError, HeaderName, Limits, Message, NameAddr, ParseErrorKind, StatusCode,
    UriError,
};

use crate::torture::Tolerant::{Refuses, Takes};
use crate::torture::{Octets, Strict, cases, request};

cases! { "rfc4475"
    /// §3.1.2.1: separators with nothing between them, in Via and in Contact.
    badinv01 "badinv01.dat": Octets { len: 472, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(malformed(HeaderName::Via, "SIP/2.0/UDP host:port;branch=z9hG4bK...", 23), Some(400));
    /// §3.1.2.2: a Content-Length larger than the datagram.
    clerr "clerr.dat": Octets { len: 498, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(BodyTruncated { announced: 9999, received: 154 }, Some(400));
    /// §3.1.2.3: a negative Content-Length.
    ncl "ncl.dat": Octets { len: 486, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(malformed(HeaderName::ContentLength, "a number of bytes", 1), Some(400));
    /// §3.1.2.4: numbers too large, of which that of CSeq decides.
    scalar02 "scalar02.dat": Octets { len: 476, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(malformed(HeaderName::CSeq, "a number under 2147483648", 1), Some(400));
    /// §3.1.2.5: numbers too large in a response, which is dropped.
    scalarlg "scalarlg.dat": Octets { len: 385, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(malformed(HeaderName::CSeq, "a number under 2147483648", 1), None);
    /// §3.1.2.6: a quoted string that does not end. Where it should have ended is not guessed.
    quotbal "quotbal.dat": Octets { len: 485, nul: 0, eight_bit: 0 }, Strict::Refuses,
        Refuses(malformed(HeaderName::To, "an address such as \"Name\" <sip:user@host>", 1), Some(400));
    /// §3.1.2.7: a Request-URI in angle brackets.
    ltgtruri "ltgtruri.dat": Octets { len: 452, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(RequestUri { error: UriError::Scheme, column: Some(1) }, Some(400));
    /// §3.1.2.8: white space in the Request-URI.
    lwsruri "lwsruri.dat": Octets { len: 541, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(RequestLine, Some(400));
    /// §3.1.2.9: more than one space in the request line. The RFC leaves open whether to take it, but not that they are sent on.
    lwsstart "lwsstart.dat": Octets { len: 506, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[AnomalyKind::SurplusSpaces]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| assert_eq!(request(message).uri().to_string(), "sip:user@example.com"),
    };
    /// §3.1.2.10: spaces at the end of the request line; left open and taken like `lwsstart`.
    trws "trws.dat": Octets { len: 327, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[AnomalyKind::SurplusSpaces]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| assert_eq!(request(message).uri().to_string(), "sip:remote-target@example.com"),
    };
    /// §3.1.2.11: headers in the Request-URI, which must never reach the next hop: the request is refused.
    escruri "escruri.dat": Octets { len: 550, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(RequestUriHeaders, Some(400));
    /// §3.1.2.12: a time zone in Date that is not GMT. Nobody needs the date, so it is ignored (RFC 3261 §8.2.2, §16.3); who asks
    /// for it is told that it is none.
    baddate "baddate.dat": Octets { len: 532, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[AnomalyKind::Malformed(
        HeaderError::Malformed { header: HeaderName::Date, expected: "a date such as Sat, 13 Nov 2010 23:29:00 GMT", column: Some(27) },
    )]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let error = message.headers().get::<Date>().unwrap_err();
            assert_eq!(error.header(), &HeaderName::Date);
        },
    };
    /// §3.1.2.13: a Contact with headers in its URI and without angle brackets. Whoever needs the Contact answers 400; a proxy does
    /// not read it.
    regbadct "regbadct.dat": Octets { len: 307, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[AnomalyKind::Malformed(
        HeaderError::Malformed { header: HeaderName::Contact, expected: "an address such as \"Name\" <sip:user@host>", column: Some(21) },
    )]), Takes {
        user_agent: "400 Warning: 399 torture \"Contact\"",
        proxy: "sends it on",
        reads: |message| {
            let error = message.headers().all::<Contact>().unwrap_err();
            assert!(matches!(error, HeaderError::Malformed { .. }) && error.header() == &HeaderName::Contact);
        },
    };
    /// §3.1.2.14: spaces within the angle brackets of To, which the RFC lets be ignored.
    badaspec "badaspec.dat": Octets { len: 346, nul: 0, eight_bit: 0 }, Strict::RefusesFor(&[AnomalyKind::SpacedUri]), Takes {
        user_agent: "takes it",
        proxy: "sends it on",
        reads: |message| {
            let to = message.to();
            assert_eq!((to.display_name.as_deref(), to.uri.to_string()), (Some("Watson, Thomas"), "sip:t.watson@example.org".into()));
        },
    };
    /// §3.1.2.15: display names that should have been quoted. The archive's copy ends without an empty line, and is refused for that;
    /// [`baddn_with_its_empty_line`] is what the RFC describes.
    baddn "baddn.dat": Octets { len: 331, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(NoEmptyLine, Some(400));
    /// §3.1.2.16: a version of SIP that nobody knows.
    badvers "badvers.dat": Octets { len: 291, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(Version, Some(505));
    /// §3.1.2.17: a method in CSeq that is not that of the request line.
    mismatch01 "mismatch01.dat": Octets { len: 236, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(MethodMismatch { column: Some(3) }, Some(400));
    /// §3.1.2.18: the same with a method that nobody knows. The RFC prefers a 501 and allows a 400.
    mismatch02 "mismatch02.dat": Octets { len: 449, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(UnknownMethodMismatch, Some(501));
    /// §3.1.2.19: a status code over 699, and over 32 bits.
    bigcode "bigcode.dat": Octets { len: 332, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(StatusLine, None);
    /// In the archive without a description: a request line without a version, which makes it no SIP, and a line without a colon.
    test "test.dat": Octets { len: 318, nul: 0, eight_bit: 0 }, Strict::Refuses, Refuses(NotSip, None);
}

/// Refused for the value of a header, which stops to be what was expected at this column.
const fn malformed(header: HeaderName, expected: &'static str, column: usize) -> ParseErrorKind {
    Header(HeaderError::Malformed { header, expected, column: Some(column) })
}

fn read(bytes: Vec<u8>) -> Result<Message, blether_sip_core::ParseError> {
    Message::parse(bytes.into(), &Limits::default())
}

/// A display name without quotes is taken as the words it is, since many phones send such names. A proxy that changes nothing in From and To
/// sends them on as they came, which the RFC advises against: changing them would break what is signed.
#[test]
fn baddn_with_its_empty_line() {
    let message = read([include_bytes!("../../rfc4475/baddn.dat").as_slice(), b"\r\n"].concat()).unwrap();
    let name = |address: &NameAddr| address.display_name.as_deref().map(str::to_owned);
    assert_eq!(name(message.from()).as_deref(), Some("Bell, Alexander"));
    assert_eq!(name(message.to()).as_deref(), Some("Watson, Thomas"));
    assert_eq!(message.to().uri.to_string(), "sip:t.watson@example.org");
    // Written anew, it is in quotes.
    assert_eq!(message.to().to_string(), "\"Watson, Thomas\" <sip:t.watson@example.org>");
    assert_eq!(
        (crate::torture::user_agent(&message), crate::torture::proxy(&message)),
        ("takes it".into(), "sends it on".into())
    );
}

/// Were CSeq right in `scalar02`, the next to refuse it would be Max-Forwards; were that right too, nothing would: times that are too
/// large are as long as can be said (RFC 3261 §20.19).
#[test]
fn scalar02_with_a_cseq_that_fits() {
    let text = String::from_utf8(include_bytes!("../../rfc4475/scalar02.dat").to_vec()).unwrap();
    let text = text.replace("36893488147419103232", "1");
    let error = read(text.clone().into_bytes()).unwrap_err();
    assert!(matches!(error.kind(), Header(error) if error.header() == &HeaderName::MaxForwards));
    assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));
    let message = read(text.replace(": 300", ": 70").into_bytes()).unwrap();
    assert_eq!(message.headers().get::<blether_sip_core::Expires>().unwrap().unwrap().0, u32::MAX);
    let contact = message.headers().get::<Contact>().unwrap().unwrap();
    assert_eq!(contact.expires(), Some(u32::MAX));
}

/// And were it right in `scalarlg`: the Retry-After is as long as can be said, the Warning is none.
#[test]
fn scalarlg_with_a_cseq_that_fits() {
    let text = String::from_utf8(include_bytes!("../../rfc4475/scalarlg.dat").to_vec()).unwrap();
    let message = read(text.replace("9292394834772304023312", "1").into_bytes()).unwrap();
    assert_eq!(message.headers().get::<blether_sip_core::RetryAfter>().unwrap().unwrap().seconds, u32::MAX);
    assert!(message.headers().get::<blether_sip_core::Warning>().is_err());
}

/// And were the Via right in `badinv01`, the Contact is what a user agent refuses.
#[test]
fn badinv01_with_a_via() {
    let text = String::from_utf8(include_bytes!("../../rfc4475/badinv01.dat").to_vec()).unwrap();
    let message = read(text.replace(";;,;,,", "").into_bytes()).unwrap();
    assert!(request(&message).headers().all::<Contact>().is_err());
    assert_eq!(crate::torture::user_agent(&message), "400 Warning: 399 torture \"Contact\"");
}

/// And were there a version in `test`: the line without a colon.
#[test]
fn test_with_a_version() {
    let text = String::from_utf8(include_bytes!("../../rfc4475/test.dat").to_vec()).unwrap();
    let error = read(text.replacen("jasomi.com\r\n", "jasomi.com SIP/2.0\r\n", 1).into_bytes()).unwrap_err();
    assert!(matches!(error.kind(), HeaderLine { line: 9 }), "{:?}", error.kind());
}
