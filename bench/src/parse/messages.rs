//! The messages that are measured: those of sip-core's own benches, and the two of RFC 4475 that are the hardest to read.

/// A message as it is on the wire.
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

macro_rules! bench {
    ($name:literal) => {
        Message {
            name: $name,
            bytes: on_the_wire(include_str!(concat!("../../../sip-core/benches/messages/", $name, ".sip"))),
        }
    };
}

macro_rules! rfc_4475 {
    ($name:literal) => {
        Message {
            name: $name,
            bytes: include_bytes!(concat!("../../../sip-core/tests/rfc4475/", $name, ".dat")).to_vec(),
        }
    };
}

pub(super) fn all() -> [Message; 7] {
    [
        bench!("invite"),
        bench!("invite-ok"),
        bench!("options"),
        bench!("register"),
        bench!("subscribe"),
        rfc_4475!("longreq"),
        rfc_4475!("wsinv"),
    ]
}

/// Lines of a file end in LF, those of a message in CR LF.
fn on_the_wire(text: &str) -> Vec<u8> {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}
