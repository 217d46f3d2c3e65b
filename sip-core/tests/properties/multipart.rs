//! Bodies of lines: several in one, fragments of messages, message summaries.

use blether_sip_core::ContentType;
use blether_sip_core::body::{MessageSummary, Multipart, MultipartLimits, Part, SipFragment};
use bytes::Bytes;

/// The first line is the value of a Content-Type, the rest is a body of that type.
pub(crate) fn multipart(bytes: &[u8]) {
    let input = Bytes::copy_from_slice(bytes);
    fragment(input.clone());
    summary(bytes);
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(content_type) = String::from_utf8_lossy(&bytes[..end]).trim_end().parse::<ContentType>() else { return };
    let body = input.slice(end + 1..);
    let part = Part::new(content_type.clone(), body.clone());
    let limits = MultipartLimits::default();
    let _ =
        (part.find("application/sdp"), part.unsupported(&|part| part.is("text/plain"), &limits), part.disposition());
    let Ok(read) = Multipart::parse(&content_type, body.clone()) else { return };
    assert!((1..=limits.max_parts).contains(&read.parts().len()));
    assert_eq!(read.write().1, body, "a body that was not touched");
    let outside = |part: &Part| !part.body().is_empty() && !body.as_ptr_range().contains(&part.body().as_ptr());
    assert!(!read.parts().iter().any(outside), "a part was copied");
    change(read);
}

/// What every part is, as far as a change may not touch it.
fn contents(multipart: &Multipart) -> Vec<(Bytes, Vec<(String, String)>)> {
    let headers =
        |part: &Part| part.headers().iter().map(|(name, value)| (name.to_string(), value.to_owned())).collect();
    multipart.parts().iter().map(|part| (part.body().clone(), headers(part))).collect()
}

/// One part more than usual, and room for headers that are not UTF-8, which become longer.
fn wide() -> MultipartLimits {
    MultipartLimits { max_parts: 65, max_header_section: 65_535, ..MultipartLimits::default() }
}

/// With another part behind them, the parts read as they were, whatever stands in that part.
fn change(mut multipart: Multipart) {
    let before = contents(&multipart);
    let preamble = multipart.preamble().clone();
    let added = multipart.write().1;
    multipart.push(Part::new(ContentType::sdp(), added.clone()));
    let (content_type, written) = multipart.write();
    let again = Multipart::parse_within(&content_type, written.clone(), &wide());
    let again = again.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&written)));
    let (last, others) = again.parts().split_last().unwrap();
    assert_eq!(contents(&again)[..others.len()], before[..], "{}", String::from_utf8_lossy(&written));
    assert_eq!((last.body(), last.is("application/sdp")), (&added, true));
    assert_eq!(again.preamble(), &preamble);
    assert!(again.is_closed());
    assert_eq!(again.write().1, written);
    // Every part is changed: all of them are written anew.
    multipart.parts_mut().iter_mut().for_each(|part| part.set_body("--\r\n--"));
    let (content_type, written) = multipart.write();
    let again = Multipart::parse_within(&content_type, written, &wide()).unwrap();
    assert_eq!(again.parts().len(), before.len() + 1);
    assert!(again.parts().iter().all(|part| part.body() == "--\r\n--"));
}

fn fragment(bytes: Bytes) {
    let Ok(read) = SipFragment::parse(bytes.clone()) else { return };
    assert_eq!(read.to_bytes(), bytes, "a fragment that was not touched");
    let changed = read.clone().with_body(ContentType::sdp(), "v=0\r\n");
    let again = match SipFragment::parse(changed.to_bytes()) {
        Ok(again) => again,
        // A URI may become longer than a start line may be, when it is written by the book.
        Err(error) => return assert!(bytes.len() > 1_000, "{error}: {changed}"),
    };
    assert_eq!((again.status(), again.body()), (read.status(), changed.body()), "{changed}");
    assert_eq!((again.line().is_some(), again.headers().len()), (read.line().is_some(), changed.headers().len()));
}

/// Control characters in what is read become spaces in what is written, so it is what was written that does not change any more.
fn summary(bytes: &[u8]) {
    let Ok(read) = MessageSummary::parse(bytes) else { return };
    let again = MessageSummary::parse(&read.to_bytes()).unwrap_or_else(|error| panic!("{error}: {read}"));
    assert_eq!((again.waiting, &again.counts, again.messages.len()), (read.waiting, &read.counts, read.messages.len()));
    assert_eq!(MessageSummary::parse(&again.to_bytes()), Ok(again));
}
