//! Reading parameters one after the other.

use alloc::vec::Vec;
use core::ops::Range;

use memchr::memchr2;

use super::field::{FIELDS, Field};
use super::{MAX_PARAMETERS, Parameters, Standing, USUAL_PARAMETERS};
use crate::ByteStr;
use crate::class::{self, TOKEN};
use crate::digest::DigestError;

pub(super) struct Cursor<'a> {
    whole: &'a ByteStr,
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    /// Whether there are control characters in it, all of which are white space then.
    pub(super) has_control: bool,
}

impl<'a> Cursor<'a> {
    /// Line folds, if still in it, count as white space; other control characters, which could not be written again, have no
    /// place in it.
    pub(super) fn new(whole: &'a ByteStr) -> Result<Self, DigestError> {
        let text = whole.as_bytes();
        let is_bad = |byte: &u8| byte.is_ascii_control() && !is_space(*byte);
        let has_control = class::has_control(text);
        match has_control.then(|| text.iter().position(is_bad)).flatten() {
            Some(at) => Err(DigestError::Syntax { at }),
            None => Ok(Self { whole, text, at: 0, has_control }),
        }
    }

    /// `#auth-param`, to the end.
    pub(super) fn parameters(&mut self) -> Result<Parameters<'a>, DigestError> {
        let list = Vec::with_capacity(USUAL_PARAMETERS);
        let mut parameters = Parameters { whole: self.whole, may_fold: self.has_control, list, places: [0; FIELDS] };
        loop {
            // Empty list elements are skipped, as every reader of a comma list must (RFC 7230 §7).
            while self.skip_space() || self.eat(b',') {}
            if self.is_at_end() {
                return Ok(parameters);
            }
            if parameters.list.len() == MAX_PARAMETERS {
                return Err(DigestError::TooManyParameters { limit: MAX_PARAMETERS });
            }
            let parameter = self.parameter()?;
            if !self.is_new(&mut parameters, &parameter) {
                return Err(DigestError::Duplicate(self.whole.part(parameter.name)));
            }
            parameters.list.push(parameter);
            if let [b',', b' ', ..] = self.rest() {
                self.at += 2;
                continue;
            }
            self.skip_space();
            if !self.is_at_end() && !self.eat(b',') {
                return Err(DigestError::Syntax { at: self.at });
            }
        }
    }

    /// Whether there is none of this name yet. The place where it will stand is noted.
    #[inline]
    fn is_new(&self, parameters: &mut Parameters<'_>, parameter: &Standing) -> bool {
        if let Some(place) = parameter.field.and_then(|field| parameters.places.get_mut(field as usize)) {
            let is_new = *place == 0;
            *place = u8::try_from(parameters.list.len() + 1).unwrap_or(0);
            return is_new;
        }
        let name = self.text.get(parameter.name.clone()).unwrap_or_default();
        let is_it = |p: &Standing| self.text.get(p.name.clone()).is_some_and(|p| p.eq_ignore_ascii_case(name));
        !parameters.list.iter().any(is_it)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next byte, if there is one.
    #[inline]
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Says whether there was any.
    #[inline]
    pub(super) fn skip_space(&mut self) -> bool {
        let before = self.at;
        while self.next().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > before
    }

    #[inline]
    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.next() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn parameter(&mut self) -> Result<Standing, DigestError> {
        let start = self.at;
        let (field, length) = match Field::at_start(self.rest()) {
            Some((field, length)) => (Some(field), length),
            None => {
                let length = class::span(self.rest(), TOKEN);
                (self.rest().get(..length).and_then(Field::named), length)
            }
        };
        self.at += length;
        if length > 0
            && let [b'=', b'"', ..] = self.rest()
        {
            self.at += 1;
        } else {
            self.skip_space();
            if length == 0 || !self.eat(b'=') {
                return Err(DigestError::Syntax { at: self.at });
            }
            self.skip_space();
        }
        let name = start..start + length;
        let (mut quoted, mut escaped) = (false, false);
        let value = if self.eat(b'"') {
            quoted = true;
            let start = self.at;
            loop {
                self.at += memchr2(b'"', b'\\', self.rest()).unwrap_or(self.text.len());
                match self.next() {
                    Some(b'"') => break,
                    Some(_) => (escaped, self.at) = (true, self.at + 2),
                    None => return Err(DigestError::Syntax { at: self.text.len() }),
                }
            }
            self.at += 1;
            start..self.at - 1
        } else {
            self.unquoted()
        };
        if value.is_empty() && !quoted {
            return Err(DigestError::Syntax { at: self.at });
        }
        Ok(Standing { field, name, value, quoted, escaped, taken: false })
    }

    /// An unquoted value. More lenient than a token, as peers leave out quotes around URIs and base64.
    fn unquoted(&mut self) -> Range<usize> {
        let is_end = |byte: &u8| is_space(*byte) || matches!(byte, b',' | b'"');
        let start = self.at;
        self.at += self.rest().iter().position(is_end).unwrap_or(self.rest().len());
        start..self.at
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
