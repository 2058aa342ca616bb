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
/// Where the settings are wrong, or something cannot be started.
pub async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = match Config::try_from(args) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("error: failed to {errors}");
            return Ok(ExitCode::from(2));
        }
    };
    telemetry::init(&config.logs)?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let app = App::start(&config, &mut |step| tracing::info!("{step}")).await?;
    println!("listening on http://{}", app.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: finishing what is under way");
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}
