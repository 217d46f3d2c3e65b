//! A 2xx of ours, sent again until its ACK comes (RFC 3261 §13.3.1.4).

use std::time::{Duration, Instant};

use blether_sip_core::Response;
use blether_transaction_core::{ServerTransactionId, Timing};

use super::shared::Shared;

/// What a 2xx of ours is waiting for.
pub(super) struct Unacknowledged {
    transaction: ServerTransactionId,
    response: Response,
    cseq: u32,
    /// Whether the 2xx has an offer, and the ACK is to bring the answer.
    pub(super) offers: bool,
    interval: Duration,
    resend_at: Instant,
    give_up_at: Instant,
}

impl Unacknowledged {
    /// Sends the 2xx for the first time.
    pub(super) fn begin(
        now: Instant,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        response: Response,
        offers: bool,
    ) -> Self {
        let Timing { t1, .. } = shared.config.timing;
        shared.respond(transaction, response.clone());
        let cseq = response.cseq().number;
        Self { transaction, response, cseq, offers, interval: t1, resend_at: now + t1, give_up_at: now + 64 * t1 }
    }

    /// Whether this ACK is the one that is waited for: it has the CSeq number of the INVITE.
    pub(super) fn is_acknowledged_by(&self, cseq: u32) -> bool {
        self.cseq == cseq
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.resend_at.min(self.give_up_at)
    }

    pub(super) fn is_given_up(&self, now: Instant) -> bool {
        self.give_up_at <= now
    }

    /// Sends the 2xx again if that is due: after T1, then doubling up to T2, on a reliable transport too, because a proxy further on
    /// may use another.
    pub(super) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if self.resend_at <= now {
            shared.respond(self.transaction, self.response.clone());
            self.interval = (self.interval * 2).min(shared.config.timing.t2);
            self.resend_at = now + self.interval;
        }
    }
}
