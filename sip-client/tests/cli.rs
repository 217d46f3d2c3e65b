//! What the program `sip-client` says and how it ends, against a small server on loopback.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod server;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use blether_media_core::compare::compare;
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::{Clip, SampleRate, resample, to_i16};
use blether_session_core::actor::CallEvent;
use blether_session_core::{AudioFormat, MediaCapabilities, Party};
use blether_sip_core::StatusCode;
use blether_sip_transport::Transport;
use serde_json::Value;
use tokio::sync::mpsc;

use server::{PASSWORD, Server, in_time, until};

/// The program, running.
struct Program {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// How it ended.
struct Ended {
    code: Option<i32>,
    /// The lines that nobody has waited for.
    lines: Vec<String>,
    stderr: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sip-client"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for variable in ["SIP_SERVER", "SIP_USER", "RUST_LOG"] {
            command.env_remove(variable);
        }
        let mut child = command.env("SIP_PASSWORD", PASSWORD).spawn().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // The test may have seen enough.
                let _ = sender.send(line.unwrap());
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, stderr: Some(stderr) }
    }

    /// As alice at `server`, telling everything as JSON.
    fn of_alice(server: &Server, arguments: &[&str]) -> Self {
        let address = server.address().to_string();
        let account = ["--json", "--server", &address, "--user", "alice"];
        Self::start(&[arguments, &account].concat())
    }

    /// The next line, which must be this event.
    async fn expect(&mut self, event: &str) -> Value {
        let line = in_time(event, self.lines.recv()).await.unwrap_or_else(|| panic!("it ended before {event}"));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], event, "{line}");
        value
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    }

    async fn end(mut self) -> Ended {
        let mut lines = Vec::new();
        in_time("the program to end", async {
            while let Some(line) = self.lines.recv().await {
                lines.push(line);
            }
        })
        .await;
        let code = self.child.wait().unwrap().code();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Ended { code, lines, stderr }
    }

    /// Ends, with nothing left to say.
    async fn ends_with(self, code: i32) {
        let ended = self.end().await;
        assert_eq!(ended.code, Some(code), "{:?}\n{}", ended.lines, ended.stderr);
        assert!(ended.lines.is_empty(), "{:?}", ended.lines);
        assert_eq!(ended.stderr, "");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An empty folder that no other test uses.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sip-client-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// Writes a WAV file of 16 bits, mono, at `rate`.
fn write_wav(path: &Path, rate: u32, samples: &[i16]) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let length = u32::try_from(data.len()).unwrap();
    let format = [[1, 0, 1, 0], rate.to_le_bytes(), (2 * rate).to_le_bytes(), [2, 0, 16, 0]].concat();
    let parts: [&[u8]; 8] = [
        b"RIFF",
        &(36 + length).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &format,
        b"data",
        &length.to_le_bytes(),
        &data,
    ];
    fs::write(path, parts.concat()).unwrap();
}

