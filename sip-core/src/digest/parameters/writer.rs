//! Writing parameters.

use core::fmt;

use super::Parameter;
use crate::grammar;

/// Writes `name=value` pairs with commas between, after a scheme.
pub(in crate::digest) struct Writer<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    first: bool,
}

impl<'a, 'f> Writer<'a, 'f> {
    pub(in crate::digest) fn digest(out: &'a mut fmt::Formatter<'f>) -> Result<Self, fmt::Error> {
        out.write_str("Digest ")?;
        Ok(Self::bare(out))
    }

    /// Without a scheme.
    pub(in crate::digest) fn bare(out: &'a mut fmt::Formatter<'f>) -> Self {
        Self { out, first: true }
    }

    pub(in crate::digest) fn token(&mut self, name: &str, value: impl fmt::Display) -> fmt::Result {
        let comma = if core::mem::take(&mut self.first) { "" } else { ", " };
        write!(self.out, "{comma}{name}={value}")
    }

    pub(in crate::digest) fn quoted(&mut self, name: &str, value: &str) -> fmt::Result {
        self.token(name, Quoted(value))
    }

    /// A value that must not be quoted, unless that is the only way to write it: a peer may have quoted anything.
    pub(in crate::digest) fn word(&mut self, name: &str, value: &str) -> fmt::Result {
        if grammar::is_token(value) { self.token(name, value) } else { self.quoted(name, value) }
    }

    pub(in crate::digest) fn rest(&mut self, parameters: &[Parameter]) -> fmt::Result {
        for p in parameters {
            if p.quoted { self.quoted(&p.name, &p.value) } else { self.token(&p.name, &p.value) }?;
        }
        Ok(())
    }
}

/// A quoted-string. Control characters, which would not be read, become spaces.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_ascii_control() && c != '\t' => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
