//! The RTCP of one leg: what is to be reported and when, and what the peer reports (RFC 3550 §6.3, §6.4).

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use rand::rngs::StdRng;

use super::interval::{Membership, Schedule};
use super::ntp::{NtpTimestamp, duration_of_short, short_from};
use super::packet::{ReportBlock, RtcpCompound, RtcpPacket, SenderInfo};
use super::write::{Cname, CompoundWriter};
use crate::error::RtcpError;
use crate::packet::RtpPacket;
use crate::sequence::{RtpTimestamp, SequenceNumber, Ssrc, duration_of, ticks};
use crate::statistics::{Arrival, ReceiverStatistics, Reception};

/// Bytes of a sender report with one block, and of a description with a CNAME of 16: what a report will probably be.
const PROBABLE_SIZE: usize = 52 + 28;
/// Sender reports that the peer may still be answering. 4: it answers each within one interval of its own, which is about ours.
const REMEMBERED_REPORTS: usize = 4;
/// Intervals after which a member that was not heard is gone (§6.3.5).
const INTERVALS_BEFORE_TIMEOUT: u32 = 5;
/// How far behind the newest packet one may be and still be one that was overtaken: what [`MAX_MISORDER`](crate::MAX_MISORDER) packets last.
const LONGEST_OVERTAKEN: Duration = Duration::from_secs(2);
/// How much later than possible a report may claim to have been answered: what ticks and drifting clocks of two hosts add up to. More means that
/// the peer's figures are wrong, and nothing is measured.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(10);

/// What an [`RtcpSession`] is from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtcpConfig {
    /// The source that sends: that of the RTP packets.
    pub ssrc: Ssrc,
    /// Hertz of the timestamps, both ways. 8 000: G.711; 0 counts as 1.
    pub clock_rate: u32,
    /// Who we are; by default a random name for this session (RFC 7022 §4.2).
    pub cname: Option<Cname>,
    /// Bits a second of RTP that all members send together, lower layers included; RTCP gets 5 % on top (§6.2). 160 000: G.711 both ways in
    /// packets of 20 ms.
    pub session_bandwidth: u32,
}

impl Default for RtcpConfig {
    fn default() -> Self {
        Self { ssrc: Ssrc::default(), clock_rate: 8_000, cname: None, session_bandwidth: 160_000 }
    }
}

/// What the peer says of the stream that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerReport {
    /// Lost of those that it expected since its report before, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the stream began; negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// The highest sequence number that it received, with the number of wraps above its 16 bits.
    pub highest_sequence: u32,
    /// Packets that it could have received up to that one: the span of our stream's sequence numbers from the first that was sent (RFC 3550 A.3). Numbers that
    /// were left out, because what was to be relayed never came here, are part of it. Zero if we have sent no such number.
    pub expected: u64,
}

impl PeerReport {
    /// The share that was lost since the report before, 0 to 1.
    #[must_use]
    pub fn fraction_lost_ratio(&self) -> f64 {
        f64::from(self.fraction_lost) / 256.0
    }

    /// The share that was lost since the stream began, 0 to 1; `None` while nothing was expected.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn cumulative_lost_ratio(&self) -> Option<f64> {
        (self.expected > 0).then(|| (f64::from(self.cumulative_lost) / self.expected as f64).clamp(0.0, 1.0))
    }
}

/// What the reports of both sides have told so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtcpStatistics {
    /// Compound packets made to be sent, the last goodbye included.
    pub sent: u64,
    /// Compound packets that were understood.
    pub received: u64,
    /// The way there and back by the last report that answered one of ours; `None` until one has (§6.4.1, figure 2).
    pub round_trip: Option<Duration>,
    /// What the peer last said of our stream; `None` until it has.
    pub peer: Option<PeerReport>,
    /// Whether the peer has said goodbye and sent nothing since (§6.6).
    pub peer_left: bool,
}

