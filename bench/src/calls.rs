//! What a call through the B2BUA costs, without sound; and calls that are held, for the relay.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, ensure};
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{Contact, Message, Method, NameAddr, Request, Response, StatusCode};
use bytes::Bytes;

use crate::load::{Load, Wire, drive};
use crate::place::Place;
use crate::registrar::{Challenge, FORGOTTEN, Registrations};
use crate::report::{Report, Side};
use crate::server::{Serve, Server, Stopwatch};
use crate::subscriber::Subscriber;

const CALLER: u32 = 0;
const CALLEE: u32 = 1;

/// The bar that is set for a call, in µs: Asterisk 23 took 2,300 on a like machine.
const BAR: f64 = 150.0;

/// The bar that is set for what a call takes of memory, in bytes: Asterisk 23 took 424,000 on a like machine.
const MEMORY_BAR: f64 = 15_000.0;

/// Calls begun in a second that are to be held.
const SETTING_UP_RATE: u32 = 200;

/// How often one INVITE may be challenged. One phone that calls many times at once has its INVITEs overtake each other where there are
/// several shards, and a nonce is not taken with a count below one that was seen (RFC 7616 §3.4.5).
const MOST_CHALLENGES: u32 = 3;

/// The RTP port of phones without sound; nobody sends, so nobody listens.
const NO_SOUND: u16 = 40_000;

pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) runs: u32,
    pub(crate) rate: u32,
    /// Calls that are held while memory is measured; 0 leaves that out.
    pub(crate) held: u32,
}

pub(crate) fn run(options: &Options, mut report: Report) -> anyhow::Result<Report> {
    let place = Place::choose(false, &mut report)?;
    for _ in 0..options.runs {
        report.next_run();
        let server = Server::ours(&place, &Serve::with_digest())?;
        measure("calls.b2bua", &server, options, Some(BAR), &mut report)?;
        drop(server);
        let server = Server::ours_durable(&place, &Serve::with_digest())?;
        measure("calls.b2bua.written", &server, options, None, &mut report)?;
    }
    if options.held > 0 {
        for _ in 0..options.runs {
            report.next_run();
            memory(&place, options.held, &mut report)?;
        }
    }
    let Options { rate, held, .. } = options;
    report.note(format!("{rate} calls begun a second: INVITE with known nonce, 180, 200, ACK, BYE, 200 on both legs; two RTP and two RTCP sockets each."));
    report
        .note("calls.b2bua: call records in memory; written: in SQLite, at the answer before its 200 and at the end.");
    if *held > 0 {
        report.note(format!("memory: growth of the resident memory by {held} calls that are held without sound, {FORGOTTEN:?} after the last 200."));
    }
    Ok(report)
}

fn measure(
    name: &str,
    server: &Server,
    options: &Options,
    bar: Option<f64>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut wire = Wire::to(server.address)?;
    let mut load = Calls::between_registered_phones(&mut wire)?;
    // The first call is challenged, the others answer the nonce that they know.
    ensure!(drive(&mut load, &mut wire, options.time, 1_000, 1)?.done == 1, "the first call failed");
    report.begin(Side::Ours, name);
    let watch = Stopwatch::start(server)?;
    let outcome = drive(&mut load, &mut wire, options.time, options.rate, u64::MAX)?;
    watch.report(server, (Side::Ours, name, "µs/call"), outcome.done, bar, report)?;
    report.outcome(Side::Ours, name, outcome);
    report.share(Side::Ours, &format!("{name}.unexpected"), load.unexpected, outcome.done + outcome.failed);
    Ok(())
}

/// What a call takes while it is held.
fn memory(place: &Place, held: u32, report: &mut Report) -> anyhow::Result<()> {
    report.begin(Side::Ours, "calls.memory");
    let server = Server::ours(place, &Serve::with_digest())?;
    let mut wire = Wire::to(server.address)?;
    let mut load = Calls::between_registered_phones(&mut wire)?;
    ensure!(drive(&mut load, &mut wire, Duration::from_secs(1), 1_000, 1)?.done == 1, "the first call failed");
    load.hold = true;
    let before = server.memory()?;
    let outcome = drive(&mut load, &mut wire, Duration::from_secs(600), SETTING_UP_RATE, u64::from(held))?;
    report.outcome(Side::Ours, "calls.memory", outcome);
    std::thread::sleep(FORGOTTEN);
    let grown = server.memory()?.saturating_sub(before);
    report.figure(Side::Ours, "calls.memory", "B/call", grown as f64 / f64::from(held), Some(MEMORY_BAR));
    Ok(())
}

/// One phone that calls another through the server; both are at this end of the wire.
pub(crate) struct Calls {
    caller: Subscriber,
    callee: Subscriber,
    begun: u64,
    /// By Call-ID: the caller's calls that are not over.
    placed: HashMap<String, Placed>,
    /// By Call-ID: calls at the callee that are not over, with the 200 that answered them.
    taken: HashMap<String, Bytes>,
    /// Calls that are over at the caller, and at the callee.
    ended: (u64, u64),
    unexpected: u64,
    /// What the last call was answered that failed so.
    pub(crate) refusal: Option<StatusCode>,
    /// Whether calls are held, and done as soon as they are answered.
    pub(crate) hold: bool,
    /// With sound: an RTP socket for each end, connected to the server's.
    pub(crate) ears: Option<Vec<UdpSocket>>,
}

struct Placed {
    invite: Request,
    challenges: u32,
    ear: Option<UdpSocket>,
}

