//! Links that break or are slow: to PostgreSQL and to the Cloud API.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    Case,
    harness::free_port,
    ledger::settle,
    proxy::{Link, Proxy, Target},
    scale,
    stage::Stage,
};

const BREAKS: [Link; 3] = [Link::Cut, Link::HalfClosed, Link::Stalled];

/// Breaks a link in each way, for a random time each.
async fn break_at_random(stage: &mut Stage, link: &Proxy) {
    for n in 0..scale::pick(6, 21) {
        sleep(stage.chance.between(100, 1_500)).await;
        link.set(BREAKS[n % BREAKS.len()]);
        sleep(stage.chance.between(50, 2_000)).await;
        link.set(Link::Whole);
    }
    if scale::is_long() {
        // Longer than a lease lasts.
        link.set(Link::Stalled);
        sleep(Duration::from_secs(20)).await;
        link.set(Link::Whole);
    }
}

pub async fn postgres_cut_off(case: &'static str) -> Case {
    let (mut stage, link, url, port) = behind_postgres(case).await;
    let host = stage.host(port, &[("DATABASE_URL", &url)]).await;
    let producer = stage.produce(&[&host]);
    break_at_random(&mut stage, &link).await;
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

pub async fn postgres_slow(case: &'static str) -> Case {
    let (mut stage, link, url, port) = behind_postgres(case).await;
    let host = stage.host(port, &[("DATABASE_URL", &url)]).await;
    link.set(Link::Slow(Duration::from_millis(30)));
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// A stage whose host is to reach PostgreSQL through a proxy, and its address there.
async fn behind_postgres(case: &'static str) -> (Stage, Proxy, String, u16) {
    let port = free_port();
    let stage = Stage::start(case, port, &["--latency", "30"]).await;
    let link = Proxy::start(Target::Socket(stage.database.socket())).await;
    let url = stage.database.url_over(link.address());
    (stage, link, url, port)
}

pub async fn cloud_api_cut_off(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &["--latency", "30"]).await;
    let (link, url) = behind_cloud_api(&stage).await;
    let host = stage.host(port, &[("WHATSAPP_API_URL", &url)]).await;
    let producer = stage.produce(&[&host]);
    break_at_random(&mut stage, &link).await;
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

pub async fn cloud_api_slow(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let (link, url) = behind_cloud_api(&stage).await;
    let host = stage.host(port, &[("WHATSAPP_API_URL", &url)]).await;
    link.set(Link::Slow(Duration::from_millis(500)));
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// A proxy in front of the Cloud API, and its address there.
pub async fn behind_cloud_api(stage: &Stage) -> (Proxy, String) {
    let link = Proxy::start(Target::Port(stage.simulator.address().port())).await;
    let url = format!("http://{}/v25.0", link.address());
    (link, url)
}
