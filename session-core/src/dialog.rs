//! Dialogs (RFC 3261 §12): what two user agents must both know to send each other requests within a call.

use blether_sip_core::{
    ByteStr, Contact, HeaderError, Method, NameAddr, RecordRoute, Request, Response, Route, SipUri, Uri,
};

use crate::error::DialogError;

/// How many proxies a route set may name: as many as Max-Forwards lets a request pass (RFC 3261 §8.1.1.6).
const MAX_ROUTES: usize = 70;

/// The largest CSeq number (RFC 3261 §8.1.1.5: less than 2^31).
const MAX_CSEQ: u32 = (1 << 31) - 1;

/// What names a dialog at one of its ends (RFC 3261 §12).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId {
    /// The Call-ID, the same at both ends.
    pub call_id: ByteStr,
    /// The tag that we chose.
    pub local_tag: ByteStr,
    /// The tag that the peer chose; empty for a peer of RFC 2543, which chooses none.
    pub remote_tag: ByteStr,
}

/// What a request within a dialog is, seen by its CSeq number (RFC 3261 §12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CSeqVerdict {
    /// Higher than all before: it has been taken as the remote sequence number.
    InOrder,
    /// Not higher than one that came before; to be answered with 500.
    OutOfOrder {
        /// The highest number that has come.
        highest: u32,
    },
}

/// The state of a dialog at one of its ends (RFC 3261 §12.1). It has no timer and sends nothing: it makes the next
/// request, and judges what arrives.
///
/// Whether it is early or confirmed is known to the session that owns it.
#[derive(Debug, Clone)]
pub struct Dialog {
    id: DialogId,
    /// Our From, tag included.
    local: NameAddr,
    /// Our To, tag included where there is one.
    remote: NameAddr,
    local_cseq: Option<u32>,
    remote_cseq: Option<u32>,
    route_set: Vec<NameAddr>,
    remote_target: Uri,
}

impl Dialog {
    /// Makes the dialog of a user agent that answers `request` with this tag in To (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// The request has no usable Contact, or Record-Route cannot be read: answer 400.
    pub fn uas(request: &Request, local_tag: &str) -> Result<Self, DialogError> {
        let remote_target = contact_of(request.headers().get::<Contact>())?.ok_or(DialogError::NoContact)?;
        let route_set = route_set(request.headers().all::<RecordRoute>())?;
        Ok(Self {
            id: DialogId {
                call_id: request.call_id().detached(),
                local_tag: ByteStr::from(local_tag),
                remote_tag: tag_of(request.from()),
            },
            local: request.to().clone().with_tag(local_tag),
            remote: request.from().clone(),
            local_cseq: None,
            remote_cseq: Some(request.cseq().number),
            route_set,
            remote_target,
        })
    }

    /// Makes the dialog of a user agent that sent `request` and got `response`, a 101 to 299 (RFC 3261 §12.1.2).
    ///
    /// A response without Contact is taken all the same, with the Request-URI as the remote target: provisional responses
    /// often have none, and a call that is up should not fail for it.
    ///
    /// # Errors
    /// Contact or Record-Route are there but cannot be read.
    pub fn uac(request: &Request, response: &Response) -> Result<Self, DialogError> {
        let contact = contact_of(response.headers().get::<Contact>())?;
        let mut route_set = route_set(response.headers().all::<RecordRoute>())?;
        route_set.reverse();
        Ok(Self {
            id: DialogId {
                call_id: request.call_id().detached(),
                local_tag: tag_of(request.from()),
                remote_tag: tag_of(response.to()),
            },
            local: request.from().clone(),
            remote: response.to().clone(),
            local_cseq: Some(request.cseq().number),
            remote_cseq: None,
            route_set,
            remote_target: contact.unwrap_or_else(|| request.uri().clone()),
        })
    }

    /// What names this dialog at our end.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Who we are in this dialog: our From.
    pub fn local(&self) -> &NameAddr {
        &self.local
    }

