//! Kamailio as a proxy that speaks TLS: it answers OPTIONS that come by TLS, and what comes by UDP it sends on by TLS.

use std::net::SocketAddr;
use std::path::Path;

use super::kamailio::Kamailio;
use super::ports::{free_port, loopback};

/// A running Kamailio: whoever connects has to show a certificate, and so has whoever it connects to.
#[derive(Debug)]
pub(crate) struct TlsKamailio {
    kamailio: Kamailio,
    tls: SocketAddr,
}

impl TlsKamailio {
    /// Shows `own`, certificate and key in one file, believes `authorities`, and sends on to `next`.
    #[track_caller]
    pub(crate) fn start(folder: &Path, own: &Path, authorities: &Path, next: SocketAddr) -> Self {
        let tls = loopback(free_port());
        let configuration = CONFIGURATION
            .replace("{{listen}}", &tls.to_string())
            .replace("{{own}}", &own.display().to_string())
            .replace("{{authorities}}", &authorities.display().to_string())
            .replace("{{next}}", &next.to_string());
        Self { kamailio: Kamailio::start_with_configuration(folder, &configuration), tls }
    }

    /// Where it listens, for UDP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.kamailio.address()
    }

    /// Where it listens, for TLS.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.tls
    }
}

const CONFIGURATION: &str = r##"#!KAMAILIO
debug=2
log_stderror=yes
auto_aliases=no
dns=no
rev_dns=no
enable_tls=yes
listen=tls:{{listen}}
tcp_children=2
# What RFC 5923 calls an alias, where a Via asks for one.
tcp_accept_aliases=yes
tcp_connection_lifetime=600
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/:/usr/lib64/kamailio/modules/"

loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"

modparam("tls", "certificate", "{{own}}")
modparam("tls", "private_key", "{{own}}")
modparam("tls", "ca_list", "{{authorities}}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tm", "fr_timer", 5000)

request_route {
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("OPTIONS") && $rU == $null) {
        sl_send_reply("200", "OK");
        exit;
    }
    $du = "sip:{{next}};transport=tls";
    if (!t_relay()) {
        sl_reply_error();
    }
}
"##;
