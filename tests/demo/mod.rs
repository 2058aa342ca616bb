//! The first command that a new user runs, and the rules that come with it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod plugins;
mod safety;

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use crate::harness::rules;

/// The built program with the rules that come with it.
fn hookswitch(arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    command.arg("--rules").arg(rules());
    command
}

/// The built program; it may look for PostgreSQL and pip where we would.
fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env_clear().args(arguments);
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

/// The names of the templates in the rules folder.
fn templates() -> Vec<String> {
    let domains = std::fs::read_dir(rules()).unwrap().flatten();
    let files = domains.flat_map(|domain| {
        std::fs::read_dir(domain.path().join("templates")).into_iter().flatten().flatten()
    });
    let names: Vec<String> =
        files.map(|file| file.path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert!(!names.is_empty());
    names
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_demo_shows_a_message_of_each_template_read_and_again_on_what_it_left() {
    let folder = tempfile::tempdir().unwrap();
    for start in 1..=2 {
        let output = hookswitch(&["demo", "--exit"]).arg("--data-dir").arg(folder.path()).output().unwrap();
        let said = text(&output);
        assert!(output.status.success(), "start {start}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("messages read"), "{said}");
        for name in templates() {
            // An order is announced, and a conversation taken, once in 24 hours, however often the demo starts.
            let is_once =
                ["hanna_new_order_created", "hanna_human_handover_claimed"].contains(&name.as_str());
            if start == 1 || !is_once {
                assert!(said.contains(&format!("send {name}")), "{name} is missing: {said}");
            }
        }
        assert!(start == 1 || said.contains("duplicate"), "{said}");
        assert!(said.contains("accepted → sent → delivered → read"), "{said}");
    }
}

#[test]
fn the_rules_that_come_with_it_are_right() {
    let output = hookswitch(&["rules", "check"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // All of them were looked at.
    assert!(text(&output).contains(&format!("{} templates, ", templates().len())), "{}", text(&output));
}

#[test]
fn an_event_can_be_tried() {
    let mut child = hookswitch(&["rules", "try", "-", "--at", "2026-11-23T09:00:00Z"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let event =
        br#"{"type": "invoice.processed", "data": {"order": {"order_number": "SO-7", "amount": "12.5",
        "customer": {"full_name": "Tendai Moyo", "contact": {"whatsapp_id": "+263 77 000 0201"}}}}}"#;
    child.stdin.take().unwrap().write_all(event).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = text(&output);
    let (first, rest) = said.split_once('\n').unwrap();
    assert!(first.starts_with("invoice.processed  release "), "{first}");
    insta::assert_snapshot!(rest);
}

#[test]
fn what_is_no_event_cannot_be_tried() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    std::fs::write(&file, "{\"type\": \"x\",\n  \"dato\": 1}").unwrap();
    let output = hookswitch(&["rules", "try"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).replace(&folder.path().display().to_string(), "");
    insta::assert_snapshot!(said, @r"
    error: invalid event /event.json: 2 errors
      /dato: unknown member; did you mean `data`?; the payload belongs in `data`
      /data: missing; send {} if the event has no data
    ");
}
