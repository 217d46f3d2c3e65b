//! What an RTP packet through a call costs and how much later it comes: all of it, the rewriting, the latch and the statistics are as in
//! any call.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::calls::Calls;
use crate::load::{Wire, drive};
use crate::place::Place;
use crate::registrar::sides;
use crate::report::{Report, Side};
use crate::rtpengine::{self, Control};
use crate::server::{Serve, Server, Stopwatch};
use crate::streams::{Heard, Streams};

/// Streams run so long before anything is measured: the first packets of a stream are those that latch it.
const WARM_UP: Duration = Duration::from_millis(200);

pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) runs: u32,
    pub(crate) calls: u32,
    pub(crate) all_cores: bool,
    pub(crate) peer: bool,
}

pub(crate) fn run(options: &Options, mut report: Report) -> anyhow::Result<Report> {
    if options.peer {
        rtpengine::check()?;
        report.beside(rtpengine::NAME);
    }
    let place = Place::choose(options.all_cores, &mut report)?;
    let workers = match options.all_cores {
        true => std::thread::available_parallelism().map_or(1, usize::from),
        false => 1,
    };
    for _ in 0..options.runs {
        report.next_run();
        for side in sides(options.peer) {
            report.begin(side, "relay.packet");
            let (server, ears) = match side {
                Side::Ours => ours(&place, workers, options)?,
                Side::Peer => theirs(&place, workers, options.calls)?,
            };
            measure(options, side, &server, ears, &mut report)?;
        }
    }
    without_relay(options, &mut report)?;
    let Options { calls, .. } = options;
    report.note(format!("{calls} calls, {} streams of 172 bytes every 20 ms.", calls * 2));
    report.note("delay: from before a packet is sent until after it is received, with what the generator's threads wait; delay.direct is the same without a relay.");
    report.note("Ours latches, checks the source, counts, rewrites SSRC, sequence and timestamp, and sends RTCP.");
    if options.peer {
        report
            .note("rtpengine relays in user space (table -1), keeps SSRC and sequence as they come, and relays RTCP.");
    }
    Ok(report)
}

/// call-engine, with calls that are held.
fn ours(place: &Place, workers: usize, options: &Options) -> anyhow::Result<(Server, Vec<UdpSocket>)> {
    let &Options { calls, all_cores, .. } = options;
    // Where the cost of a packet is measured, nothing else is counted.
    let server = Server::ours(place, &Serve::with_digest().on_cores(workers).counting(all_cores))?;
    let mut wire = Wire::to(server.address)?;
    let mut load = Calls::between_registered_phones(&mut wire)?;
    load.hold = true;
    load.ears = Some(Vec::new());
    let outcome = drive(&mut load, &mut wire, Duration::from_secs(600), 100, u64::from(calls))?;
    let (failed, why) = (outcome.failed, load.refusal);
    ensure!(failed == 0, "{failed} of {calls} calls could not be set up; the last that was refused: {why:?}");
    let ears = load.ears.take().context("calls with sound have sockets")?;
    Ok((server, ears))
}

/// rtpengine, with as many calls.
fn theirs(place: &Place, workers: usize, calls: u32) -> anyhow::Result<(Server, Vec<UdpSocket>)> {
    let server = rtpengine::start(place, workers)?;
    let mut control = Control::to(server.address)?;
    let mut ears = Vec::new();
    for number in 0..calls {
        let ends = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
        let [caller, callee] = ends;
        let (caller, callee) = (caller?, callee?);
        let [offer, answer] = [&caller, &callee].map(|ear| ear.local_addr().map(sdp));
        let (to_caller, to_callee) = control.call(&format!("relay-{number}"), &offer?, &answer?)?;
        caller.connect(to_caller)?;
        callee.connect(to_callee)?;
        ears.extend([caller, callee]);
    }
    Ok((server, ears))
}

fn sdp(local: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n",
        local.port()
    )
}

fn measure(
    options: &Options,
    side: Side,
    server: &Server,
    ears: Vec<UdpSocket>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut streams = Streams::over(ears)?;
    let warm = streams.run(WARM_UP)?;
    ensure!(warm.received() > 0, "nothing comes through the relay");
    let watch = Stopwatch::start(server)?;
    let heard = streams.run(options.time)?;
    watch.report(server, (side, "relay.packet", "µs/packet"), heard.received(), None, report)?;
    report.share(side, "relay.packet.lost", heard.lost(), heard.sent());
    report_delay(side, "relay.delay", &heard, report);
    if side == Side::Ours {
        let (sent, lost, streams) = (heard.sent(), heard.lost(), 2 * options.calls);
        report.note(format!("{sent} packets sent, {lost} lost; {} of {streams} streams came whole.", heard.lossless()));
    }
    if options.all_cores {
        let threads = server.threads()?.into_iter().filter(|(_, worked)| *worked >= Duration::from_millis(1));
        let worked: Vec<String> = threads.map(|(name, worked)| format!("{name} {} ms", worked.as_millis())).collect();
        report.note(format!(
            "CPU time of the server's threads, calls set up and packets relayed, {side:?}: {}.",
            worked.join(", ")
        ));
        let received = server.counted("blether_transaction_received_datagrams_total")?;
        let handled = server.counted("blether_transaction_handled_messages_total")?;
        let of_shard = |(shard, handled): (&usize, &u64)| {
            format!("shard {shard} handled {handled} of its own, and was given {}", received.get(shard).unwrap_or(&0))
        };
        let shards: Vec<String> = handled.iter().map(of_shard).collect();
        if !shards.is_empty() {
            report.note(format!("SIP messages, calls set up: {}.", shards.join("; ")));
        }
    }
    Ok(())
}

fn report_delay(side: Side, name: &str, heard: &Heard, report: &mut Report) {
    for (part, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        report.figure(side, &format!("{name}.{part}"), "µs", heard.delay(share), None);
    }
}

/// The same streams straight from end to end: what of the delay is the generator's own.
fn without_relay(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin(Side::Ours, "relay.delay.direct");
    let mut ears = Vec::new();
    for _ in 0..options.calls {
        let (a, b) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
        a.connect(b.local_addr()?)?;
        b.connect(a.local_addr()?)?;
        ears.extend([a, b]);
    }
    let heard = Streams::over(ears)?.run(options.time.min(Duration::from_secs(5)))?;
    report_delay(Side::Ours, "relay.delay.direct", &heard, report);
    Ok(())
}
