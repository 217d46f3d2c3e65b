//! The copy of a request that goes on (RFC 3261 §16.6 steps 1 to 6). What is not changed is written as it came, byte by byte.

use blether_sip_core::digest::Credentials;
use blether_sip_core::{
    Authorization, ByteStr, HeaderName, HeadersMut, MaxBreadth, MaxForwards, NameAddr, Path, Privacy,
    ProxyAuthorization, RecordRoute, Request, Route, SipUri, TypedHeader, Uri,
};
use blether_sip_transport::Flow;

use super::Refusal;
use super::next_hop::uri_of_ours;
use super::routing::Routing;

/// What is changed in a copy.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    /// The Request-URI that it gets, if another.
    pub(super) uri: Option<&'a Uri>,
    /// Proxies to pass before those that stand in Route.
    pub(super) route: &'a [SipUri],
    /// Its part of the breadth; `None` for an ACK, which opens nothing.
    pub(super) breadth: Option<MaxBreadth>,
    /// Our URI for Path, in a REGISTER.
    pub(super) path: Option<SipUri>,
    /// The realm for which we have asked for credentials. Those that answer a challenge of ours go no further anyway.
    pub(super) realm: Option<&'a ByteStr>,
    /// Whom it comes from.
    pub(super) came_by: Flow,
    /// Whom it goes to; `None` where that is not known yet.
    pub(super) goes_by: Option<Flow>,
}

/// Makes the copy; a Via is put in front of it when it is sent.
pub(super) fn copy(request: &Request, changes: &Changes<'_>, routing: &impl Routing) -> Result<Request, Refusal> {
    let mut copy = request.clone();
    if let Some(uri) = changes.uri.filter(|uri| *uri != request.uri()) {
        copy.set_uri(as_request_uri(uri));
    }
    let hops = request.max_forwards().map_or(MaxForwards::INITIAL, |hops| MaxForwards(hops.saturating_sub(1)));
    let mut headers = copy.headers_mut();
    headers.set(hops);
    if let Some(breadth) = changes.breadth {
        headers.set(breadth);
    }
    // Also where nobody was asked, as within dialogs: phones send them unasked, and an ACK has those of its INVITE (RFC 3261 §22.1).
    let ours = |credentials: &Credentials| routing.has_asked_for(credentials);
    let of_realm = |credentials: &Credentials| changes.realm == Some(&credentials.realm) || ours(credentials);
    consume::<ProxyAuthorization>(&mut headers, |row| of_realm(&row.0));
    consume::<Authorization>(&mut headers, |row| ours(&row.0));
    conceal_identity(&mut headers, routing, changes.came_by, changes.goes_by);
    if let Some(path) = &changes.path {
        headers.push_front(Path(NameAddr::new(path.clone())));
    }
    for uri in changes.route.iter().rev() {
        headers.push_front(Route(NameAddr::new(uri.clone())));
    }
    if headers.has(&HeaderName::Route) {
        for_strict_router(&mut copy)?;
    }
    Ok(copy)
}

/// Takes out who a message says was asserted, and who its sender would like to be: of any message, within dialogs too, of whom we do not trust, for nobody has
/// asserted it (RFC 3325 §5, §6); and if the user wants that, in what goes to such (§7).
pub(super) fn conceal_identity(
    headers: &mut HeadersMut<'_>,
    routing: &impl Routing,
    came_by: Flow,
    goes_by: Option<Flow>,
) {
    let names = [HeaderName::PAssertedIdentity, HeaderName::PPreferredIdentity];
    if !names.iter().any(|name| headers.has(name)) {
        return;
    }
    if !routing.trusts(came_by) {
        names.iter().for_each(|name| _ = headers.remove(name));
        return;
    }
    // What cannot be read may ask for it.
    let is_private = match headers.get::<Privacy>() {
        Ok(asked) => asked.is_some_and(|asked| asked.asks_for(Privacy::ID)),
        Err(_) => true,
    };
    if is_private && !goes_by.is_some_and(|flow| routing.trusts(flow)) {
        headers.remove(&HeaderName::PAssertedIdentity);
    }
}

/// Why a request's dialog stays on our path.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The user part of our Record-Route.
    pub(super) token: String,
    /// The flow by which the request came.
    pub(super) came_by: Flow,
}

impl Record {
    /// Puts our Record-Route into a copy that goes by a flow (RFC 3261 §16.6 step 4): for each side one that it can reach (RFC 5658 §5), that of the side which
    /// it goes to on top.
    pub(super) fn put_into(&self, copy: &mut Request, goes_by: Flow) {
        let Self { token, came_by } = self;
        let uri = |flow: &Flow| RecordRoute(NameAddr::new(uri_of_ours(token, flow.local, flow.transport)));
        let mut headers = copy.headers_mut();
        headers.push_front(uri(came_by));
        if (came_by.local, came_by.transport) != (goes_by.local, goes_by.transport) {
            headers.push_front(uri(&goes_by));
        }
    }
}

/// A URI without what a Request-URI does not have (RFC 3261 §19.1.1, table 1: `method`, headers).
fn as_request_uri(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    if let Uri::Sip(uri) = &mut uri {
        uri.params.remove("method");
        uri.headers = None;
    }
    uri
}

/// Takes out the credentials that were for us; others are for who comes after us (RFC 3261 §22.3). Beside some of ours, rows that nobody can read go too.
fn consume<H: TypedHeader>(headers: &mut HeadersMut<'_>, is_ours: impl Fn(&H) -> bool) {
    let name = H::NAME;
    if !headers.has(&name) {
        return;
    }
    let rows: Vec<H> = headers.raw_all(&name).filter_map(|row| H::parse_value(row.into()).ok()).collect();
    if !rows.iter().any(&is_ours) {
        return;
    }
    headers.remove(&name);
    rows.into_iter().filter(|row| !is_ours(row)).for_each(|row| headers.push(row));
}

/// If the first proxy to pass routes strictly, its URI and the Request-URI change places as it expects it (RFC 3261 §16.6 step 6).
fn for_strict_router(request: &mut Request) -> Result<(), Refusal> {
    let first = request.headers().get::<Route>().map_err(|_| Refusal::Malformed("Route"))?;
    let Some(first) = first.filter(|route| !is_loose(&route.0)) else { return Ok(()) };
    let target = request.uri().clone();
    pop_route(request);
    request.headers_mut().push(Route(NameAddr::new(target)));
    request.set_uri(as_request_uri(&first.0.uri));
    Ok(())
}

/// Whether the URI of a Route is of a loose router.
pub(super) fn is_loose(route: &NameAddr) -> bool {
    route.uri.as_sip().is_some_and(SipUri::is_loose_router)
}

/// Takes the first Route off.
pub(super) fn pop_route(request: &mut Request) {
    let rest: Vec<Route> = request.headers().all::<Route>().unwrap_or_default().into_iter().skip(1).collect();
    set_routes(request, rest);
}

/// Puts these in the place of all Routes.
pub(super) fn set_routes(request: &mut Request, routes: Vec<Route>) {
    let mut headers = request.headers_mut();
    headers.remove(&HeaderName::Route);
    routes.into_iter().for_each(|route| headers.push(route));
}
