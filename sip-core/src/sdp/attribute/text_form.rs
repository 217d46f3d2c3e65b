//! Typed attributes as text: `Display` writes what stands behind the colon, `FromStr` reads it, serde does both.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::*;

macro_rules! text_forms {
    ($($attribute:ident)*) => {
        $(
            impl fmt::Display for $attribute {
                /// Writes the value as it stands in a description, on one line.
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let mut text = String::new();
                    self.write(&mut text);
                    f.write_str(&text)
                }
            }

            impl FromStr for $attribute {
                type Err = SdpError;

                /// Reads the value as [`SdpAttribute::parse_value`] does.
                fn from_str(text: &str) -> Result<Self, SdpError> {
                    Self::parse_value(text.into())
                }
            }

            #[cfg(feature = "serde")]
            crate::serde_text::serde_as_text!($attribute);
        )*
    };
}

for_each_attribute!(text_forms);
