//! PostgreSQL that is killed, cannot be reached, is slow, or has no room left.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Stage,
    proxy::{Proxy, Target},
    shim::Shim,
    size,
};
use crate::harness::Database;

#[tokio::test]
async fn postgresql_is_killed() {
    let mut stage = Stage::on(Database::on_its_own().await, &[], &[]).await;
    let events = size(400, 4_000);
    let producer = stage.produce(events);
    let kills = size(3, 10);
    for kill in 1..=kills {
        producer.reach(kill * events / (kills + 1)).await;
        stage.a_while(0, 100).await;
        stage.database.kill_server();
    }
    let accepted = producer.finish().await;
    stage.ledger("PostgreSQL killed with SIGKILL", accepted).await.is_exact();
}

// The host connects while its start is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_postgresql_is_cut_mute_and_slow() {
    let database = Database::create().await;
    let proxy = Proxy::to(Target::Unix(database.socket())).await;
    let url = database.url_over(proxy.address());
    let mut stage = Stage::on(database, &[], &[("DATABASE_URL", &url)]).await;
    let events = size(400, 4_000);
    let producer = stage.produce(events);
    let cuts = size(3, 10);
    for cut in 1..=cuts {
        producer.reach(cut * events / (cuts + 2)).await;
        stage.a_while(0, 100).await;
        proxy.cut();
        stage.a_while(50, 500).await;
        proxy.heal();
    }
    producer.reach(events * (cuts + 1) / (cuts + 2)).await;
    proxy.mute();
    sleep(Duration::from_millis(1_500)).await;
    proxy.heal();
    proxy.slow(Duration::from_millis(20));
    let accepted = producer.finish().await;
    proxy.slow(Duration::ZERO);
    stage.ledger("network to PostgreSQL cut, mute and slow", accepted).await.is_exact();
}

#[tokio::test]
async fn postgresqls_disk_is_full() {
    let shim = Shim::full_disk();
    let database = Database::on_its_own_with(&shim.around(&bin(&Database::create().await))).await;
    let stage = Stage::on(database, &[], &[]).await;
    let events = size(600, 4_000);
    let producer = stage.produce(events);
    for time in 1..=2 {
        producer.reach(time * events / 4).await;
        fs::write(shim.file(), "").unwrap();
        sleep(Duration::from_secs(2)).await;
        assert!(!producer.is_done(), "the disk is full, and events are accepted all the same");
        fs::remove_file(shim.file()).unwrap();
    }
    let accepted = producer.finish().await;
    stage.ledger("PostgreSQL's disk full", accepted).await.is_exact();
}

/// Where the programs of the server that runs are.
fn bin(database: &Database) -> PathBuf {
    let program = fs::read_link(format!("/proc/{}/exe", database.server_pid())).unwrap();
    program.parent().map(Path::to_owned).unwrap()
}