/// The RTCP of one participant with one peer, without I/O.
///
/// It is told of each RTP packet, sent or received, and of each datagram of RTCP. When [`poll_timeout`](Self::poll_timeout) says so,
/// [`handle_timeout`](Self::handle_timeout) is called, and then [`poll_transmit`](Self::poll_transmit) writes a report if one is due. `wall`
/// is the time of day; only the NTP timestamps that are sent depend on it, so setting the clock spoils no measurement.
///
/// ```
/// use std::time::{Instant, SystemTime};
/// use blether_rtp_core::{RtcpCompound, RtcpConfig, RtcpSession, Ssrc};
/// use rand::{SeedableRng, rngs::StdRng};
///
/// let config = RtcpConfig { ssrc: Ssrc(7), ..RtcpConfig::default() };
/// let mut session = RtcpSession::new(Instant::now(), config, StdRng::seed_from_u64(1));
/// let mut report = Vec::new();
/// while report.is_empty() {
///     let due = session.poll_timeout();
///     session.handle_timeout(due);
///     session.poll_transmit(due, SystemTime::now(), &mut report);
/// }
/// assert_eq!(RtcpCompound::parse(&report)?.sender(), Some(Ssrc(7)));
/// # Ok::<(), blether_rtp_core::RtcpError>(())
/// ```
#[derive(Debug)]
pub struct RtcpSession {
    ssrc: Ssrc,
    clock_rate: u32,
    cname: Cname,
    schedule: Schedule,
    due: bool,
    reception: ReceiverStatistics,
    // Sending.
    sent_packets: u32,
    sent_octets: u32,
    /// The sequence numbers that were sent.
    span: Option<Span>,
    /// The newest packet that was sent, and when.
    newest: Option<(RtpTimestamp, Instant)>,
    /// Whether packets were sent since the last report, and between that and the one before (§6.4).
    sent_lately: [bool; 2],
    /// The middle of the NTP timestamps of our sender reports, and when they went.
    reports: VecDeque<(u32, Instant)>,
    // Hearing.
    peer_heard_at: Option<Instant>,
    peer_sent_at: Option<Instant>,
    /// Whose sender report came last, the middle of its NTP timestamp, and when it came.
    last_sender_report: Option<(Ssrc, u32, Instant)>,
    figures: RtcpStatistics,
}

/// The sequence numbers of a stream, from the first that was sent to the highest.
#[derive(Debug, Clone, Copy)]
struct Span {
    highest: SequenceNumber,
    /// How many there are, the left out ones included.
    numbers: u64,
}

impl Span {
    fn reach(&mut self, sequence: SequenceNumber) {
        if let Ok(ahead) = u64::try_from(sequence.distance(self.highest))
            && ahead > 0
        {
            self.numbers += ahead;
            self.highest = sequence;
        }
    }

    /// How many there are up to this one. Its wraps are counted from where the peer began, so only its 16 bits are looked at: the last such number that was
    /// sent is meant, since no report is so late that 65 536 packets were sent meanwhile.
    fn up_to(self, extended: u32) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "the upper 16 bits count wraps")]
        let behind = self.highest.0.wrapping_sub(extended as u16);
        self.numbers.saturating_sub(behind.into())
    }
}

impl RtcpSession {
    /// A session that begins at `now`. `rng` varies the intervals and makes up the CNAME if none is given.
    #[must_use]
    pub fn new(now: Instant, config: RtcpConfig, rng: StdRng) -> Self {
        let mut schedule = Schedule::new(now, config.session_bandwidth, PROBABLE_SIZE, rng);
        let clock_rate = config.clock_rate.max(1);
        Self {
            ssrc: config.ssrc,
            clock_rate,
            cname: config.cname.unwrap_or_else(|| Cname::random(schedule.rng())),
            schedule,
            due: false,
            reception: ReceiverStatistics::new(clock_rate),
            sent_packets: 0,
            sent_octets: 0,
            span: None,
            newest: None,
            sent_lately: [false; 2],
            reports: VecDeque::with_capacity(REMEMBERED_REPORTS),
            peer_heard_at: None,
            peer_sent_at: None,
            last_sender_report: None,
            figures: RtcpStatistics::default(),
        }
    }

