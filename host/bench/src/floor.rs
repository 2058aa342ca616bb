//! Accepting events, and its floor: what this machine gives for the same rows without Hookswitch around them.

use std::{path::Path, process::Command};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use hookswitch::{app, config::DatabaseConfig};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{
    database::Database,
    load::{self, Posted},
    program::{Running, Stage},
    rules::event,
    table::{Row, median},
};

/// How often both are measured; the median counts.
const ROUNDS: usize = 3;

/// Events accepted per second by intake alone, beside the floor.
pub async fn measure(program: &Path, events: u32) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::open(program).await?;
    eprintln!(
        "accepting {events} events over {} connections, intake alone, {ROUNDS} times",
        load::CONNECTIONS
    );
    let (mut floors, mut accepted) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // In turn, so that whatever else the machine does falls on both.
        floors.push(accept(&stage, "floor", events).await?.rate());
        stage.database.empty_events().await?;
        accepted.push(accept(&stage, "intake", events).await?.rate());
        stage.database.empty_events().await?;
    }
    stage.close().await?;
    Ok(vec![Row::new("events/s accepted, durable", median(&mut accepted), Some(median(&mut floors)))])
}

async fn accept(stage: &Stage, role: &str, events: u32) -> anyhow::Result<Posted> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).arg(&stage.url);
    let running = Running::start(&mut command)?;
    let url = format!("{}/v1/events", running.url);
    load::post(&stage.client, &url, &stage.key, events as usize / 10, |n| event("warm-up", n)).await?;
    load::post(&stage.client, &url, &stage.key, events as usize, |n| event("accept", n)).await
}

async fn listen() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// Intake without routing and dispatch.
pub async fn serve_intake(url: &str) -> anyhow::Result<()> {
    let database = DatabaseConfig::only(Some(url.into()), std::env::temp_dir());
    let database = app::Database::open(&database, &mut |_| {}).await?;
    Ok(axum::serve(listen().await?, app::intake_alone(database.store.clone())).await?)
}

struct Waiting {
    body: Bytes,
    answer: oneshot::Sender<()>,
}

/// A bare handler that only group-commits the bodies as rows of a table with the event log's columns and indexes, and
/// answers when they are on disk.
pub async fn serve(url: &str) -> anyhow::Result<()> {
    let database = Database::connect(url).await?;
    database.make_event_floor().await?;
    let (sender, mut receiver) = mpsc::channel::<Waiting>(10_000);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        let mut first = 0;
        while receiver.recv_many(&mut batch, 1_000).await > 0 {
            let bodies: Vec<&str> =
                batch.iter().map(|w| std::str::from_utf8(&w.body).unwrap_or_default()).collect();
            if let Err(error) = database.append_event_floor(first, &bodies).await {
                eprintln!("failed to append to the floor's table: {error:#}");
                return;
            }
            first += bodies.len() as i64;
            for waiting in batch.drain(..) {
                let _ = waiting.answer.send(());
            }
        }
    });
    let router = Router::new().route("/v1/events", post(take)).with_state(sender);
    axum::serve(listen().await?, router).await?;
    Ok(())
}

async fn take(State(queue): State<mpsc::Sender<Waiting>>, body: Bytes) -> StatusCode {
    let (answer, answered) = oneshot::channel();
    if queue.send(Waiting { body, answer }).await.is_ok() && answered.await.is_ok() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
