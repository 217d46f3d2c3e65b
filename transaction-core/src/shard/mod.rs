//! The tokio half: a task that owns a UDP socket, its transactions and their timers, and calls its user; and many of them as one endpoint.
#![expect(clippy::disallowed_methods, reason = "the driver reads the clock for the cores, once a turn")]

mod figures;
mod handle;
mod inlet;
mod locator;
mod ownership;
mod set;
mod tap;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_sip_core::{ByteStr, Response, StatusCode};
use blether_sip_transport::resolve::{Family, Target};
use blether_sip_transport::{Connections, Flow, LocalAddresses, ReceiveBuffer, StreamEvent, Transport, UdpSocket};
use bytes::Bytes;
use rand::rngs::StdRng;
use tokio::task::JoinError;

use figures::{Figures, Gauges};
use handle::Commands;
use inlet::{Inlets, Outlet, inlet};
use locator::{Inquiries, Located};

pub use handle::{Rejected, ShardClosed, ShardHandle};
pub use locator::Locator;
pub use ownership::{Ownership, Router, ShardIndex, Way};
pub use set::{RunningShards, Shards, ShardsWatch, Streams};
pub use tap::{Direction, WireMessage, WireTap};

use crate::{
    Event, NoTarget, OverloadConfig, OverloadGate, ServerTransactionId, Source, Transactions, TransactionsConfig,
    Transmit,
};

/// Datagrams and commands taken in one turn: a flood of either must not keep the other, or the timers, waiting.
const BATCH: usize = 64;

/// For how long a shard may work and then believe that nothing has arrived meanwhile, without asking the system: a fifth of the lag that counts.
const UNASKED: Duration = Duration::from_millis(10);

/// Peers whose facing address is remembered.
const REMEMBERED_PEERS: usize = 4_096;

/// Who uses the transactions of a shard. Called in the shard's task, one call at a time, and must not block; what takes time is
/// answered later by the transaction's id.
///
/// A panic in any of these is contained: the request whose handling panicked is answered 500, and the shard goes on.
pub trait TransactionUser: Send + 'static {
    /// What others may ask of this user by the shard's queue.
    type Command: Send + 'static;

    /// Something has happened in a transaction.
    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions);

    /// Somebody asks for something.
    fn on_command(&mut self, now: Instant, command: Self::Command, transactions: &mut Transactions);

    /// When [`Self::handle_timeout`] has something to do: for timers that the user has beside those of its transactions. None by default.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Does what is due of the user's own timers.
    fn handle_timeout(&mut self, _now: Instant, _transactions: &mut Transactions) {}
}

/// How a [`Shard`] behaves.
#[derive(Clone, Debug, Default)]
pub struct ShardConfig {
    /// Its transactions.
    pub transactions: TransactionsConfig,
    /// The address that stands in Via and in every [`Flow`] in place of the one that the socket has, for a machine behind a NAT.
    pub advertise: Option<IpAddr>,
    /// When it refuses what is new because it is behind.
    pub overload: OverloadConfig,
    /// Who is shown every datagram.
    pub tap: Option<WireTap>,
    /// Who is asked where the destination of a request is.
    pub locator: Locator,
}

/// A UDP socket, its transactions and their user: an endpoint of its own, or one of several ([`Shards`]).
pub struct Shard<U: TransactionUser> {
    /// What it receives from.
    socket: Arc<UdpSocket>,
    /// The sockets of all shards, for peers that know another address of ours than this shard's.
    sockets: Arc<[Arc<UdpSocket>]>,
    transactions: Transactions,
    user: U,
    commands: Commands<U::Command>,
    router: Router,
    /// Where the endpoint receives TLS.
    for_tls: Arc<[SocketAddr]>,
    /// The ways to the other shards, if there are others.
    inlets: Option<Arc<Inlets>>,
    /// What other shards and connections pass to this one.
    outlet: Outlet,
    connections: Option<Connections>,
    addresses: LocalAddresses,
    advertise: Option<IpAddr>,
    tap: Option<WireTap>,
    gate: OverloadGate,
    figures: Figures,
    inquiries: Inquiries,
}

