//! `hookswitch rules new`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, process::Output};

use crate::harness::{program, write_rule};

/// Runs a command with these rules and no plugins.
fn run(arguments: &[&str], rules: &Path) -> Output {
    let plugins = tempfile::tempdir().unwrap();
    program(arguments).arg("--rules").arg(rules).arg("--plugins").arg(plugins.path()).output().unwrap()
}

fn new(rules: &Path, arguments: &[&str]) -> Output {
    run(&[&["rules", "new"], arguments].concat(), rules)
}

fn check(rules: &Path) -> String {
    let output = run(&["rules", "check", "--coverage"], rules);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), said(&output));
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All files below a folder with their texts.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                all.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn what_is_written_passes_the_check_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    for arguments in [
        &["orders/refunded"][..],
        &["orders/late", "--on", "order.late"],
        &["stock/low", "--on", "stock.low", "--group", "Operations"],
    ] {
        let output = new(&rules, arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let said = check(&rules);
    assert!(said.contains("2 domains, 3 routes"), "{said}");
    assert!(!said.contains("warning") && !said.contains("error"), "{said}");
    let names: Vec<_> = files(&rules).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            ".schemas/cases.schema.json",
            ".schemas/groups.schema.json",
            ".schemas/plugin.schema.json",
            ".schemas/routes.schema.json",
            ".schemas/schedules.schema.json",
            ".schemas/template.schema.json",
            "groups.yaml",
            "orders/cases/late.yaml",
            "orders/cases/refunded.yaml",
            "orders/routes.yaml",
            "orders/templates/orders_late.j2",
            "orders/templates/orders_refunded.j2",
            "stock/cases/low.yaml",
            "stock/routes.yaml",
            "stock/templates/stock_low.j2",
        ]
    );
    // Each file names its schema for editors, once.
    for file in ["groups.yaml", "orders/routes.yaml", "orders/cases/late.yaml"] {
        let text = fs::read_to_string(rules.join(file)).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").unwrap();
        assert!(rules.join(file).with_file_name(schema).is_file(), "{file}: {schema}");
        assert!(!rest.contains("yaml-language-server"), "{text}");
    }
}

#[test]
fn a_group_of_the_folder_is_told_and_the_routes_that_were_there_stay() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path();
    write_rule(
        rules,
        "groups.yaml",
        "- name: \"On call: night\"\n  description: x\n- name: Sales\n  description: x\n",
    );
    let before = "# Ours.\n- on: order.created\n  script: created.rhai";
    write_rule(rules, "orders/routes.yaml", before);
    write_rule(rules, "orders/created.rhai", "fn decide(event) { skip(\"x\") }");
    let output = new(rules, &["orders/refunded"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let routes = fs::read_to_string(rules.join("orders/routes.yaml")).unwrap();
    assert!(routes.starts_with(before) && routes.contains("groups: [\"On call: night\"]"), "{routes}");
    check(rules);
}

#[test]
fn nothing_is_left_or_overwritten_where_it_cannot_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path();
    write_rule(rules, "groups.yaml", "- name: Sales\n  description: x\n");
    write_rule(rules, "orders/routes.yaml", "[]\n");
    write_rule(
        rules,
        "stock/cases/low.yaml",
        "- name: ours\n  event: {type: a}\n  expect: [{no_route: true}]\n",
    );
    let before = files(rules);
    for (arguments, status, why) in [
        (&["orders"][..], 2, "expected a folder and a name"),
        (&["orders/Refunded"], 2, "expected a folder and a name"),
        (&["../orders/refunded"], 2, "expected a folder and a name"),
        (&["lib/refunded"], 2, "the folder lib is for functions"),
        (&["orders/refunded", "--group", "Sale"], 1, "groups.yaml has no group \"Sale\""),
        (&["stock/low"], 1, "stock/cases/low.yaml already exists"),
        (&["orders/refunded"], 1, "takes no further route"),
    ] {
        let output = new(rules, arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(why), "{arguments:?}: {}", said(&output));
        assert_eq!(files(rules), before, "{arguments:?}");
    }
    write_rule(rules, "stock/routes.yaml", "- on: 5: 6\n");
    let output = new(rules, &["orders/refunded"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the rules have errors already"), "{}", said(&output));
}
