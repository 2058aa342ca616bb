//! Events in a file: nobody who exists is in it, and rules are tried with it where there is no database.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FRONT, Past, kinds};
use crate::harness::{program, write_rule};

const NOTES: &str = "- {on: note, template: note, groups: [Ops], users: [event.data.assignee], context: {n: event.data.n}}\n\
                     - {on: alarm, template: note, users: ['\"cid\"'], context: {n: event.data.n}}\n";

/// A checkout: a folder with the folder `rules`, in which these are the routes and the text.
fn checkout(routes: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    write_rule(&rules, "groups.yaml", "- {name: Ops, description: They run it}\n");
    write_rule(&rules, "notes/templates/note.j2", &format!("{FRONT}{text}"));
    write_rule(&rules, "notes/routes.yaml", routes);
    folder
}

/// Notes about people, by which two of Ops, one of them named, and an alarm for somebody whom the rules name.
async fn exported(folder: &Path) -> PathBuf {
    let base = checkout(NOTES, "Note {{ n }} for {{ recipient.name }}");
    let past = Past::of(&base.path().join("rules")).await;
    past.database.query("UPDATE person SET name = 'Ann Miller' WHERE username = 'ann'", &[]).await;
    let customer = json!({"name": "Rudo Moyo", "phone": "+263 77 123 4567", "email": "rudo@shop.co.zw"});
    past.happened(&[
        json!({"type": "note", "subject": "Rudo Moyo", "data": {"n": 1, "assignee": "bob", "customer": customer}}),
        json!({"type": "note", "data": {"n": 2, "assignee": "ann", "text": "call Rudo Moyo, 15550200001, ask Ann Miller"}}),
        json!({"type": "note", "data": {"n": 2, "assignee": "ann"}}),
        json!({"type": "alarm", "data": {"n": 3}}),
    ])
    .await;
    let file = folder.join("events.jsonl");
    let output = past.run(&["events", "export", file.to_str().unwrap(), "--since", "1h"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("Exported 4 events and 3 people"), "{said}");
    let again = past.run(&["events", "export", file.to_str().unwrap()]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(1) && said.contains("cannot write"), "{said}");
    let printed = past.run(&["events", "export", "-", "--type", "alarm"]).stdout;
    assert_eq!(printed.iter().filter(|b| **b == b'\n').count(), 1 + 3 + 1);
    file
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program(arguments);
    // No database is near.
    command.current_dir(folder).env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    command.env("HOOKSWITCH_DATA_DIR", folder.join("data")).output().unwrap()
}

#[track_caller]
fn replayed(folder: &Path, events: &Path, base: &Path) -> Value {
    let arguments =
        ["replay", "--events", events.to_str().unwrap(), "--base", base.to_str().unwrap(), "--json"];
    let Output { status, stdout, stderr } = run(folder, &arguments);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

#[tokio::test]
async fn nobody_who_exists_is_in_the_file_and_rules_are_tried_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let events = exported(folder.path()).await;
    let text = fs::read_to_string(&events).unwrap();
    for personal in ["ann", "bob", "Ann Miller", "Rudo", "1234567", "123 4567", "rudo@", "1555020000"] {
        assert!(!text.contains(personal), "{personal} is in the file:\n{text}");
    }
    // Whom the rules name is there.
    assert!(text.contains("\"username\":\"cid\""), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&events).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let base = checkout(NOTES, "Note {{ n }} for {{ recipient.name }}");
    let same = replayed(base.path(), &events, base.path());
    assert_eq!((kinds(&same), &same["totals"]["changed"]), ([0; 5], &json!(0)), "{same}");
    // Two of Ops each time; the one who is named is one of them.
    assert_eq!((&same["totals"]["events"], &same["totals"]["then"]), (&json!(4), &json!(7)), "{same}");

    let words = checkout(NOTES, "Note {{ n }}, dear {{ recipient.name }}");
    let changed = replayed(words.path(), &events, base.path());
    assert_eq!(kinds(&changed), [0, 0, 0, 0, 7], "{changed}");
    // The other way round.
    let mirrored = replayed(base.path(), &events, words.path());
    assert_eq!(kinds(&mirrored), [0, 0, 0, 0, 7], "{mirrored}");

    let keyed = NOTES.replace("- {on: note,", "- {on: note, dedupe_key: event.data.n,");
    let once = checkout(&keyed, "Note {{ n }} for {{ recipient.name }}");
    let changed = replayed(once.path(), &events, base.path());
    assert_eq!(
        (kinds(&changed), &changed["totals"]["newly_silent"]),
        ([2, 0, 0, 0, 0], &json!(1)),
        "{changed}"
    );
    // Keys count for both.
    let same = replayed(once.path(), &events, once.path());
    assert_eq!((kinds(&same), &same["totals"]["then"]), ([0; 5], &json!(5)), "{same}");
    let back = replayed(base.path(), &events, once.path());
    assert_eq!((kinds(&back), &back["totals"]["no_longer_silent"]), ([0, 2, 0, 0, 0], &json!(1)), "{back}");

    let failing = checkout(&NOTES.replace("event.data.assignee", "number(event.type)"), "Note {{ n }}");
    let changed = replayed(failing.path(), &events, base.path());
    assert_eq!(changed["totals"]["newly_failing"], 3, "{changed}");

    let arguments = ["replay", "--events", events.to_str().unwrap(), "--base", base.path().to_str().unwrap()];
    let output = run(words.path(), &[&arguments[..], &["--fail-on-change"]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("7 messages with other words") && said.contains("Opt-outs"), "{said}");
    let output = run(words.path(), &[&arguments[..], &["--markdown"]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("### Hookswitch: something changes for 4 events"), "{said}");
    assert!(said.contains("- **7 messages** with other words"), "{said}");
    assert!(said.contains("- Note 1 for ") && said.contains("+ Note 1, dear "), "{said}");
}

#[test]
fn what_is_no_such_file_is_told_with_its_line() {
    let folder = checkout(NOTES, "Note {{ n }}");
    let head =
        json!({"exported": {"version": 1, "at": "2026-11-27T10:00:00Z", "since": "2026-11-20T10:00:00Z"}});
    let person = json!({"person": {"username": "a", "name": "A", "groups": []}});
    let event = json!({"event": {"event": {"type": "note", "data": {}}, "received_at": "2026-11-27T10:00:00Z",
                                 "decided_at": "2026-11-27T10:00:00Z"}});
    let mut wrong_event = event.clone();
    wrong_event["event"]["event"] = json!({"type": "", "data": {}});
    let newer =
        json!({"exported": {"version": 2, "at": "2026-11-27T10:00:00Z", "since": "2026-11-20T10:00:00Z"}});
    let told = |lines: &[&Value], tail: &str| {
        let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        text.push_str(tail);
        let file = folder.path().join("events.jsonl");
        fs::write(&file, text).unwrap();
        let output = run(folder.path(), &["replay", "--events", "events.jsonl", "--base", "."]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for (lines, tail, what) in [
        (vec![], "", "events.jsonl:1: the first line must say what the file is"),
        (vec![&event], "", "events.jsonl:1: the first line must say what the file is"),
        (
            vec![&newer],
            "",
            "events.jsonl:1: the file has version 2; this version of Hookswitch reads version 1",
        ),
        (vec![&head, &event, &person], "", "events.jsonl:3: people must come before events"),
        (vec![&head, &head], "", "events.jsonl:2: the file begins anew"),
        (vec![&head, &wrong_event], "", "events.jsonl:2: its event cannot be read"),
        (vec![&head], "{\"event\": 7}", "events.jsonl:2: is not a line of exported events"),
        (vec![&head], "\u{0}", "events.jsonl:2: is not a line of exported events"),
    ] {
        let said = told(&lines, tail);
        assert!(said.contains(what), "{what}: {said}");
    }
    let deep = format!("{{\"event\":{}", "[".repeat(1 << 20));
    assert!(told(&[&head], &deep).contains("events.jsonl:2: "));
    let long = "x".repeat(9 << 20);
    assert!(told(&[&head], &long).contains("events.jsonl:2: is longer than 8 MiB"));

    for (arguments, what) in [
        (&["--events", "none.jsonl"][..], "--base"),
        (&["--events", "none.jsonl", "--base", ".", "--since", "7d"], "--since"),
        (&["--events", "none.jsonl", "--base", ".", "--rules", "/etc"], "must be relative"),
    ] {
        let output = run(folder.path(), &[&["replay"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(what), "{arguments:?}: {said}");
    }
    let output = run(folder.path(), &["replay", "--events", "none.jsonl", "--base", "."]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("cannot read none.jsonl"), "{said}");
}
