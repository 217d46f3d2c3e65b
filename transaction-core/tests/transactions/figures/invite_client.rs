//! Figure 5: the INVITE client transaction.

use super::vocabulary::Class::{Provisional, Refusal, Success};
use super::vocabulary::Clock::{A, B, Cancelled, D, M};
use super::vocabulary::Event::{Begin, Cancels, Fires, Hears, NotSent};
use super::vocabulary::figure;

figure! {
    /// RFC 3261 §17.1.1, figure 5 as RFC 6026 §8.4 replaces it.
    ///
    /// Its user may say that it has cancelled the INVITE, and for how long it goes on waiting: 64 × T1 by RFC 3261 §9.1. A refusal, which the
    /// transaction acknowledges, is passed up once; a 2xx, whose ACK is the user's, each time. A refusal stays the final outcome if its ACK cannot
    /// be sent: the user is told, but not that the transaction has failed.
    InviteClient, "INVITE client";

    states {
        Calling [A, B];
        Proceeding [Cancelled];
        Accepted [M];
        Completed [D];
        Terminated [];
    }

    events { Hears(Provisional), Hears(Success), Hears(Refusal), Cancels, NotSent }

    arrows {
        /// INVITE from TU / INVITE sent
        begins: Initial, Begin => Calling,
            sends [Request], tells [], starts [A: IfUnreliable(T1), B: Always(SixtyFourT1)],
            "RFC 3261 §17.1.1.2";

        /// Timer A fires / reset A, INVITE sent
        calling_timer_a: Calling, Fires(A) => Calling,
            sends [Request], tells [], starts [A: IfUnreliable(Twice)],
            "RFC 3261 §17.1.1.2";
        /// Timer B fires / inform TU
        calling_timer_b: Calling, Fires(B) => Terminated,
            sends [], tells [TimedOutB], starts [],
            "RFC 3261 §17.1.1.2";
        /// Transport Err. / inform TU
        calling_transport_error: Calling, NotSent => Terminated,
            sends [], tells [RequestNotSent], starts [],
            "RFC 3261 §17.1.4";
        /// 1xx / 1xx to TU
        calling_1xx: Calling, Hears(Provisional) => Proceeding,
            sends [], tells [Response], starts [],
            "RFC 3261 §17.1.1.2";
        /// 2xx / 2xx to TU
        calling_2xx: Calling, Hears(Success) => Accepted,
            sends [], tells [Response], starts [M: Always(SixtyFourT1)],
            "RFC 6026 §7.2, §8.4";
        /// 300-699 / ACK sent, resp. to TU
        calling_300_to_699: Calling, Hears(Refusal) => Completed,
            sends [Ack], tells [Response], starts [D: ZeroIfReliable(AtLeast32s)],
            "RFC 6026 §8.4";

        /// 1xx / 1xx to TU
        proceeding_1xx: Proceeding, Hears(Provisional) => Proceeding,
            sends [], tells [Response], starts [],
            "RFC 3261 §17.1.1.2";
        /// 2xx / 2xx to TU
        proceeding_2xx: Proceeding, Hears(Success) => Accepted,
            sends [], tells [Response], starts [M: Always(SixtyFourT1)],
            "RFC 6026 §7.2, §8.4";
        /// 300-699 / ACK sent, resp. to TU
        proceeding_300_to_699: Proceeding, Hears(Refusal) => Completed,
            sends [Ack], tells [Response], starts [D: ZeroIfReliable(AtLeast32s)],
            "RFC 6026 §8.4";
        /// Not in the figure: the CANCEL is a transaction of its own, and a peer of RFC 2543 never sends the 487
        proceeding_cancelled: Proceeding, Cancels => Proceeding,
            sends [], tells [], starts [Cancelled: Always(SixtyFourT1)],
            "RFC 3261 §9.1";
        /// Not in the figure: the INVITE is then considered cancelled, and the transaction destroyed
        proceeding_cancel_unanswered: Proceeding, Fires(Cancelled) => Terminated,
            sends [], tells [TimedOutB], starts [],
            "RFC 3261 §9.1";

        /// 2xx / 2xx to TU
        accepted_2xx: Accepted, Hears(Success) => Accepted,
            sends [], tells [Response], starts [],
            "RFC 6026 §7.2, §8.4";
        /// Timer M fires / -
        accepted_timer_m: Accepted, Fires(M) => Terminated,
            sends [], tells [], starts [],
            "RFC 6026 §7.2, §8.4";

        /// 300-699 / ACK sent
        completed_300_to_699: Completed, Hears(Refusal) => Completed,
            sends [Ack], tells [], starts [],
            "RFC 6026 §8.4";
        /// Transport Err. / inform TU
        completed_transport_error: Completed, NotSent => Terminated,
            sends [], tells [AckNotSent], starts [],
            "RFC 3261 §17.1.4";
        /// Timer D fires / -
        completed_timer_d: Completed, Fires(D) => Terminated,
            sends [], tells [], starts [],
            "RFC 6026 §8.4";
    }

    nothing {
        /// No CANCEL is sent before a 1xx, and Timer B runs
        calling_is_not_cancelled: Calling, Cancels, "RFC 3261 §9.1";

        /// The INVITE has arrived, and nothing is sent in this state
        proceeding_ignores_a_transport_error: Proceeding, NotSent, "RFC 6026 §8.4";

        /// Out of order
        accepted_absorbs_1xx: Accepted, Hears(Provisional), "RFC 6026 §8.4";
        /// Out of order: the INVITE was accepted
        accepted_absorbs_300_to_699: Accepted, Hears(Refusal), "RFC 6026 §8.4";
        /// No CANCEL is sent after a final response
        accepted_is_not_cancelled: Accepted, Cancels, "RFC 3261 §9.1";
        /// Nothing is sent in this state
        accepted_ignores_a_transport_error: Accepted, NotSent, "RFC 6026 §8.4";

        /// Out of order
        completed_absorbs_1xx: Completed, Hears(Provisional), "RFC 6026 §8.4";
        /// Out of order: the INVITE was refused
        completed_absorbs_2xx: Completed, Hears(Success), "RFC 6026 §8.4";
        /// No CANCEL is sent after a final response
        completed_is_not_cancelled: Completed, Cancels, "RFC 3261 §9.1";
    }
}
