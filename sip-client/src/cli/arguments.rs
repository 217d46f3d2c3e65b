//! What can be asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use blether_sip_core::Host;
use blether_sip_transport::Transport;
use blether_sip_transport::resolve::{Destination, DestinationHost};
use clap::{Args, Parser, Subcommand};

/// The most keys that can wait to be pressed.
const MOST_KEYS: usize = 64;

/// What the exit code says; see [`Exit`](super::Exit).
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something here failed: a file, a port, the network
  2    wrong command line
  3    the server does not take the account, or does not answer
  4    the call was refused: busy, unknown, declined
  5    nobody answered, or nobody called, in time
  130  interrupted before it was done; a second Ctrl-C ends the program at once";

/// A headless SIP phone: calls, listens, registers. It speaks UDP or TCP, and G.711.
#[derive(Debug, Parser)]
#[command(name = "sip-client", version, about, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// Write one JSON object a line instead of text.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say on standard error what goes on inside.
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
    /// Show every SIP message on standard error.
    #[arg(long, global = true)]
    pub(super) trace: bool,
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
        #[arg(long, value_name = "KEYS", value_parser = keys)]
        keys: Option<String>,
        /// How long it may ring.
        #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
        ring: Duration,
        /// How long to talk. Default: until the file is played, or the other side hangs up.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        talk: Option<Duration>,
    },
    /// Register and answer calls, one at a time; who calls meanwhile hears that the phone is busy.
    Listen {
        #[command(flatten)]
        account: AccountArguments,
        #[command(flatten)]
        registration: RegistrationArguments,
        #[command(flatten)]
        audio: AudioArguments,
        /// How many calls to answer before the program ends.
        #[arg(long, value_name = "CALLS", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
        calls: u32,
        /// How long to wait for each call. Default: for ever.
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
        #[command(flatten)]
        registration: RegistrationArguments,
        /// Stay registered this long, or until Ctrl-C.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        stay: Option<Duration>,
    },
}

#[derive(Args, Debug)]
pub(super) struct AccountArguments {
    /// The server: an address or name. Of a name without a port DNS says which servers and ports it has (SRV), and each is tried; of an
    /// address, the port is 5060 if there is none.
    #[arg(long, short, value_name = "HOST[:PORT]", env = "SIP_SERVER", value_parser = server)]
    pub(super) server: Server,
    /// The user name.
    #[arg(long, short, value_name = "USER", env = "SIP_USER")]
    pub(super) user: String,
    /// The password; better given as SIP_PASSWORD, since other users of the machine can see command lines.
    #[arg(long, short, value_name = "PASSWORD", env = "SIP_PASSWORD", hide_env_values = true, default_value = "")]
    pub(super) password: String,
    /// The domain of the user's address. Default: the server's name, or its address where that was given.
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    pub(super) domain: Option<Host>,
    /// The name that others are shown.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// How to speak with the server: udp or tcp.
    #[arg(long, value_name = "TRANSPORT", default_value = "udp", value_parser = transport)]
    pub(super) transport: Transport,
    /// Where to listen. Default: a free port on the address that faces the server.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
}

#[derive(Args, Debug)]
pub(super) struct RegistrationArguments {
    /// How long a registration is asked for; it is renewed in time.
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) expires: u32,
    /// How long to wait for the server. SIP itself waits for 32; in 10, five REGISTERs have gone out.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) timeout: Duration,
}

#[derive(Args, Debug)]
pub(super) struct AudioArguments {
    /// Say what is in this WAV file (PCM of any rate). Default: silence.
    #[arg(long, value_name = "WAV")]
    pub(super) play: Option<PathBuf>,
    /// Write what is heard into this WAV file (8 kHz, mono, 16 bit). A file that is there is replaced; with several calls, the second
    /// is NAME-2.wav.
    #[arg(long, value_name = "WAV")]
    pub(super) record: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "give a number of seconds, such as 2.5".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

fn keys(text: &str) -> Result<String, String> {
    match text.chars().find(|key| !matches!(key, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')) {
        Some(key) => Err(format!("{key:?} is no key; there are 0-9, *, #, A-D")),
        None if text.len() > MOST_KEYS => Err(format!("{} keys are too many; {MOST_KEYS} can be pressed", text.len())),
        None => Ok(text.to_owned()),
    }
}

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        _ => Err("give udp or tcp".to_owned()),
    }
}

fn domain(text: &str) -> Result<Host, String> {
    text.parse().map_err(|_| "give a name or an address, such as example.org".to_owned())
}

/// Where the server is, and the name by which it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) destination: Destination,
    /// What the user's domain is by default: the server's name or address. `localhost` names no domain.
    pub(super) domain: Host,
}

fn server(text: &str) -> Result<Server, String> {
    let wrong = |_| "give HOST or HOST:PORT, such as 192.0.2.1 or sip.example.org:5070".to_owned();
    let destination: Destination = text.parse().map_err(wrong)?;
    let domain = match &destination.host {
        DestinationHost::Address(address) => Host::from(*address),
        DestinationHost::Name(name) if name.as_str() == "localhost" => Host::from(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        DestinationHost::Name(name) => Host::Name(name.as_str().into()),
    };
    Ok(Server { destination, domain })
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
        for (text, domain) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:5070", "192.0.2.1"),
            ("[2001:db8::1]:5070", "[2001:db8::1]"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("sip.example.org:5070", "sip.example.org"),
        ] {
            let found = server(text).unwrap();
            assert_eq!((found.destination.to_string().as_str(), found.domain.to_string().as_str()), (text, domain));
        }
        for text in ["192.0.2.1:port", "192.0.2.1:0", "localhost:0", "sip:192.0.2.1", "user@192.0.2.1", "", "two words"]
        {
            assert!(server(text).is_err_and(|error| error.contains("HOST:PORT")), "{text}");
        }
    }

    #[test]
    fn localhost_is_a_place_and_no_domain() {
        let found = server("localhost:5070").unwrap();
        assert_eq!(
            (found.destination.to_string(), found.domain.to_string()),
            ("localhost:5070".into(), "127.0.0.1".into())
        );
    }

    #[test]
    fn what_is_no_key_is_named() {
        assert_eq!(keys("0*#Da"), Ok("0*#Da".to_owned()));
        assert!(keys("12x").is_err_and(|error| error.contains("'x'")));
        assert!(keys(&"1".repeat(65)).is_err_and(|error| error.contains("64")));
    }

    #[test]
    fn a_registration_for_no_time_is_none() {
        let line = |expires| ["sip-client", "register", "-s", "192.0.2.1", "-u", "alice", "--expires", expires];
        assert!(Arguments::try_parse_from(line("0")).is_err());
        assert!(Arguments::try_parse_from(line("1")).is_ok());
    }
}
