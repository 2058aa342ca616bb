//! The way to the Cloud API: cut, slow and mute.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Stage,
    proxy::{Proxy, Target},
    rules, seed, size, with_defaults,
};
use crate::harness::{Database, Host, Simulator, free_port};

use rand::{SeedableRng, rngs::StdRng};

#[tokio::test]
async fn the_way_to_meta_is_cut_mute_and_slow() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let proxy = Proxy::to(Target::Tcp(simulator.address())).await;
    let rules = rules();
    let url = format!("http://{}/v25.0", proxy.address());
    let settings = with_defaults(&[("WHATSAPP_API_URL", &url)]);
    let host = Host::start(port, &database, &simulator, rules.path(), &settings);
    let seed = seed();
    let mut stage = Stage { database, simulator, host, rules, dice: StdRng::seed_from_u64(seed), seed };
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
    sleep(Duration::from_millis(500)).await;
    proxy.heal();
    proxy.slow(Duration::from_millis(30));
    let accepted = producer.finish().await;
    proxy.slow(Duration::ZERO);
    // Webhooks do not go this way: they tell what came of each send that was cut.
    stage.ledger("network to the Cloud API cut, mute and slow", accepted).await.is_exact();
}
