//! `hookswitch bench`: runs the built program against the simulator on this machine, and prints what it does,
//! each figure beside its floor measured in the same run.

mod check;
mod crowd;
mod decisions;
mod floor;
mod load;
mod usage;

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::spawn_blocking, time::sleep};

use self::{load::Posted, usage::usage};
use crate::{
    config::{DatabaseConfig, Secret},
    intake::{ApiKey, Scope},
    postgres,
    store::Store,
};

const GROUPS: i32 = 2_000;
const MEMBERS: i32 = 10;
/// How often the floor and the intake alone are measured; the median counts.
const ROUNDS: usize = 3;
/// Events that are posted when the host is idle, one after the other.
const IDLE_EVENTS: usize = 200;
/// Rows in one of routing's transactions: 500 events of ten recipients.
const NOTIFICATION_BATCH: i64 = 5_000;

/// Measures this machine. Needs nothing running; uses a PostgreSQL of its own in a temporary folder.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Events for the intake alone.
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    accept: u32,

    /// Events of ten recipients each for the whole way.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=40_000))]
    deliver: u32,

    /// Seconds for which an old snapshot is held open while messages are delivered.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    snapshot_seconds: u64,

    #[command(subcommand)]
    role: Option<Role>,
}

/// What the benchmark runs beside itself.
#[derive(Subcommand, Clone, Debug)]
enum Role {
    /// The floor for accepting events.
    #[command(hide = true)]
    Floor(DatabaseConfig),
    /// Intake without routing and dispatch.
    #[command(hide = true)]
    Intake(DatabaseConfig),
    /// Only what a decision costs: of a route, a script and a plugin. Run it in the project's folder.
    Decisions,
    /// Only how long the set-up check takes, with 100,000 people and a million notifications.
    Check,
}

