//! Figure 6: the non-INVITE client transaction.

use super::vocabulary::Class::{Final, Provisional};
use super::vocabulary::Clock::{E, F, K};
use super::vocabulary::Event::{Begin, Fires, Hears, NotSent};
use super::vocabulary::figure;

figure! {
    /// RFC 3261 §17.1.2, figure 6, which no later RFC changes. RFC 4321 §1.2 shows what an early 1xx does to it: resends become seldom, so a lost
    /// final response is asked for late. RFC 4320 mends that in the server.
    NonInviteClient, "non-INVITE client";

    states {
        Trying [E, F];
        Proceeding [E, F];
        Completed [K];
        Terminated [];
    }

    events { Hears(Provisional), Hears(Final), NotSent }

    arrows {
        /// Request from TU / send request
        begins: Initial, Begin => Trying,
            sends [Request], tells [], starts [E: IfUnreliable(T1), F: Always(SixtyFourT1)],
            "RFC 3261 §17.1.2.2";

        /// Timer E / send request
        trying_timer_e: Trying, Fires(E) => Trying,
            sends [Request], tells [], starts [E: IfUnreliable(TwiceUpToT2)],
            "RFC 3261 §17.1.2.2";
        /// Timer F / inform TU
        trying_timer_f: Trying, Fires(F) => Terminated,
            sends [], tells [TimedOutF], starts [],
            "RFC 3261 §17.1.2.2";
        /// Transport Err. / inform TU
        trying_transport_error: Trying, NotSent => Terminated,
            sends [], tells [RequestNotSent], starts [],
            "RFC 3261 §17.1.4";
        /// 1xx / resp. to TU (Timers E and F run on)
        trying_1xx: Trying, Hears(Provisional) => Proceeding,
            sends [], tells [Response], starts [],
            "RFC 3261 §17.1.2.2";
        /// 200-699 / resp. to TU
        trying_200_to_699: Trying, Hears(Final) => Completed,
            sends [], tells [Response], starts [K: ZeroIfReliable(T4)],
            "RFC 3261 §17.1.2.2";

        /// Timer E / send req
        proceeding_timer_e: Proceeding, Fires(E) => Proceeding,
            sends [Request], tells [], starts [E: IfUnreliable(T2)],
            "RFC 3261 §17.1.2.2";
        /// Timer F / inform TU
        proceeding_timer_f: Proceeding, Fires(F) => Terminated,
            sends [], tells [TimedOutF], starts [],
            "RFC 3261 §17.1.2.2";
        /// Transport Err. / inform TU
        proceeding_transport_error: Proceeding, NotSent => Terminated,
            sends [], tells [RequestNotSent], starts [],
            "RFC 3261 §17.1.4";
        /// 1xx / resp to TU
        proceeding_1xx: Proceeding, Hears(Provisional) => Proceeding,
            sends [], tells [Response], starts [],
            "RFC 3261 §17.1.2.2";
        /// 200-699 / resp. to TU
        proceeding_200_to_699: Proceeding, Hears(Final) => Completed,
            sends [], tells [Response], starts [K: ZeroIfReliable(T4)],
            "RFC 3261 §17.1.2.2";

        /// Timer K / -
        completed_timer_k: Completed, Fires(K) => Terminated,
            sends [], tells [], starts [],
            "RFC 3261 §17.1.2.2";
    }

    nothing {
        /// Out of order
        completed_absorbs_1xx: Completed, Hears(Provisional), "RFC 3261 §17.1.2.2";
        /// The state is there to buffer resends
        completed_absorbs_200_to_699: Completed, Hears(Final), "RFC 3261 §17.1.2.2";
        /// Nothing is sent in this state
        completed_ignores_a_transport_error: Completed, NotSent, "RFC 3261 §17.1.2.2";
    }
}
