//! What each typed attribute is tested for.

use core::fmt::Debug;

use super::SdpAttribute;

/// Reads a value, which is then written so, and reads as the same again.
#[track_caller]
pub(super) fn check<T: SdpAttribute + PartialEq + Debug>(value: &str, expected: &str) -> T {
    let read = T::parse_value(value.into()).unwrap();
    let mut written = alloc::string::String::new();
    read.write(&mut written);
    assert_eq!(written, expected);
    assert_eq!(T::parse_value(written.as_str().into()).unwrap(), read);
    read
}

/// None of the values is of this type.
#[track_caller]
pub(super) fn refused<T: SdpAttribute + Debug>(values: &[&str]) {
    for value in values {
        assert!(T::parse_value((*value).into()).is_err(), "{value}");
    }
}
