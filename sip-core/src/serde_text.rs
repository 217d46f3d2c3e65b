//! serde for what has a text form: a string in any format, which is what stands in a message.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};

/// Implements `Serialize` by `Display` and `Deserialize` by `FromStr`.
macro_rules! serde_as_text {
    ($($type:ty),*) => {
        $(
            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    crate::serde_text::read(deserializer, stringify!($type))
                }
            }
        )*
    };
}

pub(crate) use serde_as_text;

/// Reads what `T` reads of a text.
pub(crate) fn read<'de, D, T>(deserializer: D, name: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Text<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "the text of a {}", self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(name, PhantomData))
}

serde_as_text!(
    crate::AddressOfRecord,
    crate::Host,
    crate::NameAddr,
    crate::SipUri,
    crate::Uri,
    crate::Method,
    crate::HeaderName,
    crate::Params,
    crate::StatusCode,
    crate::TelUri,
    crate::TransportParam
);
serde_as_text!(crate::digest::Algorithm);
serde_as_text!(crate::digest::Challenge, crate::digest::Confirmation, crate::digest::Credentials);
serde_as_text!(crate::body::MessageSummary, crate::body::SipFragment);
serde_as_text!(crate::HistoryIndex, crate::ResourceValue, crate::SessionUuid);
serde_as_text!(crate::sdp::Bandwidth, crate::sdp::Connection, crate::sdp::Direction, crate::sdp::Origin);
serde_as_text!(crate::sdp::Repeat, crate::sdp::RtpMap, crate::sdp::SessionDescription);
serde_as_text!(crate::sdp::attribute::TelephoneEvents);

#[cfg(test)]
mod tests {
    use crate::digest::{Algorithm, Challenge};
    use crate::{AddressOfRecord, Contact, Host, Method, Params, StatusCode, Supported, TransportParam};

    #[test]
    fn a_value_is_the_text_that_stands_in_a_message() {
        let contact: Contact = serde_json::from_str(r#""<sip:a@b>;expires=60""#).unwrap();
        assert_eq!(contact.expires(), Some(60));
        assert_eq!(serde_json::to_string(&contact).unwrap(), r#""<sip:a@b>;expires=60""#);
        let supported: Supported = serde_json::from_str(r#""path,timer""#).unwrap();
        assert_eq!(serde_json::to_string(&(supported, Method::Invite)).unwrap(), r#"["path, timer","INVITE"]"#);
    }

    #[test]
    fn hosts_and_what_digests_are_made_of_are_texts_too() {
        for (text, is_host) in [("\"[2001:db8::1]\"", true), ("\"a.example\"", true), ("\"a b\"", false)] {
            let host = serde_json::from_str::<Host>(text);
            assert_eq!(host.is_ok(), is_host, "{text}");
            assert!(host.is_err() || serde_json::to_string(&host.unwrap()).unwrap() == text);
        }
        let text = r#""Digest realm=\"r\", nonce=\"n\"""#;
        let challenge: Challenge = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&challenge).unwrap(), text);
    }

    #[test]
    fn words_are_texts_that_are_checked() {
        #[track_caller]
        fn check<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str, bad: &str) {
            let value: T = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{text}\""));
            let error = serde_json::from_str::<T>(&format!("\"{bad}\"")).err().unwrap();
            assert!(error.to_string().starts_with("expected "), "{error}");
        }
        check::<StatusCode>("486", "86");
        check::<Method>("PUBLISH", "A B");
        check::<AddressOfRecord>("sip:alice@atlanta.com", "sip:atlanta.com");
        check::<TransportParam>("tcp", "t/cp");
        check::<Params>(";lr;x=1", "lr");
        check::<Algorithm>("SHA-256", "SHA-1");
    }

    #[test]
    fn what_the_header_does_not_allow_is_refused_in_its_words() {
        let error = serde_json::from_str::<Contact>(r#""nothing""#).unwrap_err();
        assert!(error.to_string().starts_with("Bad Contact header: expected "), "{error}");
        let error = serde_json::from_str::<Contact>("7").unwrap_err();
        assert!(error.to_string().contains("expected the text of a Contact"), "{error}");
    }
}