    /// Who the peer is in this dialog: our To.
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// Where the peer said that it is reached, by its last Contact.
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// The proxies that a request passes before it reaches the remote target, the nearest first.
    pub fn route_set(&self) -> &[NameAddr] {
        &self.route_set
    }

    /// Whether a request carries this dialog's identifier (RFC 3261 §12.2.2).
    pub fn matches(&self, request: &Request) -> bool {
        *request.call_id() == self.id.call_id
            && tag_of(request.to()) == self.id.local_tag
            && tag_of(request.from()) == self.id.remote_tag
    }

    /// Makes the next request of this dialog, with the next CSeq number (RFC 3261 §12.2.1.1). It has no Via yet, and no
    /// Contact; target refresh requests (INVITE, UPDATE) need one.
    ///
    /// # Errors
    /// All CSeq numbers are used up.
    pub fn next_request(&mut self, method: Method) -> Result<Request, DialogError> {
        let number = match self.local_cseq {
            None => 1,
            Some(last) if last >= MAX_CSEQ => return Err(DialogError::CSeqExhausted),
            Some(last) => last + 1,
        };
        let request = self.request(method, number)?;
        self.local_cseq = Some(number);
        Ok(request)
    }

    /// Makes the ACK for a 2xx to the INVITE with this CSeq number (RFC 3261 §13.2.2.4). It has no Via yet; body and
    /// credentials are the caller's.
    ///
    /// # Errors
    /// See [`DialogError::Unbuildable`].
    pub fn acknowledgement(&self, invite_cseq: u32) -> Result<Request, DialogError> {
        self.request(Method::Ack, invite_cseq)
    }

    fn request(&self, method: Method, cseq: u32) -> Result<Request, DialogError> {
        let (uri, routes) = routed(&self.remote_target, &self.route_set);
        let mut builder = Request::builder(method, uri)
            .from(self.local.clone())
            .to(self.remote.clone())
            .call_id(&self.id.call_id)
            .cseq(cseq)
            .max_forwards(70);
        for route in routes {
            builder = builder.header(Route(route));
        }
        builder.build().map_err(DialogError::Unbuildable)
    }

    /// The URI that says where a request of this dialog goes first (RFC 3261 §8.1.2): the topmost route, or the remote
    /// target. The same for loose and strict routing.
    pub fn first_hop(&self) -> &Uri {
        self.route_set.first().map_or(&self.remote_target, |first| &first.uri)
    }

    /// Judges a request of the peer by its CSeq number, and remembers it (RFC 3261 §12.2.2). Gaps are no error. Not for ACK
    /// and CANCEL, which carry the number of what they belong to.
    pub fn check_cseq(&mut self, request: &Request) -> CSeqVerdict {
        let number = request.cseq().number;
        match self.remote_cseq {
            Some(highest) if number <= highest => CSeqVerdict::OutOfOrder { highest },
            _ => {
                self.remote_cseq = Some(number);
                CSeqVerdict::InOrder
            }
        }
    }

    /// Takes the Contact of a target refresh request that was accepted as the remote target, if it has one (§12.2.2).
    ///
    /// # Errors
    /// There is a Contact, and it cannot be read or names no single address; the remote target stays.
    pub fn refresh_target_by_request(&mut self, request: &Request) -> Result<(), DialogError> {
        self.refresh_target(request.headers().get::<Contact>())
    }

    /// Takes the Contact of a 2xx to a target refresh request as the remote target, if it has one (§12.2.1.2).
    ///
    /// # Errors
    /// There is a Contact, and it cannot be read or names no single address; the remote target stays.
    pub fn refresh_target_by_response(&mut self, response: &Response) -> Result<(), DialogError> {
        self.refresh_target(response.headers().get::<Contact>())
    }

    fn refresh_target(&mut self, contact: Result<Option<Contact>, HeaderError>) -> Result<(), DialogError> {
        if let Some(target) = contact_of(contact)? {
            self.remote_target = target;
        }
        Ok(())
    }

