//! Webhooks that come late, twice, in another order, before the answer, or never.

use std::time::Duration;

use serde_json::json;

use crate::{
    Case, harness::free_port, ledger::settle, network::behind_cloud_api, proxy::Link, scale, stage::Stage,
};

/// Late, twice, and in another order, while some answers are lost.
pub async fn late_doubled_reordered(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let host = stage.host(port, &[]).await;
    stage
        .simulator
        .turn(&json!({
            "webhooks_late": 0.3, "webhooks_late_ms": 4_000, "webhooks_doubled": 0.3, "webhooks_reordered": 0.3,
            "errors": [{"http_status": 502, "probability": 0.1, "taken": true}],
        }))
        .await;
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// All that becomes of a message is told before its send is answered.
pub async fn before_the_answer(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let (link, url) = behind_cloud_api(&stage).await;
    let host = stage.host(port, &[("WHATSAPP_API_URL", &url)]).await;
    link.set(Link::Slow(Duration::from_millis(300)));
    stage.simulator.turn(&json!({"sent_after_ms": 0, "delivered_after_ms": 0, "read_after_ms": 0})).await;
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// Of some messages neither answer nor webhook comes: only these may be sent again.
pub async fn lost(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let host = stage.host(port, &[("HOOKSWITCH_UNKNOWN_AFTER", "2s")]).await;
    stage
        .simulator
        .turn(&json!({
            "webhooks_lost": 0.5,
            "errors": [{"http_status": 502, "probability": 0.1, "taken": true}],
        }))
        .await;
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    // From here on each send has its answer.
    stage.simulator.turn(&json!({"errors": []})).await;
    let unanswered = stage.simulator.stats().await["broken"].as_u64().unwrap();
    settle(&stage, accepted, usize::try_from(unanswered).unwrap()).await.check_all_sent();
    Ok(())
}
