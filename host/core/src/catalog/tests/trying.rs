//! Trying rules, and asking what names what.

use tempfile::TempDir;

use super::{CASES, GROUPS, ROUTES, SCRIPT, TEMPLATE, write};
use crate::catalog::{load, load_to_try};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &[("groups.yaml", GROUPS), ("a/templates/order_created.j2", TEMPLATE)]);
    write(folder.path(), files);
    folder
}

const TO_A_USER: &str = "- on: order.created\n  template: order_created\n  users: [event.data.who]\n  \
                         context: {number: event.correlation}\n";

#[test]
fn a_case_without_people_has_the_users_that_rules_name() {
    let case = "- name: x\n  event: {type: order.created, data: {who: rudo}, extensions: {correlation: c-1}}\n  \
                expect: [{to: [rudo], skipped: [], body: \"*New order* c-1\"}]\n";
    let good = folder(&[("a/routes.yaml", TO_A_USER), ("a/cases/c.yaml", case)]);
    assert!(load(&good.path().into()).is_ok(), "{}", load(&good.path().into()).err().unwrap());
    // With `people`, only those exist.
    let closed = case.replace("  expect", "  people: {users: [tom]}\n  expect");
    let wrong = folder(&[("a/routes.yaml", TO_A_USER), ("a/cases/c.yaml", &closed)]);
    assert!(load(&wrong.path().into()).err().unwrap().to_string().contains("`to` differs"));
}

#[test]
fn rules_whose_cases_fail_can_be_tried() {
    let wrong = CASES.replace("copies: 2.0", "copies: 3");
    let files = [("a/routes.yaml", ROUTES), ("a/sold.rhai", SCRIPT), ("a/cases/c.yaml", &*wrong)];
    let folder = folder(&files);
    assert!(load(&folder.path().into()).is_err());
    let catalog = load_to_try(&folder.path().into()).unwrap();
    assert_eq!(catalog.failed_cases.len(), 1);
    assert!(catalog.failed_cases[0].message.contains("`context.copies` differs"));
    // Rules that do not compile cannot be tried.
    write(folder.path(), &[("a/routes.yaml", "- on: x\n  template: nowhere\n  groups: [Sales Team]\n")]);
    assert!(load_to_try(&folder.path().into()).is_err());
}

#[test]
fn what_names_a_group_is_known() {
    let script = SCRIPT.replace("config(\"groups\", [\"System Admins\"])", "[\"System Admins\"]");
    let schedules = "- name: windows\n  cron: \"0 * * * *\"\n  time_zone: Africa/Harare\n  event: window.expiring\n  \
                     for_each: {expiring_windows: [System Admins]}\n";
    let folder =
        folder(&[("a/routes.yaml", ROUTES), ("a/sold.rhai", &script), ("schedules.yaml", schedules)]);
    let catalog = load(&folder.path().into()).map_err(|findings| findings.to_string()).unwrap();
    assert_eq!(catalog.mentions_of_group("Sales Team"), ["groups.yaml", "a/routes.yaml:2"]);
    assert_eq!(
        catalog.mentions_of_group("System Admins"),
        ["groups.yaml", "a/sold.rhai:3", "schedules.yaml (windows)"]
    );
    assert_eq!(catalog.mentions_of_group("Sales"), [""; 0]);
}
