use std::time::Duration;

use blether_sip_core::Uri;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn aor(user: &str) -> AddressOfRecord {
    AddressOfRecord::new(user, "blether.example".parse().unwrap()).unwrap()
}

fn binding(now: Instant, contact: &str, seconds: u64) -> Arc<Binding> {
    let registered: NameAddr = contact.parse().unwrap();
    let Uri::Sip(contact) = registered.uri.clone() else { panic!("not a SIP URI") };
    let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5062".parse().unwrap());
    let q = blether_sip_core::Contact::Address(registered.clone()).q();
    Arc::new(Binding {
        path: Vec::new(),
        contact,
        display_name: registered.display_name,
        params: registered.params,
        flow,
        call_id: "c".into(),
        cseq: 1,
        copies: 0,
        q,
        user_agent: None,
        registered_at: now,
        expires_at: now + Duration::from_secs(seconds),
    })
}

fn start() -> Instant {
    // Any instant does: only differences count.
    Instant::now()
}

fn contacts(set: &Bindings) -> Vec<String> {
    set.iter().map(|binding| binding.contact.to_string()).collect()
}

#[test]
fn nobody_is_registered_at_first() {
    let location = Location::default();
    let set = location.bindings(&aor("alice"), start());
    assert!(set.is_empty() && set.version().is_none());
    assert_eq!((location.aors(), location.contacts(), location.next_expiry()), (0, 0, None));
}

#[test]
fn a_set_is_replaced_only_by_who_has_seen_it() {
    let (now, location, alice) = (start(), Location::default(), aor("alice"));
    let one = location.compare_and_swap(&alice, None, vec![binding(now, "<sip:a@h>", 60)]).unwrap();
    let late = location.compare_and_swap(&alice, None, vec![binding(now, "<sip:b@h>", 60)]);
    assert_eq!(late, Err(SwapError::Conflict(Arc::clone(&one))));
    assert_eq!(contacts(&location.bindings(&alice, now)), ["sip:a@h"]);

    let two = location.compare_and_swap(&alice, one.version(), vec![binding(now, "<sip:b@h>", 60)]).unwrap();
    assert!(two.version() > one.version());
    assert_eq!(contacts(&one), ["sip:a@h"], "who holds the old set still sees it whole");
    assert_eq!(contacts(&location.bindings(&alice, now)), ["sip:b@h"]);
}

#[test]
fn a_version_never_comes_back_after_a_removal() {
    let (now, location, alice) = (start(), Location::default(), aor("alice"));
    let one = location.compare_and_swap(&alice, None, vec![binding(now, "<sip:a@h>", 60)]).unwrap();
    location.compare_and_swap(&alice, one.version(), Vec::new()).unwrap();
    let two = location.compare_and_swap(&alice, None, vec![binding(now, "<sip:a@h>", 60)]).unwrap();
    assert!(two.version() > one.version());
    assert!(location.compare_and_swap(&alice, one.version(), Vec::new()).is_err());
}

#[test]
fn an_expired_contact_is_not_seen_even_before_the_sweep() {
    let (now, location, alice) = (start(), Location::default(), aor("alice"));
    let set = vec![binding(now, "<sip:a@h>", 60), binding(now, "<sip:b@h>", 90)];
    let stored = location.compare_and_swap(&alice, None, set).unwrap();
    assert_eq!(location.bindings(&alice, now + 59 * SECOND).len(), 2);
    let at_60 = location.bindings(&alice, now + 60 * SECOND);
    assert_eq!(contacts(&at_60), ["sip:b@h"]);
    assert_eq!(at_60.version(), stored.version(), "so that an update from here can be swapped in");
    assert!(location.bindings(&alice, now + 90 * SECOND).is_empty());
}

#[test]
fn a_sweep_removes_what_has_expired_and_nothing_else() {
    let (now, location) = (start(), Location::default());
    let of_alice = vec![binding(now, "<sip:a@h>", 60), binding(now, "<sip:b@h>", 90)];
    location.compare_and_swap(&aor("alice"), None, of_alice).unwrap();
    location.compare_and_swap(&aor("bob"), None, vec![binding(now, "<sip:c@h>", 30)]).unwrap();
    assert_eq!(location.next_expiry(), Some(now + 30 * SECOND));
    assert!(location.sweep(now + 29 * SECOND, 10).is_empty());

    let swept = location.sweep(now + 60 * SECOND, 10);
    let who: Vec<_> = swept.iter().map(|e| (e.aor.user(), e.binding.contact.to_string())).collect();
    assert_eq!(who, [("bob", "sip:c@h".to_owned()), ("alice", "sip:a@h".to_owned())]);
    assert_eq!((location.aors(), location.contacts()), (1, 1));
    assert_eq!(location.next_expiry(), Some(now + 90 * SECOND));
    assert!(location.sweep(now + 60 * SECOND, 10).is_empty(), "twice, nothing happens");
    location.sweep(now + 90 * SECOND, 10);
    assert_eq!((location.aors(), location.contacts(), location.next_expiry()), (0, 0, None));
}

