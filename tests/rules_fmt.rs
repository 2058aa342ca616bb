//! `hookswitch rules fmt`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::harness::{program, write_rule};

const UNTIDY: &str = "# Ours.\n-   on:   order.created\n    script:  created.rhai   # at once\n";
const TIDY: &str = "# Ours.\n- on: order.created\n  script: created.rhai # at once\n";
const FRONT: &str = "---\ndescription:   x\ncategory: utility\nlanguage: en_US\n---\n{{a}}  {{ b }}\n";

#[track_caller]
fn fmt(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = folder.to_str().unwrap();
    let folders = ["--rules", folder, "--plugins", "/nonexistent"];
    let output = program(&[&["rules", "fmt"], arguments, &folders].concat()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn files_are_laid_out_once_and_check_names_those_that_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path();
    write_rule(rules, "groups.yaml", "- name: Sales\n  description: x\n");
    write_rule(rules, "orders/routes.yaml", UNTIDY);
    write_rule(rules, "orders/templates/t.j2", FRONT);
    write_rule(rules, "orders/created.rhai", "fn decide( event ) { skip(\"x\") }");
    write_rule(rules, "orders/.hidden.yaml", UNTIDY);
    let (routes, template) = (rules.join("orders/routes.yaml"), rules.join("orders/templates/t.j2"));
    fs::set_permissions(&routes, Permissions::from_mode(0o640)).unwrap();

    let (status, said, _) = fmt(rules, &["--check"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("orders/routes.yaml") && said.contains("orders/templates/t.j2"), "{said}");
    assert!(!said.contains("groups.yaml") && said.contains("3 files; 2 to change"), "{said}");
    assert_eq!(fs::read_to_string(&routes).unwrap(), UNTIDY);

    let (status, said, _) = fmt(rules, &[]);
    assert_eq!((status, said.contains("3 files; 2 changed")), (Some(0), true), "{said}");
    assert_eq!(fs::read_to_string(&routes).unwrap(), TIDY);
    assert_eq!(fs::read_to_string(&template).unwrap(), FRONT.replace(":   ", ": "));
    assert_eq!(fs::metadata(&routes).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_to_string(rules.join("orders/.hidden.yaml")).unwrap(), UNTIDY);
    assert_eq!(fs::read_dir(rules.join("orders")).unwrap().count(), 4, "nothing else is left there");

    let (status, said, _) = fmt(rules, &["--check"]);
    assert_eq!((status, said.as_str()), (Some(0), "3 files; none to change\n"));
}

#[test]
fn a_file_that_is_not_valid_is_told_and_the_others_are_laid_out() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path();
    write_rule(rules, "a/routes.yaml", "- on: [\n");
    write_rule(rules, "b/routes.yaml", UNTIDY);
    let (status, said, told) = fmt(rules, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(told.contains("a/routes.yaml:"), "{told}");
    assert_eq!(fs::read_to_string(rules.join("b/routes.yaml")).unwrap(), TIDY);
    assert_eq!(fs::read_to_string(rules.join("a/routes.yaml")).unwrap(), "- on: [\n");
    let (status, _, told) = fmt(rules, &["nowhere.yaml"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("no such file or folder: nowhere.yaml"), "{told}");
    let path = rules.join("b/routes.yaml");
    let (status, said, _) = fmt(rules, &["--check", path.to_str().unwrap()]);
    assert_eq!((status, said.as_str()), (Some(0), "1 file; none to change\n"));
}
