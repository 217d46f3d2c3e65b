//! baresip: a phone that registers, dials, answers, plays one WAV file and records what it hears.
//!
//! It is controlled over its TCP port (module `ctrl_tcp`): commands and events are JSON objects in netstrings, events on the same connection
//! as the answers.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ports::{free_port, free_ports, loopback};
use super::process::{Process, last_lines};
use super::sound::{RATE, read_wav, write_wav};
use super::{PATIENCE, User, wait_until};

/// What baresip's `sndcode` takes for the release of a key.
const KEY_RELEASED: &str = "\u{4}";

/// What a baresip is to be.
#[derive(Clone, Debug)]
#[must_use = "nothing runs before `start`"]
pub(crate) struct BaresipConfig {
    folder: PathBuf,
    user: User,
    server: SocketAddr,
    registers_for: u32,
    answers: bool,
    play: Option<PathBuf>,
    codecs: String,
    account_parameters: String,
    modules: Vec<String>,
    transport: String,
    settings: String,
}

impl BaresipConfig {
    /// Answers each call at once. Its files are in a folder in `folder` named after the user.
    pub(crate) fn answering(folder: &Path, user: &User, server: SocketAddr) -> Self {
        Self {
            folder: folder.to_owned(),
            user: user.clone(),
            server,
            registers_for: 60,
            answers: true,
            play: None,
            codecs: "PCMU/8000/1".to_owned(),
            account_parameters: String::new(),
            modules: Vec::new(),
            transport: "udp".to_owned(),
            settings: String::new(),
        }
    }

    /// Rings until it is told to [`accept`](Baresip::accept).
    pub(crate) fn ringing(folder: &Path, user: &User, server: SocketAddr) -> Self {
        Self { answers: false, ..Self::answering(folder, user, server) }
    }

    /// Plays this file (16-bit mono, 8,000 samples a second) in each call; without it, silence of 60 s.
    pub(crate) fn play(mut self, wav: &Path) -> Self {
        self.play = Some(wav.to_owned());
        self
    }

    /// How long a registration is asked for, in seconds (60 unless told); 0 does not register at all.
    pub(crate) fn registers_for(mut self, seconds: u32) -> Self {
        self.registers_for = seconds;
        self
    }

    /// Codecs in order of preference, in baresip's writing: `PCMA/8000/1,PCMU/8000/1` (PCMU unless told).
    pub(crate) fn codecs(mut self, codecs: &str) -> Self {
        self.codecs = codecs.to_owned();
        self
    }

    /// More parameters of its account, each after a semicolon: `;mediaenc=srtp`.
    pub(crate) fn account_parameters(mut self, parameters: &str) -> Self {
        self.account_parameters += parameters;
        self
    }

    /// The transport by which it registers and calls (UDP unless told).
    pub(crate) fn transport(mut self, name: &str) -> Self {
        self.transport = name.to_owned();
        self
    }

    /// One more line of its configuration.
    pub(crate) fn setting(mut self, line: &str) -> Self {
        self.settings += line;
        self.settings.push('\n');
        self
    }

    /// One more module, such as `srtp.so`.
    pub(crate) fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Starts it, and returns when it takes commands.
    #[track_caller]
    pub(crate) fn start(self) -> Baresip {
        let name = format!("baresip-{}", self.user.name);
        let directory = self.folder.join(&name);
        fs::create_dir_all(&directory).expect("the test's folder is writable");
        // Two ports, for it also listens on the next one (for TLS).
        let sip = loopback(free_ports(2, 2));
        let control = loopback(free_port());
        let configuration = self.configuration(&directory, sip, control);
        fs::write(directory.join("config"), configuration).expect("the test's folder is writable");
        // Its account follows as a command, so that no event of its registration comes before someone listens.
        fs::write(directory.join("accounts"), "# none\n").expect("the test's folder is writable");

        let mut command = Command::new("baresip");
        // -s: SIP messages to standard output; -t: it ends by itself after ten minutes, should this test be killed.
        command.arg("-f").arg(&directory).args(["-s", "-t", "600"]);
        let mut process = Process::start(&name, "baresip-core", command, &self.folder);
        let connection = wait_until(&format!("{name} should take commands on {control}"), PATIENCE, || {
            process.assert_running();
            TcpStream::connect(control).ok()
        });
        let events = Arc::<Events>::default();
        let reading = connection.try_clone().expect("a socket can be cloned");
        // Ends with the connection, which ends with baresip.
        thread::spawn({
            let events = Arc::clone(&events);
            move || events.read_from(reading)
        });
        let account = self.account();
        let mut baresip = Baresip { process, connection, events, directory, name, sip, tokens: 0 };
        baresip.command("uanew", &account);
        baresip
    }

