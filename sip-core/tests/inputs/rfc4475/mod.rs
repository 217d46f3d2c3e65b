//! The torture messages of RFC 4475, each by its name in the RFC: the file, whether it is taken, what it says, and what is answered.

mod application;
mod invalid;
mod valid;

use blether_sip_core::{Message, Response};

use crate::torture::{self, Strict};

/// The RFC describes 49 messages; the archive has one more.
#[test]
fn all_messages_of_the_archive_are_tested() {
    torture::is_complete("rfc4475", &[valid::CASES, invalid::CASES, application::CASES], 50);
}

/// §3.1.1 has 13 messages that are valid, §3.1.2 has 19 that are not, §3.2 to §3.4 have 17 that are one or the other.
#[test]
fn strict_reading_takes_what_the_rfc_calls_valid() {
    let taken = |cases: &[(&str, Strict)]| {
        let taken = cases.iter().filter(|(_, strict)| strict.takes()).count();
        (taken, cases.len() - taken)
    };
    assert_eq!(taken(valid::CASES), (13, 0));
    assert_eq!(taken(invalid::CASES), (0, 19 + 1));
    assert_eq!(taken(application::CASES), (13, 4));
}

/// A response that was taken.
fn response(message: &Message) -> &Response {
    match message {
        Message::Response(response) => response,
        Message::Request(_) => panic!("this is a request"),
    }
}
