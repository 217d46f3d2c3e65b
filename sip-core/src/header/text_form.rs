//! Typed headers as text: `Display` writes what stands in a message, `FromStr` reads it, serde does both.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::*;

macro_rules! text_forms {
    ($($header:ident)*) => {
        $(
            impl fmt::Display for $header {
                /// Writes the value as it stands in a message, on one line.
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let mut text = String::new();
                    self.write(&mut text);
                    f.write_str(&text)
                }
            }

            impl FromStr for $header {
                type Err = HeaderError;

                /// Reads the value as [`TypedHeader::parse_value`] does.
                fn from_str(text: &str) -> Result<Self, HeaderError> {
                    Self::parse_value(text.into())
                }
            }

            #[cfg(feature = "serde")]
            crate::serde_text::serde_as_text!($header);
        )*
    };
}

for_each_header!(text_forms);
