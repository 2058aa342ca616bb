//! Links, and files that claim to be something else.

use std::{fs, os::unix::fs::symlink};

use super::{check, folder, write};
use crate::harness::program;

#[test]
fn what_stands_outside_of_the_folder_is_not_read_or_shown() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.yaml", "secret-word: [\n");
    write(outside.path(), "templates/t.j2", "secret-word");
    write(outside.path(), "a/routes.yaml", "secret-word: [\n");
    for name in
        ["a/config.yaml", "a/routes.yaml", "a/s.rhai", "a/templates/t.j2", "a/cases/c.yaml", "schedules.yaml"]
    {
        for target in [outside.path().join("secret.yaml"), "/proc/self/environ".into(), "/etc/passwd".into()]
        {
            let rules =
                folder(&[("a/README.md", ""), ("a/templates/README.md", ""), ("a/cases/README.md", "")]);
            symlink(&target, rules.path().join(name)).unwrap();
            let ended = check(rules.path());
            ended.lived(name).lived("outside the folder");
            for secret in ["secret-word", "RUST_BACKTRACE", "root:"] {
                assert!(!ended.said.contains(secret), "{name}: {}", ended.said);
            }
        }
    }
    let rules = folder(&[]);
    symlink(outside.path().join("a"), rules.path().join("a")).unwrap();
    let ended = check(rules.path());
    ended.lived("outside the folder");
    assert!(!ended.said.contains("secret-word"), "{}", ended.said);
}

#[test]
fn files_without_end_are_read_to_their_limit() {
    for target in ["/proc/self/pagemap", "/dev/zero", "/dev/stdin", "/proc/kmsg"] {
        let rules = folder(&[("a/README.md", "")]);
        symlink(target, rules.path().join("a/config.yaml")).unwrap();
        check(rules.path()).lived("a/config.yaml");
    }
    let rules = folder(&[("a/config.yaml", "")]);
    fs::File::options()
        .write(true)
        .open(rules.path().join("a/config.yaml"))
        .unwrap()
        .set_len(1 << 36)
        .unwrap();
    check(rules.path()).lived("larger than 1 MiB");
    nix::unistd::mkfifo(&rules.path().join("a/routes.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    check(rules.path()).lived("a/routes.yaml");
}

#[test]
fn links_within_the_folder_and_to_the_folder_are_fine() {
    let rules = folder(&[("a/config.yaml", "x: 1\n"), ("b/README.md", "")]);
    symlink("../a/config.yaml", rules.path().join("b/config.yaml")).unwrap();
    check(rules.path()).lived("2 domains");
    let parent = tempfile::tempdir().unwrap();
    symlink(rules.path(), parent.path().join("rules")).unwrap();
    check(&parent.path().join("rules")).lived("2 domains");
}

#[test]
fn a_plugins_folder_that_cannot_be_read_is_an_error() {
    let rules = folder(&[]);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for plugins in [place.path().join("plugns"), file.clone(), file.join("within")] {
        let arguments = ["rules", "check", "--rules", rules.path().to_str().unwrap(), "--plugins"];
        let output = program(&arguments).arg(&plugins).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("cannot read the folder") && said.contains("--plugins (HOOKSWITCH_PLUGINS)"),
            "{said}"
        );
    }
}
