//! A call's sound: where its sockets come from, and a leg's hold on the worker that runs it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use blether_rtp_core::{
    Impairment, LatchPolicy, LegConfig, LegEvent, LegId, LegMode, LegStatistics, MediaDirection, MediaWorkers, NoPort,
    PayloadTypes, PortAllocator, WorkerError, WorkerHandle,
};

use super::LegKey;
use super::mailbox::{CallMessage, Mailbox, Urgency};
use crate::MediaPlan;

/// What every call of an endpoint draws its media from.
#[derive(Debug)]
pub(crate) struct MediaSource {
    pub(crate) workers: MediaWorkers,
    pub(crate) ports: PortAllocator,
    pub(crate) impairment: Option<Impairment>,
    /// When a leg counts as silent.
    pub(crate) silent_after: Option<Duration>,
    /// When one of which nothing is to be heard does.
    pub(crate) gone_after: Option<Duration>,
    /// Stands in the SDP in place of the address that a socket is bound to, which is then any.
    pub(crate) advertise: Option<IpAddr>,
}

/// No media could be opened for a leg.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// All ports of the range are in use or in quarantine, or none could be bound.
    #[error(transparent)]
    NoPort(#[from] NoPort),
    /// The media worker is overloaded or gone.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// An open RTP socket that a worker runs for one leg of a call. Dropping it closes the socket and gives the port back.
#[derive(Debug)]
pub(crate) struct MediaLeg {
    pub(crate) worker: WorkerHandle,
    pub(crate) id: LegId,
    /// The address and port that the SDP names.
    pub(crate) local: SocketAddr,
    closed: bool,
}

impl MediaLeg {
    /// Opens a port on `local` and has `worker` run it, idle. When this returns the leg runs, so an SDP may name its port.
    pub(crate) async fn open(
        source: &MediaSource,
        worker: &WorkerHandle,
        mailbox: Mailbox,
        leg: LegKey,
        local: IpAddr,
        telephone_event: Option<u8>,
    ) -> Result<Self, MediaError> {
        let advertise = source.advertise.filter(|advertise| advertise.is_ipv4() == local.is_ipv4());
        let bound = advertise.map_or(local, unspecified);
        let socket = source.ports.allocate(bound)?;
        let address = SocketAddr::new(advertise.unwrap_or(local), socket.local_addr().port());
        let config = LegConfig {
            remote: None,
            latch: LatchPolicy::default(),
            telephone_event_payload_type: telephone_event,
            silent_after: source.silent_after,
            gone_after: source.gone_after,
            impairment: source.impairment,
            ..LegConfig::default()
        };
        let events = Box::new(move |_, event: LegEvent| {
            let urgency = match event {
                // Told once, and each of them may be what ends the call.
                LegEvent::ProcessorPanicked | LegEvent::SocketFailed | LegEvent::Silent | LegEvent::Gone => {
                    Urgency::Urgent
                }
                _ => Urgency::Normal,
            };
            // A full mailbox has counted the loss; a call that is gone needs no events.
            let _ = mailbox.try_send(CallMessage::Media { leg, event }, urgency);
        });
        let id = worker.add_leg(socket, config, LegMode::Idle, events).await?;
        Ok(Self { worker: worker.clone(), id, local: address, closed: false })
    }

    /// Closes the leg and returns what it counted.
    pub(crate) async fn close(mut self) -> Option<LegStatistics> {
        self.closed = true;
        self.worker.remove_leg(self.id).await.ok()
    }
}

/// Has the worker do what was agreed: send where the peer listens, and only the ways that the two have agreed on (RFC 3264 §5.1, §6.1).
pub(crate) async fn follow_plan(worker: &WorkerHandle, leg: LegId, plan: &MediaPlan) -> Result<(), WorkerError> {
    let direction = MediaDirection { send: plan.direction.sends(), receive: plan.direction.receives() };
    worker.follow(leg, plan.remote, direction).await
}

/// Has the worker call each codec of this leg's peer what the other leg's peer calls it, and hear this one's keys.
pub(crate) async fn name_payload_types(
    worker: &WorkerHandle,
    leg: LegId,
    plan: &MediaPlan,
    other: &MediaPlan,
) -> Result<(), WorkerError> {
    let events = plan.receive_telephone_event.zip(other.telephone_event);
    let types = PayloadTypes {
        relayed_as: plan.same_formats(other).chain(events).collect(),
        telephone_event: plan.receive_telephone_event,
    };
    worker.set_payload_types(leg, types).await
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl Drop for MediaLeg {
    fn drop(&mut self) {
        if !self.closed {
            self.worker.remove_leg_detached(self.id);
        }
    }
}
