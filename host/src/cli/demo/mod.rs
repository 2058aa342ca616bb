//! `hookswitch demo`: everything on this machine, with a stand-in for WhatsApp, told as it happens.
//!
//! The demo touches nothing that is real: its database is its own ([`place`]), it reads no setting from the
//! environment, its plugins are granted nothing, its people's numbers cannot exist, and what it sends goes to the
//! simulator in this process.

mod people;
mod place;
mod plugins;
mod samples;
mod set_up;
mod show;
mod transcript;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use console::style;
use hookswitch_core::{catalog, domain::Senders};
use hookswitch_simulator::{Settings, Simulator};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tokio::{net::TcpListener, signal::ctrl_c, sync::oneshot, task::spawn_blocking};

use self::place::Place;
use crate::{
    app::{self, App, Listeners},
    config::{AdminConfig, Config, LogConfig, RulesConfig, SandboxConfig, WhatsappConfig},
    telemetry,
};

const HOST_PORT: u16 = 8420;
const SIMULATOR_PORT: u16 = 8421;
const ADMIN_PORT: u16 = 8422;

/// Run everything on this machine with a stand-in for WhatsApp
///
/// Starts a private PostgreSQL, the simulator and a host, posts one sample event for each template, and prints each
/// message until it is read. Touches no real data: settings from the environment are ignored.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Exit after the samples; status 0 if each message was read, waits or was collected
    #[arg(long)]
    exit: bool,

    #[command(flatten)]
    place: Place,

    /// Folder of routes, scripts, templates and cases
    #[arg(long, value_name = "FOLDER", default_value = "rules")]
    rules: PathBuf,

    /// Folder of plugins; those written in Rust are built if needed
    #[arg(long, value_name = "FOLDER", default_value = "plugins")]
    plugins: PathBuf,

    /// What to log, for example `info`
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: String,
}

/// Runs the demo until Ctrl-C, or with `--exit` until the samples are shown.
///
/// # Errors
/// If the database is not the demo's, or a part cannot be started.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&LogConfig { log: args.log.clone(), log_format: Default::default() })?;
    if !args.rules.is_dir() {
        bail!(
            "no rules folder at {}\n  run the demo in the project's folder, or name another folder with --rules",
            args.rules.display()
        );
    }
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {wide_msg} {elapsed:.dim}")?);
    bar.enable_steady_tick(Duration::from_millis(80));
    let place = args.place.claim(&mut |text| step(&bar, text)).await?;
    let shown = show_all(&args, &bar).await;
    bar.finish_and_clear();
    place.close().await;
    shown
}

/// One line of what is done, above the progress bar.
fn step(bar: &ProgressBar, text: &str) {
    bar.set_message(text.to_owned());
    bar.suspend(|| println!("{} {text}", style("·").dim()));
}

async fn show_all(args: &DemoArgs, bar: &ProgressBar) -> anyhow::Result<ExitCode> {
    let (folder, telling) = (args.plugins.clone(), bar.clone());
    spawn_blocking(move || {
        plugins::build(&folder, &|text| step(&telling, &text), &|detail| {
            telling.set_message(detail.to_owned());
        });
    })
    .await?;
    let simulator_listener = listen(SIMULATOR_PORT).await?;
    let simulator_address = simulator_listener.local_addr()?;
    let host_listener = listen(HOST_PORT).await?;
    let host_address = host_listener.local_addr()?;
    let admin_listener = listen(ADMIN_PORT).await?;
    let settings = Settings {
        webhook_url: Some(format!("http://{host_address}/webhooks/whatsapp")),
        ..Settings::default()
    };
    let config = config(args, &settings, host_address, simulator_address);
    if args.plugins.is_dir() {
        // A host starts while plugins are being compiled; the demo waits, so that all of them decide about the samples.
        bar.set_message("compiling plugins");
        let folders = app::folders(&config.rules, &config.database, false)?;
        spawn_blocking(move || drop(catalog::load(&folders))).await?;
    }
    let listeners = Listeners { public: host_listener, admin: Some(admin_listener) };
    let app = App::start(&config, listeners, &mut |text| step(bar, text)).await?;

    let simulator = Simulator::new(settings);
    let (stop_simulator, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(simulator.clone().serve(simulator_listener, async {
        // It ends at a message, and when the sender is dropped.
        let _ = stopped.await;
    }));
    let shown = show_samples(args, app, &simulator, [host_address, simulator_address], bar).await;
    let _ = stop_simulator.send(());
    serving.await??;
    shown
}

async fn show_samples(
    args: &DemoArgs,
    mut app: App,
    simulator: &Simulator,
    [host, stand_in]: [SocketAddr; 2],
    bar: &ProgressBar,
) -> anyhow::Result<ExitCode> {
    bar.set_message("waiting for the host to be ready");
    app.ready().await;
    let catalog = app.catalog().current();
    // Plugins are asked too, which takes a moment.
    let samples = spawn_blocking(move || samples::samples(&catalog, Timestamp::now())).await?;
    let shown = async {
        let key = set_up::set_up(&app, simulator, &samples, bar).await?;
        let style = "{spinner} {bar:24.green} {pos}/{len} {wide_msg} {elapsed:.dim}";
        bar.set_length(samples.len() as u64);
        bar.set_style(ProgressStyle::with_template(style)?);
        let shown = show::show(host, &key, &samples, bar).await?;
        bar.finish_and_clear();
        let code = show::verdict(simulator, &shown);
        if !args.exit {
            if let Some(address) = app.admin_address() {
                show::console(address, app.links(), &key);
            }
            show::invite(host, stand_in, app.admin_address(), &key, samples.first());
            ctrl_c().await.context("cannot wait for Ctrl-C")?;
            println!("\nstopping");
        }
        anyhow::Ok(code)
    };
    let shown = shown.await;
    app.stop().await;
    shown
}

/// The usual port, or a free one where it is taken. It is held from now on: what is started before the host takes its
/// time, in which another demo would take the port.
async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
    };
    listener.context("cannot listen on 127.0.0.1")
}

fn config(args: &DemoArgs, account: &Settings, host: SocketAddr, simulator: SocketAddr) -> Config {
    Config {
        listen: host,
        // Its socket is taken already.
        admin: AdminConfig::default(),
        database: args.place.database(),
        rules: RulesConfig {
            rules: args.rules.clone(),
            plugins: args.plugins.clone(),
            // Without a grant no request leaves this machine.
            sandbox: SandboxConfig::default(),
        },
        whatsapp: WhatsappConfig {
            whatsapp_api_url: format!("http://{simulator}"),
            whatsapp_phone_number_id: Senders::only(&account.phone_number_id),
            whatsapp_business_account_id: Some(account.waba_id.clone()),
            whatsapp_access_token: account.access_token.as_str().into(),
            whatsapp_app_secret: account.app_secret.as_str().into(),
            whatsapp_verify_token: account.verify_token.as_str().into(),
            whatsapp_messages_per_second: 80,
        },
        unknown_for: SignedDuration::from_secs(60),
        keep: None,
        traces: None,
        logs: LogConfig { log: args.log.clone(), log_format: Default::default() },
    }
}
