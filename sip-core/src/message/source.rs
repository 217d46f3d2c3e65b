//! Where a request came from (RFC 3261 §18.2.1, RFC 3581 §4).

use alloc::string::{String, ToString};
use core::fmt::Write as _;
use core::net::SocketAddr;

use super::Hop;
use super::inner::Core;
use crate::HeaderName;

/// What the topmost Via is to say of where its request came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing: it does.
    Known,
    /// This is its header's first value with it.
    Noted(String),
    /// It is not of the usual form, or says something of it already.
    Unusual,
}

impl Core {
    /// Notes where the request came from, as [`Core::source_to_note`] has found.
    pub(super) fn note_source(&mut self, note: Source, source: SocketAddr) {
        match note {
            Source::Known => {}
            Source::Noted(value) => {
                self.edit().replace_first_row(&HeaderName::Via, &value);
                self.refresh_via();
            }
            Source::Unusual => {
                let mut via = self.via().clone();
                let asks_for_port = via.rport().is_some();
                if asks_for_port {
                    via.set_rport(Some(source.port()));
                }
                via.set_received(source.ip());
                self.set_top_via(&via);
            }
        }
    }

    /// What is to be noted; of a Via of the usual form without making a value of it.
    pub(super) fn source_to_note(&self, source: SocketAddr) -> Source {
        self.spliced(source).unwrap_or_else(|| {
            let via = self.via();
            // A `received` that its sender has written is no better than one that leads elsewhere.
            let is_said = match via.params.has("received") {
                true => via.received() == Some(source.ip()),
                false => via.host.ip() == Some(source.ip()),
            };
            let is_known = is_said && via.rport().is_none();
            if is_known { Source::Known } else { Source::Unusual }
        })
    }

    fn spliced(&self, source: SocketAddr) -> Option<Source> {
        let Hop::At(start, hop) = &self.hop else { return None };
        let row = self.headers().first_row(&HeaderName::Via).filter(|row| row.value == *start)?;
        let value = self.headers().value(row);
        let (params, rest) = (hop.params(), value.get(hop.params().end..)?);
        let mut noted = String::with_capacity(value.len() + ROOM);
        noted.push_str(value.get(..params.start)?);
        let mut asks_for_port = false;
        // There are neither quotes nor white space in it.
        for param in value.get(params)?.split(';').skip(1) {
            let name = param.split('=').next().unwrap_or_default();
            if name.eq_ignore_ascii_case("received") {
                return None;
            }
            noted.push(';');
            noted.push_str(param);
            if name.eq_ignore_ascii_case("rport") {
                if asks_for_port || name.len() < param.len() {
                    return None;
                }
                asks_for_port = true;
                // Writing to a `String` cannot fail.
                let _ = write!(noted, "={}", source.port());
            }
        }
        if !asks_for_port && hop.ip() == Some(source.ip()) {
            return Some(Source::Known);
        }
        noted.push_str(";received=");
        noted.push_str(&source.ip().to_string());
        noted.push_str(rest);
        Some(Source::Noted(noted))
    }
}

/// For `received` and the value of `rport`, in bytes.
const ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::{Limits, Message, Request, Via};

    fn request(vias: &str) -> Request {
        let text = format!(
            "OPTIONS sip:b@c SIP/2.0\r\n{vias}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1@a\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        match Message::parse(text.into(), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{vias}: {other:?}"),
        }
    }

    /// As the rules say it, by a value: `received` where `rport` asks for it (RFC 3581 §4) or sent-by is not the source (RFC 3261 §18.2.1), and never another
    /// than the source, whatever the sender has written.
    fn by_the_book(request: &mut Request, source: SocketAddr) {
        let mut via = request.via().clone();
        let lies = via.params.value("received").is_some_and(|text| text.parse() != Ok(source.ip()))
            || via.params.get("received") == Some(None);
        let asks_for_port = via.rport().is_some();
        if asks_for_port {
            via.set_rport(Some(source.port()));
        }
        if lies || asks_for_port || via.host.ip() != Some(source.ip()) {
            via.set_received(source.ip());
            request.set_top_via(via);
        }
    }

    #[test]
    fn nobody_says_of_himself_that_he_was_heard_elsewhere_rfc_3261_18_2_1() {
        let source: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        for params in [";received=203.0.113.9", ";received=[2001:db8::1]", ";received", ";received=nowhere"] {
            let mut noted = request(&format!("Via: SIP/2.0/UDP 192.0.2.1:5060{params};branch=z9hG4bK1"));
            noted.note_source(source);
            assert_eq!(noted.via().received(), Some(source.ip()), "{params}");
            let written = alloc::string::String::from_utf8(noted.to_bytes().to_vec()).unwrap();
            assert_eq!(written.matches("received").count(), 1, "{written}");
        }
        let text = "Via: SIP/2.0/UDP 192.0.2.1:5060;received=192.0.2.1;branch=z9hG4bK1";
        let mut noted = request(text);
        noted.note_source(source);
        assert_eq!(noted.to_bytes(), request(text).to_bytes(), "what is true stays as it came");
    }

    #[test]
    fn the_usual_forms_are_noted_as_all_are() {
        let sources: [SocketAddr; 3] =
            ["192.0.2.1:5061", "203.0.113.9:40000", "[2001:db8::9]:5060"].map(|text| text.parse().unwrap());
        for params in [
            ";branch=z9hG4bK1",
            ";rport;branch=z9hG4bK1",
            ";branch=z9hG4bK1;rPort",
            ";branch=z9hG4bK1;rport=1",
            ";rport;branch=z9hG4bK1;rport",
            ";branch=z9hG4bK1;received=1.2.3.4;rport",
            ";Received=1.2.3.4",
            ";received",
            ";received=192.0.2.1",
            ";branch=\"a;rport\"",
            " ; branch=z9hG4bK1 ; rport",
            ";rportx;xrport=1;branch=rport",
            "",
        ] {
            for host in ["192.0.2.1:5060", "192.0.2.1", "a.example", "[2001:db8::9]:5060"] {
                for behind in ["", ", SIP/2.0/TCP c;branch=z9hG4bK2;rport", "\r\nVia: SIP/2.0/TCP c;rport"] {
                    let vias = format!("v: SIP/2.0/UDP {host}{params}{behind}");
                    for source in sources {
                        let (mut noted, mut expected) = (request(&vias), request(&vias));
                        noted.note_source(source);
                        by_the_book(&mut expected, source);
                        // A name stays written as its sender has it.
                        let text = |via: &Via| via.to_string().to_ascii_lowercase();
                        let read = |request: &Request| -> Vec<String> {
                            request.headers().all::<Via>().unwrap().iter().map(text).collect()
                        };
                        assert_eq!(read(&noted), read(&expected), "{vias} from {source}");
                        assert_eq!(text(noted.via()), text(expected.via()), "{vias} from {source}");
                        assert_eq!(
                            noted.to_bytes() == request(&vias).to_bytes(),
                            expected.via() == request(&vias).via(),
                            "{vias}"
                        );
                    }
                }
            }
        }
    }
}
