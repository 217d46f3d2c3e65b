//! The echo extension: the caller hears itself.

use blether_media_core::EchoLeg;
use blether_session_core::actor::CallError;

use crate::engine::IncomingCall;

/// What is dialled to hear oneself, as Asterisk's users know it.
pub const EXTENSION: &str = "*43";

/// Answers and sends back whatever is heard, in whatever format the caller offers first, until the caller hangs up.
///
/// # Errors
///
/// When the caller's media cannot be agreed on (488) or opened.
pub async fn echo(mut incoming: IncomingCall) -> Result<(), CallError> {
    let media = incoming.call.offered_media()?;
    incoming.call.answer(&media, |_| Box::new(EchoLeg::new(rand::make_rng()))).await?;
    incoming.call.ended().await;
    Ok(())
}
