//! The rules that are shipped, replayed: over the events of their own cases, and over the mistake of the system that they
//! come from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Past, kinds};
use crate::harness::{rules as shipped, write_rule};

/// A copy of the shipped rules.
fn copy() -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = to.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &to)
            } else {
                let _ = fs::copy(&path, &to).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), folder.path());
    folder
}

fn files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml")
            && path.parent().unwrap().ends_with("cases")
        {
            files.push(path);
        }
    }
}

/// The events of all cases; those of the system itself, which nobody may post, have another source.
fn events_of_cases(folder: &Path) -> Vec<Value> {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    let mut events = Vec::new();
    for path in paths {
        let cases: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let one = case.get("event").into_iter();
            let several = case.get("events").and_then(Value::as_array).into_iter().flatten();
            for event in one.chain(several) {
                let event = event.get("event").unwrap_or(event);
                let [kind, data, subject] = ["type", "data", "subject"].map(|name| event.get(name).cloned());
                let Some(kind) = kind else { continue };
                let mut event = json!({"type": kind, "data": data.unwrap_or_else(|| json!({}))});
                if let Some(subject) = subject {
                    event["subject"] = subject;
                }
                events.push(event);
            }
        }
    }
    events
}

#[tokio::test]
async fn a_replay_by_the_release_that_decided_finds_no_change() {
    let folder = copy();
    let collects = "- on: stock.low\n  template: stock_low\n  groups: [Sales Team]\n  collect: 1h by group\n  context: {item: event.data.item}\n";
    write_rule(folder.path(), "stock/routes.yaml", collects);
    let template = "---\ndescription: Stock\ncategory: utility\nlanguage: en_US\n---\n{% for i in items %}- {{ i.item }}\n{% endfor %}\nThat is all.";
    write_rule(folder.path(), "stock/templates/stock_low.j2", template);
    let past = Past::of(folder.path()).await;
    past.database
        .add_person("rudo", "15550200004", &["System Admins", "Sales Team", "Technical Admin"])
        .await;
    past.database.add_person("tapiwa", "15550200005", &["Pfungwa Staff", "Finance Team"]).await;
    let mut events = events_of_cases(folder.path());
    assert!(events.len() > 20, "{}", events.len());
    events.push(json!({"type": "stock.low", "data": {"item": "Inverter"}}));
    events.push(json!({"type": "nobody.knows", "data": {}}));
    past.happened(&events).await;
    // Twice: the keys of the first are in use.
    past.happened(&events).await;
    let duplicates = "SELECT count(*) FROM decision WHERE outcome = 'duplicate'";
    assert!(past.database.count(duplicates).await > 0);
    assert!(past.database.count("SELECT count(*) FROM decision WHERE outcome = 'collected'").await > 0);
    let replay = past.replay(folder.path());
    let totals = &replay["totals"];
    assert!(totals["events"].as_u64().unwrap() >= 2 * events.len() as u64, "{totals}");
    assert_eq!((kinds(&replay), &totals["changed"]), ([0; 5], &json!(0)), "{replay}");
    assert_eq!(totals["other_conditions"], 0, "{totals}");
    for why in ["asks_more", "values_gone", "release_gone", "harmful"] {
        assert_eq!(totals["not_compared"][why], 0, "{totals}");
    }
    assert!(replay["report"]["times"].as_object().unwrap().len() > 5);
}

/// In the system that the rules come from, two handlers announced each order.
#[tokio::test]
async fn what_was_announced_twice_is_announced_once_and_the_other_way_round_is_the_mirror() {
    let (once, twice) = (copy(), copy());
    let routes = fs::read_to_string(twice.path().join("orders/routes.yaml")).unwrap();
    let without = routes.replace("  dedupe_key: text(event.data.order.id)\n", "");
    assert_ne!(routes, without);
    write_rule(twice.path(), "orders/routes.yaml", &without);
    // They expect the key.
    fs::remove_dir_all(twice.path().join("orders/cases")).unwrap();
    let order = |n: u32| {
        let order = json!({"id": n, "number": format!("SO-{n}"), "name": "Home kit", "amount": 1250,
                           "customer": {"contact": {"name": "Tendai Moyo"}}});
        json!({"type": "order.created", "subject": format!("order-{n}"), "data": {"order": order}})
    };
    let events: Vec<Value> = (0..5).flat_map(|n| [order(n), order(n)]).collect();
    let mut found = Vec::new();
    for (then, now) in [(&twice, &once), (&once, &twice)] {
        let past = Past::of(then.path()).await;
        past.database.add_person("rudo", "15550200004", &["System Admins"]).await;
        past.database.add_person("tapiwa", "15550200005", &["Sales Team"]).await;
        past.happened(&events).await;
        found.push(past.replay(now.path()));
        let said = past.says(&["replay", "--since", "1h", "--rules", now.path().to_str().unwrap()]);
        println!("{said}");
        let what = if found.len() == 1 { "10 messages no longer sent" } else { "10 messages newly sent" };
        assert!(said.contains(what) && said.contains("hanna_new_order_created"), "{said}");
    }
    let [there, back] = &found[..] else { panic!() };
    assert_eq!(kinds(there), [10, 0, 0, 0, 0], "{there}");
    assert_eq!(kinds(back), [0, 10, 0, 0, 0], "{back}");
    let totals = |of: &Value, name: &str| of["totals"][name].as_u64().unwrap();
    assert_eq!((totals(there, "then"), totals(there, "now")), (20, 10));
    assert_eq!((totals(back, "then"), totals(back, "now")), (10, 20));
    assert_eq!((totals(there, "newly_silent"), totals(back, "no_longer_silent")), (5, 5));
    let example = &there["report"]["examples"][0];
    assert_eq!((&example["change"], &example["now"]), (&json!("gone"), &Value::Null));
    assert!(example["then"]["in_window"]["body"].as_str().unwrap().contains("Home kit"), "{example}");
}
