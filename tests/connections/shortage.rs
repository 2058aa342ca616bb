//! Few files that the process may open: connections are taken in turn, and it goes on when there are more again.

use std::{collections::HashSet, fs, process::Command, time::Duration};

use serde_json::json;
use tokio::{net::TcpStream, time::sleep};

use super::{open, start};
use crate::harness::{Host, SOON, http, wait_until};

/// As `ulimit -n` says it.
const FILES: u64 = 256;

async fn connect(host: &Host, count: usize) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for n in 0..count {
        let half = if n % 2 == 0 { b"GET /".as_slice() } else { b"" };
        clients.push(open(host, half).await);
    }
    clients
}

fn open_files(host: &Host) -> u64 {
    fs::read_dir(format!("/proc/{}/fd", host.id())).unwrap().count() as u64
}

/// The number that the next file gets that the process opens.
fn first_free(host: &Host) -> u64 {
    let open = fs::read_dir(format!("/proc/{}/fd", host.id())).unwrap();
    let open: HashSet<u64> =
        open.map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    (0..).find(|number| !open.contains(number)).unwrap()
}

fn allow_files(host: &Host, files: u64) {
    let limit = format!("--nofile={files}:");
    let output = Command::new("prlimit").args(["--pid", &host.id().to_string(), &limit]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// CPU time that the process has used, in ticks of 10 ms.
fn ticks(host: &Host) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", host.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

async fn is_alive(host: &Host) -> bool {
    let answer = http().get(format!("{}/readyz", host.url())).timeout(SOON).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn with_few_files_clients_that_do_nothing_give_way() {
    let (database, _simulator, mut host) = start(&[]).await;
    host.limit(&format!("ulimit -n {FILES}"));
    host.restart();
    wait_until("it is ready", SOON, async || is_alive(&host).await).await;
    let _clients = connect(&host, 600).await;
    assert!(open_files(&host) < FILES, "{} files are open", open_files(&host));
    let event = json!({"type": "nobody.cares", "data": {}}).to_string().into_bytes();
    for _ in 0..20 {
        // Right after a flood nobody has rested long enough to give way.
        wait_until("it is accepted", SOON, async || {
            host.post(event.clone(), "application/json").await.is_ok_and(|answer| answer.status() == 202)
        })
        .await;
    }
    let decided = "SELECT count(*) FROM decision";
    wait_until("all are decided", SOON, async || database.count(decided).await >= 21).await;
    assert!(!host.said().contains("failed to accept"), "{}", host.said());
}

#[tokio::test]
async fn without_files_it_says_so_and_waits_and_goes_on_afterwards() {
    let (_database, _simulator, host) = start(&[]).await;
    wait_until("it is ready", SOON, async || is_alive(&host).await).await;
    let mut before = 0;
    wait_until("connections of the past are closed", SOON, async || {
        sleep(Duration::from_millis(500)).await;
        std::mem::replace(&mut before, open_files(&host)) == open_files(&host)
    })
    .await;
    // Not one more.
    allow_files(&host, first_free(&host));
    let clients = connect(&host, 5).await;
    wait_until("it says so", SOON, async || host.said().contains("failed to accept a connection")).await;
    let before = ticks(&host);
    sleep(Duration::from_secs(2)).await;
    let used = ticks(&host) - before;
    assert!(used < 40, "it spins: {used} ticks in 2 s");
    assert_eq!(host.said().matches("failed to accept").count(), 1, "{}", host.said());
    // A few more: whoever does nothing gives way.
    allow_files(&host, first_free(&host) + 10);
    let more = connect(&host, 40).await;
    wait_until("it answers", SOON, async || is_alive(&host).await).await;
    allow_files(&host, 4_096);
    drop((clients, more));
    wait_until("it goes on", SOON, async || is_alive(&host).await).await;
    host.accept(&json!({"type": "nobody.cares", "data": {}})).await;
}
