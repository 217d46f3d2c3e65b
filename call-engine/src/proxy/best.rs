//! Which of the refusals of a request its sender is told (RFC 3261 §16.7 steps 6 and 7).

use blether_sip_core::{ProxyAuthenticate, Request, Response, StatusCode, WwwAuthenticate};

/// The best of the final responses above 299, made fit to be passed on: 408 if there is none, 500 in place of a 503 that speaks for its sender only,
/// and a challenge with all the challenges that there were.
pub(super) fn best(request: &Request, responses: &[Response]) -> Response {
    let Some((at, best)) = responses.iter().enumerate().min_by_key(|(_, response)| rank(response.status())) else {
        return Response::to_request(request, StatusCode::REQUEST_TIMEOUT).build();
    };
    match best.status() {
        StatusCode::SERVICE_UNAVAILABLE => Response::to_request(request, StatusCode::SERVER_INTERNAL_ERROR).build(),
        // The flow of a phone is gone, and with it the phone; of all flows, the user (RFC 5626 §7).
        StatusCode::FLOW_FAILED if request.to_tag().is_none() => {
            Response::to_request(request, StatusCode::TEMPORARILY_UNAVAILABLE).build()
        }
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            let others = responses.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, response)| response);
            with_challenges_of(best.clone(), others)
        }
        _ => best.clone(),
    }
}

fn with_challenges_of<'a>(mut best: Response, others: impl Iterator<Item = &'a Response>) -> Response {
    let challenges = |status| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    for other in others.filter(|other| challenges(other.status())) {
        // One that cannot be read cannot be answered either.
        for challenge in other.headers().all::<WwwAuthenticate>().unwrap_or_default() {
            best.headers_mut().push(challenge);
        }
        for challenge in other.headers().all::<ProxyAuthenticate>().unwrap_or_default() {
            best.headers_mut().push(challenge);
        }
    }
    best
}

/// The order of preference, the best first: 6xx, then the lowest class; in it what tells how to ask again, then what tells about the callee, last what tells
/// only that nobody answered.
fn rank(status: StatusCode) -> (u8, u8, u16) {
    let code = status.code();
    let class = match code / 100 {
        6 => 0,
        // Below 100 codes there are none.
        class => u8::try_from(class).unwrap_or(u8::MAX),
    };
    let within = match code {
        401 | 407 => 0,
        415 | 420 | 484 => 1,
        408 | 430 | 480 | 487 => 3,
        503 => 3,
        _ => 2,
    };
    // The callee's own word before any other of its kind.
    (class, within, if code == 486 { 0 } else { code })
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::{HeaderName, Limits, Message};

    fn invite(to_tag: &str) -> Request {
        let text = format!(
            "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n\
             To: <sip:b@example.com>{to_tag}\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        match Message::parse(text.into(), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn responses(codes: &[u16]) -> Vec<Response> {
        let of = |&code| Response::to_request(&invite(""), StatusCode::new(code).unwrap()).to_tag("t").build();
        codes.iter().map(of).collect()
    }

    fn told(codes: &[u16]) -> u16 {
        best(&invite(""), &responses(codes)).status().code()
    }

    #[test]
    fn the_best_response_is_chosen_rfc_3261_16_7_step_6() {
        for (codes, expected) in [
            (&[][..], 408),
            (&[404, 603, 302], 603),
            (&[503, 407, 501, 404], 407),
            (&[486, 302], 302),
            (&[480, 486], 486),
            (&[408, 480, 404], 404),
            (&[487, 486], 486),
            (&[404, 486], 486),
            (&[404, 484], 484),
            (&[500, 404], 404),
            (&[503, 502], 502),
        ] {
            assert_eq!(told(codes), expected, "{codes:?}");
        }
    }

    #[test]
    fn a_503_is_not_passed_on_rfc_3261_16_7_step_6() {
        assert_eq!((told(&[503]), told(&[503, 503])), (500, 500));
    }

    #[test]
    fn a_failed_flow_is_a_user_who_is_not_there_and_within_a_dialog_a_430_rfc_5626_5_3_1() {
        assert_eq!((told(&[430]), told(&[430, 486])), (480, 486));
        assert_eq!(best(&invite(";tag=2"), &responses(&[430])).status(), StatusCode::FLOW_FAILED);
    }

    #[test]
    fn all_challenges_are_passed_on_in_one_rfc_3261_16_7_step_7() {
        let mut all = responses(&[407, 404, 401, 407]);
        let mut challenge = |at: usize, name: HeaderName, realm: &str| {
            let value = format!("Digest realm=\"{realm}\", nonce=\"n\"");
            all[at].headers_mut().push_raw(&name, &value).unwrap();
        };
        challenge(0, HeaderName::ProxyAuthenticate, "one");
        challenge(2, HeaderName::WwwAuthenticate, "two");
        challenge(3, HeaderName::ProxyAuthenticate, "three");
        let best = best(&invite(""), &all);
        let values = |name| best.headers().raw_all(&name).map(str::to_owned).collect::<Vec<_>>();
        // The lowest code of equals.
        assert_eq!(best.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(values(HeaderName::WwwAuthenticate).len(), 1);
        let proxies = values(HeaderName::ProxyAuthenticate).join("; ");
        assert!(proxies.contains("one") && proxies.contains("three"), "{proxies}");
    }
}
