//! What holds for any bytes at all, whoever made them up: proptest, a fuzzer, or whoever wrote the seeds in `tests/seeds/`.
//!
//! Each function takes what a peer could send and panics if something is not as it has to be. The fuzz targets in `fuzz/` are these
//! functions, and the tests in `tests/inputs/` (`seeds`, `robustness`) call them too.

mod digest;
pub(crate) mod header;
pub(crate) mod message;
mod multipart;
pub(crate) mod sdp;
mod uri;
mod xml;

/// What a fuzz target is called, and what it does.
type Target = (&'static str, fn(&[u8]));

/// All of them, by their names.
pub(crate) const TARGETS: &[Target] = &[
    ("digest", digest::digest),
    ("header", header::header),
    ("message", message::message),
    ("multipart", multipart::multipart),
    ("sdp", sdp::sdp),
    ("uri", uri::uri),
    ("xml", xml::xml),
];

/// The target of this name.
pub(crate) fn target(name: &str) -> fn(&[u8]) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    found.unwrap_or_else(|| panic!("no target is named {name}")).1
}