/// Runs the benchmark.
///
/// # Errors
/// Where a part cannot be started or gives a wrong answer.
pub async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    match &args.role {
        Some(Role::Floor(database)) => {
            let (listener, store) = listen(database).await?;
            floor::serve(listener, store).await?;
        }
        Some(Role::Intake(database)) => {
            let (listener, store) = listen(database).await?;
            axum::serve(listener, crate::app::intake_alone(store)).await?;
        }
        Some(Role::Check) => check::measure().await?,
        Some(Role::Decisions) => spawn_blocking(decisions::measure).await??,
        None => measure(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn listen(database: &DatabaseConfig) -> anyhow::Result<(TcpListener, Store)> {
    let database = crate::app::Database::open(database, &mut |_| {}).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok((listener, database.store.clone()))
}

/// A child process, killed when dropped.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    /// Starts this program with other arguments and waits for the address on its first line.
    fn start(command: &mut Command) -> anyhow::Result<Running> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("start a part of the benchmark")?;
        let stdout = child.stdout.take().context("read what the part says")?;
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first).context("read what the part says")?;
        let Some(url) = first.trim().strip_prefix("listening on ") else {
            let _ = child.kill();
            anyhow::bail!("start a part of the benchmark: it said {first:?}");
        };
        Ok(Running { url: url.to_owned(), child })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Row {
    what: &'static str,
    figure: String,
    floor: String,
    ratio: String,
}

impl Row {
    fn new(what: &'static str, figure: f64, floor: Option<f64>) -> Row {
        let number = |n: f64| if n >= 100.0 { format!("{n:.0}") } else { format!("{n:.2}") };
        Row {
            what,
            figure: number(figure),
            floor: floor.map(number).unwrap_or_default(),
            ratio: floor.map(|floor| format!("{:.2}", figure / floor)).unwrap_or_default(),
        }
    }
}

async fn measure(args: &BenchArgs) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: take the ratios, or run it with --release");
    }
    let folder = tempfile::Builder::new().prefix("hookswitch-bench-").tempdir().context("make a folder")?;
    let data_dir = folder.path().join("data");
    let server =
        spawn_blocking(move || postgres::start(&data_dir, &mut |step| eprintln!("{step}"))).await??;
    let url = server.url(postgres::DATABASE);
    let database = DatabaseConfig {
        database_url: Some(Secret::from(url.as_str())),
        data_dir: folder.path().join("unused"),
    };
    let opened = crate::app::Database::open(&database, &mut |step| eprintln!("{step}")).await?;
    let store = opened.store.clone();
    let key = ApiKey::create(&store, "bench", &[Scope::Events, Scope::Read]).await?;
    let program = std::env::current_exe().context("find this program")?;
    let bench = |role: &str| {
        let mut command = Command::new(&program);
        command.args(["bench", role]).env("DATABASE_URL", &url);
        command
    };
    let client = load::client()?;
    let mut rows = Vec::new();

    eprintln!(
        "accepting {} events over {} connections, intake alone, {ROUNDS} times",
        args.accept,
        load::CONNECTIONS
    );
    let (mut floors, mut accepted) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // In turn, so that what else the machine does falls on both.
        floors.push(accept(&client, &mut bench("floor"), &key, args.accept).await?.rate());
        store.forget_bench_events().await?;
        accepted.push(accept(&client, &mut bench("intake"), &key, args.accept).await?.rate());
        store.forget_bench_events().await?;
    }
    let floor = median(&mut floors);
    rows.push(Row::new("events/s accepted, durable", median(&mut accepted), Some(floor)));

    store.seed_bench(GROUPS, MEMBERS).await?;
    let rules = folder.path().join("rules");
    write_rules(&rules)?;
    let host_address = free_address()?;
    let mut command = Command::new(&program);
    command.args(["simulate", "--listen", "127.0.0.1:0", "--unlimited", "--window", "off"]);
    command.args(["--webhook-url", &format!("http://{host_address}/webhooks/whatsapp")]);
    let simulator = Running::start(&mut command)?;
    let account = crate::simulator::Settings::default();
    let serve = || {
        let mut command = Command::new(&program);
        command
            .arg("serve")
            .env("DATABASE_URL", &url)
            .env("HOOKSWITCH_LISTEN", host_address.to_string())
            .env("HOOKSWITCH_RULES", &rules)
            .env("HOOKSWITCH_PLUGINS", rules.join("no-plugins"))
            .env("WHATSAPP_API_URL", &simulator.url)
            .envs(account.environment())
            .env("WHATSAPP_MESSAGES_PER_SECOND", "1000000")
            .env("HOOKSWITCH_LOG", "warn");
        Running::start(&mut command)
    };
    let host = serve()?;
    wait_ready(&client, &host.url).await?;

    eprintln!("posting {IDLE_EVENTS} events one by one to an idle host");
    let (p50, p99) = idle(&client, &host.url, &simulator.url, &key).await?;

    let stage = Stage {
        client: client.clone(),
        store: store.clone(),
        host: host.url.clone(),
        simulator: simulator.url.clone(),
        key,
    };
    let events = args.deliver as usize;
    let messages = events * MEMBERS as usize;
    let (host_before, pg_before) = (usage(host.child.id()), usage(server.pid()));
    let wal_before = store.wal_position().await?;
    let base = stage.deliver("deliver", events).await?;
    let wal = store.wal_position().await? - wal_before;
    let (host_after, pg_after) = (usage(host.child.id()), usage(server.pid()));

    eprintln!("inserting the same notification rows in the same batches: the floor");
    let inserted = notification_floor(&store, messages as i64).await?;
    let wal_floor = store.notification_bytes().await? / messages as f64;
    let per_thousand = |after: f64, before: f64| (after - before) / messages as f64 * 1_000.0;
    rows.push(Row::new("events/s accepted on the way", base.accepted, Some(floor)));
    rows.push(Row::new("events/s routed", base.routed, Some(inserted / f64::from(MEMBERS))));
    rows.push(Row::new("messages/s delivered", base.delivered, Some(inserted)));
    rows.push(Row::new("WAL bytes per message", wal / messages as f64, Some(wal_floor)));
    rows.push(Row::new("ms from POST to the simulator, idle, p50", p50, None));
    rows.push(Row::new("ms from POST to the simulator, idle, p99", p99, None));
    rows.push(Row::new(
        "CPU s per 1,000 messages, host",
        per_thousand(host_after.cpu_seconds, host_before.cpu_seconds),
        None,
    ));
    rows.push(Row::new(
        "CPU s per 1,000 messages, PostgreSQL",
        per_thousand(pg_after.cpu_seconds, pg_before.cpu_seconds),
        None,
    ));
    rows.push(Row::new("MiB resident, host", host_after.resident_mib, None));
    drop(host);
    rows.extend(crowd::measure(&stage, &mut || serve(), args, base.delivered).await?);
    print(&rows);
    drop(simulator);
    drop(opened);
    spawn_blocking(move || server.stop()).await?;
    Ok(())
}

