//! Kamailio as a registrar and proxy on loopback: every user has the same password, and REGISTER and INVITE need it.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::ports::{free_port, loopback};
use super::process::Process;
use super::{PATIENCE, wait_until};

/// A running Kamailio. Its realm and domain are `127.0.0.1`; audio goes from phone to phone past it.
#[derive(Debug)]
pub(crate) struct Kamailio {
    process: Process,
    address: SocketAddr,
}

impl Kamailio {
    /// Starts it with its files in `folder`, and returns when it answers OPTIONS. `password` is every user's; it asks for digest by MD5.
    #[track_caller]
    pub(crate) fn start(folder: &Path, password: &str) -> Self {
        Self::start_with_algorithm(folder, password, "MD5")
    }

    /// The same with another digest algorithm: `SHA-256`.
    #[track_caller]
    pub(crate) fn start_with_algorithm(folder: &Path, password: &str, algorithm: &str) -> Self {
        let text = CONFIGURATION.replace("{{password}}", password).replace("{{algorithm}}", algorithm);
        Self::start_with_configuration(folder, &text)
    }

    /// The same with a configuration of the caller's, which answers OPTIONS to an address without a user.
    #[track_caller]
    pub(crate) fn start_with_configuration(folder: &Path, text: &str) -> Self {
        let address = loopback(free_port());
        let directory = folder.join("kamailio");
        fs::create_dir_all(&directory).expect("the test's folder is writable");
        let configuration = directory.join("kamailio.cfg");
        fs::write(&configuration, text).expect("the test's folder is writable");
        let mut command = Command::new("/usr/sbin/kamailio");
        command.arg("-DD").arg("-E").arg("-f").arg(&configuration);
        command.arg("-l").arg(format!("udp:{address}"));
        // Two workers and little memory: it serves a handful of phones. -Y keeps its control files out of /run.
        command.args(["-n", "2", "-m", "64", "-M", "8"]).arg("-w").arg(&directory).arg("-Y").arg(&directory);
        let mut kamailio = Self { process: Process::start("kamailio", "kamailio", command, folder), address };
        kamailio.wait_until_it_answers();
        kamailio
    }

    /// Where it listens, for UDP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `sip:name@127.0.0.1:port`, the address of record of a user here.
    pub(crate) fn uri(&self, name: &str) -> String {
        format!("sip:{name}@{}", self.address)
    }

    #[track_caller]
    fn wait_until_it_answers(&mut self) {
        let socket = UdpSocket::bind(loopback(0)).expect("loopback has free ports");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("the time is not zero");
        let (here, there) = (socket.local_addr().expect("it is bound"), self.address);
        let mut attempt = 0;
        wait_until("Kamailio should answer OPTIONS", PATIENCE, || {
            self.process.assert_running();
            attempt += 1;
            let options = format!(
                "OPTIONS sip:{there} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-ready-{attempt};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:test@{here}>;tag=ready\r\nTo: <sip:{there}>\r\nCall-ID: ready-{attempt}@{here}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            socket.send_to(options.as_bytes(), there).ok()?;
            let mut answer = [0; 2_048];
            match socket.recv_from(&mut answer) {
                Ok((length, _)) => answer[..length].starts_with(b"SIP/2.0 200").then_some(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                    ) =>
                {
                    None
                }
                Err(error) => panic!("waiting for Kamailio: {error}"),
            }
        });
    }
}

const CONFIGURATION: &str = r##"#!KAMAILIO
debug=2
log_stderror=yes
auto_aliases=no
dns=no
rev_dns=no
disable_tcp=yes
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/:/usr/lib64/kamailio/modules/"

loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"

modparam("auth", "algorithm", "{{algorithm}}")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 3600)
modparam("registrar", "min_expires", 5)
# A phone that is gone must not hold up the test that follows.
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", 60000)

request_route {
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) {
            t_relay();
        }
        exit;
    }
    if (has_totag()) {
        if (loose_route()) {
            t_relay();
        } else if (is_method("ACK") && t_check_trans()) {
            t_relay();
        } else if (!is_method("ACK")) {
            sl_send_reply("404", "Not Here");
        }
        exit;
    }
    if (is_method("ACK")) {
        t_check_trans();
        exit;
    }
    t_check_trans();

    if (is_method("OPTIONS") && $rU == $null) {
        sl_send_reply("200", "OK");
        exit;
    }
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("$td", "{{password}}", "0")) {
            www_challenge("$td", "1");
            exit;
        }
        if ($au != $tU) {
            sl_send_reply("403", "Forbidden");
            exit;
        }
        if (!save("location")) {
            sl_reply_error();
        }
        exit;
    }
    if (!pv_proxy_authenticate("$fd", "{{password}}", "0")) {
        proxy_challenge("$fd", "1");
        exit;
    }
    if ($au != $fU) {
        sl_send_reply("403", "Forbidden");
        exit;
    }
    consume_credentials();
    if (is_method("INVITE|SUBSCRIBE")) {
        record_route();
    }
    if (!lookup("location")) {
        sl_send_reply("404", "Not Found");
        exit;
    }
    if (!t_relay()) {
        sl_reply_error();
    }
}
"##;
