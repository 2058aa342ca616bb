//! Two hosts, of which one has a wrong clock. Each is killed in turn, while some sends get no answer: how long these wait
//! for a webhook, and when a lease ends, must not depend on whose clock is read.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{
    Case,
    harness::{SOON, free_port, wait_until},
    ledger::settle,
    preload::Preload,
    proxy::{Proxy, Target},
    scale,
    stage::Stage,
};

const SKEW: i64 = 600;

pub async fn ahead(case: &'static str) -> Case {
    skewed(case, SKEW).await
}

pub async fn behind(case: &'static str) -> Case {
    skewed(case, -SKEW).await
}

async fn skewed(case: &'static str, seconds: i64) -> Case {
    let clock = Preload::compile("clock")?;
    clock.set(seconds);
    let ports = [free_port(), free_port()];
    let balancer = Proxy::start(Target::Port(ports[0])).await;
    let mut stage = Stage::start(case, balancer.address().port(), &["--latency", "30"]).await;
    let wrong = stage.host(ports[0], &[("LD_PRELOAD", clock.shared_object())]).await;
    let right = stage.host(ports[1], &[]).await;
    let mut hosts = [wrong, right];
    wait_until("two hosts share the lanes", SOON, async || stage.lanes().await == [32, 32]).await;
    let unanswered = json!({"errors": [{"http_status": 502, "probability": 0.1, "taken": true}]});
    stage.simulator.turn(&unanswered).await;
    let producer = stage.produce(&[&hosts[0], &hosts[1]]);
    for round in 0..scale::pick(4, 12) {
        sleep(stage.chance.between(500, 2_500)).await;
        let victim = round % 2;
        hosts[victim].kill();
        balancer.lead_to(Target::Port(ports[1 - victim]));
        if round < 1 || scale::is_long() && round % 3 == 0 {
            wait_until("the other takes over", 2 * SOON, async || stage.lanes().await == [64]).await;
        }
        sleep(stage.chance.between(0, 1_000)).await;
        hosts[victim].restart();
    }
    let accepted = producer.finish(scale::events()).await;
    // Meta's webhooks come within seconds, so each send is known of.
    sleep(Duration::from_secs(1)).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}