/// What messages are delivered with.
struct Stage {
    client: reqwest::Client,
    store: Store,
    host: String,
    simulator: String,
    key: String,
}

/// What came of posting events, per second.
struct Delivered {
    accepted: f64,
    routed: f64,
    /// Messages that the simulator took.
    delivered: f64,
}

impl Stage {
    /// Posts so many events of ten recipients each, and waits until the simulator has all of their messages.
    async fn deliver(&self, run: &'static str, events: usize) -> anyhow::Result<Delivered> {
        let messages = events * MEMBERS as usize;
        eprintln!("delivering {messages} messages of {events} events ({run})");
        let start = Instant::now();
        let before = received(&self.client, &self.simulator).await?;
        let routed_before = self.store.count_routed().await?;
        let posting = tokio::spawn({
            let (client, url, key) =
                (self.client.clone(), format!("{}/v1/events", self.host), self.key.clone());
            async move { load::post(&client, &url, &key, events, move |n| event(run, n)).await }
        });
        let mut routed_time = None;
        loop {
            if routed_time.is_none() && self.store.count_routed().await? - routed_before >= events as i64 {
                routed_time = Some(start.elapsed());
            }
            if received(&self.client, &self.simulator).await? - before >= messages {
                break;
            }
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(600),
                "deliver all messages within ten minutes"
            );
            sleep(Duration::from_millis(50)).await;
        }
        let time = start.elapsed();
        let routed_time = routed_time.unwrap_or(time);
        Ok(Delivered {
            accepted: posting.await??.rate(),
            routed: events as f64 / routed_time.as_secs_f64(),
            delivered: messages as f64 / time.as_secs_f64(),
        })
    }
}

