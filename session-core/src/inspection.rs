//! What a user agent server looks at in a request before it serves it (RFC 3261 §8.2.1 to §8.2.3): without state, and so without a memory of
//! what it has refused.
//!
//! In the RFC's order: the Request-URI, the extensions that the peer insists on, the body. Two steps are others': the credentials are the
//! application's, and merged requests (§8.2.2.2) are known to the transaction layer. Max-Forwards is no step at all: a server that answers
//! by itself does not mind a 0, only whoever passes a request on does (RFC 3261 §16.3, RFC 7332 §4).

use blether_sip_core::{
    Allow, ByteStr, ContentType, HeaderName, Headers, Method, Request, Require, Response, StatusCode, Unsupported, Uri,
};

/// The type of a session description.
pub const SDP: &str = "application/sdp";

/// What a server understands of requests with some method.
#[derive(Clone, Copy, Debug)]
pub struct Understanding<'a> {
    /// The option tags of extensions.
    pub extensions: &'a [&'a str],
    /// Types of bodies; `None` leaves them to whoever serves the request.
    pub bodies: Option<&'a [&'a str]>,
}

/// The refusal of a request that cannot be understood; `None` for one that can.
///
/// It depends on nothing but the request, and so may be sent without a transaction. ACK and CANCEL are not for here: they are never refused
/// for what they require (RFC 3261 §8.2.2.3).
pub fn refusal(request: &Request, understood: Understanding<'_>) -> Option<Response> {
    if !is_served(request.uri()) {
        return Some(Response::to_request(request, StatusCode::UNSUPPORTED_URI_SCHEME).build());
    }
    let unsupported = required_extensions(request, understood.extensions);
    if !unsupported.is_empty() {
        return Some(Response::to_request(request, StatusCode::BAD_EXTENSION).header(Unsupported(unsupported)).build());
    }
    unreadable_body(request, understood.bodies).map(|unreadable| {
        let response = Response::to_request(request, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let (header, wanted) = unreadable.wanted();
        response.raw(header, &wanted).build()
    })
}

/// Whether a Request-URI is of a scheme that is served: `sip`, and no other.
///
/// Not `tel` (RFC 3966): a number means something only with a plan for whose numbers are local, which nobody has given us; the caller tries a SIP
/// URI after the 416 (RFC 3261 §8.1.3.5). Not `sips`, as long as there is no TLS to keep what it promises (RFC 5630 §5.1.2).
fn is_served(uri: &Uri) -> bool {
    uri.as_sip().is_some_and(|uri| !uri.secure)
}

/// The option tags that the peer insists on (RFC 3261 §20.32) and that are not known.
pub(crate) fn required_extensions(request: &Request, known: &[&str]) -> Vec<ByteStr> {
    let is_unknown = |tag: &ByteStr| !known.iter().any(|known| tag.eq_ignore_ascii_case(known));
    // A Require that cannot be read is one that cannot be met; the answer says that something was.
    match request.headers().all::<Require>() {
        Ok(lists) => lists.into_iter().flat_map(|Require(tags)| tags).filter(is_unknown).collect(),
        Err(_) => request.headers().raw_all(&HeaderName::Require).map(ByteStr::from).collect(),
    }
}

/// What is not understood about a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable<'a> {
    /// It is encoded, such as by gzip.
    Encoding,
    /// Its type is none of these.
    Type(&'a [&'a str]),
}

impl Unreadable<'_> {
    /// The header of a 415 that says what would be understood, and its value (RFC 3261 §8.2.3).
    pub(crate) fn wanted(&self) -> (&'static str, String) {
        match self {
            Self::Encoding => ("Accept-Encoding", "identity".to_owned()),
            Self::Type(types) => ("Accept", types.join(", ")),
        }
    }
}

/// Why the body of a request cannot be read, if there is one, it cannot, and it may not be passed over.
pub(crate) fn unreadable_body<'a>(request: &Request, types: Option<&'a [&'a str]>) -> Option<Unreadable<'a>> {
    let headers = request.headers();
    if request.body().is_empty() || is_optional(headers) {
        return None;
    }
    let is_plain = |value: &str| value.split(',').all(|coding| coding.trim().eq_ignore_ascii_case("identity"));
    if !headers.raw_all(&HeaderName::ContentEncoding).all(is_plain) {
        return Some(Unreadable::Encoding);
    }
    let types = types?;
    let known = essence(headers).is_some_and(|essence| types.contains(&essence.as_str()));
    (!known).then_some(Unreadable::Type(types))
}

/// Takes out a body that is not understood and may be passed over (RFC 3261 §20.11), as if it had not been sent.
pub fn pass_over_optional_body(request: &mut Request, types: &[&str]) {
    let headers = request.headers();
    if request.body().is_empty() || !is_optional(headers) {
        return;
    }
    let encoded = headers.has(&HeaderName::ContentEncoding);
    if encoded || !essence(headers).is_some_and(|essence| types.contains(&essence.as_str())) {
        request.set_body("", bytes::Bytes::new());
        for name in [HeaderName::ContentEncoding, HeaderName::ContentDisposition, HeaderName::ContentLanguage] {
            request.headers_mut().remove(&name);
        }
    }
}

/// Whether the body may be passed over by who does not understand it: `handling=optional` (RFC 3261 §20.11).
fn is_optional(headers: &Headers) -> bool {
    let mut dispositions = headers.raw_all(&HeaderName::ContentDisposition);
    dispositions.any(|value| {
        value.split(';').skip(1).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("handling") && value.trim().eq_ignore_ascii_case("optional")
        })
    })
}

