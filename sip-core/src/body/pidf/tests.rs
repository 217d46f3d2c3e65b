use super::*;
use crate::body::xml::Ns;

#[track_caller]
fn read(text: &str) -> Presence {
    let document: Presence = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.to_string().parse().as_ref(), Ok(&document), "{document}");
    document
}

/// RFC 3863 §4.2.2, §4.2.4 and §4.3.
#[test]
fn the_examples_of_rfc_3863_are_read_whatever_their_prefixes_are() {
    let [first, second, third, fourth, fifth, sixth] = [
        include_str!("../../../tests/bodies/rfc3863-1.xml"),
        include_str!("../../../tests/bodies/rfc3863-2.xml"),
        include_str!("../../../tests/bodies/rfc3863-3.xml"),
        include_str!("../../../tests/bodies/rfc3863-4.xml"),
        include_str!("../../../tests/bodies/rfc3863-5.xml"),
        include_str!("../../../tests/bodies/rfc3863-6.xml"),
    ]
    .map(read);
    assert_eq!(first, second);
    assert_eq!((first.entity.as_str(), first.is_open()), ("pres:someone@example.com", true));
    assert_eq!((first.tuples[0].contact.as_deref(), first.tuples[0].priority), (Some("tel:+09012345678"), Some(800)));
    assert_eq!(third.tuples[0].basic, Some(Basic::Open));
    let note = |text: &str, lang: Option<&str>| Note { text: text.into(), lang: lang.map(String::from) };
    assert_eq!(
        fourth.tuples[0].notes,
        [note("Don't Disturb Please!", Some("en")), note("Ne derangez pas, s'il vous plait", Some("fr"))]
    );
    assert_eq!(fourth.notes, [note("I'll be in Tokyo next week", None)]);
    assert_eq!(fourth.tuples[0].timestamp.as_deref(), Some("2001-10-27T16:49:29Z"));
    assert_eq!(fifth.tuples[1].contact.as_deref(), Some("im:someone@mobilecarrier.net"));
    assert_eq!(sixth.tuples[0].priority, Some(725));
}

#[test]
fn the_examples_of_rfc_4479_and_4480_tell_what_the_person_does() {
    let model = read(include_str!("../../../tests/bodies/rfc4479-data-model.xml"));
    assert_eq!(model.activities().collect::<Vec<_>>(), [&Activity::OnThePhone]);
    assert_eq!(model.tuples[0].device_ids, ["mac:8asd7d7d70"]);
    assert_eq!(model.devices[0].device_id.as_deref(), Some("mac:8asd7d7d70"));
    assert_eq!(model.devices[0].user_input.as_deref(), Some("idle"));

    let rich = read(include_str!("../../../tests/bodies/rfc4480-rpid.xml"));
    let person = &rich.persons[0];
    assert_eq!(person.activities, [Activity::Away]);
    assert_eq!(person.activities_until.as_deref(), Some("2005-05-30T17:00:00+05:00"));
    assert_eq!(person.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["Far away", "Scoring 120"]);
    assert_eq!((rich.tuples.len(), rich.devices[0].notes[0].text.as_str()), (3, "PC"));
}

/// RFC 3863 §4.2.3: the content of an unknown element does not count, whatever it looks like.
#[test]
fn what_stands_in_an_unknown_element_is_not_seen() {
    let ns = Ns::Pidf.uri();
    let text = format!(
        "<presence xmlns='{ns}'><x xmlns='u:x'><tuple xmlns='{ns}' id='1'/></x><tuple xmlns='' id='2'/></presence>"
    );
    assert!(read(&text).tuples.is_empty());
    let error = format!("<presence xmlns='{ns}'><tuple id='1'><status><basic>away</basic></status></tuple></presence>");
    let error = error.parse::<Presence>().unwrap_err().to_string();
    assert_eq!(error, "line 1, column 69: bad basic: expected open or closed");
}
