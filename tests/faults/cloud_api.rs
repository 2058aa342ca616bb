//! The Cloud API that answers errors, nonsense, and nothing.

use serde_json::json;

use super::{Stage, size};

#[tokio::test]
async fn meta_answers_errors_nonsense_and_nothing() {
    let stage = Stage::new().await;
    let fault = |code: u32, probability: f64| json!({"code": code, "probability": probability});
    // 502 comes from a proxy before Meta: HTML, and it may have been sent.
    let garbage = json!({"http_status": 502, "probability": 0.03});
    let errors = json!([
        fault(131_000, 0.05),
        fault(131_016, 0.03),
        fault(130_429, 0.02),
        fault(131_056, 0.02),
        fault(2, 0.03),
        garbage,
        {"code": 131_000, "probability": 0.03, "webhook": true},
    ]);
    stage.simulator.turn(&json!({"errors": errors, "lost_answers": 0.03, "latency_ms": 5})).await;
    let events = size(500, 4_000);
    let accepted = stage.produce(events).finish().await;
    stage.simulator.turn(&json!({"errors": [], "lost_answers": 0.0})).await;
    // Each that failed late was taken before, and is taken once more.
    let late = stage.database.count("SELECT count(*) FROM delivery WHERE status = 'failed'").await;
    let ledger = stage.ledger("Cloud API: errors, garbage, no answer", accepted).await;
    let late = late.max(stage.database.count("SELECT count(*) FROM delivery WHERE status = 'failed'").await);
    ledger.is_whole(usize::try_from(late).unwrap());
}

#[tokio::test]
async fn the_number_is_stopped_for_a_while() {
    let stage = Stage::new().await;
    let producer = stage.produce(size(300, 2_000));
    producer.reach(100).await;
    // The account is in maintenance: the number rests, and one message tries.
    stage.simulator.turn(&json!({"errors": [{"code": 130_429, "next": 300}]})).await;
    let accepted = producer.finish().await;
    stage.ledger("Cloud API: 130429 without end, then none", accepted).await.is_exact();
}
