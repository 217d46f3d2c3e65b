use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use crate::{ByteStr, grammar};

macro_rules! header_names {
    ($($variant:ident $name:literal $($compact:literal)?)*) => {
        /// The name of a header; compared without case, and a compact form is its long form (RFC 3261 §7.3.3).
        ///
        /// ```
        /// use blether_sip_core::HeaderName;
        ///
        /// assert_eq!("i".parse(), Ok(HeaderName::CallId));
        /// assert_eq!("CALL-ID".parse::<HeaderName>().unwrap().as_str(), "Call-ID");
        /// ```
        #[derive(Clone)]
        #[non_exhaustive]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $name, "`" $(, ", compact `", $compact, "`")?)]
                $variant,
            )*
            /// Any other header, in the case it was written in.
            Extension(ByteStr),
        }

        /// The names that have a variant, numbered in the order of the list.
        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Number {
            $($variant,)*
        }

        /// The names by their numbers.
        static BY_CODE: &[HeaderName] = &[$(HeaderName::$variant,)*];

        /// The long forms by their numbers.
        static NAMES: &[&str] = &[$($name,)*];

        /// Every name and compact form, with the number of the header.
        const WRITTEN: &[(&str, u8)] = &[
            $(
                ($name, Number::$variant as u8),
                $(($compact, Number::$variant as u8),)?
            )*
        ];

        impl HeaderName {
            /// The name in its long form and usual case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$variant => $name,)*
                    HeaderName::Extension(name) => name,
                }
            }

            /// The number of the name, or [`Code::EXTENSION`] if it has none, whoever made it.
            #[inline]
            pub(crate) fn code(&self) -> Code {
                match self {
                    $(HeaderName::$variant => Code(Number::$variant as u8),)*
                    HeaderName::Extension(name) => Code::of(name.as_bytes()),
                }
            }

            fn as_bytes(&self) -> &[u8] {
                match self {
                    HeaderName::Extension(name) => name.as_bytes(),
                    known => known.as_str().as_bytes(),
                }
            }
        }
    };
}

