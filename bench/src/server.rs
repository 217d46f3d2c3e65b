//! The server under test: call-engine, or a peer, as a child process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use blether_call_engine::Engine;
use blether_call_engine::certificate::SELF_SIGNED;
use blether_call_engine::config::{
    AccountConfig, CallsConfig, Config, LimitsConfig, Listen, MediaConfig, PortRange, TcpConfig,
};
use blether_call_engine::http::{HttpServer, Recorder, watch};
use blether_call_engine::stage::OfferedAlgorithms;
use clap::Args;
use tempfile::TempDir;

use crate::place::Place;
use crate::process;
use crate::report::{Report, Side};

/// Every account's password.
pub(crate) const PASSWORD: &str = "hame-through-the-haar";

/// How many accounts there are unless more are asked for: `0` and up, and each may register.
pub(crate) const ACCOUNTS: u32 = 100;

/// The RTP ports of every server that is measured.
pub(crate) const MEDIA_PORTS: PortRange = PortRange { first: 10_000, last: 59_999 };

/// How long a server may take to start.
const START: Duration = Duration::from_secs(10);

/// How long an idle server is watched, for what it uses when nobody asks anything of it.
const IDLE: Duration = Duration::from_millis(500);

/// How call-engine is to be run.
#[derive(Args, Clone)]
#[group(id = "how")]
pub(crate) struct Serve {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Nobody has to prove who they are
    #[arg(long)]
    open: bool,
    /// Keeps registrations and call records in a database in this folder
    #[arg(long)]
    durable: Option<PathBuf>,
    /// Accounts: those who may register
    #[arg(long, default_value_t = ACCOUNTS)]
    accounts: u32,
    /// Threads that relay
    #[arg(long)]
    media_workers: Option<usize>,
    /// Counts, and says in a second line where it tells over HTTP what it has counted
    #[arg(long)]
    metrics: bool,
    /// Listens for TLS too, on a port that the system chooses, and says in a further line where
    #[arg(long)]
    tls: bool,
}

impl Serve {
    /// With accounts and passwords, from memory.
    pub(crate) fn with_digest() -> Self {
        Self {
            listen: String::new(),
            open: false,
            durable: None,
            accounts: ACCOUNTS,
            media_workers: None,
            metrics: false,
            tls: false,
        }
    }

    /// Without authentication, from memory.
    pub(crate) fn open() -> Self {
        Self { open: true, ..Self::with_digest() }
    }

    /// With this many accounts.
    pub(crate) fn for_accounts(self, accounts: u32) -> Self {
        Self { accounts, ..self }
    }

    /// With as many media workers as it has cores.
    pub(crate) fn on_cores(self, cores: usize) -> Self {
        Self { media_workers: Some(cores), ..self }
    }

    /// Counting what each of its parts does, to be asked for by [`Server::counted`].
    pub(crate) fn counting(self, metrics: bool) -> Self {
        Self { metrics, ..self }
    }

    /// Listening for TLS too.
    pub(crate) fn over_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["serve".to_owned(), "--listen".to_owned(), self.listen.clone()];
        arguments.extend(["--accounts".to_owned(), self.accounts.to_string()]);
        if self.open {
            arguments.push("--open".to_owned());
        }
        if let Some(folder) = &self.durable {
            arguments.extend(["--durable".to_owned(), folder.display().to_string()]);
        }
        if let Some(workers) = self.media_workers {
            arguments.extend(["--media-workers".to_owned(), workers.to_string()]);
        }
        if self.metrics {
            arguments.push("--metrics".to_owned());
        }
        if self.tls {
            arguments.push("--tls".to_owned());
        }
        arguments
    }
}

