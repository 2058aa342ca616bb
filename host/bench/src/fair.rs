//! What a normal message waits for: alone, beside a backlog of bulk messages, beside a plugin whose service is slow, and
//! beside a sending number that never answers.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::IntoResponse,
};
use hookswitch::config::stranger;
use hookswitch_simulator::Settings;
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    load,
    program::{Running, Stage, free_address},
    rules,
    table::{Row, percentile},
};

/// Normal messages that are measured beside each.
const MESSAGES: usize = 1_000;
/// Milliseconds from one to the next.
const EVERY: u64 = 20;
/// The sending number that never answers, by Meta's id.
const DEAD: &str = "106540352242999";
/// People in the group of the bulk messages.
const CROWD: u32 = 10_000;

/// What a normal message goes out beside.
#[derive(Clone, Copy)]
enum Beside {
    SlowPlugin,
    DeadNumber,
    Backlog(u32),
}

/// The 99th percentile of the time from POST to the simulator beside each of them; its floor is that alone. Each has a
/// database and a host of its own.
///
/// # Errors
/// Where a part cannot be started, or not run in the project's folder.
pub async fn measure(program: &Path, backlog: u32) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, beside) in [
        ("p99 ms from POST, beside a plugin whose service takes 8 s", Beside::SlowPlugin),
        ("p99 ms from POST, beside a number that never answers", Beside::DeadNumber),
        ("p99 ms from POST, beside a bulk backlog", Beside::Backlog(backlog)),
    ] {
        let (alone, p99) = compare(program, beside).await?;
        rows.push(Row::new(what, p99, Some(alone)));
    }
    Ok(rows)
}

/// Alone, and beside it.
async fn compare(program: &Path, beside: Beside) -> anyhow::Result<(f64, f64)> {
    let crowds = if let Beside::Backlog(backlog) = beside { backlog / CROWD } else { 0 };
    let stage = Stage::open(program).await?;
    stage.database.add_people(crowds.min(1) as i32, CROWD as i32).await?;
    rules::write_fair(&stage.folder.path().join("rules"))?;
    let slow = serve(Router::new().fallback(|| async {
        sleep(Duration::from_secs(8)).await;
        "late"
    }))
    .await?;
    add_slow_plugin(&stage, &slow)?;
    let address = free_address()?;
    let simulator = stage.simulator(address)?;
    let api = Api { client: stage.client.clone(), simulator: simulator.url.clone() };
    let api = serve(Router::new().fallback(forward).with_state(api)).await?;
    let usual = Settings::default().phone_number_id;
    let settings = [
        ("WHATSAPP_MESSAGES_PER_SECOND", "80"),
        ("WHATSAPP_PHONE_NUMBER_ID", &format!("{usual},dead={DEAD}")),
        ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", slow.trim_start_matches("http://")),
        ("HOOKSWITCH_PLUGIN_GRANTS", &format!("hostile={slow}")),
        ("HOOKSWITCH_LOG", "error"),
    ];
    let host = stage.serve(address, &api, &settings).await?;
    let compare = Compare { stage: &stage, host: &host, simulator: &simulator };

    // What is done once only is done then.
    compare.p99("warm").await?;
    let (alone, _) = compare.p99("alone").await?;
    match beside {
        Beside::SlowPlugin => {
            let url = slow.clone();
            compare.post_all("bench.slow", 256, move |n| json!({"do": "http", "url": url, "n": n})).await?;
        }
        Beside::DeadNumber => {
            let data = |n: usize| json!({"to": format!("44700{n:07}"), "number": n.to_string()});
            compare.post_all("bench.dead", 2_000, data).await?;
        }
        Beside::Backlog(_) => {
            compare.post_all("bench.bulk", crowds as usize, |n| json!({"number": n.to_string()})).await?;
            compare.is_planned(i64::from(crowds * CROWD)).await?;
            stage.database.settle().await?;
        }
    }
    let (p99, waiting) = compare.p99("beside").await?;
    anyhow::ensure!(crowds == 0 || waiting > 0, "keep bulk messages waiting while normal ones are measured");
    drop(host);
    drop(simulator);
    stage.close().await?;
    Ok((alone, p99))
}

struct Compare<'a> {
    stage: &'a Stage,
    host: &'a Running,
    simulator: &'a Running,
}