#[test]
fn contacts_come_by_preference_and_then_by_age() {
    let (now, location, alice) = (start(), Location::default(), aor("alice"));
    let set = ["<sip:a@h>;q=0.5", "<sip:b@h>", "<sip:c@h>;q=0.75", "<sip:d@h>;q=1.0"].map(|c| binding(now, c, 60));
    let stored = location.compare_and_swap(&alice, None, set.to_vec()).unwrap();
    assert_eq!(contacts(&stored), ["sip:b@h", "sip:d@h", "sip:c@h", "sip:a@h"]);
}

#[test]
fn both_bounds_are_kept_and_a_full_table_still_takes_refreshes() {
    let now = start();
    let location = Location::new(LocationLimits { max_contacts_per_aor: 2, max_aors: 1 });
    let three = ["<sip:a@h>", "<sip:b@h>", "<sip:c@h>"].map(|c| binding(now, c, 60)).to_vec();
    let refused = location.compare_and_swap(&aor("alice"), None, three);
    assert_eq!(refused, Err(SwapError::TooManyContacts { count: 3, limit: 2 }));

    let one = location.compare_and_swap(&aor("alice"), None, vec![binding(now, "<sip:a@h>", 60)]).unwrap();
    let other = location.compare_and_swap(&aor("bob"), None, vec![binding(now, "<sip:b@h>", 60)]);
    assert_eq!(other, Err(SwapError::Full { limit: 1 }));
    assert!(location.compare_and_swap(&aor("alice"), one.version(), vec![binding(now, "<sip:a@h>", 90)]).is_ok());
}

#[test]
fn updates_from_many_threads_all_arrive() {
    let now = start();
    let location = Location::new(LocationLimits { max_contacts_per_aor: 64, max_aors: 1 });
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let location = &location;
            scope.spawn(move || {
                for n in 0..8 {
                    let mut seen = location.bindings(&aor("alice"), now);
                    loop {
                        let mut set: Vec<_> = seen.iter().cloned().collect();
                        set.push(binding(now, &format!("<sip:{thread}-{n}@h>"), 60));
                        match location.compare_and_swap(&aor("alice"), seen.version(), set) {
                            Ok(_) => break,
                            Err(SwapError::Conflict(stored)) => seen = stored,
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(location.bindings(&aor("alice"), now).len(), 64);
}

#[test]
fn a_phone_whose_connection_is_gone_is_reached_where_it_listens() {
    let by_tcp = Flow {
        connection: Some(blether_sip_transport::ConnectionId::new(7)),
        ..Flow::tcp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:40123".parse().unwrap())
    };
    let way = |contact: &str, flow: Flow| Binding { flow, ..(*binding(start(), contact, 60)).clone() }.way();
    let listens = Flow { remote: "192.0.2.9:5070".parse().unwrap(), ..by_tcp };
    assert_eq!(way("<sip:a@192.0.2.9:5070;transport=TCP>", by_tcp), listens);
    // It does not say so, is behind a NAT, speaks of somebody else, or is no address.
    for contact in ["a@192.0.2.9:5070", "a@10.0.0.5;transport=tcp", "a@192.0.2.1;transport=tcp", "a@h;transport=tcp"] {
        assert_eq!(way(&format!("<sip:{contact}>"), by_tcp), by_tcp, "{contact}");
    }
    let by_udp = Flow::udp(by_tcp.local, by_tcp.remote);
    assert_eq!(way("<sip:a@192.0.2.9:5070;transport=tcp>", by_udp), by_udp);
}

#[test]
fn a_sweep_takes_out_no_more_than_it_is_told() {
    let (now, location) = (start(), Location::default());
    for user in ["alice", "bob", "carol"] {
        location.compare_and_swap(&aor(user), None, vec![binding(now, "<sip:a@h>", 60)]).unwrap();
    }
    assert_eq!(location.sweep(now + 60 * SECOND, 2).len(), 2);
    assert_eq!((location.aors(), location.sweep(now + 60 * SECOND, 2).len(), location.aors()), (1, 1, 0));
}
