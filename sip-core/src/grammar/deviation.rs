/// Is told each deviation and where it is: a part of the text that was read.
pub(crate) type Told<'a> = &'a mut dyn FnMut(Deviation, &str);

/// What a rule takes and the RFC does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deviation {
    /// Words of a display name that should be in quotes.
    DisplayName,
    /// A backslash before a character beyond ASCII.
    QuotedPair,
    /// Characters of a user or a password that should be escaped.
    User,
    /// A host name with an underscore, or with a `-` at the end of a label.
    HostName,
    /// A parameter's value that should be in quotes.
    BareValue,
    /// A `=` without a value.
    EmptyValue,
    /// Spaces within the brackets around a URI.
    Spaces,
    /// A URI without brackets where a header has them always.
    Brackets,
    /// A name to show where a header has none.
    Name,
    /// A parameter that is there already. Where it is, is its name.
    Repeated,
    /// A colon too many in an IPv6 address.
    Colons,
    /// A `received` that is no address, or one in brackets.
    Received,
    /// A parameter of this name whose value is not what the header's grammar says.
    Parameter(&'static str),
    /// A `tel:` URI that is no number, or a local one without its context.
    Tel,
    /// A character that should be escaped in a URI of another scheme.
    UriCharacter,
}