impl<U: TransactionUser> Shard<U> {
    /// Puts a shard together that is alone; `make_user` gets the handle by which others reach the user.
    pub fn new(
        socket: UdpSocket,
        config: ShardConfig,
        mut rng: StdRng,
        make_user: impl FnOnce(ShardHandle<U::Command>) -> U,
    ) -> (Self, ShardHandle<U::Command>) {
        let (handle, commands) = ShardHandle::new();
        let (_, outlet) = inlet();
        let router = Router::new(Ownership::new(1, &mut rng), ShardIndex(0));
        let user = make_user(handle.clone());
        (Self::assemble(Arc::new(socket), config, rng, router, user, commands, outlet), handle)
    }

    fn assemble(
        socket: Arc<UdpSocket>,
        config: ShardConfig,
        rng: StdRng,
        router: Router,
        user: U,
        commands: Commands<U::Command>,
        outlet: Outlet,
    ) -> Self {
        Self {
            sockets: Arc::from([socket.clone()]),
            socket,
            transactions: Transactions::new(config.transactions, rng),
            user,
            commands,
            router,
            for_tls: Arc::from([]),
            inlets: None,
            outlet,
            connections: None,
            addresses: LocalAddresses::new(REMEMBERED_PEERS),
            advertise: config.advertise,
            tap: config.tap,
            gate: OverloadGate::new(config.overload),
            figures: Figures::new(router.here()),
            inquiries: Inquiries::new(config.locator),
        }
    }

    /// Runs until every handle is gone. Whatever a datagram or a user does, it goes on.
    pub async fn run(mut self) {
        let families = self.sockets.iter().map(|socket| family_of(socket.local_addr()));
        self.inquiries.set_means(self.connections.as_ref(), families.collect());
        let mut buffer = ReceiveBuffer::new();
        let sleep = tokio::time::sleep_until(Instant::now().into());
        tokio::pin!(sleep);
        self.gate.waited(Instant::now());
        loop {
            let timer = [self.transactions.poll_timeout(), self.user.poll_timeout()].into_iter().flatten().min();
            let due = [timer, self.figures.poll_timeout()].into_iter().flatten().min();
            if let Some(due) = due
                && sleep.deadline() != due.into()
            {
                sleep.as_mut().reset(due.into());
            }
            let turn = async {
                tokio::select! {
                    ready = self.socket.readable() => Turn::Socket(ready),
                    // Alone, it has no inlet, and this branch is over at once.
                    Some(event) = self.outlet.next() => Turn::Passed(event),
                    command = self.commands.next() => Turn::Command(command),
                    located = self.inquiries.next() => Turn::Located(located),
                    () = &mut sleep, if due.is_some() => Turn::Timers,
                }
            };
            let (turn, waited) = noticing_waits(turn, self.gate.seen_empty(Source::Socket)).await;
            if waited {
                self.gate.waited(Instant::now());
            }
            match turn {
                Turn::Socket(Ok(())) => self.receive(&mut buffer),
                Turn::Socket(Err(error)) => {
                    tracing::error!(%error, "the SIP socket is gone; the shard ends");
                    return;
                }
                Turn::Passed(event) => self.take_passed(event),
                Turn::Command(Some(command)) => self.carry_out(command),
                Turn::Command(None) => return,
                Turn::Located(Ok(located)) => self.located(located),
                // Its transaction gives up by itself.
                Turn::Located(Err(error)) => tracing::error!(%error, "locating a destination panicked"),
                Turn::Timers => self.time_out(timer),
            }
            self.publish();
        }
    }

    /// Does what is due; the first of it since `timer`.
    fn time_out(&mut self, timer: Option<Instant>) {
        let now = Instant::now();
        let Some(timer) = timer.filter(|timer| *timer <= now) else { return };
        self.gate.begin(timer, Source::Timers);
        let transactions = &mut self.transactions;
        if catch_unwind(AssertUnwindSafe(|| transactions.handle_timeout(now))).is_err() {
            core_panicked(&"a timer");
        }
        self.settle(now);
        if self.user.poll_timeout().is_some_and(|due| due <= now) {
            let (user, transactions) = (&mut self.user, &mut self.transactions);
            if catch_unwind(AssertUnwindSafe(|| user.handle_timeout(now, transactions))).is_err() {
                tracing::error!("a timer of the transactions' user panicked");
                metrics::counter!("blether_transaction_user_panics_total").increment(1);
            }
            self.settle(now);
        }
        self.gate.end(Instant::now(), Source::Timers, true);
    }

