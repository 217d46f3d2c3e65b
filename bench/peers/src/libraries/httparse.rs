//! A yardstick: the header loop of <https://crates.io/crates/httparse> on the same text, which knows no folding and no start line of SIP.

use anyhow::ensure;
use bytes::Bytes;

use super::{Expected, Library};

pub struct Headers;

impl Library for Headers {
    type Message = usize;
    type Error = httparse::Error;

    fn parse(bytes: &Bytes) -> Result<usize, httparse::Error> {
        let line_end = bytes.iter().position(|byte| *byte == b'\n').ok_or(httparse::Error::NewLine)?;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let (_, found) = httparse::parse_headers(&bytes[line_end + 1..], &mut headers)?.unwrap();
        Ok(std::hint::black_box(found).len())
    }

    fn is_understood(headers: &usize, expected: &Expected) -> anyhow::Result<()> {
        ensure!(*headers == expected.headers, "finds {headers} of {} headers", expected.headers);
        Ok(())
    }

    fn proxy(_: &usize) -> Option<()> {
        None
    }

    fn typed(_: &usize) -> Option<()> {
        None
    }

    fn write(_: &usize) -> Option<()> {
        None
    }
}
