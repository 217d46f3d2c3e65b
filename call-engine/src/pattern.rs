//! Dial patterns: which dialled users an application answers for.
//!
//! The form is the one that Asterisk's users know, without the need for its leading `_`:
//!
//! | written | matches |
//! | --- | --- |
//! | `X` | one digit 0-9 |
//! | `Z` | one digit 1-9 |
//! | `N` | one digit 2-9 |
//! | `[15-7]` | one of 1, 5, 6, 7; any character can stand in the brackets, also `X`, `.` or `!` |
//! | `.` at the end | the rest, at least one character |
//! | `!` at the end | the rest, also none |
//! | anything else | itself, upper and lower case apart (RFC 3261 §19.1.4) |
//!
//! So `*43` is the echo test alone, `1XX` is 100 to 199, and `0.` is every number that begins with 0. What is matched is the
//! user part without escapes (`%2A43` is `*43`).

use std::cmp::Ordering;
use std::fmt;
use std::str::{Chars, FromStr};

/// The most characters of a pattern; longer than any number (ITU-T E.164 has 15 digits) and any name that is dialled.
const MAX_LENGTH: usize = 128;

/// A dial pattern; see the [module](self) for its form.
///
/// Patterns are ordered by how narrow they are, the narrowest first: position by position from the left, the one that takes
/// fewer characters there, then `.`, then `!`. Two that match the same are equal, however they are written.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    positions: Vec<Position>,
}

/// What may stand at one place of a number. The order of the variants is the order of specificity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Position {
    End,
    OneOf(CharacterSet),
    RestOfOneOrMore,
    RestOfNoneOrMore,
}

/// Why a text is no pattern. Places are counted in characters, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is nothing in it.
    #[error("an empty pattern matches nothing; write `.` for every number")]
    Empty,
    /// It is longer than any number.
    #[error("a pattern of {length} characters is over the limit of {MAX_LENGTH}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// `.` or `!` with something after it.
    #[error(
        "`{rest}` at place {place} of `{pattern}` stands for the rest and must be last; write `[{rest}]` for the character"
    )]
    RestNotLast {
        /// The pattern.
        pattern: String,
        /// `.` or `!`.
        rest: char,
        /// Where it stands.
        place: usize,
    },
    /// `[` without `]`.
    #[error("the `[` at place {place} of `{pattern}` is not closed; add `]` after the characters that it stands for")]
    NotClosed {
        /// The pattern.
        pattern: String,
        /// Where the bracket stands.
        place: usize,
    },
    /// `[]`, or `]` alone.
    #[error(
        "the bracket at place {place} of `{pattern}` holds no character; write those that it stands for, like `[1-5]`"
    )]
    EmptySet {
        /// The pattern.
        pattern: String,
        /// Where the bracket stands.
        place: usize,
    },
    /// A range such as `[5-1]`.
    #[error("the range `{first}-{last}` in `{pattern}` runs backwards; write `{last}-{first}`")]
    BackwardsRange {
        /// The pattern.
        pattern: String,
        /// What is written first.
        first: char,
        /// What is written last.
        last: char,
    },
    /// A character that no user part has without an escape, or that is not ASCII.
    #[error(
        "{character:?} at place {place} of `{pattern}` cannot be dialled; use ASCII letters, digits and signs such as * # +"
    )]
    NotDialled {
        /// The pattern.
        pattern: String,
        /// The character.
        character: char,
        /// Where it stands.
        place: usize,
    },
    /// A capital X, Z or N among other letters, as in a name.
    #[error(
        "`{wildcard}` in `{pattern}` stands for a digit; write `[{wildcard}]` for the letter, or `_{pattern}` if a digit is meant"
    )]
    WildcardInName {
        /// The pattern.
        pattern: String,
        /// X, Z or N.
        wildcard: char,
    },
}

