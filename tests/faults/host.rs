//! A host that is killed, and one that is stopped for longer than its lease lasts.

use std::{collections::HashSet, time::Duration};

use tokio::time::sleep;

use crate::{
    Case,
    harness::{Host, SOON, free_port, wait_until},
    ledger::{in_flight, settle},
    network::behind_cloud_api,
    producer::Produced,
    proxy::{Link, Proxy, Target},
    scale,
    stage::Stage,
};

/// `kill -9` at random moments; every webhook arrives.
pub async fn killed(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let (_link, url) = answering_late(&stage).await;
    let mut host = stage.host(port, &[("WHATSAPP_API_URL", &url)]).await;
    let (accepted, _) = kill_at_random(&mut stage, &mut host).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// The same, and no webhook ever arrives: what was in flight may be sent again.
pub async fn killed_without_webhooks(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &["--webhooks-lost", "1"]).await;
    let (_link, url) = answering_late(&stage).await;
    let settings = [("WHATSAPP_API_URL", url.as_str()), ("HOOKSWITCH_UNKNOWN_AFTER", "2s")];
    let mut host = stage.host(port, &settings).await;
    let (accepted, in_flight) = kill_at_random(&mut stage, &mut host).await;
    settle(&stage, accepted, in_flight).await.check_all_sent();
    Ok(())
}

/// A Cloud API whose answers are on their way for a while, so that there is something in flight at each moment.
async fn answering_late(stage: &Stage) -> (Proxy, String) {
    let (link, url) = behind_cloud_api(stage).await;
    link.set(Link::Slow(Duration::from_millis(50)));
    (link, url)
}

/// How much was accepted, and how much was in flight at the kills.
async fn kill_at_random(stage: &mut Stage, host: &mut Host) -> (Produced, usize) {
    let producer = stage.produce(&[host]);
    // One that is still in doubt at the next kill counts once.
    let mut doubtful = HashSet::new();
    for _ in 0..scale::pick(6, 20) {
        let before = stage.sent().await;
        wait_until("messages are sent", SOON, async || stage.sent().await > before).await;
        sleep(stage.chance.between(0, 1_000)).await;
        host.kill();
        doubtful.extend(in_flight(stage).await);
        host.restart();
    }
    (producer.finish(scale::events()).await, doubtful.len())
}

/// Two hosts share the work. One is stopped in the middle of it, the other takes over, and the first comes back
/// with all that it had in memory: it may not send or write what is the other's by now.
pub async fn stopped_past_its_lease(case: &'static str) -> Case {
    let ports = [free_port(), free_port()];
    let balancer = Proxy::start(Target::Port(ports[0])).await;
    let mut stage = Stage::start(case, balancer.address().port(), &[]).await;
    let (_link, url) = answering_late(&stage).await;
    // Slower than events come in, so that much waits in memory.
    let settings =
        [("WHATSAPP_API_URL", url.as_str()), ("WHATSAPP_MESSAGES_PER_SECOND", scale::pick("60", "150"))];
    let first = stage.host(ports[0], &settings).await;
    let second = stage.host(ports[1], &settings).await;
    wait_until("two hosts share the lanes", SOON, async || stage.lanes().await == [32, 32]).await;
    let producer = stage.produce(&[&first, &second]);
    let mut doubtful = HashSet::new();
    for _ in 0..scale::pick(1, 3) {
        sleep(stage.chance.between(1_000, 2_500)).await;
        first.pause();
        doubtful.extend(held_back(&stage).await);
        balancer.set(Link::Cut);
        balancer.lead_to(Target::Port(ports[1]));
        balancer.set(Link::Whole);
        wait_until("the other takes over", 2 * SOON, async || stage.lanes().await == [64]).await;
        sleep(stage.chance.between(0, 3_000)).await;
        first.resume();
        wait_until("they share again", 2 * SOON, async || stage.lanes().await == [32, 32]).await;
    }
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, doubtful.len()).await.check_all_sent();
    Ok(())
}

/// Sends of the stopped host that had passed its last look at the lease and were not on the wire yet: these go out when
/// it goes on. Those of the other host are soon answered.
async fn held_back(stage: &Stage) -> HashSet<(uuid::Uuid, i16)> {
    let begun = in_flight(stage).await;
    sleep(Duration::from_secs(1)).await;
    let mut stuck: HashSet<_> =
        in_flight(stage).await.into_iter().filter(|sent| begun.contains(sent)).collect();
    let taken = stage.simulator.messages().await;
    let taken = taken.iter().filter_map(|message| message["request"]["biz_opaque_callback_data"].as_str());
    for data in taken {
        let parts: Vec<&str> = data.split(':').collect();
        stuck.remove(&(parts[0].parse().unwrap(), parts[1].parse().unwrap()));
    }
    stuck
}
