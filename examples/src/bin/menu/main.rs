//! A telephone menu on call-engine: it plays a tone, answers each key with a sentence, counts the keys of the call, and hangs up on
//! `#`; a stage before it turns one caller away. Run it: `cargo run -p blether-examples --bin menu` (`caller.rs` calls it).
mod caller;

use std::time::Instant;

use blether_call_engine::config::{AccountConfig, Config};
use blether_call_engine::stage::{Stage, StageContext, Verdict};
use blether_call_engine::{Engine, IncomingCall};
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::tone::{Region, Tone};
use blether_media_core::{AudioLeg, AudioLegConfig, Codec, NullSink};
use blether_rtp_core::LegEvent;
use blether_session_core::actor::{CallError, CallEvent};
use blether_session_core::{AudioFormat, MediaCapabilities};
use blether_sip_core::{Request, Response, StatusCode};
use blether_sip_transport::Flow;

struct Barred(&'static str);
impl Stage for Barred {
    fn inspect(&self, _: Instant, request: &Request, _: Flow, known: &mut StageContext) -> Verdict {
        match &known.user {
            Some(user) if user.user() != self.0 => Verdict::Pass,
            _ => Verdict::answer(Response::to_request(request, StatusCode::FORBIDDEN).build()),
        }
    }
}

async fn menu(mut incoming: IncomingCall) -> Result<(), CallError> {
    let keys = incoming.call.offered_media()?.telephone_event_payload_type();
    let pcmu = MediaCapabilities { audio: vec![AudioFormat::new("PCMU", 8_000)], ..MediaCapabilities::g711() };
    let (config, tone) = (AudioLegConfig::new(Codec::Pcmu, keys), Box::new(Tone::dial(Region::Europe).play()));
    let leg = AudioLeg::new(Instant::now(), config, tone, Box::new(NullSink), rand::make_rng());
    let (leg, audio) = leg.map_err(|_| CallError::Refused(StatusCode::SERVER_INTERNAL_ERROR))?;
    incoming.call.answer(&pcmu, |_| Box::new(leg)).await?;
    let mut count = 0; // of this call alone, kept across every await
    while let Some(event) = incoming.call.event().await {
        let CallEvent::Media { event: LegEvent::TelephoneEvent { digit, .. }, .. } = event else { continue };
        count += 1;
        println!("menu: key {count} of {} is {digit}", incoming.caller().unwrap_or("somebody"));
        if digit == '#' {
            break; // to return is to hang up
        }
        let answer = say(Voice::Ailsa, Utterance::CanYouHearMe).play();
        audio.play(Box::new(answer)).map_err(|_| CallError::Ended)?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let accounts = ["100", "666"].map(|user| AccountConfig::new(user, caller::PASSWORD)).to_vec();
    let config = Config { listen: "udp:127.0.0.1:0".parse()?, accounts, ..Config::default() };
    let engine = Engine::builder(config).stage(Barred("666")).on_invite("8XX", menu).start().await?;
    caller::turned_away("666", engine.local_addr()).await?;
    caller::presses("100", "12#", engine.local_addr()).await
}
