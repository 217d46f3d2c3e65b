//! A voice bot on sip-client: it registers, answers whoever calls, says its piece and hangs up.
//!
//! Run it: `cargo run -p blether-examples --bin answer_and_play`
//!
//! You will see a phone call the bot through a server, both in the same process, and how much of what the bot said the caller
//! heard. The first half of `main` is what a bot needs; the rest is there to call it.

use std::time::Duration;

use anyhow::{Context, ensure};
use blether_call_engine::Engine;
use blether_call_engine::config::{AccountConfig, Config};
use blether_media_core::compare::compare;
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::{Clip, record_to_memory};
use blether_sip_client::{Account, Audio, Phone, PhoneConfig, PhoneEvent};

const PASSWORD: &str = "blethering-skite";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config {
        listen: "udp:127.0.0.1:0".parse()?,
        accounts: ["100", "bot"].map(|user| AccountConfig::new(user, PASSWORD)).to_vec(),
        ..Config::default()
    };
    let engine = Engine::builder(config).start().await?;
    let account = |user| Account::new(user, PASSWORD, engine.local_addr());

    // The bot. `Clip::load_wav` would give it a recording to play.
    let speech = say(Voice::Blair, Utterance::LoudAndClear);
    let mut bot = Phone::start(PhoneConfig::new(account("bot"))).await?;
    bot.register().await?;
    println!("bot: registered at {}", engine.local_addr());
    let answering = tokio::spawn(answer_and_play(bot, speech.clone()));

    // Its caller.
    let phone = Phone::start(PhoneConfig::new(account("100"))).await?;
    let (sink, recording) = record_to_memory(Duration::from_secs(30));
    let mut call = phone.call("bot").await?;
    let audio = Audio::listening(sink);
    call.answered(audio, || println!("100: it rings")).await?;
    let summary = call.ended().await.context("the end of the call was not told")?;
    println!("100: the call was ended by {:?}", summary.by);
    answering.await??;

    let heard = recording.take();
    let found = compare(speech.samples(), heard.samples()).context("100 did not hear what the bot said")?;
    println!(
        "100: heard {:.0} % of {:?}, {:.1} dB above the noise",
        found.coverage * 100.0,
        Utterance::LoudAndClear.text(),
        found.snr_db,
    );
    ensure!(found.coverage > 0.9, "too little of it");
    Ok(())
}

/// Takes one call. A real bot loops here, with a task a call.
async fn answer_and_play(mut bot: Phone, speech: Clip) -> anyhow::Result<()> {
    let mut call = bot.incoming().await.context("the phone has stopped")?;
    let caller = call.from().map_or_else(|| "nobody".to_owned(), |from| from.uri.to_string());
    println!("bot: {caller} calls");
    call.ring().await?;
    call.answer(Audio::playing(speech.play())).await?;
    loop {
        match call.event().await {
            Some(PhoneEvent::Played) => break,
            None | Some(PhoneEvent::Ended(_)) => anyhow::bail!("{caller} did not listen to the end"),
            Some(_) => {}
        }
    }
    println!("bot: that was all");
    call.hang_up().await;
    Ok(())
}
