//! `hookswitch demo`: everything on this machine, with a stand-in for WhatsApp, told as it happens.

mod people;
mod samples;
mod transcript;

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use console::style;
use hookswitch_core::domain::Senders;
use hookswitch_simulator::{Settings, Simulator};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{signal::ctrl_c, sync::oneshot, task::spawn_blocking, time::sleep};

use self::samples::Sample;
use super::plugin::for_demo;
use crate::{
    app::App,
    config::{Config, DatabaseConfig, LogConfig, RulesConfig, WhatsappConfig},
    http::{ApiKey, Scope},
    telemetry,
};

const HOST_PORT: u16 = 8420;
const SIMULATOR_PORT: u16 = 8421;
/// How long a sample's messages may take to be read.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Shows everything at work on this machine: a private PostgreSQL, a stand-in for WhatsApp, the rules.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// End after the samples; status 0 only if each expected message was read.
    #[arg(long)]
    exit: bool,

    #[command(flatten)]
    database: DatabaseConfig,

    #[command(flatten)]
    rules: RulesConfig,

    /// What to log besides, such as `info`.
    #[arg(long, default_value = "error")]
    log: String,
}

/// Runs the demo until Ctrl-C, or with `--exit` until the samples are read.
///
/// # Errors
/// Where a part cannot be started, or a message is not read in time.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&LogConfig { log: args.log.clone(), log_format: Default::default() })?;
    if !args.rules.rules.is_dir() {
        bail!(
            "find the rules: there is no folder {}; run the demo in the project's folder, or name one with --rules",
            args.rules.rules.display()
        );
    }
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}")?);
    bar.enable_steady_tick(Duration::from_millis(80));
    let plugins = args.rules.plugins.clone();
    let mut told = {
        let bar = bar.clone();
        move |step: String| bar.suspend(|| println!("{} {step}", style("·").dim()))
    };
    spawn_blocking(move || for_demo(&plugins, &mut told)).await?;
    let simulator_listener = listen(SIMULATOR_PORT)?;
    let simulator_address = simulator_listener.local_addr()?;
    let host_address = listen(HOST_PORT)?.local_addr()?;
    let settings = Settings {
        webhook_url: Some(format!("http://{host_address}/webhooks/whatsapp")),
        ..Settings::default()
    };
    let config = config(&args, &settings, host_address, simulator_address);
    let mut app = App::start(&config, &mut |step| {
        bar.set_message(step.to_owned());
        bar.suspend(|| println!("{} {step}", style("·").dim()));
    })
    .await?;

    let simulator = Simulator::new(settings);
    let (stop_simulator, stopped) = oneshot::channel::<()>();
    simulator_listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(simulator_listener)?;
    let serving = tokio::spawn(simulator.clone().serve(listener, async {
        // Dropped or told, it ends.
        let _ = stopped.await;
    }));

    bar.set_message("waiting for the lanes");
    app.ready().await;
    let catalog = app.catalog().current();
    // Plugins are asked, too, which takes its time.
    let samples = spawn_blocking(move || samples::samples(&catalog, Timestamp::now())).await?;
    let key = set_up(&app, &simulator, &samples, &bar).await?;
    bar.set_length(samples.len() as u64);
    bar.set_style(ProgressStyle::with_template("{spinner} {bar:24.green} {pos}/{len} {msg} {elapsed:.dim}")?);
    let expected = show(host_address, &key, &samples, &bar).await;
    bar.finish_and_clear();
    let code = match expected {
        Ok(expected) => verdict(&simulator, &expected),
        Err(error) => {
            eprintln!("error: failed to {error:#}");
            ExitCode::FAILURE
        }
    };
    if !args.exit {
        invite(host_address, simulator_address, &key, samples.first());
        ctrl_c().await.context("wait for Ctrl-C")?;
        println!("\nstopping");
    }
    app.stop().await;
    let _ = stop_simulator.send(());
    serving.await??;
    Ok(code)
}

/// The usual port, or a free one where it is taken.
fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    usual.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).context("listen on 127.0.0.1")
}

fn config(args: &DemoArgs, account: &Settings, host: SocketAddr, simulator: SocketAddr) -> Config {
    Config {
        listen: host,
        database: args.database.clone(),
        rules: args.rules.clone(),
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
        logs: LogConfig { log: args.log.clone(), log_format: Default::default() },
    }
}

