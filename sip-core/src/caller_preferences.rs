//! Which of several contacts a caller wants (RFC 3841 §7.2).

use alloc::vec::Vec;

use crate::feature_set::FeatureSet;
use crate::{AcceptContact, Contact, HeaderError, HeaderName, Headers, Method, RejectContact};

/// The preferences of a caller, which a proxy applies to the contacts of the user that is called (RFC 3841 §7.2), and a
/// user agent to its own (§6).
///
/// ```
/// use blether_sip_core::{AcceptContact, CallerPreferences, Contact, Headers, Method};
///
/// let mut headers = Headers::new();
/// headers.push("*;video".parse::<AcceptContact>()?);
/// let preferences = CallerPreferences::of(&headers, &Method::Invite)?;
///
/// let phone: Contact = "<sip:phone@192.0.2.1>;audio;video=\"FALSE\"".parse()?;
/// let screen: Contact = "<sip:screen@192.0.2.2>;audio;video".parse()?;
/// assert_eq!(preferences.score(&screen), Some(1000));
/// let ordered = preferences.order(vec![phone.clone(), screen.clone()], |contact| contact);
/// assert_eq!(ordered, [screen, phone]);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerPreferences {
    accept: Vec<AcceptContact>,
    reject: Vec<RejectContact>,
    /// Whether they are made of what else is in the request.
    implicit: bool,
}

impl CallerPreferences {
    /// The most rules of a request that are applied: "a reasonable number is around 20" (RFC 3841 §11).
    pub const MAX_RULES: usize = 20;

    /// The preferences in a request: those of its Accept-Contact and Reject-Contact headers, or, without any, that the
    /// user agent knows the method and, for a SUBSCRIBE, the event package (RFC 3841 §7.2.1, §7.2.2).
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if one of these headers is malformed, and [`HeaderError::TooManyValues`] if there are more than
    /// [`CallerPreferences::MAX_RULES`] of both.
    pub fn of(headers: &Headers, method: &Method) -> Result<Self, HeaderError> {
        let (accept, reject) = (headers.all::<AcceptContact>()?, headers.all::<RejectContact>()?);
        if accept.len() + reject.len() > Self::MAX_RULES {
            return Err(HeaderError::TooManyValues { header: HeaderName::AcceptContact, limit: Self::MAX_RULES });
        }
        let implicit = accept.is_empty() && reject.is_empty();
        let accept = if implicit { alloc::vec![implied(headers, method)] } else { accept };
        Ok(CallerPreferences { accept, reject, implicit })
    }

    /// How much the caller prefers this contact (Qa of RFC 3841 §7.2.4), in thousandths: 1,000 for one without
    /// feature parameters, which is not judged; `None` if the caller does not want it at all.
    #[must_use]
    pub fn score(&self, contact: &Contact) -> Option<u16> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1,000")]
        self.rules().preference(contact).map(|qa| (qa * 1000.0 + 0.5) as u16)
    }

    /// The targets that the caller wants, those with the higher `q` first and, where it is equal, those with the higher
    /// score; `contact` tells the Contact of a target. If nothing but the method or the event package speaks against all of
    /// them, they all stay, so that one of them can answer 405 or 489.
    #[must_use]
    pub fn order<T>(&self, targets: Vec<T>, contact: impl Fn(&T) -> &Contact) -> Vec<T> {
        let rules = self.rules();
        let mut scored: Vec<_> = targets
            .into_iter()
            .map(|target| (contact(&target).q(), rules.preference(contact(&target)), target))
            .collect();
        if !self.implicit || scored.iter().any(|(_, score, _)| score.is_some()) {
            scored.retain(|(_, score, _)| score.is_some());
        }
        scored.sort_by(|(q, score, _), (other_q, other_score, _)| {
            let (score, other_score) = (score.unwrap_or_default(), other_score.unwrap_or_default());
            other_q.cmp(q).then_with(|| other_score.total_cmp(&score))
        });
        scored.into_iter().map(|(_, _, target)| target).collect()
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            accept: self.accept.iter().map(|rule| (rule, FeatureSet::of(&rule.params))).collect(),
            reject: self.reject.iter().map(|rule| FeatureSet::of(&rule.params)).collect(),
        }
    }
}

/// The preferences with their features as sets.
struct Rules<'a> {
    accept: Vec<(&'a AcceptContact, FeatureSet<'a>)>,
    reject: Vec<FeatureSet<'a>>,
}

impl Rules<'_> {
    /// Qa of RFC 3841 §7.2.4, from 0 to 1.
    fn preference(&self, contact: &Contact) -> Option<f64> {
        let Some(address) = contact.address() else { return Some(1.0) };
        let has = FeatureSet::of(&address.params);
        if has.is_empty() {
            return Some(1.0);
        }
        // A rule with a feature that the contact says nothing of rejects nobody.
        if self.reject.iter().any(|unwanted| unwanted.share_in(&has) >= 1.0 && unwanted.matches(&has)) {
            return None;
        }
        let (mut sum, mut count) = (0.0, 0.0);
        for (rule, wanted) in &self.accept {
            let (is_match, share) = (wanted.matches(&has), wanted.share_in(&has));
            // Figure 1.
            let is_enough = is_match && (share >= 1.0 || !rule.is_explicit());
            if !is_enough && rule.is_required() {
                return None;
            }
            if is_match {
                sum += if is_enough { share } else { 0.0 };
                count += 1.0;
            }
        }
        match count > 0.0 {
            true => Some(sum / count),
            // No rule is met, or there is none.
            false => Some(if self.accept.is_empty() { 1.0 } else { 0.0 }),
        }
    }
}