impl Pattern {
    /// Whether `user`, the unescaped user part of a Request-URI, is matched.
    pub fn matches(&self, user: &str) -> bool {
        let mut user = user.chars();
        for position in &self.positions {
            let next = user.next();
            match (position, next) {
                (Position::End, next) => return next.is_none(),
                (Position::RestOfNoneOrMore, _) => return true,
                (Position::RestOfOneOrMore, next) => return next.is_some(),
                (Position::OneOf(set), Some(character)) if set.contains(character) => {}
                (Position::OneOf(_), _) => return false,
            }
        }
        // A pattern ends with one of the three above.
        false
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let length = text.chars().count();
        if length > MAX_LENGTH {
            return Err(PatternError::TooLong { length });
        }
        // Asterisk's users write `_` before what is not an exact number, and there may write x, z and n too.
        let (marked, body) = match text.strip_prefix('_') {
            Some(body) => (true, body),
            None => (false, text),
        };
        if body.is_empty() {
            return Err(PatternError::Empty);
        }
        let wildcard = |character: char| match character {
            'X' => Some(CharacterSet::of('0'..='9')),
            'Z' => Some(CharacterSet::of('1'..='9')),
            'N' => Some(CharacterSet::of('2'..='9')),
            _ => None,
        };
        let mut parser = Parser { pattern: text, place: length - body.chars().count(), rest: body.chars() };
        let mut positions = Vec::new();
        let (mut digit, mut letter) = (None, false);
        while let Some(character) = parser.next() {
            let spoken = if marked { character.to_ascii_uppercase() } else { character };
            positions.push(match character {
                '.' | '!' => parser.last(character)?,
                '[' => Position::OneOf(parser.set()?),
                ']' => return Err(PatternError::EmptySet { pattern: text.to_owned(), place: parser.place }),
                _ => Position::OneOf(match wildcard(spoken) {
                    Some(set) => {
                        digit = Some(character);
                        set
                    }
                    None => {
                        letter |= character.is_ascii_alphabetic();
                        parser.checked(character)?
                    }
                }),
            });
        }
        if let (false, true, Some(wildcard)) = (marked, letter, digit) {
            return Err(PatternError::WildcardInName { pattern: text.to_owned(), wildcard });
        }
        if matches!(positions.last(), Some(Position::OneOf(_))) {
            positions.push(Position::End);
        }
        Ok(Self { text: text.to_owned(), positions })
    }
}

impl TryFrom<&str> for Pattern {
    type Error = PatternError;

    fn try_from(text: &str) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.positions == other.positions
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.positions.cmp(&other.positions)
    }
}

struct Parser<'a> {
    pattern: &'a str,
    /// Characters taken so far, so that after `next` it is the place of what `next` gave.
    place: usize,
    rest: Chars<'a>,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.place += 1;
        Some(next)
    }

    fn last(&self, character: char) -> Result<Position, PatternError> {
        if !self.rest.as_str().is_empty() {
            return Err(PatternError::RestNotLast {
                pattern: self.pattern.to_owned(),
                rest: character,
                place: self.place,
            });
        }
        Ok(if character == '.' { Position::RestOfOneOrMore } else { Position::RestOfNoneOrMore })
    }

    /// The characters up to `]`; a `-` that has no neighbour on one side is itself.
    fn set(&mut self) -> Result<CharacterSet, PatternError> {
        let opened = self.place;
        let mut set = CharacterSet::default();
        loop {
            let not_closed = || PatternError::NotClosed { pattern: self.pattern.to_owned(), place: opened };
            let first = self.next().ok_or_else(not_closed)?;
            if first == ']' {
                break;
            }
            let mut ahead = self.rest.clone();
            match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) if last != ']' => {
                    self.checked(first)?;
                    self.next();
                    self.next();
                    self.checked(last)?;
                    if last < first {
                        return Err(PatternError::BackwardsRange { pattern: self.pattern.to_owned(), first, last });
                    }
                    set = set.with(CharacterSet::of(first..=last));
                }
                _ => set = set.with(self.checked(first)?),
            }
        }
        if set == CharacterSet::default() {
            return Err(PatternError::EmptySet { pattern: self.pattern.to_owned(), place: opened });
        }
        Ok(set)
    }

    fn checked(&self, character: char) -> Result<CharacterSet, PatternError> {
        if character.is_ascii_graphic() && !"@:<>\"\\".contains(character) {
            return Ok(CharacterSet::of(character..=character));
        }
        Err(PatternError::NotDialled { pattern: self.pattern.to_owned(), character, place: self.place })
    }
}

