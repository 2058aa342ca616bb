//! What changes for people, and what is said of it.

use std::fs;

use serde_json::json;

use super::{FRONT, Past, ROUTE, kinds, rules};
use crate::harness::write_rule;

fn notes(count: usize) -> Vec<serde_json::Value> {
    (0..count).map(|n| json!({"type": "note", "data": {"n": n}})).collect()
}

#[tokio::test]
async fn each_kind_of_change_is_counted_and_shown() {
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let past = Past::of(old.path()).await;
    past.happened(&notes(3)).await;

    let same = past.replay(old.path());
    assert_eq!((kinds(&same), &same["totals"]["changed"]), ([0; 5], &json!(0)), "{same}");
    assert_eq!((&same["totals"]["events"], &same["totals"]["then"]), (&json!(3), &json!(6)));
    assert_eq!(same["state"], "done");

    // Another word, in both faces.
    let words = rules(&[
        ("notes/routes.yaml", ROUTE),
        ("notes/templates/note.j2", &format!("{FRONT}Note {{{{ n }}}} of tomorrow")),
    ]);
    let changed = past.replay(words.path());
    assert_eq!(kinds(&changed), [0, 0, 0, 0, 6], "{changed}");
    let example = &changed["report"]["examples"][0];
    assert_eq!(example["then"]["in_window"]["body"], "Note 0 of today");
    assert_eq!(example["now"]["as_template"]["body"], "Note 0 of tomorrow");
    let said = past.says(&["replay", "--since", "1h", "--rules", words.path().to_str().unwrap()]);
    assert!(said.contains("6 messages with other words"), "{said}");
    assert!(said.contains("Note 0 of [-today-]{+tomorrow+}"), "{said}");
    assert!(said.contains("taken as they were then"), "{said}");

    // Another group: two people of Ops become one of Desk.
    let people = rules(&[("notes/routes.yaml", &ROUTE.replace("Ops", "Desk"))]);
    let changed = past.replay(people.path());
    assert_eq!(kinds(&changed), [3, 0, 3, 0, 0], "{changed}");
    assert_eq!(changed["report"]["groups"]["Desk"], json!({"then": 0, "now": 3}));
    assert_eq!(changed["report"]["templates"]["note"], json!({"then": 6, "now": 3}));

    // Another time.
    let later = ROUTE.replace("template: note,", "template: note, after: 2h,");
    let changed = past.replay(rules(&[("notes/routes.yaml", &later)]).path());
    assert_eq!(kinds(&changed), [0, 0, 0, 6, 0], "{changed}");

    // No rule at all.
    let none = past.replay(rules(&[("notes/routes.yaml", &ROUTE.replace("on: note", "on: other"))]).path());
    assert_eq!((kinds(&none), &none["totals"]["newly_silent"]), ([6, 0, 0, 0, 0], &json!(3)));
    let silent = &none["report"]["newly_silent"][0];
    assert_eq!((&silent["type"], &silent["reason"]), (&json!("note"), &json!("no route matches its type")));
}

#[tokio::test]
async fn rules_that_fail_now_are_named_and_the_status_says_that_something_changes() {
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let past = Past::of(old.path()).await;
    past.happened(&notes(2)).await;
    let wrong =
        rules(&[("notes/routes.yaml", &ROUTE.replace("event.data.n}", "event.data.n.missing.deeper + 1}"))]);
    let failing = past.replay(wrong.path());
    assert_eq!(failing["totals"]["newly_failing"], 2, "{failing}");
    assert!(failing["report"]["newly_failing"][0]["reason"].is_string(), "{failing}");

    let arguments = |folder: &tempfile::TempDir| {
        let folder = folder.path().to_str().unwrap().to_owned();
        ["replay", "--since", "1h", "--fail-on-change", "--rules"]
            .map(str::to_owned)
            .into_iter()
            .chain([folder])
    };
    let status = |folder| {
        let arguments: Vec<String> = arguments(folder).collect();
        past.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).status.code()
    };
    assert_eq!((status(&wrong), status(&old)), (Some(1), Some(0)));
}

#[tokio::test]
async fn a_replay_may_be_of_some_events_and_is_kept() {
    let old = rules(&[("notes/routes.yaml", &format!("{ROUTE}{}", ROUTE.replace("on: note", "on: memo.*")))]);
    let past = Past::of(old.path()).await;
    let memos = (0..4).map(|n| json!({"type": format!("memo.{n}"), "data": {"n": n}}));
    past.happened(&notes(40).into_iter().chain(memos).collect::<Vec<_>>()).await;
    let events = |more: &[&str]| past.replay_with(old.path(), more)["totals"]["events"].as_u64().unwrap();
    assert_eq!(events(&[]), 44);
    assert_eq!((events(&["--type", "memo.*"]), events(&["--type", "memo.1"])), (4, 1));
    assert_eq!(events(&["--type", "memo.1", "--type", "note"]), 41);
    let some = events(&["--sample", "4"]);
    assert!((1..44).contains(&some) && events(&["--sample", "4"]) == some, "{some}");
    assert_eq!(events(&["--until", "30m"]), 0);

    let listed = past.says(&["replay", "list", "--json"]);
    assert_eq!(listed.lines().count(), 7);
    let last: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let shown = past.says(&["replay", "show", &last["id"].to_string()]);
    assert!(shown.contains("0 events received since") && shown.contains("Nothing changes."), "{shown}");
    let unknown = past.run(&["replay", "show", "999999"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[tokio::test]
async fn what_costs_is_said_by_category() {
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let past = Past::of(old.path()).await;
    past.happened(&notes(2)).await;
    let new = rules(&[("notes/routes.yaml", ROUTE)]);
    let marketing = format!("{}Note {{{{ n }}}} of today", FRONT.replace("utility", "marketing"));
    write_rule(new.path(), "notes/templates/note.j2", &marketing);
    let beside = tempfile::tempdir().unwrap();
    let prices = beside.path().join("prices.csv");
    fs::write(&prices, "country,category,price,currency\n*,utility,0.01,USD\n1,marketing,0.05,USD\n")
        .unwrap();
    let replay = past.replay_with(new.path(), &["--prices", prices.to_str().unwrap()]);
    assert_eq!(replay["report"]["categories"]["marketing"], json!({"then": 0, "now": 4}), "{replay}");
    let cost = &replay["report"]["cost"];
    assert_eq!((&cost["currency"], &cost["without_price"]), (&json!("USD"), &json!(0)));
    assert!((cost["then"]["utility"].as_f64().unwrap() - 0.04).abs() < 1e-9, "{cost}");
    assert!((cost["now"]["marketing"].as_f64().unwrap() - 0.20).abs() < 1e-9, "{cost}");
    fs::write(&prices, "country,category,price,currency\n+1,utility,0.01,USD\n").unwrap();
    let wrong =
        past.run(&["replay", "--rules", new.path().to_str().unwrap(), "--prices", prices.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(2));
}
