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