    /// Takes in that an RTP packet was sent at `now`.
    pub fn sent(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        self.sent_packets = self.sent_packets.wrapping_add(1);
        let octets = u32::try_from(packet.payload().len()).unwrap_or(u32::MAX);
        self.sent_octets = self.sent_octets.wrapping_add(octets);
        match &mut self.span {
            Some(span) => span.reach(packet.sequence()),
            None => self.span = Some(Span { highest: packet.sequence(), numbers: 1 }),
        }
        let timestamp = packet.timestamp();
        // One that was overtaken says nothing of what time it is, nor does the report of a key, which bears the time of its beginning. One that
        // is further behind is of a sender that has set its clock.
        let late = |newest: RtpTimestamp| {
            let behind = duration_of(newest.0.wrapping_sub(timestamp.0), self.clock_rate);
            behind <= LONGEST_OVERTAKEN
        };
        if self.newest.is_none_or(|(newest, _)| !late(newest)) {
            self.newest = Some((timestamp, now));
        }
        self.sent_lately[0] = true;
    }

    /// Takes in that an RTP packet of the peer's came at `now`, and says where it belongs in its stream.
    pub fn received(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Arrival {
        self.peer_heard_at = Some(now);
        self.peer_sent_at = Some(now);
        self.figures.peer_left = false;
        self.reception.record(now, packet)
    }

    /// Takes in a datagram of RTCP that came from the peer at `now`.
    ///
    /// # Errors
    /// [`RtcpError`]; nothing of it was taken in then.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<(), RtcpError> {
        let compound = RtcpCompound::parse(datagram)?;
        if compound.sender() == Some(self.ssrc) {
            // Our own, come back (§8.2).
            return Err(RtcpError::Loop);
        }
        self.figures.received += 1;
        self.schedule.passed(datagram.len());
        self.peer_heard_at = Some(now);
        self.figures.peer_left = false;
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport(report) => {
                    self.last_sender_report = Some((report.ssrc, report.info.ntp.middle(), now));
                    self.hear_blocks(now, report.blocks());
                }
                RtcpPacket::ReceiverReport(report) => self.hear_blocks(now, report.blocks()),
                RtcpPacket::Goodbye(goodbye) => {
                    let stream = self.reception.ssrc();
                    if goodbye.sources().any(|source| Some(source) == stream || Some(source) == compound.sender()) {
                        self.figures.peer_left = true;
                    }
                }
                RtcpPacket::SourceDescription(_) | RtcpPacket::Other { .. } => {}
            }
        }
        if self.figures.peer_left {
            (self.peer_heard_at, self.peer_sent_at) = (None, None);
        }
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.schedule.next()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.schedule.next() {
            return;
        }
        let who = self.membership(now);
        if self.schedule.expire(now, who) {
            self.due = true;
        }
    }

    /// Appends to `out` the compound packet that is due, if one is, and says so: a report and our CNAME.
    pub fn poll_transmit(&mut self, now: Instant, wall: SystemTime, out: &mut Vec<u8>) -> bool {
        if !self.due {
            return false;
        }
        self.due = false;
        self.write(now, wall, None, out);
        self.sent_lately = [false, self.sent_lately[0]];
        true
    }

    /// Appends to `out` a last report with a goodbye (§6.6), and says so. `false`, and nothing, if nothing was ever sent: one that was never heard must
    /// not say goodbye (§6.3.7). A session that has said goodbye is not used any more.
    #[must_use]
    pub fn goodbye(&mut self, now: Instant, wall: SystemTime, out: &mut Vec<u8>) -> bool {
        let heard = self.sent_packets > 0 || self.figures.sent > 0;
        if heard {
            self.write(now, wall, Some(self.ssrc), out);
        }
        heard
    }

    /// Whose RTP packets came last.
    #[must_use]
    pub fn peer(&self) -> Option<Ssrc> {
        self.reception.ssrc()
    }

    /// What was received.
    #[must_use]
    pub fn reception(&self) -> Reception {
        self.reception.report()
    }

    /// What the reports have told.
    #[must_use]
    pub fn statistics(&self) -> RtcpStatistics {
        self.figures
    }

    fn write(&mut self, now: Instant, wall: SystemTime, leaving: Option<Ssrc>, out: &mut Vec<u8>) {
        let start = out.len();
        let block = self.block(now);
        let blocks = block.as_slice();
        let info = self.newest.filter(|_| self.sent_lately.contains(&true)).map(|(timestamp, at)| SenderInfo {
            ntp: NtpTimestamp::from(wall),
            rtp: timestamp.plus(ticks(now.saturating_duration_since(at), self.clock_rate)),
            packets: self.sent_packets,
            octets: self.sent_octets,
        });
        let report = match &info {
            Some(info) => CompoundWriter::sender_report(out, self.ssrc, info, blocks),
            None => CompoundWriter::receiver_report(out, self.ssrc, blocks),
        };
        let written = report.and_then(|writer| {
            let writer = writer.cname(self.ssrc, &self.cname);
            if leaving.is_some() { writer.goodbye(leaving.as_slice(), None).map(drop) } else { Ok(()) }
        });
        debug_assert!(written.is_ok(), "one block, one source and no reason are always writable");
        if let Some(info) = info {
            if self.reports.len() >= REMEMBERED_REPORTS {
                self.reports.pop_front();
            }
            self.reports.push_back((info.ntp.middle(), now));
        }
        self.figures.sent += 1;
        self.schedule.passed(out.len() - start);
    }

    /// What there is to say of the peer's stream.
    fn block(&mut self, now: Instant) -> Option<ReportBlock> {
        let report = self.reception.take_stream_report()?;
        let (last_sender_report, delay_since_last_sender_report) = match self.last_sender_report {
            Some((ssrc, middle, at)) if ssrc == report.ssrc => (middle, short_from(now.saturating_duration_since(at))),
            _ => (0, 0),
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "32 bits are what the field has; 2^32 packets are 2.7 years"
        )]
        let highest_sequence = report.highest_sequence as u32;
        Some(ReportBlock {
            ssrc: report.ssrc,
            fraction_lost: report.fraction_lost,
            cumulative_lost: report.cumulative_lost,
            highest_sequence,
            jitter: report.jitter,
            last_sender_report,
            delay_since_last_sender_report,
        })
    }

    fn hear_blocks(&mut self, now: Instant, blocks: impl Iterator<Item = ReportBlock>) {
        // What is said of other streams is not for us.
        for block in blocks.filter(|block| block.ssrc == self.ssrc) {
            self.figures.peer = Some(PeerReport {
                fraction_lost: block.fraction_lost,
                cumulative_lost: block.cumulative_lost,
                jitter: duration_of(block.jitter, self.clock_rate),
                highest_sequence: block.highest_sequence,
                expected: self.span.map_or(0, |span| span.up_to(block.highest_sequence)),
            });
            if let Some(round_trip) = self.round_trip(now, &block) {
                self.figures.round_trip = Some(round_trip);
            }
        }
    }

    /// A - LSR - DLSR, by our own note of when the report that LSR names went: a peer can name no other, and the wall clock may be set
    /// meanwhile.
    fn round_trip(&self, now: Instant, block: &ReportBlock) -> Option<Duration> {
        let named = block.last_sender_report;
        let (_, at) = self.reports.iter().rev().find(|(middle, _)| named != 0 && *middle == named)?;
        let passed = now.saturating_duration_since(*at);
        let kept = duration_of_short(block.delay_since_last_sender_report);
        (kept <= passed + CLOCK_TOLERANCE).then(|| passed.saturating_sub(kept))
    }

    /// The members and senders of §6.3: us, and the peer unless it has left or was not heard for too long (§6.3.5).
    fn membership(&self, now: Instant) -> Membership {
        let we_sent = self.sent_lately.contains(&true);
        let listeners = Membership { members: 2, senders: 0, we_sent: false };
        let interval = self.schedule.deterministic(listeners);
        let within = |at: Option<Instant>, longest| at.is_some_and(|at| now.saturating_duration_since(at) <= longest);
        let peer = u32::from(within(self.peer_heard_at, interval * INTERVALS_BEFORE_TIMEOUT));
        let peer_sends = u32::from(within(self.peer_sent_at, interval * 2));
        Membership { members: 1 + peer, senders: u32::from(we_sent) + peer_sends.min(peer), we_sent }
    }
}
