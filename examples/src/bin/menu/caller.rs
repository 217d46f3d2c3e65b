//! The phones that call the menu.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use blether_media_core::{level_dbfs, record_to_memory};
use blether_sip_client::{Account, Audio, NotAnswered, Phone, PhoneConfig, PhoneError};
use blether_sip_core::StatusCode;

/// The same for all; not a thing to copy.
pub(crate) const PASSWORD: &str = "bonnie-banks";

async fn phone(user: &str, server: SocketAddr) -> Result<Phone, PhoneError> {
    Phone::start(PhoneConfig::new(Account::new(user, PASSWORD, server))).await
}

/// Calls, and must hear 403.
pub(crate) async fn turned_away(user: &str, server: SocketAddr) -> anyhow::Result<()> {
    let phone = phone(user, server).await?;
    let mut call = phone.call("800").await?;
    let audio = Audio::silent();
    match call.answered(audio, || ()).await {
        Err(NotAnswered::Refused(status)) if status == StatusCode::FORBIDDEN => println!("{user}: turned away"),
        Err(error) => return Err(error.into()),
        Ok(_) => bail!("{user} was let in"),
    }
    Ok(())
}

/// Calls, presses `digits`, and must hear something before the menu hangs up.
pub(crate) async fn presses(user: &str, digits: &str, server: SocketAddr) -> anyhow::Result<()> {
    let phone = phone(user, server).await?;
    let mut call = phone.call("800").await?;
    let (sink, heard) = record_to_memory(Duration::from_secs(10));
    call.answered(Audio::listening(sink), || ()).await?;
    call.send_digits(digits)?;
    let end = call.ended().await.context("the end of the call was not told")?;
    let level = level_dbfs(&heard.samples());
    println!("{user}: {:?} hung up, and what was heard had {level:.1} dBFS", end.by);
    ensure!(level > -60.0, "{user} heard nothing");
    Ok(())
}