/// The rule that a request implies.
fn implied(headers: &Headers, method: &Method) -> AcceptContact {
    let mut rule = AcceptContact::new().required();
    // What begins like a negation is no method that a user agent can list.
    if !method.as_str().starts_with('!') {
        rule.params.set_quoted("methods", method.as_str());
    }
    if *method == Method::Subscribe
        && let Some(event) = headers.raw(&HeaderName::Event)
    {
        let package = event.split(';').next().unwrap_or_default().trim();
        if !package.starts_with('!') {
            rule.params.set_quoted("events", package);
        }
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(text: &str) -> Contact {
        text.parse().unwrap()
    }

    fn preferences(accept: &[&str], reject: &[&str]) -> CallerPreferences {
        let mut headers = Headers::new();
        accept.iter().for_each(|rule| headers.push(rule.parse::<AcceptContact>().unwrap()));
        reject.iter().for_each(|rule| headers.push(rule.parse::<RejectContact>().unwrap()));
        CallerPreferences::of(&headers, &Method::Invite).unwrap()
    }

    /// The example of RFC 3841 §7.2.5.
    #[test]
    fn contacts_are_ordered_by_what_the_caller_prefers() {
        let contacts = [
            "sip:u1@h.example.com;audio;video;methods=\"INVITE,BYE\";q=0.2",
            "sip:u2@h.example.com;audio=\"FALSE\";methods=\"INVITE\";actor=\"msg-taker\";q=0.2",
            "sip:u3@h.example.com;audio;actor=\"msg-taker\";methods=\"INVITE\";video;q=0.3",
            "sip:u4@h.example.com;audio;methods=\"INVITE,OPTIONS\";q=0.2",
            "sip:u5@h.example.com;q=0.5",
        ]
        .map(contact);
        let rules = ["*;audio;require", "*;video;explicit", "*;methods=\"BYE\";class=\"business\";q=1.0"];
        let caller = preferences(&rules, &["*;actor=\"msg-taker\";video"]);
        let scores: Vec<_> = contacts.iter().map(|contact| caller.score(contact)).collect();
        assert_eq!(scores, [Some(833), None, None, Some(500), Some(1000)]);
        let ordered = caller.order(contacts.iter().rev().collect(), |contact| contact);
        assert_eq!(ordered, [&contacts[4], &contacts[0], &contacts[3]]);
    }

    #[test]
    fn what_is_explicit_has_to_be_said() {
        let silent = contact("<sip:a@b>;audio");
        let score = |rule: &str| preferences(&[rule], &[]).score(&silent);
        assert_eq!(score("*;video;explicit;require"), None);
        assert_eq!(
            (score("*;video;explicit"), score("*;video"), score("*;audio;video")),
            (Some(0), Some(0), Some(500))
        );
        assert_eq!((score("*"), score("*;audio=\"FALSE\"")), (Some(1000), Some(0)));
        let rejected = |rule: &str| preferences(&[], &[rule]).score(&silent);
        assert_eq!(
            (rejected("*;video"), rejected("*;audio"), rejected("*;audio=\"!TRUE\"")),
            (Some(1000), None, Some(1000))
        );
        assert_eq!(preferences(&["*;video;require;explicit"], &["*"]).score(&contact("*")), Some(1000));
    }

    /// RFC 3841 §7.2.2, §7.2.4.
    #[test]
    fn the_method_and_the_event_are_preferences_too() {
        let mut headers = Headers::new();
        headers.push_raw(&HeaderName::Event, "dialog;id=1").unwrap();
        let caller = CallerPreferences::of(&headers, &Method::Subscribe).unwrap();
        assert_eq!(caller.score(&contact("<sip:a@b>;methods=\"INVITE\"")), None);
        assert_eq!(caller.score(&contact("<sip:a@b>;methods=\"SUBSCRIBE\";events=\"presence\"")), None);
        assert_eq!(caller.score(&contact("<sip:a@b>;methods=\"subscribe\";events=\"dialog\"")), Some(1000));
        let all = [contact("<sip:a@b>;methods=\"BYE\";q=0.1"), contact("<sip:b@b>;methods=\"BYE\"")];
        let ordered = caller.order(all.to_vec(), |contact| contact);
        assert_eq!(ordered, [all[1].clone(), all[0].clone()], "nobody is left, so all are tried");
        assert!(preferences(&["*;methods=\"INVITE\";require"], &[]).order(all.to_vec(), |contact| contact).is_empty());
    }

    #[test]
    fn too_many_rules_are_refused() {
        let mut headers = Headers::new();
        (0..=CallerPreferences::MAX_RULES).for_each(|_| headers.push(AcceptContact::new()));
        let error = CallerPreferences::of(&headers, &Method::Invite).unwrap_err();
        assert!(matches!(error, HeaderError::TooManyValues { limit: 20, .. }));
    }
}
