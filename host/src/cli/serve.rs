//! `hookswitch serve`: the service, until it is told to stop.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::App,
    config::{Config, ServeArgs},
    telemetry,
};

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// Where something cannot be started, or a part of the service ends by itself.
pub async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = match Config::try_from(args) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("error: failed to {errors}");
            return Ok(ExitCode::from(2));
        }
    };
    telemetry::init(&config.logs)?;
    for risk in config.risks(std::env::args()) {
        tracing::warn!("{risk}");
    }
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut app = App::start(&config, &mut |step| tracing::info!("{step}")).await?;
    println!("listening on http://{}", app.address());
    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        part = app.failed() => Some(part),
    };
    tracing::info!("stopping: finishing what is under way");
    app.stop().await;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(part) => anyhow::bail!("go on: {part} ended; start this host anew"),
    }
}
