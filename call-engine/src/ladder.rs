//! A SIP ladder: who sent what to whom and when, drawn from the bytes that crossed the wire.
//!
//! ```text
//!       time   Ailsa 100                        server                           Hamish 101
//!                  │                               │                               │
//!    0.000 s       │────── INVITE (1) +SDP ───────►│                               │
//!    0.001 s       │◄──── 100 Trying (1 INVITE) ───│                               │
//!    0.002 s       │                               │────── INVITE (1) +SDP ───────►│
//!    0.502 s       │                               │╌╌╌ INVITE (1) +SDP again ╌╌╌╌►│
//! ```
//!
//! The text is a function of what was recorded: the same messages give the same ladder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use blether_sip_core::{CSeq, ContentType, Limits, Message, Method, StatusCode};
use bytes::Bytes;

/// The most messages that a ladder keeps, so that a flood cannot fill the memory; nobody reads a longer one. Later ones are
/// counted.
const MAX_MESSAGES: usize = 10_000;

/// The default of [`Ladder::width`], in columns: fits most terminals and a page of documentation.
const WIDTH: usize = 100;

/// The greatest width that can be set, in columns.
const MAX_WIDTH: usize = 1_000;

/// The narrowest and the widest distance of two lifelines, in columns: room for a short label, and no more than a long one needs.
const GAP: std::ops::RangeInclusive<usize> = 18..=36;

/// `99999.999 s` and what parts it from the first lifeline.
const TIME_WIDTH: usize = 12;

/// Messages between named participants, which [`Display`](fmt::Display) draws.
#[derive(Clone, Debug)]
pub struct Ladder {
    names: Vec<(SocketAddr, String)>,
    messages: Vec<Crossing>,
    /// Whose bytes were seen, to mark what is sent again.
    seen: BTreeSet<(SocketAddr, SocketAddr, Bytes)>,
    left_out: usize,
    width: usize,
    glyphs: Glyphs,
}

/// One message that crossed the wire.
#[derive(Clone, Debug)]
struct Crossing {
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    summary: Summary,
    again: bool,
}

/// What a ladder says of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    /// A request: `INVITE (1) +SDP`.
    Request {
        /// Its method.
        method: Method,
        /// The number of its CSeq.
        number: u32,
        /// Whether it carries a session description.
        sdp: bool,
    },
    /// A response: `200 OK (1 INVITE) +SDP`.
    Response {
        /// Its status code.
        status: StatusCode,
        /// Its reason phrase, as sent.
        reason: String,
        /// Which request it answers.
        cseq: CSeq,
        /// Whether it carries a session description.
        sdp: bool,
    },
    /// No SIP message, or none that can be read.
    Unreadable {
        /// Its length in bytes.
        length: usize,
    },
}

impl Summary {
    /// Reads a datagram within `limits`.
    pub fn read(bytes: &Bytes, limits: &Limits) -> Self {
        match Message::parse(bytes.clone(), limits) {
            Ok(Message::Request(request)) => Self::Request {
                method: request.method().clone(),
                number: request.cseq().number,
                sdp: has_sdp(request.body(), request.headers().get()),
            },
            Ok(Message::Response(response)) => Self::Response {
                status: response.status(),
                reason: response.reason().to_owned(),
                cseq: response.cseq().clone(),
                sdp: has_sdp(response.body(), response.headers().get()),
            },
            Err(_) => Self::Unreadable { length: bytes.len() },
        }
    }
}

fn has_sdp<E>(body: &Bytes, content_type: Result<Option<ContentType>, E>) -> bool {
    let is_sdp = |content_type: ContentType| content_type.essence().eq_ignore_ascii_case("application/sdp");
    // A Content-Type that cannot be read names no SDP.
    !body.is_empty() && content_type.ok().flatten().is_some_and(is_sdp)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sdp = |sdp: bool| if sdp { " +SDP" } else { "" };
        match self {
            Self::Request { method, number, sdp: has } => write!(f, "{method} ({number}){}", sdp(*has)),
            Self::Response { status, reason, cseq, sdp: has } => {
                write!(f, "{} {reason} ({} {}){}", status.code(), cseq.number, cseq.method, sdp(*has))
            }
            Self::Unreadable { length } => write!(f, "{length} bytes, no SIP"),
        }
    }
}

