use super::*;
use crate::body::dialog_info::DialogInfo;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:dialog-info";

/// The error of a document with this content, or none.
fn error_of(content: &str) -> Option<String> {
    let text = format!("<d:dialog-info xmlns:d='{NAMESPACE}' version='0' state='full'>{content}</d:dialog-info>");
    text.parse::<DialogInfo>().err().map(|error| error.to_string())
}

fn kind(text: &[u8]) -> XmlErrorKind {
    DialogInfo::parse(text).unwrap_err().kind().clone()
}

#[test]
fn entities_cannot_be_declared() {
    let laughs = (1..10).map(|n| format!("<!ENTITY lol{n} \"{}\">", format!("&lol{};", n - 1).repeat(10)));
    let bomb = format!(
        "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol0 'lol'>{}]><dialog-info xmlns='{NAMESPACE}' version='0' \
         state='full' entity='&lol9;'>&lol9;</dialog-info>",
        laughs.collect::<String>()
    );
    assert_eq!(kind(bomb.as_bytes()), XmlErrorKind::DocumentType);
    let outside = format!("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><dialog-info xmlns='{NAMESPACE}'/>");
    assert_eq!(kind(outside.as_bytes()), XmlErrorKind::DocumentType);
    assert_eq!(error_of("&lol;").as_deref(), Some("line 1, column 86: unknown entity &lol;"));
    assert!(error_of("<d:dialog id='&lol;'/>").is_some_and(|error| error.contains("not well-formed")));
    assert_eq!(error_of("&#x48;&lt;&#65;"), None);
}

#[test]
fn what_is_no_character_is_refused_however_it_is_written() {
    for content in ["\u{1}", "&#1;", "&#x0;", "&#xFFFE;", "<x a='&#27;'/>", "<![CDATA[\u{b}]]>", "<!-- \0 -->"] {
        assert!(error_of(content).is_some(), "{content:?}");
    }
    assert_eq!(error_of("&#9;\u{85}&#x10FFFF;"), None);
    assert_eq!(kind(b"<a>\xff</a>"), XmlErrorKind::NotUtf8);
    let utf16: Vec<u8> = "<?xml version='1.0' encoding='UTF-16'?>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(matches!(kind(&utf16), XmlErrorKind::Character(0)));
    let marked = format!("\u{feff}<dialog-info xmlns='{NAMESPACE}' version='0' state='full'/>");
    assert!(marked.parse::<DialogInfo>().is_ok());
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        "",
        " ",
        "<",
        "<a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><a/>",
        "x<a/>",
        "<a/>x",
        "<a b/>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a><![CDATA[</a>",
        "<a>&</a>",
        "<a>&x</a>",
        "<a><!-- </a>",
        "<![CDATA[x]]><a/>",
        "&#65;<a/>",
        "<a xmlns:xmlns='u:x'/>",
    ] {
        assert!(matches!(kind(text.as_bytes()), XmlErrorKind::Malformed(_)), "{text}: {}", kind(text.as_bytes()));
    }
}

#[test]
fn depth_number_and_attributes_are_bounded() {
    let limits = XmlLimits::default();
    let nested = |depth: usize| format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth));
    assert_eq!(error_of(&nested(limits.max_depth - 1)), None);
    assert!(
        error_of(&nested(limits.max_depth))
            .is_some_and(|error| error.ends_with("more than 24 elements within one another"))
    );
    assert!(error_of(&"<x>".repeat(50_000)).is_some_and(|error| error.ends_with("within one another")));
    assert!(error_of(&"<x/>".repeat(20_000)).is_some_and(|error| error.ends_with("more than 20000 elements")));
    let attributes =
        |count: usize, prefix: &str| -> String { (0..count).map(|n| format!(" {prefix}{n}=''")).collect() };
    assert_eq!(error_of(&format!("<x{}/>", attributes(64, "a"))), None);
    assert!(
        error_of(&format!("<x{}/>", attributes(8_000, "a")))
            .is_some_and(|error| error.ends_with("more than 64 attributes"))
    );
    assert!(error_of(&format!("<x{}/>", attributes(8_000, "xmlns:a"))).is_some());
    assert!(matches!(kind(&[b' '; 262_145]), XmlErrorKind::TooLarge { .. }));
}

/// Each takes minutes if it takes more than linear time.
#[test]
fn endless_documents_take_linear_time() {
    let limits = XmlLimits { max_size: usize::MAX, max_elements: usize::MAX, ..XmlLimits::default() };
    let start = format!("<dialog-info xmlns='{NAMESPACE}' version='0' state='full'>");
    for repeated in [
        "<x/>",
        "<x>",
        "<x a='b'/>",
        "<x xmlns='u:x'/>",
        "&lt;",
        "&#65;",
        "&",
        "<![CDATA[",
        "<![CDATA[]]>",
        "<!--",
        "<!---->",
        "<?",
        "]]>",
        "<dialog id='1'><state>early</state></dialog>",
        "<dialog",
        " a='",
        "\r\n",
        "\u{e9}",
        "</x>",
        "<!DOCTYPE",
    ] {
        let text = format!("{start}{}", repeated.repeat(1_000_000 / repeated.len()));
        assert!(DialogInfo::parse_within(text.as_bytes(), &limits).is_err(), "{repeated}");
        let Ok(read) = DialogInfo::parse_within(format!("{text}</dialog-info>").as_bytes(), &limits) else { continue };
        let (mut state, before) = (read.clone(), read.dialogs.len());
        state.apply(DialogInfo { version: 1, state: Completeness::Partial, ..read });
        assert!(state.dialogs.len() <= MAX_ROWS.max(before));
    }
}

#[test]
fn the_namespace_counts_and_the_prefix_does_not() {
    let root = |declaration: &str, name: &str| format!("<{name} {declaration} version='0' state='full'/>");
    for (declaration, name, ok) in [
        (format!("xmlns='{NAMESPACE}'"), "dialog-info", true),
        (format!("xmlns:x='{NAMESPACE}'"), "x:dialog-info", true),
        (format!("xmlns:x='{NAMESPACE}'"), "dialog-info", false),
        (format!("xmlns:x='{NAMESPACE}' xmlns:y='u:y'"), "y:dialog-info", false),
        (format!("xmlns='{NAMESPACE}x'"), "dialog-info", false),
        (String::from("xmlns='urn:ietf:params:xml:ns:pidf'"), "dialog-info", false),
        (String::new(), "dialog-info", false),
        (String::new(), "x:dialog-info", false),
    ] {
        let read = root(&declaration, name).parse::<DialogInfo>();
        assert_eq!(read.is_ok(), ok, "{declaration} {name}");
        if let Err(error) = read {
            assert_eq!(error.kind(), &XmlErrorKind::WrongRoot { expected: "dialog-info" });
        }
    }
}

#[test]
fn an_error_says_where() {
    let text = format!(
        "<dialog-info xmlns='{NAMESPACE}' version='0' state='full'>\r\n  <dialog id='1'>\r\n  </dialog>\r\n</dialog-info>"
    );
    let error = text.parse::<DialogInfo>().unwrap_err();
    assert_eq!((error.line(), error.column(), error.to_string().as_str()), (2, 3, "line 2, column 3: missing state"));
}