header_names! {
    Accept "Accept"
    AcceptContact "Accept-Contact" "a"
    AcceptEncoding "Accept-Encoding"
    AcceptLanguage "Accept-Language"
    AcceptResourcePriority "Accept-Resource-Priority"
    AdditionalIdentity "Additional-Identity"
    AlertInfo "Alert-Info"
    AlertMsgError "AlertMsg-Error"
    Allow "Allow"
    AllowEvents "Allow-Events" "u"
    AnswerMode "Answer-Mode"
    AttestationInfo "Attestation-Info"
    AuthenticationInfo "Authentication-Info"
    Authorization "Authorization"
    CallId "Call-ID" "i"
    CallInfo "Call-Info"
    CellularNetworkInfo "Cellular-Network-Info"
    Contact "Contact" "m"
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" "e"
    ContentId "Content-ID"
    ContentLanguage "Content-Language"
    ContentLength "Content-Length" "l"
    ContentType "Content-Type" "c"
    CSeq "CSeq"
    Date "Date"
    DcInfo "DC-Info"
    Diversion "Diversion"
    Encryption "Encryption"
    ErrorInfo "Error-Info"
    Event "Event" "o"
    Expires "Expires"
    FeatureCaps "Feature-Caps"
    FlowTimer "Flow-Timer"
    From "From" "f"
    Geolocation "Geolocation"
    GeolocationError "Geolocation-Error"
    GeolocationRouting "Geolocation-Routing"
    Hide "Hide"
    HistoryInfo "History-Info"
    Identity "Identity" "y"
    IdentityInfo "Identity-Info" "n"
    InReplyTo "In-Reply-To"
    InfoPackage "Info-Package"
    Join "Join"
    MaxBreadth "Max-Breadth"
    MaxForwards "Max-Forwards"
    MimeVersion "MIME-Version"
    MinExpires "Min-Expires"
    MinSe "Min-SE"
    Organization "Organization"
    OriginationId "Origination-Id"
    PAccessNetworkInfo "P-Access-Network-Info"
    PAnswerState "P-Answer-State"
    PAssertedIdentity "P-Asserted-Identity"
    PAssertedService "P-Asserted-Service"
    PAssociatedUri "P-Associated-URI"
    PCalledPartyId "P-Called-Party-ID"
    PChargeInfo "P-Charge-Info"
    PChargingFunctionAddresses "P-Charging-Function-Addresses"
    PChargingVector "P-Charging-Vector"
    PDcsBillingInfo "P-DCS-Billing-Info"
    PDcsLaes "P-DCS-LAES"
    PDcsOsps "P-DCS-OSPS"
    PDcsRedirect "P-DCS-Redirect"
    PDcsTracePartyId "P-DCS-Trace-Party-ID"
    PEarlyMedia "P-Early-Media"
    PMediaAuthorization "P-Media-Authorization"
    PPreferredIdentity "P-Preferred-Identity"
    PPreferredService "P-Preferred-Service"
    PPrivateNetworkIndication "P-Private-Network-Indication"
    PProfileKey "P-Profile-Key"
    PRefusedUriList "P-Refused-URI-List"
    PServedUser "P-Served-User"
    PUserDatabase "P-User-Database"
    PVisitedNetworkId "P-Visited-Network-ID"
    Path "Path"
    PermissionMissing "Permission-Missing"
    PolicyContact "Policy-Contact"
    PolicyId "Policy-ID"
    Priority "Priority"
    PriorityShare "Priority-Share"
    PriorityVerstat "Priority-Verstat"
    PrivAnswerMode "Priv-Answer-Mode"
    Privacy "Privacy"
    ProxyAuthenticate "Proxy-Authenticate"
    ProxyAuthenticationInfo "Proxy-Authentication-Info"
    ProxyAuthorization "Proxy-Authorization"
    ProxyRequire "Proxy-Require"
    RAck "RAck"
    Reason "Reason"
    ReasonPhrase "Reason-Phrase"
    RecordRoute "Record-Route"
    RecvInfo "Recv-Info"
    ReferEventsAt "Refer-Events-At"
    ReferSub "Refer-Sub"
    ReferTo "Refer-To" "r"
    ReferredBy "Referred-By" "b"
    RejectContact "Reject-Contact" "j"
    RelayedCharge "Relayed-Charge"
    RemotePartyId "Remote-Party-ID"
    Replaces "Replaces"
    ReplyTo "Reply-To"
    RequestDisposition "Request-Disposition" "d"
    Require "Require"
    ResourcePriority "Resource-Priority"
    ResourceShare "Resource-Share"
    ResponseKey "Response-Key"
    ResponseSource "Response-Source"
    RestorationInfo "Restoration-Info"
    RetryAfter "Retry-After"
    Route "Route"
    RSeq "RSeq"
    SecurityClient "Security-Client"
    SecurityServer "Security-Server"
    SecurityVerify "Security-Verify"
    Server "Server"
    ServiceInteractInfo "Service-Interact-Info"
    ServiceRoute "Service-Route"
    SessionExpires "Session-Expires" "x"
    SessionId "Session-ID"
    SipEtag "SIP-ETag"
    SipIfMatch "SIP-If-Match"
    Subject "Subject" "s"
    SubscriptionState "Subscription-State"
    Supported "Supported" "k"
    SuppressIfMatch "Suppress-If-Match"
    TargetDialog "Target-Dialog"
    Timestamp "Timestamp"
    To "To" "t"
    TriggerConsent "Trigger-Consent"
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    UserToUser "User-to-User"
    Via "Via" "v"
    Warning "Warning"
    WwwAuthenticate "WWW-Authenticate"
}

/// The name of a header in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u8);

impl Code {
    /// Any name that has no variant.
    pub(crate) const EXTENSION: Code = Code(u8::MAX);

    pub(crate) const CALL_ID: Code = Code(Number::CallId as u8);
    pub(crate) const CONTENT_LENGTH: Code = Code(Number::ContentLength as u8);
    pub(crate) const CSEQ: Code = Code(Number::CSeq as u8);
    pub(crate) const FROM: Code = Code(Number::From as u8);
    pub(crate) const MAX_FORWARDS: Code = Code(Number::MaxForwards as u8);
    pub(crate) const TO: Code = Code(Number::To as u8);
    pub(crate) const VIA: Code = Code(Number::Via as u8);

