//! The host's clock, set forward and back while it works.

use std::time::Duration;

use tokio::time::sleep;

use crate::{Case, harness::free_port, ledger::settle, preload::Preload, scale, stage::Stage};

const HOUR: i64 = 3_600;

/// Hours either way, as where a machine's clock is set by hand or wakes up wrong.
pub async fn stepped(case: &'static str) -> Case {
    let clock = Preload::compile("clock")?;
    let port = free_port();
    let mut stage = Stage::start(case, port, &["--latency", "30", "--error", "131000:0.1"]).await;
    let mut host = stage.host(port, &[("LD_PRELOAD", clock.shared_object())]).await;
    let producer = stage.produce(&[&host]);
    for hours in [-1, 1, -2, 3, 0, -5, 4].into_iter().cycle().take(scale::pick(7, 21)) {
        sleep(stage.chance.between(200, 1_500)).await;
        clock.set(hours * HOUR);
        if stage.chance.fraction() < 0.3 {
            host.kill();
            host.restart();
        }
    }
    let accepted = producer.finish(scale::events()).await;
    // What waits until a time of the fast clock comes then, no sooner.
    sleep(Duration::from_secs(1)).await;
    clock.set(12 * HOUR);
    settle(&stage, accepted, 0).await.check();
    Ok(())
}
