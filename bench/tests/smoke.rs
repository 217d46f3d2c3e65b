//! Each command measures something, and nothing fails by it. What the figures are says nothing here: the build is not optimised.

use std::process::Command;

use serde_json::Value;

#[track_caller]
fn check(arguments: &[&str], expected: &[&str]) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_blether-bench"));
    let output = program.args(arguments).arg("--json").output().expect("the bench starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let figures: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    for figure in &figures {
        let keys: Vec<&str> = figure.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["bar", "name", "ok", "ours", "peer", "peer_name", "ratio", "unit"]);
        let measured = figure["ours"].as_f64().expect("a finite number");
        let share = figure["unit"] == "%";
        assert!(if share { measured == 0.0 } else { measured > 0.0 }, "{figure}");
    }
    let names: Vec<&str> = figures.iter().filter_map(|figure| figure["name"].as_str()).collect();
    assert_eq!(names, expected);
}

#[test]
fn parsing_is_measured_for_each_kind_of_message() {
    let names = ["parse.invite", "parse.register", "parse.ok", "parse.sdp", "write.invite", "parse.failures"];
    check(&["parse", "--seconds", "0.1"], &names);
}

#[test]
fn registrations_are_measured_with_and_without_a_challenge() {
    let names = ["registrar.challenged", "registrar.known_nonce"].map(|name| {
        [name.to_owned(), format!("{name}.generator"), format!("{name}.failures"), format!("{name}.resent")]
    });
    let names: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    check(&["registrar", "--seconds", "0.4", "--rate", "50"], &names);
}

#[test]
fn calls_are_measured_and_all_are_over_in_the_end() {
    let names =
        ["calls.b2bua", "calls.b2bua.generator", "calls.b2bua.failures", "calls.b2bua.resent", "calls.unexpected"];
    check(&["calls", "--seconds", "0.4", "--rate", "20"], &names);
}

#[test]
fn every_packet_comes_through_the_relay() {
    check(
        &["relay", "--seconds", "0.4", "--calls", "3"],
        &["relay.packet", "relay.packet.generator", "relay.packet.lost"],
    );
}
