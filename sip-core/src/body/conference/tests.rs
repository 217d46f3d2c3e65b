use super::*;
use crate::body::xml::Applied;

#[track_caller]
fn read(text: &str) -> ConferenceInfo {
    let document: ConferenceInfo = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.to_string().parse().as_ref(), Ok(&document), "{document}");
    document
}

fn basic() -> ConferenceInfo {
    read(include_str!("../../../tests/bodies/rfc4575-basic.xml"))
}

/// RFC 4575 §7.1 and §7.2.
#[test]
fn the_examples_of_the_rfc_are_read() {
    let basic = basic();
    assert_eq!((basic.version, basic.state, basic.users.len()), (1, Change::Full, 2));
    assert_eq!(basic.description.as_ref().unwrap().service_uris[0].purpose.as_deref(), Some("web-page"));
    let laptop = &basic.users[0].endpoints[0];
    assert_eq!(laptop.status, Some(EndpointStatus::Disconnected));
    assert_eq!(laptop.disconnection_info.as_ref().unwrap().reason.as_deref(), Some("bad voice quality"));
    assert_eq!(laptop.media[0].status, Some(MediaStatus::SendRecv));

    let rich = read(include_str!("../../../tests/bodies/rfc4575-rich.xml"));
    let about = rich.description.as_ref().unwrap();
    assert_eq!((about.conf_uris.len(), about.maximum_user_count, about.available_media.len()), (3, Some(100), 2));
    assert_eq!(about.available_media[1].status, Some(MediaStatus::Inactive));
    assert_eq!(rich.host.as_ref().unwrap().uris[0].uri, "sip:sales@example.com");
    let state = ConferenceState { user_count: Some(32), active: Some(true), locked: Some(false) };
    assert_eq!(rich.conference_state, Some(state));
    assert_eq!(
        (rich.users[0].roles.as_slice(), rich.users[0].languages.as_deref()),
        (&["participant".into()][..], Some("en"))
    );
    assert_eq!(rich.users[0].endpoints[0].call.as_ref().unwrap().call_id, "hsjh8980vhsb78");
    assert_eq!((rich.sidebars_state, rich.sidebars.len()), (Change::Partial, 2));
}

fn partial(version: u32, content: &str) -> ConferenceInfo {
    read(&format!(
        "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='sips:conf233@example.com' \
         state='partial' version='{version}'>{content}</conference-info>"
    ))
}

/// RFC 4575 §4.6.
#[test]
fn what_changed_is_put_into_what_was_known() {
    let mut known = basic();
    let users = "<conference-state><user-count>3</user-count></conference-state><users state='partial'>\
        <user entity='sip:alice@example.com' state='partial'><endpoint entity='sip:4kfk4j392jsu@example.com;grid=433kj4j3u' \
        state='partial'><status>on-hold</status><media id='2'/></endpoint></user>\
        <user entity='sip:bob@example.com' state='deleted'/><user entity='sip:carol@example.com'/></users>";
    assert_eq!(known.apply(partial(2, users)), Applied::Updated);
    assert_eq!(known.conference_state.as_ref().unwrap().user_count, Some(3));
    // What was not said stays.
    assert_eq!(known.description, basic().description);
    let [alice, carol] = known.users.as_slice() else { panic!("{:?}", known.users) };
    assert_eq!((alice.display_text.as_deref(), carol.entity.as_str()), (Some("Alice"), "sip:carol@example.com"));
    let phone = &alice.endpoints[0];
    assert_eq!(
        (phone.status.as_ref(), phone.joining_method.as_deref()),
        (Some(&EndpointStatus::OnHold), Some("dialed-out"))
    );
    assert_eq!(phone.media.iter().map(|media| media.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);

    let replaced =
        "<users state='partial'><user entity='sip:alice@example.com'><roles><entry>host</entry></roles></user></users>";
    assert_eq!(known.apply(partial(3, replaced)), Applied::Updated);
    assert!(known.users[0].endpoints.is_empty() && known.users[0].roles == ["host"]);

    let before = known.clone();
    assert_eq!(known.apply(partial(3, "<users state='deleted'/>")), Applied::Outdated);
    assert_eq!(known.apply(partial(5, "<users state='deleted'/>")), Applied::Incomplete);
    assert_eq!(known, before);
    assert_eq!(known.apply(partial(4, "<users><user entity='sip:dan@example.com'/></users>")), Applied::Updated);
    assert_eq!(known.users, [User::new("sip:dan@example.com")]);
    assert_eq!(known.apply(ConferenceInfo::partial("sips:conf233@example.com", 5)), Applied::Updated);
    assert_eq!(known.users.len(), 1);
    assert_eq!(known.apply(partial(6, "<users/>")), Applied::Updated);
    assert!(known.users.is_empty());
    assert_eq!(known.apply(ConferenceInfo { state: Change::Deleted, ..ConferenceInfo::new("", 9) }), Applied::Updated);
    assert_eq!((known.state, known.users.len()), (Change::Deleted, 0));
}
