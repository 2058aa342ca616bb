//! Probes: as many as anybody likes.

use crate::harness::{Database, Host, SOON, Simulator, free_port, http, rules, wait_until};

const PROBES: i64 = 1_000;

#[tokio::test]
async fn a_thousand_probes_cost_the_database_nothing() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &[]);
    let host = Host::start(port, &database, &simulator, &rules(), &[]);
    let url = format!("{}/readyz", host.url());
    let status = async || http().get(&url).send().await.unwrap().status().as_u16();
    wait_until("it is ready", SOON, async || status().await == 200).await;
    // What the backends have counted is there a second later.
    let transactions = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let counted = async || {
        database.query("SELECT pg_stat_clear_snapshot()", &[]).await;
        database.count(transactions).await
    };
    let before = counted().await;
    for _ in 0..PROBES / 50 {
        let probes = (0..50).map(|_| status());
        assert!(futures_util::future::join_all(probes).await.iter().all(|status| *status == 200));
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let cost = counted().await - before;
    assert!(cost < PROBES / 2, "{PROBES} probes took {cost} transactions");
}
