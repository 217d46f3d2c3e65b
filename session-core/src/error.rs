//! Every error of this crate.

use blether_sip_core::sdp::SdpError;
use blether_sip_core::{BuildError, ByteStr, HeaderError, Response, StatusCode};

/// Why a dialog cannot be made, or cannot make a request. The dialog stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialogError {
    /// The peer's request makes a dialog, and says not where to send ours (RFC 3261 §8.1.1.8).
    #[error("Contact with one address is missing")]
    NoContact,
    /// The peer's Contact cannot be read.
    #[error("Contact is malformed: {0}")]
    BadContact(HeaderError),
    /// The peer's Record-Route cannot be read.
    #[error("Record-Route is malformed: {0}")]
    BadRecordRoute(HeaderError),
    /// More proxies than a request may pass.
    #[error("{count} Record-Route values are over the limit of {limit}")]
    TooManyRoutes {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// 2^31 requests were sent in this dialog.
    #[error("all CSeq numbers of the dialog are used up")]
    CSeqExhausted,
    /// What the peer sent cannot be put together to a request.
    #[error("a request within the dialog cannot be built: {0}")]
    Unbuildable(BuildError),
}

/// An INVITE that makes no session; [`response`](Self::response) says why to the peer, and is to be sent in the INVITE's
/// transaction.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the INVITE is refused with {} {}", response.status().code(), response.reason())]
pub struct Refusal {
    /// The final response.
    pub response: Box<Response>,
}

impl Refusal {
    pub(crate) fn new(response: Response) -> Self {
        Self { response: Box::new(response) }
    }

    /// The final response, to be sent in the INVITE's transaction.
    pub fn into_response(self) -> Response {
        *self.response
    }
}

/// A verb that does not fit the state that the session is in. The session goes on as it was.
///
/// None of these are programming errors: the network may change the state while the verb is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// The call is not waiting for an answer: it was answered, cancelled or ended already.
    #[error("the call is not ringing here any more (or never was)")]
    NotRinging,
    /// No offer of the peer waits for a verdict.
    #[error("no offer of the peer is waiting for an answer")]
    NoOfferPending,
    /// The session is not confirmed yet, or over.
    #[error("the session is not established; offers can be made between Answered or Confirmed and Ended")]
    NotEstablished,
    /// One offer at a time (RFC 3264 §4): the peer's, or an earlier one of ours, is not answered yet.
    #[error("another offer is not answered yet")]
    OfferPending,
    /// A status that the verb cannot send.
    #[error("a call is refused with a status of 300 to 699")]
    NotARefusal,
}

/// Why a challenge is not answered. The request stays as it was, and the authenticator can be used on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The response is neither 401 nor 407: the caller asked about the wrong one.
    #[error("a {0} response asks for no authentication")]
    NotAChallenge(StatusCode),
    /// The answer was refused without the nonce being stale: user name or password are wrong there.
    #[error("user name or password are refused by realm \"{realm}\"; check the account")]
    Refused {
        /// The realm as the server names it.
        realm: ByteStr,
    },
    /// There is no challenge in the response that can be answered (RFC 8760 §2.4).
    #[error("the server offers no digest algorithm that is supported (SHA-256, MD5, with qop=auth)")]
    NothingAnswerable,
    /// There is no account for it.
    #[error("the request is challenged, and there are no credentials to answer with")]
    NoCredentials,
    /// The same request was challenged over and over.
    #[error("the request was challenged {0} times over")]
    TooManyChallenges(u8),
}

/// Why offer and answer come to nothing (RFC 3264). The negotiation stays as it was before; as a rule the call is refused with 488, or
/// hung up if it was our offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The peer's text is no session description: 400 fits better than 488.
    #[error("session description is malformed: {0}")]
    Malformed(SdpError),
    /// There is no audio stream over plain RTP (`RTP/AVP`) in it, or only refused ones.
    #[error("no audio stream over RTP/AVP is offered")]
    NoAudio,
    /// The answer refuses our audio stream with port 0.
    #[error("the audio stream is refused")]
    AudioRefused,
    /// The audio stream has no numeric address to send to.
    #[error("the audio stream has no numeric address in a c= line")]
    NoAddress,
    /// Both sides speak, but no codec is common.
    #[error("no common audio format: offered {offered}, supported {supported}")]
    NoCommonFormat {
        /// What the offer has.
        offered: String,
        /// What the other side can do.
        supported: String,
    },
    /// A description has fewer m= lines than it must (RFC 3264 §6, §8).
    #[error("{found} m= lines where there must be {expected}")]
    WrongMediaCount {
        /// How many there are.
        found: usize,
        /// How many there must be (at least, for an offer).
        expected: usize,
    },
}
