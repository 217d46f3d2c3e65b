//! Session descriptions as RFCs print them and as browsers, phones and gateways send them, a file each: they are read with all their typed
//! attributes, written byte for byte, and one change leaves all other lines as they were.

mod browsers;
mod gateways;
mod phones;
mod rfcs;

use blether_sip_core::sdp::{Direction, SessionDescription};

use crate::properties::{self, sdp::is_well_formed};

/// One file.
struct Case {
    text: &'static str,
    /// The attributes that have no type, in the order of their names.
    untyped: &'static [&'static str],
    reads: fn(&SessionDescription),
    change: fn(&mut SessionDescription),
    /// The line that the change is about, and what it becomes.
    line: (&'static str, &'static str),
}

#[track_caller]
fn check(case: &Case) {
    let text = case.text;
    let mut description = SessionDescription::parse(text).unwrap();
    assert_eq!(description.to_string(), text);
    properties::target("sdp")(text.as_bytes());

    let sections = description.media.iter().flat_map(|media| media.attributes()).chain(description.attributes());
    let mut untyped: Vec<&str> = Vec::new();
    for attribute in sections {
        match is_well_formed(attribute.name, attribute.value) {
            Some(well_formed) => assert!(well_formed, "{attribute:?}"),
            None if attribute.name.parse::<Direction>().is_ok() => {}
            None => untyped.push(attribute.name),
        }
    }
    untyped.sort_unstable();
    untyped.dedup();
    assert_eq!(untyped, case.untyped);

    (case.reads)(&description);

    let (old, new) = case.line;
    let old = format!("\r\n{old}\r\n");
    assert!(text.contains(&old), "{old}");
    let new = if new.is_empty() { "\r\n".to_owned() } else { format!("\r\n{new}\r\n") };
    (case.change)(&mut description);
    assert_eq!(description.to_string(), text.replacen(&old, &new, 1));
}
