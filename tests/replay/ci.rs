//! The script that comments a pull request, with a stand-in for GitHub's command line.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::json;

use super::{Past, ROUTE, rules};
use crate::harness::write_rule;

/// Notes what it is asked, and knows the comments in the file `comments`.
const GH: &str = r#"#!/bin/sh
echo "$*" >>"$LOG/calls"
for argument in "$@"; do
  case "$argument" in
    body=@*) cp "${argument#body=@}" "$LOG/body" ;;
  esac
done
case "$*" in
  *--jq*) cat "$LOG/comments" ;;
esac
"#;

fn executable(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_pull_request_has_one_comment_that_is_kept_up_to_date() {
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let past = Past::of(old.path()).await;
    past.happened(&[json!({"type": "note", "data": {"n": 7}})]).await;
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("rules/groups.yaml", "- {name: Ops, description: They run it}\n"),
        ("rules/notes/routes.yaml", ROUTE),
        (
            "rules/notes/templates/note.j2",
            "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nAnother {{ n }}",
        ),
    ] {
        write_rule(folder.path(), file, text);
    }
    let tools = tempfile::tempdir().unwrap();
    executable(&tools.path().join("gh"), GH);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hookswitch"), tools.path().join("hookswitch")).unwrap();
    let read = |name: &str| fs::read_to_string(tools.path().join(name)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ci/comment.sh");
    let run = |settings: &[(&str, &str)]| {
        let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(&script);
        command.current_dir(folder.path()).env_remove("DATABASE_URL").env("PATH", path);
        command.env("LOG", tools.path()).env("HOOKSWITCH_DATA_DIR", past.data.path());
        command.env("GITHUB_REPOSITORY", "shop/rules").envs(settings.iter().copied());
        command.output().unwrap()
    };
    let nothing = run(&[]);
    assert_eq!(nothing.status.code(), Some(2), "{}", String::from_utf8_lossy(&nothing.stderr));

    let url = past.database.url();
    let database = ("DATABASE_URL", url.as_str());
    let printed = String::from_utf8(run(&[database]).stdout).unwrap();
    assert!(
        printed.starts_with("<!-- hookswitch replay -->\n### Hookswitch: something changes"),
        "{printed}"
    );

    fs::write(tools.path().join("comments"), "").unwrap();
    let first = run(&[database, ("PULL_REQUEST", "12")]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(read("calls").contains("--method POST repos/shop/rules/issues/12/comments"), "{}", read("calls"));
    assert!(read("body").contains("- **2 messages** with other words"), "{}", read("body"));

    let events = past.data.path().join("events.jsonl");
    past.says(&["events", "export", events.to_str().unwrap()]);
    let base = tempfile::tempdir().unwrap();
    fs::create_dir_all(base.path().join("rules")).unwrap();
    let copied =
        Command::new("cp").arg("-r").arg(old.path().join(".")).arg(base.path().join("rules")).status();
    assert!(copied.unwrap().success());
    fs::write(tools.path().join("comments"), "345\n678\n").unwrap();
    let settings = [
        ("EVENTS_FILE", events.to_str().unwrap()),
        ("BASE", base.path().to_str().unwrap()),
        ("PULL_REQUEST", "12"),
    ];
    let again = run(&settings);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(
        read("calls").contains("--method PATCH repos/shop/rules/issues/comments/345"),
        "{}",
        read("calls")
    );
    assert!(read("body").contains("- **2 messages** with other words"), "{}", read("body"));
}
