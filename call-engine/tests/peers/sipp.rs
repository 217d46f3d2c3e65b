//! SIPp: runs one scenario of `peers/scenarios`, and reports how its calls ended.
//!
//! A scenario file may hold `{{name=default}}` anywhere. [`Sipp::set`] gives such a name another value. The harness writes the resulting file
//! into the test's folder beside the command line, so that a run can be repeated by hand.
//!
//! Each line of the injection file (`-inf`) is one user, taken in turn, call by call:
//!
//! | field | what | from |
//! | --- | --- | --- |
//! | `[field0]` | user name, of From | [`Sipp::user`], [`Sipp::users`] |
//! | `[field1]` | `[authentication username=… password=…]` | the same |
//! | `[field2]` | whom to call: the user part of the Request-URI and To | [`Sipp::callee`] |
//! | `[field3]` | value of Contact in REGISTER; `<sip:user@127.0.0.1:local port>` | [`Sipp::contact`] |

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ports::{free_port, free_ports, tcp_port_is_bound, udp_port_is_bound};
use super::process::{Process, last_lines};
use super::{PATIENCE, User, wait_until};

/// A run of SIPp that is being described. [`Sipp::start`] starts it, [`Sipp::run`] also waits for its end.
#[derive(Debug)]
#[must_use = "nothing runs before `start` or `run`"]
pub(crate) struct Sipp {
    folder: PathBuf,
    name: String,
    scenario: PathBuf,
    server: SocketAddr,
    port: u16,
    media_port: u16,
    users: Vec<User>,
    callee: String,
    contact: Option<String>,
    values: Vec<(String, String)>,
    calls: u32,
    rate: u32,
    at_once: Option<u32>,
    timeout: Duration,
    tcp: Option<Tcp>,
    arguments: Vec<String>,
}

/// How SIPp uses TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tcp {
    /// One connection for all calls.
    One,
    /// A connection for each call.
    EachCall,
}