/// A set of ASCII characters, one bit each; the smaller set comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CharacterSet(u128);

impl CharacterSet {
    fn of(characters: impl Iterator<Item = char>) -> Self {
        Self(characters.fold(0, |bits, character| bits | Self::bit(character)))
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn contains(self, character: char) -> bool {
        self.0 & Self::bit(character) != 0
    }

    /// No bit for what is not ASCII.
    fn bit(character: char) -> u128 {
        1u128.checked_shl(u32::from(character)).unwrap_or(0)
    }
}

impl PartialOrd for CharacterSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CharacterSet {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.count_ones(), self.0).cmp(&(other.0.count_ones(), other.0))
    }
}

/// Values by dial pattern; of all patterns that match a number, the narrowest wins, whatever order they were put in.
///
/// ```
/// use blether_call_engine::pattern::Patterns;
///
/// let mut routes = Patterns::new();
/// routes.insert("1XX".parse()?, "extensions").ok();
/// routes.insert("110".parse()?, "emergency").ok();
/// assert_eq!(routes.find("110"), Some(&"emergency"));
/// assert_eq!(routes.find("111"), Some(&"extensions"));
/// assert_eq!(routes.find("211"), None);
/// # Ok::<(), blether_call_engine::pattern::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Patterns<T>(Vec<(Pattern, T)>);

/// A pattern that matches exactly what one in the table already matches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` matches the same numbers as `{existing}`, which is already answered; remove one of them")]
pub struct DuplicatePattern {
    /// The one that was to be put in.
    pub pattern: Pattern,
    /// The one that is there.
    pub existing: Pattern,
}

impl<T> Patterns<T> {
    /// An empty table.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Puts `value` in for the numbers that `pattern` matches.
    ///
    /// # Errors
    /// When an equal pattern is there; the table stays as it was.
    pub fn insert(&mut self, pattern: Pattern, value: T) -> Result<(), DuplicatePattern> {
        match self.0.binary_search_by(|(existing, _)| existing.cmp(&pattern)) {
            Ok(index) => {
                let existing = self.0.get(index).map_or_else(|| pattern.clone(), |(existing, _)| existing.clone());
                Err(DuplicatePattern { pattern, existing })
            }
            Err(index) => {
                self.0.insert(index, (pattern, value));
                Ok(())
            }
        }
    }

    /// The value of the narrowest pattern that matches `user`, the unescaped user part of a Request-URI.
    pub fn find(&self, user: &str) -> Option<&T> {
        self.0.iter().find(|(pattern, _)| pattern.matches(user)).map(|(_, value)| value)
    }

    /// All patterns with their values, the narrowest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Pattern, &T)> {
        self.0.iter().map(|(pattern, value)| (pattern, value))
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    fn check(text: &str, matched: &[&str], others: &[&str]) {
        let pattern = pattern(text);
        for user in matched {
            assert!(pattern.matches(user), "{text} must match {user:?}");
        }
        for user in others {
            assert!(!pattern.matches(user), "{text} must not match {user:?}");
        }
    }

    #[test]
    fn what_is_no_wildcard_matches_itself_alone() {
        check("*43", &["*43"], &["43", "*4", "*433", "", "%2A43"]);
        check("alice", &["alice"], &["Alice", "alicE", "bob"]);
        check("+49[.]30#", &["+49.30#"], &["+49x30#"]);
    }

