//! What cannot be compiled within its allowance is refused alone, in words, and costs nobody else anything.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;

use super::{Folders, Stage, component, forge};
use crate::harness::{program, wait_until};

/// A debug build compiles slowly, and the machine may be busy: a bound for hangs only.
const REFUSED: Duration = Duration::from_secs(240);

const BOMB: &str = "id: bomb\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [bomb.*]\n";

fn bomb() -> Vec<u8> {
    forge::with_module(component(), &forge::loops_and_locals(1_000, 1_000), 0)
}

#[tokio::test]
async fn a_plugin_that_takes_too_much_to_compile_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache").display().to_string();
    let folders = Folders::new();
    folders.plugin("neighbour", "good.*", "");
    let mut stage = Stage::set(folders, &[("HOOKSWITCH_PLUGIN_CACHE", &cache)]).await;
    stage.folders.write("plugins/bomb/bomb.wasm", &bomb());
    stage.folders.write("plugins/bomb/plugin.yaml", BOMB.as_bytes());
    wait_until("it is being compiled", REFUSED, async || stage.host.said().contains("is being compiled"))
        .await;
    // Rules change and neighbours decide while it is compiled.
    stage.folders.write(
        "rules/more/routes.yaml",
        b"- {on: more.it, template: note, groups: [Ops], context: {name: \"'x'\"}}\n",
    );
    wait_until("a change goes live meanwhile", REFUSED, async || stage.host.said().contains("routes=2"))
        .await;
    // A busy machine may still be compiling the neighbour.
    wait_until("a neighbour decides meanwhile", REFUSED, async || {
        stage.decided(&json!({"type": "good.day", "data": {}})).await["outcome"] == "notify"
    })
    .await;
    wait_until("it is refused", REFUSED, async || {
        stage
            .host
            .said()
            .contains("the plugin bomb cannot be compiled, so it is not called: compiling took more than")
    })
    .await;
    let kept = stage.decided(&json!({"type": "bomb.it", "data": {}})).await;
    assert_eq!(kept["outcome"], "parked", "{kept:#}");
    assert!(kept["reason"].as_str().unwrap().contains("cannot be compiled: compiling took more than"));
    assert_eq!(stage.decided(&json!({"type": "more.it", "data": {}})).await["outcome"], "notify");

    // The next start knows it, and a component that compiles takes its place.
    let began = Instant::now();
    stage.host.kill();
    stage.host.restart();
    println!("started again in {} ms", began.elapsed().as_millis());
    assert!(stage.host.said().contains("the plugin bomb cannot be compiled"), "{}", stage.host.said());
    stage.folders.write("plugins/bomb/bomb.wasm", &forge::with_remark(component(), "defused"));
    wait_until("the good one is asked", REFUSED, async || {
        stage.decided(&json!({"type": "bomb.it", "data": {}})).await["outcome"] == "notify"
    })
    .await;

    // Who checks the rules reads an error.
    stage.folders.write("plugins/bomb/bomb.wasm", &bomb());
    let output = program(&["rules", "check", "--rules"])
        .arg(stage.folders.rules())
        .envs(stage.folders.settings())
        .env("HOOKSWITCH_PLUGIN_CACHE", &cache)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && said.contains("cannot be compiled: compiling took more"),
        "{said}"
    );
}

/// Each alone in a folder: what it does to the program, and to its compiler, is bounded.
#[test]
fn whatever_stands_in_a_component_the_program_goes_on() {
    let good = component();
    let with = |module| forge::with_module(good, &module, 1);
    let rows = [
        ("deep blocks", with(forge::deep_blocks(100_000))),
        ("jump tables", with(forge::jump_tables(20_000, 10))),
        ("many functions", with(forge::many_functions(30_000))),
        ("many locals", with(forge::many_locals(16_000))),
        ("many of all", with(forge::many_of_all(3_000))),
        ("far data", with(forge::far_data(4_000, 1_000_000))),
        ("nested components", forge::nested(3_000)),
        ("doubling types", forge::doubling_types(200)),
        ("too many memories", forge::with_module(good, &forge::memories_and_tables(1, 0), 10)),
        ("too many tables", forge::with_module(good, &forge::memories_and_tables(0, 1), 20)),
        ("too many instances", forge::with_module(good, &forge::memories_and_tables(0, 0), 300)),
    ];
    for (name, bytes) in rows {
        let folders = Folders::new();
        folders.plugin("odd", "x.*", "");
        folders.write("plugins/odd/odd.wasm", &bytes);
        let began = Instant::now();
        #[expect(clippy::zombie_processes, reason = "it is asked until it has ended")]
        let mut child = program(&["rules", "check", "--rules"])
            .arg(folders.rules())
            .envs(folders.settings())
            .env("HOOKSWITCH_PLUGIN_CACHE", folders.plugins().join("../cache"))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let (mut most, mut ended) = (0, None);
        while ended.is_none() {
            most = most.max(peak_mib(&fs::read_to_string(&status).unwrap_or_default()));
            thread::sleep(Duration::from_millis(5));
            ended = child.try_wait().unwrap();
            assert!(began.elapsed() < REFUSED, "{name}: still at it");
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        println!(
            "{name}: {} KiB, {} ms, {most} MiB: {}",
            bytes.len() / 1024,
            began.elapsed().as_millis(),
            said.lines().next().unwrap_or_default()
        );
        assert!(ended.unwrap().code().is_some_and(|code| code <= 1), "{name}: {said}");
        assert!(most < 700, "{name}: {most} MiB");
        assert!(said.len() < 10_000, "{name}: {} bytes of words", said.len());
        if name.starts_with("too many") {
            assert!(said.contains("error"), "{name}: {said}");
        }
    }
}

fn peak_mib(status: &str) -> usize {
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or_default()
        / 1_024
}

/// Lets a file be as if nothing had used it for so many days.
fn age(file: &Path, days: u64) {
    let at = SystemTime::now() - Duration::from_secs(days * 24 * 3_600);
    fs::File::options().append(true).open(file).unwrap().set_modified(at).unwrap();
}

#[test]
fn compiled_forms_that_nothing_has_used_for_a_month_go() {
    let folders = Folders::new();
    let cache = folders.plugins().join("../cache");
    let check = || {
        let mut command = program(&["rules", "check", "--rules"]);
        command.arg(folders.rules()).envs(folders.settings()).env("HOOKSWITCH_PLUGIN_CACHE", &cache);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    folders.plugin("one", "x.*", "");
    folders.write("plugins/one/one.wasm", &forge::with_remark(component(), "one"));
    check();
    let kept: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [one] = &kept[..] else { panic!("{kept:?}") };
    for (name, days) in
        [("old.cwasm", 31), ("old.refused", 31), (".tmpold", 31), ("new.cwasm", 29), ("notes.txt", 31)]
    {
        fs::write(cache.join(name), "").unwrap();
        fs::set_permissions(cache.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        age(&cache.join(name), days);
    }
    // It is used, which keeps it.
    age(one, 31);
    check();
    folders.write("plugins/one/one.wasm", &forge::with_remark(component(), "another"));
    check();
    let there = |name: &str| cache.join(name).exists();
    assert!(one.exists() && there("new.cwasm") && there("notes.txt"));
    assert!(!there("old.cwasm") && !there("old.refused") && !there(".tmpold"));
}
