//! Does what was asked for.

use std::time::Duration;

use anyhow::{Context, Result};
use blether_media_core::{AudioSink, AudioSource, Clip, NullSink, SilenceSource, WavRecording, record_wav};
use blether_sip_client::{Account, Audio, NotAnswered, Phone, PhoneCall, PhoneConfig, PhoneEvent, RegisterError};
use blether_sip_core::Host;
use tokio::time::{sleep, timeout};

use super::Exit;
use super::arguments::{AccountArguments, Arguments, AudioArguments, Command};
use super::output::Output;

/// The longest file that is played: it is held in memory.
const LONGEST_FILE: Duration = Duration::from_secs(3_600);

/// The longest recording.
const LONGEST_RECORDING: Duration = Duration::from_secs(24 * 3_600);

/// What the program stays after it pressed keys, for the last to be heard.
const AFTER_KEYS: Duration = Duration::from_millis(500);

pub(super) async fn run(arguments: Arguments, output: &mut Output) -> Result<Exit> {
    match arguments.command {
        Command::Call { target, account, audio, keys, ring, talk } => {
            call(&target, &account, &audio, keys.as_deref(), ring, talk, output).await
        }
        Command::Listen { account, audio, calls, wait, talk } => {
            listen(&account, &audio, calls, wait, talk, output).await
        }
        Command::Register { account, stay } => register(&account, stay, output).await,
    }
}

async fn start(arguments: &AccountArguments) -> Result<Phone> {
    let mut account = Account::new(&arguments.user, &arguments.password, arguments.server);
    if let Some(domain) = &arguments.domain {
        account.domain = Host::parse(domain).with_context(|| format!("{domain:?} is no domain"))?;
    }
    account.display_name.clone_from(&arguments.name);
    account.expires = arguments.expires;
    let config = PhoneConfig { listen: arguments.listen, ..PhoneConfig::new(account) };
    Ok(Phone::start(config).await?)
}

/// Registers and says so; the exit code if that failed.
async fn enrol(phone: &mut Phone, output: &mut Output) -> Result<Option<Exit>> {
    match phone.register().await {
        Ok(registered) => {
            output.registered(registered.expires);
            Ok(None)
        }
        Err(error @ RegisterError::Failed(_)) => {
            output.not_registered(&error.to_string());
            Ok(Some(Exit::NotRegistered))
        }
        Err(error) => Err(error.into()),
    }
}

async fn register(account: &AccountArguments, stay: Option<Duration>, output: &mut Output) -> Result<Exit> {
    let mut phone = start(account).await?;
    if let Some(exit) = enrol(&mut phone, output).await? {
        return Ok(exit);
    }
    if let Some(stay) = stay {
        tokio::select! {
            () = sleep(stay) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    }
    phone.unregister().await?;
    output.unregistered();
    Ok(Exit::Done)
}

async fn call(
    target: &str,
    account: &AccountArguments,
    audio: &AudioArguments,
    keys: Option<&str>,
    ring: Duration,
    talk: Option<Duration>,
    output: &mut Output,
) -> Result<Exit> {
    let phone = start(account).await?;
    let (sound, recording) = open(audio)?;
    let mut call = phone.call(target).await?;
    let plan = match timeout(ring, call.answered(sound, || output.ringing())).await {
        Ok(Ok(plan)) => plan,
        Ok(Err(NotAnswered::Refused(status))) => {
            output.refused(status.code(), status.reason());
            return Ok(if status.code() == 408 { Exit::NoAnswer } else { Exit::Refused });
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => {
            call.hang_up().await;
            output.no_answer();
            return Ok(Exit::NoAnswer);
        }
    };
    output.answered(&plan);
    if let Some(keys) = keys {
        call.send_digits(keys).context("--keys")?;
    }
    let enough = talk
        .or_else(|| keys.map(|keys| PhoneCall::time_for_digits(keys) + AFTER_KEYS).filter(|_| audio.play.is_none()));
    converse(&mut call, enough, audio.play.is_some(), output).await?;
    finish(recording).await?;
    Ok(Exit::Done)
}

async fn listen(
    account: &AccountArguments,
    audio: &AudioArguments,
    calls: u32,
    wait: Option<Duration>,
    talk: Option<Duration>,
    output: &mut Output,
) -> Result<Exit> {
    let mut phone = start(account).await?;
    if let Some(exit) = enrol(&mut phone, output).await? {
        return Ok(exit);
    }
    for _ in 0..calls {
        let incoming = match wait {
            Some(wait) => timeout(wait, phone.incoming()).await.unwrap_or(None),
            None => tokio::select! {
                incoming = phone.incoming() => incoming,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    None
                }
            },
        };
        let Some(mut call) = incoming else {
            phone.unregister().await?;
            output.no_answer();
            return Ok(Exit::NoAnswer);
        };
        output.incoming(&call.from().map_or_else(|| "nobody".to_owned(), ToString::to_string));
        let (sound, recording) = open(audio)?;
        let plan = call.answer(sound).await?;
        output.answered(&plan);
        converse(&mut call, talk, false, output).await?;
        finish(recording).await?;
    }
    phone.unregister().await?;
    output.unregistered();
    Ok(Exit::Done)
}

/// Talks until the other side hangs up, `talk` is over, the file is played (if that is the end), or the user interrupts.
async fn converse(call: &mut PhoneCall, talk: Option<Duration>, until_played: bool, output: &mut Output) -> Result<()> {
    let over = async {
        match talk {
            Some(talk) => sleep(talk).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            event = call.event() => match event {
                Some(PhoneEvent::Digit { digit, .. }) => output.digit(digit),
                Some(PhoneEvent::Played) if until_played && talk.is_none() => break,
                Some(PhoneEvent::Ended(summary)) => {
                    output.ended(Some(&summary));
                    return Ok(());
                }
                Some(_) => {}
                None => {
                    output.ended(None);
                    return Ok(());
                }
            },
            () = &mut over => break,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
        }
    }
    let summary = call.hang_up().await;
    output.ended(summary.as_ref());
    Ok(())
}

fn open(arguments: &AudioArguments) -> Result<(Audio, Option<WavRecording>)> {
    let source: Box<dyn AudioSource> = match &arguments.play {
        Some(path) => Box::new(Clip::load_wav(path, LONGEST_FILE).context("--play")?.play()),
        None => Box::new(SilenceSource::endless()),
    };
    let (sink, recording): (Box<dyn AudioSink>, _) = match &arguments.record {
        Some(path) => {
            let (sink, recording) = record_wav(path, LONGEST_RECORDING).context("--record")?;
            (Box::new(sink), Some(recording))
        }
        None => (Box::new(NullSink), None),
    };
    Ok((Audio { source, sink }, recording))
}

/// Waits until the recording is whole; the disk is not for a runtime's thread.
async fn finish(recording: Option<WavRecording>) -> Result<()> {
    let Some(recording) = recording else { return Ok(()) };
    tokio::task::spawn_blocking(move || recording.finish()).await?.context("--record")?;
    Ok(())
}
