//! The queue into a call, with room kept for what ends it.

use std::sync::Arc;

use blether_rtp_core::LegEvent;
use blether_sip_core::{Request, Response};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, ServerTransactionId};
use tokio::sync::{Notify, mpsc};

use super::LegKey;
use crate::RequestToken;

/// Messages that may wait for one call. A call sees a handful a second; 64 outlasts any burst a phone makes, and at about 300 bytes
/// each costs little. They are boxed, as all that waits for a call is: a channel makes room for 32 at once, which most calls never see.
const CAPACITY: usize = 64;

/// Room that only messages which end or settle something may use (final responses, CANCEL, BYE), so that a flood of others cannot keep a
/// call alive. An ACK is none of them: the 2xx that it answers is sent again.
const RESERVED: usize = 24;

/// One thing that happened to a call.
#[derive(Debug)]
pub(crate) enum CallMessage {
    Request {
        leg: LegKey,
        transaction: ServerTransactionId,
        request: Request,
        flow: Flow,
    },
    Ack {
        leg: LegKey,
        request: Request,
    },
    Cancelled {
        leg: LegKey,
        transaction: ServerTransactionId,
    },
    NotAcknowledged {
        leg: LegKey,
    },
    Response {
        leg: LegKey,
        token: RequestToken,
        response: Response,
        flow: Flow,
    },
    /// A transaction has the BYE of this token.
    ByeSent {
        leg: LegKey,
        token: RequestToken,
    },
    Failed {
        leg: LegKey,
        token: RequestToken,
        failure: Failure,
    },
    /// A request that was located goes by this way: the first that is tried, or the next because the one before has failed.
    GoesBy {
        leg: LegKey,
        token: RequestToken,
        flow: Flow,
    },
    TransactionOver {
        leg: LegKey,
        token: RequestToken,
    },
    Media {
        leg: LegKey,
        event: LegEvent,
    },
    ShutDown,
}

/// Whether a message may use the reserved room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    Normal,
    Urgent,
}

/// The queue has no room for a message of this urgency, or the call is gone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call's mailbox is full or closed")]
pub(crate) struct MailboxFull;

/// The sending side; clones share one queue.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    sender: mpsc::Sender<Box<CallMessage>>,
    /// Told when a message that settles something is lost: the call can no longer be right, and ends.
    overrun: Arc<Notify>,
}

pub(crate) fn mailbox() -> (Mailbox, mpsc::Receiver<Box<CallMessage>>, Arc<Notify>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let overrun = Arc::new(Notify::new());
    (Mailbox { sender, overrun: overrun.clone() }, receiver, overrun)
}

impl Mailbox {
    pub(crate) fn try_send(&self, message: CallMessage, urgency: Urgency) -> Result<(), MailboxFull> {
        if urgency == Urgency::Normal && self.sender.capacity() <= RESERVED {
            metrics::counter!("blether_session_mailbox_full_total").increment(1);
            return Err(MailboxFull);
        }
        self.sender.try_send(Box::new(message)).map_err(|_| {
            if urgency == Urgency::Urgent {
                self.overrun.notify_one();
            }
            metrics::counter!("blether_session_mailbox_full_total").increment(1);
            MailboxFull
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is moved several times on its way, and as many as [`CAPACITY`] may wait for each call.
    #[test]
    fn what_waits_for_a_call_is_small() {
        assert!(size_of::<CallMessage>() <= 128, "{} bytes", size_of::<CallMessage>());
    }

    #[test]
    fn what_ends_a_call_finds_room_when_the_rest_does_not() {
        let (mailbox, _receiver, _) = mailbox();
        let leg = LegKey::PRIMARY;
        let digit = || CallMessage::Media { leg, event: LegEvent::Finished };
        let taken = (0..CAPACITY).take_while(|_| mailbox.try_send(digit(), Urgency::Normal).is_ok()).count();
        assert_eq!(taken, CAPACITY - RESERVED);
        for _ in 0..RESERVED {
            assert_eq!(mailbox.try_send(CallMessage::ShutDown, Urgency::Urgent), Ok(()));
        }
        assert_eq!(mailbox.try_send(CallMessage::ShutDown, Urgency::Urgent), Err(MailboxFull));
    }
}
