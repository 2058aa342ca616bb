//! What every listing command has in common: JSON for programs, a quiet end at a closed pipe.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use serde_json::{Value, json};

use super::{Office, text};

const LISTS: [&[&str]; 11] = [
    &["people", "list"],
    &["groups", "list"],
    &["contacts", "list"],
    &["keys", "list"],
    &["notifications"],
    &["failed", "list"],
    &["unknown", "list"],
    &["plugin", "list"],
    &["plugin", "parked"],
    &["templates", "list"],
    &["templates", "status"],
];

/// A database with something in each list that can have something without a host.
async fn office() -> Office {
    let office = Office::open().await;
    office.set_up().await;
    office.does(&["keys", "create", "shop", "--scope", "events,read", "--source", "/shop"]);
    // Escape sequences and text that is reordered must not make the JSON invalid.
    let name = "UPDATE contact SET name = E'\\u202EEve\\u009B31m'";
    office.database.query(name, &[]).await;
    let event = "INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
                 VALUES (0, 'e1', '/test', 'guest.arrived', now(), '{\"name\": \"Eve\"}', '', now())";
    office.database.query(event, &[]).await;
    office
}

#[tokio::test]
async fn every_list_is_there_for_programs_too() {
    let office = office().await;
    let json = |command: &[&str]| -> Vec<Value> {
        let said = office.does(&[command, &["--json"]].concat());
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    };
    for command in LISTS {
        json(command);
    }
    assert_eq!(json(&["people", "list"])[0]["username"], "ann");
    assert_eq!(json(&["groups", "list"])[0]["members"], json!(["ann"]));
    assert_eq!(json(&["contacts", "list"])[0]["name"], "\u{202e}Eve\u{9b}31m");
    let key = &json(&["keys", "list"])[0];
    assert_eq!(
        (&key["name"], &key["scopes"], &key["sources"], &key["revoked_at"]),
        (&json!("shop"), &json!(["events", "read"]), &json!(["/shop"]), &Value::Null)
    );
    let template = &json(&["templates", "status"])[0];
    assert_eq!(
        (&template["template"], &template["versions"][0]["name"]),
        (&json!("greeting"), &json!("greeting"))
    );
    assert_eq!(json(&["templates", "diff"]), [] as [Value; 0]);
}

#[tokio::test]
async fn a_closed_pipe_ends_every_list_quietly() {
    let office = office().await;
    let others: [&[&str]; 4] =
        [&["rules", "check"], &["check", "--verbose"], &["openapi"], &["explain", "e1"]];
    for command in LISTS.iter().chain(&others) {
        let mut child =
            office.command(command, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads: whatever is printed meets a closed pipe.
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let code = child.wait().unwrap().code();
        // A check that finds something says so, read or not.
        let expected = if command[0] == "check" { 1 } else { 0 };
        assert!(code == Some(expected) && !said.contains("panicked"), "{command:?}: {code:?} {said}");
    }
}

#[tokio::test]
async fn a_page_that_nobody_looks_at_is_not_wrapped() {
    let office = office().await;
    let id = "x".repeat(200);
    let event = "INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
                 VALUES (0, $1, '/a/long/source/of/events', 'guest.arrived', now(), '{}', '', now())";
    office.database.query(event, &[&id]).await;
    let mut child = office.command(&["explain", &id], &[]).stdout(Stdio::piped()).spawn().unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success());
    let whole = format!("{id} from /a/long/source/of/events");
    assert!(lines.iter().any(|line| line.ends_with(&whole)), "{lines:#?}");
}

#[tokio::test]
async fn what_cannot_be_confirmed_is_not_done() {
    let office = office().await;
    let output = office.command(&["people", "forget", "ann"], &[]).stdin(Stdio::null()).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("no terminal to confirm on"), "{said}");
    assert_eq!(office.database.count("SELECT count(*) FROM contact").await, 1);
    office.does(&["people", "forget", "ann", "-y"]);
    assert_eq!(office.database.count("SELECT count(*) FROM contact").await, 0);
}

#[tokio::test]
async fn wrong_names_are_usage_errors_with_help() {
    let office = office().await;
    for (arguments, help) in [
        (&["keys", "create", "a b", "--scope", "read"][..], "expected 1 to 64 letters"),
        (&["keys", "create", "b", "--scope", "read", "--source", "/hookswitch"], "reserved"),
        (&["plugin", "new", "Not An Id"], "lower-case letters"),
        (&["plugin", "resume", "typo"], "unknown plugin \"typo\""),
        (&["plugin", "check", "typo"], "unknown plugin \"typo\""),
        (&["people", "quiet", "ann", "25:00-06:30", "--time-zone", "UTC"], "25:00-06:30"),
        (&["failed", "redrive"], "or --all"),
        (&["notifications", "--since", "yesterday"], "yesterday"),
    ] {
        let output = office.run(arguments);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(help), "{arguments:?}: {said}");
    }
}
