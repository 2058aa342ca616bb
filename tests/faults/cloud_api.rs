//! The Cloud API refusing for a while, and taking messages without saying so.

use serde_json::json;
use tokio::time::sleep;

use crate::{Case, harness::free_port, ledger::settle, scale, stage::Stage};

/// It refuses many, each for another reason; none of these was taken.
pub async fn refusing(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let host = stage.host(port, &[]).await;
    stage
        .simulator
        .turn(&json!({"errors": [
            {"http_status": 500, "probability": 0.03},
            {"http_status": 503, "probability": 0.03},
            {"code": 131000, "probability": 0.03},
            {"code": 131056, "probability": 0.03},
            {"code": 130429, "probability": 0.02},
            {"code": 131000, "probability": 0.02, "webhook": true},
        ]}))
        .await;
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    let account = settle(&stage, accepted, 0).await;
    account.check();
    // Some may wait for another pair's time still.
    assert_eq!((account.failed, account.unknown), (0, 0), "{}", account.in_words());
    Ok(())
}

/// It takes messages and answers what nobody can read, or nothing: webhooks tell.
pub async fn taking_without_saying_so(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let host = stage.host(port, &[]).await;
    stage
        .simulator
        .turn(&json!({"lost_answers": 0.01, "errors": [
            {"http_status": 200, "probability": 0.05, "taken": true},
            {"http_status": 502, "probability": 0.05, "taken": true},
            {"http_status": 504, "probability": 0.05, "taken": true},
        ]}))
        .await;
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// It takes messages and answers that it refused them. Only a webhook that is faster than the next attempt tells.
pub async fn refusing_what_it_took(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let host = stage.host(port, &[]).await;
    stage
        .simulator
        .turn(&json!({"errors": [
            {"http_status": 500, "probability": 0.05, "taken": true},
            {"code": 131000, "probability": 0.05, "taken": true},
            {"code": 131056, "probability": 0.05, "taken": true},
            {"code": 130429, "probability": 0.02, "taken": true},
        ]}))
        .await;
    let producer = stage.produce(&[&host]);
    let accepted = producer.finish(scale::events()).await;
    // From here on what is refused is not taken, and what is taken is not refused.
    stage.simulator.turn(&json!({"errors": []})).await;
    let stats = stage.simulator.stats().await;
    let refused = stats["refused"].as_object().unwrap().values().chain([&stats["broken"]]);
    let contradictions: u64 = refused.map(|count| count.as_u64().unwrap()).sum();
    settle(&stage, accepted, usize::try_from(contradictions).unwrap()).await.check_all_sent();
    Ok(())
}

/// It refuses everything as too much, for a while.
pub async fn throttling(case: &'static str) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &[]).await;
    let host = stage.host(port, &[]).await;
    let producer = stage.produce(&[&host]);
    sleep(stage.chance.between(200, 1_000)).await;
    stage.simulator.turn(&json!({"errors": [{"code": 130429, "next": scale::pick(100, 300)}]})).await;
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}
