use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Display, Write};

use super::tree::is_allowed;

/// Writes a document element by element. Names are ours; what is between and in quotes is escaped.
pub(crate) struct XmlWriter {
    out: String,
    open: Vec<&'static str>,
    /// Whether the last start tag still takes attributes.
    in_tag: bool,
    /// Whether the last thing written is the text of the innermost element, behind which no line break may stand.
    in_text: bool,
}

impl XmlWriter {
    pub(crate) fn new() -> Self {
        let out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        XmlWriter { out, open: Vec::new(), in_tag: false, in_text: false }
    }

    /// Starts an element; its name has the prefix that the root binds.
    pub(crate) fn open(&mut self, name: &'static str) -> &mut Self {
        self.end_tag();
        self.break_line();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name);
        (self.in_tag, self.in_text) = (true, false);
        self
    }

    /// Adds an attribute to the element that was just started.
    pub(crate) fn attribute(&mut self, name: &str, value: impl Display) -> &mut Self {
        if self.in_tag {
            for piece in [" ", name, "=\""] {
                self.out.push_str(piece);
            }
            // Writing to a text does not fail.
            let _ = write!(Escaped { out: &mut self.out, quoted: true }, "{value}");
            self.out.push('"');
        }
        self
    }

    /// Adds an attribute if there is a value.
    pub(crate) fn attribute_if(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    /// Writes the text of the innermost element.
    pub(crate) fn text(&mut self, value: impl Display) -> &mut Self {
        self.end_tag();
        let _ = write!(Escaped { out: &mut self.out, quoted: false }, "{value}");
        self.in_text = true;
        self
    }

    /// Ends the innermost element.
    pub(crate) fn close(&mut self) {
        let Some(name) = self.open.pop() else { return };
        if self.in_tag {
            self.out.push_str("/>");
        } else {
            if !self.in_text {
                self.break_line();
            }
            for piece in ["</", name, ">"] {
                self.out.push_str(piece);
            }
        }
        (self.in_tag, self.in_text) = (false, false);
    }

    /// Writes an element with nothing but text in it.
    pub(crate) fn leaf(&mut self, name: &'static str, value: impl Display) {
        self.open(name).text(value).close();
    }

    /// Writes an element with nothing but text in it, if there is a value.
    pub(crate) fn leaf_if(&mut self, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out.push_str("\r\n");
        self.out
    }

    fn end_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }

    fn break_line(&mut self) {
        self.out.push_str("\r\n");
        self.out.extend(self.open.iter().map(|_| ' '));
    }
}

struct Escaped<'a> {
    out: &'a mut String,
    quoted: bool,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' if self.quoted => self.out.push_str("&quot;"),
                // A reader takes a line break in quotes for a space, and CR for LF anywhere.
                '\n' if self.quoted => self.out.push_str("&#10;"),
                '\t' if self.quoted => self.out.push_str("&#9;"),
                '\r' => self.out.push_str("&#13;"),
                c if is_allowed(c) => self.out.push(c),
                _ => self.out.push('\u{fffd}'),
            }
        }
        Ok(())
    }
}