    /// Replaces route set and remote target by those of the 2xx that confirms an early dialog (RFC 3261 §13.2.2.4: the
    /// route set is computed anew from the 2xx), and keeps the sequence numbers.
    ///
    /// # Errors
    /// Contact or Record-Route of the response cannot be read; the dialog stays as it was.
    pub fn confirm(&mut self, request: &Request, response: &Response) -> Result<(), DialogError> {
        let confirmed = Self::uac(request, response)?;
        self.route_set = confirmed.route_set;
        self.remote_target = confirmed.remote_target;
        self.local_cseq = self.local_cseq.max(confirmed.local_cseq);
        Ok(())
    }
}

/// The tag of a From or To; empty where there is none.
pub(crate) fn tag_of(address: &NameAddr) -> ByteStr {
    address.tag().map(ByteStr::from).unwrap_or_else(|| ByteStr::from(""))
}

/// The Request-URI and the Route values of a request to `target` (RFC 3261 §12.2.1.1): loose routing where the first proxy
/// has `lr`, strict where it has not.
pub(crate) fn routed(target: &Uri, route_set: &[NameAddr]) -> (Uri, Vec<NameAddr>) {
    let Some((first, rest)) = route_set.split_first() else {
        return (target.clone(), Vec::new());
    };
    let Some(strict) = first.uri.as_sip().filter(|uri| !uri.is_loose_router()) else {
        return (target.clone(), route_set.to_vec());
    };
    let mut routes = rest.to_vec();
    routes.push(NameAddr::new(target.clone()));
    (Uri::from(without_what_a_request_uri_may_not_have(strict)), routes)
}

fn contact_of(contact: Result<Option<Contact>, HeaderError>) -> Result<Option<Uri>, DialogError> {
    match contact.map_err(DialogError::BadContact)? {
        None => Ok(None),
        Some(Contact::Address(address)) => Ok(Some(address.uri)),
        Some(Contact::Star) => Err(DialogError::NoContact),
    }
}

fn route_set(recorded: Result<Vec<RecordRoute>, HeaderError>) -> Result<Vec<NameAddr>, DialogError> {
    let recorded = recorded.map_err(DialogError::BadRecordRoute)?;
    if recorded.len() > MAX_ROUTES {
        return Err(DialogError::TooManyRoutes { count: recorded.len(), limit: MAX_ROUTES });
    }
    Ok(recorded.into_iter().map(|RecordRoute(route)| route).collect())
}

