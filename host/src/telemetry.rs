//! Logs: structured, to stderr.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::config::{LogConfig, LogFormat};

/// Why logs cannot be written as asked.
#[derive(Debug, thiserror::Error)]
#[error("read --log (HOOKSWITCH_LOG) {filter:?}: {source}; expected such as info or hookswitch=debug,warn")]
pub struct LogError {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Writes logs from here on. Where they are written already, they stay as they are.
///
/// # Errors
/// Where the filter is not one.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|source| LogError { filter: config.log.clone(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    // An error says that somebody else has set a subscriber, as tests do.
    let _ = match config.log_format {
        LogFormat::Text => registry
            .with(fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).with_target(false))
            .try_init(),
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()
        }
    };
    Ok(())
}
