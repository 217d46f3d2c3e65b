use proptest::prelude::*;

use super::*;
use crate::Method;

mod rules;
mod vectors;

/// One parameter that a challenge or credentials may have, quoted or not.
fn parameter() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("realm"),
        Just("nonce"),
        Just("algorithm"),
        Just("qop"),
        Just("opaque"),
        Just("username"),
        Just("uri"),
        Just("response"),
        Just("cnonce"),
        Just("stale"),
        Just("userhash"),
        Just("charset"),
        Just("rspauth"),
        Just("x-other"),
    ];
    let value = prop_oneof!["[a-zA-Z0-9/=+:.-]{1,8}", "\"([ -!#-\\[\\]-~\u{e9}]|\\\\[ -~]){0,8}\""];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

fn header() -> impl Strategy<Value = String> {
    let fixed = "realm=r, nonce=n, username=u, uri=\"sip:r\", response=0, ";
    let list = proptest::collection::vec(parameter(), 0..6);
    (any::<bool>(), list)
        .prop_map(move |(whole, list)| format!("Digest {}{}", if whole { fixed } else { "" }, list.join(", ")))
}

proptest! {
    #[test]
    fn a_challenge_that_was_read_reads_the_same_once_written(text in header()) {
        if let Ok(challenge) = text.parse::<Challenge>() {
            let written = challenge.to_string();
            prop_assert_eq!(written.parse::<Challenge>(), Ok(challenge), "{}", written);
        }
    }

    #[test]
    fn credentials_that_were_read_read_the_same_once_written(text in header()) {
        if let Ok(credentials) = text.parse::<Credentials>() {
            let written = credentials.to_string();
            prop_assert_eq!(written.parse::<Credentials>(), Ok(credentials), "{}", written);
        }
    }

    #[test]
    fn a_confirmation_that_was_read_reads_the_same_once_written(text in header()) {
        let text = text.trim_start_matches("Digest ");
        if let Ok(confirmation) = text.parse::<Confirmation>() {
            let written = confirmation.to_string();
            prop_assert_eq!(written.parse::<Confirmation>(), Ok(confirmation), "{}", written);
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,80}", digest in "Digest [ -~\\t]{0,80}") {
        for text in [text, digest] {
            let _ = (text.parse::<Challenge>(), text.parse::<Credentials>(), text.parse::<Confirmation>());
        }
    }
}
