//! `hookswitch serve`: the service, until SIGTERM or SIGINT.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use crate::{
    app::{App, Listeners},
    config::{Config, DatabaseConfig, ServeArgs},
    telemetry,
};

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// If something cannot be started, or a part of the service ends by itself.
pub async fn run(args: ServeArgs, database: DatabaseConfig) -> anyhow::Result<ExitCode> {
    let config = Config::new(args, database).map_err(|errors| {
        Failure::usage(errors.to_string()).help("for all settings: hookswitch serve --help")
    })?;
    telemetry::init(&config.logs)?;
    for risk in config.risks(std::env::args()) {
        tracing::warn!("{risk}");
    }
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let listeners = Listeners::bind(&config).await?;
    let mut app = App::start(&config, listeners, &mut |step| tracing::info!("{step}")).await?;
    println!("listening on http://{}", app.address());
    if let Some(address) = app.admin_address() {
        println!("metrics on http://{address}/metrics");
    }
    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        part = app.failed() => Some(part),
    };
    tracing::info!("stopping: finishing work in progress");
    app.stop().await;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(part) => anyhow::bail!("{part} ended unexpectedly; restart this host"),
    }
}