/// Strips the `method` parameter and the headers, which a Request-URI may not have (RFC 3261 §19.1.1, table 1).
fn without_what_a_request_uri_may_not_have(uri: &SipUri) -> SipUri {
    let mut stripped = uri.clone();
    stripped.headers = None;
    stripped.params.remove("method");
    stripped
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::{Limits, Message, StatusCode};
    use bytes::Bytes;

    fn request(method: &str, cseq: u32, more: &str) -> Request {
        let text = format!(
            "{method} sip:bob@biloxi.example.com SIP/2.0\r\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\r\n\
             Max-Forwards: 70\r\nFrom: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
             To: Bob <sip:bob@biloxi.example.com>\r\nCall-ID: 3848276298220188511@atlanta.example.com\r\n\
             CSeq: {cseq} {method}\r\n{more}Content-Length: 0\r\n\r\n"
        );
        match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    }

    fn response(to: &Request, contact: Option<&str>, record_route: &[&str]) -> Response {
        let mut builder = Response::to_request(to, StatusCode::OK).to_tag("8321234356");
        for value in record_route {
            builder = builder.raw("Record-Route", value);
        }
        if let Some(contact) = contact {
            builder = builder.raw("Contact", contact);
        }
        builder.build()
    }

    fn uac(record_route: &[&str]) -> Dialog {
        let invite = request("INVITE", 314, "Contact: <sip:alice@client.atlanta.example.com>\r\n");
        Dialog::uac(&invite, &response(&invite, Some("<sip:user@remoteua>"), record_route)).unwrap()
    }

    fn lines(request: &Request, name: &str) -> Vec<String> {
        let text = String::from_utf8(request.to_bytes().to_vec()).unwrap();
        text.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned).collect()
    }

    #[test]
    fn a_called_side_takes_the_route_set_in_order_and_the_contact_as_target() {
        let more = "Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nContact: <sip:alice@192.0.2.1:5062>\r\n";
        let dialog = Dialog::uas(&request("INVITE", 1, more), "b0b").unwrap();
        let routes: Vec<String> = dialog.route_set().iter().map(ToString::to_string).collect();
        assert_eq!(routes, ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(dialog.remote_target().to_string(), "sip:alice@192.0.2.1:5062");
        assert_eq!((&*dialog.id().local_tag, &*dialog.id().remote_tag), ("b0b", "9fxced76sl"));
        assert_eq!(dialog.local().to_string(), "\"Bob\" <sip:bob@biloxi.example.com>;tag=b0b");
    }

    #[test]
    fn a_calling_side_takes_the_route_set_in_reverse_order() {
        let dialog = uac(&["<sip:far;lr>", "<sip:near;lr>"]);
        let routes: Vec<String> = dialog.route_set().iter().map(ToString::to_string).collect();
        assert_eq!(routes, ["<sip:near;lr>", "<sip:far;lr>"]);
        assert_eq!(dialog.first_hop().to_string(), "sip:near;lr");
        assert_eq!(dialog.id().remote_tag, "8321234356");
    }

    #[test]
    fn an_empty_route_set_puts_the_remote_target_into_the_request_uri_and_no_route() {
        let bye = uac(&[]).next_request(Method::Bye).unwrap();
        assert_eq!(bye.uri().to_string(), "sip:user@remoteua");
        assert!(lines(&bye, "Route").is_empty());
        assert_eq!(bye.to().tag(), Some("8321234356"));
        assert_eq!(bye.from().tag(), Some("9fxced76sl"));
    }

    #[test]
    fn a_loose_route_set_goes_into_route_headers_whole() {
        let bye = uac(&["<sip:proxy2>", "<sip:proxy1;lr;x=1>"]).next_request(Method::Bye).unwrap();
        assert_eq!(bye.uri().to_string(), "sip:user@remoteua");
        assert_eq!(lines(&bye, "Route"), ["<sip:proxy1;lr;x=1>", "<sip:proxy2>"]);
    }

    #[test]
    fn a_strict_route_goes_into_the_request_uri_and_the_target_to_the_end_of_the_routes() {
        // The example of RFC 3261 §12.2.1.1, as its Record-Route came in the response.
        let mut dialog =
            uac(&["<sip:proxy4>", "<sip:proxy3;lr>", "<sip:proxy2>", "<sip:proxy1;method=INVITE?Subject=x>"]);
        let bye = dialog.next_request(Method::Bye).unwrap();
        assert_eq!(bye.uri().to_string(), "sip:proxy1");
        assert_eq!(lines(&bye, "Route"), ["<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>", "<sip:user@remoteua>"]);
    }

    #[test]
    fn cseq_numbers_grow_by_one_and_the_ack_has_that_of_its_invite() {
        let mut dialog = uac(&[]);
        assert_eq!(dialog.acknowledgement(314).unwrap().cseq().to_owned(), {
            blether_sip_core::CSeq { number: 314, method: Method::Ack }
        });
        assert_eq!(dialog.next_request(Method::Invite).unwrap().cseq().number, 315);
        assert_eq!(dialog.next_request(Method::Bye).unwrap().cseq().number, 316);
    }

    #[test]
    fn a_called_side_begins_its_own_cseq_numbers() {
        let invite = request("INVITE", 314, "Contact: <sip:alice@192.0.2.1>\r\n");
        let mut dialog = Dialog::uas(&invite, "b0b").unwrap();
        assert_eq!(dialog.next_request(Method::Bye).unwrap().cseq().number, 1);
    }

    #[test]
    fn no_cseq_number_reaches_two_to_the_31() {
        let invite = request("INVITE", (1 << 31) - 2, "");
        let mut dialog = Dialog::uac(&invite, &response(&invite, None, &[])).unwrap();
        assert_eq!(dialog.next_request(Method::Info).unwrap().cseq().number, (1 << 31) - 1);
        assert_eq!(dialog.next_request(Method::Info).unwrap_err(), DialogError::CSeqExhausted);
    }

    #[test]
    fn a_cseq_number_that_is_not_higher_is_out_of_order_and_a_gap_is_not() {
        let mut dialog = Dialog::uas(&request("INVITE", 5, "Contact: <sip:alice@192.0.2.1>\r\n"), "b0b").unwrap();
        assert_eq!(dialog.check_cseq(&request("INFO", 5, "")), CSeqVerdict::OutOfOrder { highest: 5 });
        assert_eq!(dialog.check_cseq(&request("INFO", 4, "")), CSeqVerdict::OutOfOrder { highest: 5 });
        assert_eq!(dialog.check_cseq(&request("INFO", 9, "")), CSeqVerdict::InOrder);
        assert_eq!(dialog.check_cseq(&request("INFO", 6, "")), CSeqVerdict::OutOfOrder { highest: 9 });
        // The calling side has heard no request yet, so any number is in order.
        assert_eq!(uac(&[]).check_cseq(&request("INFO", 0, "")), CSeqVerdict::InOrder);
    }

    #[test]
    fn a_target_refresh_moves_the_target_and_leaves_the_routes() {
        let mut dialog = uac(&["<sip:proxy;lr>"]);
        let moved = "Contact: <sip:moved@192.0.2.77>\r\nRecord-Route: <sip:other;lr>\r\n";
        dialog.refresh_target_by_request(&request("INVITE", 2, moved)).unwrap();
        let next = dialog.next_request(Method::Info).unwrap();
        assert_eq!(next.uri().to_string(), "sip:moved@192.0.2.77");
        assert_eq!(lines(&next, "Route"), ["<sip:proxy;lr>"]);
        dialog.refresh_target_by_request(&request("UPDATE", 3, "")).unwrap();
        assert_eq!(dialog.remote_target().to_string(), "sip:moved@192.0.2.77");
    }

    #[test]
    fn a_confirming_2xx_replaces_the_route_set_of_the_early_dialog() {
        let invite = request("INVITE", 1, "");
        let mut dialog = Dialog::uac(&invite, &response(&invite, None, &["<sip:early;lr>"])).unwrap();
        dialog.confirm(&invite, &response(&invite, Some("<sip:final@192.0.2.5>"), &["<sip:late;lr>"])).unwrap();
        assert_eq!(dialog.first_hop().to_string(), "sip:late;lr");
        assert_eq!(dialog.remote_target().to_string(), "sip:final@192.0.2.5");
    }

    #[test]
    fn an_invite_without_a_usable_contact_makes_no_dialog() {
        assert_eq!(Dialog::uas(&request("INVITE", 1, ""), "b0b").unwrap_err(), DialogError::NoContact);
        assert_eq!(Dialog::uas(&request("INVITE", 1, "Contact: *\r\n"), "b0b").unwrap_err(), DialogError::NoContact);
        let bad = Dialog::uas(&request("INVITE", 1, "Contact: <sip:\r\n"), "b0b").unwrap_err();
        assert!(matches!(bad, DialogError::BadContact(_)), "{bad}");
    }

    #[test]
    fn a_route_set_is_no_longer_than_a_request_can_travel() {
        let more = format!("Contact: <sip:alice@192.0.2.1>\r\n{}", "Record-Route: <sip:p;lr>\r\n".repeat(71));
        let error = Dialog::uas(&request("INVITE", 1, &more), "b0b").unwrap_err();
        assert_eq!(error, DialogError::TooManyRoutes { count: 71, limit: 70 });
    }
}
