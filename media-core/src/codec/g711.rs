//! G.711 (ITU-T Recommendation G.711, RFC 3551 §4.5.14): µ-law and A-law, 64 kbit/s.
//!
//! Tables made at compile time from the segment structure; the tests hold them against the compress and expand
//! procedures of the ITU's Software Tool Library (G.191) over every input.
#![expect(clippy::indexing_slicing, reason = "the index is a masked or shifted integer no wider than the table")]

/// The µ-law code of a sample. Of its 16 bits the upper 14 count.
#[inline]
#[must_use]
pub fn encode_ulaw(sample: i16) -> u8 {
    let code = ULAW_OF_MAGNITUDE[usize::from(magnitude(sample) >> 2)];
    if sample < 0 { code & 0x7F } else { code }
}

/// The sample that a µ-law code stands for, between -32,124 and 32,124.
#[inline]
#[must_use]
pub fn decode_ulaw(code: u8) -> i16 {
    SAMPLE_OF_ULAW[usize::from(code)]
}

/// The A-law code of a sample, even bits inverted as on the wire. Of its 16 bits the upper 13 count.
#[inline]
#[must_use]
pub fn encode_alaw(sample: i16) -> u8 {
    let code = ALAW_OF_MAGNITUDE[usize::from(magnitude(sample) >> 4)];
    if sample < 0 { code ^ 0x80 } else { code }
}

/// The sample that an A-law code stands for, between -32,256 and 32,256.
#[inline]
#[must_use]
pub fn decode_alaw(code: u8) -> i16 {
    SAMPLE_OF_ALAW[usize::from(code)]
}

/// Negative samples are mirrored by one's complement, as G.191 does it: -1 falls into the step of 0.
#[inline]
const fn magnitude(sample: i16) -> u16 {
    (if sample < 0 { !sample } else { sample }) as u16
}

/// What G.711 adds to a 14-bit µ-law magnitude so that every segment starts at a power of two.
const ULAW_BIAS: u32 = 33;

/// Codes of the non-negative 14-bit magnitudes.
static ULAW_OF_MAGNITUDE: [u8; 8_192] = {
    let mut table = [0; 8_192];
    let mut magnitude = 0;
    while magnitude < table.len() {
        let clipped = if magnitude as u32 + ULAW_BIAS > 0x1FFF { 0x1FFF } else { magnitude as u32 + ULAW_BIAS };
        let exponent = clipped.ilog2() - 5; // 33..=8191 gives segments 0 to 7
        let step = (clipped >> (exponent + 1)) & 0x0F;
        table[magnitude] = 0xFF ^ ((exponent << 4) | step) as u8;
        magnitude += 1;
    }
    table
};

/// Codes of the non-negative 12-bit magnitudes, with the even bits inverted.
static ALAW_OF_MAGNITUDE: [u8; 2_048] = {
    let mut table = [0; 2_048];
    let mut magnitude = 0;
    while magnitude < table.len() {
        let value = magnitude as u32;
        let code = if value < 32 {
            value // segments 0 and 1 have steps of the same size
        } else {
            let exponent = value.ilog2() - 3;
            (exponent << 4) | ((value >> (exponent - 1)) & 0x0F)
        };
        table[magnitude] = (code as u8 | 0x80) ^ 0x55;
        magnitude += 1;
    }
    table
};

static SAMPLE_OF_ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < table.len() {
        let bits = !(code as u8);
        let (exponent, step) = ((bits >> 4) & 7, (bits & 0x0F) as i32);
        let value = (((2 * step + 33) << exponent) - ULAW_BIAS as i32) * 4;
        table[code] = if bits & 0x80 == 0 { value } else { -value } as i16;
        code += 1;
    }
    table
};

static SAMPLE_OF_ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < table.len() {
        let bits = code as u8 ^ 0x55;
        let (exponent, step) = ((bits >> 4) & 7, (bits & 0x0F) as i32);
        let value = if exponent == 0 { 2 * step + 1 } else { (2 * step + 33) << (exponent - 1) } * 8;
        table[code] = if bits & 0x80 == 0 { -value } else { value } as i16;
        code += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    // The procedures of G.191's `g711.c`, step by step.

    fn itu_ulaw_compress(sample: i16) -> u8 {
        let linear = i32::from(sample);
        let absolute = (if linear < 0 { (!linear) >> 2 } else { linear >> 2 } + 33).min(0x1FFF);
        let (mut rest, mut segment) = (absolute >> 6, 1);
        while rest != 0 {
            segment += 1;
            rest >>= 1;
        }
        let (high, low) = (8 - segment, 0x0F - ((absolute >> segment) & 0x0F));
        let code = (high << 4) | low;
        (if linear >= 0 { code | 0x80 } else { code }) as u8
    }

    fn itu_ulaw_expand(code: u8) -> i16 {
        let mantissa = !i32::from(code);
        let exponent = (mantissa >> 4) & 7;
        let (mantissa, step) = (mantissa & 0x0F, 4 << (exponent + 1));
        let value = (0x80 << exponent) + step * mantissa + step / 2 - 4 * 33;
        (if code < 0x80 { -value } else { value }) as i16
    }

    fn itu_alaw_compress(sample: i16) -> u8 {
        let linear = i32::from(sample);
        let mut value = if linear < 0 { (!linear) >> 4 } else { linear >> 4 };
        if value > 15 {
            let mut exponent = 1;
            while value > 16 + 15 {
                value >>= 1;
                exponent += 1;
            }
            value = value - 16 + (exponent << 4);
        }
        ((if linear >= 0 { value | 0x80 } else { value }) ^ 0x55) as u8
    }

    fn itu_alaw_expand(code: u8) -> i16 {
        let bits = i32::from(code ^ 0x55) & 0x7F;
        let exponent = bits >> 4;
        let mut mantissa = bits & 0x0F;
        if exponent > 0 {
            mantissa += 16;
        }
        mantissa = (mantissa << 4) + 8;
        if exponent > 1 {
            mantissa <<= exponent - 1;
        }
        (if code ^ 0x55 > 127 { mantissa } else { -mantissa }) as i16
    }

    #[test]
    fn every_sample_encodes_as_the_itu_procedure_says() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(encode_ulaw(sample), itu_ulaw_compress(sample), "µ-law of {sample}");
            assert_eq!(encode_alaw(sample), itu_alaw_compress(sample), "A-law of {sample}");
        }
    }

    #[test]
    fn every_code_decodes_as_the_itu_procedure_says() {
        for code in 0..=u8::MAX {
            assert_eq!(decode_ulaw(code), itu_ulaw_expand(code), "µ-law code {code:#04x}");
            assert_eq!(decode_alaw(code), itu_alaw_expand(code), "A-law code {code:#04x}");
        }
    }

    #[test]
    fn every_code_but_ulaw_minus_zero_survives_decode_and_encode() {
        for code in 0..=u8::MAX {
            let again = if code == 0x7F { 0xFF } else { code }; // µ-law has two zeros (G.711 table 2b)
            assert_eq!(encode_ulaw(decode_ulaw(code)), again, "µ-law code {code:#04x}");
            assert_eq!(encode_alaw(decode_alaw(code)), code, "A-law code {code:#04x}");
        }
    }

    #[test]
    fn the_figures_that_g711_tabulates_for_the_ends_of_the_range_hold() {
        assert_eq!((decode_ulaw(0x80), decode_ulaw(0x00)), (32_124, -32_124)); // 8031 of 14 bits
        assert_eq!((decode_alaw(0xAA), decode_alaw(0x2A)), (32_256, -32_256)); // 4032 of 13 bits
    }
}