/// Groups, people, open windows and a key. A repeated call changes nothing but the key.
async fn set_up(
    app: &App,
    simulator: &Simulator,
    samples: &[Sample],
    bar: &ProgressBar,
) -> anyhow::Result<String> {
    let store = app.store();
    let catalog = app.catalog().current();
    let groups: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
    store.create_groups(&groups).await?;
    let people = people::people();
    store.import_people(&people, &mut |_| {}).await?;
    bar.suspend(|| {
        println!("{} {} groups and {} people are there", style("·").dim(), groups.len(), people.len());
    });

    bar.set_message("everybody writes in, which opens their 24-hour window");
    let began = Timestamp::now();
    let mut writers: BTreeSet<String> = BTreeSet::new();
    for person in &people {
        let Some(wa_id) = &person.address else { continue };
        simulator.inbound(wa_id, &person.name, "Good morning!").map_err(anyhow::Error::msg)?;
        writers.insert(wa_id.clone());
    }
    for contact in samples.iter().flat_map(|sample| &sample.contacts) {
        if writers.insert(contact.clone()) {
            simulator
                .inbound(contact, "A customer", "Hello, I have a question.")
                .map_err(anyhow::Error::msg)?;
        }
    }
    let give_up = Instant::now() + PATIENCE;
    loop {
        let contacts = store.contacts(&writers).await?;
        // Meta's times have whole seconds.
        let open = contacts
            .values()
            .filter(|contact| contact.last_inbound_at.is_some_and(|at| at.as_second() >= began.as_second()));
        if open.count() == writers.len() {
            break;
        }
        if Instant::now() > give_up {
            bail!("see everybody's message come in through the webhook");
        }
        sleep(LOOK_AGAIN).await;
    }
    bar.suspend(|| {
        println!("{} {} people wrote in: their 24-hour windows are open", style("·").dim(), writers.len())
    });
    Ok(ApiKey::replace(store, "demo", &[Scope::Events, Scope::Read]).await?)
}

/// Posts the samples over HTTP, one after the other, and tells what comes of each. Returns the ids of the
/// notifications that must have been read.
async fn show(
    host: SocketAddr,
    key: &str,
    samples: &[Sample],
    bar: &ProgressBar,
) -> anyhow::Result<Vec<String>> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let mut expected = Vec::new();
    for (n, sample) in samples.iter().enumerate() {
        bar.set_message(sample.kind.clone());
        let start = Instant::now();
        let answer = client
            .post(format!("http://{host}/v1/events"))
            .bearer_auth(key)
            .json(&sample.body)
            .send()
            .await?;
        let status = answer.status();
        let accepted: Value = answer.json().await?;
        let Some(id) = accepted["id"].as_str().filter(|_| status.as_u16() == 202) else {
            bail!("post the sample {:?}: HTTP {status}: {accepted}", sample.name);
        };
        let history = loop {
            let url = format!("http://{host}/v1/events/{id}");
            let history: Value = client.get(url).bearer_auth(key).send().await?.json().await?;
            let progress = transcript::progress(&history);
            bar.set_message(format!(
                "{}: {} of {} read",
                sample.kind, progress.ended, progress.notifications
            ));
            if history["routed"] == true && progress.ended == progress.notifications {
                break history;
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "see the messages of {:?} read within {} s: {history:#}",
                    sample.name,
                    PATIENCE.as_secs()
                );
            }
            sleep(LOOK_AGAIN).await;
        };
        if !transcript::told_somebody(&history) {
            bail!("tell anybody of {:?}: {history:#}", sample.name);
        }
        expected.extend(transcript::expected(&history));
        bar.suspend(|| transcript::tell(n + 1, samples.len(), sample, &history, start.elapsed()));
        bar.inc(1);
    }
    Ok(expected)
}

/// What the simulator saw: every expected message must have been read there.
fn verdict(simulator: &Simulator, expected: &[String]) -> ExitCode {
    let read: BTreeSet<String> = simulator
        .messages()
        .into_iter()
        .filter(|message| message.statuses.iter().any(|reached| reached.status.as_str() == "read"))
        .filter_map(|message| {
            let request: Value = serde_json::from_str(message.request.get()).ok()?;
            let data = request["biz_opaque_callback_data"].as_str()?;
            data.split(':').next().map(str::to_owned)
        })
        .collect();
    let missing = expected.iter().filter(|id| !read.contains(*id)).count();
    println!();
    if missing == 0 {
        println!("{} all {} messages were read", style("✓").green().bold(), expected.len());
        ExitCode::SUCCESS
    } else {
        println!("{} {missing} of {} messages were not read", style("✗").red().bold(), expected.len());
        ExitCode::FAILURE
    }
}

fn invite(host: SocketAddr, simulator: SocketAddr, key: &str, sample: Option<&Sample>) {
    let body = sample.map(|sample| sample.body.to_string().replace('\'', r"'\''")).unwrap_or_default();
    println!("\n{}", style("Post an event yourself:").bold());
    println!("  KEY={key}");
    println!(
        "  curl http://{host}/v1/events -H \"Authorization: Bearer $KEY\" -H \"Content-Type: application/json\" \\"
    );
    println!("    -d '{body}'");
    println!("{}", style("See what came of it, and what the stand-in for WhatsApp received:").bold());
    println!("  curl http://{host}/v1/events/ID -H \"Authorization: Bearer $KEY\"");
    println!("  curl http://{simulator}/_simulator/messages");
    println!(
        "{}",
        style("Change a rule in rules/ and post again: it is live within two seconds. Ctrl-C ends.").dim()
    );
}
