use crate::{Method, Request, SipUri};

#[test]
fn a_request_is_built_with_all_that_it_must_have() {
    let request = Request::builder(Method::Options, "sip:bob@biloxi.com".parse::<SipUri>().unwrap())
        .from("<sip:alice@atlanta.com>;tag=1".parse().unwrap())
        .to("<sip:bob@biloxi.com>".parse().unwrap())
        .call_id("a84b4c76e66710")
        .cseq(1)
        .build()
        .unwrap();
    assert_eq!(
        request.to_bytes(),
        "OPTIONS sip:bob@biloxi.com SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:alice@atlanta.com>;tag=1\r\n\
         To: <sip:bob@biloxi.com>\r\nCall-ID: a84b4c76e66710\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
}
