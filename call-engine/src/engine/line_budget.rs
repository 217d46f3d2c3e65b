//! How many lines strangers may have written about them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of one kind in a second: enough to see who tries what, and no more than a disk bears for ever.
const LINES: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Lets [`LINES`] lines a second pass, and counts those that it does not.
#[derive(Debug, Default)]
pub(crate) struct LineBudget(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl LineBudget {
    /// Whether a line may be written `now`, and if so, how many were left out since the last.
    pub(crate) fn take(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            (window.began, window.written) = (Some(now), 0);
        }
        if window.written == LINES {
            window.left_out += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_so_many_lines_a_second_and_the_next_line_tells_what_was_left_out() {
        let (budget, start) = (LineBudget::default(), Instant::now());
        let flood = |at: Instant| (0..100).filter_map(|_| budget.take(at)).collect::<Vec<_>>();
        assert_eq!(flood(start), [0; 10]);
        assert_eq!(flood(start + SECOND / 2), [0; 0]);
        let mut later = vec![190];
        later.extend([0; 9]);
        assert_eq!(flood(start + SECOND), later);
    }
}
