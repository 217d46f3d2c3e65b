use super::*;

const NAMESPACE: &str = "xmlns='urn:ietf:params:xml:ns:dialog-info'";

/// RFC 4235 §4.2.
const SAMPLE: &str = include_str!("../../../tests/bodies/rfc4235-sample.xml");
/// The documents of RFC 4235 §6.2, one after the other; the one that is not well-formed there has its stray end tag taken out.
const SHARED_LINE: &str = include_str!("../../../tests/bodies/rfc4235-shared-line.xml");

#[track_caller]
fn read(text: &str) -> DialogInfo {
    let document: DialogInfo = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.to_string().parse().as_ref(), Ok(&document), "{document}");
    document
}

fn document(version: u32, state: &str, dialogs: &str) -> DialogInfo {
    read(&format!(
        "<dialog-info {NAMESPACE} version='{version}' state='{state}' entity='sip:a@b'>{dialogs}</dialog-info>"
    ))
}

#[test]
fn the_sample_of_the_rfc_is_read() {
    let sample = read(SAMPLE);
    assert_eq!((sample.version, sample.state, sample.entity.as_str()), (1, Completeness::Full, ""));
    let dialog = &sample.dialogs[0];
    assert_eq!(
        (dialog.id.as_str(), &dialog.state.value, dialog.duration),
        ("123456", &DialogState::Confirmed, Some(274))
    );
    let target = dialog.local.target.as_ref().unwrap();
    assert_eq!(target.uri, "sip:alice@pc33.example.com");
    assert_eq!(target.params, [("isfocus".into(), "true".into()), ("class".into(), "personal".into())]);
    assert_eq!(dialog.remote.identities, [Identity { uri: "sip:bob@example.org".into(), display: Some("Bob".into()) }]);
}

/// What a lamp shows while the shared line of RFC 4235 §6.2 is used.
#[test]
fn the_documents_of_a_shared_line_build_its_state() {
    let mut documents = SHARED_LINE.split("<?xml version=\"1.0\"?>").filter(|text| !text.trim().is_empty()).map(read);
    let mut line = documents.next().unwrap();
    assert!(!line.is_busy());
    let mut seen = Vec::new();
    for document in documents {
        assert_eq!(line.apply(document), Applied::Updated);
        let states: Vec<&str> = line.dialogs.iter().map(|dialog| dialog.state.value.as_str()).collect();
        seen.push(states.join(" "));
        if line.version == 3 {
            // What version 2 said of the other side still holds, with the target that came since.
            let remote = &line.dialogs[0].remote;
            assert_eq!(remote.identities[0].uri, "sip:bob@example.net");
            assert_eq!(remote.target.as_ref().unwrap().uri, "sip:bobster@host2.example.net");
            assert_eq!(line.dialogs[0].state.code, Some(180));
        }
        if line.version == 5 {
            let dialog = &line.dialogs[1];
            assert_eq!(dialog.replaces.as_ref().unwrap().remote_tag, "8736347");
            assert_eq!(dialog.referred_by.as_ref().unwrap().uri, "sip:bob-is-not-here@vm.example.net");
            assert_eq!(dialog.direction, Some(Direction::Other("receiver".into())));
        }
    }
    let expected = [
        "trying",
        "trying",
        "early",
        "terminated confirmed",
        "terminated confirmed",
        "confirmed",
        "confirmed",
        "terminated trying",
        "",
    ];
    assert_eq!(seen, expected);
}

/// RFC 4235 §4.3.
#[test]
fn a_document_out_of_order_is_discarded_and_a_gap_is_told() {
    let dialog = |id: &str, state: &str| format!("<dialog id='{id}'><state>{state}</state></dialog>");
    let mut known = document(5, "full", &dialog("1", "confirmed"));
    assert_eq!(known.apply(document(4, "full", "")), Applied::Outdated);
    assert_eq!(known.apply(document(5, "partial", "")), Applied::Outdated);
    assert_eq!(known.dialogs.len(), 1);
    assert_eq!(known.apply(document(7, "partial", &dialog("2", "early"))), Applied::Incomplete);
    assert_eq!((known.version, known.dialogs.len()), (7, 2));
    assert_eq!(known.apply(document(9, "full", "")), Applied::Updated);
    assert!(known.dialogs.is_empty());
    let many: String = (0..10_001).map(|id| dialog(&id.to_string(), "early")).collect();
    let limits = crate::body::xml::XmlLimits { max_size: usize::MAX, max_elements: usize::MAX, ..Default::default() };
    let text = format!("<dialog-info {NAMESPACE} version='10' state='partial' entity=''>{many}</dialog-info>");
    assert_eq!(known.apply(DialogInfo::parse_within(text.as_bytes(), &limits).unwrap()), Applied::Incomplete);
    assert_eq!(known.dialogs.len(), 10_000);
}

#[test]
fn a_lamp_tells_ringing_from_talking() {
    let lamp = |direction: &str, state: &str| {
        let dialog = format!("<dialog id='1' direction='{direction}'><state>{state}</state></dialog>");
        let lamp = document(0, "full", &dialog);
        (lamp.is_ringing(), lamp.is_busy())
    };
    assert_eq!(lamp("recipient", "early"), (true, false));
    assert_eq!(lamp("initiator", "early"), (false, true));
    assert_eq!(lamp("recipient", "confirmed"), (false, true));
    assert_eq!(lamp("recipient", "terminated"), (false, false));
    assert_eq!(lamp("recipient", "strange"), (false, false));
}

#[test]
fn whatever_a_value_holds_reads_as_it_was_written() {
    let odd = "<&>\"' ]]> \u{e9}\r\n\t.";
    let dialog = Dialog {
        id: odd.into(),
        call_id: Some(odd.into()),
        direction: Some(Direction::Other(odd.into())),
        remote: Participant {
            identities: vec![Identity { uri: odd.into(), display: Some(odd.into()) }],
            session_description: Some(("application/sdp".into(), "\r\nv=0\r\n".into())),
            ..Participant::default()
        },
        ..Dialog::default()
    };
    read(&DialogInfo { dialogs: vec![dialog], ..DialogInfo::default() }.to_string());
    let control = DialogInfo { entity: "a\0b\u{1b}".into(), ..DialogInfo::default() };
    assert_eq!(read(&control.to_string()).entity, "a\u{fffd}b\u{fffd}");
}
