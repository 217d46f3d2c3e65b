//! What the Route headers of a request say about us, and which of them are done with (RFC 3261 §16.4).

use blether_sip_core::{HeaderName, Request, Route, SipUri, Uri};
use blether_sip_transport::Flow;

use super::Refusal;
use super::forwarding::set_routes;
use super::next_hop::NextHops;
use super::routing::Routing;
use super::token::{DialogToken, NoToken, Token, TokenKey};

/// A request whose Route headers begin with the next hop, not with us.
#[derive(Debug)]
pub(super) struct Preprocessed {
    pub(super) request: Request,
    /// What a Record-Route of ours says of its dialog.
    pub(super) dialog: Option<DialogToken>,
    /// The same of the first, by which its sender is admitted: another than [`Self::dialog`] where the request that opened the dialog came by us twice.
    pub(super) entered: Option<DialogToken>,
    /// The flow that a Path of ours names (RFC 5626 §5.3.1).
    pub(super) path: Option<Flow>,
    /// Whether Route headers are left.
    pub(super) has_routes: bool,
}

/// What this server is to a peer.
pub(super) struct Here<'a, R> {
    pub(super) hops: &'a NextHops,
    pub(super) routing: &'a R,
    /// The way by which the peer's request came.
    pub(super) came_by: Flow,
}

impl<R: Routing> Here<'_, R> {
    /// Whether a URI leads here: to an address of ours, or by the name of a domain of ours, for which whoever uses it has found this server.
    pub(super) fn is(&self, uri: &SipUri) -> bool {
        let by_name = || uri.host.ip().is_none() && uri.port.is_none_or(|port| self.hops.has_port(port));
        self.hops.is_here(uri, self.came_by) || (by_name() && self.routing.is_domain(&uri.host, self.came_by))
    }
}

/// How many Route headers of ours are taken off one after the other: the two of a double Record-Route (RFC 5658 §6), and as many again of a spiral that nothing
/// happens in.
const MOST_OF_OURS: usize = 4;

/// Takes off what is for us.
///
/// # Errors
///
/// [`Refusal::ForgedToken`], or [`Refusal::Malformed`] for a Route that cannot be read.
pub(super) fn preprocess(
    request: &Request,
    here: &Here<'_, impl Routing>,
    key: &TokenKey,
) -> Result<Preprocessed, Refusal> {
    let mut done =
        Preprocessed { request: request.clone(), dialog: None, entered: None, path: None, has_routes: false };
    let call_id = request.call_id();
    // A token, if the URI is of ours and has one.
    let token_of = |uri: &SipUri| match &uri.user {
        Some(user) if here.hops.has_port(uri.port.unwrap_or(5060)) => match key.open(user, call_id.as_bytes()) {
            Ok(token) => Ok(Some(token)),
            Err(NoToken::Other) => Ok(None),
            Err(NoToken::Forged) if here.is(uri) => Err(Refusal::ForgedToken),
            Err(NoToken::Forged) => Ok(None),
        },
        _ => Ok(None),
    };
    let mut routes = if request.headers().has(&HeaderName::Route) {
        request.headers().all::<Route>().map_err(|_| Refusal::Malformed("Route"))?
    } else {
        Vec::new()
    };
    let before = routes.len();
    // A strict router put our URI into the request line and the request's own at the end of Route.
    if let Some(uri) = request.uri().as_sip()
        && uri.is_loose_router()
        && let Some(Token::Dialog(token)) = token_of(uri)?
    {
        (done.dialog, done.entered) = (Some(token), Some(token));
        let target = routes.pop().ok_or(Refusal::Malformed("Route"))?;
        done.request.set_uri(target.0.uri);
    }
    for _ in 0..MOST_OF_OURS {
        let Some(Route(first)) = routes.first() else { break };
        let Some(uri) = first.uri.as_sip() else { break };
        match token_of(uri)? {
            Some(Token::Dialog(token)) => {
                done.dialog = Some(token);
                done.entered.get_or_insert(token);
            }
            Some(Token::Path(flow)) => done.path = Some(flow),
            None if here.is(uri) => {}
            None => break,
        }
        routes.remove(0);
    }
    done.has_routes = !routes.is_empty();
    if routes.len() != before {
        set_routes(&mut done.request, routes);
    }
    strip_maddr(&mut done.request, here);
    Ok(done)
}

/// A `maddr` that is us, at the port and by the transport that the request came by, has done its work.
fn strip_maddr(request: &mut Request, here: &Here<'_, impl Routing>) {
    let Some(uri) = request.uri().as_sip() else { return };
    let Some(maddr) = uri.maddr() else { return };
    let named = SipUri { host: maddr, ..uri.clone() };
    let came_by = here.came_by;
    let transport = uri.transport().is_none_or(|named| named.as_str() == came_by.transport.to_string());
    if !transport || uri.port.unwrap_or(5060) != came_by.local.port() || !here.is(&named) {
        return;
    }
    let mut stripped = uri.clone();
    stripped.params.remove("maddr");
    stripped.params.remove("transport");
    stripped.port = None;
    request.set_uri(Uri::Sip(stripped));
}
