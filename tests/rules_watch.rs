//! `hookswitch rules check --watch`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{SOON, program, write_rule};

const RIGHT: &str = "- on: order.created\n  script: created.rhai\n";
const WRONG: &str = "- on: order.created\n  scrpt: created.rhai\n";

/// A watch of a rules folder, and the lines of both its outputs.
struct Watched {
    child: Child,
    lines: Receiver<String>,
    /// The folder of its plugins: it must be there.
    _plugins: TempDir,
}

impl Watched {
    fn start(rules: &Path, flags: &[&str]) -> Watched {
        let plugins = TempDir::new().unwrap();
        let folders = ["--rules", rules.to_str().unwrap(), "--plugins", plugins.path().to_str().unwrap()];
        let arguments = [&["rules", "check", "--watch"], flags, &folders].concat();
        let mut child = program(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        follow(child.stdout.take().unwrap(), sender.clone());
        follow(child.stderr.take().unwrap(), sender);
        Watched { child, lines, _plugins: plugins }
    }

    /// The lines up to the end of this round.
    #[track_caller]
    fn round(&self) -> String {
        let mut said = String::new();
        // The two outputs come by two pipes: the summary may come after the last word.
        let is_whole = |said: &str| {
            said.contains("waiting for a change in")
                && ["passed in", " error", "\"ok\""].iter().any(|word| said.contains(word))
        };
        while !is_whole(&said) {
            let line = self.lines.recv_timeout(SOON);
            said += &line.unwrap_or_else(|_| panic!("the round has no end:\n{said}"));
            said.push('\n');
        }
        said
    }

    /// Ends it as Ctrl-C does; returns the status and what it says at the end.
    fn interrupt(mut self) -> (Option<i32>, String) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).unwrap();
        let status = self.child.wait().unwrap().code();
        (status, self.lines.iter().collect())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(output: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Fails only where the test has ended.
            let _ = sender.send(line);
        }
    });
}

fn rules() -> TempDir {
    let folder = TempDir::new().unwrap();
    write_rule(folder.path(), "groups.yaml", "- name: Sales\n  description: x\n");
    write_rule(folder.path(), "orders/created.rhai", "fn decide(event) { skip(\"x\") }");
    write_rule(folder.path(), "orders/routes.yaml", RIGHT);
    write_rule(
        folder.path(),
        "orders/cases/x.yaml",
        "{name: x, event: {type: order.created}, expect: [{skip: x}]}\n",
    );
    folder
}

#[test]
fn each_change_is_checked_until_ctrl_c() {
    let folder = rules();
    let watched = Watched::start(folder.path(), &[]);
    let said = watched.round();
    assert!(said.contains("1 route") && !said.contains('\u{1b}'), "{said:?}");
    write_rule(folder.path(), "orders/routes.yaml", WRONG);
    let said = watched.round();
    assert!(said.contains("orders/routes.yaml:2:3") && said.contains("unknown key `scrpt`"), "{said}");
    // The same content once more is no change, and says nothing.
    fs::write(folder.path().join("orders/routes.yaml"), WRONG).unwrap();
    write_rule(folder.path(), "orders/routes.yaml", RIGHT);
    let said = watched.round();
    assert!(said.contains("1 case passed in") && !said.contains("error"), "{said}");
    assert_eq!(watched.interrupt(), (Some(0), String::new()));
}

#[test]
fn the_status_is_that_of_the_last_round() {
    let folder = rules();
    let watched = Watched::start(folder.path(), &["--json"]);
    let document = |said: &str| -> Value {
        serde_json::from_str(said.lines().find(|line| line.starts_with('{')).unwrap()).unwrap()
    };
    assert_eq!(document(&watched.round())["ok"], true);
    fs::remove_file(folder.path().join("orders/created.rhai")).unwrap();
    let said = document(&watched.round());
    assert_eq!((&said["ok"], &said["findings"][0]["line"]), (&false.into(), &2.into()), "{said}");
    assert_eq!(watched.interrupt(), (Some(1), String::new()));
}
