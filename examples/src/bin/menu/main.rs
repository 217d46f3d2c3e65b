//! A telephone menu on call-engine: it plays a tone, answers each key with a sentence, counts the keys of the call, and hangs up on
//! `#`; a stage before it turns one caller away. Run it: `cargo run -p blether-examples --bin menu` (`caller.rs` calls it).
mod caller;

use blether_call_engine::config::{AccountConfig, Config};
use blether_call_engine::media::speech::{Utterance, Voice, say};
use blether_call_engine::media::tone::{Region, Tone};
use blether_call_engine::stage::{StageContext, Verdict};
use blether_call_engine::{Audio, CallError, Engine, IncomingCall, Request, StatusCode};

/// Lets everybody pass but one caller.
fn bar_666(request: &Request, known: &StageContext) -> Verdict {
    match &known.user {
        Some(user) if user.user() != "666" => Verdict::Pass,
        _ => Verdict::refuse(request, StatusCode::FORBIDDEN),
    }
}

async fn menu(mut incoming: IncomingCall) -> Result<(), CallError> {
    let dial_tone = Tone::dial(Region::Europe).play();
    let (_, sound) = incoming.call.answer_audio(Audio::playing(dial_tone)).await?;
    let mut count = 0; // of this call alone, kept across every await
    while let Some(key) = incoming.call.digit().await {
        count += 1;
        println!("menu: key {count} of {} is {key}", incoming.caller().unwrap_or("somebody"));
        if key == '#' {
            break; // to return is to hang up
        }
        sound.play(Box::new(say(Voice::Ailsa, Utterance::CanYouHearMe).play()))?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let accounts = ["100", "666"].map(|user| AccountConfig::new(user, caller::PASSWORD)).to_vec();
    let config = Config { listen: "udp:127.0.0.1:0".parse()?, accounts, ..Config::default() };
    let engine = Engine::builder(config)
        .stage(|_, request: &Request, _, known: &mut StageContext| bar_666(request, known))
        .on_invite("8XX", menu)
        .start()
        .await?;
    caller::turned_away("666", engine.local_addr()).await?;
    caller::presses("100", "12#", engine.local_addr()).await
}
