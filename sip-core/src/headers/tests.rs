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

#[test]
fn a_header_that_may_stand_once_is_refused_twice() {
    let mut headers = Headers::new();
    headers.push(crate::Expires(1));
    assert_eq!(headers.get(), Ok(Some(crate::Expires(1))));
    headers.push(crate::Expires(1));
    assert_eq!(headers.get::<crate::Expires>(), Err(HeaderError::Repeated { header: HeaderName::Expires }));
}

#[test]
fn a_list_is_read_up_to_the_limit() {
    let mut headers = Headers::of(Bytes::new(), Vec::new(), 2);
    headers.push_raw(&HeaderName::Route, "<sip:a@b>, <sip:c@d>").unwrap();
    assert_eq!(headers.all::<Route>().unwrap().len(), 2);
    headers.push_raw(&HeaderName::Route, "<sip:e@f>").unwrap();
    let error = headers.all::<Route>().unwrap_err();
    assert_eq!(error.to_string(), "Bad Route header: expected at most 2 values");
    assert!(headers.get::<Route>().unwrap().is_some());
}

#[test]
fn rows_are_added_set_and_removed_where_they_belong() {
    let mut headers = Headers::new();
    let route = |text: &str| Route(text.parse().unwrap());
    let rows = |headers: &Headers| headers.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    headers.push(crate::MaxForwards(70));
    headers.push(route("<sip:b@c>"));
    headers.push_front(route("<sip:a@b>"));
    headers.push_front(crate::Expires(1));
    assert_eq!(rows(&headers), ["Expires=1", "Max-Forwards=70", "Route=<sip:a@b>", "Route=<sip:b@c>"]);
    headers.set(route("<sip:d@e>"));
    headers.set(crate::MaxForwards(69));
    assert_eq!(rows(&headers), ["Expires=1", "Max-Forwards=69", "Route=<sip:d@e>"]);
    assert_eq!((headers.remove(&HeaderName::Route), headers.remove(&HeaderName::Route)), (1, 0));
    assert_eq!((headers.len(), headers.has(&HeaderName::Route)), (2, false));
}

#[test]
fn the_first_value_of_a_list_is_replaced_alone() {
    #[track_caller]
    fn check(value: &str, new: Option<&str>, expected: Option<&str>) {
        let mut headers = Headers::new();
        headers.push_raw(&HeaderName::UserAgent, value).unwrap();
        headers.replace_first_item(new.map(|new| crate::UserAgent(new.into())).as_ref());
        assert_eq!(headers.raw(&HeaderName::UserAgent), expected);
    }
    check("a;x=\",\" , b,  c", None, Some("b,  c"));
    check("a;x=\",\" , b,  c", Some("n"), Some("n, b,  c"));
    check(",, a", Some("n"), Some("n"));
    check("a,", None, None);
    check("", Some("n"), Some("n"));
}
