//! Lists: filters, and pages that miss nothing.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{SOON, wait_until};

fn ids(entries: &[Value]) -> HashSet<&str> {
    entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_are_complete() {
    let desk = Desk::open(&["read"]).await;
    desk.fail(23).await;
    let by_filter = [
        "/v1/failed?limit=5",
        "/v1/failed?code=131026&limit=23",
        "/v1/notifications?limit=5",
        "/v1/notifications?failed=true&limit=7",
        "/v1/notifications?template=note&status=failed&limit=4",
        "/v1/notifications?since=2020-01-01T00:00:00Z&limit=1000",
    ];
    for path in by_filter {
        let all = desk.walk(path).await;
        assert_eq!((all.len(), ids(&all).len()), (23, 23), "{path}");
    }
    let to_one = desk.walk("/v1/notifications?person=%2B1%20555%20010%200003&limit=1").await;
    assert_eq!(to_one.len(), 1);
    assert_eq!(desk.walk("/v1/failed?person=15550100003").await.len(), 1);
    for path in ["/v1/failed?code=1", "/v1/notifications?status=read", "/v1/notifications?template=x"] {
        assert_eq!(desk.walk(path).await.len(), 0, "{path}");
    }
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let desk = Desk::open(&["read", "admin"]).await;
    for path in [
        "/v1/notifications?status=lost",
        "/v1/notifications?status=read&failed=true",
        "/v1/notifications?limit=0",
        "/v1/notifications?person=%00",
        "/v1/notifications/none",
        "/v1/failed?after=x",
        "/v1/failed?x=1",
        "/v1/jobs/none",
        "/v1/actions?since=yesterday",
    ] {
        assert_eq!(desk.ask(Method::GET, path, None).await.0, 400, "{path}");
    }
    let unknown = "/v1/notifications/00000000-0000-0000-0000-000000000000";
    for path in [unknown, "/v1/jobs/7", "/v1/jobs/7/messages"] {
        assert_eq!(desk.ask(Method::GET, path, None).await.0, 404, "{path}");
    }
    for (path, body) in [
        ("/v1/failed/redrive", json!({"all": true, "rate": 0})),
        ("/v1/failed/redrive", json!({"all": true, "reason": "why"})),
        ("/v1/failed/discard", json!({"reason": "why"})),
        ("/v1/failed/discard", json!({"person": "\u{0}"})),
        ("/v1/unknown/resolve", json!({"ids": [], "resolution": "drop"})),
        ("/v1/events/rerun", json!({"events": []})),
    ] {
        assert_eq!(desk.ask(Method::POST, path, Some(&body)).await.0, 400, "{path} {body}");
    }
}

#[tokio::test]
async fn what_waits_is_counted_by_reason() {
    let desk = Desk::open(&["read"]).await;
    assert_eq!(desk.get("/v1/waiting").await, json!({"data": []}));
    for n in 0..3 {
        let decision = json!({"contacts": [format!("1555010000{n}")], "template": "note", "context": {"n": n},
            "send_at": "2090-01-01T00:00:00Z"});
        desk.stage.host.accept(&json!({"type": "any", "data": decision})).await;
    }
    wait_until("they wait", SOON, async || desk.get("/v1/waiting").await["data"][0]["count"] == 3).await;
    let waiting = desk.get("/v1/waiting").await;
    let events = desk.walk("/v1/events?limit=1").await;
    assert_eq!(events.len(), desk.walk("/v1/events").await.len());
    let all = desk.walk("/v1/notifications").await;
    let oldest = all.last().unwrap();
    assert_eq!(
        waiting["data"],
        json!([{"reason": "send_at", "count": 3, "more": false, "first_due_at": "2090-01-01T00:00:00Z",
            "last_due_at": "2090-01-01T00:00:00Z", "oldest": oldest["id"], "oldest_at": oldest["created_at"]}])
    );
}
