//! `call-engine check`: reads the configuration as the server would, and says what that would do.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use blether_call_engine::config::{Config, advice};

use super::open_files;
use super::place::Place;

/// Prints what the server would do, or fails with what keeps it from starting.
pub(super) fn check(place: &Place) -> Result<ExitCode> {
    let (config, of_the_file) = place.load()?;
    #[cfg(feature = "tls")]
    blether_call_engine::certificate::check(&config)?;
    let mut text = Summary { file: &place.file(), config: &config }.to_string();
    for advice in of_the_file.into_iter().chain(advice(&config, open_files::attainable())) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "warning: {advice}");
    }
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// What the server would do, a line for each thing that others may want to know of it.
struct Summary<'a> {
    file: &'a Path,
    config: &'a Config,
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, config } = self;
        let Config { tcp, http, media, accounts, limits, domains, proxies, .. } = config;
        let mut line = |what: &str, text: &dyn Display| writeln!(f, "  {what:<10} {text}");
        line("ok", &file.display())?;
        let tcp = if tcp.enabled { ", and TCP on the same port" } else { "" };
        let listens: Vec<_> = config.listens().map(|listen| listen.to_string()).collect();
        line("SIP", &format_args!("{}{tcp}; shards: {}", listens.join(", "), config.shard_count()))?;
        if config.listens_for_tls().next().is_some() {
            match &config.tls.identity {
                Some(identity) => line("TLS", &format_args!("certificate {}", identity.certificate.display()))?,
                None => line("TLS", &"a certificate that the server makes for itself, and that phones cannot check")?,
            }
        }
        let domains: Vec<String> = domains.iter().map(ToString::to_string).collect();
        let comma = if domains.is_empty() { "" } else { ", " };
        line("domains", &format_args!("its own addresses{comma}{}", domains.join(", ")))?;
        line("accounts", &accounts.len())?;
        line("calls", &format_args!("{} at a time", limits.max_calls))?;
        for proxy in proxies {
            line("forwards", proxy)?;
        }
        line("media", &format_args!("UDP ports {}; threads: {}", media.ports, media.workers))?;
        if !config.dns.servers.is_empty() {
            let servers: Vec<_> = config.dns.servers.iter().map(ToString::to_string).collect();
            line("DNS", &servers.join(", "))?;
        }
        match http.listen {
            Some(address) => line("HTTP", &address)?,
            None => line("HTTP", &"off")?,
        }
        line("data", &config.data_dir.display())
    }
}
