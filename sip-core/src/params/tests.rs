use super::*;

fn params(text: &str) -> Params {
    text.parse().unwrap()
}

#[test]
fn names_are_compared_without_case() {
    let read = params(";Expires=3600 ; LR;x=\"a b\"");
    assert_eq!(read.value("expires"), Some("3600"));
    assert_eq!(read.get("lr"), Some(None));
    assert_eq!((read.value("lr"), read.has("lr")), (None, true));
    assert_eq!(read.value("X"), Some("a b"));
    assert_eq!(read.get("y"), None);
}

#[test]
fn setting_a_parameter_keeps_its_place_and_leaves_one() {
    let mut edited = params(";a=1;b=2;A=3;c");
    edited.set("a", Some("9"));
    assert_eq!(edited.to_string(), ";a=9;b=2;c");
    edited.set("d", None);
    assert!(edited.remove("B"));
    assert!(!edited.remove("b"));
    assert_eq!(edited.to_string(), ";a=9;c;d");
}

#[test]
fn a_parameter_is_the_same_in_a_text_and_in_a_list() {
    let mut set = Params::new();
    for (name, value) in [("branch", Some("z9hG4bK1")), ("rport", None), ("x", Some("a@b/c=")), ("y", Some("t\u{e9}l"))]
    {
        set.set(name, value);
    }
    let read = params(";branch=z9hG4bK1 ; rport;x=a@b/c=;y=\"t\u{e9}l\"");
    assert_eq!(set.to_string(), ";branch=z9hG4bK1;rport;x=a@b/c=;y=\"t\u{e9}l\"");
    assert!(set.iter().eq(read.iter()) && set.len() == 4);
    set.set("RPORT", Some("5060"));
    set.set("branch", Some("a;b"));
    assert_eq!(set.to_string(), ";branch=\"a;b\";RPORT=5060;x=a@b/c=;y=\"t\u{e9}l\"");
}

#[test]
fn a_value_that_is_not_one_word_is_quoted() {
    let mut written = Params::new();
    written.set("text", Some("say \"hi\"; go\r\n"));
    written.set("empty", Some(""));
    written.set("b ad", None);
    assert_eq!(written.to_string(), ";text=\"say \\\"hi\\\"; go  \";empty=\"\";bad");
}

#[test]
fn what_is_written_reads_again() {
    let mut made = Params::new();
    made.set("a", Some("two \"words\""));
    made.set("b", Some(""));
    made.set_quoted("c", "x");
    made.set("d", None);
    assert_eq!(made.to_string().parse(), Ok(made));
    assert_eq!(" \t".parse(), Ok(Params::new()));
    for text in ["a=1", ";", ";a;", ";a=", ";a=\"", ";a b", &";a".repeat(65)] {
        assert_eq!(text.parse::<Params>(), Err(InvalidText::Params), "{text}");
    }
}

#[test]
fn a_parameter_with_a_field_of_its_own_is_taken_out() {
    let mut taken = params(";a=1;q=\"2\";b;Q=3");
    let (before, q, behind) = taken.split_at("Q").unwrap();
    assert_eq!((before.to_string(), q.as_deref(), behind.to_string()), (";a=1".into(), Some("2"), ";b;Q=3".into()));
    assert_eq!((taken.take("q"), taken.take("q"), taken.to_string()), (Some(Some("2".into())), None, ";a=1;b".into()));
    assert_eq!((taken.take("b"), taken.split_at("b")), (Some(None), None));
}

#[test]
fn quotes_that_stood_there_are_kept() {
    assert_eq!(params(";a=\"b\";c=d").to_string(), ";a=\"b\";c=d");
}

#[test]
fn no_more_are_set_than_are_read() {
    let mut set = Params::new();
    for number in 0..100 {
        set.set(&format!("p{number}"), (number % 2 == 0).then_some("a b"));
    }
    set.set("TAG", Some("1"));
    assert_eq!((set.len(), set.has("p63"), set.has("p64"), set.value("tag")), (65, true, false, Some("1")));
    set.set("p0", None);
    assert_eq!(set.get("P0"), Some(None));
    assert_eq!(set.to_string().parse(), Ok(set));
}
