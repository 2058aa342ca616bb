//! What happened is counted, and what waits is told.

use hookswitch_simulator::Settings;
use serde_json::{Value, json};

use super::scrape::Scrape;
use crate::harness::{SOON, Stage, http, wait_until, write_rule};

/// A message to a customer.
fn note(n: usize) -> Value {
    json!({"type": "any", "data": {"template": "note", "context": {"n": n}, "contacts": [format!("1555010{n:04}")]}})
}

#[tokio::test]
async fn what_happened_is_counted() {
    let stage = Stage::builder().person("ann", "15550100001", &["Ops"]).open_windows().start().await;
    // Types are named by a task of the host.
    let named = async || Scrape::of(&stage.host).await.has("hookswitch_rule_failures_total");
    wait_until("the rules are named", SOON, async || named().await).await;

    let read = stage.host.accept(&note(1)).await;
    stage.notification(&read, "read").await;
    let failed = stage.host.accept(&json!({"type": "any", "data": {"template": "none"}})).await;
    stage.decision(&failed, "failed").await;
    let unrouted = stage.host.accept(&json!({"type": "of.no.rule", "data": {}})).await;
    stage.decision(&unrouted, "no_route").await;
    assert_eq!(stage.host.post_event(&json!({"type": ""})).await.status(), 400);
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let refused = stage.host.accept(&note(2)).await;
    stage.notification(&refused, "failed").await;
    let unsigned = http().post(format!("{}/webhooks/whatsapp", stage.host.url())).body("{}");
    assert_eq!(unsigned.send().await.unwrap().status(), 401);

    let scrape = Scrape::of(&stage.host).await;
    for (name, labels, expected) in [
        ("events_accepted_total", &[("type", "any")][..], 3.0),
        ("events_accepted_total", &[("type", "other")], 1.0),
        ("events_accepted_total", &[], 4.0),
        ("events_refused_total", &[("reason", "invalid_event")], 1.0),
        ("intake_batch_events_sum", &[], 4.0),
        ("decisions_total", &[("outcome", "notify"), ("engine", "script")], 2.0),
        ("decisions_total", &[("outcome", "failed"), ("engine", "script")], 1.0),
        ("rule_failures_total", &[("rule", "any/any.rhai:1")], 1.0),
        ("notifications_planned_total", &[("template", "note"), ("priority", "normal")], 2.0),
        ("decision_duration_seconds_count", &[("engine", "script")], 3.0),
        ("sends_total", &[("result", "accepted"), ("code", "")], 1.0),
        ("sends_total", &[("result", "failed"), ("code", "131026")], 1.0),
        ("sends_total", &[], 2.0),
        ("send_duration_seconds_count", &[], 2.0),
        ("accept_delay_seconds_count", &[("priority", "normal")], 1.0),
        ("receipts_total", &[("status", "read")], 1.0),
        ("receipt_delay_seconds_count", &[("status", "delivered")], 1.0),
        ("receipt_delay_seconds_count", &[("status", "failed")], 0.0),
        ("webhook_requests_total", &[("result", "unsigned")], 1.0),
        ("lanes_held", &[], 64.0),
        ("rules_last_load_successful", &[], 1.0),
        ("number_resting", &[], 0.0),
        ("number_pace_limit", &[], 1_000.0),
        ("metrics_read_failures_total", &[], 0.0),
        ("database_connections_max", &[("share", "lanes")], 1.0),
        ("database_connections_awaited", &[], 0.0),
        ("database_errors_total", &[("kind", "unreachable")], 0.0),
    ] {
        let found = scrape.sum(&format!("hookswitch_{name}"), labels);
        assert_eq!(found, expected, "{name} {labels:?} in:\n{}", scrape.text());
    }
    assert!(scrape.sum("hookswitch_database_transactions_total", &[("result", "committed")]) > 3.0);
    assert!(scrape.sum("hookswitch_database_connections", &[]) >= 2.0, "{}", scrape.text());
    // A slow message can be looked up.
    let id = stage.notification(&read, "read").await["id"].as_str().unwrap().to_owned();
    for name in ["accept_delay_seconds_bucket", "receipt_delay_seconds_bucket"] {
        let exemplars = scrape.exemplars(&format!("hookswitch_{name}"));
        assert!(exemplars.contains(&format!("notification_id=\"{id}\"").as_str()), "{name}: {exemplars:?}");
    }
    // The system's own events have no rule here either.
    let unrouted = scrape.sum("hookswitch_decisions_total", &[("outcome", "no_route"), ("engine", "none")]);
    assert!(unrouted >= 1.0, "{}", scrape.text());
    // A host that stops has stored what it counted.
    let mut stage = stage;
    stage.host.terminate();
    for step in [60, 3_600] {
        let of = async |kind: &str, label: &str| {
            let counted = format!(
                "SELECT coalesce(sum(n), 0)::bigint FROM tally WHERE step = {step} AND kind = '{kind}' AND label = '{label}'"
            );
            stage.database.count(&counted).await
        };
        assert_eq!(of("event", "accepted").await, 4);
        assert_eq!(of("event", "refused").await, 1);
        assert_eq!(of("decision", "notify").await, 2);
        assert_eq!(of("send", "accepted").await, 1);
        assert_eq!(of("send", "failed").await, 1);
        assert_eq!(of("receipt", "read").await, 1);
    }
    let on_phone = "SELECT coalesce(sum(n), 0)::bigint FROM tally WHERE kind = 'phone' AND step = 60";
    assert_eq!(stage.database.count(on_phone).await, 1);
    let of_template = "SELECT count(*) FROM template_day WHERE (template, sent, delivered, read, failed) = ('note', 1, 1, 1, 1)
                       AND day = (now() AT TIME ZONE 'UTC')::date";
    assert_eq!(stage.database.count(of_template).await, 1);
    assert!(scrape.sum("hookswitch_webhook_last_accepted_timestamp_seconds", &[]) > 1.7e9);
}