impl Sipp {
    /// `scenario` names a file of `peers/scenarios` without its `.xml`; `name` is what its files in `folder` are called, and `server`
    /// receives what it sends. It has free ports of its own.
    pub(crate) fn new(folder: &Path, name: &str, scenario: &str, server: SocketAddr) -> Self {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/scenarios");
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            scenario: scenarios.join(scenario).with_extension("xml"),
            server,
            port: free_port(),
            // SIPp takes four: audio and video, each with its RTCP port.
            media_port: free_ports(4, 2),
            users: Vec::new(),
            callee: "nobody".to_owned(),
            contact: None,
            values: Vec::new(),
            calls: 1,
            rate: 10,
            at_once: None,
            timeout: Duration::from_secs(30),
            tcp: None,
            arguments: Vec::new(),
        }
    }

    /// Who it is: `[field0]` and `[field1]`.
    pub(crate) fn user(self, user: &User) -> Self {
        self.users(std::slice::from_ref(user))
    }

    /// Who it is, another user each call, from the first again after the last.
    pub(crate) fn users(mut self, users: &[User]) -> Self {
        self.users = users.to_vec();
        self
    }

    /// Whom it calls: a user part, such as `bob` or `*43`.
    pub(crate) fn callee(mut self, callee: &str) -> Self {
        self.callee = callee.to_owned();
        self
    }

    /// The value of Contact in REGISTER: `*`, or several addresses, comma-separated.
    pub(crate) fn contact(mut self, contact: &str) -> Self {
        self.contact = Some(contact.to_owned());
        self
    }

    /// Gives `{{name=…}}` of the scenario another value.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.values.push((name.to_owned(), value.to_string()));
        self
    }

    /// Plays a file of bare PCMU ([`write_pcmu`](super::sound::write_pcmu)) while the call stands, again and again; for scenarios with
    /// `{{play=}}`.
    pub(crate) fn play(self, file: &Path) -> Self {
        let action = format!("<nop><action><exec rtp_stream=\"{},-1,0\"/></action></nop>", file.display());
        self.set("play", action)
    }

    /// Names this port for RTP in its SDP, instead of its own: see [`RtpEnd`](super::rtp::RtpEnd). For scenarios with `{{audio_port=…}}`.
    pub(crate) fn audio_port(self, port: u16) -> Self {
        self.set("audio_port", port)
    }

    /// Sends each RTP packet back to where it came from.
    pub(crate) fn echo(self) -> Self {
        self.argument("-rtp_echo")
    }

    /// How many calls in all (1 unless told).
    pub(crate) fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// Calls a second (10 unless told).
    pub(crate) fn rate(mut self, rate: u32) -> Self {
        self.rate = rate;
        self
    }

    /// How many calls may stand at the same time; SIPp's own limit is three seconds' worth.
    pub(crate) fn at_once(mut self, calls: u32) -> Self {
        self.at_once = Some(calls);
        self
    }

    /// When SIPp gives up, and fails (30 s unless told).
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// One more argument of SIPp's command line.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Speaks TCP instead of UDP.
    pub(crate) fn tcp(mut self, tcp: Tcp) -> Self {
        self.tcp = Some(tcp);
        self
    }

    /// Listens on this port instead of one of its own choice: to answer where an earlier run has registered.
    pub(crate) fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts it and returns when its SIP socket is open.
    #[track_caller]
    pub(crate) fn start(self) -> SippRun {
        let (scenario, users) = (self.file("xml"), self.file("csv"));
        fs::write(&scenario, self.expanded()).expect("the test's folder is writable");
        fs::write(&users, self.injection()).expect("the test's folder is writable");
        let (errors, statistics, messages) = (self.file("errors"), self.file("statistics.csv"), self.file("messages"));

        let mut command = Command::new("sipp");
        command.arg(self.server.to_string()).arg("-sf").arg(&scenario).arg("-inf").arg(&users);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin"]);
        command.args(["-p", &self.port.to_string(), "-mp", &self.media_port.to_string()]);
        command.args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string()]);
        if let Some(at_once) = self.at_once {
            command.args(["-l", &at_once.to_string()]);
        }
        command.args(["-timeout", &format!("{}s", self.timeout.as_secs()), "-timeout_error"]);
        command.arg("-trace_err").arg("-error_file").arg(&errors);
        command.arg("-trace_stat").args(["-fd", "1"]).arg("-stf").arg(&statistics);
        if self.calls <= 50 {
            command.arg("-trace_msg").arg("-message_file").arg(&messages);
        }
        match self.tcp {
            None => {}
            Some(Tcp::One) => drop(command.args(["-t", "t1"])),
            Some(Tcp::EachCall) => drop(command.args(["-t", "tn", "-max_socket", &(self.calls + 10).to_string()])),
        }
        command.args(&self.arguments);

        let mut process = Process::start(&self.name, "sip-tester", command, &self.folder);
        let (name, port, tcp) = (&self.name, self.port, self.tcp);
        wait_until(&format!("SIPp {name} should listen on {port}"), PATIENCE, || {
            // A short run may be over before anyone looks.
            let bound = if tcp.is_some() { tcp_port_is_bound(port) } else { udp_port_is_bound(port) };
            (process.ended().is_some() || bound).then_some(())
        });
        SippRun { process, name: self.name, port, timeout: self.timeout, errors, statistics, messages }
    }

    /// Starts it, waits for its end, and reports.
    #[track_caller]
    pub(crate) fn run(self) -> SippReport {
        self.start().wait()
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }

    /// The scenario with every `{{name=default}}` replaced.
    #[track_caller]
    fn expanded(&self) -> String {
        let template =
            fs::read_to_string(&self.scenario).unwrap_or_else(|error| panic!("{}: {error}", self.scenario.display()));
        let mut unused: Vec<&str> = self.values.iter().map(|(name, _)| name.as_str()).collect();
        let mut expanded = String::with_capacity(template.len());
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            let (place, after) =
                after.split_once("}}").unwrap_or_else(|| panic!("{{{{ without }}}} in {}", self.scenario.display()));
            let (name, default) =
                place.split_once('=').unwrap_or_else(|| panic!("{place}: {{{{name=default}}}} was expected"));
            unused.retain(|given| *given != name);
            let value =
                self.values.iter().rev().find(|(given, _)| given == name).map_or(default, |(_, value)| value.as_str());
            expanded.push_str(before);
            expanded.push_str(value);
            rest = after;
        }
        expanded.push_str(rest);
        assert!(unused.is_empty(), "{} has no place for {unused:?}", self.scenario.display());
        expanded
    }

    fn injection(&self) -> String {
        let nobody = [User::new("sipp", "")];
        let users = if self.users.is_empty() { &nobody[..] } else { &self.users };
        let mut lines = "SEQUENTIAL\n".to_owned();
        for User { name, password } in users {
            let contact = self.contact.clone().unwrap_or_else(|| format!("<sip:{name}@127.0.0.1:{}>", self.port));
            let callee = &self.callee;
            lines += &format!("{name};[authentication username={name} password={password}];{callee};{contact}\n");
        }
        lines
    }
}

