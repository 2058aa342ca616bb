//! What breaks beside the program, and of it, while events flow. Each case ends with a ledger that accounts for every
//! event that was accepted and every message that was taken.
//!
//! Here in their short form; `just faults` runs the long one, with thousands of events for each, and shows the
//! ledgers. What is random comes from a seed that each ledger names: `HOOKSWITCH_FAULTS_SEED` repeats it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cloud_api;
mod hosts;
mod ledger;
mod machine;
mod network;
mod postgres;
mod producer;
mod proxy;
mod shim;
mod webhooks;

use std::{fs, path::Path, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use self::{ledger::Ledger, producer::Producer};
use crate::harness::{Database, Host, Simulator, free_port};

/// Long enough for a webhook to be posted again after a host was away.
const UNKNOWN_SECONDS: &str = "5";

fn is_long() -> bool {
    std::env::var("HOOKSWITCH_FAULTS").is_ok_and(|form| form == "long")
}

/// So much in the short form, and in the long one.
fn size(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

fn seed() -> u64 {
    let given = std::env::var("HOOKSWITCH_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(rand::random)
}

/// One recipient for each event, so that a message that is doubled shows.
fn event(n: usize) -> Value {
    let decision = json!({"template": "note", "contacts": [recipient(n)], "context": {"n": n}});
    json!({"type": "any", "id": format!("event-{n}"), "source": "/faults", "subject": format!("order-{n}"),
        "data": decision})
}

fn recipient(n: usize) -> String {
    format!("1555{n:07}")
}

/// Whatever an event says is the decision.
fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path: &Path = &folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("any/routes.yaml", "- on: any\n  script: any.rhai\n");
    write("any/any.rhai", "fn decide(event) { event.data }");
    let front = "description: A note\ncategory: utility\nlanguage: en_US";
    write("any/templates/note.j2", &format!("---\n{front}\n---\nNote {{{{ n }}}} is for you."));
    folder
}

/// A host, its database, and what stands in for Meta.
struct Stage {
    database: Database,
    simulator: Simulator,
    host: Host,
    rules: TempDir,
    dice: StdRng,
    seed: u64,
}

impl Stage {
    async fn new() -> Stage {
        Stage::on(Database::create().await, &[], &[]).await
    }

    /// On this database; with more settings for the host, of which `env` are variables for its process alone.
    async fn on(database: Database, flags: &[&str], settings: &[(&str, &str)]) -> Stage {
        let port = free_port();
        let flags: Vec<&str> =
            ["--unlimited", "--unknown-templates"].into_iter().chain(flags.iter().copied()).collect();
        let simulator = Simulator::start(port, &flags);
        let rules = rules();
        let host = Host::start(port, &database, &simulator, rules.path(), &with_defaults(settings));
        let seed = seed();
        Stage { database, simulator, host, rules, dice: StdRng::seed_from_u64(seed), seed }
    }

    /// Begins to post so many events to the host, each until it is accepted.
    fn produce(&self, count: usize) -> Producer {
        Producer::start(&self.host, count)
    }

    /// Lets some time pass, as the dice fall.
    async fn a_while(&mut self, from_ms: u64, to_ms: u64) {
        let time = self.dice.random_range(from_ms..to_ms);
        sleep(Duration::from_millis(time)).await;
    }

    /// Waits until all that was accepted has come to its end, and closes the books.
    async fn ledger(&self, case: &'static str, accepted: usize) -> Ledger {
        Ledger::close(case, accepted, &self.database, &self.simulator, self.seed).await
    }
}

fn with_defaults<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let defaults =
        [("WHATSAPP_MESSAGES_PER_SECOND", "2000"), ("HOOKSWITCH_UNKNOWN_SECONDS", UNKNOWN_SECONDS)];
    defaults.into_iter().chain(settings.iter().copied()).collect()
}
