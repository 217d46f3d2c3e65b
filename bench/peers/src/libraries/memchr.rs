//! A limit: only the ends of lines and the colons are found.

use bytes::Bytes;

use super::{Expected, Library};

pub struct LinesAndColons;

impl Library for LinesAndColons {
    type Message = usize;
    type Error = std::convert::Infallible;

    fn parse(bytes: &Bytes) -> Result<usize, Self::Error> {
        let mut rest = &bytes[..];
        let mut lines = 0;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if end <= 1 {
                break;
            }
            std::hint::black_box(memchr::memchr(b':', &rest[..end]));
            (rest, lines) = (&rest[end + 1..], lines + 1);
        }
        Ok(lines)
    }

    fn is_understood(_: &usize, _: &Expected) -> anyhow::Result<()> {
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