/// The media type of a body, in lower case and without parameters.
pub(crate) fn essence(headers: &Headers) -> Option<String> {
    let content_type = headers.get::<ContentType>().ok().flatten()?;
    Some(content_type.essence().to_ascii_lowercase())
}

/// The status for a method that is not served: 405 for one that is known (RFC 3261 §8.2.1), 501 for one that is not (§21.5.2). Both go with
/// Allow.
pub fn not_served(method: &Method) -> StatusCode {
    match method {
        Method::Extension(_) => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    }
}

/// The refusal of a method that is not served.
pub fn refuse_method(request: &Request, allowed: Vec<Method>) -> Response {
    Response::to_request(request, not_served(request.method())).header(Allow(allowed)).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::{Limits, Message};
    use bytes::Bytes;

    fn request(method: &str, uri: &str, headers: &str, body: &str) -> Request {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\r\nFrom: <sip:a@a.example.com>;tag=1\r\n\
             To: <tel:+123>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    }

    /// The status of the refusal and the line that says what would be understood.
    #[track_caller]
    fn check(request: &Request, expected: Option<(u16, &str)>) {
        let understood = Understanding { extensions: &["path"], bodies: Some(&[SDP]) };
        let refusal = refusal(request, understood);
        let text = refusal.as_ref().map(|response| String::from_utf8(response.to_bytes().to_vec()).unwrap());
        assert_eq!(refusal.map(|response| response.status().code()), expected.map(|(code, _)| code), "{text:?}");
        if let (Some(text), Some((_, line))) = (text, expected) {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    const SDP_TYPE: &str = "Content-Type: Application/SDP;charset=utf-8\r\n";

    #[test]
    fn another_scheme_in_the_request_uri_is_refused_with_416_and_one_in_to_is_not() {
        for uri in ["tel:+123", "sips:bob@b.example.com", "http://b.example.com", "nobody:knows"] {
            check(&request("INVITE", uri, "", ""), Some((416, "")));
        }
        check(&request("INVITE", "sip:bob@b.example.com", "", ""), None);
        check(&request("INVITE", "SIP:bob@b.example.com", "", ""), None);
    }

    #[test]
    fn required_extensions_that_are_not_known_are_named_in_unsupported() {
        let uri = "sip:bob@b.example.com";
        check(
            &request("INVITE", uri, "Require: 100rel, path, PATH\r\n", ""),
            Some((420, "\r\nUnsupported: 100rel\r\n")),
        );
        check(&request("OPTIONS", uri, "Require: a\r\nRequire: b\r\n", ""), Some((420, "\r\nUnsupported: a, b\r\n")));
        check(&request("INVITE", uri, "Require: Path\r\nSupported: x\r\nProxy-Require: y\r\n", ""), None);
        check(&request("INVITE", uri, "Require: a b\r\n", ""), Some((420, "\r\nUnsupported: ab\r\n")));
    }

    #[test]
    fn a_body_of_another_type_or_coding_is_refused_with_415_and_says_what_is_accepted() {
        let uri = "sip:bob@b.example.com";
        let ask = |headers: &str, body: &str| request("INVITE", uri, headers, body);
        check(&ask(SDP_TYPE, "v=0"), None);
        check(&ask("Content-Type: text/plain\r\n", "hello"), Some((415, "\r\nAccept: application/sdp\r\n")));
        check(&ask("", "hello"), Some((415, "\r\nAccept: application/sdp\r\n")));
        check(&ask("Content-Type: text/plain\r\n", ""), None);
        let zipped = format!("{SDP_TYPE}Content-Encoding: gzip\r\n");
        check(&ask(&zipped, "v=0"), Some((415, "\r\nAccept-Encoding: identity\r\n")));
        check(&ask(&format!("{SDP_TYPE}e: Identity\r\n"), "v=0"), None);
    }

    #[test]
    fn the_order_is_that_of_the_rfc() {
        let all_wrong = "Require: x\r\nContent-Type: text/plain\r\n";
        check(&request("INVITE", "tel:+123", all_wrong, "hello"), Some((416, "")));
        check(&request("INVITE", "sip:b@b.example.com", all_wrong, "hello"), Some((420, "")));
    }

    #[test]
    fn an_optional_body_is_passed_over_when_it_is_not_understood() {
        let optional = "Content-Type: text/plain\r\nContent-Disposition: icon; handling = Optional\r\n";
        let mut icon = request("INVITE", "sip:b@b.example.com", optional, "hello");
        check(&icon, None);
        pass_over_optional_body(&mut icon, &[SDP]);
        assert!(icon.body().is_empty() && !icon.headers().has(&HeaderName::ContentType));
        assert!(icon.to_bytes().windows(17).any(|part| part == b"Content-Length: 0"));

        let sdp = format!("{SDP_TYPE}Content-Disposition: session;handling=optional\r\n");
        let mut session = request("INVITE", "sip:b@b.example.com", &sdp, "v=0");
        pass_over_optional_body(&mut session, &[SDP]);
        assert_eq!(session.body(), "v=0");
    }

    #[test]
    fn an_unknown_method_is_not_implemented_and_a_known_one_not_allowed() {
        for (method, code) in [("PUBLISH", 405), ("NOTIFY", 405), ("NEWMETHOD", 501), ("invite", 501)] {
            let refusal = refuse_method(&request(method, "sip:b@b.example.com", "", ""), vec![Method::Options]);
            assert_eq!(refusal.status().code(), code, "{method}");
            assert!(refusal.headers().has(&HeaderName::Allow));
        }
    }
}
