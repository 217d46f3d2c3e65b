//! Who may send by a flow token of a dialog. The token stands in the clear in each message of its dialog, and what else a request says of where it goes its sender
//! chooses: so the token serves its two ends, for a time, and nobody reaches this machine's own services by it.

use std::net::IpAddr;
use std::time::Instant;

use blether_sip_core::{Host, Request, Route, SipUri};
use blether_sip_transport::Flow;

use super::super::Refusal;
use super::super::reading::is_local;
use super::super::routes::Preprocessed;
use super::super::routing::{Asked, Barred, Routing};
use super::super::target::Target;
use super::super::token::DialogToken;
use super::Proxy;

impl<R: Routing> Proxy<R> {
    /// Whether a request within a dialog may go on to a target: it comes from the host of one of its ends and not too late, else its sender has to prove an account if
    /// the caller had to, as one does whose address has changed. Others are refused.
    pub(super) fn admit(
        &self,
        now: Instant,
        received: &Request,
        pre: &Preprocessed,
        target: &Target,
        came_by: Flow,
    ) -> Result<(), Barred> {
        let Some(entered) = &pre.entered else { return Ok(()) };
        if leads_inside(pre, target, came_by) {
            return Err(Barred::Refused(Refusal::NotOfDialog));
        }
        if self.comes_from_an_end(now, entered, came_by) {
            return Ok(());
        }
        if !entered.authenticates {
            return Err(Barred::Refused(Refusal::NotOfDialog));
        }
        self.routing.admit(now, Asked { received, request: &pre.request, came_by, has_routes: pre.has_routes })
    }

    /// The same for an ACK, which cannot be challenged (RFC 3261 §22.1): from elsewhere it goes to nobody but the other end.
    pub(super) fn admit_ack(
        &self,
        now: Instant,
        pre: &Preprocessed,
        target: &Target,
        came_by: Flow,
    ) -> Result<(), Refusal> {
        let Some((dialog, entered)) = pre.dialog.as_ref().zip(pre.entered.as_ref()) else { return Ok(()) };
        let to_an_end = || match next_host(pre, target) {
            None => true,
            Some(host) => host.ip().is_some_and(|host| dialog.is_end(host)),
        };
        let goes = self.comes_from_an_end(now, entered, came_by) || (entered.authenticates && to_an_end());
        (goes && !leads_inside(pre, target, came_by)).then_some(()).ok_or(Refusal::NotOfDialog)
    }

    fn comes_from_an_end(&self, now: Instant, dialog: &DialogToken, came_by: Flow) -> bool {
        dialog.is_end(came_by.remote.ip()) && dialog.is_in_time(self.key.hour(now))
    }
}

/// The host that the URIs of a request name as the next; `None` where a flow leads on.
fn next_host(pre: &Preprocessed, target: &Target) -> Option<Host> {
    if target.flow.is_some() {
        return None;
    }
    let route = pre.has_routes.then(|| pre.request.headers().get::<Route>().ok().flatten()).flatten();
    let next = route.as_ref().map_or(&target.uri, |route| &route.0.uri);
    next.as_sip().map(|uri: &SipUri| uri.maddr().unwrap_or_else(|| uri.host.clone()))
}

/// Whether its URIs lead to this machine itself, though it comes from elsewhere.
fn leads_inside(pre: &Preprocessed, target: &Target, came_by: Flow) -> bool {
    let inside = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    !is_local(came_by)
        && next_host(pre, target).is_some_and(|host| match (host.ip(), &host) {
            (Some(ip), _) => inside(ip.to_canonical()),
            // RFC 6761 §6.3.
            (None, Host::Name(name)) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                name == "localhost" || name.ends_with(".localhost")
            }
            (None, _) => false,
        })
}
