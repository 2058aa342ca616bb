//! What strangers write does not steer a terminal.

use serde_json::json;

use super::{check, folder, template, try_event};

const STEERS: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}evil\u{200b}\rforged";

#[track_caller]
fn is_clean(said: &str) {
    let steers = |c: &char| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
    assert_eq!(said.chars().find(steers), None, "{said:?}");
    assert!(said.contains("\\u{1b}[2J"), "{said}");
}

#[test]
fn events_and_templates_are_shown_without_steering() {
    let rules = template("Hello {{ text }}");
    let ended = try_event(rules.path(), &json!({"text": STEERS}));
    ended.lived("Hello");
    is_clean(&ended.said);
    let rules = super::script("fn decide(event) { skip(event.data.text) }");
    let ended = try_event(rules.path(), &json!({"text": STEERS}));
    ended.lived("evil");
    is_clean(&ended.said);
}

#[test]
fn findings_are_shown_without_steering() {
    let rules = folder(&[(
        "a/routes.yaml",
        "- on: \"a\\e[2J\\a\"\n  template: \"x\\e[2J\\u202E\"\n  groups: [Ops]\n",
    )]);
    let ended = check(rules.path());
    ended.lived("a/routes.yaml");
    is_clean(&ended.said);
    let rules = folder(&[("a/s.rhai", "fn decide(event) { \u{1b}[2J }")]);
    let ended = check(rules.path());
    ended.lived("a/s.rhai");
    assert!(!ended.said.contains('\u{1b}'), "{:?}", ended.said);
}
