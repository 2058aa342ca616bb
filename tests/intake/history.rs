//! An event with all that came of it.

use serde_json::{Value, json};

use super::{Host, accepted, order, problem};

#[tokio::test]
async fn all_that_came_of_an_event_is_told() {
    let host = Host::start().await;
    accepted(host.post_json(&order(1)).await).await;
    host.database
        .query(
            "WITH e AS (SELECT lane, seq FROM event), d AS (
                 INSERT INTO decision (lane, event_seq, ordinal, outcome, reason, engine, rule, release, decision,
                                       decided_at)
                 SELECT lane, seq, n, outcome, reason, 'route', 'orders/routes.yaml:3', 'r1', said,
                        '2026-11-23T09:00:00Z'
                 FROM e, (VALUES (0, 'notify', NULL, '{\"template\":\"new_order\"}'),
                                 (1, 'skip', 'too small', NULL)) v (n, outcome, reason, said)
             ), n AS (
                 INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, username, name, recipient,
                     phone_number_id, template, priority, message, reason)
                 SELECT 1, '01900000-0000-7000-8000-000000000001'::uuid, lane, seq, 0, 'ann', 'Ann', '263770000001',
                        '1', 'new_order', 1, '{\"body\":\"New order\"}', 'in Sales Team'
                 FROM e RETURNING id
             )
             INSERT INTO delivery (notification_id, attempt, status, at, wamid, code, detail)
             SELECT n.id, attempt, status::delivery_status, '2026-11-23T09:00:01Z', wamid, code, detail
             FROM n, (VALUES (2, 'delivered', NULL, NULL, NULL), (1, 'failed', 'wamid.1', 131000, 'again'),
                             (2, 'accepted', 'wamid.2', NULL, NULL)) v (attempt, status, wamid, code, detail)",
            &[],
        )
        .await;
    let mut event: Value = host.get("/v1/events/o%2F1").await.json().await.unwrap();
    assert_eq!(event["routed"], true);
    let decision = |n: i32, outcome: &str, reason: Value, said: Value| {
        json!({"ordinal": n, "outcome": outcome, "reason": reason, "engine": "route",
            "rule": "orders/routes.yaml:3", "release": "r1", "decided_at": "2026-11-23T09:00:00Z",
            "decision": said, "asked": null})
    };
    let notifications = event["decisions"][0].as_object_mut().unwrap().remove("notifications").unwrap();
    assert_eq!(event["decisions"][0], decision(0, "notify", json!(null), json!({"template": "new_order"})));
    let mut skipped = decision(1, "skip", json!("too small"), json!(null));
    skipped["notifications"] = json!([]);
    assert_eq!(event["decisions"][1], skipped);

    let told = &notifications[0];
    assert_eq!(
        (&told["username"], &told["recipient"], &told["status"], &told["message"]["body"]),
        (&json!("ann"), &json!("263770000001"), &json!("delivered"), &json!("New order"))
    );
    let deliveries: Vec<String> = told["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| format!("{} {} {} {}", d["attempt"], d["status"], d["wamid"], d["code"]))
        .collect();
    assert_eq!(
        deliveries,
        [r#"1 "failed" "wamid.1" 131000"#, r#"2 "accepted" "wamid.2" null"#, r#"2 "delivered" null null"#]
    );
}

#[tokio::test]
async fn an_id_of_several_sources_needs_the_source() {
    let host = Host::start().await;
    let mut other = order(1);
    other["source"] = json!("/other");
    accepted(host.post_json(&order(1)).await).await;
    accepted(host.post_json(&other).await).await;
    let (status, body) = problem(host.get("/v1/events/o%2F1").await).await;
    let detail = body["detail"].as_str().unwrap();
    assert_eq!(status, 409);
    assert!(detail.contains("/other") && detail.contains("/shop"), "{detail}");
    let event: Value = host.get("/v1/events/o%2F1?source=%2Fother").await.json().await.unwrap();
    assert_eq!(event["source"], "/other");
}
