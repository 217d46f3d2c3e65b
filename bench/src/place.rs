//! Where a command measures: one address for every server in turn, and a core for the server and one for the generator.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::process::{Command, Stdio};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

use crate::process;
use crate::report::Report;

/// The core of the server, and the core of the generator.
const CORES: (&str, usize) = ("0", 1);

/// The niceness of the generator and of what it starts.
const PRIORITY: i32 = -15;

/// Where SIP and ng may be spoken: below [`MEDIA_PORTS`](crate::server::MEDIA_PORTS), which no server may share.
const SIP_PORTS: Range<u16> = 5_100..9_900;

/// The address and the cores that every server of a command gets.
pub(crate) struct Place {
    /// Where SIP (or ng) is spoken.
    pub(crate) address: SocketAddr,
    pinned: bool,
}

impl Place {
    /// Chooses a port that is free, and gives this process a core of its own if there are two and `taskset` to do it with; with
    /// `all_cores`, server and generator share what there is.
    pub(crate) fn choose(all_cores: bool, report: &mut Report) -> anyhow::Result<Self> {
        raise_file_limit()?;
        // Not everybody may; then other work on the machine disturbs more.
        let first = setpriority_process(None, PRIORITY).is_ok();
        let address = free_address()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pinned = !all_cores && cores > 1 && process::pin_this(CORES.1);
        report.note(match (pinned, all_cores) {
            (true, _) => "The server had core 0 alone to itself, the generator core 1.".to_owned(),
            (false, true) => format!("Server and generator shared {cores} cores."),
            (false, false) => "Server and generator were not pinned to cores (no taskset, or one core).".to_owned(),
        });
        if first {
            report.note("Server and generator had priority over what else ran on the machine.");
        }
        Ok(Self { address, pinned })
    }

    /// A command line that runs in the server's place.
    pub(crate) fn command(&self, program: &str) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORES.0, program]);
        command
    }
}

/// Whether a program is installed; the message says what to do if it is not.
pub(crate) fn require(program: &str, package: &str) -> anyhow::Result<()> {
    let found =
        Command::new(program).arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match found {
        Ok(_) => Ok(()),
        Err(error) => Err(error).with_context(|| {
            format!("the peer {program} is not here; on Debian and Ubuntu: apt-get install {package}")
        }),
    }
}

/// An address that nobody has, below the ports for media. Where the search begins depends on the process, so that two benches do not meet.
fn free_address() -> anyhow::Result<SocketAddr> {
    let ports = SIP_PORTS.end - SIP_PORTS.start;
    let first = u16::try_from(std::process::id() * 16 % u32::from(ports)).unwrap_or_default();
    let mut tried = (0..ports).map(|step| SIP_PORTS.start + (first + step) % ports);
    let free = tried.find_map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok());
    Ok(free.context("no UDP port is free on loopback")?.local_addr()?)
}

/// A held call takes four sockets of the server, and two of the generator; what is started from here inherits the limit.
fn raise_file_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("the limit of open files")
}
