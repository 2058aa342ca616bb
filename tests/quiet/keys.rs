//! A key counts for as long as the rule says.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{ANN, note, with};
use crate::harness::{SOON, wait_until};

#[tokio::test]
async fn a_duplicate_names_the_event_before_it() {
    let stage = with(&[]).await;
    let mut decision = note(1, ANN);
    decision["dedupe_key"] = json!("order-7");
    let first = stage.decide(decision.clone()).await;
    stage.notification(&first, "read").await;
    let second = stage.decide(decision.clone()).await;
    let duplicate = stage.decision(&second, "duplicate").await;
    let words = duplicate["reason"].as_str().unwrap();
    let begins = format!("the key \"order-7\" was used for the template note by the event {first} from ");
    assert!(words.starts_with(&begins), "{words}");
    assert!(stage.says(&["explain", &second]).contains(&first));

    // Two decisions for one event with one key.
    let third = stage
        .decide(json!(
            [note(1, ANN), note(2, ANN)]
                .map(|mut decision| {
                    decision["dedupe_key"] = json!("twice");
                    decision
                })
                .to_vec()
        ))
        .await;
    stage.decision(&third, "notify").await;
    let event = stage.host.event(&third).await;
    assert_eq!(event["decisions"][1]["outcome"], "duplicate");
    assert!(event["decisions"][1]["reason"].as_str().unwrap().contains("an earlier rule for this event"));
}

#[tokio::test]
async fn a_key_counts_for_as_long_as_the_rule_says() {
    let route = "- on: short\n  template: note\n  contacts: [event.data.to]\n  dedupe_key: event.data.key\n  \
                 dedupe_for: 1s\n  context:\n    n: 1\n";
    let stage = with(&[("short/routes.yaml", route)]).await;
    let event = json!({"type": "short", "subject": "s", "data": {"to": ANN, "key": "k"}});
    let first = stage.host.accept(&event).await;
    stage.notification(&first, "read").await;
    // By the database's clock, which is this machine's too.
    let over = "SELECT count(*) FROM dedupe WHERE expires_at <= now()";
    wait_until("the key is free", SOON, async || stage.database.count(over).await == 1).await;
    let second = stage.host.accept(&event).await;
    stage.notification(&second, "read").await;
    let third =
        stage.decide(json!({"template": "note", "contacts": [ANN], "context": {"n": 1}, "dedupe_for": "1h"}));
    let failed = stage.decision(&third.await, "failed").await;
    assert!(failed["reason"].as_str().unwrap().contains("`dedupe_for` needs a `dedupe_key`"), "{failed}");
}

#[tokio::test]
async fn nobody_gets_more_than_at_most() {
    let stage = with(&[]).await;
    let limited = |n: i64, at_most: &str| {
        let mut decision = note(n, ANN);
        decision["at_most"] = json!(at_most);
        decision
    };
    // Of one batch, and of what came before.
    let first =
        stage.decide(json!([limited(1, "2 per 1d"), limited(2, "2 per 1d"), limited(3, "2 per 1d")])).await;
    stage.notification(&first, "read").await;
    let decisions = async |id: &str| {
        let event = stage.host.event(id).await;
        let status = |decision: &Value| decision["notifications"][0]["status"].as_str().unwrap().to_owned();
        event["decisions"].as_array().unwrap().iter().map(status).collect::<Vec<_>>()
    };
    wait_until("two are read", SOON, async || decisions(&first).await == ["read", "read", "skipped"]).await;
    let second = stage.decide(limited(4, "2 per 1d")).await;
    let skipped = stage.notification(&second, "skipped").await;
    assert_eq!(skipped["deliveries"][0]["detail"], "at_most: 2 per 1d of this template to one recipient");
    // Who is told of it may be told of more; others are not concerned, and those without a limit neither.
    let more = stage
        .decide(json!([limited(5, "3 per 1d"), limited(6, "3 per 1d"), note(7, ANN), note(8, "15550100002")]))
        .await;
    wait_until("one more", SOON, async || decisions(&more).await == ["read", "skipped", "read", "read"])
        .await;
    // A person and their number are one recipient, within a batch and after it.
    let as_person = |n: i64, at_most: &str| json!({"template": "note", "users": ["ann"], "context": {"n": n}, "at_most": at_most});
    let both = stage
        .decide(json!([as_person(10, "5 per 1d"), limited(11, "5 per 1d"), as_person(12, "5 per 1d")]))
        .await;
    wait_until("one more", SOON, async || decisions(&both).await == ["read", "skipped", "skipped"]).await;
    let by_number = stage.decide(limited(13, "5 per 1d")).await;
    stage.notification(&by_number, "skipped").await;
    let by_name = stage.decide(as_person(14, "5 per 1d")).await;
    stage.notification(&by_name, "skipped").await;
    let wrong = stage.decide(limited(9, "0 per 1d")).await;
    let failed = stage.decision(&wrong, "failed").await;
    assert!(
        failed["reason"].as_str().unwrap().contains("for example `3 per 1d`, got `0 per 1d`"),
        "{failed}"
    );
}

#[tokio::test]
async fn those_without_quiet_hours_get_it_within_hours() {
    let stage = with(&[]).await;
    let within = |hours: &str| {
        let mut decision = note(1, ANN);
        decision["hours"] = json!(hours);
        decision
    };
    let hour = Timestamp::now().to_zoned(TimeZone::UTC).hour();
    let later = format!("{:02}:00-{:02}:30 UTC", (hour + 3) % 24, (hour + 3) % 24);
    let waits = stage.decide(within(&later)).await;
    let notification = stage.notification(&waits, "deferred").await;
    let detail = notification["deliveries"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("waits until ") && detail.ends_with(&format!("it is sent {later}")),
        "{detail}"
    );
    assert_eq!(notification["waits"]["reason"], "quiet");
    let always = stage.decide(within("MON-SUN 00:00-24:00 Africa/Harare")).await;
    stage.notification(&always, "read").await;
    let mut urgent = within(&later);
    urgent["priority"] = json!("urgent");
    let urgent = stage.decide(urgent).await;
    stage.notification(&urgent, "read").await;
    for (hours, words) in
        [("08:00-17:00", "the time zone is missing"), ("8 to 5 Africa/Harare", "expected days and hours")]
    {
        let wrong = stage.decide(within(hours)).await;
        let failed = stage.decision(&wrong, "failed").await;
        assert!(failed["reason"].as_str().unwrap().contains(words), "{failed}");
    }
}
