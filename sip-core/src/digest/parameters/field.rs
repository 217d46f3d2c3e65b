//! The parameters that some header has a field for.

macro_rules! fields {
    ($($field:ident $name:literal)*) => {
        /// A parameter that some header has a field for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(in crate::digest) enum Field {
            $($field,)*
        }

        pub(super) const FIELDS: usize = [$($name),*].len();

        impl Field {
            pub(in crate::digest) const fn name(self) -> &'static str {
                match self {
                    $(Field::$field => $name,)*
                }
            }

            /// The field of this name, in any case.
            pub(super) fn named(name: &[u8]) -> Option<Field> {
                $(if name.eq_ignore_ascii_case($name.as_bytes()) {
                    return Some(Field::$field);
                })*
                None
            }

            /// The field of this [`start`] of a name.
            #[inline]
            fn starting_with(name: u64) -> Option<Field> {
                $(if name == const { start($name.as_bytes()) } {
                    return Some(Field::$field);
                })*
                None
            }
        }
    };
}

fields! {
    Algorithm "algorithm"
    Charset "charset"
    Cnonce "cnonce"
    Domain "domain"
    Nc "nc"
    NextNonce "nextnonce"
    Nonce "nonce"
    Opaque "opaque"
    Qop "qop"
    Realm "realm"
    Response "response"
    RspAuth "rspauth"
    Stale "stale"
    Uri "uri"
    Userhash "userhash"
    Username "username"
    ExtendedUsername "username*"
}

/// The first eight bytes of a name in small letters, with NULs behind it.
const fn start(name: &[u8]) -> u64 {
    let (mut start, mut at) = (0, 0);
    while at < 8 && at < name.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            start |= (name[at] as u64) << (8 * at);
        }
        at += 1;
    }
    start
}

impl Field {
    /// The field whose name `text` starts with, if a `=` follows at once, and the length of the name. `None` if it is another one,
    /// or cannot be told this fast.
    #[inline]
    pub(super) fn at_start(text: &[u8]) -> Option<(Field, usize)> {
        const EQUALS: u64 = u64::from_le_bytes([b'='; 8]);
        const LOWEST: u64 = u64::from_le_bytes([1; 8]);
        // Makes small letters of capitals, and letters of nothing else.
        const SMALL: u64 = u64::from_le_bytes([b' '; 8]);
        let [name @ .., ninth, tenth] = text.first_chunk::<10>()?;
        let name = u64::from_le_bytes(*name);
        let others = name ^ EQUALS;
        // The lowest of these bits is that of the first `=`.
        let equals = others.wrapping_sub(LOWEST) & !others & (LOWEST << 7);
        let name = name | SMALL;
        if equals != 0 {
            let bits = equals.trailing_zeros() & !7;
            return Some((Field::starting_with(name & !(u64::MAX << bits))?, bits as usize / 8));
        }
        let field = Field::starting_with(name)?;
        match field.name().as_bytes() {
            [_, _, _, _, _, _, _, _] => (*ninth == b'=').then_some((field, 8)),
            [_, _, _, _, _, _, _, _, last] => {
                (ninth.to_ascii_lowercase() == *last && *tenth == b'=').then_some((field, 9))
            }
            _ => None,
        }
    }
}
