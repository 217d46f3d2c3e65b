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
    crate::ByteStr,
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
serde_as_text!(crate::digest::Algorithm, crate::digest::AlgorithmName);
serde_as_text!(crate::digest::Preference, crate::digest::Protection, crate::digest::Qop);
serde_as_text!(crate::digest::Challenge, crate::digest::Confirmation, crate::digest::Credentials);
serde_as_text!(crate::body::MessageClass, crate::body::MessageCounts, crate::body::MessageSummary);
serde_as_text!(crate::body::SipFragment);
#[cfg(feature = "xml")]
serde_as_text!(crate::body::conference::Change, crate::body::pidf::Basic, crate::body::xml::Completeness);
serde_as_text!(crate::AnsweringMode, crate::Directive, crate::DiversionReason, crate::Handling, crate::HistoryTarget);
serde_as_text!(crate::HistoryIndex, crate::Refresher, crate::ResourceValue, crate::SecurityMechanism);
serde_as_text!(crate::SessionUuid, crate::Substate, crate::TerminationReason);
serde_as_text!(crate::sdp::Bandwidth, crate::sdp::Connection, crate::sdp::Direction, crate::sdp::Origin);
serde_as_text!(crate::sdp::Repeat, crate::sdp::RtpMap, crate::sdp::SessionDescription);
serde_as_text!(crate::sdp::TimeDescription, crate::sdp::ZoneAdjustment);
serde_as_text!(crate::sdp::attribute::FilterMode, crate::sdp::attribute::KeyParam);
serde_as_text!(crate::sdp::attribute::RemoteCandidate, crate::sdp::attribute::RidDirection);
serde_as_text!(crate::sdp::attribute::SimulcastStream, crate::sdp::attribute::TelephoneEvents);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{MessageClass, MessageCounts};
    use crate::digest::{Algorithm, AlgorithmName, Challenge, Preference, Protection, Qop};
    use crate::sdp::attribute::{FilterMode, KeyParam, RemoteCandidate, RidDirection, SimulcastStream};
    use crate::sdp::{SdpError, TimeDescription, ZoneAdjustment};
    use crate::{AddressOfRecord, Contact, Host, Method, Params, StatusCode, Supported, TransportParam};
    use crate::{AnsweringMode, ByteStr, Directive, DiversionReason, Handling, HistoryTarget, Refresher};
    use crate::{SecurityMechanism, Substate, TerminationReason};

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

    /// What is less than a header, a line or an attribute: as it is read, as it is written, and what it is not.
    #[test]
    fn parts_are_texts_that_are_checked() {
        #[track_caller]
        fn check<T>(text: &str, written: &str, bad: &[&str])
        where
            T: FromStr<Err: fmt::Display + fmt::Debug> + fmt::Display + fmt::Debug + PartialEq,
            T: serde::Serialize + serde::de::DeserializeOwned,
        {
            let value: T = text.parse().unwrap();
            assert_eq!((value.to_string().as_str(), written.parse::<T>().as_ref().ok()), (written, Some(&value)));
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!((json.as_str(), serde_json::from_str(&json).ok()), (&*format!("{written:?}"), Some(value)));
            for bad in bad {
                let error = bad.parse::<T>().unwrap_err().to_string();
                assert!(error.contains("expected ") || error.contains("line"), "{bad}: {error}");
            }
        }
        check::<AnsweringMode>("AUTO", "Auto", &["", "a b", "Auto;require"]);
        check::<AnsweringMode>("Later", "Later", &[]);
        check::<Directive>("No-Fork", "no-fork", &["", "forks", " fork"]);
        check::<DiversionReason>("User-Busy", "user-busy", &["", "a b", "\"a", "\"a\" b"]);
        check::<DiversionReason>("\"user-busy\"", "user-busy", &[]);
        check::<DiversionReason>("\"at \\\"lunch\\\"\"", "\"at \\\"lunch\\\"\"", &[]);
        check::<Handling>("Optional", "optional", &["", "a;b", "\"optional\""]);
        check::<HistoryTarget>("MP=1.01", "mp=1.1", &["", "mp", "mp=", "xx=1", "rc=1.x"]);
        check::<Refresher>("UAS", "uas", &["", "ua", "uac "]);
        check::<SecurityMechanism>("tls ; q=0.2", "tls;q=0.2", &["", "tls, digest", ";q=1"]);
        check::<Substate>("Active ; Expires=60", "active;expires=60", &["", "active;x=y", "active;expires=x"]);
        check::<Substate>("terminated;retry-after=7;reason=GiveUp", "terminated;reason=giveup;retry-after=7", &[]);
        check::<TerminationReason>("NoResource", "noresource", &["", "a=b"]);
        check::<AlgorithmName>("md5-SESS", "MD5-sess", &["", "SHA 256"]);
        check::<AlgorithmName>("AKAv1-MD5", "AKAv1-MD5", &[]);
        check::<Qop>("AUTH-int", "auth-int", &["", "auth,auth-int"]);
        check::<Protection>("Legacy", "legacy", &["", "none"]);
        check::<Preference>("Topmost", "topmost", &["", "first"]);
        check::<FilterMode>("excl", "excl", &["", "EXCL"]);
        check::<RidDirection>("recv", "recv", &["", "both"]);
        check::<KeyParam>("inline:QUI=|1:4", "inline:QUI=|1:4", &["", "inline", "inline:", "in-line:A", "inline:A;B"]);
        check::<RemoteCandidate>(" 1  192.0.2.3 9", "1 192.0.2.3 9", &["", "1 a", "1 a 9 2", "1 a 9 2 a 10"]);
        check::<SimulcastStream>("~hi", "~hi", &["", "~", "~~1", "a b"]);
        check::<ZoneAdjustment>("3730928400 -1h", "3730928400 -3600", &["", "1", "1 2 3 4", "x 1"]);
        let (summer, repeats) = ("z=3730928400 -3600\r\n", "r=604800 3600 0\r\n");
        let time = format!("t=3724394400 0\r\n{repeats}{summer}");
        check::<TimeDescription>(
            "t=3724394400 0\nr=7d 1h 0\nz=3730928400 -1h",
            &time,
            &["t=x 0", "t=0 0\nr=1", "t=0 0\nz=1"],
        );
        check::<TimeDescription>("t= 0  0", "t=0 0\r\n", &["t=0 0\nt=0 0", "t=0 0\nv=0", "t=0 0\n\n"]);
        assert!(["", "r=1 1 0"].iter().all(|text| text.parse::<TimeDescription>() == Err(SdpError::Missing('t'))));
        check::<MessageClass>("FAX-message", "Fax-Message", &["", "a b", "a:b"]);
        check::<MessageClass>("video", "video", &[]);
        check::<MessageCounts>("2 / 8 ( 0/2 )", "2/8 (0/2)", &["", "1", "1/2 (3)"]);
        #[cfg(feature = "xml")]
        {
            use crate::body::{conference, dialog_info, pidf, xml};
            check::<pidf::Basic>("Open", "open", &["", "ajar"]);
            check::<conference::Change>("deleted", "deleted", &["", "Full"]);
            check::<xml::Completeness>("partial", "partial", &["", "deleted"]);
            check::<dialog_info::DialogState>("Early", "early", &[]);
            check::<conference::MediaStatus>("sideways", "sideways", &[]);
        }
        let text: ByteStr = serde_json::from_str("\"a b\"").unwrap();
        assert_eq!((serde_json::to_string(&text).unwrap().as_str(), "a b".parse()), ("\"a b\"", Ok(text)));
    }

    /// Whatever a part holds, it stays one.
    #[test]
    fn hostile_parts_are_written_so_that_they_read() {
        let evil = || ByteStr::from("a;b, c\r\nVia: \"x\"");
        assert_eq!(AnsweringMode::Other(" ".into()).to_string(), "Manual");
        assert_eq!(AnsweringMode::Other(evil()).to_string(), "abcViax");
        assert_eq!(DiversionReason::Other(evil()).to_string(), r#""a;b, c  Via: \"x\"""#);
        assert_eq!(Handling::Other(evil()).to_string(), "abcViax");
        assert_eq!(TerminationReason::Other(evil()).to_string(), "abcViax");
        assert_eq!(Substate::Other(evil()).to_string(), "abcViax");
        assert_eq!(AlgorithmName::Unknown(evil()).to_string(), "unknown");
        assert_eq!(Qop::Other("au,th".into()).to_string(), "unknown");
        assert_eq!(KeyParam { method: evil(), info: evil() }.to_string(), "abcViax:ab,cVia:\"x\"");
        assert_eq!(SimulcastStream { rid: "~,".into(), paused: false }.to_string(), "-");
        assert_eq!(RemoteCandidate { component: 1, address: "\r\n".into(), port: 9 }.to_string(), "1 0.0.0.0 9");
    }

    #[test]
    fn what_the_header_does_not_allow_is_refused_in_its_words() {
        let error = serde_json::from_str::<Contact>(r#""nothing""#).unwrap_err();
        assert!(error.to_string().starts_with("Bad Contact header: expected "), "{error}");
        let error = serde_json::from_str::<Contact>("7").unwrap_err();
        assert!(error.to_string().contains("expected the text of a Contact"), "{error}");
    }
}