    fn configuration(&self, directory: &Path, sip: SocketAddr, control: SocketAddr) -> String {
        let rtp = free_ports(20, 2);
        let source = self.play.clone().unwrap_or_else(|| {
            let silence = directory.join("silence.wav");
            write_wav(&silence, &vec![0; 60 * RATE as usize]);
            silence
        });
        let mut lines = format!(
            "sip_listen {sip}\nnet_interface 127.0.0.1\nrtp_ports {rtp}-{}\nsnd_path {}\naudio_source aufile,{}\n\
             ctrl_tcp_listen {control}\ncall_local_timeout 120\ncall_max_calls 4\naudio_jitter_buffer_type fixed\n\
             audio_jitter_buffer_delay 2-10\nmodule_path /usr/lib/baresip/modules\n",
            rtp + 19,
            directory.display(),
            source.display(),
        );
        let modules = ["g711.so", "aufile.so", "sndfile.so"].into_iter().chain(self.modules.iter().map(String::as_str));
        lines += &self.settings;
        lines.extend(modules.map(|module| format!("module {module}\n")));
        lines.extend(["account.so", "menu.so", "ctrl_tcp.so"].map(|module| format!("module_app {module}\n")));
        lines
    }

    fn account(&self) -> String {
        let Self {
            user: User { name, password }, server, registers_for, codecs, account_parameters, transport, ..
        } = self;
        let mode = if self.answers { "auto" } else { "manual" };
        format!(
            "<sip:{name}@{server};transport={transport}>;auth_user={name};auth_pass={password};regint={registers_for};audio_codecs={codecs};\
             answermode={mode}{account_parameters}"
        )
    }
}

/// A running baresip; dropping it ends it.
#[derive(Debug)]
#[must_use = "dropping it ends baresip"]
pub(crate) struct Baresip {
    process: Process,
    connection: TcpStream,
    events: Arc<Events>,
    directory: PathBuf,
    name: String,
    sip: SocketAddr,
    tokens: u32,
}

