//! The log, as `[log]` of the configuration wants it.

use std::io::{self, IsTerminal};

use blether_call_engine::config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts the log on standard error. What RUST_LOG says goes before the configured level.
pub(super) fn start(config: &LogConfig) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.level.as_str()));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would tell standard error, by a macro that panics when nobody reads that; then nobody misses the line either.
        .log_internal_errors(false);
    match config.format {
        LogFormat::Text => log.init(),
        LogFormat::Compact => log.compact().init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
    }
}
