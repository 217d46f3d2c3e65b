//! Whether a request may be forwarded at all (RFC 3261 §16.3). Credentials (step 6) are the routing's business.

use blether_sip_core::{HeaderName, MaxBreadth, ProxyRequire, Request};
use blether_transaction_core::{LoopDetector, LoopMark};

use super::Refusal;

/// What the checks have found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// By what the request is known if it comes back.
    pub(super) mark: LoopMark,
    /// On how many branches at once it may go on (RFC 5393 §5.3.3).
    pub(super) breadth: MaxBreadth,
}

/// Checks a request as it was received, before its routes are touched.
///
/// # Errors
///
/// Why it is not forwarded.
pub(super) fn check(request: &Request, loops: &LoopDetector) -> Result<Checked, Refusal> {
    // Step 2. `tel` means nothing without a plan of numbers, and `sips` promises TLS on each hop (RFC 5630 §5.1.2).
    if request.uri().as_sip().is_none_or(|uri| uri.secure) {
        return Err(Refusal::Scheme);
    }
    // Step 3. One that cannot be read is none that could be counted down.
    match (request.max_forwards(), request.headers().has(&HeaderName::MaxForwards)) {
        (Some(0), _) => return Err(Refusal::TooManyHops),
        (None, true) => return Err(Refusal::Malformed("Max-Forwards")),
        (Some(_), _) | (None, false) => {}
    }
    // Step 4.
    let mark = loops.mark(request);
    if loops.has_looped(request, mark) {
        return Err(Refusal::Loop);
    }
    // Step 5: this proxy knows no extension that a proxy would have to.
    match request.headers().all::<ProxyRequire>() {
        Ok(required) => {
            let tags: Vec<_> = required.into_iter().flat_map(|ProxyRequire(tags)| tags).collect();
            if !tags.is_empty() {
                return Err(Refusal::Extensions(tags));
            }
        }
        Err(_) => return Err(Refusal::Malformed("Proxy-Require")),
    }
    let breadth = match request.headers().get::<MaxBreadth>() {
        Ok(Some(MaxBreadth(0))) => return Err(Refusal::Breadth),
        Ok(breadth) => breadth.unwrap_or(MaxBreadth::INITIAL).min(MaxBreadth::INITIAL),
        Err(_) => return Err(Refusal::Malformed("Max-Breadth")),
    };
    Ok(Checked { mark, breadth })
}
