//! Why a request is not forwarded, and what its sender is told.

use blether_sip_core::{ByteStr, Request, Response, StatusCode, Unsupported};

/// Why a request is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// 400: a header that forwarding needs cannot be read (RFC 3261 §16.3 step 1).
    #[error("Malformed {0}")]
    Malformed(&'static str),
    /// 416: the Request-URI, or the URI of a next hop, is of a scheme that is not served (§16.3 step 2).
    #[error("Unsupported URI Scheme")]
    Scheme,
    /// 483 (§16.3 step 3).
    #[error("Too Many Hops")]
    TooManyHops,
    /// 482: it has been here with nothing changed (RFC 5393 §4.2.2).
    #[error("Loop Detected")]
    Loop,
    /// 420: Proxy-Require (§16.3 step 5).
    #[error("Bad Extension")]
    Extensions(Vec<ByteStr>),
    /// 403: the flow token in its Route is not of this call (RFC 5626 §5.3.1).
    #[error("Flow Token Not Valid")]
    ForgedToken,
    /// 403: it is of a dialog, and neither sent from where its ends are nor in time, or its URIs lead into this machine.
    #[error("Not Of This Dialog")]
    NotOfDialog,
    /// 440: not even one branch is left of its breadth (RFC 5393 §5.3.3).
    #[error("Max-Breadth Exceeded")]
    Breadth,
    /// 403: its From is another user's.
    #[error("From Is Another User")]
    OtherUser,
    /// 403: it wants to go where the configuration lets nobody go.
    #[error("Not Forwarded There")]
    NotThere,
    /// 404: nobody of that name.
    #[error("Not Found")]
    NotFound,
    /// 480: nobody is registered there.
    #[error("Temporarily Unavailable")]
    NobodyThere,
    /// 502: the next hop of what is forwarded without state has a name.
    #[error("Next Hop Has A Name")]
    Unresolved,
    /// 502: the next hop wants a transport that is not spoken here, or there is no way to it.
    #[error("Next Hop Not Reachable")]
    Unreachable,
}

impl Refusal {
    /// The status code.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Scheme => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::TooManyHops => StatusCode::TOO_MANY_HOPS,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Extensions(_) => StatusCode::BAD_EXTENSION,
            Self::ForgedToken | Self::NotOfDialog | Self::OtherUser | Self::NotThere => StatusCode::FORBIDDEN,
            Self::Breadth => StatusCode::MAX_BREADTH_EXCEEDED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NobodyThere => StatusCode::TEMPORARILY_UNAVAILABLE,
            Self::Unresolved | Self::Unreachable => StatusCode::BAD_GATEWAY,
        }
    }

    /// A name for counters.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Scheme => "scheme",
            Self::TooManyHops => "too_many_hops",
            Self::Loop => "loop",
            Self::Extensions(_) => "extension",
            Self::ForgedToken => "forged_token",
            Self::NotOfDialog => "not_of_dialog",
            Self::Breadth => "breadth",
            Self::OtherUser => "other_user",
            Self::NotThere => "not_there",
            Self::NotFound => "not_found",
            Self::NobodyThere => "nobody_there",
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
        }
    }

    /// The response that says so.
    pub(crate) fn response(&self, request: &Request) -> Response {
        let mut response = Response::to_request(request, self.status()).reason(&self.to_string()).build();
        if let Self::Extensions(tags) = self {
            response.headers_mut().set(Unsupported(tags.clone()));
        }
        response
    }
}
