//! A call's sound: where its sockets come from, and a leg's hold on the worker that runs it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use blether_rtp_core::{
    Impairment, LatchPolicy, LegConfig, LegEvent, LegId, LegMode, LegProcessor, LegStatistics, MediaDirection,
    MediaWorkers, NoPort, PayloadTypes, PortAllocator, RtpSocket, WorkerError, WorkerHandle,
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
    /// How the worker reads the payload types of the leg's peer.
    types: PayloadTypes,
    closed: bool,
}

/// An open RTP socket that no worker runs yet: its port may be negotiated for, and named once it is a [`MediaLeg`].
#[derive(Debug)]
pub(crate) struct MediaPort {
    socket: RtpSocket,
    /// The address and port that the SDP names.
    pub(crate) local: SocketAddr,
}

impl MediaPort {
    /// Opens a port on `local`.
    pub(crate) fn open(source: &MediaSource, local: IpAddr) -> Result<Self, NoPort> {
        let advertise = source.advertise.filter(|advertise| advertise.is_ipv4() == local.is_ipv4());
        let bound = advertise.map_or(local, unspecified);
        let socket = source.ports.allocate(bound)?;
        let local = SocketAddr::new(advertise.unwrap_or(local), socket.local_addr().port());
        Ok(Self { socket, local })
    }
}

/// What a leg does from its beginning.
pub(crate) enum Beginning {
    /// Nothing: what is agreed comes later.
    Idle,
    /// Its processor has it.
    Process(Box<dyn LegProcessor>),
    /// It and another leg are relayed to each other.
    Bridged(LegId),
}

impl MediaLeg {
    /// Has `worker` run what comes to `port`, as `plan` says where anything is agreed. When this returns the leg runs, so an SDP may name its
    /// port.
    pub(crate) async fn run(
        port: MediaPort,
        source: &MediaSource,
        worker: &WorkerHandle,
        (mailbox, leg): (Mailbox, LegKey),
        telephone_event: Option<u8>,
        plan: Option<&MediaPlan>,
        beginning: Beginning,
    ) -> Result<Self, WorkerError> {
        let config = LegConfig {
            remote: plan.map(|plan| plan.remote),
            direction: plan.map_or_else(MediaDirection::default, direction_of),
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
        let MediaPort { socket, .. } = port;
        let id = match beginning {
            Beginning::Idle => worker.add_leg(socket, config, LegMode::Idle, events).await?,
            Beginning::Process(processor) => {
                worker.add_leg(socket, config, LegMode::Process(processor), events).await?
            }
            Beginning::Bridged(other) => worker.add_bridged_leg(socket, config, other, events).await?,
        };
        let types = PayloadTypes { relayed_as: Vec::new(), telephone_event };
        Ok(Self { worker: worker.clone(), id, types, closed: false })
    }

    /// What the worker is to be told so that each codec of this leg's peer is called what the peer of `other` calls it, and this one's keys are
    /// heard. `None` where that is how it reads them: with phones that keep to the numbers of the offer.
    pub(crate) fn reads_anew(&mut self, plan: &MediaPlan, other: &MediaPlan) -> Option<PayloadTypes> {
        let events = plan.receive_telephone_event.zip(other.telephone_event);
        let renamed = plan.same_formats(other).chain(events).filter(|(here, there)| here != there);
        let types = PayloadTypes { relayed_as: renamed.collect(), telephone_event: plan.receive_telephone_event };
        if types == self.types {
            return None;
        }
        self.types.clone_from(&types);
        Some(types)
    }

    /// Closes the leg and returns what it counted.
    pub(crate) async fn close(mut self) -> Option<LegStatistics> {
        self.closed = true;
        self.worker.remove_leg(self.id).await.ok()
    }
}

/// Has the worker do what was agreed: send where the peer listens, and only the ways that the two have agreed on (RFC 3264 §5.1, §6.1).
pub(crate) async fn follow_plan(worker: &WorkerHandle, leg: LegId, plan: &MediaPlan) -> Result<(), WorkerError> {
    worker.follow(leg, plan.remote, direction_of(plan)).await
}

fn direction_of(plan: &MediaPlan) -> MediaDirection {
    MediaDirection { send: plan.direction.sends(), receive: plan.direction.receives() }
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
