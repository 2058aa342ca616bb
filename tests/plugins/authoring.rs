//! `plugin new`, `build` and `check`, with nothing of the repository at hand.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::Folders;
use crate::harness::program;

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}

/// The program in a folder of its own, with what cargo needs.
fn at(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    command.current_dir(folder.path());
    for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_NET_OFFLINE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

fn does(folder: &TempDir, arguments: &[&str]) -> String {
    let output = at(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

fn refuses(folder: &TempDir, arguments: &[&str]) -> String {
    let output = at(folder, arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// All that is in a folder, at any depth.
fn listed(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => names.extend(listed(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}"))),
            false => names.push(name),
        }
    }
    names.sort();
    names
}

/// What the examples have built before is not built again.
fn share_what_is_built(plugins: &Path) {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/target");
    fs::create_dir_all(plugins.join("target")).unwrap();
    for part in ["release", "wasm32-wasip2"] {
        fs::create_dir_all(built.join(part)).unwrap();
        symlink(built.join(part), plugins.join("target").join(part)).unwrap();
    }
}

#[test]
fn the_program_alone_makes_a_plugin_that_builds_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    fs::write(folder.path().join("rules/groups.yaml"), "- name: System Admins\n").unwrap();
    does(&folder, &["plugin", "new", "night-watch"]);
    let plugins = folder.path().join("plugins");
    assert!(plugins.join("sdk/wit/plugin.wit").is_file() && plugins.join("night-watch/.gitignore").is_file());
    let mode = fs::metadata(plugins.join("night-watch")).unwrap().permissions().mode();
    assert_eq!(mode & 0o055, 0o055, "the host may be another user");
    share_what_is_built(&plugins);
    does(&folder, &["plugin", "build", "night-watch"]);
    let checked = does(&folder, &["plugin", "check", "night-watch"]);
    assert!(checked.contains("✓ a note goes to the group of the configuration"), "{checked}");
    // Another one shares the SDK.
    does(&folder, &["plugin", "new", "day-watch"]);
    assert!(fs::read_to_string(plugins.join("day-watch/Cargo.toml")).unwrap().contains("\"../sdk\""));
}

#[test]
fn a_saved_file_is_built_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    fs::write(folder.path().join("rules/groups.yaml"), "- name: System Admins\n").unwrap();
    does(&folder, &["plugin", "new", "night-watch"]);
    let plugins = folder.path().join("plugins");
    share_what_is_built(&plugins);
    // As in a checkout of plugins alone.
    fs::remove_dir_all(plugins.join("sdk")).unwrap();
    assert!(refuses(&folder, &["plugin", "dev", "night-wach"]).contains("did you mean `night-watch`?"));
    let mut command = at(&folder, &["plugin", "dev", "night-watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let pipes: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    for pipe in pipes {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
    }
    let mut said = String::new();
    // In either order: the two pipes are read side by side.
    let mut wait_for = |wanted: &[&str]| {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            let Ok(line) = lines.recv_timeout(Duration::from_secs(300)) else {
                panic!("{missing:?} was not said: {said}");
            };
            missing.retain(|wanted| !line.contains(wanted));
            said.push_str(&line);
            said.push('\n');
        }
    };
    wait_for(&["✓ a note goes to the group of the configuration", "waiting for a change"]);
    let case = plugins.join("night-watch/cases/first.yaml");
    let text = fs::read_to_string(&case).unwrap();
    fs::write(&case, text.replace("context: {name: Ann}", "context: {name: Tom}")).unwrap();
    wait_for(&["`context.name` differs", "waiting for a change"]);
    fs::write(&case, text).unwrap();
    wait_for(&["✓ a note goes to the group of the configuration"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn new_plugins_in_other_languages_have_helpers() {
    let folder = tempfile::tempdir().unwrap();
    for (language, helper) in [("python", "hookswitch.py"), ("javascript", "hookswitch.js")] {
        does(&folder, &["plugin", "new", language, "--lang", language]);
        let text = fs::read_to_string(folder.path().join("plugins").join(language).join(helper)).unwrap();
        assert!(text.contains("yours: keep it, change it"), "{text}");
    }
}

#[test]
fn nothing_half_made_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let refused = refuses(&folder, &["plugin", "new", "night-watch", "--sdk", "nowhere"]);
    assert!(refused.contains("no Rust SDK in the folder nowhere"), "{refused}");
    assert_eq!(listed(folder.path()), [""; 0]);
    fs::write(folder.path().join("plugins"), "a file").unwrap();
    refuses(&folder, &["plugin", "new", "night-watch"]);
    fs::remove_file(folder.path().join("plugins")).unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::write(folder.path().join("plugins/sdk"), "another thing").unwrap();
    let refused = refuses(&folder, &["plugin", "new", "night-watch"]);
    assert!(refused.contains("is not the Rust SDK"), "{refused}");
    assert_eq!(listed(folder.path()), ["plugins/sdk"]);
    assert!(refuses(&folder, &["plugin", "new", "sdk"]).contains("what all plugins share"));
    does(&folder, &["plugin", "new", "night-watch", "--lang", "python"]);
    let refused = refuses(&folder, &["plugin", "new", "night-watch"]);
    assert!(refused.contains("already exists"), "{refused}");
    assert!(!listed(folder.path()).iter().any(|name| name.contains(".new-")), "{:?}", listed(folder.path()));
}

#[test]
fn a_check_of_one_plugin_concerns_no_other() {
    let folders = Folders::new();
    folders.plugin("friendly", "good.*", "");
    folders.plugin("other", "other.*", "");
    folders.write("plugins/other/other.wasm", b"\0asm is what it says");
    folders.write("plugins/other/cases/wrong.yaml", b"- nonsense");
    folders.write("rules/notes/cases/wrong.yaml", b"- name: x\n  event: {type: y}\n  expect: [{skip: z}]\n");
    let cache = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| {
        let mut command = program(&[&["plugin", "check"], arguments].concat());
        command.env("HOOKSWITCH_RULES", folders.rules()).envs(folders.settings());
        command.env("HOOKSWITCH_PLUGIN_CACHE", cache.path()).output().unwrap()
    };
    let output = check(&["friendly"]);
    assert!(output.status.success(), "{}", said(&output));
    let compiled = listed(cache.path());
    assert_eq!(compiled.iter().filter(|name| name.ends_with(".cwasm")).count(), 1, "{compiled:?}");
    let once = fs::metadata(cache.path().join(&compiled[0])).unwrap().created().unwrap();
    assert!(check(&["friendly"]).status.success());
    assert_eq!(listed(cache.path()), compiled);
    assert_eq!(fs::metadata(cache.path().join(&compiled[0])).unwrap().created().unwrap(), once);
    let output = check(&["other"]);
    assert!(!output.status.success() && said(&output).contains("plugins/other/"), "{}", said(&output));
    let output = check(&["freindly"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("did you mean `friendly`?"), "{}", said(&output));
}

#[test]
fn what_a_plugin_cannot_use_here_is_said() {
    let folders = Folders::new();
    folders.plugin(
        "asker",
        "ask.*",
        "http: [\"http://127.0.0.1:9955\", \"https://api.example.com\"]\nsecrets: [METER_KEY, SET_KEY]\n",
    );
    let mut command = program(&["plugin", "check", "asker"]);
    command.env("HOOKSWITCH_RULES", folders.rules()).envs(folders.settings());
    let output = command.env("HOOKSWITCH_SECRET_SET_KEY", "x1234").output().unwrap();
    let checked = said(&output);
    assert!(checked.contains("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS: 127.0.0.1:9955\n"), "{checked}");
    assert!(checked.contains("the secret METER_KEY is not set here"), "{checked}");
    assert!(!checked.contains("the secret SET_KEY"), "{checked}");
}

/// Stand-ins for npm and node that write down how they were called.
fn stand_ins(folder: &Path) {
    let tool = |name: &str, script: &str| {
        let path = folder.join("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    };
    let log = folder.join("calls").display().to_string();
    tool("npm", &format!("echo \"npm $*\" >> {log}\ntest -f package-lock.json && mkdir node_modules"));
    // The last argument is where the component goes.
    tool(
        "node",
        &format!("echo node >> {log}\nfor last; do :; done\ntest -d node_modules && echo built > \"$last\""),
    );
}

#[test]
fn javascript_plugins_share_one_folder_of_tools() {
    let folder = tempfile::tempdir().unwrap();
    stand_ins(folder.path());
    let path = format!("{}/bin:/usr/bin:/bin", folder.path().display());
    for id in ["one", "two"] {
        does(&folder, &["plugin", "new", id, "--lang", "javascript"]);
        let output = at(&folder, &["plugin", "build", id]).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let plugin = folder.path().join("plugins").join(id);
        assert_eq!(fs::read_to_string(plugin.join(format!("{id}.wasm"))).unwrap(), "built\n");
        assert!(!listed(&plugin).iter().any(|name| name.contains("node_modules")), "{:?}", listed(&plugin));
    }
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
    assert_eq!(calls, "npm ci --no-audit --no-fund --loglevel=error\nnode\nnode\n");
    let tools: Vec<_> = fs::read_dir(folder.path().join(".hookswitch/tools")).unwrap().flatten().collect();
    assert_eq!(tools.len(), 1);
    let lock = fs::read_to_string(tools[0].path().join("package-lock.json")).unwrap();
    assert!(lock.contains("\"@bytecodealliance/componentize-js\": \"0.19.3\""));

    // A build that fails leaves the component as it was, and a download that fails leaves no folder of tools.
    fs::write(folder.path().join("bin/node"), "#!/bin/sh\nexit 1\n").unwrap();
    let output = at(&folder, &["plugin", "build", "one"]).env("PATH", &path).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(fs::read_to_string(folder.path().join("plugins/one/one.wasm")).unwrap(), "built\n");
    fs::remove_dir_all(folder.path().join(".hookswitch")).unwrap();
    fs::write(folder.path().join("bin/npm"), "#!/bin/sh\nmkdir node_modules\nexit 1\n").unwrap();
    let output = at(&folder, &["plugin", "build", "one"]).env("PATH", &path).output().unwrap();
    assert!(said(&output).contains("cannot download componentize-js"), "{}", said(&output));
    assert_eq!(listed(&folder.path().join(".hookswitch")), [""; 0]);
}