impl Compare<'_> {
    async fn post_all(
        &self,
        kind: &'static str,
        count: usize,
        data: impl Fn(usize) -> Value + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        eprintln!("posting {count} events of {kind}");
        let url = format!("{}/v1/events", self.host.url);
        let body = move |n: usize| {
            json!({"type": kind, "source": "/bench", "id": format!("{kind}-{n}"), "subject": format!("{kind}-{n}"), "data": data(n)}).to_string()
        };
        load::post(&self.stage.client, &url, &self.stage.key, count, body).await?;
        Ok(())
    }

    async fn is_planned(&self, bulk: i64) -> anyhow::Result<()> {
        eprintln!("waiting until {bulk} bulk messages are planned");
        let start = Instant::now();
        // Bulk is the third priority.
        while self.stage.database.count_planned(2).await? < bulk {
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(900),
                "plan {bulk} messages within 15 minutes"
            );
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Milliseconds, and how many bulk messages wait after it.
    async fn p99(&self, run: &str) -> anyhow::Result<(f64, i64)> {
        eprintln!("posting {MESSAGES} normal messages ({run})");
        let client = &self.stage.client;
        let url = format!("{}/v1/events", self.host.url);
        let mut posted = HashMap::new();
        for n in 0..MESSAGES {
            let to = format!("2637{}{n:05}", run.bytes().map(u32::from).sum::<u32>() % 1_000);
            let body = json!({"type": "bench.normal", "source": "/bench", "id": format!("{run}-{n}"), "subject": to,
                "data": {"to": to, "number": n.to_string()}});
            posted.insert(to, Timestamp::now());
            load::post_one(client, &url, &self.stage.key, body.to_string()).await?;
            sleep(Duration::from_millis(EVERY)).await;
        }
        let mut times = Vec::new();
        let start = Instant::now();
        while times.len() < MESSAGES {
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(180),
                "deliver normal messages ({run}) within three minutes"
            );
            sleep(Duration::from_millis(500)).await;
            times = received(client, &self.simulator.url, &posted).await?;
        }
        times.sort_by(f64::total_cmp);
        let waiting = self.stage.database.count_planned(2).await?;
        Ok((percentile(&times, 99), waiting))
    }
}

/// Milliseconds from the post to the arrival of each of these messages that the simulator has.
async fn received(
    client: &Client,
    simulator: &str,
    posted: &HashMap<String, Timestamp>,
) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for (to, at) in posted {
        let listed: Value =
            client.get(format!("{simulator}/_simulator/messages?to={to}")).send().await?.json().await?;
        let message = listed["data"].as_array().and_then(|all| all.first().cloned());
        let Some(message) = message else { return Ok(Vec::new()) };
        let received =
            message["received_at"].as_str().context("read when the simulator received a message")?;
        times.push(received.parse::<Timestamp>()?.duration_since(*at).as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

/// The plugin of the tests that asks a service, as the event says.
fn add_slow_plugin(stage: &Stage, service: &str) -> anyhow::Result<()> {
    let status = stranger(&stage.program)
        .args(["plugin", "build", "hostile", "--plugins", "tests"])
        .stdout(Stdio::null())
        .status()
        .context("build a plugin")?;
    anyhow::ensure!(status.success(), "build tests/hostile: run this in the project's folder");
    let folder = stage.folder.path().join("plugins/hostile");
    fs::create_dir_all(folder.join("templates"))?;
    fs::copy("tests/hostile/hostile.wasm", folder.join("hostile.wasm"))?;
    let manifest = format!(
        "id: hostile\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Nobody\non: [bench.slow]\nlimits:\n  time: 10s\n\
         http: [\"{service}\"]\non_failure: skip\n"
    );
    Ok(fs::write(folder.join("plugin.yaml"), manifest)?)
}

async fn serve(routes: Router) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(url)
}

#[derive(Clone)]
struct Api {
    client: Client,
    simulator: String,
}

/// Hands requests on to the simulator; those of the dead number are never answered.
async fn forward(
    State(api): State<Api>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    if uri.path().contains(DEAD) {
        std::future::pending::<()>().await;
    }
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let mut request = api.client.request(method, format!("{}{path}", api.simulator)).body(body);
    for name in ["authorization", "content-type"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    match request.send().await {
        Ok(answer) => (answer.status(), answer.bytes().await.unwrap_or_default()),
        Err(_) => (StatusCode::BAD_GATEWAY, Bytes::new()),
    }
}