    #[test]
    fn x_z_and_n_are_digits_from_0_1_and_2() {
        check("1XX", &["100", "199"], &["1", "10", "1000", "200", "1XX", "1a0"]);
        check("Z", &["1", "9"], &["0", "Z"]);
        check("N", &["2", "9"], &["0", "1", "N"]);
        check("_1xZn", &["1012", "1999"], &["1002", "1011"]);
    }

    #[test]
    fn a_set_is_one_of_its_characters() {
        check("[15-7]0", &["10", "50", "60", "70"], &["20", "80", "-0", "0"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("[-a]", &["a", "-"], &["b"]);
        check("[N]ancy", &["Nancy"], &["2ancy"]);
    }

    #[test]
    fn a_full_stop_is_a_rest_of_at_least_one_and_an_exclamation_mark_of_any() {
        check("0.", &["00", "01", "0alice", "0ü"], &["0", "", "10"]);
        check("0!", &["0", "01"], &["", "1"]);
        check(".", &["1", "alice"], &[""]);
        check("!", &["", "1"], &[]);
    }

    #[test]
    fn what_is_no_pattern_is_told_with_what_to_write() {
        let refused = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        let check = |text: &str, part: &str| assert!(refused(text).contains(part), "{text}: {}", refused(text));
        check("", "write `.` for every number");
        check("_", "write `.` for every number");
        check("1.2", "`.` at place 2 of `1.2` stands for the rest and must be last; write `[.]`");
        check("_!1", "place 2");
        check("1[23", "the `[` at place 2 of `1[23` is not closed");
        check("1[", "not closed");
        check("1[]", "place 2 of `1[]` holds no character");
        check("1]", "place 2 of `1]`");
        check("[5-1]", "the range `5-1` in `[5-1]` runs backwards; write `1-5`");
        check("1 2", "' ' at place 2 of `1 2` cannot be dialled");
        check("sip:100@host", "':' at place 4");
        check("[ü]", "'ü' at place 2");
        check("Nancy", "write `[N]` for the letter, or `_Nancy` if a digit is meant");
        check(&"1".repeat(129), "129 characters is over the limit of 128");
    }

    #[test]
    fn the_narrowest_pattern_comes_first_position_by_position() {
        let narrowest_first = ["100", "10[0-4]", "10X", "10.", "1NX", "1XX", "1X.", "1X!", "NX", "XX", ".", "!"];
        let mut sorted: Vec<Pattern> = narrowest_first.iter().rev().map(|text| pattern(text)).collect();
        sorted.sort();
        assert_eq!(sorted.iter().map(Pattern::as_str).collect::<Vec<_>>(), narrowest_first);
    }

    #[test]
    fn the_exact_number_wins_over_a_rest_that_may_be_empty() {
        assert!(pattern("10") < pattern("10!"));
    }

    #[test]
    fn patterns_that_match_the_same_are_equal_however_they_are_written() {
        assert_eq!(pattern("_1XX"), pattern("1[0-9]X"));
        assert_ne!(pattern("1XX"), pattern("1XZ"));
    }

    #[test]
    fn the_order_of_insertion_does_not_matter() {
        let texts = ["1XX", "1.", "110", "11X"];
        for turn in 0..texts.len() {
            let mut patterns = Patterns::new();
            for text in texts.iter().cycle().skip(turn).take(texts.len()) {
                patterns.insert(pattern(text), *text).unwrap();
            }
            let found = ["110", "111", "123", "1234", "2"].map(|user| patterns.find(user).copied());
            assert_eq!(found, [Some("110"), Some("11X"), Some("1XX"), Some("1."), None]);
        }
    }

    #[test]
    fn a_second_pattern_for_the_same_numbers_is_refused_with_both_names() {
        let mut patterns = Patterns::new();
        patterns.insert(pattern("1XX"), 1).unwrap();
        let refused = patterns.insert(pattern("_1[0-9]X"), 2).unwrap_err();
        assert_eq!((refused.pattern.as_str(), refused.existing.as_str()), ("_1[0-9]X", "1XX"));
        assert_eq!(patterns.find("100"), Some(&1));
    }
}