    /// Takes in what has arrived, at most [`BATCH`] datagrams.
    fn receive(&mut self, buffer: &mut ReceiveBuffer) {
        self.gate.begin(Instant::now(), Source::Socket);
        let emptied = (0..BATCH).any(|_| !self.receive_one(buffer));
        self.gate.end(Instant::now(), Source::Socket, emptied);
    }

    /// Takes in a datagram; `false` when there is none.
    fn receive_one(&mut self, buffer: &mut ReceiveBuffer) -> bool {
        match self.socket.try_receive(buffer) {
            Ok((bytes, source)) => {
                self.figures.received();
                let now = Instant::now();
                let Some(flow) = self.flow_from(source) else { return true };
                match (self.router.route(&bytes), &self.inlets) {
                    (Way::Pass { to, urgent }, Some(inlets)) => {
                        inlets.pass(to, StreamEvent::Message { flow, bytes }, urgent);
                    }
                    _ => self.take_in(now, flow, bytes),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // An ICMP message about something that was sent before; the transaction's timers deal with the silence.
            Err(error) => tracing::debug!(%error, "the SIP socket reports an error"),
        }
        true
    }

    fn take_in(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if let Some(tap) = &self.tap {
            tap.show(WireMessage { at: now, direction: Direction::Received, flow, bytes: &bytes });
        }
        self.figures.handled();
        self.transactions.set_overload(self.gate.overload(now));
        self.contained(now, &flow, |transactions| transactions.handle_datagram(now, flow, bytes));
    }

    /// Lets the transactions take something in, and deals with what comes of it.
    fn contained(&mut self, now: Instant, flow: &Flow, input: impl FnOnce(&mut Transactions)) {
        let transactions = &mut self.transactions;
        if catch_unwind(AssertUnwindSafe(|| input(transactions))).is_err() {
            core_panicked(flow);
        }
        self.settle(now);
    }

    /// Takes in what others have passed, at most [`BATCH`].
    fn take_passed(&mut self, first: StreamEvent) {
        self.gate.begin(Instant::now(), Source::Passed);
        self.take_event(first);
        for _ in 1..BATCH {
            match self.outlet.try_next() {
                Some(event) => self.take_event(event),
                None => break,
            }
        }
        self.outlet.announce_room();
        self.gate.end(Instant::now(), Source::Passed, self.outlet.waiting() == 0);
    }

    fn take_event(&mut self, event: StreamEvent) {
        let now = Instant::now();
        match event {
            StreamEvent::Message { flow, bytes } => self.take_in(now, flow, bytes),
            StreamEvent::Unframed { flow, error } => {
                if let Some(tap) = &self.tap {
                    tap.show(WireMessage { at: now, direction: Direction::Received, flow, bytes: error.head() });
                }
                self.contained(now, &flow, |transactions| transactions.handle_unframed(flow, &error));
            }
            StreamEvent::Unsent { flow, bytes } => {
                self.contained(now, &flow, |transactions| transactions.handle_unsent(flow, *bytes));
            }
            StreamEvent::Closed { flow, reason } => {
                let Some(connection) = flow.connection else { return };
                self.contained(now, &flow, |transactions| {
                    transactions.handle_closed(now, connection, reason.kind());
                });
            }
        }
    }

    /// Carries out a command and those behind it, at most [`BATCH`].
    fn carry_out(&mut self, first: U::Command) {
        self.gate.begin(Instant::now(), Source::Commands);
        self.command(first);
        for _ in 1..BATCH {
            match self.commands.try_next() {
                Some(command) => self.command(command),
                None => break,
            }
        }
        self.commands.announce_room();
        self.gate.end(Instant::now(), Source::Commands, self.commands.waiting() == 0);
    }

    fn command(&mut self, command: U::Command) {
        let now = Instant::now();
        let (user, transactions) = (&mut self.user, &mut self.transactions);
        if catch_unwind(AssertUnwindSafe(|| user.on_command(now, command, transactions))).is_err() {
            tracing::error!("a command panicked");
            metrics::counter!("blether_transaction_user_panics_total").increment(1);
        }
        self.settle(now);
    }

    /// Sends what the transactions want sent and tells the user what has happened, until both are quiet.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(transmit) = self.transactions.poll_transmit() {
                if let Some(tap) = &self.tap {
                    tap.show(WireMessage {
                        at: now,
                        direction: Direction::Sent,
                        flow: transmit.flow,
                        bytes: &transmit.payload,
                    });
                }
                self.send(now, transmit);
            }
            while let Some(inquiry) = self.transactions.poll_inquiry() {
                if let Some(located) = self.inquiries.ask(now, inquiry) {
                    self.take_located(now, located);
                }
            }
            if self.transactions.has_to_send() {
                continue;
            }
            match self.transactions.poll_event() {
                Some(event) => self.tell(now, event),
                None => return,
            }
        }
    }

    fn send(&mut self, now: Instant, Transmit { flow, payload, id }: Transmit) {
        let kind = match (flow.transport, &self.connections) {
            (Transport::Udp, _) => match self.socket_for(&flow).try_send_to(&payload, flow.remote) {
                // A full send buffer is a lost datagram, which resends make good; anything else is the transaction's business.
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => error.kind(),
            },
            (Transport::Tcp | Transport::Tls, Some(connections)) => match connections.try_send(&flow, payload) {
                Ok(connection) => return self.transactions.sent_by(id, connection),
                Err(kind) => kind,
            },
            (Transport::Tcp | Transport::Tls, None) => io::ErrorKind::Unsupported,
        };
        tracing::debug!(%flow, %kind, "nothing was sent");
        self.transactions.handle_send_error(now, id, kind);
    }

    fn located(&mut self, located: Located) {
        let now = Instant::now();
        self.take_located(now, located);
        self.settle(now);
    }

    /// Tells the transactions by which flows a destination is reached.
    fn take_located(&mut self, now: Instant, (inquiry, found): Located) {
        let located = match found {
            Ok(targets) => Ok(targets.iter().filter_map(|target| self.flow_to(target)).collect()),
            Err(error) => {
                let (call_id, destination) = (&inquiry.call_id, &inquiry.destination);
                tracing::info!(%call_id, %destination, %error, "a request has nowhere to go");
                Err(NoTarget::from(&error))
            }
        };
        let transactions = &mut self.transactions;
        if catch_unwind(AssertUnwindSafe(|| transactions.handle_located(now, inquiry.id, located))).is_err() {
            core_panicked(&inquiry.destination);
        }
    }

    /// The flow to a target, with the address of ours that faces it. `None` where the system has no way there.
    fn flow_to(&mut self, target: &Target) -> Option<Flow> {
        let (transport, remote) = (target.service.transport()?, target.address);
        let same_family = |socket: &&Arc<UdpSocket>| socket.local_addr().is_ipv4() == remote.is_ipv4();
        let socket = Some(&self.socket).filter(same_family).or_else(|| self.sockets.iter().find(same_family))?;
        let for_tls = self.for_tls.iter().filter(|_| transport == Transport::Tls);
        let for_tls = for_tls.copied().find(|local| local.is_ipv4() == remote.is_ipv4());
        let local = self.facing(for_tls.unwrap_or_else(|| socket.local_addr()), remote)?;
        #[cfg(feature = "tls")]
        if let (Transport::Tls, Some(connections)) = (transport, &self.connections) {
            return Some(connections.lead_to(local, remote, &target.peer_name()?));
        }
        Some(Flow { transport, local, remote, connection: None })
    }

    /// The socket by which a peer hears from the address that it knows: the shard's own, or, where the endpoint has several addresses,
    /// one of that address.
    fn socket_for(&self, flow: &Flow) -> &UdpSocket {
        let advertised = self.advertise == Some(flow.local.ip());
        let has = |socket: &Arc<UdpSocket>| {
            let (local, known) = (socket.local_addr(), flow.local);
            let ip = advertised || local.ip().is_unspecified() || local.ip() == known.ip();
            ip && local.is_ipv4() == known.is_ipv4() && local.port() == known.port()
        };
        if has(&self.socket) {
            return &self.socket;
        }
        self.sockets.iter().find(|socket| has(socket)).unwrap_or(&self.socket)
    }

    fn tell(&mut self, now: Instant, event: Event) {
        let asked = match &event {
            Event::Request { id, request, flow } => {
                self.note_alias(flow, request);
                Some((*id, request.clone()))
            }
            _ => None,
        };
        let (user, transactions) = (&mut self.user, &mut self.transactions);
        if catch_unwind(AssertUnwindSafe(|| user.on_event(now, event, transactions))).is_err() {
            metrics::counter!("blether_transaction_user_panics_total").increment(1);
            let call_id = asked.as_ref().map_or_else(|| ByteStr::from("-"), |(_, request)| request.call_id().clone());
            tracing::error!(%call_id, "the handling of a message panicked");
            if let Some((id, request)) = asked {
                self.apologise(now, id, &request);
            }
        }
    }

    /// Its sender may be willing to take our requests by its connection, where it listens at the port of its Via (RFC 5923 §8.2); whether that is believed
    /// depends on its certificate.
    fn note_alias(&self, flow: &Flow, request: &blether_sip_core::Request) {
        let via = request.via();
        if flow.transport == Transport::Tls
            && via.params.get("alias").is_some()
            && let Some(connections) = &self.connections
        {
            connections.alias(flow, via.port.unwrap_or(5061));
        }
    }

    fn apologise(&mut self, now: Instant, id: ServerTransactionId, request: &blether_sip_core::Request) {
        let response = Response::to_request(request, StatusCode::SERVER_INTERNAL_ERROR).build();
        if self.transactions.respond(now, id, response).is_err() {
            tracing::debug!(call_id = %request.call_id(), "it had been answered before");
        }
    }

    /// The flow by which a datagram came, with the address of ours that its sender sees.
    fn flow_from(&mut self, remote: SocketAddr) -> Option<Flow> {
        let local = self.facing(self.socket.local_addr(), remote)?;
        Some(Flow::udp(local, remote))
    }

    /// Our address `local` as the peer at `remote` knows it.
    fn facing(&mut self, mut local: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
        if let Some(advertise) = self.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            local.set_ip(advertise);
        } else if local.ip().is_unspecified() {
            match self.addresses.towards(remote) {
                Ok(ip) => local.set_ip(ip),
                Err(error) => {
                    tracing::debug!(%error, "nothing can be sent there");
                    return None;
                }
            }
        }
        Some(local)
    }

    fn publish(&mut self) {
        self.figures.count(self.transactions.counters());
        let now = Instant::now();
        if !self.figures.is_due(now) {
            return self.figures.note();
        }
        let gauges = Gauges {
            transactions: self.transactions.counts(),
            overload: self.gate.overload(now),
            lag: self.gate.take_longest_lag(),
            passed: self.outlet.waiting(),
            commands: self.commands.waiting(),
            refusals: self.transactions.refusals_remembered(now),
        };
        self.figures.show(now, gauges);
    }
}

