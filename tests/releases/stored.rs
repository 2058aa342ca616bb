//! What a release has, and what keeps it from being activated.

use std::{collections::BTreeMap, fs, path::Path};

use super::{Fleet, decides_by, rules};
use crate::harness::{write_file, write_rule};

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let within = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(within, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

#[tokio::test]
async fn an_export_gives_back_byte_for_byte_what_was_created() {
    let fleet = Fleet::new().await;
    let (folder, to) = (rules("One"), tempfile::tempdir().unwrap());
    let plugins = tempfile::tempdir().unwrap();
    let pdf = [b"%PDF-1.7\n".as_slice(), &[0, 255, 13, 10, 7]].concat();
    write_file(folder.path(), "notes/files/a.pdf", &pdf);
    // Larger than what is kept in memory.
    let large: Vec<u8> = (0..17 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    write_file(folder.path(), "notes/files/large.pdf", &[b"%PDF-1.7\n".as_slice(), &large].concat());
    write_rule(
        plugins.path(),
        "later/plugin.yaml",
        "id: later\nversion: 1.0.0\ncontract: \"1.0\"\non: [later]\nowner: ops\n",
    );
    let before = files(folder.path());
    let paths = [folder.path().to_str().unwrap(), plugins.path().to_str().unwrap()];
    let create = ["release", "create", "--rules", paths[0], "--plugins", paths[1], "--note", "as it was"];
    let release = fleet.says(&create).trim().to_owned();
    assert_eq!(fleet.show(&release)["note"], "as it was");
    // Each file is stored once.
    write_rule(folder.path(), "notes/cases/more.yaml", super::CASE);
    fleet.says(&create);
    let stored = i64::try_from(before.len() + 1).unwrap();
    assert_eq!(fleet.database.count("SELECT count(*) FROM release_file").await, stored);

    let target = to.path().join("exported");
    fleet.says(&["release", "export", &release, target.to_str().unwrap()]);
    assert!(files(&target.join("rules")) == before);
    assert_eq!(files(&target.join("plugins")), files(plugins.path()));
    let [rules, plugins] = ["rules", "plugins"].map(|name| target.join(name).to_str().unwrap().to_owned());
    let again = fleet.says(&["release", "create", "--rules", &rules, "--plugins", &plugins]);
    assert_eq!(again.trim(), release);
    let output = fleet.run(&["release", "export", &release, target.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "nothing is overwritten");
}

#[tokio::test]
async fn a_release_whose_cases_fail_goes_live_only_by_force_which_is_recorded() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    let good = fleet.create(folder.path());
    fleet.says(&["release", "activate", &good]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    write_rule(
        folder.path(),
        "notes/cases/note.yaml",
        &super::CASE.replace("template: note", "no_route: true"),
    );
    let created = fleet.run(&["release", "create", "--rules", folder.path().to_str().unwrap()]);
    assert_eq!(created.status.code(), Some(1));
    let bad = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    let verdict = &fleet.show(&bad)["verdict"];
    assert_eq!(verdict["state"], "cases_fail");
    assert!(
        verdict["findings"][0]["place"].as_str().unwrap().starts_with("notes/cases/note.yaml:"),
        "{verdict}"
    );

    let refused = fleet.run(&["release", "activate", &bad]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("notes/cases/note.yaml:") && said.contains("--force --reason"), "{said}");
    assert_eq!(
        fleet.run(&["release", "activate", &bad, "--force"]).status.code(),
        Some(2),
        "a reason is due"
    );
    assert_eq!(fleet.database.count("SELECT count(*) FROM activation").await, 1);

    let said = fleet.says(&["release", "activate", &bad, "--force", "--reason", "the case is wrong"]);
    assert!(said.contains("although cases fail"), "{said}");
    decides_by(&host, &bad).await;
    let activation = &fleet.show(&bad)["activations"][0];
    assert_eq!(activation["forced"], true);
    assert_eq!(activation["reason"], "the case is wrong");
    assert!(fleet.says(&["actions", "--json"]).contains("the case is wrong"));
}

#[tokio::test]
async fn what_does_not_compile_cannot_be_forced() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    write_rule(folder.path(), "notes/routes.yaml", "- {on: note, template: not, groups: [Ops]}\n");
    let created = fleet.run(&["release", "create", "--rules", folder.path().to_str().unwrap()]);
    assert_eq!(created.status.code(), Some(1));
    let release = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    assert_eq!(fleet.show(&release)["verdict"]["state"], "does_not_compile");
    let refused = fleet.run(&["release", "activate", &release, "--force", "--reason", "now"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("does not compile") && said.contains("notes/routes.yaml:1"), "{said}");
    // What does not belong in the folder is no release: an export could not give it back.
    write_rule(folder.path(), "notes/what.txt", "?");
    let refused = fleet.run(&["release", "create", "--rules", folder.path().to_str().unwrap()]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("notes/what.txt"));
    for (release, words) in
        [("abcdef", "no such release"), ("../x", "no such release"), ("a", "no such release")]
    {
        let output = fleet.run(&["release", "show", release]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_difference_shows_files_line_by_line_and_what_the_rules_consist_of() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    let first = fleet.create(folder.path());
    write_rule(folder.path(), "notes/templates/note.j2", &format!("{}Two", super::FRONT));
    write_rule(
        folder.path(),
        "groups.yaml",
        "- {name: Ops, description: They run it}\n- {name: Sales, description: They sell}\n",
    );
    write_rule(
        folder.path(),
        "notes/routes.yaml",
        "# Both.\n- {on: note, template: note, groups: [Ops, Sales]}\n",
    );
    let second = fleet.create(folder.path());
    let said = fleet.says(&["release", "diff", &first, &second]);
    for words in [
        "route changed notes/routes.yaml: note: note to Ops → note to Ops, Sales",
        "template changed rules/notes/templates/note.j2",
        "group added Sales: They sell",
        "rules/notes/templates/note.j2 changed",
        "  -One",
        "  +Two",
        "  @@ ",
    ] {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
    assert!(!said.contains("cases"), "what is the same is not shown: {said}");
    let same = fleet.says(&["release", "diff", &first, &first]);
    assert!(same.contains("the same release"), "{same}");
}
