/// The most that a message from a stranger may bring; what is over is an error, never cut short.
///
/// Work and memory to parse a message grow linearly with its length, so these limits bound both.
///
/// ```
/// use blether_sip_core::{Limits, Message};
/// use bytes::Bytes;
///
/// let limits = Limits { max_message: 1_300, ..Limits::default() };
/// assert!(Message::parse(Bytes::from(vec![b'A'; 1_301]), &limits).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole message. 65,535: the longest UDP datagram. Over it: 513 Message Too Large.
    pub max_message: usize,
    /// Bytes of the start line. 4,096: four times the longest URI seen in practice. Over it: 414.
    pub max_start_line: usize,
    /// Bytes from the first header to the empty line. 32,768: half a datagram. Over it: 513.
    pub max_header_section: usize,
    /// Header rows. 256: five times what a message through a dozen proxies has. Over it: 400.
    pub max_headers: usize,
    /// Bytes of one header's value. 8,192: room for the longest common value, an Identity token. Over it: 400.
    pub max_header_value: usize,
    /// Values of one comma-separated header, all its rows together, Via above all. 128: more than the 70 hops
    /// that Max-Forwards allows by default (RFC 3261 §8.1.1.6). Over it: 400.
    pub max_list_items: usize,
    /// Bytes of the body. 32,768: some times the longest session description with ICE. Over it: 413.
    pub max_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_message: 65_535,
            max_start_line: 4_096,
            max_header_section: 32_768,
            max_headers: 256,
            max_header_value: 8_192,
            max_list_items: 128,
            max_body: 32_768,
        }
    }
}