/// Runs call-engine and says where, until the standard input ends.
pub(crate) fn serve(how: &Serve) -> anyhow::Result<()> {
    let defaults = Config::default();
    let listen: Listen = format!("udp:{}", how.listen).parse()?;
    let over_tls = how.tls.then(|| format!("tls:{}", SocketAddr::new(listen.address.ip(), 0)).parse());
    let config = Config {
        listen,
        also_listen: over_tls.transpose()?.into_iter().collect(),
        // All of a bench's connections come from few addresses.
        tcp: TcpConfig { max_connections: 1_000_000, max_per_peer: 1_000_000, ..defaults.tcp.clone() },
        accounts: (0..how.accounts).map(|user| AccountConfig::new(user.to_string(), PASSWORD)).collect(),
        // Ports of ended calls rest for 32 s, and transactions stay as long: room for what a fast run leaves behind.
        media: MediaConfig { ports: MEDIA_PORTS, workers: how.media_workers.unwrap_or(defaults.media.workers) },
        limits: LimitsConfig { max_transactions: 1_000_000, max_calls: 20_000, ..defaults.limits.clone() },
        // Calls without sound are held for longer than phones would be silent.
        calls: CallsConfig { end_when_silent: Duration::from_secs(600), ..defaults.calls.clone() },
        data_dir: how.durable.clone().unwrap_or(defaults.data_dir.clone()),
        authentication: blether_call_engine::config::AuthenticationConfig { digest: OfferedAlgorithms::Sha256 },
        ..defaults
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let recorder = how.metrics.then(Recorder::install).transpose()?;
    let mut engine = Engine::builder(config);
    if how.open {
        engine = engine.without_authentication();
    }
    if how.durable.is_some() {
        engine = engine.durable();
    }
    let engine = runtime.block_on(engine.start())?;
    println!("{}", engine.local_addr());
    if let Some(address) = engine.tls_addrs().first() {
        println!("{address}");
    }
    if let Some(recorder) = recorder {
        let http = runtime.block_on(HttpServer::bind((Ipv4Addr::LOCALHOST, 0).into()))?;
        println!("{}", http.local_addr()?);
        runtime.spawn(watch(engine.handle().clone(), recorder.clone()));
        runtime.spawn(http.serve(engine.handle().clone(), recorder));
    }
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A running server. Dropping it ends it, and takes its files along.
pub(crate) struct Server {
    child: Child,
    /// Closed with this process, whatever ends that; then call-engine ends too.
    _stdin: Option<ChildStdin>,
    folder: Option<TempDir>,
    pub(crate) address: SocketAddr,
    /// Where TLS is spoken.
    pub(crate) tls: Option<SocketAddr>,
    /// Where it says what it has counted.
    metrics: Option<SocketAddr>,
    /// CPU seconds in a second in which nobody asks anything of it.
    idle: f64,
}

impl Server {
    /// Starts call-engine.
    pub(crate) fn ours(place: &Place, how: &Serve) -> anyhow::Result<Self> {
        Self::call_engine(place, Serve { listen: place.address.to_string(), ..how.clone() }, None)
    }

    /// Starts call-engine with a database on disk.
    pub(crate) fn ours_durable(place: &Place, how: &Serve) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let durable = Some(folder.path().join("data"));
        Self::call_engine(place, Serve { listen: place.address.to_string(), durable, ..how.clone() }, Some(folder))
    }

    fn call_engine(place: &Place, how: Serve, folder: Option<TempDir>) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find my own program")?;
        let mut command = place.command(&program.display().to_string());
        let mut child = command.args(how.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut server =
            Self { child, _stdin: stdin, folder, address: place.address, tls: None, metrics: None, idle: 0.0 };
        let mut lines = BufReader::new(stdout.context("no standard output")?).lines();
        let mut said = || -> anyhow::Result<SocketAddr> {
            lines.next().transpose()?.unwrap_or_default().parse().context("the server did not start")
        };
        server.address = said()?;
        if how.tls {
            server.tls = Some(said()?);
        }
        if how.metrics {
            server.metrics = Some(said()?);
        }
        server.watch_idle()?;
        Ok(server)
    }

    /// Starts a peer, which runs in the foreground, and waits until it answers `hello`.
    pub(crate) fn peer(
        place: &Place,
        mut command: Command,
        folder: Option<TempDir>,
        hello: &dyn Fn(SocketAddr) -> Vec<u8>,
    ) -> anyhow::Result<Self> {
        let said = tempfile::NamedTempFile::new()?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.reopen()?);
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        let last_words = || {
            let said = std::fs::read_to_string(said.path()).unwrap_or_default();
            format!("{command:?} does not answer; it said:\n{said}")
        };
        let mut server =
            Self { child, _stdin: None, folder, address: place.address, tls: None, metrics: None, idle: 0.0 };
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(place.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let (hello, started, mut answer) = (hello(socket.local_addr()?), Instant::now(), [0; 2_048]);
        loop {
            // Refused until it listens.
            let answered = socket.send(&hello).and_then(|_| socket.recv(&mut answer));
            if answered.is_ok() {
                break;
            }
            ensure!(server.child.try_wait()?.is_none() && started.elapsed() < START, last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
        server.watch_idle()?;
        Ok(server)
    }

    fn watch_idle(&mut self) -> anyhow::Result<()> {
        let (before, started) = (self.cpu_time()?, Instant::now());
        std::thread::sleep(IDLE);
        let used = self.cpu_time()?.saturating_sub(before);
        self.idle = used.as_secs_f64() / started.elapsed().as_secs_f64();
        Ok(())
    }

    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        process::cpu_time(self.child.id())
    }

    pub(crate) fn threads(&self) -> anyhow::Result<Vec<(String, Duration)>> {
        process::threads(self.child.id())
    }

    /// What it has counted under a name, by shard; nothing from a server that does not count.
    pub(crate) fn counted(&self, name: &str) -> anyhow::Result<BTreeMap<usize, u64>> {
        let Some(address) = self.metrics else { return Ok(BTreeMap::new()) };
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let samples =
            answer.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix("{shard=\"")?.split_once("\"} "));
        samples.map(|(shard, count)| Ok((shard.parse()?, count.parse()?))).collect()
    }

    /// The certificate that call-engine has made for itself, in PEM.
    pub(crate) fn certificate(&self) -> anyhow::Result<Vec<u8>> {
        let folder = self.folder.as_ref().context("it keeps no files")?.path().join("data");
        std::fs::read(folder.join(SELF_SIGNED)).context("the certificate of the server")
    }

    /// Bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        process::memory(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Kamailio's children end with their parent if that may say so.
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            // It may have ended by itself, and then the figures have told.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(3) {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of server and generator between two moments.
pub(crate) struct Stopwatch {
    server: Duration,
    generator: Duration,
    started: Instant,
}

impl Stopwatch {
    pub(crate) fn start(server: &Server) -> anyhow::Result<Self> {
        let generator = process::cpu_time_of_this()?;
        Ok(Self { server: server.cpu_time()?, generator, started: Instant::now() })
    }

    /// Reports what `operations` cost, in µs each: what the server used beyond what it uses when it is idle.
    pub(crate) fn report(
        &self,
        server: &Server,
        (side, name, unit): (Side, &str, &'static str),
        operations: u64,
        bar: Option<f64>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let each = |seconds: f64| seconds * 1e6 / operations as f64;
        let idle = server.idle * self.started.elapsed().as_secs_f64();
        let used = server.cpu_time()?.saturating_sub(self.server).as_secs_f64() - idle;
        report.figure(side, name, unit, each(used.max(0.0)), bar);
        let generator = process::cpu_time_of_this()?.saturating_sub(self.generator).as_secs_f64();
        report.figure(side, &format!("{name}.generator"), unit, each(generator), None);
        Ok(())
    }
}
