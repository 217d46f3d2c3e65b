//! How a call sounded: what is kept of its legs in its record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use blether_rtp_core::{Equipment, LegStatistics, Quality};
use blether_session_core::MediaPlan;
use blether_session_core::actor::{LegKey, LegReport};
use serde::Serialize;

use crate::cdr::cut;

/// How long a listener's jitter buffer is taken to be for the estimates: what ours begins with. A phone does not tell its own.
const JITTER_BUFFER: Duration = Duration::from_millis(60);

/// The figures of a call's legs for [`Cdr::legs`](crate::cdr::Cdr::legs), which names them; `None` when no media was agreed.
pub(super) fn of_legs(legs: &[LegReport]) -> Option<Arc<str>> {
    if legs.is_empty() {
        return None;
    }
    let legs: Vec<_> = legs.iter().map(Leg::of).collect();
    // Texts and numbers can always be written.
    serde_json::to_string(&legs).ok().map(Into::into)
}

#[derive(Serialize)]
struct Leg {
    party: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codec: Option<String>,
    signalled: SocketAddr,
    #[serde(flatten)]
    counted: Option<Counted>,
}

#[derive(Serialize)]
struct Counted {
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<SocketAddr>,
    latched: bool,
    received: Received,
    sent: Sent,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<Reported>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mos_received: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mos_sent: Option<f64>,
    digits: u64,
    refused: u64,
    relay_lost: u64,
}

#[derive(Serialize)]
struct Received {
    packets: u64,
    bytes: u64,
    lost: u64,
    loss_bursts: u64,
    duplicates: u64,
    late: u64,
    jitter_ms: f64,
    max_jitter_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_after_ms: Option<f64>,
}

