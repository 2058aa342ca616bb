//! Whatever a plugin does, the host goes on, its author reads why it was stopped, and its neighbours lose nothing.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Folders, Stage, component};
use crate::harness::program;

fn harm(r#type: &str, what: &str, more: &Value) -> Value {
    let mut data = json!({"do": what});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"type": r#type, "data": data})
}

#[tokio::test]
async fn whatever_a_plugin_does_the_host_goes_on() {
    let folders = Folders::new();
    folders.plugin("endless", "endless.*", "limits: {time: 2s, memory: 160MiB}\non_failure: skip");
    // Much time for what is to fail for another reason: however busy the machine is, the time does not end first.
    folders.plugin(
        "hostile",
        "harm.*",
        "limits: {time: 10s, memory: 160MiB}\non_failure: skip\n\
         http: [\"http://127.0.0.1:1\", \"http://localhost:80\", \"https://*.allowed.invalid\"]",
    );
    folders.plugin("greedy", "greed.*", "limits: {time: 10s, memory: 32MiB}\non_failure: skip");
    folders.plugin("neighbour", "good.*", "limits: {time: 10s}");
    let grants = "hostile=http://127.0.0.1:1,hostile=http://localhost:80,hostile=https://*.allowed.invalid";
    let stage = Stage::set(folders, &[("HOOKSWITCH_PLUGIN_GRANTS", grants)]).await;
    let none = json!({});
    // On a busy machine the time on the wall may end before the running time.
    let late = "the plugin endless failed: took longer than";
    let endless = [
        ("loop", none.clone(), late),
        ("sleep", none.clone(), "took longer than 3000 ms, including waiting"),
        ("many-logs", none.clone(), late),
    ];
    let rows = [
        ("recurse", none.clone(), "stack overflow: its function calls are nested too deeply"),
        ("panic", none.clone(), "src/lib.rs"),
        ("long-log", none.clone(), "passed more than 2 MiB at once"),
        ("large-answer", none.clone(), "used more than 160 MiB of memory"),
        ("medium-answer", none.clone(), "the answer is larger than 64 KiB"),
        ("print", none.clone(), "printed"),
        ("forge", none.clone(), "forged"),
        ("random", json!({"bytes": 65_536}), "65536 bytes"),
        ("random", json!({"bytes": 65_537}), "exceeds limit 65536"),
        ("random", json!({"bytes": 64 * 1024 * 1024}), "exceeds limit 65536"),
        ("long-questions", none.clone(), "the maximum is 1024"),
        ("fail", none.clone(), "this event is not good"),
        ("many-decisions", none.clone(), "1000 decisions exceed the maximum of 100"),
        ("nan", none.clone(), "This is from , all right."),
        ("huge-number", none.clone(), "This is from 17976931348623157000"),
        ("wrong-json", none.clone(), "[0].context: expected a JSON object"),
        ("questions", none.clone(), "asked more than 100 different questions"),
        (
            "http",
            json!({"url": "https://evil.example.com/"}),
            "plugin.yaml does not allow https://evil.example.com:443",
        ),
        ("http", json!({"url": "http://127.0.0.1:1/"}), "127.0.0.1 is not a public address"),
        ("http", json!({"url": "http://localhost/"}), "localhost has no public address"),
        (
            "http",
            json!({"url": "https://user:pw@x.allowed.invalid/"}),
            "URLs with a user name are not allowed",
        ),
        ("http", json!({"url": "file:///etc/passwd"}), "has no host"),
        ("file", none.clone(), "No such file or directory"),
        ("socket", none.clone(), "ermission denied"),
        ("environment", none.clone(), "[]"),
    ];
    let greedy = stage.decided(&json!({"type": "greed.it", "data": {"do": "allocate"}})).await;
    assert_eq!(greedy["reason"], "the plugin greedy failed: used more than 32 MiB of memory");
    let mut wrong: Vec<String> = Vec::new();
    let all =
        endless.iter().map(|row| ("endless.done", row)).chain(rows.iter().map(|row| ("harm.done", row)));
    for (index, (r#type, (what, more, told))) in all.enumerate() {
        let began = Instant::now();
        let neighbour = json!({"type": "good.day", "id": format!("good-{index}"), "data": {}});
        let harmful = harm(r#type, what, more);
        let (harmed, good) = tokio::join!(stage.decided(&harmful), stage.decided(&neighbour));
        let body = harmed["notifications"][0]["message"]["body"].as_str();
        let (outcome, said) = match body {
            Some(body) => ("notify", body),
            None => ("skip", harmed["reason"].as_str().unwrap_or_default()),
        };
        println!("{what}: {} ms, {outcome}: {said}", began.elapsed().as_millis());
        if harmed["outcome"] != outcome || !said.contains(told) {
            wrong.push(format!("{what}: expected {told}, got {harmed:#}"));
        }
        assert_eq!(good["outcome"], "notify", "{what}: {good:#}");
        // So that it is not parked for failing in a row.
        assert_eq!(stage.decided(&harm(r#type, "nothing", &none)).await["outcome"], "notify");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let said = stage.host.said();
    assert!(said.contains("ERROR forged by log") && said.contains("ERROR forged by print"));
    assert!(!said.lines().any(|line| line.starts_with("2026-11-26T00:00:00.000000Z ERROR")), "{said}");
    // After five in a row it is not called any more.
    for _ in 0..5 {
        let harmed = stage.decided(&harm("endless.done", "loop", &none)).await;
        assert!(harmed["reason"].as_str().unwrap().contains("took longer than"), "{harmed:#}");
    }
    let parked = stage.decided(&harm("endless.done", "nothing", &none)).await;
    assert_eq!(parked["outcome"], "parked", "{parked:#}");
    assert_eq!(parked["reason"], "the plugin endless failed 5 times in a row and is parked");
}

/// As many as run at once, each of another plugin: calls of one plugin have a share of the places only.
#[tokio::test]
async fn whoever_hangs_in_all_places_starves_nobody() {
    const CROWD: usize = 64;
    let folders = Folders::new();
    for n in 0..CROWD {
        folders.plugin(&format!("loop-{n}"), &format!("harm.{n}"), "limits: {time: 500ms}\non_failure: skip");
    }
    folders.plugin("neighbour", "good.*", "limits: {time: 1s}");
    let stage = Stage::set(folders, &[]).await;
    let crowd: Vec<Value> =
        (0..CROWD).map(|n| json!({"type": format!("harm.{n}"), "data": {"do": "loop"}})).collect();
    let neighbours: Vec<Value> = (0..CROWD).map(|_| json!({"type": "good.day", "data": {}})).collect();
    let began = Instant::now();
    let (harmed, good) = tokio::join!(
        futures_util::future::join_all(crowd.iter().map(|event| stage.decided(event))),
        futures_util::future::join_all(neighbours.iter().map(|event| stage.decided(event))),
    );
    println!("{CROWD} loops beside {CROWD} neighbours: {} ms", began.elapsed().as_millis());
    for (n, harmed) in harmed.iter().enumerate() {
        let reason = harmed["reason"].as_str().unwrap_or_default();
        let ran = format!("the plugin loop-{n} failed: took longer than");
        assert!(harmed["outcome"] == "skip" && reason.contains(&ran), "{harmed:#}");
    }
    assert!(good.iter().all(|decision| decision["outcome"] == "notify"), "{good:#?}");
}

#[test]
fn components_that_are_none_are_refused_in_words() {
    let good = component();
    let contract_2: Vec<u8> =
        replaced(good, b"hookswitch:plugin/router@1.0.0", b"hookswitch:plugin/router@2.0.0");
    let mut flipped: Vec<Vec<u8>> = Vec::new();
    for place in [9, 1_000, good.len() / 2] {
        let mut bytes = good.to_vec();
        bytes[place] ^= 0x10;
        flipped.push(bytes);
    }
    let core = [b"\0asm".as_slice(), &[1, 0, 0, 0]].concat();
    let mut rows = vec![
        (b"not wasm".to_vec(), "not a WebAssembly file"),
        (core, "this is a core module, not a component"),
        (good[..good.len() / 3].to_vec(), "not a valid component"),
        (contract_2, "it is built for hookswitch:plugin/router@2.0.0"),
    ];
    // A smoke test: some flips change nothing that matters, and none may bring the program down.
    rows.extend(flipped.into_iter().map(|bytes| (bytes, "")));
    for (bytes, told) in rows {
        let folders = Folders::new();
        folders.plugin("broken", "x.*", "");
        folders.write("plugins/broken/broken.wasm", &bytes);
        let output = program(&["rules", "check", "--rules"])
            .arg(folders.rules())
            .envs(folders.settings())
            .env("HOOKSWITCH_PLUGIN_CACHE", folders.plugins().join("none"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code <= 1), "{said}");
        assert!(said.contains(told), "{said}");
    }
    let folders = Folders::new();
    folders.write("plugins/alone/alone.wasm", good);
    let output = program(&["rules", "check", "--rules"])
        .arg(folders.rules())
        .envs(folders.settings())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("no plugin.yaml beside this component"));
}

#[test]
fn a_plugin_that_is_not_built_is_left_out_with_its_cases() {
    let folders = Folders::new();
    let manifest = "id: later\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [x.*]\n";
    folders.write("plugins/later/plugin.yaml", manifest.as_bytes());
    let case = b"- name: it decides\n  event: {type: x.y}\n  expect:\n    - template: note\n";
    folders.write("plugins/later/cases/first.yaml", case);
    let output = program(&["rules", "check", "--rules"])
        .arg(folders.rules())
        .envs(folders.settings())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the plugin later is not loaded: later.wasm is missing"), "{said}");
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, w)| *w == old).map(|(n, _)| n).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + new.len()].copy_from_slice(new);
    }
    bytes
}
