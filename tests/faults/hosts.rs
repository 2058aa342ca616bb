//! Hosts that are killed, and one that is stopped for longer than its leases last.

use std::time::Duration;

use tokio::time::sleep;

use super::{Producer, Stage, size, with_defaults};
use crate::harness::{Host, free_port};

#[tokio::test]
async fn a_host_is_killed_at_random_moments() {
    let mut stage = Stage::new().await;
    let events = size(600, 5_000);
    let producer = stage.produce(events);
    let kills = size(4, 20);
    for kill in 1..=kills {
        producer.reach(kill * events / (kills + 1)).await;
        stage.a_while(0, 150).await;
        stage.host.kill();
        stage.a_while(0, 300).await;
        stage.host.restart();
    }
    let accepted = producer.finish().await;
    // Webhooks tell of what was on its way.
    stage.ledger("host killed with SIGKILL", accepted).await.is_exact();
}

#[tokio::test]
async fn a_host_that_is_stopped_past_its_leases_does_nothing_that_another_did() {
    let stage = Stage::new().await;
    let port = free_port();
    let other = Host::start(port, &stage.database, &stage.simulator, stage.rules.path(), &with_defaults(&[]));
    let events = size(400, 3_000);
    let producer = Producer::start(&other, events);
    producer.reach(events / 4).await;
    stage.host.pause();
    producer.reach(events / 2).await;
    // Longer than a lease; the other host takes the lanes over.
    sleep(Duration::from_secs(20)).await;
    stage.host.resume();
    let accepted = producer.finish().await;
    // Its sends were on their way when it was stopped: webhooks go to this host, and come when it goes on.
    let ledger = stage.ledger("host stopped past its lease, then continued", accepted).await;
    ledger.is_whole(size(256, 256));
}
