use proptest::prelude::*;

use super::*;

const SMALL: FramerLimits = FramerLimits { max_header_section: 200, max_message: 300 };

fn options(body: &str) -> String {
    format!("OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn frames_of_pieces<'a>(
    limits: FramerLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<FramingError>) {
    let (mut framer, mut frames) = (Framer::new(limits), Vec::new());
    for piece in pieces {
        framer.receive(piece);
        loop {
            match framer.poll_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.poll_frame(), Err(error.clone()), "an error stays");
                    assert_eq!(framer.buffer.len(), 0);
                    return (frames, Some(error));
                }
            }
        }
        assert!(framer.buffer.len() < limits.max_message, "more is held than an unfinished message");
    }
    (frames, None)
}

fn frames(stream: &str) -> (Vec<Frame>, Option<FramingError>) {
    frames_of_pieces(SMALL, [stream.as_bytes()])
}

fn message(text: &str) -> Frame {
    Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn content_length_says_where_a_message_ends() {
    let (first, second) = (options("hello"), options(""));
    let (found, error) = frames(&format!("{first}{second}{first}"));
    assert_eq!((found, error), (vec![message(&first), message(&second), message(&first)], None));
}

#[test]
fn the_compact_form_and_a_folded_value_are_understood() {
    for header in ["l:3", "L \t: 3 ", "content-length:\r\n 3", "Content-Length: 0003", "l: 3\r\nContent-Length: 3"] {
        let text = format!("BYE sip:a SIP/2.0\r\n{header}\r\nx: y\r\n\r\nabc");
        assert_eq!(frames(&text), (vec![message(&text)], None), "{header}");
    }
}

#[test]
fn without_a_content_length_the_stream_is_at_its_end() {
    let head = "BYE sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n";
    assert_eq!(frames(head).1, Some(FramingError::NoContentLength { head: head.into() }));
}

#[test]
fn a_content_length_that_is_no_number_or_two_is_refused() {
    for header in ["l: ", "l: -1", "l: 1 2", "l: 0x10", "l: 1,1", "l: 3\r\nContent-Length: 4"] {
        let head = format!("BYE sip:a SIP/2.0\r\n{header}\r\n\r\n");
        assert_eq!(frames(&head).1, Some(FramingError::BadContentLength { head: head.clone().into() }), "{header}");
    }
}

#[test]
fn a_message_too_large_is_refused_at_its_header_section_which_can_then_be_parsed_alone() {
    for (digits, len) in [("300", 342), ("99999999999999999999999999", usize::MAX)] {
        let head = format!("BYE sip:a SIP/2.0\r\nContent-Length: {digits}\r\n\r\n");
        let parsable = head.replace(digits, &"0".repeat(digits.len())).into();
        let expected = FramingError::MessageTooLarge { len, limit: 300, head: parsable };
        assert_eq!(frames(&head), (vec![], Some(expected)));
    }
}

#[test]
fn a_header_section_too_large_is_refused_with_the_lines_that_are_known() {
    let known = "BYE sip:a SIP/2.0\r\nCall-ID: 1\r\n";
    let (found, error) = frames(&format!("{known}Subject: {}", "x".repeat(200)));
    let head = format!("{known}\r\n").into();
    assert_eq!((found, error), (vec![], Some(FramingError::HeaderSectionTooLarge { limit: 200, head })));
}

#[test]
fn two_empty_lines_are_a_ping_and_one_is_a_pong() {
    assert_eq!(frames("\r\n").0, [Frame::Pong]);
    assert_eq!(frames("\r\n\r\n").0, [Frame::Pong, Frame::Ping]);
    let text = options("");
    assert_eq!(
        frames(&format!("\r\n{text}\r\n\r\n\r\n")).0,
        [Frame::Pong, message(&text), Frame::Pong, Frame::Ping, Frame::Pong]
    );
}

#[test]
fn half_an_end_of_line_between_messages_means_nothing() {
    let text = options("");
    assert_eq!(frames(&format!("\n\r{text}\n\n{text}")).0, [message(&text), message(&text)]);
}

#[test]
fn a_drained_framer_holds_no_large_storage() {
    let mut framer = Framer::new(FramerLimits::default());
    framer.receive(options(&"x".repeat(60_000)).as_bytes());
    assert!(matches!(framer.poll_frame(), Ok(Some(Frame::Message(_)))));
    assert_eq!(framer.poll_frame(), Ok(None));
    assert!(framer.buffer.capacity() <= KEPT_CAPACITY);
}

fn piece_of_stream() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z\r\n]{0,60}".prop_map(|body| options(&body)),
        2 => Just("\r\n".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\n".to_owned()),
        1 => "[A-Za-z: \r\n0-9]{0,80}",
        1 => (0..400_usize).prop_map(|len| format!("BYE sip:a SIP/2.0\r\nl: {len}\r\n\r\n")),
        1 => (0..400_usize).prop_map(|len| format!("BYE sip:a SIP/2.0\r\nSubject: {}\r\nl: 0\r\n\r\n", "x".repeat(len))),
    ]
}

proptest! {
    #[test]
    fn the_frames_are_the_same_however_the_stream_is_cut(
        parts in proptest::collection::vec(piece_of_stream(), 0..8),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let stream = parts.concat().into_bytes();
        let whole = frames_of_pieces(SMALL, [&stream[..]]);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        prop_assert_eq!(&frames_of_pieces(SMALL, at.windows(2).map(|ends| &stream[ends[0]..ends[1]])), &whole);
        prop_assert_eq!(&frames_of_pieces(SMALL, stream.chunks(1)), &whole);
    }

    #[test]
    fn whatever_a_stranger_sends_it_neither_panics_nor_grows(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
    ) {
        let mut framer = Framer::new(SMALL);
        for piece in pieces {
            framer.receive(&piece);
            while let Ok(Some(_)) = framer.poll_frame() {}
            prop_assert!(framer.buffer.len() < SMALL.max_message);
        }
    }
}
