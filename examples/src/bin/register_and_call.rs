//! A phone registers with a server, calls its echo, and hears itself: what came back is held against what was said.
//!
//! Run it: `cargo run -p blether-examples --bin register_and_call`
//!
//! You will see the registration, the call, and a table of delay, level, noise and lost packets. The server runs in the same
//! process; the messages and the sound go over UDP on loopback.

use std::time::Duration;

use anyhow::{Context, ensure};
use blether_call_engine::config::{AccountConfig, Config};
use blether_call_engine::{Engine, echo};
use blether_media_core::compare::compare;
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::{AudioSource, SequenceSource, SilenceSource, record_to_memory};
use blether_sip_client::{Account, Audio, Phone, PhoneCall, PhoneConfig, PhoneEvent};

const PASSWORD: &str = "skinny-malinky";

/// How long the phone listens after its last word: the echo of it is on its way, and then in the jitter buffer.
const ECHO: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config {
        listen: "udp:127.0.0.1:0".parse()?,
        accounts: vec![AccountConfig::new("100", PASSWORD)],
        ..Config::default()
    };
    let engine = Engine::builder(config).on_invite(echo::EXTENSION, echo::echo).start().await?;

    let account = Account::new("100", PASSWORD, engine.local_addr());
    let mut phone = Phone::start(PhoneConfig::new(account)).await?;
    let registered = phone.register().await?;
    println!("100 is registered at {} for {} s", engine.local_addr(), registered.expires.as_secs());

    let sent = say(Voice::Ailsa, Utterance::CanYouHearMe);
    let (sink, recording) = record_to_memory(Duration::from_secs(30));
    let mut call = phone.call(echo::EXTENSION).await?;
    let speech: [Box<dyn AudioSource>; 2] = [Box::new(sent.play()), Box::new(SilenceSource::lasting(ECHO))];
    let audio = Audio::new(SequenceSource::new(speech), sink);
    let plan = call.answered(audio, || ()).await?;
    let format = plan.formats.first().context("nothing was agreed")?;
    println!("{} answers at {} and speaks {}", echo::EXTENSION, plan.remote, format.name);

    println!("100 says {:?}", Utterance::CanYouHearMe.text());
    played(&mut call).await?;
    let summary = call.hang_up().await.context("the end of the call was not told")?;
    phone.unregister().await?;

    let heard = recording.take();
    let found = compare(sent.samples(), heard.samples()).context("what was heard is not what was said")?;
    let reception = summary.statistics.context("the call had no sound")?.reception;
    println!("heard against sent:");
    println!("  delay   {:>7.1} ms", found.delay.as_secs_f64() * 1_000.0);
    println!("  level   {:>+7.2} dB", found.level_difference_db);
    println!("  SNR     {:>7.1} dB", found.snr_db);
    println!("  heard   {:>7.1} % of the words", found.coverage * 100.0);
    println!("  lost    {:>7} of {} packets", reception.lost, reception.expected);
    println!("  jitter  {:>7.1} ms", reception.jitter.as_secs_f64() * 1_000.0);
    ensure!(found.coverage > 0.9, "too little of what was said came back");
    Ok(())
}

/// Waits until what is to be said has been said.
async fn played(call: &mut PhoneCall) -> anyhow::Result<()> {
    loop {
        match call.event().await.context("the call is over")? {
            PhoneEvent::Played => return Ok(()),
            PhoneEvent::Ended(summary) => anyhow::bail!("the call ended too early: {:?}", summary.cause),
            _ => {}
        }
    }
}
