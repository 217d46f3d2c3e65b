//! Answer-Mode and Priv-Answer-Mode (RFC 5373).

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, InvalidText, Params};

/// Whether somebody has to answer, or the phone does it by itself (RFC 5373 §2).
///
/// ```
/// use blether_sip_core::{AnswerMode, AnsweringMode};
///
/// let mode: AnsweringMode = "auto".parse()?;
/// assert_eq!(mode, AnsweringMode::Auto);
/// assert_eq!(AnswerMode::new(mode).required().to_string(), "Auto;require");
/// # Ok::<(), blether_sip_core::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AnsweringMode {
    /// The user answers.
    Manual,
    /// The user agent answers at once.
    Auto,
    /// A mode that is to be passed over (RFC 5373 §2).
    Other(ByteStr),
}

impl AnsweringMode {
    fn as_str(&self) -> &str {
        match self {
            AnsweringMode::Manual => "Manual",
            AnsweringMode::Auto => "Auto",
            AnsweringMode::Other(word) => word,
        }
    }

    fn read(whole: &ByteStr, word: &str) -> Self {
        match word {
            word if word.eq_ignore_ascii_case("manual") => AnsweringMode::Manual,
            word if word.eq_ignore_ascii_case("auto") => AnsweringMode::Auto,
            word => AnsweringMode::Other(whole.share(word)),
        }
    }
}

impl FromStr for AnsweringMode {
    type Err = InvalidText;

    /// Reads a token, in any case.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        if grammar::is_token(word) {
            Ok(AnsweringMode::read(&word.into(), word))
        } else {
            Err(InvalidText::AnsweringMode)
        }
    }
}

impl fmt::Display for AnsweringMode {
    /// Writes the word; characters that no token has are left out, and if that leaves nothing, it is `Manual`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        grammar::fmt_token(f, self.as_str(), "Manual")
    }
}

fn mode<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, (AnsweringMode, Params)> {
    let (rest, word) = grammar::token(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, (AnsweringMode::read(whole, word), params)))
}

macro_rules! answer_modes {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name {
                /// How to answer.
                pub mode: AnsweringMode,
                /// The parameters, such as `require`.
                pub params: Params,
            }

            impl $name {
                /// This mode, as a wish.
                #[must_use]
                pub fn new(mode: AnsweringMode) -> Self {
                    $name { mode, params: Params::new() }
                }

                /// The same, and the call is rather to be refused than answered in another mode.
                #[must_use]
                pub fn required(mut self) -> Self {
                    self.params.set("require", None);
                    self
                }

                /// Whether the call is rather to be refused than answered in another mode (RFC 5373 §4).
                #[must_use]
                pub fn is_required(&self) -> bool {
                    self.params.has("require")
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    let (mode, params) =
                        super::complete(&value, |input| mode(&value, input), Self::NAME, "Manual or Auto, and parameters")?;
                    Ok($name { mode, params })
                }

                fn write(&self, out: &mut String) {
                    grammar::write_token(out, self.mode.as_str(), "Manual");
                    self.params.write(out);
                }
            }
        )*
    };
}

answer_modes! {
    /// How the caller wants the call to be answered, and in a 2xx how it was (RFC 5373 §2). Who may have a phone answer by
    /// itself is for the phone to decide: whoever may, can listen.
    ///
    /// ```
    /// use blether_sip_core::{AnswerMode, AnsweringMode};
    ///
    /// let asked: AnswerMode = "auto;require".parse()?;
    /// assert_eq!((&asked.mode, asked.is_required()), (&AnsweringMode::Auto, true));
    /// assert_eq!(AnswerMode::new(AnsweringMode::Manual).to_string(), "Manual");
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    AnswerMode
    /// [`AnswerMode`] for those whom the called user lets through at any time (RFC 5373 §4.1).
    ///
    /// ```
    /// use blether_sip_core::{AnsweringMode, PrivAnswerMode};
    ///
    /// assert_eq!(PrivAnswerMode::new(AnsweringMode::Auto).required().to_string(), "Auto;require");
    /// ```
    PrivAnswerMode
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_mode_is_a_word_with_parameters() {
        assert_eq!(rewritten::<AnswerMode>("MANUAL").1, "Manual");
        let (other, written) = rewritten::<PrivAnswerMode>("Later ; x=1 ;Require");
        assert_eq!((other.mode.clone(), other.is_required()), (AnsweringMode::Other("Later".into()), true));
        assert_eq!(written, "Later;x=1;Require");
        let hostile = AnswerMode::new(AnsweringMode::Other("\r\n: ".into()));
        assert_eq!(hostile.to_string(), "Manual");
        for text in ["", ";require", "Auto Manual", "Auto;"] {
            assert!(AnswerMode::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
