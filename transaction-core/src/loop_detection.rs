//! Loops told from spirals (RFC 3261 §16.3 step 4 and §16.6 step 8, as RFC 5393 §4.2 has them).

use std::hash::{DefaultHasher, Hash, Hasher};

use blether_sip_core::{ByteStr, HeaderName, Request, Response, Via};
use rand::RngExt;
use rand::rngs::StdRng;

/// How many hexadecimal digits a [`LoopMark`] has.
const DIGITS: usize = 16;

/// What makes a proxy find its own marks, and nobody else make one: a random key. A request that comes back is known only to whoever has the key
/// that marked it.
#[derive(Clone, Copy, Debug)]
pub struct LoopDetector {
    key: [u64; 2],
}

/// The second part of a branch (RFC 5393 §4.2.1): a keyed hash of everything in a request by which a proxy decides where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoopMark(u64);

impl LoopMark {
    /// Its digits, as they stand in a branch behind a full stop.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl LoopDetector {
    /// A detector with a key from `rng`.
    pub fn new(rng: &mut StdRng) -> Self {
        Self { key: rng.random() }
    }

    /// The mark of a request as it was received: of its Request-URI, Route, Proxy-Require and Proxy-Authorization, its tags, Call-ID and CSeq number.
    /// Not of the method: CANCEL and ACK have the branch of their INVITE. Nor of what every hop changes: Via, Max-Forwards, Record-Route.
    pub fn mark(&self, request: &Request) -> LoopMark {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        request.uri().hash(&mut hasher);
        request.call_id().as_bytes().hash(&mut hasher);
        (request.cseq().number, request.from_tag(), request.to_tag()).hash(&mut hasher);
        for name in [HeaderName::Route, HeaderName::ProxyRequire, HeaderName::ProxyAuthorization] {
            // A value of its own between the headers: what is in one is not in the other.
            0xff_u8.hash(&mut hasher);
            request.headers().raw_all(&name).for_each(|value| value.hash(&mut hasher));
        }
        LoopMark(hasher.finish())
    }

    /// The mark of a request that is forwarded without state: of its Request-URI, From tag, Call-ID and CSeq number alone, which CANCEL and the ACK for a
    /// refusal have from their INVITE (RFC 3261 §16.11).
    pub fn mark_of_stateless(&self, request: &Request) -> LoopMark {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        (request.uri(), request.from_tag(), request.cseq().number).hash(&mut hasher);
        request.call_id().as_bytes().hash(&mut hasher);
        LoopMark(hasher.finish())
    }

    /// The first part of the branch of a request that is forwarded without state: the same for its resends, its CANCEL and the ACK for its refusal, a keyed
    /// hash of the branch that it came with (RFC 3261 §16.11) and of where its responses are to go.
    pub fn unique_of(&self, request: &Request) -> String {
        self.unique(request.via(), request.from_tag(), request.call_id(), request.cseq().number)
    }

    /// Whether a response, which has come with our Via on top, answers what [`Self::unique_of`] was written into: only then may it go on to its next Via, which
    /// may say what it likes otherwise.
    pub fn made_branch_of(&self, response: &Response) -> bool {
        let Some(unique) = response.via().branch().and_then(|branch| branch.strip_prefix(Via::MAGIC_COOKIE)) else {
            return false;
        };
        let Some((unique, _)) = unique.split_once('.') else { return false };
        let vias = response.headers().all::<Via>().unwrap_or_default();
        let next = vias.get(1);
        next.is_some_and(|next| {
            unique == self.unique(next, response.from_tag(), response.call_id(), response.cseq().number)
        })
    }

    fn unique(&self, via: &Via, from_tag: Option<&str>, call_id: &ByteStr, cseq: u32) -> String {
        let half = |which: u8| {
            let mut hasher = DefaultHasher::new();
            (self.key, which, via.branch(), &via.host, via.port, via.received(), via.rport()).hash(&mut hasher);
            (from_tag, cseq).hash(&mut hasher);
            call_id.as_bytes().hash(&mut hasher);
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }

    /// Whether the request was here before with the same mark, so that it would go round for ever: it is to be answered 482. One that was here with another
    /// mark spirals, and goes on.
    ///
    /// The marks are looked for in the text of the Vias, whatever else these hold (RFC 5393 §4.2.4): no other text there has this keyed hash in it.
    pub fn has_looped(&self, request: &Request, mark: LoopMark) -> bool {
        let digits = format!(".{:0DIGITS$x}", mark.0);
        request.headers().raw_all(&HeaderName::Via).any(|via| via.contains(&digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::{Limits, Message};
    use rand::SeedableRng;

    fn detector(seed: u64) -> LoopDetector {
        LoopDetector::new(&mut StdRng::seed_from_u64(seed))
    }

    fn request(method: &str, uri: &str, vias: &[String], headers: &str) -> Request {
        let vias: String = vias.iter().map(|via| format!("Via: {via}\r\n")).collect();
        let text = format!(
            "{method} {uri} SIP/2.0\r\n{vias}From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\n\
             CSeq: 7 {method}\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        match Message::parse(text.into(), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn sender() -> String {
        "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx".to_owned()
    }

    fn marked(mark: LoopMark) -> String {
        format!("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc.{:016x}", mark.0)
    }

    #[test]
    fn a_request_that_comes_back_as_it_was_has_looped_rfc_5393_4_2_2() {
        let detector = detector(1);
        let first = request("INVITE", "sip:b@example.com", &[sender()], "");
        let mark = detector.mark(&first);
        assert!(!detector.has_looped(&first, mark));
        for vias in [
            vec![sender(), marked(mark), sender()],
            vec![format!("{}, {}", sender(), marked(mark))],
            vec![marked(mark), sender()],
        ] {
            let again =
                request("INVITE", "sip:b@example.com", &vias, "Max-Forwards: 3\r\nRecord-Route: <sip:p;lr>\r\n");
            assert_eq!(detector.mark(&again), mark);
            assert!(detector.has_looped(&again, mark), "{vias:?}");
        }
    }

    #[test]
    fn a_request_that_comes_back_for_somebody_else_spirals_rfc_5393_4_2_2() {
        let detector = detector(1);
        let mark = detector.mark(&request("INVITE", "sip:b@example.com", &[sender()], ""));
        let vias = [sender(), marked(mark), sender()];
        for (uri, headers) in [
            ("sip:c@example.com", ""),
            ("sip:b@example.com", "Route: <sip:p.example.com;lr>\r\n"),
            ("sip:b@example.com", "Proxy-Require: foo\r\n"),
            ("sip:b@example.com", "Proxy-Authorization: Digest username=\"a\"\r\n"),
        ] {
            let spiral = request("INVITE", uri, &vias, headers);
            assert!(!detector.has_looped(&spiral, detector.mark(&spiral)), "{uri} {headers}");
        }
    }

    #[test]
    fn the_method_makes_no_difference_rfc_3261_16_6_step_8() {
        let detector = detector(1);
        let [invite, cancel] = ["INVITE", "CANCEL"].map(|method| request(method, "sip:b@example.com", &[sender()], ""));
        assert_eq!(detector.mark(&invite), detector.mark(&cancel));
    }

    #[test]
    fn nobody_else_can_make_a_mark() {
        let invite = request("INVITE", "sip:b@example.com", &[sender()], "");
        assert_ne!(detector(1).mark(&invite), detector(2).mark(&invite));
    }
}
