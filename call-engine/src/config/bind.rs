//! Why a listening socket could not be made, for the operator.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use blether_sip_transport::Transport;

use super::value::Listen;

/// The address of `listen` cannot be had, told as one line that says what, where and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {}", mend(listen, config, cause))]
pub struct CannotListen {
    /// The address.
    pub listen: Listen,
    /// The configuration file that names it, or leaves it at its default.
    pub config: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

impl CannotListen {
    /// Explains `cause`, the answer of the system to binding `listen`, which the file `config` asks for.
    pub fn new(listen: Listen, config: &Path, cause: io::Error) -> Self {
        Self { listen, config: config.to_owned(), cause }
    }
}

fn mend(listen: &Listen, config: &Path, error: &io::Error) -> String {
    let (port, ip, config) = (listen.address.port(), listen.address.ip(), config.display());
    match error.kind() {
        ErrorKind::AddrInUse => {
            let kind = if listen.transport == Transport::Udp { 'u' } else { 't' };
            format!(
                "another program has this port; find it with `ss -l{kind}np 'sport = :{port}'` and end it, \
                 or choose another port with the key `listen` in {config}"
            )
        }
        ErrorKind::PermissionDenied if (1..1024).contains(&port) => format!(
            "ports below 1024 need a right that this user does not have; \
             choose a port from 1024 with the key `listen` in {config}, or give the program CAP_NET_BIND_SERVICE"
        ),
        ErrorKind::PermissionDenied => format!(
            "the system forbids it ({error}); look at the limits of this user or container, \
             or choose another address with the key `listen` in {config}"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "this machine has no address {ip}; see `ip address` for those it has, \
             and set the key `listen` in {config} to one of them or to 0.0.0.0 for all"
        ),
        _ => format!("{error}; check the key `listen` in {config}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(listen: &str, kind: ErrorKind) -> String {
        let config = Path::new("blether-data/call-engine.toml");
        CannotListen::new(listen.parse().unwrap(), config, kind.into()).to_string()
    }

    #[test]
    fn a_port_in_use_names_the_address_the_command_that_finds_its_owner_and_the_key() {
        assert_eq!(
            line("udp:0.0.0.0:5060", ErrorKind::AddrInUse),
            "cannot listen on udp:0.0.0.0:5060: another program has this port; find it with `ss -lunp 'sport = :5060'` and \
             end it, or choose another port with the key `listen` in blether-data/call-engine.toml"
        );
    }

    #[test]
    fn a_low_port_without_the_right_names_the_right() {
        let text = line("udp:0.0.0.0:506", ErrorKind::PermissionDenied);
        assert!(text.contains("ports below 1024") && text.contains("CAP_NET_BIND_SERVICE"), "{text}");
        assert!(!line("udp:0.0.0.0:5060", ErrorKind::PermissionDenied).contains("below 1024"));
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let text = line("udp:192.0.2.1:5060", ErrorKind::AddrNotAvailable);
        assert!(text.contains("this machine has no address 192.0.2.1"), "{text}");
    }

    #[test]
    fn every_kind_is_told_in_one_line() {
        for kind in [ErrorKind::AddrInUse, ErrorKind::PermissionDenied, ErrorKind::AddrNotAvailable, ErrorKind::Other] {
            assert_eq!(line("udp:[::]:5060", kind).lines().count(), 1);
        }
    }
}
