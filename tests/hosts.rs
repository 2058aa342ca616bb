//! Several hosts on one database, and hosts that end in the middle of their work.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Database, Host, SOON, Simulator, free_port, rules, wait_until};

/// A lease lasts 15 s, and a heartbeat more passes until it is taken over.
const TAKEN_OVER: Duration = Duration::from_secs(60);
const SETTINGS: [(&str, &str); 2] =
    [("WHATSAPP_MESSAGES_PER_SECOND", "1000"), ("HOOKSWITCH_UNKNOWN_AFTER", "2s")];

fn payment(n: usize) -> Value {
    json!({
        "type": "order.payment_status_changed",
        "id": format!("payment-{n}"),
        "source": "/shop",
        "subject": format!("order-{n}"),
        "data": {"new_status": "paid", "customer": {"wa_id": format!("155501{n:05}")}},
    })
}

async fn lanes(database: &Database) -> Vec<i64> {
    let sql =
        "SELECT count(*) FROM lane WHERE owner IS NOT NULL AND deadline > now() GROUP BY owner ORDER BY 1";
    database.query(sql, &[]).await.iter().map(|row| row.get(0)).collect()
}

async fn read(database: &Database) -> i64 {
    database.count("SELECT count(DISTINCT notification_id) FROM delivery WHERE status = 'read'").await
}

/// How many messages each recipient got.
async fn received(simulator: &Simulator) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in simulator.messages().await {
        *counts.entry(message["to"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn two_hosts_share_the_lanes_and_one_takes_over_from_the_other() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let first = Host::start(port, &database, &simulator, &rules(), &SETTINGS);
    wait_until("one host has all lanes", SOON, async || lanes(&database).await == [64]).await;
    let mut second = Host::start(free_port(), &database, &simulator, &rules(), &SETTINGS);
    wait_until("two hosts share them", SOON, async || lanes(&database).await == [32, 32]).await;

    for n in 0..100 {
        let host = if n % 2 == 0 { &first } else { &second };
        host.accept(&payment(n)).await;
    }
    wait_until("all are read", SOON, async || read(&database).await == 100).await;
    assert!(received(&simulator).await.values().all(|count| *count == 1), "each message is sent once");
    assert_eq!(database.count("SELECT count(*) FROM decision").await, 100);

    for n in 100..150 {
        second.accept(&payment(n)).await;
    }
    second.kill();
    for n in 150..200 {
        first.accept(&payment(n)).await;
    }
    wait_until("the first has told all", TAKEN_OVER, async || read(&database).await == 200).await;
    assert_eq!(lanes(&database).await, [64]);
    assert_eq!(database.count("SELECT count(*) FROM decision").await, 200, "each event is routed once");
    assert_eq!(received(&simulator).await.len(), 200);
}

#[tokio::test]
async fn a_host_that_is_stopped_in_a_burst_loses_and_doubles_nothing() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates", "--latency", "20"]);
    let mut host = Host::start(port, &database, &simulator, &rules(), &SETTINGS);
    for n in 0..150 {
        host.accept(&payment(n)).await;
    }
    assert!(host.terminate().success());
    assert_eq!(lanes(&database).await, Vec::<i64>::new(), "the lanes are given back");
    host.restart();
    wait_until("all are read", SOON, async || read(&database).await == 150).await;
    let received = received(&simulator).await;
    assert_eq!(received.len(), 150);
    assert!(received.values().all(|count| *count == 1), "{received:?}");
}

/// A routing host that freezes between INSERT and COMMIT holds the lock of the notification log.
#[tokio::test]
async fn a_host_frozen_in_a_transaction_stops_no_other() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let frozen = Host::start(free_port(), &database, &simulator, &rules(), &SETTINGS);
    let other = Host::start(port, &database, &simulator, &rules(), &SETTINGS);
    wait_until("two hosts share the lanes", SOON, async || lanes(&database).await == [32, 32]).await;
    // Hold the lock until both hosts wait for it in their transactions, freeze one, and let the lock go.
    let lock = hookswitch::store::NOTIFICATION_LOG;
    database.query("SELECT pg_advisory_lock($1)", &[&lock]).await;
    for n in 0..40 {
        other.accept(&payment(n)).await;
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event = 'advisory' AND datname = current_database()";
    wait_until("both wait for the lock", SOON, async || database.count(waiting).await >= 2).await;
    frozen.pause();
    database.query("SELECT pg_advisory_unlock($1)", &[&lock]).await;
    // What it had taken to route it may have routed: the other takes the rest, once it has the lanes.
    wait_until("the other goes on", TAKEN_OVER, async || read(&database).await == 40).await;
    frozen.resume();
    assert!(received(&simulator).await.len() == 40);
}

/// No database for the host's parts is no dead part; a server that is another one is noticed.
#[tokio::test]
async fn a_host_says_when_it_does_not_route_though_it_lives() {
    let database = Database::on_its_own().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let host = Host::start(port, &database, &simulator, &rules(), &SETTINGS);
    let ready = async || {
        let answer = crate::harness::http().get(format!("{}/readyz", host.url())).send().await.unwrap();
        answer.status().as_u16()
    };
    wait_until("it is ready", SOON, async || ready().await == 200).await;
    let before = database.count("SELECT nextval(pg_get_serial_sequence('event', 'seq'))").await;
    database.kill_server();
    wait_until("another PostgreSQL is noticed", SOON, async || host.said().contains("another PostgreSQL"))
        .await;
    wait_until("it is ready again", SOON, async || ready().await == 200).await;
    host.accept(&payment(1)).await;
    assert!(database.count("SELECT max(seq) FROM event").await > before + 1_000_000, "no number comes twice");
}
