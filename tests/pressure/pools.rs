//! Connections to PostgreSQL: each kind of work has its own.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{SOON, Stage, create_key, http, rules, wait_until};

/// The fewest connections that a host may have: one for each kind of work.
const FEW: (&str, &str) = ("HOOKSWITCH_DATABASE_CONNECTIONS", "4");
/// Statements end soon, and the parts of the work do not wait for each other.
const IMPATIENT: [(&str, &str); 2] =
    [("HOOKSWITCH_DATABASE_CONNECTIONS", "8"), ("HOOKSWITCH_DATABASE_STATEMENT_SECONDS", "2")];

async fn stage(settings: &[(&str, &str)]) -> Stage {
    Stage::in_folder(&rules())
        .simulator(&["--unlimited", "--unknown-templates"])
        .settings(settings)
        .start()
        .await
}

fn payment(n: usize) -> Value {
    json!({
        "type": "order.payment_status_changed",
        "id": format!("payment-{n}"),
        "subject": format!("order-{n}"),
        "data": {"new_status": "paid", "customer": {"wa_id": format!("155501{n:05}")}},
    })
}

impl Stage {
    /// Keeps everybody from using a table, until [`Stage::unlock`].
    async fn lock(&self, table: &str) {
        self.database.query("BEGIN", &[]).await;
        self.database.query(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"), &[]).await;
    }

    async fn unlock(&self) {
        self.database.query("COMMIT", &[]).await;
    }

    async fn waiting_for_locks(&self) -> i64 {
        // Within a transaction it is looked at once.
        self.database.query("SELECT pg_stat_clear_snapshot()", &[]).await;
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        self.database.count(sql).await
    }
}

#[tokio::test]
async fn requests_that_hold_their_connections_keep_nothing_else_waiting() {
    let stage = stage(&[FEW]).await;
    let key = create_key(&stage.database, "admin", &["admin"]);
    let url = format!("{}/v1/groups", stage.host.url());
    stage.lock("groups").await;
    let mut requests = JoinSet::new();
    for _ in 0..40 {
        let request = http().get(&url).bearer_auth(&key);
        requests.spawn(async move {
            loop {
                let answer = request.try_clone().unwrap().send().await.unwrap();
                let retry_after = answer.headers().contains_key("retry-after");
                assert!(answer.status() == 503 && retry_after, "{answer:?}");
            }
        });
    }
    wait_until("requests wait", SOON, async || stage.waiting_for_locks().await > 0).await;
    let seen = "SELECT extract(epoch FROM max(seen_at))::bigint FROM host";
    let before = stage.database.count(seen).await;
    for n in 0..100 {
        stage.host.accept(&payment(n)).await;
    }
    wait_until("all are read", SOON, async || stage.read().await == 100).await;
    wait_until("the heart beats", SOON, async || stage.database.count(seen).await > before).await;
    assert!(stage.waiting_for_locks().await > 0, "requests wait still");
    assert!(requests.try_join_next().is_none(), "a request was answered otherwise");
    let said = stage.host.said();
    assert!(!said.contains("cannot route") && !said.contains("failed to renew"), "{said}");
    requests.abort_all();
    stage.unlock().await;
}

#[tokio::test]
async fn routing_that_waits_keeps_no_request_waiting_and_fails_no_event() {
    let stage = stage(&IMPATIENT).await;
    let key = create_key(&stage.database, "admin", &["admin"]);
    stage.lock("notification").await;
    for n in 0..20 {
        stage.host.accept(&payment(n)).await;
    }
    wait_until("routing waits", SOON, async || stage.waiting_for_locks().await > 0).await;
    // Longer than two statements may take, one after the other.
    let failed = "cannot route";
    wait_until("routing has tried often", SOON * 2, async || stage.host.said().matches(failed).count() >= 3)
        .await;
    for n in 20..40 {
        stage.host.accept(&payment(n)).await;
        let answer =
            http().get(format!("{}/v1/groups", stage.host.url())).bearer_auth(&key).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    stage.unlock().await;
    wait_until("all are read", SOON, async || stage.read().await == 40).await;
    let failed = "SELECT count(*) FROM decision WHERE outcome = 'failed'";
    assert_eq!(stage.database.count(failed).await, 0, "{}", stage.host.said());
    assert_eq!(stage.database.count("SELECT count(*) FROM delivery WHERE status = 'failed'").await, 0);
}

#[tokio::test]
async fn people_that_cannot_be_looked_up_for_a_while_fail_no_event() {
    let stage = stage(&IMPATIENT).await;
    stage.database.add_person("ann", "15550109001", &["Sales Team"]).await;
    stage.database.open_windows().await;
    stage.lock("membership").await;
    let order = json!({"type": "order.created", "id": "order", "data": {
        "order_number": "SO-1", "items": [{"name": "Tank", "quantity": 1}], "total": "USD 10",
        "customer": {"name": "Rutendo", "wa_id": "15550100077"}}});
    stage.host.accept(&order).await;
    let failed = "cannot route";
    wait_until("routing has tried often", SOON * 2, async || stage.host.said().matches(failed).count() >= 3)
        .await;
    stage.unlock().await;
    let decided = "SELECT count(*) FROM decision";
    wait_until("it is decided", SOON, async || stage.database.count(decided).await > 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let failed = "SELECT count(*) FROM decision WHERE outcome = 'failed'";
    assert_eq!(stage.database.count(failed).await, 0, "{}", stage.host.said());
}