    /// What a name is known by, long or compact, in any case.
    pub(crate) fn of(name: &[u8]) -> Code {
        let mut padded = [0; MAX_KNOWN];
        match padded.get_mut(..=name.len()) {
            Some([start @ .., colon]) => {
                start.copy_from_slice(name);
                *colon = b':';
            }
            _ => return Code::EXTENSION,
        }
        padded.make_ascii_lowercase();
        let key = words(&padded);
        find(slot(&key), |known| *known == key)
    }

    /// [`Code::of`] of the first `length` bytes of a line.
    #[inline]
    pub(crate) fn of_start(line: &[u8], length: usize) -> Code {
        let Some(start) = line.first_chunk().filter(|_| length < MAX_KNOWN) else {
            return line.get(..length).map_or(Code::EXTENSION, Code::of);
        };
        let mut key = words(start);
        for (index, word) in key.iter_mut().enumerate() {
            let kept = length.saturating_sub(8 * index);
            let name = if kept < 8 { (1 << (8 * kept)) - 1 } else { u64::MAX };
            *word = lower(*word) & name;
        }
        if let Some(word) = key.get_mut(length / 8) {
            *word |= u64::from(b':') << (length % 8 * 8);
        }
        find(slot(&key), |known| *known == key)
    }

    /// The name at the start of a line: its length and what it is known by. `None` if it is not followed by a colon at
    /// once, if it is not known, or if it cannot be told this fast.
    #[inline(always)]
    pub(crate) fn at_start(line: &[u8]) -> Option<(usize, Code)> {
        // Most names end within two words, and then what is known has no more of them.
        let (first, second) = match line.first_chunk::<16>()?.as_chunks::<8>().0 {
            [first, second] => (u64::from_le_bytes(*first), u64::from_le_bytes(*second)),
            _ => return None,
        };
        if let Some((bits, word)) = before_colon(first) {
            let code = find(slot(&[word, 0, 0, 0]), |[a, ..]| *a == word);
            return (code != Code::EXTENSION).then_some((bits as usize / 8, code));
        }
        let first = lower(first);
        if let Some((bits, word)) = before_colon(second) {
            let code = find(slot(&[first, word, 0, 0]), |[a, b, ..]| *a == first && *b == word);
            return (code != Code::EXTENSION).then_some((8 + bits as usize / 8, code));
        }
        Code::at_start_of_long(line)
    }

    #[inline(never)]
    fn at_start_of_long(line: &[u8]) -> Option<(usize, Code)> {
        let [first, second, third, fourth] = line.first_chunk::<MAX_KNOWN>()?.as_chunks::<8>().0 else { return None };
        let [first, second, third, fourth] = [first, second, third, fourth].map(|word| u64::from_le_bytes(*word));
        let (length, key) = if let Some((bits, word)) = before_colon(third) {
            (128 + bits, [lower(first), lower(second), word, 0])
        } else {
            let (bits, word) = before_colon(fourth)?;
            (192 + bits, [lower(first), lower(second), lower(third), word])
        };
        let code = find(slot(&key), |known| *known == key);
        (code != Code::EXTENSION).then_some((length as usize / 8, code))
    }

    /// The name; `None` for [`Code::EXTENSION`].
    pub(crate) fn name(self) -> Option<&'static HeaderName> {
        BY_CODE.get(usize::from(self.0))
    }

    /// The name in its long form and usual case; `None` for [`Code::EXTENSION`].
    pub(crate) fn as_str(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0)).copied()
    }

    /// The number, from 0.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The length up to which a name can be known, with its colon, in bytes.
const MAX_KNOWN: usize = 32;

/// A name in small letters and its colon, eight bytes to a word, with NULs behind them.
type Key = [u64; MAX_KNOWN / 8];

/// Makes small letters of capitals, and of no other byte a letter or a `-`.
#[inline]
fn lower(word: u64) -> u64 {
    word | (word >> 1 & u64::from_le_bytes([0x20; 8]))
}