/// A SIPp that runs; dropping it ends it.
#[derive(Debug)]
#[must_use = "dropping it ends SIPp"]
pub(crate) struct SippRun {
    process: Process,
    name: String,
    port: u16,
    timeout: Duration,
    errors: PathBuf,
    statistics: PathBuf,
    messages: PathBuf,
}

impl SippRun {
    /// The port that it sends from and listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it has received an SDP, and returns where that wants audio.
    #[track_caller]
    pub(crate) fn remote_audio(&mut self) -> SocketAddr {
        let what = format!("SIPp {} should receive an SDP", self.name);
        wait_until(&what, PATIENCE, || {
            let messages = String::from_utf8_lossy(&fs::read(&self.messages).unwrap_or_default()).into_owned();
            let found = messages.split("message received").skip(1).find_map(audio_address);
            if found.is_none() {
                self.process.assert_running();
            }
            found
        })
    }

    /// Waits until it has ended (it gives up by itself after its `timeout`), and reports.
    #[track_caller]
    pub(crate) fn wait(mut self) -> SippReport {
        let status = self.process.wait(self.timeout + PATIENCE);
        let statistics = fs::read_to_string(&self.statistics).unwrap_or_default();
        let errors = String::from_utf8_lossy(&fs::read(&self.errors).unwrap_or_default()).into_owned();
        SippReport {
            exit_code: status.code(),
            successful: last_value(&statistics, "SuccessfulCall(C)"),
            failed: last_value(&statistics, "FailedCall(C)"),
            unexpected: last_value(&statistics, "FailedUnexpectedMessage(C)"),
            retransmissions: last_value(&statistics, "Retransmissions(C)"),
            errors,
            messages: String::from_utf8_lossy(&fs::read(&self.messages).unwrap_or_default()).into_owned(),
            written: self.process.written(),
            name: std::mem::take(&mut self.name),
        }
    }
}

/// How a run of SIPp ended.
#[derive(Debug)]
pub(crate) struct SippReport {
    pub(crate) name: String,
    /// 0: every call went as the scenario says; 1: at least one did not; 99: none was made. `None` if a signal ended it.
    pub(crate) exit_code: Option<i32>,
    /// Calls that ended as the scenario says.
    pub(crate) successful: u64,
    /// Calls that did not.
    pub(crate) failed: u64,
    /// Of these, the ones that another message than the expected one ended.
    pub(crate) unexpected: u64,
    /// Messages that SIPp has sent again.
    pub(crate) retransmissions: u64,
    /// What `-trace_err` wrote: each unexpected message, with the message.
    pub(crate) errors: String,
    /// What `-trace_msg` wrote, in order; empty in runs of more than 50 calls.
    pub(crate) messages: String,
    /// What it wrote to its standard output and standard error: the last screen.
    pub(crate) written: String,
}

impl SippReport {
    /// Fails unless all of `calls` went as the scenario says, and nothing unexpected came.
    #[track_caller]
    pub(crate) fn assert_successful(&self, calls: u64) {
        let Self { name, exit_code, successful, failed, unexpected, .. } = self;
        assert!(
            *exit_code == Some(0) && (*successful, *failed, *unexpected) == (calls, 0, 0),
            "SIPp {name}: exit code {exit_code:?}; {successful} of {calls} calls successful, {failed} failed, \
             {unexpected} by an unexpected message\n{}\n{}",
            last_lines(&self.errors, 60),
            last_lines(&self.written, 40),
        );
    }
}

/// Where the SDP of a message wants audio, if it has one and that is complete.
fn audio_address(message: &str) -> Option<SocketAddr> {
    // Whatever follows is another message.
    let message = message.split("\n-----").next()?;
    let line = |start: &str| message.lines().find_map(|line| line.trim_end().strip_prefix(start));
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    let address = line("c=IN IP4 ")?.parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// The last line's value in a column of SIPp's statistics; 0 if there is none.
fn last_value(statistics: &str, column: &str) -> u64 {
    let mut lines = statistics.lines();
    let index = lines.next().and_then(|names| names.split(';').position(|name| name == column));
    let value = index.and_then(|index| lines.last()?.split(';').nth(index)?.trim().parse().ok());
    value.unwrap_or(0)
}
