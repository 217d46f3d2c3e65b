//! Whether a leg's peer has fallen silent.

use std::time::{Duration, Instant};

/// Notices when nothing has come for long, tells it once, and tells when something comes again.
///
/// A packet only notes its time; the timer is set anew when it expires, not for each packet.
#[derive(Debug)]
pub(super) struct Silence {
    after: Option<Duration>,
    /// When something came, or was first to be expected.
    since: Instant,
    check_at: Option<Instant>,
    told: bool,
}

impl Silence {
    /// Nothing is expected yet.
    pub(super) fn new(now: Instant, after: Option<Duration>) -> Self {
        Self { after, since: now, check_at: None, told: false }
    }

    /// Packets are to be expected from `now` on, or are not; then a silence that was told is over without a word. To say the same again changes nothing.
    pub(super) fn expect(&mut self, now: Instant, expected: bool) {
        if !expected {
            // Who is not to be heard is not silent, and is waited for anew later.
            self.check_at = None;
            self.told = false;
        } else if self.check_at.is_none() && !self.told {
            self.since = now;
            self.check_at = self.after.map(|after| now + after);
        }
    }

    /// Takes in a packet that was expected; true when silence had been told.
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        self.since = now;
        let was_silent = std::mem::take(&mut self.told);
        if was_silent {
            self.check_at = self.after.map(|after| now + after);
        }
        was_silent
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.check_at
    }

    /// True when nothing has come for so long, once.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let (Some(check_at), Some(after)) = (self.check_at, self.after) else { return false };
        if check_at > now {
            return false;
        }
        let ends = self.since + after;
        if ends > now {
            self.check_at = Some(ends);
            return false;
        }
        self.check_at = None;
        self.told = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn silence() -> (impl Fn(u64) -> Instant, Silence) {
        let start = Instant::now();
        (move |s| start + Duration::from_secs(s), Silence::new(start, Some(Duration::from_secs(30))))
    }

    /// The next moment at which silence is told.
    fn told_at(silence: &mut Silence) -> Option<Instant> {
        loop {
            let at = silence.poll_timeout()?;
            assert!(!silence.handle_timeout(at - Duration::from_millis(1)));
            if silence.handle_timeout(at) {
                return Some(at);
            }
        }
    }

    #[test]
    fn silence_is_told_once_and_its_end_once() {
        let (at, mut silence) = silence();
        assert_eq!(told_at(&mut silence), None, "nothing is expected");
        silence.expect(at(5), true);
        for second in 6..100 {
            assert!(!silence.heard(at(second)));
        }
        assert_eq!(told_at(&mut silence), Some(at(129)));
        assert_eq!(told_at(&mut silence), None);
        assert!(silence.heard(at(200)) && !silence.heard(at(201)));
        assert_eq!(told_at(&mut silence), Some(at(231)));
    }

    #[test]
    fn one_that_is_not_to_be_heard_is_not_silent() {
        let (at, mut silence) = silence();
        silence.expect(at(0), true);
        silence.expect(at(20), false);
        assert_eq!(told_at(&mut silence), None);
        silence.expect(at(100), true);
        silence.expect(at(110), true);
        assert_eq!(told_at(&mut silence), Some(at(130)));
        // What was told is over when nobody listens any more.
        silence.expect(at(140), false);
        assert_eq!(told_at(&mut silence), None);
        silence.expect(at(150), true);
        assert_eq!(told_at(&mut silence), Some(at(180)));
        assert!(silence.heard(at(190)));
    }

    #[derive(Debug, Clone)]
    enum Told {
        Expect(bool),
        Heard,
        Time(u64),
    }

    proptest! {
        #[test]
        fn silence_and_its_end_take_turns_and_silence_lasts_as_long_as_it_says(
            told in proptest::collection::vec(
                prop_oneof![any::<bool>().prop_map(Told::Expect), Just(Told::Heard), (0u64..40).prop_map(Told::Time)],
                0..200,
            ),
        ) {
            let (at, mut silence) = silence();
            let (mut second, mut last, mut silent, mut expected) = (0, 0, false, false);
            for told in told {
                match told {
                    Told::Expect(yes) => {
                        silence.expect(at(second), yes);
                        expected = yes;
                        silent &= yes;
                    }
                    // A leg that is not to receive tells nobody of what comes.
                    Told::Heard if expected => {
                        prop_assert_eq!(silence.heard(at(second)), silent);
                        (last, silent) = (second, false);
                    }
                    Told::Heard => {}
                    Told::Time(seconds) => {
                        second += seconds;
                        if silence.handle_timeout(at(second)) {
                            prop_assert!(!silent && expected && second >= last + 30);
                            silent = true;
                        }
                        prop_assert!(silence.poll_timeout().is_none_or(|due| due > at(second)));
                        prop_assert_eq!(silence.poll_timeout().is_some(), expected && !silent);
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_time_nothing_is_told() {
        let (at, _) = silence();
        let mut silence = Silence::new(at(0), None);
        silence.expect(at(0), true);
        assert_eq!(told_at(&mut silence), None);
        assert!(!silence.heard(at(1_000)));
    }
}
