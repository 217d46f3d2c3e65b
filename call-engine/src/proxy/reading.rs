//! What the proxy reads of a request to know its sender and what may come of it.

use blether_sip_core::{Contact, HeaderName, Method, Request, SipUri, Supported};
use blether_sip_transport::{ConnectionId, Flow, Transport};

use super::routes::Preprocessed;
use super::target::Target;
use super::token::DialogToken;

/// Whether a peer is on this machine.
pub(super) fn is_local(peer: Flow) -> bool {
    peer.remote.ip().to_canonical().is_loopback()
}

/// A flow by a connection that its peer has opened, who listens elsewhere if at all: without that connection it leads nowhere (RFC 5626 §5.3.1).
pub(super) fn by_it_alone(flow: Flow) -> Flow {
    Flow { connection: flow.connection.map(ConnectionId::alone), ..flow }
}

/// The caller's side of a dialog that may come of a request.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    /// By what it is told from the callee.
    tag: u32,
    /// The flow by which it is reached, if it needs one.
    flow: Option<Flow>,
    /// The way by which its request came.
    came_by: Flow,
    /// Whether it had to have an account.
    authenticates: bool,
}

impl Caller {
    pub(super) fn of(request: &Request, came_by: Flow, authenticates: bool) -> Self {
        let tag = DialogToken::tag_hash(request.from_tag());
        Self { tag, flow: flow_to_caller(request, came_by), came_by, authenticates }
    }

    /// What is to be known of its dialog with a target to which its request goes by a flow; at this hour.
    pub(super) fn dialog_with(self, target: &Target, goes_by: Flow, hour: u32) -> DialogToken {
        // An end on this machine has no other way where the other is elsewhere, since no URI that comes from there leads to it.
        let pinned = |end: Flow, other| (is_local(end) && !is_local(other)).then_some(by_it_alone(end));
        let listens = target.uri.as_sip().and_then(SipUri::socket_addr);
        let to_callee = |flow: Flow| if listens == Some(flow.remote) { flow } else { by_it_alone(flow) };
        DialogToken {
            caller_tag: self.tag,
            caller: self.flow.or_else(|| pinned(self.came_by, goes_by)),
            callee: target.flow_of_dialog().map(to_callee).or_else(|| pinned(goes_by, self.came_by)),
            stateless: false,
            authenticates: self.authenticates,
            sealed: hour,
            hosts: [self.came_by.remote.ip(), goes_by.remote.ip()],
        }
    }
}

/// Whether a request may open a dialog, in whose path we want to stay.
pub(super) fn opens_dialog(request: &Request) -> bool {
    request.to_tag().is_none() && matches!(request.method(), Method::Invite | Method::Subscribe | Method::Refer)
}

/// The way of a request within a dialog: the flow of the end that it is for, else what its URIs say.
pub(super) fn onward(pre: &Preprocessed) -> Target {
    let flow = pre.dialog.and_then(|dialog| dialog.onward(pre.request.from_tag()));
    Target { flow, ..Target::of_uri(pre.request.uri().clone()) }
}

/// Whether two flows lead to the same peer.
pub(super) fn is_same_end(one: Flow, other: Flow) -> bool {
    (one.transport, one.remote) == (other.transport, other.remote)
}

/// Whether a phone that registers elsewhere is to be reached through us: it, or a proxy before us, knows what a Path is (RFC 3327 §5.2, RFC 5626 §5.1).
pub(super) fn wants_path(request: &Request) -> bool {
    let knows = |Supported(tags): Supported| {
        tags.iter().any(|tag| ["path", "outbound"].iter().any(|known| tag.eq_ignore_ascii_case(known)))
    };
    *request.method() == Method::Register && request.headers().get::<Supported>().ok().flatten().is_some_and(knows)
}

/// Whether its sender has made this request, and is no proxy: it has one Via.
pub(super) fn is_first_hop(request: &Request) -> bool {
    let mut vias = request.headers().raw_all(&HeaderName::Via);
    vias.next().is_some_and(|via| !via.contains(',')) && vias.next().is_none()
}

/// The flow by which requests within a dialog reach its caller, if it needs one (RFC 5626 §5.3.2, for those who do not say `ob` too): the caller itself has sent
/// this, not a proxy, and where it says that it is reached is not where it was heard from. One that does not ask for answers to where it sends from
/// (RFC 3581) listens elsewhere, by UDP, and means what it says.
fn flow_to_caller(request: &Request, flow: Flow) -> Option<Flow> {
    if !is_first_hop(request) {
        return None;
    }
    let contact = request.headers().get::<Contact>().ok().flatten()?;
    let uri = contact.address()?.uri.as_sip()?;
    let listens = uri.socket_addr();
    if uri.is_outbound() {
        return Some(by_it_alone(flow));
    }
    match flow.transport {
        Transport::Udp => (listens != Some(flow.remote) && request.via().rport().is_some()).then_some(flow),
        // Where the connection is gone by then, another leads to where it says that it listens, if it is the same host.
        _ => match listens.filter(|listens| listens.ip() == flow.remote.ip()) {
            Some(listens) => Some(Flow { remote: listens, ..flow }),
            None => Some(by_it_alone(flow)),
        },
    }
}
