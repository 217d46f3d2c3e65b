//! Headers whose values are URIs between angle brackets, with parameters (RFC 3261 §20.9, §20.18, RFC 6442 §4.1).

use alloc::string::String;
use core::fmt::Write;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::{ByteStr, Params, Uri};

macro_rules! uri_headers {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name {
                /// The URI.
                pub uri: Uri,
                /// The parameters of the header, not those of the URI.
                pub params: Params,
            }

            impl $name {
                /// A URI without parameters.
                #[must_use]
                pub fn new(uri: impl Into<Uri>) -> Self {
                    $name { uri: uri.into(), params: Params::new() }
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::Values;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    // A name to show and a URI without brackets, which these headers do not have, are understood.
                    let NameAddr { uri, params, .. } = NameAddr::parse_value(&value, Self::NAME)?;
                    Ok($name { uri, params })
                }

                fn write(&self, out: &mut String) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "<{}>", self.uri);
                    self.params.write(out);
                }
            }
        )*
    };
}

uri_headers! {
    /// More about the caller or the callee: a picture, a card, a page (RFC 3261 §20.9). Show it only if who put it in is trusted.
    ///
    /// ```
    /// use blether_sip_core::CallInfo;
    ///
    /// // RFC 3261 §20.9.
    /// let info: CallInfo = "<http://wwww.example.com/alice/photo.jpg> ;purpose=icon".parse()?;
    /// assert_eq!(info.purpose(), Some("icon"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    CallInfo
    /// Where there is more about an error: a page, or an address to call that says it (RFC 3261 §20.18).
    ///
    /// ```
    /// use blether_sip_core::ErrorInfo;
    ///
    /// // RFC 3261 §20.18.
    /// let info: ErrorInfo = "<sip:not-in-service-recording@atlanta.com>".parse()?;
    /// assert!(info.uri.as_sip().is_some());
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    ErrorInfo
    /// Where a location is to be found: a body of the message by its Content-ID, or a place to ask (RFC 6442 §4.1).
    ///
    /// Parameters are kept and mean nothing yet. Who may look at the location on the way,
    /// [`GeolocationRouting`](crate::GeolocationRouting) says.
    ///
    /// ```
    /// use blether_sip_core::Geolocation;
    ///
    /// let here: Geolocation = "<cid:target123@atlanta.example.com>".parse()?;
    /// assert_eq!(here.content_id(), Some("target123@atlanta.example.com"));
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    Geolocation
}

/// What follows a prefix that is compared without case.
pub(super) fn after<'a>(uri: &'a Uri, prefix: &str) -> Option<&'a str> {
    let Uri::Other(text) = uri else { return None };
    let (start, rest) = text.as_str().split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl CallInfo {
    /// What the URI is for: `icon`, `info`, `card` or another registered word.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.params.value("purpose")
    }

    /// The same with this purpose.
    #[must_use]
    pub fn with_purpose(mut self, purpose: &str) -> Self {
        self.params.set("purpose", Some(purpose));
        self
    }

    /// After how many seconds the phone is asked to answer by itself: the `answer-after` parameter, which intercoms use
    /// and no RFC has. [`AnswerMode`](crate::AnswerMode) is the standard's way.
    #[must_use]
    pub fn answer_after(&self) -> Option<u32> {
        self.params.value("answer-after")?.parse().ok()
    }
}

impl Geolocation {
    /// The Content-ID of the body that has the location; `None` if the location is to be asked for at the URI.
    #[must_use]
    pub fn content_id(&self) -> Option<&str> {
        after(&self.uri, "cid:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_value_is_a_uri_in_brackets_with_parameters() {
        assert_eq!(rewritten::<ErrorInfo>("\"x\" <sip:a@b;lr> ; y=\"1 2\"").1, "<sip:a@b;lr>;y=\"1 2\"");
        assert_eq!(rewritten::<CallInfo>("sip:host;answer-after=0").0.answer_after(), Some(0));
        let icon = CallInfo::new(Uri::Other("http://a/b>\r\nX: y".into())).with_purpose("i con");
        assert_eq!(icon.to_string(), "<http://a/b%3E%0D%0AX:%20y>;purpose=\"i con\"");
        // RFC 6442 §3.2.
        let (place, _) = rewritten::<Geolocation>("<sips:3sdefrhy2jj7@lis.atlanta.example.com>;x");
        assert_eq!((place.content_id(), place.params.has("x")), (None, true));
        for text in ["", "<>", "moo", "<http://a", "<http://a>x"] {
            assert!(ErrorInfo::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