async fn accept(
    client: &reqwest::Client,
    command: &mut Command,
    key: &str,
    events: u32,
) -> anyhow::Result<Posted> {
    let running = Running::start(command)?;
    let url = format!("{}/v1/events", running.url);
    load::post(client, &url, key, events as usize / 10, |n| event("warm-up", n)).await?;
    load::post(client, &url, key, events as usize, |n| event("accept", n)).await
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// An order of some 500 bytes, for the group whose turn it is.
fn event(run: &str, n: usize) -> String {
    json!({
        "type": "bench.event",
        "source": "/bench",
        "id": format!("{run}-{n}"),
        "subject": format!("order-{n}"),
        "data": {
            "group": format!("bench-{}", n % GROUPS as usize),
            "order": {
                "id": n, "number": format!("SO-{n}"), "amount": 1250.5, "currency": "USD",
                "customer": {"full_name": "Tendai Moyo", "contact": {"name": "Tendai", "wa_id": "263770000000"}},
                "lines": [{"name": "Panel 550 W", "quantity": 8}, {"name": "Inverter 5 kVA", "quantity": 1}],
                "address": "12 Samora Machel Avenue, Harare", "note": "Please call before you come."
            }
        }
    })
    .to_string()
}

fn write_rules(rules: &std::path::Path) -> anyhow::Result<()> {
    let domain = rules.join("bench");
    std::fs::create_dir_all(domain.join("templates"))?;
    std::fs::write(rules.join("groups.yaml"), "- name: bench-0\n  description: For the benchmark\n")?;
    std::fs::write(domain.join("routes.yaml"), "- on: bench.event\n  script: bench.rhai\n")?;
    std::fs::write(
        domain.join("bench.rhai"),
        "fn decide(event) {\n    let order = event.data.order;\n    #{\n        template: \"bench\",\n        \
         groups: [event.data.group],\n        context: #{\n            number: order.number,\n            \
         customer: first(order.customer.full_name, \"Customer\"),\n            amount: money(order.amount)\n        }\n    }\n}\n",
    )?;
    std::fs::write(
        domain.join("templates/bench.j2"),
        "---\ndescription: For the benchmark\ncategory: utility\nlanguage: en_US\n---\n\
         *New order* {{ number }}\nCustomer: {{ customer }}\nAmount: {{ amount }} USD, thank you.\n",
    )?;
    Ok(())
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn wait_ready(client: &reqwest::Client, url: &str) -> anyhow::Result<()> {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !client.get(format!("{url}/readyz")).send().await?.status().is_success() {
        anyhow::ensure!(Instant::now() < give_up, "see the host ready within 30 s");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn received(client: &reqwest::Client, simulator: &str) -> anyhow::Result<usize> {
    let stats: Value = client.get(format!("{simulator}/_simulator/stats")).send().await?.json().await?;
    let accepted = stats["accepted"].as_u64().context("read the simulator's count of accepted messages")?;
    Ok(accepted as usize)
}

/// Posts to an idle host, and returns p50 and p99 of the time to the first of the ten sends, in milliseconds.
async fn idle(
    client: &reqwest::Client,
    host: &str,
    simulator: &str,
    key: &str,
) -> anyhow::Result<(f64, f64)> {
    let mut times = Vec::with_capacity(IDLE_EVENTS);
    for n in 0..IDLE_EVENTS {
        let before = received(client, simulator).await?;
        let posted = Timestamp::now();
        let answer = client
            .post(format!("{host}/v1/events"))
            .bearer_auth(key)
            .header("content-type", "application/json")
            .body(event("idle", n))
            .send()
            .await?;
        anyhow::ensure!(answer.status().as_u16() == 202, "post an event: HTTP {}", answer.status());
        while received(client, simulator).await? < before + MEMBERS as usize {
            sleep(Duration::from_millis(2)).await;
        }
        // Whatever of the statuses is still under way ends before the next post.
        sleep(Duration::from_millis(30)).await;
        let newest: Value = client
            .get(format!("{simulator}/_simulator/messages?after={before}"))
            .send()
            .await?
            .json()
            .await?;
        let first = newest["data"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|message| message["received_at"].as_str()?.parse::<Timestamp>().ok())
            .min()
            .context("read when the simulator received the messages")?;
        times.push(first.duration_since(posted).as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[IDLE_EVENTS / 2], times[IDLE_EVENTS * 99 / 100]))
}

async fn notification_floor(store: &Store, rows: i64) -> anyhow::Result<f64> {
    store.make_notification_floor().await?;
    let start = Instant::now();
    let mut inserted = 0;
    for offset in (0..rows).step_by(NOTIFICATION_BATCH as usize) {
        inserted += store.copy_notifications(offset, NOTIFICATION_BATCH).await?;
    }
    Ok(inserted as f64 / start.elapsed().as_secs_f64())
}

fn print(rows: &[Row]) {
    println!("{:<42} {:>12} {:>12} {:>7}", "", "figure", "floor", "ratio");
    for row in rows {
        println!("{:<42} {:>12} {:>12} {:>7}", row.what, row.figure, row.floor, row.ratio);
    }
}
