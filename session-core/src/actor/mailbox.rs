//! The queue into a call, with room kept for what ends it.

use blether_rtp_core::LegEvent;
use blether_sip_core::{Request, Response};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, ServerTransactionId};
use tokio::sync::mpsc;

use super::LegKey;
use crate::RequestToken;

/// Messages that may wait for one call. A call sees a handful a second; 64 outlasts any burst a phone makes, and at about 300 bytes
/// each costs little.
const CAPACITY: usize = 64;

/// Room that only messages which end or settle something may use (responses, ACK, CANCEL, BYE), so that a flood of others cannot
/// keep a call alive.
const RESERVED: usize = 24;

/// One thing that happened to a call.
#[derive(Debug)]
pub(crate) enum CallMessage {
    Request { leg: LegKey, transaction: ServerTransactionId, request: Request, flow: Flow },
    Ack { leg: LegKey, request: Request },
    Cancelled { leg: LegKey, transaction: ServerTransactionId },
    NotAcknowledged { leg: LegKey },
    Response { leg: LegKey, token: RequestToken, response: Response, flow: Flow },
    Failed { leg: LegKey, token: RequestToken, failure: Failure },
    Media { leg: LegKey, event: LegEvent },
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
pub(crate) struct Mailbox(mpsc::Sender<CallMessage>);

pub(crate) fn mailbox() -> (Mailbox, mpsc::Receiver<CallMessage>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    pub(crate) fn try_send(&self, message: CallMessage, urgency: Urgency) -> Result<(), MailboxFull> {
        if urgency == Urgency::Normal && self.0.capacity() <= RESERVED {
            metrics::counter!("session_mailbox_full_total").increment(1);
            return Err(MailboxFull);
        }
        self.0.try_send(message).map_err(|_| {
            metrics::counter!("session_mailbox_full_total").increment(1);
            MailboxFull
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_call_finds_room_when_the_rest_does_not() {
        let (mailbox, _receiver) = mailbox();
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
