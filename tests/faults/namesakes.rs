//! Two hosts that cannot be told apart by name or process id, as in two containers: one machine's name, and each is
//! process 1 in a namespace of its own.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use crate::{
    Case, Skipped,
    harness::{SOON, free_port, wait_until},
    ledger::settle,
    scale,
    stage::Stage,
};

const UNSHARE: [&str; 5] = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const AS_USER: [&str; 2] = ["--user", "--map-root-user"];

/// One is killed and started again and again: it never takes what the other holds, which lives.
pub async fn apart(case: &'static str) -> Case {
    let under = namespace()?;
    let under: Vec<&str> = under.iter().map(String::as_str).collect();
    let ports = [free_port(), free_port()];
    let mut stage = Stage::start(case, ports[0], &["--latency", "30"]).await;
    let living = stage.host_under(&under, ports[0], &[]).await;
    wait_until("the first has all lanes", SOON, async || stage.lanes().await == [64]).await;
    let id = stage.database.query("SELECT id FROM host", &[]).await[0].get(0);
    let mut other = stage.host_under(&under, ports[1], &[]).await;
    wait_until("two hosts share the lanes", SOON, async || stage.lanes().await == [32, 32]).await;
    let names = "SELECT count(DISTINCT name) FROM host";
    assert_eq!(stage.database.count(names).await, 1, "they have one name");
    let watch = Watch::begin(&stage.url, id).await;
    let producer = stage.produce(&[&living, &other]);
    for _ in 0..scale::pick(4, 20) {
        sleep(stage.chance.between(300, 1_500)).await;
        other.kill();
        wait_until("its port is free", SOON, async || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, ports[1])).is_ok()
        })
        .await;
        other.restart();
        let said = other.said();
        assert!(watch.holds(), "the other took what the living one held:\n{said}");
    }
    let accepted = producer.finish(scale::events()).await;
    assert!(watch.holds(), "the other took what the living one held");
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// What puts a program into a namespace of process ids.
fn namespace() -> Result<Vec<String>, Skipped> {
    let privileged = UNSHARE.to_vec();
    let own = [&UNSHARE[..1], &AS_USER, &UNSHARE[1..]].concat();
    let mut said = String::new();
    for words in [privileged, own] {
        let mut command = Command::new(words[0]);
        let output = command.args(&words[1..]).arg("true").stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => {
                return Ok(words.into_iter().map(str::to_owned).collect());
            }
            Ok(output) => said = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => said = error.to_string(),
        }
    }
    Err(Skipped(format!("no namespace of process ids can be made here: {said}")))
}

/// Looks all the time whether a host is on the list as it was, and holds lanes. It gives some back by itself while those
/// that were killed still count, but never all.
struct Watch(Arc<AtomicBool>);

const WHOLE: &str =
    "SELECT (SELECT started_at = $2 FROM host WHERE id = $1), (SELECT count(*) FROM lane WHERE owner = $1)";
/// With two that live and up to six that are not known to be dead.
const LEAST: i64 = 8;

impl Watch {
    async fn begin(url: &str, host: uuid::Uuid) -> Watch {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let row = client.query_one("SELECT started_at FROM host WHERE id = $1", &[&host]).await.unwrap();
        let started: Timestamp = row.get(0);
        let holds = Arc::new(AtomicBool::new(true));
        let seen = holds.clone();
        tokio::spawn(async move {
            while let Ok(row) = client.query_one(WHOLE, &[&host, &started]).await {
                if row.get::<_, Option<bool>>(0) != Some(true) || row.get::<_, i64>(1) < LEAST {
                    seen.store(false, Ordering::Release);
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        Watch(holds)
    }

    fn holds(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
