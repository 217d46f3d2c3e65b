//! rtpengine as a relay in user space, driven by its ng protocol: a cookie and a bencoded dictionary each way.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, ensure};
use blether_sip_core::sdp::SessionDescription;

use crate::place::{Place, require};
use crate::server::{MEDIA_PORTS, Server};

pub(crate) const NAME: &str = "rtpengine";

/// How long it may take over a command.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether it is installed.
pub(crate) fn check() -> anyhow::Result<()> {
    require("rtpengine", "rtpengine-daemon")
}

/// Starts it with so many threads that relay.
pub(crate) fn start(place: &Place, threads: usize) -> anyhow::Result<Server> {
    let mut command = place.command("rtpengine");
    // Table -1: without its kernel module, as a container or a virtual machine of somebody else's has it.
    command.args(["--table=-1", "--foreground", "--log-stderr", "--log-level=3", "--interface=127.0.0.1"]);
    command.arg(format!("--listen-ng={}", place.address)).arg(format!("--num-threads={threads}"));
    command.arg(format!("--port-min={}", MEDIA_PORTS.first)).arg(format!("--port-max={}", MEDIA_PORTS.last));
    Server::peer(place, command, None, &|_| b"hello d7:command4:pinge".to_vec())
}

/// The way to a running one.
pub(crate) struct Control {
    socket: UdpSocket,
    cookies: u64,
}

impl Control {
    pub(crate) fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, cookies: 0 })
    }

    /// Sets up a call between two ports of ours: where each is to send to.
    pub(crate) fn call(
        &mut self,
        call_id: &str,
        caller: &str,
        callee: &str,
    ) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let names = [("call-id", call_id), ("from-tag", "caller"), ("ICE", "remove")];
        let offered = self.command("offer", &names, &[("sdp", caller)])?;
        let answered = self.command("answer", &names, &[("to-tag", "callee"), ("sdp", callee)])?;
        // The callee is given the offer, and the caller the answer.
        Ok((media_of(&answered)?, media_of(&offered)?))
    }

    fn command(&mut self, command: &str, names: &[(&str, &str)], more: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
        self.cookies += 1;
        let mut request = format!("{} d7:command{}:{command}", self.cookies, command.len());
        for (key, value) in names.iter().chain(more) {
            request.push_str(&format!("{}:{key}{}:{value}", key.len(), value.len()));
        }
        request.push('e');
        self.socket.send(request.as_bytes())?;
        let mut answer = vec![0; 65_535];
        let length = self.socket.recv(&mut answer).context("rtpengine does not answer")?;
        answer.truncate(length);
        let refused = || format!("rtpengine: {}", String::from_utf8_lossy(&answer));
        string_of(&answer, "sdp").with_context(refused).map(<[u8]>::to_vec)
    }
}

/// The string under a key of a bencoded dictionary of strings.
fn string_of<'a>(dictionary: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let start = dictionary.iter().position(|byte| *byte == b'd')? + 1;
    let mut rest = dictionary.get(start..)?;
    loop {
        let (name, behind) = string(rest)?;
        let (value, behind) = string(behind)?;
        if name == key.as_bytes() {
            return Some(value);
        }
        rest = behind;
    }
}

/// The string at the beginning, and what is behind it.
fn string(bencoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bencoded.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(bencoded.get(..colon)?).ok()?.parse().ok()?;
    bencoded.get(colon + 1..)?.split_at_checked(length)
}

fn media_of(sdp: &[u8]) -> anyhow::Result<SocketAddr> {
    let description = SessionDescription::parse(sdp)?;
    let media = description.media.first().context("an SDP without media")?;
    let address = media.rtp_address().context("an SDP without an address")?;
    ensure!(address.port() != 0, "rtpengine refuses the media");
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_found_in_a_bencoded_dictionary() {
        let dictionary = b"17 d6:result2:ok3:sdp6:v=0\r\n\ne";
        assert_eq!(string_of(dictionary, "sdp"), Some(&b"v=0\r\n\n"[..]));
        assert_eq!(string_of(dictionary, "result"), Some(&b"ok"[..]));
        for broken in [&b"17 d6:result2:oke"[..], b"17 d3:sdp99:v=0e", b"17", b"17 dx:sdpe"] {
            assert_eq!(string_of(broken, "sdp"), None, "{broken:?}");
        }
    }
}