/// How many bits stand before the first colon of a word, and those bits and the colon in small letters.
#[inline]
fn before_colon(word: u64) -> Option<(u32, u64)> {
    const COLONS: u64 = u64::from_le_bytes([b':'; 8]);
    const LOWEST: u64 = u64::from_le_bytes([1; 8]);
    let others = word ^ COLONS;
    // The lowest of these bits is that of the first colon.
    let colon = others.wrapping_sub(LOWEST) & !others & (LOWEST << 7);
    let bits = colon.trailing_zeros() & !7;
    (colon != 0).then(|| (bits, lower(word) & (u64::MAX >> (56 - bits))))
}

fn words(name: &[u8; MAX_KNOWN]) -> Key {
    let mut words = Key::default();
    for (word, bytes) in words.iter_mut().zip(name.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// Where in [`SLOTS`] to look for a name.
#[inline(always)]
const fn slot(key: &Key) -> usize {
    let mixed = key[0] ^ key[1].rotate_left(23) ^ key[2].rotate_left(41) ^ key[3].rotate_left(11);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
}

const SLOT_COUNT: usize = 512;

/// The keys of [`WRITTEN`] with their codes, in its order.
static KEYS: [(Key, Code); WRITTEN.len()] = keys();

/// Where in [`KEYS`] the key is that [`slot`] gives this place, or gave it one just before that was taken.
static SLOTS: [u8; SLOT_COUNT] = slots();

/// A slot that has no key.
const FREE: u8 = u8::MAX;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn keys() -> [(Key, Code); WRITTEN.len()] {
    let mut keys = [([0; MAX_KNOWN / 8], Code::EXTENSION); WRITTEN.len()];
    let mut index = 0;
    while index < WRITTEN.len() {
        let name = WRITTEN[index].0.as_bytes();
        let mut at = 0;
        while at <= name.len() {
            let byte = if at < name.len() { name[at].to_ascii_lowercase() } else { b':' };
            keys[index].0[at / 8] |= (byte as u64) << (at % 8 * 8);
            at += 1;
        }
        keys[index].1 = Code(WRITTEN[index].1);
        index += 1;
    }
    keys
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 255 names")]
const fn slots() -> [u8; SLOT_COUNT] {
    assert!(WRITTEN.len() < FREE as usize);
    let keys = keys();
    let mut slots = [FREE; SLOT_COUNT];
    let mut index = 0;
    while index < WRITTEN.len() {
        let mut place = slot(&keys[index].0);
        while slots[place] != FREE {
            place = (place + 1) % SLOT_COUNT;
        }
        slots[place] = index as u8;
        index += 1;
    }
    slots
}

/// What the name is known by whose place is this slot and whose key is the one that is wanted.
#[inline(always)]
fn find(slot: usize, is_wanted: impl Fn(&Key) -> bool) -> Code {
    let mut place = slot;
    while let Some(index) = SLOTS.get(place % SLOT_COUNT).map(|index| usize::from(*index))
        && let Some((key, code)) = KEYS.get(index)
    {
        if is_wanted(key) {
            return *code;
        }
        place += 1;
    }
    Code::EXTENSION
}

impl HeaderName {
    /// The name of a header, long or compact, in any case; `None` if `name` is no token.
    #[must_use]
    pub fn parse(name: &str) -> Option<HeaderName> {
        HeaderName::known(name).or_else(|| grammar::is_token(name).then(|| HeaderName::Extension(name.into())))
    }

    /// The name as [`HeaderName::parse`] would have read it, whoever made it.
    pub(crate) fn canonical(&self) -> HeaderName {
        match self {
            HeaderName::Extension(name) => HeaderName::known(name).unwrap_or_else(|| self.clone()),
            known => known.clone(),
        }
    }

    fn known(name: &str) -> Option<HeaderName> {
        Code::of(name.as_bytes()).name().cloned()
    }
}

/// The name is no token (RFC 3261 §25.1), or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header name has only letters, digits and -.!%*_+`'~")]
pub struct InvalidHeaderName;

impl FromStr for HeaderName {
    type Err = InvalidHeaderName;

    fn from_str(name: &str) -> Result<Self, InvalidHeaderName> {
        HeaderName::parse(name).ok_or(InvalidHeaderName)
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().eq_ignore_ascii_case(other.as_bytes())
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_in_compact_form() {
        #[track_caller]
        fn check(written: &str, canonical: &str) {
            assert_eq!(HeaderName::parse(written).unwrap().as_str(), canonical);
        }
        // RFC 3261 §7.3.3 and §20, RFC 6665 §8.2.1, RFC 4028 §3, RFC 3515 §2.1, RFC 3892 §2.1, RFC 3841 §9, RFC 8224 §4
        for (compact, name) in [
            ("i", "Call-ID"),
            ("m", "Contact"),
            ("e", "Content-Encoding"),
            ("l", "Content-Length"),
            ("c", "Content-Type"),
            ("f", "From"),
            ("s", "Subject"),
            ("k", "Supported"),
            ("t", "To"),
            ("v", "Via"),
            ("o", "Event"),
            ("u", "Allow-Events"),
            ("x", "Session-Expires"),
            ("r", "Refer-To"),
            ("b", "Referred-By"),
            ("a", "Accept-Contact"),
            ("j", "Reject-Contact"),
            ("d", "Request-Disposition"),
            ("y", "Identity"),
        ] {
            check(compact, name);
            check(&compact.to_uppercase(), name);
            check(&name.to_lowercase(), name);
            check(name, name);
        }
    }

    #[test]
    fn the_names_are_those_of_the_registry() {
        let lines = [
            include_str!("../../tests/iana/header-fields.txt"),
            include_str!("../../tests/iana/unregistered-header-fields.txt"),
        ];
        let mut listed: Vec<_> = lines.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#')).collect();
        listed.sort_unstable();
        let mut expected: Vec<(&str, &str)> = Vec::new();
        for line in listed {
            let [name, compact, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            expected.push((name, name));
            if compact != "-" {
                expected.push((compact, name));
            }
        }
        let mut known: Vec<_> =
            WRITTEN.iter().map(|(name, code)| (*name, BY_CODE[usize::from(*code)].as_str())).collect();
        expected.sort_unstable();
        expected.dedup(); // a name whose compact form alone is not registered
        known.sort_unstable();
        assert_eq!(known, expected);
    }

    #[test]
    fn an_unknown_name_is_kept_and_compared_without_case() {
        assert_eq!(HeaderName::parse("X-Thing").unwrap().as_str(), "X-Thing");
        assert_eq!(HeaderName::parse("X-Thing"), HeaderName::parse("x-tHING"));
        assert_eq!(HeaderName::Extension("via".into()), HeaderName::Via);
    }

    #[test]
    fn what_is_no_token_is_no_name() {
        for name in ["", "a b", "a:b", "a\r\nb", "\u{e9}"] {
            assert_eq!(name.parse::<HeaderName>(), Err(InvalidHeaderName), "{name:?}");
        }
    }

    #[test]
    fn every_name_is_found_at_the_start_of_a_line_as_it_is_found_alone() {
        for (name, code) in WRITTEN {
            for name in [(*name).to_owned(), name.to_uppercase(), name.to_lowercase()] {
                assert_eq!(Code::of(name.as_bytes()), Code(*code), "{name}");
                let line = format!("{name}: {}", "x".repeat(40));
                assert_eq!(Code::at_start(line.as_bytes()), Some((name.len(), Code(*code))), "{name}");
            }
            assert_eq!(BY_CODE[usize::from(*code)].code(), Code(*code));
        }
        for line in [
            "X-Thing: 1",
            "Via : 1",
            "Max\u{5}Forwards: 1",
            "Max\rForwards: 1",
            "\0\0\0: 1",
            ": 1",
            "Vi\u{e9}: 1",
            "@: 1",
            "V\0: 1",
        ] {
            let line = format!("{line}{}", "x".repeat(40));
            assert_eq!(Code::at_start(line.as_bytes()), None, "{line}");
        }
    }
}
