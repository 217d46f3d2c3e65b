//! The server under test: call-engine as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use blether_call_engine::Engine;
use blether_call_engine::config::{AccountConfig, Config, LimitsConfig, MediaConfig, PortRange};

use crate::process;
use crate::report::Report;

/// Every account's password.
pub(crate) const PASSWORD: &str = "hame-through-the-haar";

/// How many accounts there are: `0` and up, and each may register.
pub(crate) const ACCOUNTS: u32 = 100;

/// Runs the server and says where, until the standard input ends.
pub(crate) fn serve() -> anyhow::Result<()> {
    let config = Config {
        listen: "udp:127.0.0.1:0".parse()?,
        accounts: (0..ACCOUNTS).map(|user| AccountConfig::new(user.to_string(), PASSWORD)).collect(),
        // Ports of ended calls rest for 32 s, and transactions stay as long: room for what a fast run leaves behind.
        media: MediaConfig { ports: PortRange { first: 10_000, last: 59_999 }, ..MediaConfig::default() },
        limits: LimitsConfig { max_transactions: 1_000_000, max_calls: 20_000, ..LimitsConfig::default() },
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let engine = runtime.block_on(Engine::builder(config).start())?;
    println!("{}", engine.local_addr());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    /// Closed with this process, whatever ends that; then the server ends too.
    _stdin: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the server, and gives it and this process a core each if there are two and `taskset` to do it with.
    pub(crate) fn start(report: &mut Report) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find my own program")?;
        let mut command = Command::new(program);
        let mut child = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut server = Self { child, _stdin: stdin, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut line = String::new();
        BufReader::new(stdout.context("no standard output")?).read_line(&mut line)?;
        server.address = line.trim().parse().context("the server did not start")?;

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pinned = cores > 1 && process::pin(server.child.id(), 0) && process::pin(std::process::id(), 1);
        report.note(if pinned {
            "The server had core 0, the generator core 1."
        } else {
            "Server and generator were not pinned to cores (no taskset, or one core): they may have disturbed each other."
        });
        Ok(server)
    }

    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        process::cpu_time(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then the figures have told.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of server and generator between two moments.
pub(crate) struct Stopwatch {
    server: Duration,
    generator: Duration,
}

impl Stopwatch {
    pub(crate) fn start(server: &Server) -> anyhow::Result<Self> {
        Ok(Self { server: server.cpu_time()?, generator: process::cpu_time(std::process::id())? })
    }

    /// Reports what `operations` cost, in µs each.
    pub(crate) fn report(
        &self,
        server: &Server,
        name: &str,
        operations: u64,
        unit: &'static str,
        bar: Option<f64>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let each = |used: Duration| used.as_secs_f64() * 1e6 / operations as f64;
        let generator = process::cpu_time(std::process::id())?;
        report.figure(name, unit, each(server.cpu_time()?.saturating_sub(self.server)), bar);
        report.figure(format!("{name}.generator"), unit, each(generator.saturating_sub(self.generator)), None);
        Ok(())
    }
}
