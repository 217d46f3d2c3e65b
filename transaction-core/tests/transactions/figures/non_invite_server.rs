//! Figure 8: the non-INVITE server transaction.

use super::vocabulary::Class::{FinalBut408, Hundred, OtherProvisional, RequestTimeout};
use super::vocabulary::Clock::{J, Lapse, TryingDue};
use super::vocabulary::Event::{Begin, Fires, HearsAgain, NotSent, Says};
use super::vocabulary::figure;

figure! {
    /// RFC 3261 §17.2.2, figure 8, with what RFC 4320 §4 and RFC 6026 §8.8 change.
    ///
    /// RFC 4320 leaves 100 of all provisional responses, over UDP not before a client's resends have become seldom, and has it be sent then. It
    /// forbids 408, and with it any final response once the client has given up: 64 × T1 after the request, when Timer F of the client has run
    /// out. RFC 6026 replaces the rule of §17.2.4 for all server transactions: after a transport error they stay in their state, so the arrows of
    /// figure 8 from Proceeding and from Completed to Terminated lead back to where they begin.
    NonInviteServer, "non-INVITE server";

    states {
        Trying [TryingDue, Lapse];
        Proceeding [Lapse];
        Completed [J];
        Terminated [];
    }

    events { HearsAgain, Says(Hundred), Says(OtherProvisional), Says(RequestTimeout), Says(FinalBut408), NotSent }

    arrows {
        /// Request received / pass to TU
        begins: Initial, Begin => Trying,
            sends [], tells [], starts [TryingDue: Always(UntilEReachesT2), Lapse: Always(SixtyFourT1)],
            "RFC 3261 §17.2.2; RFC 4320 §4";

        /// 1xx from TU / send response (over a reliable transport, and 100 alone)
        trying_100_over_a_reliable_transport: Trying over Reliable, Says(Hundred) => Proceeding,
            sends [Response], tells [], starts [],
            "RFC 3261 §17.2.2; RFC 4320 §4.1";
        /// Not in the figure: 100 when Timer E of the client is reset to T2, whatever the transport
        trying_100_due: Trying, Fires(TryingDue) => Proceeding,
            sends [Hundred], tells [], starts [],
            "RFC 4320 §4.1";
        /// 200-699 from TU / send response
        trying_200_to_699: Trying, Says(FinalBut408) => Completed,
            sends [Response], tells [], starts [J: ZeroIfReliable(SixtyFourT1)],
            "RFC 3261 §17.2.2";
        /// Not in the figure: no final response any more (seen by a process alone that was stalled while the 100 was due)
        trying_too_late: Trying, Fires(Lapse) => Terminated,
            sends [], tells [], starts [],
            "RFC 4320 §4.2";

        /// Request / send response
        proceeding_request: Proceeding, HearsAgain => Proceeding,
            sends [Last], tells [], starts [],
            "RFC 3261 §17.2.2";
        /// 1xx from TU / send response (100 alone)
        proceeding_100: Proceeding, Says(Hundred) => Proceeding,
            sends [Response], tells [], starts [],
            "RFC 3261 §17.2.2; RFC 4320 §4.1";
        /// 200-699 from TU / send response
        proceeding_200_to_699: Proceeding, Says(FinalBut408) => Completed,
            sends [Response], tells [], starts [J: ZeroIfReliable(SixtyFourT1)],
            "RFC 3261 §17.2.2";
        /// Trnsprt Err / inform TU, to Terminated in the figure
        proceeding_transport_error: Proceeding, NotSent => Proceeding,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §8.8";
        /// Not in the figure: no final response any more
        proceeding_too_late: Proceeding, Fires(Lapse) => Terminated,
            sends [], tells [], starts [],
            "RFC 4320 §4.2";

        /// Request / send response
        completed_request: Completed, HearsAgain => Completed,
            sends [Last], tells [], starts [],
            "RFC 3261 §17.2.2";
        /// Trnsprt Err / inform TU, to Terminated in the figure
        completed_transport_error: Completed, NotSent => Completed,
            sends [], tells [ResponseNotSent], starts [],
            "RFC 6026 §8.8";
        /// Timer J fires / -
        completed_timer_j: Completed, Fires(J) => Terminated,
            sends [], tells [], starts [],
            "RFC 3261 §17.2.2";
    }

    nothing {
        /// A resent request is discarded
        trying_discards_a_resent_request: Trying, HearsAgain, "RFC 3261 §17.2.2";
        /// Timer E of the client has not been reset to T2
        trying_takes_no_early_100_over_udp: Trying over Unreliable, Says(Hundred), "RFC 4320 §4.1";
        /// No provisional response but 100
        trying_takes_no_101_to_199: Trying, Says(OtherProvisional), "RFC 4320 §4.1";
        /// The client knows, and has given up
        trying_takes_no_408: Trying, Says(RequestTimeout), "RFC 4320 §4.2";
        /// Nothing was sent
        trying_ignores_a_transport_error: Trying, NotSent, "RFC 3261 figure 8";

        /// No provisional response but 100
        proceeding_takes_no_101_to_199: Proceeding, Says(OtherProvisional), "RFC 4320 §4.1";
        /// The client knows, and has given up
        proceeding_takes_no_408: Proceeding, Says(RequestTimeout), "RFC 4320 §4.2";

        /// It was answered
        completed_takes_no_100: Completed, Says(Hundred), "RFC 3261 figure 8";
        /// It was answered
        completed_takes_no_101_to_199: Completed, Says(OtherProvisional), "RFC 3261 figure 8";
        /// It was answered
        completed_takes_no_408: Completed, Says(RequestTimeout), "RFC 3261 §17.2.2; RFC 4320 §4.2";
        /// Any other final response is discarded
        completed_takes_no_200_to_699: Completed, Says(FinalBut408), "RFC 3261 §17.2.2";
    }
}