impl Baresip {
    /// Where it listens for SIP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.sip
    }

    /// Waits until its registration was accepted; that it was refused fails the test at once.
    #[track_caller]
    pub(crate) fn wait_registered(&mut self) {
        let outcome =
            self.events.take(PATIENCE, |message| message["class"] == "register" && message["type"] != "REGISTERING");
        match outcome {
            Some(event) if event["type"] == "REGISTER_OK" => {}
            outcome => panic!("{} is not registered: {outcome:?}\n{}", self.name, self.last_words()),
        }
    }

    /// Calls a URI.
    #[track_caller]
    pub(crate) fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    /// Answers the call that rings.
    #[track_caller]
    pub(crate) fn accept(&mut self) {
        self.command("accept", "");
    }

    /// Ends the call, or refuses the one that rings.
    #[track_caller]
    pub(crate) fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Presses keys in the call (RFC 4733); each is released before the next.
    #[track_caller]
    pub(crate) fn send_digits(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.command("sndcode", &digit.to_string());
            self.command("sndcode", KEY_RELEASED);
        }
    }

    /// Any command of its menu (`hold`, `resume`, `listcalls`, …); returns what it wrote.
    ///
    /// # Panics
    ///
    /// When it refuses the command, or does not answer.
    #[track_caller]
    pub(crate) fn command(&mut self, command: &str, parameters: &str) -> String {
        self.tokens += 1;
        let token = self.tokens.to_string();
        let text = json!({ "command": command, "params": parameters, "token": token }).to_string();
        let sent = write!(self.connection, "{}:{text},", text.len());
        if let Err(error) = sent {
            panic!("{} does not take {command}: {error}\n{}", self.name, self.last_words());
        }
        let answer =
            self.events.take(PATIENCE, |message| message["response"] == true && message["token"] == token.as_str());
        match answer {
            Some(answer) if answer["ok"] == true => answer["data"].as_str().unwrap_or_default().to_owned(),
            answer => panic!("{} refused {command} {parameters}: {answer:?}\n{}", self.name, self.last_words()),
        }
    }

    /// How often this stands in what it has written, SIP messages included.
    pub(crate) fn times_written(&self, what: &str) -> usize {
        self.process.written().matches(what).count()
    }

    /// Waits for an event of this type, takes it and returns it; what came before it stays. Types are `REGISTER_OK`, `REGISTER_FAIL`, `CALL_INCOMING`,
    /// `CALL_RINGING`, `CALL_PROGRESS`, `CALL_ESTABLISHED`, `CALL_CLOSED` (its `param` says why), `CALL_DTMF_START` (its `param` is the digit), ….
    #[track_caller]
    pub(crate) fn wait_event(&mut self, kind: &str, patience: Duration) -> Value {
        let found = self.events.take(patience, |message| message["event"] == true && message["type"] == kind);
        found.unwrap_or_else(|| {
            let others: Vec<String> = self.events.kinds();
            panic!("{} had no {kind} in {patience:?}; it had {others:?}\n{}", self.name, self.last_words())
        })
    }

    /// What it has heard in its last call, which may still go on: 8,000 samples a second, nothing before the first packet.
    #[track_caller]
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.recording("-dec.wav").map_or_else(Vec::new, |path| read_wav(&path))
    }

    /// Waits until its recording of the call is this long.
    #[track_caller]
    pub(crate) fn wait_heard(&mut self, length: Duration) {
        let samples = (length.as_secs_f64() * f64::from(RATE)) as usize;
        let what = format!("{} should have heard {length:?}", self.name);
        wait_until(&what, length + PATIENCE, || {
            self.process.assert_running();
            (self.heard().len() >= samples).then_some(())
        });
    }

    /// Waits until it hears nothing while it plays for a second. (Once it was told of a change, baresip 1.0 records no more of that call,
    /// whatever it hears.)
    #[track_caller]
    pub(crate) fn wait_silent(&mut self) {
        let (mut heard, mut since) = (0, 0);
        wait_until(&format!("{} should hear nothing", self.name), PATIENCE, || {
            self.process.assert_running();
            let (now_heard, now_played) = (self.heard().len(), self.played().len());
            if now_heard > heard {
                (heard, since) = (now_heard, now_played);
            }
            (now_played >= since + RATE as usize).then_some(())
        });
    }

    /// What it has played itself, likewise.
    #[track_caller]
    pub(crate) fn played(&self) -> Vec<i16> {
        self.recording("-enc.wav").map_or_else(Vec::new, |path| read_wav(&path))
    }

    /// Removes its registration if it has one, and ends.
    #[track_caller]
    pub(crate) fn quit(mut self) {
        self.command("quit", "");
        self.process.wait(PATIENCE);
    }

    fn recording(&self, ending: &str) -> Option<PathBuf> {
        let files = fs::read_dir(&self.directory)
            .expect("the test's folder can be read")
            .filter_map(|entry| Some(entry.ok()?.path()));
        // Their names begin with the time of the call.
        files.filter(|path| path.to_string_lossy().ends_with(ending)).max()
    }

    fn last_words(&self) -> String {
        last_lines(&self.process.written(), 60)
    }
}

/// Messages of the control connection that nobody has asked for yet, oldest first.
#[derive(Debug, Default)]
struct Events {
    waiting: Mutex<VecDeque<Value>>,
    more: Condvar,
}

impl Events {
    /// Takes the first message that `matches`, waiting for it if need be.
    fn take(&self, patience: Duration, matches: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + patience;
        let mut waiting = self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        loop {
            if let Some(index) = waiting.iter().position(&matches) {
                return waiting.remove(index);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            waiting = self.more.wait_timeout(waiting, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    fn kinds(&self) -> Vec<String> {
        let waiting = self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        waiting.iter().filter_map(|message| Some(message["type"].as_str()?.to_owned())).collect()
    }

    /// Reads netstrings until the connection ends.
    fn read_from(&self, mut connection: TcpStream) {
        let mut buffer = Vec::new();
        let mut piece = [0; 4_096];
        while let Ok(length @ 1..) = connection.read(&mut piece) {
            buffer.extend_from_slice(&piece[..length]);
            while let Some((message, end)) = netstring(&buffer) {
                let message =
                    serde_json::from_slice(message).unwrap_or_else(|error| json!({ "unreadable": error.to_string() }));
                buffer.drain(..end);
                self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push_back(message);
                self.more.notify_all();
            }
        }
    }
}

/// The first netstring (`5:hello,`) and where it ends, once all of it is there.
fn netstring(buffer: &[u8]) -> Option<(&[u8], usize)> {
    let colon = buffer.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&buffer[..colon]).ok()?.parse().ok()?;
    let content = buffer.get(colon + 1..colon + 1 + length)?;
    buffer.get(colon + 1 + length)?;
    Some((content, colon + 2 + length))
}
