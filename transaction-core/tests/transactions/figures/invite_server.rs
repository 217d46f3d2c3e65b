//! Figure 7: the INVITE server transaction.

use super::vocabulary::Class::{Provisional, Refusal, Success};
use super::vocabulary::Clock::{G, H, I, L, TryingDue};
use super::vocabulary::Event::{Begin, ConnectionEnds, Fires, HearsAck, HearsAgain, NotSent, Says};
use super::vocabulary::figure;

figure! {
    /// RFC 3261 §17.2.1, figure 7 as RFC 6026 §8.6 replaces it.
    ///
    /// Proceeding has two halves here, before and after the first 1xx: the figure's "send response" to a resent INVITE needs a response that was
    /// sent, and its "send 100 if TU won't in 200 ms" ends with the first. Completed has two halves because a response that went by a connection
    /// goes by another one, once, when that has ended (RFC 3261 §18.2.2). The request is passed up by the table of transactions, which knows that
    /// it is new.
    InviteServer, "INVITE server";

    states {
        Untouched [TryingDue];
        Proceeding [];
        Accepted [L];
        Completed [G, H];
        SaidAgain [G, H];
        Confirmed [I];
        Terminated [];
    }

    events {
        HearsAgain, HearsAck, Says(Provisional), Says(Success), Says(Refusal), NotSent, ConnectionEnds
    }

    arrows {
        /// INVITE / pass INV to TU, send 100 if TU won't in 200 ms
        begins: Initial, Begin => Untouched,
            sends [], tells [], starts [TryingDue: Always(Ms200)],
            "RFC 3261 §17.2.1";

        /// Send 100 if TU won't in 200 ms
        untouched_100_due: Untouched, Fires(TryingDue) => Proceeding,
            sends [Hundred], tells [], starts [],
            "RFC 3261 §17.2.1";
        /// 101-199 from TU / send response
        untouched_1xx: Untouched, Says(Provisional) => Proceeding,
            sends [Response], tells [], starts [],
            "RFC 3261 §17.2.1";
        /// 2xx from TU / send response
        untouched_2xx: Untouched, Says(Success) => Accepted,
            sends [Response], tells [], starts [L: Always(SixtyFourT1)],
            "RFC 6026 §7.1, §8.7";
        /// 300-699 from TU / send response
        untouched_300_to_699: Untouched, Says(Refusal) => Completed,
            sends [Response], tells [], starts [G: IfUnreliable(T1), H: Always(SixtyFourT1)],
            "RFC 3261 §17.2.1";
        /// Transport Err. / inform TU
        untouched_transport_error: Untouched, NotSent => Untouched,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §7.1, §8.8";

        /// INVITE / send response
        proceeding_invite: Proceeding, HearsAgain => Proceeding,
            sends [Last], tells [], starts [],
            "RFC 3261 §17.2.1";
        /// 101-199 from TU / send response
        proceeding_1xx: Proceeding, Says(Provisional) => Proceeding,
            sends [Response], tells [], starts [],
            "RFC 3261 §17.2.1";
        /// 2xx from TU / send response
        proceeding_2xx: Proceeding, Says(Success) => Accepted,
            sends [Response], tells [], starts [L: Always(SixtyFourT1)],
            "RFC 6026 §7.1, §8.7";
        /// 300-699 from TU / send response
        proceeding_300_to_699: Proceeding, Says(Refusal) => Completed,
            sends [Response], tells [], starts [G: IfUnreliable(T1), H: Always(SixtyFourT1)],
            "RFC 3261 §17.2.1";
        /// Transport Err. / inform TU
        proceeding_transport_error: Proceeding, NotSent => Proceeding,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §7.1, §8.8";

        /// INVITE / -
        accepted_invite: Accepted, HearsAgain => Accepted,
            sends [], tells [], starts [],
            "RFC 6026 §7.1, §8.7";
        /// ACK / to TU
        accepted_ack: Accepted, HearsAck => Accepted,
            sends [], tells [Ack], starts [],
            "RFC 6026 §7.1, §8.7";
        /// 2xx from TU / send response
        accepted_2xx: Accepted, Says(Success) => Accepted,
            sends [Response], tells [], starts [],
            "RFC 6026 §7.1, §8.7";
        /// Transport Err. / inform TU
        accepted_transport_error: Accepted, NotSent => Accepted,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §7.1, §8.8";
        /// Timer L fires / -
        accepted_timer_l: Accepted, Fires(L) => Terminated,
            sends [], tells [], starts [],
            "RFC 6026 §7.1, §8.7";

        /// INVITE / send response
        completed_invite: Completed, HearsAgain => Completed,
            sends [Last], tells [], starts [],
            "RFC 3261 §17.2.1";
        /// Timer G fires / send response
        completed_timer_g: Completed, Fires(G) => Completed,
            sends [Last], tells [], starts [G: IfUnreliable(TwiceUpToT2)],
            "RFC 3261 §17.2.1";
        /// ACK / -
        completed_ack: Completed, HearsAck => Confirmed,
            sends [], tells [], starts [I: ZeroIfReliable(T4)],
            "RFC 3261 §17.2.1";
        /// Timer H fires / - (the text has the user be told, as figure 7 had before RFC 6026)
        completed_timer_h: Completed, Fires(H) => Terminated,
            sends [], tells [NotAcknowledged], starts [],
            "RFC 3261 §17.2.1";
        /// Transport Err. / inform TU
        completed_transport_error: Completed, NotSent => Completed,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §7.1, §8.8";
        /// Not in the figure: the response goes by another connection
        completed_connection_ended: Completed, ConnectionEnds => SaidAgain,
            sends [Last], tells [], starts [],
            "RFC 3261 §17.2.4, §18.2.2";

        /// INVITE / send response
        said_again_invite: SaidAgain, HearsAgain => SaidAgain,
            sends [Last], tells [], starts [],
            "RFC 3261 §17.2.1";
        /// Timer G fires / send response
        said_again_timer_g: SaidAgain, Fires(G) => SaidAgain,
            sends [Last], tells [], starts [G: IfUnreliable(TwiceUpToT2)],
            "RFC 3261 §17.2.1";
        /// ACK / -
        said_again_ack: SaidAgain, HearsAck => Confirmed,
            sends [], tells [], starts [I: ZeroIfReliable(T4)],
            "RFC 3261 §17.2.1";
        /// Timer H fires / - (the text has the user be told, as figure 7 had before RFC 6026)
        said_again_timer_h: SaidAgain, Fires(H) => Terminated,
            sends [], tells [NotAcknowledged], starts [],
            "RFC 3261 §17.2.1";
        /// Transport Err. / inform TU
        said_again_transport_error: SaidAgain, NotSent => SaidAgain,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §7.1, §8.8";
        /// Transport Err. / inform TU (the other connection has ended as well)
        said_again_connection_ended: SaidAgain, ConnectionEnds => SaidAgain,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §7.1, §8.8";

        /// Timer I fires / -
        confirmed_timer_i: Confirmed, Fires(I) => Terminated,
            sends [], tells [], starts [],
            "RFC 3261 §17.2.1";
    }

    nothing {
        /// There is no response that could be sent again
        untouched_has_nothing_for_a_resent_invite: Untouched, HearsAgain, "RFC 3261 §17.2.1";
        /// There is nothing to acknowledge
        untouched_absorbs_an_ack: Untouched, HearsAck, "RFC 6026 §8.6";
        /// Nothing went by it
        untouched_outlives_its_connection: Untouched, ConnectionEnds, "RFC 3261 §18.2.2";

        /// There is nothing to acknowledge
        proceeding_absorbs_an_ack: Proceeding, HearsAck, "RFC 6026 §8.6";
        /// A 1xx is not sent reliably; the final response finds a connection of its own
        proceeding_outlives_its_connection: Proceeding, ConnectionEnds, "RFC 3261 §17.2.1, §18.2.2";

        /// It was accepted
        accepted_takes_no_1xx: Accepted, Says(Provisional), "RFC 6026 §8.6";
        /// It was accepted
        accepted_takes_no_300_to_699: Accepted, Says(Refusal), "RFC 6026 §8.6";
        /// The user sends its 2xx again until it is acknowledged
        accepted_outlives_its_connection: Accepted, ConnectionEnds, "RFC 6026 §7.1";

        /// It was refused
        completed_takes_no_1xx: Completed, Says(Provisional), "RFC 6026 §8.6";
        /// It was refused
        completed_takes_no_2xx: Completed, Says(Success), "RFC 6026 §8.6";
        /// It was refused
        completed_takes_no_300_to_699: Completed, Says(Refusal), "RFC 6026 §8.6";

        /// It was refused
        said_again_takes_no_1xx: SaidAgain, Says(Provisional), "RFC 6026 §8.6";
        /// It was refused
        said_again_takes_no_2xx: SaidAgain, Says(Success), "RFC 6026 §8.6";
        /// It was refused
        said_again_takes_no_300_to_699: SaidAgain, Says(Refusal), "RFC 6026 §8.6";

        /// A copy that was delayed: its client has acknowledged the response
        confirmed_absorbs_an_invite: Confirmed, HearsAgain, "RFC 6026 §8.6";
        /// The state is there to absorb them
        confirmed_absorbs_an_ack: Confirmed, HearsAck, "RFC 3261 §17.2.1";
        /// It was refused
        confirmed_takes_no_1xx: Confirmed, Says(Provisional), "RFC 6026 §8.6";
        /// It was refused
        confirmed_takes_no_2xx: Confirmed, Says(Success), "RFC 6026 §8.6";
        /// It was refused
        confirmed_takes_no_300_to_699: Confirmed, Says(Refusal), "RFC 6026 §8.6";
        /// The response has arrived
        confirmed_ignores_a_transport_error: Confirmed, NotSent, "RFC 6026 §8.6";
        /// The response has arrived
        confirmed_outlives_its_connection: Confirmed, ConnectionEnds, "RFC 6026 §8.6";
    }
}
