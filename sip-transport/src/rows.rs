//! Cuts a message into header rows, without reading what they say.

use memchr::{memchr, memmem};

/// The rows of a header section as (name, value), each trimmed of the white space around it, folding included (RFC 3261 §7.3.1).
///
/// Ends at the empty line or where no line ends any more; what has no colon is left out. A line ends with CR LF and nothing else, as for
/// the parser: whoever took a lone LF for an end of line would see other headers than it does.
pub(crate) struct Rows<'a> {
    rest: &'a [u8],
}

impl<'a> Rows<'a> {
    /// The rows behind the start line of `message`. Line breaks in front of it are passed over.
    pub(crate) fn of(message: &'a [u8]) -> Self {
        let blank = message.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let message = message.get(blank..).unwrap_or_default();
        let start = memchr(b'\n', message).map_or(message.len(), |at| at + 1);
        Self { rest: message.get(start..).unwrap_or_default() }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.starts_with(b"\r\n") {
                return None;
            }
            let mut end = memmem::find(self.rest, b"\r\n")? + 2;
            while let Some(b' ' | b'\t') = self.rest.get(end) {
                end += memmem::find(self.rest.get(end..)?, b"\r\n")? + 2;
            }
            let (row, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            if let Some(colon) = memchr(b':', row)
                && let Some((name, value)) = row.split_at_checked(colon)
            {
                return Some((name.trim_ascii_end(), value.get(1..).unwrap_or_default().trim_ascii()));
            }
        }
    }
}

/// Finds the Call-ID of a message (RFC 3261 §20.8, `i` in compact form) in one scan, without parsing anything else.
///
/// Whoever shares messages out by their Call-ID needs no more. `None` where there is none before the first empty line; of several, the
/// first (the parser refuses such a message anyway).
pub fn find_call_id(message: &[u8]) -> Option<&[u8]> {
    Rows::of(message)
        .find(|(name, _)| name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i"))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Option<&str>) {
        assert_eq!(find_call_id(message.as_bytes()), expected.map(str::as_bytes), "{message:?}");
    }

    #[test]
    fn the_call_id_is_found_in_each_form_that_it_may_take() {
        check("BYE sip:a SIP/2.0\r\nCall-ID: abc@h\r\n\r\n", Some("abc@h"));
        check("BYE sip:a SIP/2.0\r\nVia: x\r\ni:abc\r\n\r\n", Some("abc"));
        check("BYE sip:a SIP/2.0\r\nI \t:  abc \t\r\n\r\n", Some("abc"));
        check("BYE sip:a SIP/2.0\r\ncall-id:\r\n abc\r\n\r\n", Some("abc"));
        check("\r\n\r\nBYE sip:a SIP/2.0\r\nCALL-ID:abc\r\n\r\n", Some("abc"));
        check("SIP/2.0 200 OK\r\nCall-ID: first\r\nCall-ID: second\r\n\r\n", Some("first"));
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        check("BYE sip:a;Call-ID:x SIP/2.0\r\nX-Call-ID: abc\r\n\r\n", None);
        check("BYE sip:a SIP/2.0\r\nVia: x\r\n\r\nCall-ID: in the body\r\n", None);
        check("BYE sip:a SIP/2.0\r\nSubject: x\r\n Call-ID: abc\r\n\r\n", None);
        check("BYE sip:a SIP/2.0\r\nSubject: x\nCall-ID: abc\r\n\r\n", None);
        check("BYE sip:a SIP/2.0\r\nCall-ID: unfinished", None);
        check("", None);
        check("\r\n\r\n", None);
    }
}
