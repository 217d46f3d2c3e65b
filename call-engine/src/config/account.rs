//! The accounts of the configuration.

use std::fmt;

use rand::{CryptoRng, RngExt};

use super::value::ValueError;

/// The fewest characters of a password: what is shorter can be guessed by a stranger who tries for a day.
pub(super) const MIN_PASSWORD: usize = 8;
/// The most characters of a password: more than any phone has room for.
pub(super) const MAX_PASSWORD: usize = 128;

/// What random passwords are made of: small letters and digits without those that look alike (0 o, 1 i l).
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// 17 × log2(31) = 84 bits: beyond guessing, and typed on a desk phone without changing to capitals or signs.
const RANDOM_LENGTH: usize = 17;

/// A phone that may register: one `[[account]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountConfig {
    /// The extension: the user part of the address of record, and the user name of digest authentication.
    pub user: String,
    /// The shared secret of digest authentication.
    pub password: Password,
    /// What others see when this phone calls. Default: the user.
    pub display_name: String,
}

impl AccountConfig {
    /// An account whose display name is its user.
    pub fn new(user: impl Into<String>, password: impl Into<Password>) -> Self {
        let user = user.into();
        Self { display_name: user.clone(), user, password: password.into() }
    }

    /// An account with a password that is hard to guess (84 bits) and easy to type.
    pub fn with_random_password(user: &str, display_name: &str, rng: &mut impl CryptoRng) -> Self {
        Self { user: user.to_owned(), password: Password::random(rng), display_name: display_name.to_owned() }
    }
}

impl AccountConfig {
    /// Whether it can be an account, as one of the configuration file is checked.
    ///
    /// # Errors
    /// What is wrong with its user, password or display name.
    pub fn check(&self) -> Result<(), ValueError> {
        check_user(&self.user)?;
        check_password(&self.user, self.password.expose())?;
        check_display_name(&self.display_name)
    }
}

/// A password in plain text, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    fn random(rng: &mut impl CryptoRng) -> Self {
        let letters = (0..RANDOM_LENGTH).filter_map(|_| ALPHABET.get(rng.random_range(0..ALPHABET.len())));
        Self(letters.map(|byte| char::from(*byte)).collect())
    }

    /// The password itself; never to be logged.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// A user is made of what a URI holds without escapes (RFC 3261 §25.1) and no dial pattern or feature code (`*43`) begins with.
pub(super) fn check_user(user: &str) -> Result<(), ValueError> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    if (1..=64).contains(&user.len()) && user.bytes().all(usable) {
        Ok(())
    } else {
        Err(ValueError::User(user.to_owned()))
    }
}

pub(super) fn check_password(user: &str, password: &str) -> Result<(), ValueError> {
    match password.chars().count() {
        _ if password.chars().any(char::is_control) => Err(ValueError::UnusablePassword),
        _ if password == user => Err(ValueError::PasswordIsUser),
        length if length < MIN_PASSWORD => Err(ValueError::ShortPassword),
        length if length > MAX_PASSWORD => Err(ValueError::UnusablePassword),
        _ => Ok(()),
    }
}

pub(super) fn check_display_name(name: &str) -> Result<(), ValueError> {
    let length = name.chars().count();
    if (1..=64).contains(&length) && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(ValueError::DisplayName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn random_passwords_differ_and_hold_80_bits_of_letters_that_are_not_confused() {
        let random = |seed| Password::random(&mut StdRng::seed_from_u64(seed)).expose().to_owned();
        let passwords: Vec<String> = (0..50).map(random).collect();
        for (index, password) in passwords.iter().enumerate() {
            assert!(!passwords[..index].contains(password));
            assert!(!password.contains(['0', 'o', '1', 'i', 'l']), "{password}");
            assert!(password.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{password}");
            assert!(password.len() as f64 * (ALPHABET.len() as f64).log2() >= 80.0);
        }
    }

    #[test]
    fn debug_never_shows_a_password() {
        let account = AccountConfig::new("100", "very-secret-word");
        assert!(!format!("{account:?} {account:#?}").contains("secret"));
    }

    #[test]
    fn a_user_needs_no_escape_in_a_uri() {
        for user in ["100", "alice", "a.b-c_d~e", "+4930123456"] {
            assert_eq!(check_user(user), Ok(()), "{user}");
        }
        for user in ["", "*43", "a b", "a@b", "ü", "a;b", &"1".repeat(65)] {
            assert!(check_user(user).is_err(), "{user}");
        }
    }

    #[test]
    fn a_password_that_is_easy_to_guess_is_refused() {
        assert_eq!(check_password("100", "12345678"), Ok(()));
        assert_eq!(check_password("100", "1234567"), Err(ValueError::ShortPassword));
        assert_eq!(check_password("alice-smith", "alice-smith"), Err(ValueError::PasswordIsUser));
        assert_eq!(check_password("100", "1234\n5678"), Err(ValueError::UnusablePassword));
        assert_eq!(check_password("100", &"x".repeat(129)), Err(ValueError::UnusablePassword));
    }
}
