//! Does what was asked for.

use std::future::pending;

use std::time::Duration;

use anyhow::{Context, Result};
use blether_sip_client::{
    Account, NotAnswered, Phone, PhoneCall, PhoneConfig, PhoneEvent, RegisterError, RegistrationState,
};
use blether_sip_core::StatusCode;
use blether_sip_transport::resolve::Destination;
use blether_transaction_core::WireTap;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Exit;
use super::arguments::{AccountArguments, Arguments, Command, RegistrationArguments};
use super::interrupt::Interrupt;
use super::output::{Output, trace};
use super::sound::{Sound, finish};

/// What a call goes on after its keys were pressed or its file was played, for the other side to hear the last of it: jitter buffers hold
/// some tens of milliseconds, and are thrown away with the call.
const AFTER_ALL_IS_SAID: Duration = Duration::from_millis(500);

/// How long the other side and the server may take to say goodbye. SIP gives them 32 s; somebody is waiting for this program.
const GOODBYE: Duration = Duration::from_secs(3);

/// After which silence of the server we say that we are waiting for it.
const SILENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(arguments: Arguments, output: &mut Output) -> Result<Exit> {
    let interrupt = Interrupt::listen().context("cannot wait for Ctrl-C")?;
    let tap = arguments.trace.then(|| WireTap::new(|message| trace(&message)));
    match arguments.command {
        Command::Call { target, account, audio, keys, ring, talk } => {
            let sound = Sound::open(&audio)?;
            let mut desk = Desk::open(&account, None, tap, interrupt, output).await?;
            let outcome = desk.call(&target, sound, keys.as_deref(), ring, talk).await;
            desk.leave(outcome).await
        }
        Command::Listen { account, registration, audio, calls, wait, talk } => {
            let sound = Sound::open(&audio)?;
            let mut desk = Desk::open(&account, Some(&registration), tap, interrupt, output).await?;
            let outcome = desk.listen(sound, calls, wait, talk).await;
            desk.leave(outcome).await
        }
        Command::Register { account, registration, stay } => {
            let mut desk = Desk::open(&account, Some(&registration), tap, interrupt, output).await?;
            let outcome = desk.register(stay).await;
            desk.leave(outcome).await
        }
    }
}

/// The phone, and the one who uses it.
struct Desk<'a> {
    phone: Phone,
    server: Destination,
    /// How long to wait for the server when registering.
    patience: Duration,
    interrupt: Interrupt,
    output: &'a mut Output,
}

impl<'a> Desk<'a> {
    async fn open(
        arguments: &AccountArguments,
        registration: Option<&RegistrationArguments>,
        tap: Option<WireTap>,
        interrupt: Interrupt,
        output: &'a mut Output,
    ) -> Result<Self> {
        let server = arguments.server.destination.clone();
        let mut account = Account::at(&arguments.user, &arguments.password, server.clone());
        account.domain = arguments.domain.as_ref().unwrap_or(&arguments.server.domain).clone();
        account.display_name.clone_from(&arguments.name);
        let mut patience = Duration::ZERO;
        if let Some(registration) = registration {
            account.expires = Duration::from_secs(registration.expires.into());
            patience = registration.timeout;
        }
        let config =
            PhoneConfig { listen: arguments.listen, transport: arguments.transport, tap, ..PhoneConfig::new(account) };
        let phone = Phone::start(config).await?;
        Ok(Self { phone, server, patience, interrupt, output })
    }

    /// Says goodbye to whoever is still there.
    async fn leave(self, outcome: Result<Exit>) -> Result<Exit> {
        let state = self.phone.watch_registration().current();
        let registered = matches!(state, RegistrationState::Registered { .. });
        match self.phone.shut_down(GOODBYE).await {
            Ok(()) if registered => self.output.unregistered(),
            Ok(()) => {}
            // What was asked for is done, or has failed for another reason.
            Err(error) => self.output.not_unregistered(&error.to_string()),
        }
        outcome
    }

