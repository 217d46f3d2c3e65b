//! Every example runs by itself, ends by itself, and shows what its README promises.

use std::process::Command;

#[track_caller]
fn check(program: &str, shows: &[&str]) {
    let output = Command::new(program).output().expect("the example starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    for line in shows {
        assert!(out.contains(line), "{line:?} is not in\n{out}");
    }
}

#[test]
fn the_menu_lets_one_caller_press_keys_and_turns_another_away() {
    let shows = ["666: turned away", "menu: key 1 of 100 is 1", "menu: key 3 of 100 is #", "100: Remote hung up"];
    check(env!("CARGO_BIN_EXE_menu"), &shows);
}

#[test]
fn the_voice_bot_is_heard_to_the_end() {
    check(
        env!("CARGO_BIN_EXE_answer_and_play"),
        &["bot: that was all", "100: the call was ended by Remote", "100: heard "],
    );
}

#[test]
fn an_echo_is_called_over_tls_by_whoever_believes_its_certificate() {
    let shows = [
        "echo: a call over tls",
        "caller: echo.example has answered",
        "caller: whoever is there is not elsewhere.example",
    ];
    check(env!("CARGO_BIN_EXE_tls_echo"), &shows);
}

#[test]
fn a_message_is_read_answered_and_refused() {
    let shows = ["INVITE sip:bob@biloxi.example.com", "PCMA at 8000 Hz", "SIP/2.0 180 Ringing", "SIP/2.0 400 Bad CSeq"];
    check(env!("CARGO_BIN_EXE_parse_message"), &shows);
}

#[test]
fn a_phone_registers_and_hears_itself_in_the_echo() {
    check(env!("CARGO_BIN_EXE_register_and_call"), &["100 is registered at 127.0.0.1:", "heard against sent:", " dB"]);
}
