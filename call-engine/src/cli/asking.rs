//! Asks the server that has the data folder.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use blether_call_engine::config::Config;
use blether_call_engine::control::{AskError, Done, FILE_NAME, Request, ask};

use super::place::Place;

/// How a command ends that needs a server, where none answers; scripts tell it from a refusal (1) and from a wrong command line (2).
pub(super) const NO_SERVER: u8 = 3;

/// A command's way to the server.
pub(super) struct Asking {
    pub(super) config: Config,
    pub(super) socket: PathBuf,
}

impl Asking {
    /// Reads the configuration, which says where the data folder is. Nothing is made.
    pub(super) fn new(place: &Place) -> Result<Self> {
        let (config, _) = place.load()?;
        let socket = config.data_dir.join(FILE_NAME);
        Ok(Self { config, socket })
    }

    /// Asks, and collects what comes.
    pub(super) async fn collect(&self, request: &Request) -> Result<(Vec<serde_json::Value>, Done), AskError> {
        let mut items = Vec::new();
        let done = ask(&self.socket, request, |item| {
            items.push(item);
            Ok(())
        })
        .await?;
        Ok((items, done))
    }
}

/// Says in one line that nobody answers.
pub(super) fn no_server(error: &AskError) -> ExitCode {
    // Where standard error is closed there is nobody to tell.
    let _ =
        writeln!(io::stderr(), "call-engine: {error}; start it with `call-engine`, or name its folder with --data-dir");
    ExitCode::from(NO_SERVER)
}

/// Writes to standard output; who has stopped reading it has seen enough.
pub(super) fn say(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
