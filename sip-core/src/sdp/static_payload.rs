//! The payload types that need no `a=rtpmap` (RFC 3551 §6, tables 4 and 5).

use super::RtpMap;
use crate::ByteStr;

const STATIC: &[(u8, &str, u32, u16)] = &[
    (0, "PCMU", 8_000, 1),
    (3, "GSM", 8_000, 1),
    (4, "G723", 8_000, 1),
    (5, "DVI4", 8_000, 1),
    (6, "DVI4", 16_000, 1),
    (7, "LPC", 8_000, 1),
    (8, "PCMA", 8_000, 1),
    // Samples at 16 kHz, but its RTP clock is 8 kHz by a mistake that RFC 3551 §4.5.2 keeps.
    (9, "G722", 8_000, 1),
    (10, "L16", 44_100, 2),
    (11, "L16", 44_100, 1),
    (12, "QCELP", 8_000, 1),
    (13, "CN", 8_000, 1),
    (14, "MPA", 90_000, 1),
    (15, "G728", 8_000, 1),
    (16, "DVI4", 11_025, 1),
    (17, "DVI4", 22_050, 1),
    (18, "G729", 8_000, 1),
    (25, "CelB", 90_000, 1),
    (26, "JPEG", 90_000, 1),
    (28, "nv", 90_000, 1),
    (31, "H261", 90_000, 1),
    (32, "MPV", 90_000, 1),
    (33, "MP2T", 90_000, 1),
    (34, "H263", 90_000, 1),
];

/// What RFC 3551 assigned to a payload type.
pub(super) fn static_payload(payload_type: u8) -> Option<RtpMap> {
    let &(_, encoding, clock_rate, channels) = STATIC.iter().find(|(number, ..)| *number == payload_type)?;
    Some(RtpMap { encoding: ByteStr::from(encoding), clock_rate, channels })
}
