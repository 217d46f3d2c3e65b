use super::*;
use crate::{Route, Supported};

#[test]
fn rows_and_commas_are_the_same() {
    let mut headers = Headers::new();
    headers.push_raw(&HeaderName::Route, "<sip:a@b>, <sip:c@d>").unwrap();
    headers.push_raw(&HeaderName::Supported, "100rel").unwrap();
    headers.push_raw(&HeaderName::Route, "<sip:e@f>").unwrap();
    headers.push_raw(&HeaderName::Supported, "timer, path").unwrap();
    let routes: Vec<String> = headers.all::<Route>().unwrap().iter().map(|Route(route)| route.to_string()).collect();
    assert_eq!(routes, ["<sip:a@b>", "<sip:c@d>", "<sip:e@f>"]);
    assert_eq!(headers.get::<Supported>().unwrap().unwrap().0, ["100rel", "timer", "path"]);
}