impl Ladder {
    /// An empty ladder.
    pub fn new() -> Self {
        Self {
            names: Vec::new(),
            messages: Vec::new(),
            seen: BTreeSet::new(),
            left_out: 0,
            width: WIDTH,
            glyphs: Glyphs::UNICODE,
        }
    }

    /// Names an address, before or after its messages; the first name that it gets stays. The columns are the names in their
    /// order: addresses of one name share a column, and an address without a name has one of its own behind them.
    pub fn name(&mut self, address: SocketAddr, name: &str) {
        self.names.push((address, name.to_owned()));
    }

    /// Sets the greatest width in columns, which is 100 if not set and at most 1,000. Where the participants do not fit side by side, each
    /// message is written as `from → to: what`.
    #[must_use]
    pub fn width(self, width: usize) -> Self {
        Self { width: width.min(MAX_WIDTH), ..self }
    }

    /// Draws with ASCII characters alone, for terminals and logs that have no others.
    #[must_use]
    pub fn ascii(self) -> Self {
        Self { glyphs: Glyphs::ASCII, ..self }
    }

    /// Takes in a datagram that was sent at `at`, counted from an instant of the caller's choice. The same bytes on the same way
    /// are marked as sent again. Messages may come in any order.
    pub fn record(&mut self, at: Duration, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        if self.messages.len() >= MAX_MESSAGES {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let summary = Summary::read(bytes, &Limits::default());
        let again = !self.seen.insert((from, to, bytes.clone()));
        self.messages.push(Crossing { at, from, to, summary, again });
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Each address with its column, and the names of the columns.
    fn columns(&self, messages: &[&Crossing]) -> (BTreeMap<SocketAddr, usize>, Vec<String>) {
        let mut columns = BTreeMap::new();
        let mut heads: Vec<String> = Vec::new();
        let named = self.names.iter().map(|(address, name)| (*address, Some(name)));
        let unnamed = messages.iter().flat_map(|message| [(message.from, None), (message.to, None)]);
        for (address, name) in named.chain(unnamed) {
            if columns.contains_key(&address) {
                continue;
            }
            let head = name.map_or_else(|| address.to_string(), |name| printable(name));
            let column = heads.iter().position(|known| *known == head).unwrap_or_else(|| {
                heads.push(head);
                heads.len() - 1
            });
            columns.insert(address, column);
        }
        (columns, heads)
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut messages: Vec<&Crossing> = self.messages.iter().collect();
        messages.sort_by_key(|message| message.at);
        let (columns, heads) = self.columns(&messages);
        let column = |address: &SocketAddr| columns.get(address).copied().unwrap_or_default();
        match Layout::new(&heads, self.width) {
            Some(layout) => {
                let mut head = Canvas::new(self.width, self.glyphs);
                head.text(0, 10, &format!("{:>10}", "time"));
                for (name, x) in heads.iter().zip(&layout.lifelines) {
                    let width = name.chars().count().min(layout.room);
                    head.text(x.saturating_sub(width / 2), layout.room, name);
                }
                writeln!(f, "{head}")?;
                let mut bare = Canvas::new(self.width, self.glyphs);
                bare.lifelines(&layout.lifelines);
                writeln!(f, "{bare}")?;
                for message in &messages {
                    let mut row = Canvas::new(self.width, self.glyphs);
                    row.text(0, TIME_WIDTH, &time(message.at));
                    row.lifelines(&layout.lifelines);
                    let at = |address| layout.lifelines.get(column(address)).copied().unwrap_or_default();
                    row.arrow(at(&message.from), at(&message.to), &message.label(), message.again);
                    writeln!(f, "{row}")?;
                }
            }
            None => {
                let name = |address| heads.get(column(address)).map_or("", String::as_str);
                for message in &messages {
                    let (from, to) = (name(&message.from), name(&message.to));
                    let mut row = Canvas::new(self.width, self.glyphs);
                    let text = format!("{}  {from} {} {to}: {}", time(message.at), self.glyphs.to, message.label());
                    row.text(0, self.width, &text);
                    writeln!(f, "{row}")?;
                }
            }
        }
        let again = messages.iter().filter(|message| message.again).count();
        let messages_are = if messages.len() == 1 { "message" } else { "messages" };
        write!(f, "{} {messages_are}", messages.len())?;
        if again > 0 {
            write!(f, ", {again} of them sent again")?;
        }
        if self.left_out > 0 {
            write!(f, "; {} more are not shown", self.left_out)?;
        }
        writeln!(f)
    }
}

impl Crossing {
    fn label(&self) -> String {
        let again = if self.again { " again" } else { "" };
        printable(&format!("{}{again}", self.summary))
    }
}

/// What a stranger sent must not move the cursor of a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

fn time(at: Duration) -> String {
    format!("{:>4}.{:03} s", at.as_secs(), at.subsec_millis())
}

/// Where the lifelines stand.
struct Layout {
    lifelines: Vec<usize>,
    /// The most columns that a name above a lifeline may take.
    room: usize,
}

impl Layout {
    /// `None` when that many participants do not fit into `width`.
    fn new(heads: &[String], width: usize) -> Option<Self> {
        let half = |head: Option<&String>| head.map_or(0, |head| head.chars().count().min(*GAP.start() - 2) / 2 + 1);
        let left = TIME_WIDTH + half(heads.first());
        let arrows = heads.len().checked_sub(1)?;
        let room = width.checked_sub(left + half(heads.last()))?;
        let gap = room.checked_div(arrows).unwrap_or(room).min(*GAP.end());
        if gap < *GAP.start() {
            return None;
        }
        let lifelines = (0..heads.len()).map(|index| left + index * gap).collect();
        // The outer names have the room that was left for them; all are cut alike.
        Some(Self { lifelines, room: *GAP.start() - 2 })
    }
}

#[derive(Clone, Copy, Debug)]
struct Glyphs {
    lifeline: char,
    line: char,
    dashed: char,
    crossing: char,
    right: char,
    left: char,
    itself: char,
    to: char,
    cut: char,
}

impl Glyphs {
    const UNICODE: Self = Self {
        lifeline: '│',
        line: '─',
        dashed: '╌',
        crossing: '┼',
        right: '►',
        left: '◄',
        itself: '↺',
        to: '→',
        cut: '…',
    };
    const ASCII: Self = Self {
        lifeline: '|',
        line: '-',
        dashed: '.',
        crossing: '+',
        right: '>',
        left: '<',
        itself: '@',
        to: '>',
        cut: '~',
    };
}

/// One line of text, of a fixed width, written in any order.
struct Canvas {
    cells: Vec<char>,
    glyphs: Glyphs,
}

impl Canvas {
    fn new(width: usize, glyphs: Glyphs) -> Self {
        Self { cells: vec![' '; width], glyphs }
    }

    fn put(&mut self, x: usize, glyph: char) {
        if let Some(cell) = self.cells.get_mut(x) {
            *cell = glyph;
        }
    }

    /// Writes `text` from `x` on in at most `room` columns; what does not fit is cut, visibly.
    fn text(&mut self, x: usize, room: usize, text: &str) {
        let room = room.min(self.cells.len().saturating_sub(x));
        let fits = text.chars().count() <= room;
        let shown = if fits { room } else { room.saturating_sub(1) };
        for (index, glyph) in text.chars().take(shown).enumerate() {
            self.put(x + index, glyph);
        }
        if !fits && room > 0 {
            self.put(x + room - 1, self.glyphs.cut);
        }
    }

    fn lifelines(&mut self, lifelines: &[usize]) {
        for x in lifelines {
            self.put(*x, self.glyphs.lifeline);
        }
    }

    fn arrow(&mut self, from: usize, to: usize, label: &str, again: bool) {
        let Glyphs { line, dashed, crossing, lifeline, .. } = self.glyphs;
        if from == to {
            self.put(from + 2, self.glyphs.itself);
            self.text(from + 4, self.cells.len(), label);
            return;
        }
        let (left, right) = (from.min(to), from.max(to));
        for x in left + 1..right {
            let crossed = self.cells.get(x) == Some(&lifeline);
            self.put(
                x,
                if crossed {
                    crossing
                } else if again {
                    dashed
                } else {
                    line
                },
            );
        }
        // Beside the head, the label keeps a blank and a piece of line on both sides.
        let (start, end) = if from < to { (left + 3, right - 4) } else { (left + 4, right - 3) };
        let room = (end + 1).saturating_sub(start);
        let width = label.chars().count().min(room);
        let x = start + (room - width) / 2;
        self.put(x.saturating_sub(1), ' ');
        self.text(x, room, label);
        self.put(x + width, ' ');
        if from < to {
            self.put(right - 1, self.glyphs.right);
        } else {
            self.put(left + 1, self.glyphs.left);
        }
    }
}

impl fmt::Display for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cells.iter().collect::<String>().trim_end())
    }
}

#[cfg(test)]
mod tests;