    /// Registers and says so; the exit code if there is no registration.
    async fn enrol(&mut self) -> Result<Option<Exit>> {
        let (server, longest) = (self.server.clone(), self.patience);
        let registered = {
            let registering = timeout(longest, self.phone.register());
            tokio::pin!(registering);
            let early = tokio::select! {
                registered = &mut registering => Some(registered),
                () = self.interrupt.wait() => return Ok(Some(interrupted(self.output))),
                () = sleep(SILENCE) => None,
            };
            match early {
                Some(registered) => registered,
                None => {
                    self.output.waiting(&server, longest);
                    tokio::select! {
                        registered = registering => registered,
                        () = self.interrupt.wait() => return Ok(Some(interrupted(self.output))),
                    }
                }
            }
        };
        match registered {
            Ok(Ok(registered)) => {
                self.output.registered(registered.expires);
                return Ok(None);
            }
            Ok(Err(RegisterError::Failed(failure))) => self.output.not_registered(&format!("{failure} ({server})")),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => self.output.not_registered(&format!(
                "{server} did not answer within {} s; check the address, and whether the server runs",
                longest.as_secs_f64()
            )),
        }
        Ok(Some(Exit::NotRegistered))
    }

    async fn register(&mut self, stay: Option<Duration>) -> Result<Exit> {
        if let Some(exit) = self.enrol().await? {
            return Ok(exit);
        }
        let Some(stay) = stay else { return Ok(Exit::Done) };
        let mut registration = self.phone.watch_registration();
        let over = Instant::now() + stay;
        loop {
            tokio::select! {
                () = sleep_until(over) => return Ok(Exit::Done),
                () = self.interrupt.wait() => return Ok(Exit::Done),
                state = registration.changed() => {
                    if !self.still_registered(state) {
                        return Ok(Exit::NotRegistered);
                    }
                }
            }
        }
    }

    /// Says what became of the registration; whether there is hope left.
    fn still_registered(&mut self, state: Option<RegistrationState>) -> bool {
        match state {
            Some(RegistrationState::Registered { expires }) => self.output.registered(expires),
            Some(RegistrationState::Lost { failure, retry_in }) => {
                self.output.lost(&failure.to_string(), retry_in);
                return retry_in.is_some();
            }
            _ => return false,
        }
        true
    }

    async fn call(
        &mut self,
        target: &str,
        mut sound: Sound,
        keys: Option<&str>,
        ring: Duration,
        talk: Option<Duration>,
    ) -> Result<Exit> {
        let plays = sound.plays();
        let mut call = self.phone.call(target).await?;
        let (audio, recording) = sound.next_call()?;
        let answered = tokio::select! {
            answered = timeout(ring, call.answered(audio, || self.output.ringing())) => Some(answered),
            () = self.interrupt.wait() => None,
        };
        let exit = match answered {
            Some(Ok(Ok(plan))) => {
                self.output.answered(&plan);
                let pressed = keys.map_or(Ok(()), |keys| call.send_digits(keys));
                if let Err(error) = pressed {
                    hang_up(&mut call).await;
                    self.output.failed(&format!("--keys: {error}"));
                    Exit::Failed
                } else {
                    let pressing = keys.filter(|_| !plays).map(PhoneCall::time_for_digits);
                    let enough = talk.or(pressing.map(|pressing| pressing + AFTER_ALL_IS_SAID));
                    self.converse(&mut call, enough, plays).await;
                    Exit::Done
                }
            }
            Some(Ok(Err(NotAnswered::Refused(status)))) => self.refused(status),
            Some(Ok(Err(error))) => return Err(error.into()),
            Some(Err(_)) => {
                hang_up(&mut call).await;
                self.output.no_answer(None);
                Exit::NoAnswer
            }
            None => {
                hang_up(&mut call).await;
                self.output.cancelled();
                Exit::Interrupted
            }
        };
        if let Some(recording) = recording {
            self.output.recorded(&finish(recording).await?);
        }
        Ok(exit)
    }

