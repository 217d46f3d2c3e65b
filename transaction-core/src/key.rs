//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use blether_sip_core::{ByteStr, Host, Method, Request, Response, Uri, Via};

/// What a request has in common with its resends, and with the ACK for a 300 to 699.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServerKey {
    /// A branch that RFC 3261 made: it and sent-by say all.
    Branch { branch: ByteStr, host: Host, port: Option<u16>, method: Method },
    /// A peer of RFC 2543, whose branch says nothing: everything else that the request repeats.
    Rfc2543 { uri: String, from_tag: Option<ByteStr>, call_id: ByteStr, cseq: u32, method: Method, via: Box<Via> },
}

impl ServerKey {
    /// The key of a request; an ACK has that of its INVITE.
    pub(crate) fn of(request: &Request) -> Self {
        let method = match request.method() {
            Method::Ack => Method::Invite,
            method => method.clone(),
        };
        Self::with_method(request, method)
    }

    /// The keys of what a CANCEL may want cancelled: of any method but ACK and CANCEL (RFC 3261 §9.2), INVITE first.
    pub(crate) fn cancelled_by(cancel: &Request) -> impl Iterator<Item = Self> {
        use Method::{Bye, Info, Invite, Message, Notify, Options, Prack, Publish, Refer, Register, Subscribe, Update};
        [Invite, Bye, Info, Message, Notify, Options, Prack, Publish, Refer, Register, Subscribe, Update]
            .into_iter()
            .map(|method| Self::with_method(cancel, method))
    }

    /// The key of the request that a response of ours answers, if RFC 3261 made its branch.
    pub(crate) fn answered_by(response: &Response) -> Option<Self> {
        let via = response.via();
        let branch = via.branch().filter(|branch| is_rfc3261(branch))?;
        let method = response.cseq().method.clone();
        Some(Self::Branch { branch: ByteStr::from(branch), host: detached(&via.host), port: via.port, method })
    }

    pub(crate) fn is_rfc2543(&self) -> bool {
        matches!(self, Self::Rfc2543 { .. })
    }

    fn with_method(request: &Request, method: Method) -> Self {
        let via = request.via();
        match via.branch() {
            Some(branch) if is_rfc3261(branch) => {
                Self::Branch { branch: ByteStr::from(branch), host: detached(&via.host), port: via.port, method }
            }
            _ => Self::Rfc2543 {
                uri: uri_of(request.uri()),
                from_tag: request.from().tag().map(ByteStr::from),
                call_id: ByteStr::from(&**request.call_id()),
                cseq: request.cseq().number,
                method,
                // What the receiver notes in a Via is the same for a resend by the same way.
                via: Box::new(via.clone()),
            },
        }
    }
}

/// A host of its own: a slice would keep the whole datagram for as long as the transaction lives.
fn detached(host: &Host) -> Host {
    match host {
        Host::Name(name) => Host::Name(name.detached()),
        address => address.clone(),
    }
}

fn uri_of(uri: &Uri) -> String {
    uri.to_string()
}

/// The cookie's case does not matter: hosts and tokens compare without it (RFC 3261 §7.3.1).
fn is_rfc3261(branch: &str) -> bool {
    branch.get(..Via::MAGIC_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(Via::MAGIC_COOKIE))
        && branch.len() > Via::MAGIC_COOKIE.len()
}

/// What a response has in common with its request: our branch, and the method, since CANCEL shares the branch of its INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey {
    pub(crate) branch: ByteStr,
    pub(crate) method: Method,
}

impl ClientKey {
    pub(crate) fn of(response: &Response) -> Option<Self> {
        let branch = response.via().branch()?;
        Some(Self { branch: ByteStr::from(branch), method: response.cseq().method.clone() })
    }
}
