//! Inputs made at random: scripts, templates, YAML of each kind, manifests, webhooks, events.
//!
//! Each input comes from a seed. What authors write is tried in a child process with limits of memory and time, so that
//! an abort is seen and told with its seed; webhooks and events are posted to the built program.
//!
//! A run takes about ten seconds; `HOOKSWITCH_FUZZ=SECONDS` sets how long (`just fuzz`), `HOOKSWITCH_FUZZ_SEED` where the
//! seeds begin. To see one input: `HOOKSWITCH_FUZZ_SEED=SEED HOOKSWITCH_FUZZ=0 cargo test --test fuzz -- TARGET`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod generate;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use more of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod pieces;
mod served;

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};

/// What is tried in a child process.
const TARGETS: [&str; 4] = ["scripts", "templates", "yaml", "manifests"];
/// How long all targets take together, unless the environment says otherwise.
const SHORT: Duration = Duration::from_secs(10);
/// One input takes longer only where it hangs; debug builds are slow.
const HANGS: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

fn main() -> ExitCode {
    if let Ok(target) = env::var("HOOKSWITCH_FUZZ_CHILD") {
        child::run(&target, number("HOOKSWITCH_FUZZ_SEED").unwrap_or(0));
        return ExitCode::SUCCESS;
    }
    let all = number("HOOKSWITCH_FUZZ").map_or(SHORT, Duration::from_secs);
    let seed = number("HOOKSWITCH_FUZZ_SEED").unwrap_or_else(rand::random);
    let time = all / (TARGETS.len() as u32 + 2);
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let mut trials: Vec<Trial> = TARGETS
        .into_iter()
        .map(|target| Trial::test(target, move || in_children(target, seed, time)))
        .collect();
    trials.push(Trial::test("webhooks", move || served::webhooks(seed, time)));
    trials.push(Trial::test("events", move || served::events(seed, time)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs children until the time is over. A child says each seed before it tries its input.
fn in_children(target: &str, seed: u64, time: Duration) -> Result<(), Failed> {
    let mut child = Command::new(env::current_exe()?)
        .env("HOOKSWITCH_FUZZ_CHILD", target)
        .env("HOOKSWITCH_FUZZ_SEED", seed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (seeds, said) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| seeds.send(line)));
    let mut stderr = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let (started, mut last, mut tried) = (Instant::now(), String::from("none"), 0);
    let end = loop {
        match said.recv_timeout(HANGS) {
            Ok(seed) => {
                (last, tried) = (seed, tried + 1);
                if started.elapsed() >= time && tried > 1 {
                    child.kill()?;
                    child.wait()?;
                    println!("{target}: {tried} inputs");
                    return Ok(());
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill()?;
                break format!("takes longer than {} s", HANGS.as_secs());
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                break format!("ended the process: {}", child.wait()?);
            }
        }
    };
    let errors = errors.join().unwrap_or_default();
    let input = generate::shown(target, last.parse().unwrap_or_default());
    Err(format!("{target}, seed {last}: {end}\n{errors}\ninput:\n{input}").into())
}
