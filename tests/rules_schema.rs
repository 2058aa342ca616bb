//! `hookswitch rules schema`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use serde_json::Value;

use crate::harness::{program, write_rule};

const NAMES: [&str; 6] = ["routes", "cases", "template", "plugin", "schedules", "groups"];

#[test]
fn the_schemas_are_written_beside_the_rules_or_printed() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().to_str().unwrap();
    write_rule(folder.path(), "groups.yaml", "- name: Sales\n  description: x\n");
    for (arguments, written) in [
        (vec!["rules", "schema", "--rules", rules], folder.path().join(".schemas")),
        (vec!["rules", "schema", &format!("{rules}/of/editors")], folder.path().join("of/editors")),
    ] {
        let output = program(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(fs::read_dir(&written).unwrap().count(), NAMES.len());
        for name in NAMES {
            let text = fs::read(written.join(format!("{name}.schema.json"))).unwrap();
            let schema: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#", "{name}");
            let printed = program(&["rules", "schema", "--stdout", name]).output().unwrap();
            assert_eq!(printed.stdout, text, "{name}");
        }
        // They are no rules.
        fs::remove_dir_all(folder.path().join("of")).ok();
        let checked =
            program(&["rules", "check", "--rules", rules]).current_dir(folder.path()).output().unwrap();
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    }
    let output = program(&["rules", "schema", "--stdout", "rules"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
