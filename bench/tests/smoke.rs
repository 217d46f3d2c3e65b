//! Each command measures something, and nothing fails by it. What the figures are says nothing here: the build is not optimised.

use std::process::Command;

use serde_json::Value;

#[track_caller]
fn check(arguments: &[&str], expected: &[&str], peer: Option<&str>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_blether-bench"));
    let output = program.args(arguments).args(["--runs", "1", "--json"]).output().expect("the bench starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let figures: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    for figure in &figures {
        let keys: Vec<&str> = figure.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["bar", "name", "ok", "ours", "peer", "peer_name", "ratio", "unit"]);
        // What has no peer, such as the delay without a relay, is ours alone.
        let both = [("ours", true), ("peer", figure["peer_name"].is_string())];
        for (side, _) in both.into_iter().filter(|(_, there)| *there) {
            let measured = figure[side].as_f64().expect("a finite number");
            let share = figure["unit"] == "%";
            assert!(if share { measured == 0.0 } else { measured >= 0.0 }, "{figure}");
        }
    }
    let names: Vec<&str> = figures.iter().filter_map(|figure| figure["name"].as_str()).collect();
    assert_eq!(names, expected);
    assert!(peer.is_none() || figures.iter().any(|figure| figure["peer_name"].as_str() == peer), "{out}");
}

/// What is said of each kind of operation.
fn of(names: &[&str], more: &[&str]) -> Vec<String> {
    let each = |name: &&str| ["", ".generator", ".failures", ".resent"].map(|part| format!("{name}{part}"));
    names.iter().flat_map(each).chain(more.iter().map(|name| (*name).to_owned())).collect()
}

#[test]
fn reading_and_writing_is_measured_for_each_kind_of_message() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_blether-bench"));
    let quick = ["parse", "--alone", "--seconds", "0.001", "--runs", "1", "--json"];
    let output = program.args(quick).output().expect("the bench starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let figures: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let names: Vec<&str> = figures.iter().filter_map(|figure| figure["name"].as_str()).collect();
    for (operation, messages) in [
        ("parse", &["invite", "invite-ok", "options", "register", "subscribe", "longreq", "wsinv"][..]),
        ("forward", &["invite", "options", "register", "subscribe"]),
        ("sdp", &["invite", "invite-ok"]),
    ] {
        for message in messages {
            assert!(names.contains(&format!("{operation}.{message}").as_str()), "{operation} {message}: {out}");
        }
    }
    for figure in &figures {
        assert!(figure["ours"].as_f64().is_some_and(|nanos| nanos > 0.0), "{figure}");
    }
}

#[test]
fn registrations_are_measured_beside_those_of_kamailio() {
    let kinds = ["plain", "challenged", "known_nonce", "written.new", "written.refresh"];
    let names = of(&kinds.map(|kind| format!("registrar.{kind}")).each_ref().map(String::as_str), &[]);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // 120 contacts are written: more users than register in turn.
    let quick = ["registrar", "--seconds", "0.6", "--rate", "200", "--contacts", "0"];
    check(&[&quick[..], &["--peer", "kamailio"]].concat(), &names, Some("kamailio"));
}

#[test]
fn calls_are_measured_and_all_are_over_in_the_end() {
    let mut names = of(&["calls.b2bua"], &["calls.b2bua.unexpected"]);
    names.extend(of(&["calls.b2bua.written"], &["calls.b2bua.written.unexpected"]));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check(&["calls", "--seconds", "0.4", "--rate", "20", "--held", "0"], &names, None);
}

#[test]
fn connections_over_tls_are_measured() {
    check(
        &["connections", "--held", "50"],
        &["connections.tls.handshake", "connections.tls.handshake.generator", "connections.tls.memory"],
        None,
    );
}

#[test]
fn every_packet_comes_through_the_relay_and_through_rtpengine() {
    let names = [
        "relay.packet",
        "relay.packet.generator",
        "relay.packet.lost",
        "relay.delay.p50",
        "relay.delay.p99",
        "relay.delay.max",
        "relay.delay.direct.p50",
        "relay.delay.direct.p99",
        "relay.delay.direct.max",
    ];
    let quick = ["relay", "--seconds", "0.4", "--calls", "3"];
    check(&[&quick[..], &["--peer", "rtpengine"]].concat(), &names, Some("rtpengine"));
}

#[test]
fn a_peer_that_is_missing_is_named_with_its_package() {
    for (command, peer, package) in
        [("registrar", "kamailio", "kamailio kamailio-sqlite-modules"), ("relay", "rtpengine", "rtpengine-daemon")]
    {
        let mut program = Command::new(env!("CARGO_BIN_EXE_blether-bench"));
        let output =
            program.args([command, "--peer", peer]).env("PATH", "/nowhere").output().expect("the bench starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains(&format!("apt-get install {package}")), "{err}");
    }
}
