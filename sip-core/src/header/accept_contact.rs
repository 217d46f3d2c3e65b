//! Accept-Contact and Reject-Contact (RFC 3841 §9.2).

use alloc::string::String;

use super::feature_caps::star;
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, Params};

macro_rules! preferences {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
            pub struct $name {
                /// The feature parameters of RFC 3840 §9, such as `audio`, `methods="INVITE,BYE"` and `+sip.instance`, and others.
                pub params: Params,
            }

            impl $name {
                /// A rule that asks for nothing yet.
                #[must_use]
                pub fn new() -> Self {
                    Self::default()
                }

                /// The same with one more feature: its values between commas, a text between `<` and `>`, or nothing, which
                /// is `TRUE` (RFC 3840 §9).
                #[must_use]
                pub fn with(mut self, feature: &str, value: Option<&str>) -> Self {
                    match value {
                        Some(value) => self.params.set_quoted(feature, value),
                        None => self.params.set(feature, None),
                    }
                    self
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::Values;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    let expected = "a * and features such as ;audio";
                    let params = super::complete(&value, |input| star(&value, input), Self::NAME, expected)?;
                    Ok($name { params })
                }

                fn write(&self, out: &mut String) {
                    out.push('*');
                    self.params.write(out);
                }
            }
        )*
    };
}

preferences! {
    /// What the caller would like the user agent that answers to have (RFC 3841 §9.2).
    /// [`CallerPreferences`](crate::CallerPreferences) applies it.
    ///
    /// ```
    /// use blether_sip_core::AcceptContact;
    ///
    /// let rule: AcceptContact = "*;audio;methods=\"INVITE,BYE\";require".parse()?;
    /// assert!(rule.is_required() && !rule.is_explicit());
    /// assert_eq!(AcceptContact::new().with("mobility", Some("fixed")).required().to_string(), "*;mobility=\"fixed\";require");
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    AcceptContact
    /// What the user agent that answers should not have (RFC 3841 §9.2). [`CallerPreferences`](crate::CallerPreferences) applies it.
    ///
    /// ```
    /// use blether_sip_core::RejectContact;
    ///
    /// assert_eq!(RejectContact::new().with("automata", None).to_string(), "*;automata");
    /// ```
    RejectContact
}

impl AcceptContact {
    /// The same, and who does not match is not called.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.params.set("require", None);
        self
    }

    /// The same, and who does not say that it has a feature counts as one who has not.
    #[must_use]
    pub fn explicit(mut self) -> Self {
        self.params.set("explicit", None);
        self
    }

    /// Whether who does not match is not called.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.params.has("require")
    }

    /// Whether who does not say that it has a feature counts as one who has not.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.params.has("explicit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_rule_is_a_star_with_features() {
        // RFC 3841 §8.
        let text = "*;mobility=\"fixed\" ;events=\"!presence,message-summary\" ;language=\"en,de\";description=\"<PC>\";+sip.newparam ;+rangeparam=\"#-4:+5.125\"";
        let (rule, written) = rewritten::<AcceptContact>(text);
        assert_eq!((rule.params.value("+rangeparam"), written), (Some("#-4:+5.125"), text.replace(' ', "")));
        assert!(rewritten::<AcceptContact>("*;EXPLICIT").0.is_explicit());
        assert_eq!(rewritten::<RejectContact>("*").0, RejectContact::new());
        for text in ["", "audio", "*audio", "*;", "sip:a@b;audio"] {
            assert!(RejectContact::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