/// Reads what the program has recorded, and checks that its header tells the truth.
fn read_recording(path: &Path) -> Clip {
    let bytes = fs::read(path).unwrap();
    assert_eq!((&bytes[..4], &bytes[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
    assert_eq!(length as usize + 8, bytes.len(), "the RIFF header counts the file");
    Clip::load_wav(path, Duration::from_secs(60)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn register_and_call_speak_tcp_where_asked() {
    let mut server = Server::start().await;
    let mut program = Program::of_alice(&server, &["register", "--transport", "tcp"]);
    program.expect("registered").await;
    program.expect("unregistered").await;
    program.ends_with(0).await;
    assert!(server.bindings(2).await.iter().all(|binding| binding.transport() == Transport::Tcp));

    let mut program = Program::of_alice(&server, &["call", "bye", "--transport", "tcp"]);
    program.expect("answered").await;
    assert_eq!(program.expect("ended").await["by"], "remote");
    program.ends_with(0).await;
    let wrong = Program::of_alice(&server, &["register", "--transport", "tls"]).end().await;
    assert!(wrong.code == Some(2) && wrong.stderr.contains("give udp or tcp"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_plays_a_file_of_any_rate_and_records_what_it_hears() {
    let server = Server::start().await;
    let folder = folder("call");
    let clip = say(Voice::Ailsa, Utterance::CanYouHearMe);
    let (played, recorded) = (folder.join("said.wav"), folder.join("heard.wav"));
    let samples: Vec<f32> = clip.samples().iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
    let rate = SampleRate::new(44_100).unwrap();
    write_wav(&played, 44_100, &to_i16(&resample(&samples, SampleRate::HZ_8000, rate)));

    let files = ["--play", played.to_str().unwrap(), "--record", recorded.to_str().unwrap()];
    let mut program = Program::of_alice(&server, &[&["call", "echo"][..], &files].concat());
    assert_eq!(program.expect("answered").await["codec"], "PCMU");
    let ended = program.expect("ended").await;
    assert_eq!((&ended["by"], &ended["cause"]), (&"local".into(), &"hung up".into()));
    assert!(ended["received"].as_u64().unwrap() > 100 && ended["lost"] == 0, "{ended}");
    let report = program.expect("recorded").await;
    assert_eq!((report["file"].as_str(), report["missing"].as_f64()), (recorded.to_str(), Some(0.0)));
    program.ends_with(0).await;

    let heard = read_recording(&recorded);
    assert!((heard.duration().as_secs_f64() - report["seconds"].as_f64().unwrap()).abs() < 0.01);
    let found = compare(clip.samples(), heard.samples()).expect("what was said came back");
    assert!(found.segmental_snr_db > 20.0 && found.coverage > 0.9, "{found:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_presses_keys_and_tells_those_that_it_sees() {
    let server = Server::start().await;
    let mut program = Program::of_alice(&server, &["call", "echo", "--keys", "4#"]);
    program.expect("answered").await;
    assert_eq!(program.expect("key").await["key"], "4");
    assert_eq!(program.expect("key").await["key"], "#");
    program.expect("ended").await;
    program.ends_with(0).await;

    let wrong = Program::start(&["call", "echo", "--keys", "4x", "-s", "127.0.0.1", "-u", "alice"]).end().await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("'x' is no key"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_other_side_ends_is_done() {
    let server = Server::start().await;
    let mut program = Program::of_alice(&server, &["call", "bye"]);
    program.expect("answered").await;
    assert_eq!(program.expect("ended").await["by"], "remote");
    program.ends_with(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_tells_why_a_call_was_not_answered() {
    let server = Server::start().await;
    for (status, event, code) in
        [(404, "refused", 4), (486, "refused", 4), (603, "refused", 4), (480, "no_answer", 5), (408, "no_answer", 5)]
    {
        let mut program = Program::of_alice(&server, &["call", &status.to_string()]);
        assert_eq!(program.expect(event).await["status"], status);
        program.ends_with(code).await;
    }
    let mut program = Program::of_alice(&server, &["call", "ring", "--ring", "0.5"]);
    program.expect("ringing").await;
    program.expect("no_answer").await;
    program.ends_with(5).await;
    server.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_named_and_ends_with_3() {
    let mut server = Server::start().await;
    for command in [&["register"][..], &["listen"], &["call", "echo"]] {
        let mut program = Program::of_alice(&server, &[command, &["--password", "guess"]].concat());
        let event = if command[0] == "call" { "refused" } else { "not_registered" };
        let told = program.expect(event).await;
        let reason = told["reason"].as_str().unwrap();
        assert!(reason.contains("password") && reason.contains("check the account"), "{reason}");
        program.ends_with(3).await;
    }
    assert!(server.bindings(0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_not_waited_for_long() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let line = ["register", "--json", "-s", &address, "-u", "alice", "--timeout", "0.3"];
    let mut program = Program::start(&line);
    let reason = program.expect("not_registered").await["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains(&address) && reason.contains("0.3 s"), "{reason}");
    program.ends_with(3).await;

    let mut program = Program::start(&["register", "--json", "-s", &address, "-u", "alice"]);
    assert_eq!(program.expect("waiting").await["server"], *address);
    program.interrupt();
    program.expect("interrupted").await;
    program.ends_with(130).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_addresses_are_looked_at_before_anybody_is_called() {
    let mut server = Server::start().await;
    let folder = folder("files");
    let no_sound = folder.join("no-sound.wav");
    fs::write(&no_sound, "hello").unwrap();
    let (missing, nowhere) = (folder.join("missing.wav"), folder.join("nowhere").join("heard.wav"));
    for (option, path, says) in [
        ("--play", &missing, "name a WAV file that can be read"),
        ("--play", &no_sound, "not a sound WAV file"),
        ("--record", &nowhere, "does not exist; make it, or name another"),
        ("--record", &folder, "name a file in it"),
    ] {
        let path = path.to_str().unwrap();
        for command in [&["call", "echo"][..], &["listen"]] {
            let mut program = Program::of_alice(&server, &[command, &[option, path]].concat());
            let reason = program.expect("failed").await["reason"].as_str().unwrap().to_owned();
            assert!(reason.contains(option) && reason.contains(path) && reason.contains(says), "{reason}");
            program.ends_with(1).await;
        }
    }
    let mut program = Program::of_alice(&server, &["register", "--listen", "[::1]:0"]);
    let reason = program.expect("failed").await["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("listen on an address of the same kind"), "{reason}");
    program.ends_with(1).await;
    assert!(server.answered.try_recv().is_err());
    assert!(server.bindings(0).await.is_empty());
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn register_says_for_how_long_and_takes_it_back() {
    let mut server = Server::granting(90).await;
    let address = server.address().to_string();
    let ended = Program::start(&["register", "-s", &address, "-u", "alice"]).end().await;
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(ended.lines, ["registered for 90 s", "no longer registered"]);
    assert_eq!(server.bindings(2).await[1].asked, 0);

    let mut program = Program::of_alice(&server, &["register", "--stay", "600", "--expires", "77"]);
    assert_eq!(program.expect("registered").await["expires"], 90);
    assert_eq!(server.bindings(3).await[2].asked, 77);
    program.interrupt();
    program.expect("unregistered").await;
    program.ends_with(0).await;
    assert_eq!(server.bindings(4).await[3].asked, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_shown_when_that_is_asked_for() {
    let server = Server::start().await;
    let address = server.address().to_string();
    let ended = Program::start(&["register", "--trace", "-s", &address, "-u", "alice"]).end().await;
    assert_eq!(ended.code, Some(0));
    let requests = ended.stderr.matches(&format!("--- to {address}\nREGISTER sip:")).count();
    let answers = ended.stderr.matches(&format!("--- from {address}\nSIP/2.0 ")).count();
    assert!(requests >= 3 && requests == answers, "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_call_is_cancelled_while_it_rings_and_hung_up_once_it_stands() {
    let mut server = Server::start().await;
    let mut program = Program::of_alice(&server, &["call", "ring"]);
    program.expect("ringing").await;
    program.interrupt();
    program.expect("cancelled").await;
    program.ends_with(130).await;
    assert_eq!(in_time("the CANCEL", server.ended.recv()).await.unwrap().0, Party::Remote);

    let mut program = Program::of_alice(&server, &["call", "echo"]);
    program.expect("answered").await;
    program.interrupt();
    assert_eq!(program.expect("ended").await["by"], "local");
    program.ends_with(0).await;
    assert_eq!(in_time("the BYE", server.ended.recv()).await.unwrap().0, Party::Remote);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listen_answers_calls_one_at_a_time_and_is_busy_meanwhile() {
    let mut server = Server::start().await;
    let folder = folder("listen");
    let said = say(Voice::Blair, Utterance::LoudAndClear);
    let (played, recorded) = (folder.join("said.wav"), folder.join("heard.wav"));
    said.save_wav(&played).unwrap();
    let files = ["--play", played.to_str().unwrap(), "--record", recorded.to_str().unwrap()];
    let talk = (said.duration() + Duration::from_millis(500)).as_secs_f64().to_string();
    let line = [&["listen", "--calls", "2", "--talk", &talk][..], &files].concat();
    let mut program = Program::of_alice(&server, &line);
    program.expect("registered").await;

    for (file, others) in [("heard.wav", 1), ("heard-2.wav", 0)] {
        let mut caller = server.dial_and_echo().await;
        assert!(program.expect("incoming").await["from"].as_str().unwrap().contains("sip:server@"));
        program.expect("answered").await;
        for _ in 0..others {
            let mut other = server.dial().await;
            let refused = until(&mut other, "a refusal", |event| matches!(event, CallEvent::Refused { .. })).await;
            assert!(matches!(refused, CallEvent::Refused { status: StatusCode::BUSY_HERE, .. }), "{refused:?}");
            program.expect("busy").await;
        }
        until(&mut caller, "the BYE", |event| matches!(event, CallEvent::Ended { .. })).await;
        program.expect("ended").await;
        program.expect("recorded").await;
        let found = compare(said.samples(), read_recording(&folder.join(file)).samples()).expect("it came back");
        assert!(found.segmental_snr_db > 20.0 && found.coverage > 0.9, "{found:?}");
    }
    program.expect("unregistered").await;
    program.ends_with(0).await;
    assert_eq!(server.bindings(2).await[1].asked, 0);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listen_goes_on_after_a_call_that_it_cannot_answer() {
    let mut server = Server::start().await;
    let mut program = Program::of_alice(&server, &["listen"]);
    program.expect("registered").await;
    let mut opus = MediaCapabilities::g711();
    opus.audio = vec![AudioFormat { name: "opus".into(), ..opus.audio[0].clone() }];
    let mut caller = server.dial_with(opus).await;
    let refused = until(&mut caller, "a refusal", |event| matches!(event, CallEvent::Refused { .. })).await;
    assert!(matches!(refused, CallEvent::Refused { status: StatusCode::NOT_ACCEPTABLE_HERE, .. }), "{refused:?}");
    program.expect("incoming").await;
    program.expect("not_answered").await;

    let mut caller = server.dial_and_echo().await;
    program.expect("incoming").await;
    program.expect("answered").await;
    caller.hang_up().await;
    assert_eq!(program.expect("ended").await["by"], "remote");
    program.expect("unregistered").await;
    program.ends_with(0).await;
    assert_eq!(server.bindings(2).await[1].asked, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listen_takes_its_registration_back_when_nobody_calls_and_when_it_is_interrupted() {
    let mut server = Server::start().await;
    let mut program = Program::of_alice(&server, &["listen", "--wait", "0.3"]);
    for event in ["registered", "no_call", "unregistered"] {
        program.expect(event).await;
    }
    program.ends_with(5).await;
    assert_eq!(server.bindings(2).await[1].asked, 0);

    let mut program = Program::of_alice(&server, &["listen"]);
    program.expect("registered").await;
    program.interrupt();
    for event in ["interrupted", "unregistered"] {
        program.expect(event).await;
    }
    program.ends_with(130).await;
    assert_eq!(server.bindings(4).await[3].asked, 0);
}
