use super::*;

/// RFC 3680 §5.3.
const PLAIN: &str = include_str!("../../../tests/bodies/rfc3680-reginfo.xml");
/// RFC 5628 §7, with its long lines joined.
const GRUU: &str = include_str!("../../../tests/bodies/rfc5628-reginfo.xml");

#[track_caller]
fn read(text: &str) -> RegInfo {
    let document: RegInfo = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.to_string().parse().as_ref(), Ok(&document));
    document
}

#[test]
fn the_examples_of_the_rfcs_are_read() {
    let plain = read(PLAIN);
    assert_eq!((plain.version, plain.state), (0, Completeness::Full));
    let Registration { aor, id, state, contacts } = &plain.registrations[0];
    assert_eq!((aor.as_str(), id.as_str(), state), ("sip:user@example.com", "as9", &RegistrationState::Active));
    assert_eq!((contacts[0].q.as_deref(), contacts[0].duration_registered), (Some("0.8"), Some(7_322)));
    assert_eq!((&contacts[1].state, &contacts[1].event), (&ContactState::Terminated, &ContactEvent::Expired));
    assert_eq!(contacts[1].uri, "sip:user@university.edu");

    let contact = &read(GRUU).registrations[0].contacts[0];
    assert_eq!((contact.expires, contact.cseq), (Some(3_599), Some(54_321)));
    let instance = "\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";
    assert_eq!(contact.unknown_params, [("+sip.instance".into(), instance.into())]);
    assert_eq!(contact.pub_gruu.as_deref(), Some("sip:user@example.com;gr=hha9s8d-999a"));
    assert_eq!(contact.temp_gruu, Some(("sip:8ffkas08af7fasklzi9@example.com;gr".into(), 54_301)));
}

/// RFC 3680 §5.2.
#[test]
fn what_changed_is_put_into_what_was_known() {
    let mut known = read(PLAIN);
    let contact = |id: &str, event| Contact::new(id, event);
    let update = |version, contacts| RegInfo {
        version,
        state: Completeness::Partial,
        registrations: vec![Registration {
            aor: "sip:user@example.com".into(),
            id: "as9".into(),
            state: RegistrationState::Active,
            contacts,
        }],
    };
    let new = vec![contact("76", ContactEvent::Refreshed), contact("78", ContactEvent::Created)];
    assert_eq!(known.apply(update(1, new)), Applied::Updated);
    let events = |known: &RegInfo| -> Vec<(String, ContactEvent)> {
        known.registrations[0].contacts.iter().map(|it| (it.id.clone(), it.event.clone())).collect()
    };
    // The contact that had expired is gone.
    let expected = vec![("76".into(), ContactEvent::Refreshed), ("78".into(), ContactEvent::Created)];
    assert_eq!(events(&known), expected);
    assert_eq!(known.apply(update(0, vec![])), Applied::Outdated);
    assert_eq!(known.apply(update(1, vec![])), Applied::Outdated);
    assert_eq!(known.apply(update(4, vec![contact("78", ContactEvent::Unregistered)])), Applied::Incomplete);
    assert_eq!((known.version, known.registrations[0].contacts.len()), (4, 2));
    assert_eq!(known.apply(RegInfo { version: 9, ..RegInfo::default() }), Applied::Updated);
    assert!(known.registrations.is_empty());
}

#[test]
fn what_is_missing_is_named_with_its_place() {
    let error = |from: &str, to: &str| PLAIN.replace(from, to).parse::<RegInfo>().unwrap_err().to_string();
    assert_eq!(error("<uri>sip:user@university.edu</uri>", ""), "line 10, column 9: missing uri");
    assert_eq!(error("version=\"0\"", ""), "line 2, column 1: missing version");
    assert_eq!(
        error("version=\"0\"", "version=\"-1\""),
        "line 2, column 1: bad version: expected a number that is not too large"
    );
    assert_eq!(error("state=\"full\"", "state=\"?\""), "line 2, column 1: bad state: expected full or partial");
}