#[derive(Serialize)]
struct Sent {
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Reported {
    lost: i32,
    jitter_ms: f64,
}

impl Leg {
    fn of(report: &LegReport) -> Self {
        let LegReport { leg, peer, plan, statistics } = report;
        Self {
            party: if *leg == LegKey::PRIMARY { "caller" } else { "callee" },
            contact: peer.as_ref().map(|peer| cut(peer.to_string())),
            codec: plan.formats.first().map(|format| cut(format!("{}/{}", format.name, format.clock_rate))),
            signalled: plan.remote,
            counted: statistics.as_deref().map(|counted| Counted::of(counted, plan)),
        }
    }
}

impl Counted {
    fn of(counted: &LegStatistics, plan: &MediaPlan) -> Self {
        let estimate = |quality: fn(&LegStatistics, Duration, Equipment) -> Option<Quality>| {
            equipment(plan).and_then(|equipment| quality(counted, JITTER_BUFFER, equipment)).map(mos)
        };
        Self {
            remote: counted.remote,
            latched: counted.latched,
            received: Received {
                packets: counted.received_packets,
                bytes: counted.received_bytes,
                lost: counted.reception.lost,
                loss_bursts: counted.reception.loss_bursts,
                duplicates: counted.reception.duplicates,
                late: counted.reception.reordered,
                jitter_ms: ms(counted.reception.jitter),
                max_jitter_ms: ms(counted.reception.max_jitter),
                first_after_ms: counted.first_packet_after.map(ms),
            },
            sent: Sent { packets: counted.sent_packets, bytes: counted.sent_bytes },
            reported: counted.rtcp.peer.map(|peer| Reported { lost: peer.cumulative_lost, jitter_ms: ms(peer.jitter) }),
            round_trip_ms: counted.rtcp.round_trip.map(ms),
            mos_received: estimate(LegStatistics::quality_here),
            mos_sent: estimate(LegStatistics::quality_at_peer),
            digits: counted.digits,
            refused: counted.dropped.wrong_source,
            relay_lost: counted.relay_lost,
        }
    }
}

/// What the E-model knows of the codec: G.711, as our own end and most phones conceal its losses. Of another there is no estimate.
fn equipment(plan: &MediaPlan) -> Option<Equipment> {
    let g711 = |name: &str| name.eq_ignore_ascii_case("PCMU") || name.eq_ignore_ascii_case("PCMA");
    plan.formats.first().filter(|format| g711(&format.name)).map(|_| Equipment::G711_CONCEALED)
}

/// Milliseconds, to the tenth.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// A score, to the hundredth.
fn mos(quality: Quality) -> f64 {
    (quality.mean_opinion_score() * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use blether_rtp_core::PeerReport;
    use blether_session_core::NegotiatedFormat;
    use blether_sip_core::sdp::Direction;
    use serde_json::Value;

    use super::*;

    fn report(codec: &str, statistics: Option<LegStatistics>) -> LegReport {
        let format = NegotiatedFormat {
            name: codec.into(),
            payload_type: 0,
            receive_payload_type: 0,
            clock_rate: 8_000,
            channels: 1,
            fmtp: None,
        };
        let plan = MediaPlan {
            remote: "192.0.2.9:4000".parse().unwrap(),
            formats: vec![format],
            telephone_event: None,
            receive_telephone_event: None,
            direction: Direction::SendRecv,
            ptime: Duration::from_millis(20),
        };
        let peer = Some("sip:alice@192.0.2.9".parse().unwrap());
        LegReport { leg: LegKey::PRIMARY, peer, plan, statistics: statistics.map(Box::new) }
    }

    fn of_leg(report: &LegReport) -> Value {
        let legs: Value = serde_json::from_str(&of_legs(std::slice::from_ref(report)).unwrap()).unwrap();
        legs[0].clone()
    }

    fn measured() -> LegStatistics {
        let mut counted = LegStatistics { sent_packets: 500, digits: 4, ..LegStatistics::default() };
        counted.reception.expected = 500;
        counted.reception.lost = 50;
        counted.reception.max_jitter = Duration::from_micros(12_345);
        counted
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let unknown = of_leg(&report("PCMA", None));
        assert_eq!(unknown["codec"], "PCMA/8000");
        assert_eq!((&unknown["party"], &unknown["contact"]), (&"caller".into(), &"sip:alice@192.0.2.9".into()));
        assert!(unknown.get("received").is_none());
        let unreported = of_leg(&report("PCMA", Some(measured())));
        assert_eq!((&unreported["received"]["lost"], &unreported["digits"]), (&50.into(), &4.into()));
        assert_eq!(unreported["received"]["max_jitter_ms"], 12.3);
        for absent in ["reported", "round_trip_ms", "mos_received", "mos_sent", "remote"] {
            assert!(unreported.get(absent).is_none(), "{absent}");
        }
        assert!(unreported["received"].get("first_after_ms").is_none());
        assert_eq!(of_legs(&[]), None);
        let endless = of_leg(&report(&"x".repeat(10_000), None));
        assert_eq!(endless["codec"].as_str().unwrap().len(), crate::cdr::MAX_CDR_TEXT, "a stranger names it");
    }

    #[test]
    fn an_estimate_needs_a_round_trip_and_a_codec_that_the_model_knows() {
        let mut counted = measured();
        counted.rtcp.round_trip = Some(Duration::from_millis(40));
        let report_of_peer = PeerReport {
            fraction_lost: 0,
            cumulative_lost: 5,
            jitter: Duration::ZERO,
            highest_sequence: 999,
            expected: 1_000,
        };
        counted.rtcp.peer = Some(report_of_peer);
        let known = of_leg(&report("pcmu", Some(counted)));
        let score = |name: &str| known[name].as_f64().unwrap();
        assert!(score("mos_received") < score("mos_sent") && score("mos_sent") < 4.5, "{known}");
        assert_eq!((&known["round_trip_ms"], &known["reported"]["lost"]), (&40.0.into(), &5.into()));
        let unknown = of_leg(&report("opus", Some(counted)));
        assert!(unknown.get("mos_received").is_none() && unknown.get("mos_sent").is_none());
    }
}
