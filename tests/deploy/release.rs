//! The folder that `release.sh` makes, and its installation as the README says.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use super::{done, programs, said, scripts, top};
use crate::demo::plugins::{copy, sources};

/// What a release is made from, as a fresh checkout has it, without the plugin that needs Node.js.
fn checkout() -> TempDir {
    let folder = sources();
    for part in ["deploy", "rules"] {
        copy(&top().join(part), &folder.path().join(part));
    }
    fs::remove_dir_all(folder.path().join("plugins/invoice-lines")).unwrap();
    folder
}

/// Runs a script in a checkout; `cargo` builds no program there, and nothing is installed outside of `root`.
fn run(checkout: &Path, root: &Path, script: &str) -> Output {
    let record = format!("echo \"$(basename \"$0\") $*\" >> {}/called", root.display());
    let (_programs, path) = programs(&[("useradd", &record), ("systemctl", &record)]);
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(checkout).env_clear().env("PATH", path);
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_NET_OFFLINE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.output().unwrap()
}

/// All files below a folder, by their paths in it.
fn files(folder: &Path, within: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = format!("{within}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => files(&entry.path(), &format!("{path}/"), found),
            false => found.push(path),
        }
    }
}

#[test]
fn a_release_is_made_and_installed_as_the_readme_says() {
    let checkout = checkout();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("usr/local/bin")).unwrap();
    fs::create_dir_all(root.path().join("etc/systemd/system")).unwrap();
    // Somebody whose files others may not read.
    let release = format!("umask 077; deploy/release.sh release {}", env!("CARGO_BIN_EXE_hookswitch"));
    let made = run(checkout.path(), root.path(), &release);
    assert!(made.status.success(), "{}", said(&made));

    let mut all = Vec::new();
    files(&checkout.path().join("release"), "", &mut all);
    for file in ["hookswitch", "rules/groups.yaml", "plugins/order-triage/customers.csv"] {
        assert!(all.iter().any(|path| path == file), "{file} is missing: {all:?}");
    }
    for plugin in ["escalation", "order-triage", "stock-webhook"] {
        for file in ["plugin.yaml".to_owned(), format!("{plugin}.wasm")] {
            assert!(all.contains(&format!("plugins/{plugin}/{file}")), "{plugin} lacks {file}: {all:?}");
        }
    }
    let leavings = ["target/", "node_modules/", "src/", "Cargo."];
    assert!(!all.iter().any(|path| leavings.iter().any(|left| path.contains(left))), "{all:?}");
    let mode = |path: &str| fs::metadata(checkout.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("release/hookswitch"), mode("release/rules/groups.yaml"), mode("release")),
        (0o755, 0o644, 0o755)
    );

    let install = scripts("2a. systemd").remove(0);
    let mut steps: Vec<&str> = install.lines().collect();
    assert_eq!(steps.remove(0), "deploy/release.sh release");
    // No host runs here.
    assert_eq!(steps.pop(), Some("hookswitch ready"));
    let script = ["/usr/local", "/etc"].iter().fold(steps.join("\n"), |script, folder| {
        script.replace(&format!(" {folder}/"), &format!(" {}{folder}/", root.path().display()))
    });
    done(run(checkout.path(), root.path(), &script));
    let installed = |path: &str| root.path().join(path).exists();
    for path in [
        "usr/local/bin/hookswitch",
        "etc/hookswitch/rules/groups.yaml",
        "etc/hookswitch/plugins/escalation/escalation.wasm",
        "etc/systemd/system/hookswitch.service",
    ] {
        assert!(installed(path), "{path} is not installed");
    }
    let settings = fs::metadata(root.path().join("etc/hookswitch/hookswitch.env")).unwrap();
    assert_eq!(settings.permissions().mode() & 0o777, 0o600);
    let called = fs::read_to_string(root.path().join("called")).unwrap();
    assert!(called.contains("useradd --system") && called.contains("enable --now hookswitch"), "{called}");
}

#[test]
fn no_release_is_made_of_rules_that_do_not_pass_or_over_another() {
    let checkout = checkout();
    let root = tempfile::tempdir().unwrap();
    fs::remove_dir_all(checkout.path().join("plugins")).unwrap();
    fs::create_dir(checkout.path().join("plugins")).unwrap();
    let release = format!("deploy/release.sh release {}", env!("CARGO_BIN_EXE_hookswitch"));
    let made = run(checkout.path(), root.path(), &release);
    assert!(made.status.success(), "without plugins: {}", said(&made));
    let again = run(checkout.path(), root.path(), &release);
    assert!(
        !again.status.success() && said(&again).contains("release exists; remove it first"),
        "{}",
        said(&again)
    );

    fs::remove_dir_all(checkout.path().join("release")).unwrap();
    fs::write(checkout.path().join("rules/groups.yaml"), "- nam: Ops\n").unwrap();
    let broken = run(checkout.path(), root.path(), &release);
    assert!(!broken.status.success() && said(&broken).contains("groups.yaml"), "{}", said(&broken));
    let left: Vec<_> =
        fs::read_dir(checkout.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("release")), "{left:?}");
}
