//! Components and manifests by a seeded generator: whatever they hold, the program ends with words.

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Folders, component};
use crate::harness::program;

/// Plugins of one run of the program.
const AT_ONCE: usize = 24;
/// A bound for hangs only.
const RUN: Duration = Duration::from_secs(300);

/// Runs for `HOOKSWITCH_FUZZ` seconds, or once; the seed is printed, and `HOOKSWITCH_FUZZ_SEED` repeats a run.
#[test]
fn altered_components_and_manifests_end_in_words() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let until = Instant::now() + Duration::from_secs(number("HOOKSWITCH_FUZZ").unwrap_or(0));
    let mut seed = number("HOOKSWITCH_FUZZ_SEED").unwrap_or(1);
    loop {
        run(seed);
        seed += 1;
        if Instant::now() >= until {
            return;
        }
    }
}

fn run(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let folders = Folders::new();
    for n in 0..AT_ONCE {
        let id = format!("p{n}");
        folders.plugin(&id, "x.*", "");
        if n % 2 == 0 {
            folders.write(&format!("plugins/{id}/{id}.wasm"), &altered(component(), &mut random));
        } else {
            folders.write(&format!("plugins/{id}/plugin.yaml"), manifest(&id, &mut random).as_bytes());
        }
    }
    let words = folders.plugins().join("../words");
    let mut child = program(&["rules", "check", "--rules"])
        .arg(folders.rules())
        .envs(folders.settings())
        .env("HOOKSWITCH_PLUGIN_CACHE", folders.plugins().join("../cache"))
        .stderr(Stdio::from(fs::File::create(&words).unwrap()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < RUN, "seed {seed}: still at it");
        thread::sleep(Duration::from_millis(20));
    };
    let said = String::from_utf8_lossy(&fs::read(words).unwrap()).into_owned();
    println!("seed {seed}: {status}, {} ms, {} bytes of words", began.elapsed().as_millis(), said.len());
    assert!(status.code().is_some_and(|code| code <= 1), "seed {seed}: {status}: {said}");
    assert!(!said.contains("panicked"), "seed {seed}: {said}");
}

/// Bytes flipped, taken out, repeated or put elsewhere.
fn altered(good: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(8..bytes.len());
        let len = random.random_range(1..=64).min(bytes.len() - at);
        match random.random_range(0..5) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            2 => drop(bytes.drain(at..at + len)),
            3 => {
                let piece = bytes[at..at + len].to_vec();
                let to = random.random_range(8..bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// A manifest with lines that are wrong, odd, repeated or large.
fn manifest(id: &str, random: &mut StdRng) -> String {
    let mut text = format!("id: {id}\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\n");
    let long = "x".repeat(random.random_range(1..20_000));
    let deep = "[".repeat(random.random_range(1..400));
    let lines = [
        "on: [x.*]".to_owned(),
        "on: '*'".to_owned(),
        format!("on: [{long}]"),
        format!("config: {{a: {deep}"),
        format!("config: {{a: {deep}{}}}", "]".repeat(deep.len())),
        format!("config: {{\"{long}\": 1e999, b: .inf, c: -0, d: 0x{long}}}"),
        "config: &a [*a, *a]".to_owned(),
        "limits: {time: 99999999999999999999s, memory: 1MiB}".to_owned(),
        "limits: {time: -1ms, memory: 0MiB}".to_owned(),
        "limits: {time: 1ms, memory: 257MiB}".to_owned(),
        format!("http: [\"https://{long}\", \"https://*.*.x\", \"http://[::1]:99999\"]"),
        "http: [\"https://[\", \"https://]\", \"https://:1\", \"://\"]".to_owned(),
        format!("secrets: [{long}, a-b, \"\"]"),
        "lookup: {t: {file: ../../../etc/passwd, key: id}}".to_owned(),
        "lookup: {t: {file: plugin.yaml, key: id}}".to_owned(),
        "lookup: {t: {file: /proc/self/environ}}".to_owned(),
        "lookup: [1, 2]".to_owned(),
        "on_failure: explode".to_owned(),
        format!("{long}: 1"),
        "\u{feff}on: [y]".to_owned(),
        "\0".to_owned(),
        "---\n...\n---".to_owned(),
    ];
    for _ in 0..random.random_range(1..5) {
        text.push_str(lines.choose(random).map_or("", |line| line));
        text.push('\n');
    }
    text
}
