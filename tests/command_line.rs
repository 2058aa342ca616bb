//! What the command line says about wrong settings and wrong rules.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

fn hookswitch(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env_clear().current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn rules(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = folder.path().join("rules").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn all_wrong_rules_are_told_at_once_with_their_places() {
    let folder = rules(&[
        ("groups.yaml", "- name: Ops\n  description: Operations\n"),
        (
            "orders/routes.yaml",
            "- on: order.created\n  when: event.data.amount >\n  template: ordr\n  groups: [Opps]\n  contxt: {}\n\
             - on: order.paid\n  script: paid.rhai\n",
        ),
        (
            "orders/paid.rhai",
            "fn decide(event) {\n    let x = titel(\"a\");\n    #{ template: \"order\"\n}\n",
        ),
        (
            "orders/templates/order.j2",
            "---\ndescription: x\ncategory: utility\nlanguage: en_US\n---\nHi {{ name }\n",
        ),
        ("stock/routes.yaml", "- on: [\n"),
    ]);
    let output = hookswitch(folder.path(), &["rules", "check"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_case_that_fails_shows_what_was_expected_and_what_came() {
    let folder = rules(&[
        ("groups.yaml", "- name: Ops\n  description: Operations\n"),
        ("a/routes.yaml", "- on: a\n  template: a\n  groups: [Ops]\n  context:\n    n: event.data.n\n"),
        ("a/templates/a.j2", "---\ndescription: x\ncategory: utility\nlanguage: en_US\n---\nN {{ n }}\n"),
        (
            "a/cases/a.yaml",
            "- name: the number is told\n  event: {type: a, data: {n: 1}}\n  expect:\n    - template: a\n      body: N 2\n",
        ),
    ]);
    let output = hookswitch(folder.path(), &["rules", "check"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn all_wrong_settings_are_told_at_once_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let output = hookswitch(
        folder.path(),
        &[
            "serve",
            "--listen",
            "nowhere",
            "--admin-listen",
            "8422",
            "--admin-url",
            "https://example.org/console",
            "--whatsapp-api-url",
            "graph",
            "--whatsapp-access-token",
            "hush\u{7}",
            "--whatsapp-messages-per-second",
            "0",
            "--database-url",
            "postgres://ann:hush@/x?port=y",
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(!said.contains("hush"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn usage_is_status_2_and_help_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(hookswitch(folder.path(), &["rules", "chek"]).status.code(), Some(2));
    assert_eq!(hookswitch(folder.path(), &["keys", "create", "x"]).status.code(), Some(2));
    assert_eq!(hookswitch(folder.path(), &["rules", "check", "--rules", "missing"]).status.code(), Some(1));
    insta::assert_snapshot!(text(&hookswitch(folder.path(), &["--help"]).stdout));
}

/// The help of a command and of those below it, without the options that all commands have.
fn help(folder: &Path, command: &[&str], all: &mut String) {
    let said = text(&hookswitch(folder, &[command, &["-h"]].concat()).stdout);
    let own = said.split("\nDatabase:\n").next().unwrap();
    all.push_str(&format!("# hookswitch {}\n{}\n\n", command.join(" "), own.trim_end()));
    let commands = said.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in commands.unwrap_or_default().lines() {
        let name = line.split_whitespace().next().unwrap();
        if name != "help" {
            help(folder, &[command, &[name]].concat(), all);
        }
    }
}

#[test]
fn every_command_has_help() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = String::new();
    help(folder.path(), &[], &mut all);
    assert!(all.matches("# hookswitch").count() > 40, "{all}");
    insta::assert_snapshot!(all);
    insta::assert_snapshot!("serve_help", text(&hookswitch(folder.path(), &["serve", "--help"]).stdout));
}

#[test]
fn findings_are_there_for_editors_too() {
    let folder = rules(&[
        ("groups.yaml", "- name: Ops\n  description: Operations\n"),
        ("a/routes.yaml", "- on: a\n  template: a\n  groups: [Opps]\n"),
        ("a/templates/a.j2", "---\ndescription: x\ncategory: utility\nlanguage: en_US\n---\nHi\n"),
    ]);
    let output = hookswitch(folder.path(), &["rules", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &report["findings"][0];
    assert_eq!(report["ok"], false);
    assert_eq!(
        (&finding["file"], &finding["line"], &finding["column"]),
        (&"a/routes.yaml".into(), &3.into(), &12.into())
    );
    assert_eq!((&finding["severity"], &finding["help"]), (&"error".into(), &"did you mean `Ops`?".into()));
    fs::write(folder.path().join("rules/a/routes.yaml"), "- on: a\n  template: a\n  groups: [Ops]\n")
        .unwrap();
    let output = hookswitch(folder.path(), &["rules", "check", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["ok"]), (Some(0), &true.into()));
    let event = folder.path().join("event.json");
    fs::write(&event, r#"{"type": "a", "data": {}}"#).unwrap();
    let output = hookswitch(folder.path(), &["rules", "try", event.to_str().unwrap(), "--json"]);
    let tried: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(tried["decisions"][0]["notifications"][0]["message"]["body"], "Hi");
}

#[test]
fn a_member_that_is_there_twice_is_refused_with_its_place() {
    let folder = rules(&[
        (
            "a/routes.yaml",
            "- on: a\n  template: a\n  contacts: [event.data.to]\n  context: {n: event.data.n}\n",
        ),
        ("a/templates/a.j2", "---\ndescription: x\ncategory: utility\nlanguage: en_US\n---\nN {{ n }}\n"),
    ]);
    let event = folder.path().join("event.json");
    fs::write(&event, "{\"type\": \"a\",\n \"data\": {\"n\": 1,\n  \"n\": 2}}").unwrap();
    let output = hookswitch(folder.path(), &["rules", "try", event.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("event.json:3:3: The JSON has the member \"n\" more than once, at /data/n."),
        "{said}"
    );

    let arguments = ["send", "a", "--to", "15550100001", "--context", r#"n={"x": [{"y": 1, "y": 1}]}"#];
    let output = hookswitch(folder.path(), &arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("invalid --context n: the JSON has the member \"y\" more than once, at /x/0/y"),
        "{said}"
    );
}
