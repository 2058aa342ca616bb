//! Whether delivering slows down while people look at the console.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::StreamExt;
use reqwest::{Client, redirect::Policy};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Sizes,
    deliver::Way,
    program::{Stage, free_address},
    rules::{self, GROUPS, MEMBERS},
    table::{Row, median, percentile},
};

/// People who look.
const VIEWERS: usize = 20;
/// Each looks at one of these, and sees it follow what happens.
const PAGES: [&str; 5] = ["/", "/events", "/messages", "/waiting", "/failed"];
/// Without viewers and with them in turn, so that a machine that slows down slows down both.
const RUNS: [(&str, &str); 3] =
    [("alone-1", "viewers-1"), ("alone-2", "viewers-2"), ("alone-3", "viewers-3")];
/// A page rests for so many times as long as it took, as the console's own script does.
const REST: u32 = 20;
/// What may be lost, in percent.
const AIM: f64 = 3.0;

/// Messages per second without viewers and with them, and how long their pages took.
pub async fn measure(program: &Path, sizes: &Sizes) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::open(program).await?;
    stage.database.add_people(GROUPS as i32, MEMBERS as i32).await?;
    rules::write(&stage.folder.path().join("rules"))?;
    let (address, admin) = (free_address()?, free_address()?);
    let simulator = stage.simulator(address)?;
    let listen = admin.to_string();
    let host = stage.serve(address, &simulator.url, &[("HOOKSWITCH_ADMIN_LISTEN", listen.as_str())]).await?;
    let way = Way { stage: &stage, host: host.url.clone(), simulator: simulator.url.clone() };
    let events = (sizes.deliver / 2) as usize;
    // Caches are filled, and plans made.
    way.deliver("viewers-0", events / 4).await?;

    let (mut alone, mut watched, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    for (run, with) in RUNS {
        alone.push(way.deliver(run, events).await?.delivered);
        let audience = Audience::open(&format!("http://{admin}"), &stage.key).await?;
        watched.push(way.deliver(with, events).await?.delivered);
        pages.extend(audience.close().await?);
    }
    drop(host);
    drop(simulator);
    stage.close().await?;
    anyhow::ensure!(!pages.is_empty(), "see pages follow what happens");
    pages.sort_by(f64::total_cmp);
    let (alone, watched) = (median(&mut alone), median(&mut watched));
    Ok(vec![
        Row::new("messages/s delivered, 20 viewers of the console", watched, Some(alone)),
        Row::new("% lost with 20 viewers (floor: the aim)", 100.0 * (1.0 - watched / alone), Some(AIM)),
        Row::new("pages looked at", pages.len() as f64, None),
        Row::new("ms for a page, p95 (floor: the aim)", percentile(&pages, 95), Some(100.0)),
    ])
}

/// People who look at pages.
struct Audience {
    viewers: JoinSet<anyhow::Result<Vec<f64>>>,
    /// Whether they stop looking.
    stopped: Arc<AtomicBool>,
}

impl Audience {
    async fn open(url: &str, key: &str) -> anyhow::Result<Audience> {
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(Policy::none())
            .build()
            .context("look")?;
        let stopped = Arc::<AtomicBool>::default();
        let mut viewers = JoinSet::new();
        for n in 0..VIEWERS {
            let form = format!("key={key}");
            let login = client
                .post(format!("{url}/login"))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form);
            let answer = login.send().await?;
            let cookie = answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
            let cookie =
                cookie.and_then(|cookie| cookie.split(';').next()).context("log in to the console")?;
            let page = format!("{url}{}", PAGES[n % PAGES.len()]);
            let viewer =
                look(client.clone(), format!("{url}/live"), page, cookie.to_owned(), stopped.clone());
            viewers.spawn(viewer);
        }
        // Each has its first page.
        sleep(Duration::from_secs(1)).await;
        Ok(Audience { viewers, stopped })
    }

    /// How long their pages took, in milliseconds.
    async fn close(mut self) -> anyhow::Result<Vec<f64>> {
        self.stopped.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        while let Some(viewer) = self.viewers.join_next().await {
            times.extend(viewer??);
        }
        Ok(times)
    }
}

/// Asks for a page whenever the stream says that something changed.
async fn look(
    client: Client,
    live: String,
    page: String,
    cookie: String,
    stopped: Arc<AtomicBool>,
) -> anyhow::Result<Vec<f64>> {
    let mut stream =
        client.get(live).header("cookie", &cookie).send().await?.error_for_status()?.bytes_stream();
    let mut times = Vec::new();
    let mut is_told = true;
    let mut rests_until = Instant::now();
    loop {
        if is_told && Instant::now() >= rests_until {
            is_told = false;
            let began = Instant::now();
            let answer = client.get(&page).header("cookie", &cookie).send().await?.error_for_status()?;
            answer.bytes().await?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            rests_until = Instant::now() + REST * began.elapsed();
        }
        if stopped.load(Ordering::Relaxed) {
            return Ok(times);
        }
        // The stream says something every few seconds.
        let said = tokio::time::timeout(Duration::from_millis(500), stream.next()).await;
        match said {
            Ok(Some(said)) => is_told |= said?.starts_with(b"event"),
            Ok(None) => anyhow::bail!("look at the console: the stream ended"),
            Err(_) => {}
        }
    }
}
