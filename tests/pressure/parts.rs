//! A host of which a part ends: it says which, is not ready any more, and ends.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use hookswitch_simulator::Settings;

use crate::harness::{Database, Host, SOON, Simulator, free_port, http, program, wait_until, write_rule};

const NOTE: &str = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nThis is from {{ name }}, all right.\n";

/// Lets a process have so many MiB of addresses more than it has.
fn limit_addresses(process: u32, more: u64) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let now: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    let limit = format!("--as={}", now * 1024 + more * 1024 * 1024);
    let output = Command::new("prlimit").args(["--pid", &process.to_string(), &limit]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The part that looks after templates at Meta finds no room for the stack on which it compiles them.
#[tokio::test]
async fn a_host_of_which_a_part_fails_says_which_and_ends() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited"]);
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "groups.yaml", "- name: Ops\n  description: Runs it\n");
    write_rule(rules.path(), "notes/templates/note.j2", NOTE);
    let account = Settings::default();
    let settings = [("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id.as_str())];
    let mut host = Host::start(port, &database, &simulator, rules.path(), &settings);
    let url = format!("{}/readyz", host.url());
    let ready = async || http().get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
    wait_until("it is ready", SOON, async || ready().await).await;

    limit_addresses(host.id(), 256);
    let mut push = program(&["templates", "push", "--yes", "--rules"]);
    push.arg(rules.path())
        .env("WHATSAPP_API_URL", simulator.api_url())
        .env("WHATSAPP_BUSINESS_ACCOUNT_ID", &account.waba_id)
        .env("WHATSAPP_ACCESS_TOKEN", &account.access_token);
    assert!(push.output().unwrap().status.success());
    simulator.set_template("note", "APPROVED").await;
    wait_until("it says which part", SOON, async || {
        let said = host.said();
        said.lines()
            .any(|line| line.contains("a part of this host failed") && line.contains("part=\"templates\""))
    })
    .await;
    let failed = Instant::now();
    assert!(!ready().await, "it is ready though a part has failed");
    let status = host.wait();
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(failed.elapsed() < Duration::from_secs(10), "{:?}", failed.elapsed());
    assert!(host.said().contains("templates ended unexpectedly; restart this host"), "{}", host.said());
    let lanes = "SELECT count(*) FROM lane WHERE owner IS NOT NULL AND deadline > now()";
    assert_eq!(database.count(lanes).await, 0, "the lanes are given back");
}
