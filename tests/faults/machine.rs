//! A host whose clock is stepped.

use std::{fs, time::Duration};

use tokio::time::sleep;

use super::{Stage, shim::Shim, size};
use crate::harness::Database;

#[tokio::test]
async fn a_hosts_clock_is_stepped_forth_and_back() {
    let shim = Shim::clock();
    let (library, file) = (shim.library(), shim.file());
    let settings = [("LD_PRELOAD", library.to_str().unwrap()), ("CLOCK_OFFSET", file.to_str().unwrap())];
    let stage = Stage::on(Database::create().await, &[], &settings).await;
    let events = size(400, 3_000);
    let producer = stage.produce(events);
    for (step, hours) in [2i64, -1, 0].into_iter().enumerate() {
        producer.reach((step + 1) * events / 5).await;
        // In place: the host has the file mapped.
        let told = fs::OpenOptions::new().write(true).open(&file).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&told, &(hours * 3_600).to_ne_bytes(), 0).unwrap();
        sleep(Duration::from_millis(500)).await;
    }
    let accepted = producer.finish().await;
    stage.ledger("clock stepped 2 h ahead, 1 h back, and right", accepted).await.is_exact();
}
