//! What name servers have said, for as long as they said it holds.
//!
//! hickory has a cache of its own, which stays off: it reads the clock by itself, so that no rule about TTL could be tested in virtual time, it counts
//! answers and not what they weigh, and it is not asked by whoever has to know at once whether an answer is there.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::error::LookupFailure;
use super::question::{Answer, Question, Record};

/// What a [`RecordCache`] may hold and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Questions whose answers are remembered. Default 4,096: of more, the one goes that would be the first to end.
    pub max_answers: usize,
    /// Records of one answer that are kept. Default 64.
    pub max_records: usize,
    /// The longest that records are believed, whatever their TTL. Default one day (RFC 8767 §4 suggests not to go over a week).
    pub longest: Duration,
    /// The longest that it is believed that there is nothing. Default three hours (RFC 2308 §5).
    pub longest_negative: Duration,
    /// How long a question that name servers did not answer is not asked again, so that a dead name server does not hold up each request. Default
    /// 5 s; RFC 2308 §7 allows up to five minutes.
    pub failure: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            max_answers: 4_096,
            max_records: 64,
            longest: Duration::from_secs(86_400),
            longest_negative: Duration::from_secs(3 * 3_600),
            failure: Duration::from_secs(5),
        }
    }
}

/// Answers by question, each until its TTL is over; those that say no as well (RFC 2308). Time is an argument.
#[derive(Debug)]
pub struct RecordCache {
    limits: CacheLimits,
    answers: HashMap<Question, (Instant, Result<Vec<Record>, LookupFailure>)>,
    /// The same, by when they end.
    ends: BTreeSet<(Instant, Question)>,
}

impl RecordCache {
    /// An empty cache.
    pub fn new(limits: CacheLimits) -> Self {
        Self { limits, answers: HashMap::new(), ends: BTreeSet::new() }
    }

    /// What the question was answered, if that still holds.
    pub fn get(&self, now: Instant, question: &Question) -> Option<&Result<Vec<Record>, LookupFailure>> {
        self.answers.get(question).filter(|(until, _)| *until > now).map(|(_, answer)| answer)
    }

    /// Remembers an answer. One with a TTL of zero is for whoever asked only (RFC 1035 §3.2.1).
    pub fn insert(&mut self, now: Instant, question: Question, answer: Result<Answer, LookupFailure>) {
        let (records, ttl) = match answer {
            Ok(Answer { mut records, ttl }) => {
                let longest = if records.is_empty() { self.limits.longest_negative } else { self.limits.longest };
                records.truncate(self.limits.max_records);
                (Ok(records), ttl.min(longest))
            }
            Err(failure) => (Err(failure), self.limits.failure),
        };
        self.remove(&question);
        if ttl.is_zero() || self.limits.max_answers == 0 {
            return;
        }
        while self.ends.first().is_some_and(|(until, _)| *until <= now) || self.ends.len() >= self.limits.max_answers {
            let Some((_, ended)) = self.ends.pop_first() else { break };
            self.answers.remove(&ended);
        }
        self.ends.insert((now + ttl, question.clone()));
        self.answers.insert(question, (now + ttl, records));
    }

    /// How many answers there are, those that have ended and were not needed for room included.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    fn remove(&mut self, question: &Question) {
        if let Some((until, _)) = self.answers.remove(question) {
            self.ends.remove(&(until, question.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::RecordKind;
    use super::*;

    fn question(name: &str) -> Question {
        Question { name: name.parse().unwrap(), kind: RecordKind::A }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn address(ttl: u64) -> Result<Answer, LookupFailure> {
        Ok(Answer { records: vec![Record::Address([192, 0, 2, 1].into())], ttl: seconds(ttl) })
    }

    fn nothing(ttl: u64) -> Result<Answer, LookupFailure> {
        Ok(Answer { records: Vec::new(), ttl: seconds(ttl) })
    }

    /// For how many seconds an answer is remembered.
    fn remembered_for(answer: Result<Answer, LookupFailure>) -> u64 {
        let (start, mut cache) = (Instant::now(), RecordCache::new(CacheLimits::default()));
        cache.insert(start, question("a"), answer);
        let holds = |after: u64| cache.get(start + seconds(after), &question("a")).is_some();
        (0..100_000).find(|after| !holds(*after)).unwrap()
    }

    #[test]
    fn an_answer_holds_until_its_ttl_is_over() {
        assert_eq!([0, 1, 300, 10_000_000].map(|ttl| remembered_for(address(ttl))), [0, 1, 300, 86_400]);
    }

    #[test]
    fn rfc_2308_section_5_so_does_one_that_says_no_for_three_hours_at_most() {
        assert_eq!([0, 60, 86_400].map(|ttl| remembered_for(nothing(ttl))), [0, 60, 10_800]);
    }

    #[test]
    fn rfc_2308_section_7_that_nobody_answered_is_remembered_for_seconds() {
        assert_eq!(remembered_for(Err(LookupFailure::TimedOut)), 5);
    }

    #[test]
    fn a_kind_of_record_is_a_question_of_its_own_and_a_later_answer_takes_the_place_of_an_earlier() {
        let (start, mut cache) = (Instant::now(), RecordCache::new(CacheLimits::default()));
        cache.insert(start, question("a"), address(60));
        assert_eq!(cache.get(start, &Question { kind: RecordKind::Srv, ..question("a") }), None);
        cache.insert(start, question("A."), nothing(10));
        assert_eq!(cache.get(start + seconds(9), &question("a")), Some(&Ok(Vec::new())));
        assert_eq!((cache.get(start + seconds(10), &question("a")), cache.len(), cache.ends.len()), (None, 1, 1));
    }

    #[test]
    fn memory_is_bounded_and_what_would_end_first_goes_first() {
        let limits = CacheLimits { max_answers: 10, max_records: 2, ..CacheLimits::default() };
        let (start, mut cache) = (Instant::now(), RecordCache::new(limits));
        for index in 0..100_u64 {
            cache.insert(start, question(&format!("h{index}")), address(1_000 - index));
            assert!(cache.len() <= 10 && cache.ends.len() == cache.len());
        }
        assert!(cache.get(start, &question("h0")).is_some() && cache.get(start, &question("h50")).is_none());
        let many = vec![Record::Address([192, 0, 2, 1].into()); 9];
        cache.insert(start, question("many"), Ok(Answer { records: many, ttl: seconds(5_000) }));
        assert_eq!(cache.get(start, &question("many")).unwrap().as_ref().unwrap().len(), 2);
        cache.insert(start + seconds(1_000), question("later"), address(5));
        assert_eq!(cache.len(), 2, "what has ended makes room");
    }
}
