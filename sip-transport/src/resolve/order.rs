//! In which order records are taken: NAPTR by RFC 3263 §4.1, SRV by RFC 2782.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::destination::DomainName;
use super::question::{NaptrRecord, SrvRecord};
use super::service::{Means, Service};

/// What the NAPTR records of a domain come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// None is about SIP.
    None,
    /// Some are, and none of them fits what we have.
    NothingInCommon,
    /// The names of SRV records with their service, by preference, in groups of one order each.
    Groups(Vec<Vec<(Service, DomainName)>>),
}

/// The NAPTR records that a client with these means may use (RFC 3263 §4.1): of a SIPS URI only those with TLS.
///
/// A record counts whose flag is `s`, whose expression is empty and whose replacement is a name; `SIPS+D2U` names nothing (§4.1).
pub(super) fn rules(mut records: Vec<NaptrRecord>, secure: bool, means: &Means) -> Rules {
    let is_about_sip = |record: &NaptrRecord| {
        let services = record.services.to_ascii_uppercase();
        services.starts_with("SIP+D2") || services.starts_with("SIPS+D2")
    };
    records.retain(is_about_sip);
    if records.is_empty() {
        return Rules::None;
    }
    // Of equal preference, in an order that does not depend on the name server's (RFC 3263 §4.4).
    records.sort();
    let mut groups: Vec<(u16, Vec<(Service, DomainName)>)> = Vec::new();
    for record in records {
        let terminal = record.flags.eq_ignore_ascii_case("s") && record.regexp.is_empty();
        let service = Service::from_naptr(&record.services)
            .filter(|service| terminal && means.has(*service) && (service.is_secure() || !secure));
        let (Some(service), Some(name)) = (service, record.replacement) else { continue };
        match groups.last_mut() {
            Some((order, group)) if *order == record.order => group.push((service, name)),
            _ => groups.push((record.order, vec![(service, name)])),
        }
    }
    if groups.is_empty() {
        return Rules::NothingInCommon;
    }
    Rules::Groups(groups.into_iter().map(|(_, group)| group).collect())
}

/// Puts SRV records into the order in which they are to be tried (RFC 2782, "Usage rules" and "Weight").
///
/// What the records are and what the generator gives decide, not the order in which they came: a stateless proxy that seeds the generator by
/// the transaction gets the same order for each resend (RFC 3263 §4.4).
pub(super) fn by_priority_and_weight(mut records: Vec<SrvRecord>, rng: &mut StdRng) -> Vec<SrvRecord> {
    records.sort();
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let same = records.iter().take_while(|record| record.priority == priority).count();
        // Sorted, those with weight 0 come first, as the algorithm wants them.
        let mut unordered: Vec<SrvRecord> = records.drain(..same).collect();
        while !unordered.is_empty() {
            let next = select(&unordered, rng);
            ordered.push(unordered.remove(next));
        }
    }
    ordered
}

/// The index of the record whose running sum is the first that reaches a number drawn between 0 and the sum of all, both included.
fn select(unordered: &[SrvRecord], rng: &mut impl Rng) -> usize {
    let sum: u64 = unordered.iter().map(|record| u64::from(record.weight)).sum();
    let drawn = rng.random_range(0..=sum);
    let mut running = 0;
    unordered
        .iter()
        .position(|record| {
            running += u64::from(record.weight);
            running >= drawn
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::seq::SliceRandom;

    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord { priority, weight, port: 5060, target: Some(target.parse().unwrap()) }
    }

    fn names(ordered: &[SrvRecord]) -> Vec<&str> {
        ordered.iter().filter_map(|record| Some(record.target.as_ref()?.as_str())).collect()
    }

    #[test]
    fn rfc_2782_a_lower_priority_always_comes_first() {
        let records = vec![srv(20, 60_000, "c"), srv(10, 0, "a"), srv(10, 0, "b")];
        for seed in 0..50 {
            let ordered = by_priority_and_weight(records.clone(), &mut StdRng::seed_from_u64(seed));
            assert_eq!(names(&ordered).last(), Some(&"c"));
        }
    }

    /// Of 1, 3 and 6 in ten, with the 0 to 10 of the algorithm: 2, 3 and 6 of eleven numbers.
    #[test]
    fn rfc_2782_of_one_priority_each_is_first_by_its_weight() {
        let records = vec![srv(1, 1, "one"), srv(1, 3, "three"), srv(1, 6, "six")];
        let mut rng = StdRng::seed_from_u64(7);
        let mut first = std::collections::BTreeMap::new();
        for _ in 0..11_000 {
            let ordered = by_priority_and_weight(records.clone(), &mut rng);
            *first.entry(names(&ordered)[0].to_owned()).or_insert(0_i32) += 1;
        }
        for (name, expected) in [("one", 2_000), ("three", 3_000), ("six", 6_000)] {
            assert!((first[name] - expected).abs() < 200, "{name}: {first:?}");
        }
    }

    #[test]
    fn rfc_2782_weight_0_has_a_very_small_chance_beside_others() {
        let records = vec![srv(1, 0, "zero"), srv(1, 999, "heavy")];
        let mut rng = StdRng::seed_from_u64(3);
        let first = |_| names(&by_priority_and_weight(records.clone(), &mut rng))[0] == "zero";
        let zeros = (0..20_000).map(first).filter(|zero| *zero).count();
        assert!((5..=50).contains(&zeros), "{zeros} of 20 expected");
    }

    #[test]
    fn rfc_3263_section_4_4_the_same_seed_gives_the_same_order_however_the_records_came() {
        let mut records: Vec<_> = (0..9).map(|index| srv(index % 2, 10, &format!("h{index}"))).collect();
        let expected = by_priority_and_weight(records.clone(), &mut StdRng::seed_from_u64(5));
        let mut shuffling = StdRng::seed_from_u64(1);
        for _ in 0..20 {
            records.shuffle(&mut shuffling);
            assert_eq!(by_priority_and_weight(records.clone(), &mut StdRng::seed_from_u64(5)), expected);
        }
    }
}
