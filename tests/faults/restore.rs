//! A backup that is put back in the place of a database that is lost. What was accepted after it was begun may be gone,
//! and what was sent since may be sent again; nothing that is accepted afterwards is lost.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    Case,
    failover::{Before, goes_on},
    harness::free_port,
    ledger::settle,
    scale,
    server::{Primary, answers},
    stage::Stage,
};

/// Hosts run meanwhile, and remember what PostgreSQL does not.
pub async fn under_hosts(case: &'static str) -> Case {
    restored(case, true).await
}

/// Hosts are stopped before, and start when it is done.
pub async fn between_hosts(case: &'static str) -> Case {
    restored(case, false).await
}

async fn restored(case: &'static str, hosts_run: bool) -> Case {
    let (primary, database) = Primary::start().await;
    let port = free_port();
    let mut stage = Stage::on(database, case, port, &["--latency", "30"]);
    let mut host = stage.host(port, &[]).await;
    let producer = stage.produce(&[&host]);
    // Wishes that are acknowledged in the gap may be gone as well: they come before.
    producer.acted().await;
    let from = producer.tick();
    let before = Before::look(&stage).await;
    let backup = primary.copy(&stage.database, None).await;
    sleep(stage.chance.between(500, scale::pick(2_000, 6_000))).await;
    if !hosts_run {
        assert!(host.terminate().success());
    }
    primary.end(&stage.database).await;
    primary.put_back(&stage.database, &backup);
    // The answers to what was accepted are on their way for so long at most.
    sleep(Duration::from_millis(500)).await;
    let gap = from..producer.tick();
    let in_doubt = before.in_doubt(&stage).await;
    primary.return_();
    answers(&stage.url).await;
    let answered = Instant::now();
    if !hosts_run {
        host.restart();
    }
    let took = goes_on(&producer, answered).await;
    println!("{case}: accepts {:.1} s after PostgreSQL answers", took.as_secs_f64());
    let mut produced = producer.finish(scale::events()).await;
    produced.gap = Some(gap);
    settle(&stage, produced, in_doubt).await.check_all_sent();
    Ok(())
}
