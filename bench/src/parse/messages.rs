//! The messages that are measured: those of sip-core's own benches, and the two of RFC 4475 that are the hardest to read.

use std::path::Path;

use anyhow::Context as _;

/// A message as it is on the wire.
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Where they lie, from the folder of sip-core, by name.
const FILES: [(&str, &str); 7] = [
    ("invite", "benches/messages/invite.sip"),
    ("invite-ok", "benches/messages/invite-ok.sip"),
    ("options", "benches/messages/options.sip"),
    ("register", "benches/messages/register.sip"),
    ("subscribe", "benches/messages/subscribe.sip"),
    ("longreq", "tests/rfc4475/longreq.dat"),
    ("wsinv", "tests/rfc4475/wsinv.dat"),
];

/// All of them, read from the sources.
pub(super) fn all() -> anyhow::Result<Vec<Message>> {
    let sip_core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip-core");
    let read = |(name, file): (&'static str, &str)| {
        let path = sip_core.join(file);
        let bytes = std::fs::read(&path).with_context(|| format!("{}: run this from the sources", path.display()))?;
        // Lines of a text end in LF in the sources, those of a message in CR LF.
        let bytes = if file.ends_with(".sip") { on_the_wire(&bytes) } else { bytes };
        Ok(Message { name, bytes })
    };
    FILES.into_iter().map(read).collect()
}

fn on_the_wire(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}