fn family_of(address: SocketAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// What a shard has to do next.
enum Turn<C> {
    Socket(io::Result<()>),
    Passed(StreamEvent),
    Command(Option<C>),
    Located(Result<Located, JoinError>),
    Timers,
}

/// What comes of `turn`, and whether it was waited for, with nothing there to be taken: not where only tokio wanted the task to yield. The socket
/// was seen empty at `seen_empty`. If that is long ago, tokio is made to ask the system first: until then it does not know what has arrived.
async fn noticing_waits<T>(turn: impl Future<Output = T>, seen_empty: Option<Instant>) -> (T, bool) {
    let asking = tokio::task::yield_now();
    tokio::pin!(turn, asking);
    let mut waited = false;
    std::future::poll_fn(|context| {
        let polled = turn.as_mut().poll(context);
        if polled.is_pending() && !waited && tokio::task::coop::has_budget_remaining() {
            waited = seen_empty.is_some_and(|seen_empty| seen_empty.elapsed() < UNASKED)
                || asking.as_mut().poll(context).is_ready();
        }
        polled.map(|outcome| (outcome, waited))
    })
    .await
}

/// A core must not panic; if one does, the shard goes on without what made it do so.
fn core_panicked(culprit: &dyn std::fmt::Display) {
    tracing::error!(%culprit, "a transaction panicked");
    metrics::counter!("blether_transaction_core_panics_total").increment(1);
}