impl Calls {
    /// Registers a caller and a callee.
    pub(crate) fn between_registered_phones(wire: &mut Wire) -> anyhow::Result<Self> {
        let mut callee = Registrations::of(std::iter::once(CALLEE));
        callee.challenge = Challenge::First;
        callee.once(wire)?;
        let (caller, callee) = (Subscriber::new(CALLER), Subscriber::new(CALLEE));
        let (placed, taken) = (HashMap::new(), HashMap::new());
        Ok(Self {
            caller,
            callee,
            begun: 0,
            placed,
            taken,
            ended: (0, 0),
            unexpected: 0,
            refusal: None,
            hold: false,
            ears: None,
        })
    }

    /// A socket for one end of a call, if it is to have sound, and the SDP that names its port.
    fn open_ear(&self) -> anyhow::Result<(Option<UdpSocket>, Bytes)> {
        let ear = self.ears.is_some().then(|| UdpSocket::bind("127.0.0.1:0")).transpose()?;
        let port = ear.as_ref().map_or(Ok(NO_SOUND), |ear| ear.local_addr().map(|local| local.port()))?;
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        );
        Ok((ear, Bytes::from(sdp)))
    }

    /// Keeps the socket of an end, which will talk to whom the server's SDP names.
    fn keep_ear(&mut self, ear: Option<UdpSocket>, sdp: &Bytes) -> anyhow::Result<()> {
        if let (Some(ears), Some(ear)) = (&mut self.ears, ear) {
            let description = SessionDescription::parse(sdp)?;
            let media = description.media.first().context("an SDP without media")?;
            ear.connect(media.rtp_address().context("an SDP without an address")?)?;
            ears.push(ear);
        }
        Ok(())
    }

    /// What a response to the caller means: how many calls are set up by it, and how many failed.
    fn caller_hears(&mut self, wire: &mut Wire, response: &Response) -> anyhow::Result<(u64, u64)> {
        let call_id = response.call_id().to_string();
        let Some(mut call) = self.placed.remove(&call_id) else { return Ok((0, 0)) };
        if response.cseq().method == Method::Bye {
            self.ended.0 += 1;
            return Ok((0, u64::from(!response.status().is_success())));
        }
        let ack = Request::builder(Method::Ack, call.invite.uri().clone());
        let ack = ack.from(call.invite.from().clone()).to(response.to().clone()).call_id(&call_id);
        let ack = ack.cseq(response.cseq().number);
        if !response.status().is_success() {
            wire.send(&ack.via(response.via().clone()).build()?.to_bytes())?;
            if response.status().code() != 401 || call.challenges == MOST_CHALLENGES {
                self.refusal = Some(response.status());
                return Ok((0, 1));
            }
            call.invite = self.caller.authorized(&call.invite, response)?;
            call.challenges += 1;
            wire.request(call.invite.clone())?;
            self.placed.insert(call_id, call);
            return Ok((0, 0));
        }
        let contact: Contact = response.headers().get()?.context("a 200 without Contact")?;
        let target = contact.address().context("a Contact of *")?.uri.clone();
        let mut ack = ack.build()?;
        ack.set_uri(target);
        wire.acknowledge(ack.clone())?;
        self.keep_ear(call.ear.take(), response.body())?;
        if self.hold {
            return Ok((1, 0));
        }
        let bye = Request::builder(Method::Bye, ack.uri().clone()).from(ack.from().clone()).to(ack.to().clone());
        wire.request(bye.call_id(&call_id).cseq(ack.cseq().number + 1).build()?)?;
        self.placed.insert(call_id, call);
        Ok((0, 0))
    }

    fn callee_hears(&mut self, wire: &mut Wire, request: &Request) -> anyhow::Result<()> {
        let call_id = request.call_id().to_string();
        let respond = |status| Response::to_request(request, status).to_tag("callee");
        match request.method() {
            Method::Invite => match self.taken.get(&call_id) {
                Some(ok) => wire.send(ok)?,
                None => {
                    wire.send(&respond(StatusCode::RINGING).build().to_bytes())?;
                    let (ear, sdp) = self.open_ear()?;
                    self.keep_ear(ear, request.body())?;
                    let ok = respond(StatusCode::OK).header(self.callee.contact(wire)).body("application/sdp", sdp);
                    let ok = ok.build().to_bytes();
                    wire.send_until_answered(call_id.clone(), ok.clone())?;
                    self.taken.insert(call_id, ok);
                }
            },
            Method::Ack => {
                wire.answered(&call_id);
            }
            Method::Bye => {
                self.ended.1 += u64::from(self.taken.remove(&call_id).is_some());
                wire.send(&respond(StatusCode::OK).build().to_bytes())?;
            }
            _ => self.unexpected += 1,
        }
        Ok(())
    }
}

impl Load for Calls {
    fn begin(&mut self, wire: &mut Wire) -> anyhow::Result<bool> {
        self.begun += 1;
        let callee = Subscriber::address(CALLEE, wire);
        let call_id = format!("call-{}@bench", self.begun);
        let (ear, sdp) = self.open_ear()?;
        let invite = self.caller.begin(Method::Invite, callee.clone(), NameAddr::new(callee), &call_id, wire);
        let invite = invite.header(self.caller.contact(wire)).body("application/sdp", sdp);
        let invite = self.caller.prepared(invite)?;
        wire.request(invite.clone())?;
        self.placed.insert(call_id, Placed { invite, challenges: 0, ear });
        Ok(true)
    }

    fn receive(&mut self, wire: &mut Wire, message: Message) -> anyhow::Result<(u64, u64)> {
        let before = self.ended.0.min(self.ended.1);
        let (held, failed) = match message {
            Message::Response(response) => self.caller_hears(wire, &response)?,
            Message::Request(request) => {
                self.callee_hears(wire, &request)?;
                (0, 0)
            }
        };
        // A call is over when both ends know.
        Ok((held + self.ended.0.min(self.ended.1) - before, failed))
    }
}
