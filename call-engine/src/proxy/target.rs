//! Where a request may go on to (RFC 3261 §16.5).

use std::fmt;
use std::time::Duration;

use blether_sip_core::{ByteStr, MaxBreadth, SipUri, Uri};
use blether_sip_transport::Flow;

use crate::location::Binding;

/// One place that a request may go on to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// What stands in its Request-URI.
    pub(crate) uri: Uri,
    /// Proxies that it has to pass on its way, before any others: of a phone those of its Path (RFC 3327 §5.3).
    pub(crate) route: Vec<SipUri>,
    /// The flow by which it goes; `None` where its first Route, or its Request-URI, says that.
    pub(crate) flow: Option<Flow>,
    /// Preference in thousandths.
    pub(crate) q: u16,
}

impl Target {
    /// What the URI itself says.
    pub(crate) fn of_uri(uri: impl Into<Uri>) -> Self {
        Self { uri: uri.into(), route: Vec::new(), flow: None, q: 1_000 }
    }

    /// A phone, by the flow of its REGISTER: to it, or to the first of the proxies that it registered through. That it is never another host than the one
    /// that was heard keeps users from having us send where they like.
    pub(crate) fn of_binding(binding: &Binding) -> Self {
        let flow = Some(binding.way());
        Self { uri: Uri::Sip(binding.contact.clone()), route: binding.path.clone(), flow, q: binding.q }
    }

    /// The flow by which requests of its dialogs go: behind proxies, those say where.
    pub(super) fn flow_of_dialog(&self) -> Option<Flow> {
        self.flow.filter(|_| self.route.is_empty())
    }
}

/// In which order the targets of a request are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fork {
    /// Those of one preference (`q`) at once, one preference after the other, as RFC 3261 §16.6 has it.
    #[default]
    ByPreference,
    /// All at once.
    Parallel,
    /// One after the other, in the order of preference.
    Serial,
}

impl Fork {
    /// The words of the configuration.
    pub const NAMES: &str = "by-preference, parallel, serial";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::ByPreference, Self::Parallel, Self::Serial].into_iter().find(|fork| fork.to_string() == text)
    }

    /// The targets in groups, of which one is tried after the other: each URI once (RFC 3261 §16.5), and none with more targets at once than the request's
    /// breadth allows (RFC 5393 §5.3.3: what is too much at once goes one after the other).
    pub(crate) fn groups(self, mut targets: Vec<Target>, breadth: MaxBreadth) -> Vec<Vec<Target>> {
        if self != Self::Parallel {
            targets.sort_by_key(|target| std::cmp::Reverse(target.q));
        }
        let most = usize::try_from(breadth.0).unwrap_or(usize::MAX).max(1);
        let mut groups: Vec<Vec<Target>> = Vec::new();
        for target in targets {
            if groups.iter().flatten().any(|known| known.uri.equivalent(&target.uri)) {
                continue;
            }
            match groups.last_mut() {
                Some(group)
                    if group.len() < most
                        && match self {
                            Self::Parallel => true,
                            Self::Serial => false,
                            Self::ByPreference => group.last().is_some_and(|last| last.q == target.q),
                        } =>
                {
                    group.push(target);
                }
                _ => groups.push(vec![target]),
            }
        }
        groups
    }
}

impl fmt::Display for Fork {
    /// Writes the word of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByPreference => "by-preference",
            Self::Parallel => "parallel",
            Self::Serial => "serial",
        })
    }
}

/// What becomes of a request that the proxy takes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where it may go.
    pub(crate) targets: Vec<Target>,
    /// In which order.
    pub(crate) fork: Fork,
    /// How long a group rings before the next, or the end.
    pub(crate) ring_for: Duration,
    /// Timer C (RFC 3261 §16.6 step 11).
    pub(crate) timer_c: Duration,
    /// The realm whose credentials were for this server, and go no further (RFC 3261 §22.3).
    pub(crate) realm: Option<ByteStr>,
    /// Whether nothing is remembered of it (RFC 3261 §16.11).
    pub(crate) stateless: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Vec<Target> {
        let target =
            |user: &str, q| Target { q, ..Target::of_uri(format!("sip:{user}@192.0.2.9").parse::<SipUri>().unwrap()) };
        vec![target("a", 500), target("b", 1_000), target("c", 500), target("b", 1_000), target("d", 0)]
    }

    fn users(fork: Fork, breadth: u32) -> Vec<String> {
        let groups = fork.groups(targets(), MaxBreadth(breadth));
        let user = |target: &Target| target.uri.as_sip().unwrap().user.as_deref().unwrap().to_owned();
        groups.iter().map(|group| group.iter().map(user).collect()).collect()
    }

    #[test]
    fn targets_are_grouped_by_q_and_each_is_tried_once_rfc_3261_16_6() {
        assert_eq!(users(Fork::ByPreference, 60), ["b", "ac", "d"]);
        assert_eq!(users(Fork::Parallel, 60), ["abcd"]);
        assert_eq!(users(Fork::Serial, 60), ["b", "a", "c", "d"]);
    }

    #[test]
    fn what_is_broader_than_allowed_goes_one_after_the_other_rfc_5393_5_3_3() {
        assert_eq!(users(Fork::Parallel, 3), ["abc", "d"]);
        assert_eq!(users(Fork::Parallel, 1), ["a", "b", "c", "d"]);
        assert_eq!(users(Fork::ByPreference, 1), ["b", "a", "c", "d"]);
    }
}
