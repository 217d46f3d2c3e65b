//! What the parameters of a header have that they should not, although they are read.

use super::parameters::{Field, Split, bare, split};
use crate::{ByteStr, grammar};

/// Which of the headers it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestHeader {
    Challenge,
    Credentials,
    Confirmation,
}

/// What a parameter should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestDeviation {
    /// In quotes.
    Quotes(&'static str),
    /// Without quotes.
    NoQuotes(&'static str),
    /// In quotes, since it is no token.
    Value,
    /// Together with the others of `qop`, `nc` and `cnonce`.
    Together(&'static str),
}

impl DigestHeader {
    /// Whether a parameter is in quotes; `None` if it may be (RFC 3261 §25.1, RFC 7616 §3.3, §3.4, §3.5). By the letter one that is not as it should
    /// be is an `auth-param`, which is not what is meant.
    fn quotes(self, field: Field) -> Option<bool> {
        Some(match field {
            Field::Algorithm | Field::Nc | Field::Stale | Field::ExtendedUsername => false,
            Field::Qop => self == DigestHeader::Challenge,
            Field::Cnonce
            | Field::Domain
            | Field::NextNonce
            | Field::Nonce
            | Field::Opaque
            | Field::Realm
            | Field::Response
            | Field::RspAuth
            | Field::Uri
            | Field::Username => true,
            Field::Charset | Field::Userhash => return None,
        })
    }
}

/// Tells what a value has that it should not, and where in it, from 0. Nothing of one that cannot be read or has another scheme.
pub(crate) fn deviations(header: DigestHeader, value: &str, told: &mut dyn FnMut(DigestDeviation, usize)) {
    let whole = ByteStr::from(value);
    let parameters = match header {
        DigestHeader::Confirmation => bare(&whole),
        DigestHeader::Challenge | DigestHeader::Credentials => match split(&whole) {
            Ok(Split::Digest(parameters)) => Ok(parameters),
            Ok(Split::Foreign(_)) => return,
            Err(error) => Err(error),
        },
    };
    let Ok(parameters) = parameters else { return };
    for (field, quoted, at) in parameters.standing() {
        let start = at.start;
        match field.and_then(|field| Some((field, header.quotes(field)?))) {
            Some((field, true)) if !quoted => told(DigestDeviation::Quotes(field.name()), start),
            Some((field, false)) if quoted => told(DigestDeviation::NoQuotes(field.name()), start),
            _ if !quoted && !value.get(at).is_some_and(grammar::is_token) => {
                told(DigestDeviation::Value, start);
            }
            _ => {}
        }
    }
    let at =
        |wanted: Field| parameters.standing().find(|(field, ..)| *field == Some(wanted)).map(|(_, _, at)| at.start);
    let places = [Field::Qop, Field::Nc, Field::Cnonce].map(|field| (field, at(field)));
    // `nc` and `cnonce` stand where `qop` does, and in credentials nowhere else (RFC 2617 §3.2.2, §3.2.3, RFC 7616 §3.5).
    let first = match header {
        DigestHeader::Challenge => None,
        DigestHeader::Credentials => places.iter().find_map(|(_, at)| *at),
        DigestHeader::Confirmation => at(Field::Qop),
    };
    if let (Some(first), Some((missing, _))) = (first, places.iter().find(|(_, at)| at.is_none())) {
        told(DigestDeviation::Together(missing.name()), first);
    }
}
