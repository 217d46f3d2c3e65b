use alloc::string::String;

use crate::body::xml::{Element, XmlWriter};

macro_rules! activities {
    ($($variant:ident $name:literal,)*) => {
        /// What somebody is doing (RFC 4480 §3.2).
        ///
        /// ```
        /// use blether_sip_core::body::pidf::Activity;
        ///
        /// let doing = [Activity::OnThePhone, Activity::Other("tuning the piano".into())];
        /// assert_eq!(doing.map(|activity| activity.as_str()), ["on-the-phone", "other"]);
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Activity {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// `other`, in words.
            Other(String),
        }

        impl Activity {
            /// The name of its element.
            #[must_use]
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Activity::$variant => $name,)*
                    Activity::Other(_) => "other",
                }
            }

            pub(super) fn read(element: &Element) -> Option<Activity> {
                match element.name() {
                    $($name => Some(Activity::$variant),)*
                    "other" => Some(Activity::Other(element.text().into())),
                    _ => None,
                }
            }

            pub(super) fn write(&self, out: &mut XmlWriter) {
                match self {
                    $(Activity::$variant => out.open(concat!("rpid:", $name)).close(),)*
                    Activity::Other(words) => out.leaf("rpid:other", words),
                }
            }
        }
    };
}

activities! {
    Appointment "appointment",
    Away "away",
    Breakfast "breakfast",
    Busy "busy",
    Dinner "dinner",
    Holiday "holiday",
    InTransit "in-transit",
    LookingForWork "looking-for-work",
    Lunch "lunch",
    Meal "meal",
    Meeting "meeting",
    OnThePhone "on-the-phone",
    Performance "performance",
    PermanentAbsence "permanent-absence",
    Playing "playing",
    Presentation "presentation",
    Shopping "shopping",
    Sleeping "sleeping",
    Spectator "spectator",
    Steering "steering",
    Travel "travel",
    Tv "tv",
    Unknown "unknown",
    Vacation "vacation",
    Working "working",
    Worship "worship",
}
