//! Logs: structured, to stderr.

use std::{
    fmt::Debug,
    io::{IsTerminal, stderr},
};

use hookswitch_core::domain::{visible, visible_line};
use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::{
        self,
        format::{Writer, debug_fn},
    },
    prelude::*,
};

use crate::config::{LogConfig, LogFormat};

/// An invalid filter for logs.
#[derive(Debug, thiserror::Error)]
#[error(
    "invalid --log (HOOKSWITCH_LOG) {filter:?}: {reason}; expected for example info or hookswitch=debug,warn"
)]
pub struct LogError {
    filter: String,
    reason: String,
}

/// Starts writing logs. If they are written already, nothing changes.
///
/// # Errors
/// If the filter is invalid.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let registry = tracing_subscriber::registry().with(filter(&config.log)?);
    // An error says that somebody else has set a subscriber, as tests do.
    let _ = match config.log_format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_writer(stderr)
                    .with_ansi(stderr().is_terminal())
                    .with_target(false)
                    .fmt_fields(debug_fn(field).delimited(" ")),
            )
            .try_init(),
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()
        }
    };
    Ok(())
}

/// Writes a field so that no text in it can steer a terminal or pass for another line: values are on one line, and further
/// lines of a message are indented.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", visible(&text).replace('\n', "\n    ")),
        // Fields of the `log` crate, which the standard format leaves out, too.
        name if name.starts_with("log.") => Ok(()),
        name => write!(writer, "{name}={}", visible_line(&text)),
    }
}

fn filter(text: &str) -> Result<EnvFilter, LogError> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let wrong = |reason| LogError { filter: text.to_owned(), reason };
    // A word alone is taken as a target; it is a misspelt level far more often, and then nothing is logged.
    for word in text.split(',').map(str::trim) {
        let alone = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic());
        if alone && !LEVELS.contains(&word.to_ascii_lowercase().as_str()) {
            return Err(wrong(format!("{word:?} is not a level ({})", LEVELS.join(", "))));
        }
    }
    // At debug tokio_postgres logs the parameters of statements: numbers and words of people.
    let quiet = if text.contains("tokio_postgres") { "" } else { ",tokio_postgres=warn" };
    EnvFilter::builder().parse(format!("{text}{quiet}")).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn parameters_of_statements_are_logged_only_where_they_are_asked_for() {
        let told = |text: &str| filter(text).map(|filter| filter.to_string()).unwrap_or_default();
        assert!(told("debug").contains("tokio_postgres=warn"), "{}", told("debug"));
        assert!(!told("debug,tokio_postgres=debug").contains("tokio_postgres=warn"));
    }

    #[test]
    fn a_filter_has_levels_and_targets_with_levels() {
        for good in ["info", "INFO", "off", "hookswitch=debug,warn", "hookswitch::intake=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["inof", "hookswitch=loud", "warn,inof"] {
            let error = filter(bad).map(|_| ()).map_err(|error| error.to_string());
            assert!(
                error.as_ref().is_err_and(|error| error.contains("expected for example info")),
                "{bad}: {error:?}"
            );
        }
    }
}
