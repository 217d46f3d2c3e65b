//! What can be asked for.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// A headless SIP phone: calls, listens, registers.
///
/// Exit codes: 0 done; 1 something here failed; 2 wrong command line; 3 not registered; 4 the call was refused; 5 nobody answered (or
/// called) in time.
#[derive(Debug, Parser)]
#[command(name = "sip-client", version, about, long_about)]
pub(super) struct Arguments {
    /// Write one JSON object a line instead of text.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say on standard error what goes on inside.
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Call somebody, and hang up when all is said.
    Call {
        /// A number, a name, or an address such as sip:bob@192.0.2.7.
        target: String,
        #[command(flatten)]
        account: AccountArguments,
        #[command(flatten)]
        audio: AudioArguments,
        /// Keys to press once the call is up (0-9, *, #, A-D).
        #[arg(long, value_name = "KEYS")]
        keys: Option<String>,
        /// How long it may ring.
        #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
        ring: Duration,
        /// How long to talk. Default: until the file is played, or the other side hangs up.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        talk: Option<Duration>,
    },
    /// Register and answer calls.
    Listen {
        #[command(flatten)]
        account: AccountArguments,
        #[command(flatten)]
        audio: AudioArguments,
        /// How many calls to answer before the program ends.
        #[arg(long, value_name = "CALLS", default_value = "1")]
        calls: u32,
        /// How long to wait for a call. Default: for ever.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        wait: Option<Duration>,
        /// How long to talk. Default: until the other side hangs up.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        talk: Option<Duration>,
    },
    /// Register, say for how long, and take the registration back.
    Register {
        #[command(flatten)]
        account: AccountArguments,
        /// Stay registered this long.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        stay: Option<Duration>,
    },
}

#[derive(Args, Debug)]
pub(super) struct AccountArguments {
    /// The server: an address or name, with a port if it is not 5060.
    #[arg(long, short, value_name = "HOST[:PORT]", env = "SIP_SERVER", value_parser = server)]
    pub(super) server: SocketAddr,
    /// The user name.
    #[arg(long, short, value_name = "USER", env = "SIP_USER")]
    pub(super) user: String,
    /// The password; better given as SIP_PASSWORD, since other users of the machine can see command lines.
    #[arg(long, short, value_name = "PASSWORD", env = "SIP_PASSWORD", hide_env_values = true, default_value = "")]
    pub(super) password: String,
    /// The domain of the user's address. Default: the server's address.
    #[arg(long, value_name = "DOMAIN")]
    pub(super) domain: Option<String>,
    /// The name that others are shown.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// How long a registration is asked for.
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(super) expires: Duration,
    /// Where to listen. Default: a free port on the address that faces the server.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
}

#[derive(Args, Debug)]
pub(super) struct AudioArguments {
    /// Say what is in this WAV file. Default: silence.
    #[arg(long, value_name = "WAV")]
    pub(super) play: Option<PathBuf>,
    /// Write what is heard into this WAV file (8 kHz, mono, 16 bit).
    #[arg(long, value_name = "WAV")]
    pub(super) record: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "give a number of seconds, such as 2.5".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

/// The first address that the system knows for `text`.
fn server(text: &str) -> Result<SocketAddr, String> {
    let with_port = match text.parse::<std::net::IpAddr>() {
        Ok(address) => return Ok(SocketAddr::new(address, 5060)),
        Err(_) if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => text.to_owned(),
        Err(_) => format!("{text}:5060"),
    };
    let mut addresses = with_port.to_socket_addrs().map_err(|error| format!("{text}: {error}"))?;
    addresses.next().ok_or_else(|| format!("{text} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_server_may_lack_its_port() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:5060"),
            ("192.0.2.1:5070", "192.0.2.1:5070"),
            ("[::1]:5070", "[::1]:5070"),
            ("::1", "[::1]:5060"),
            ("localhost:5070", "127.0.0.1:5070"),
        ] {
            let found = server(text).unwrap();
            assert!(
                found == address.parse().unwrap() || text == "localhost:5070" && found.port() == 5070,
                "{text}: {found}"
            );
        }
        assert!(server("192.0.2.1:port").is_err());
    }
}