#[tokio::test]
async fn what_waits_is_told_with_its_age_and_rules_that_have_errors() {
    let stage = Stage::builder().open_windows().start().await;
    let errors = json!({"errors": [{"code": 131_000}]});
    stage.simulator.turn(&errors).await;
    let later = json!({"type": "any", "data": {"template": "note", "context": {"n": 3}, "contacts": ["15550100003"],
        "send_at": "2099-01-01T00:00:00Z"}});
    stage.host.accept(&later).await;
    let retried = stage.host.accept(&note(1)).await;
    stage.notification(&retried, "retrying").await;
    write_rule(&stage.rules, "any/routes.yaml", "- on: [\n");
    let shown = async || {
        let scrape = Scrape::of(&stage.host).await;
        let waits = |reason: &str| scrape.sum("hookswitch_messages_waiting", &[("reason", reason)]);
        waits("retry") == 1.0
            && waits("send_at") == 1.0
            && waits("queued") == 0.0
            && scrape.sum("hookswitch_rules_last_load_successful", &[]) == 0.0
            && scrape.sum("hookswitch_messages_oldest_age_seconds", &[("priority", "normal")]) > 0.0
            && scrape.sum("hookswitch_messages_oldest_age_seconds", &[("priority", "urgent")]) == 0.0
    };
    // What waits is read every 15 s.
    wait_until("both are shown", 2 * SOON, async || shown().await).await;
}

#[tokio::test]
async fn a_thousand_types_and_people_have_no_series_of_their_own() {
    let template = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nThis is note {{ n }}, all right.\n";
    let stage = Stage::builder().rules(&[("any/templates/note.j2", template)]).start().await;
    let before = Scrape::of(&stage.host).await;
    let events = |of: &dyn Fn(usize) -> Value| Value::Array((0..1_000).map(of).collect());
    let types = events(&|n| json!({"type": format!("t{n}.\"x\\\""), "subject": format!("s{n}"), "data": {}}));
    for batch in [types, events(&note)] {
        assert_eq!(stage.host.post_event(&batch).await.status(), 202);
    }
    wait_until("all are read", 2 * SOON, async || stage.read().await == 1_000).await;
    let after = Scrape::of(&stage.host).await;
    assert_eq!(after.sum("hookswitch_events_accepted_total", &[]), 2_000.0);
    assert_eq!(after.sum("hookswitch_sends_total", &[("result", "accepted")]), 1_000.0);
    assert!(after.len() < 300, "{} series, {} before:\n{}", after.len(), before.len(), after.text());
    let text = after.text();
    for private in ["1555010", "t999", "s999"] {
        assert!(!text.contains(private), "{private}:\n{text}");
    }
}

#[tokio::test]
async fn the_host_of_the_first_lane_tells_what_the_check_finds_and_what_meta_says() {
    let template = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nThis is note {{ n }}, all right.\n";
    let account = Settings::default().waba_id;
    let stage = Stage::builder()
        .rules(&[("any/templates/note.j2", template)])
        .simulator(&["--unlimited", "--window", "off"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())])
        .start()
        .await;
    let id = stage.host.accept(&json!({"type": "nothing.of.ours", "data": {}})).await;
    stage.decision(&id, "no_route").await;
    let park = "INSERT INTO parked (lane, event_seq, ordinal, plugin, due, parked_at)
                SELECT lane, seq, 0, 'gone', false, now() FROM event WHERE type = 'nothing.of.ours'";
    stage.database.query(park, &[]).await;
    let number = Settings::default().phone_number_id;
    let shown = async || {
        let scrape = Scrape::of(&stage.host).await;
        // Nobody is in the group, and the template is not at Meta.
        scrape.sum("hookswitch_check_findings", &[("severity", "critical")]) > 0.0
            && scrape.sum("hookswitch_number_quality", &[("number", &number), ("quality", "green")]) == 1.0
            && scrape.sum("hookswitch_number_quality", &[]) == 1.0
            && scrape.has("hookswitch_number_daily_users")
            && scrape.sum("hookswitch_template_state", &[("template", "note"), ("state", "MISSING")]) == 1.0
            && scrape.sum("hookswitch_plugin_parked_events", &[("plugin", "gone")]) == 1.0
            && scrape.has("hookswitch_database_oldest_transaction_seconds")
    };
    wait_until("all of it is shown", 3 * SOON, async || shown().await).await;
}
