//! Webhooks that are lost, late, doubled, out of order, and before the answer.

use serde_json::json;

use super::{Stage, size};

#[tokio::test]
async fn webhooks_come_late_twice_in_disorder_and_before_the_answer() {
    let stage = Stage::new().await;
    // They are posted 20 ms after a message is taken; the answer takes longer.
    let knobs = json!({"webhooks_late": 0.1, "webhooks_late_ms": 3_000, "webhooks_doubled": 0.3,
        "webhooks_reordered": 0.3, "latency_ms": 60, "lost_answers": 0.05});
    stage.simulator.turn(&knobs).await;
    let accepted = stage.produce(size(400, 4_000)).finish().await;
    stage.ledger("webhooks late, doubled, reordered, before the answer", accepted).await.is_exact();
}

#[tokio::test]
async fn webhooks_are_lost() {
    let stage = Stage::new().await;
    stage.simulator.turn(&json!({"webhooks_lost": 0.5, "lost_answers": 0.05})).await;
    let accepted = stage.produce(size(300, 3_000)).finish().await;
    let ledger = stage.ledger("webhooks lost, and answers too", accepted).await;
    // Without an answer and a webhook it is sent again: it may come twice, and is not lost.
    ledger.is_whole(accepted / 10);
}