    fn refused(&mut self, status: StatusCode) -> Exit {
        let (code, reason) = (status.code(), status.reason());
        match code {
            // Nobody is at the phone, or nobody said anything at all.
            408 | 480 => {
                self.output.no_answer(Some((code, reason)));
                Exit::NoAnswer
            }
            // The challenge was answered, and the server does not believe it.
            401 | 407 => {
                self.output.refused(code, "user name or password are refused; check the account");
                Exit::NotRegistered
            }
            _ => {
                self.output.refused(code, reason);
                Exit::Refused
            }
        }
    }

    async fn listen(
        &mut self,
        mut sound: Sound,
        calls: u32,
        wait: Option<Duration>,
        talk: Option<Duration>,
    ) -> Result<Exit> {
        if let Some(exit) = self.enrol().await? {
            return Ok(exit);
        }
        let mut registration = self.phone.watch_registration();
        let mut answered = 0;
        let mut deadline = wait.map(|wait| Instant::now() + wait);
        while answered < calls {
            let incoming = tokio::select! {
                incoming = self.phone.incoming() => incoming,
                () = over_at(deadline) => {
                    self.output.no_call();
                    return Ok(Exit::NoAnswer);
                }
                () = self.interrupt.wait() => return Ok(interrupted(self.output)),
                state = registration.changed() => {
                    if !self.still_registered(state) {
                        return Ok(Exit::NotRegistered);
                    }
                    continue;
                }
            };
            let mut call = incoming.context("the phone has stopped")?;
            if self.answer(&mut call, &mut sound, talk).await? {
                answered += 1;
                deadline = wait.map(|wait| Instant::now() + wait);
            }
        }
        Ok(Exit::Done)
    }

    /// Answers and talks; `false` when the caller was gone before, or nothing could be agreed with it.
    async fn answer(&mut self, call: &mut PhoneCall, sound: &mut Sound, talk: Option<Duration>) -> Result<bool> {
        self.output.incoming(&caller(call));
        let (audio, recording) = sound.next_call()?;
        let answered = match call.answer(audio).await {
            Ok(plan) => {
                self.output.answered(&plan);
                self.converse(call, talk, false).await;
                true
            }
            Err(error) => {
                if let NotAnswered::Call(error) = &error {
                    // The caller may be gone, which is one reason for it not to be answered.
                    let _ = call.reject(error.status()).await;
                }
                self.output.not_answered(&error.to_string());
                false
            }
        };
        if let Some(recording) = recording {
            self.output.recorded(&finish(recording).await?);
        }
        Ok(answered)
    }

    /// Talks until the other side hangs up, `talk` is over, the file is played (if that is the end), or somebody interrupts.
    async fn converse(&mut self, call: &mut PhoneCall, talk: Option<Duration>, until_played: bool) {
        let mut over = talk.map(|talk| Instant::now() + talk);
        loop {
            tokio::select! {
                event = call.event() => match event {
                    Some(PhoneEvent::Digit { digit, .. }) => self.output.digit(digit),
                    Some(PhoneEvent::Played) if until_played && talk.is_none() => {
                        over = Some(Instant::now() + AFTER_ALL_IS_SAID);
                    }
                    Some(PhoneEvent::Ended(summary)) => return self.output.ended(Some(&summary)),
                    Some(_) => {}
                    None => return self.output.ended(None),
                },
                Some(mut other) = self.phone.incoming() => {
                    self.output.busy_for(&caller(&other));
                    // Who has given up meanwhile need not be told.
                    let _ = other.reject(StatusCode::BUSY_HERE).await;
                }
                () = over_at(over) => break,
                () = self.interrupt.wait() => break,
            }
        }
        let summary = hang_up(call).await;
        self.output.ended(summary.as_ref());
    }
}

/// Hangs up, without waiting long for a peer that is gone.
async fn hang_up(call: &mut PhoneCall) -> Option<blether_sip_client::Summary> {
    timeout(GOODBYE, call.hang_up()).await.ok().flatten()
}

fn caller(call: &PhoneCall) -> String {
    call.from().map_or_else(|| "nobody".to_owned(), ToString::to_string)
}

fn interrupted(output: &mut Output) -> Exit {
    output.interrupted();
    Exit::Interrupted
}

async fn over_at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
