//! The event log: its order, requests that are written together, and a database that goes away.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use hookswitch::store::{NewEvent, Store};
use hookswitch_core::domain::{Event, EventKey};
use jiff::Timestamp;
use serde_json::{json, value::RawValue};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use super::{BATCH, Host, accepted, cloud_order, config, order, problem};
use crate::harness::Database;

#[tokio::test]
async fn no_smaller_seq_appears_after_a_larger_one() {
    let host = Host::start().await;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let store = Store::new(config(&host.database), 1).unwrap();
        writers.spawn(async move {
            for n in 0..100 {
                let events: Vec<Event> = (0..5).map(|k| event(format!("{writer}-{n}-{k}"))).collect();
                let new: Vec<_> =
                    events.iter().map(|event| NewEvent { event, sha256: &[0; 32], has_time: true }).collect();
                store.append_events(&new, n % 2 == 0).await.unwrap();
            }
        });
    }
    let mut seen = BTreeSet::new();
    let mut reads = 0;
    while seen.len() < 2_000 {
        let rows = host.database.query("SELECT seq FROM event", &[]).await;
        let now: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        let first_new = now.difference(&seen).next().copied();
        if let (Some(new), Some(last)) = (first_new, seen.last()) {
            assert!(new > *last, "{new} appeared after {last}");
        }
        seen = now;
        reads += 1;
    }
    assert!(reads > 5, "the reader must look while they write");
    writers.join_all().await;
}

fn event(id: String) -> Event {
    Event {
        key: EventKey { id, source: "/s".to_owned() },
        kind: "t".to_owned(),
        subject: None,
        time: Timestamp::UNIX_EPOCH,
        data: RawValue::NULL.to_owned(),
        extensions: None,
    }
}

#[tokio::test]
async fn a_request_that_is_refused_takes_none_of_its_neighbours_with_it() {
    let host = Arc::new(Host::start().await);
    accepted(host.post_json(&order(0)).await).await;
    let mut posts = JoinSet::new();
    for n in 1..=60 {
        let host = host.clone();
        posts.spawn(async move {
            let mut clash = cloud_order(0);
            clash["subject"] = json!(n.to_string());
            let answer = match n % 3 {
                0 => host.post(BATCH, json!([cloud_order(1_000 + n), clash]).to_string()).await,
                1 => host.post(BATCH, json!([cloud_order(n), cloud_order(n + 100)]).to_string()).await,
                _ => host.post_json(&order(n)).await,
            };
            (n % 3, answer.status().as_u16())
        });
    }
    let mut answers: Vec<(usize, u16)> = posts.join_all().await;
    answers.sort_unstable();
    answers.dedup();
    assert_eq!(answers, [(0, 409), (1, 202), (2, 202)]);
    assert_eq!(host.logged().await, 1 + 20 * 2 + 20);
}

/// A way to the database that can be cut: connections end, and no new one is made.
struct Way {
    /// Where the server's socket is.
    server: PathBuf,
    /// Where ours is.
    here: TempDir,
    name: String,
    open: Option<tokio::task::JoinHandle<()>>,
}

impl Way {
    fn to(database: &Database) -> (Way, tokio_postgres::Config) {
        let address = config(database);
        let [tokio_postgres::config::Host::Unix(server)] = address.get_hosts() else {
            panic!("expected a socket: {address:?}")
        };
        let here = tempfile::tempdir().unwrap();
        let port = address.get_ports()[0];
        let mut by = tokio_postgres::Config::new();
        by.host_path(here.path()).port(port);
        by.user(address.get_user().unwrap()).dbname(address.get_dbname().unwrap());
        let mut way = Way { server: server.clone(), here, name: format!(".s.PGSQL.{port}"), open: None };
        way.open();
        (way, by)
    }

    fn open(&mut self) {
        let listener = UnixListener::bind(self.here.path().join(&self.name)).unwrap();
        let server = self.server.join(&self.name);
        self.open = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = UnixStream::connect(&server).await.unwrap();
                // Ends with the set, or when either side closes.
                connections.spawn(async move { copy_bidirectional(&mut client, &mut server).await.is_ok() });
            }
        }));
    }

    async fn cut(&mut self) {
        let open = self.open.take().unwrap();
        open.abort();
        assert!(open.await.unwrap_err().is_cancelled());
        std::fs::remove_file(self.here.path().join(&self.name)).unwrap();
    }
}

#[tokio::test]
async fn events_wait_for_a_database_that_comes_back() {
    let database = Database::create().await;
    let (mut way, address) = Way::to(&database);
    let host = Arc::new(Host::on(database, address).await);
    accepted(host.post_json(&order(0)).await).await;
    way.cut().await;
    let mut posts = JoinSet::new();
    for n in 1..=20 {
        let host = host.clone();
        posts.spawn(async move { host.post_json(&order(n)).await.status().as_u16() });
    }
    // Health does not ask the database; readiness finds it gone.
    assert_eq!(host.get("/healthz").await.status(), 200);
    let (_, not_ready) = problem(host.get("/readyz").await).await;
    assert!(not_ready["detail"].as_str().unwrap().contains("the database does not answer"), "{not_ready}");
    assert_eq!(host.logged().await, 1);
    way.open();
    assert_eq!(posts.join_all().await, [202; 20]);
    assert_eq!(host.logged().await, 21);
}

#[tokio::test]
async fn events_are_refused_in_time_where_the_database_stays_away() {
    let database = Database::create().await;
    let (mut way, address) = Way::to(&database);
    let host = Host::on(database, address).await;
    accepted(host.post_json(&order(0)).await).await;
    way.cut().await;
    let answer = host.post_json(&order(1)).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    let (status, body) = problem(answer).await;
    assert_eq!((status, &body["code"]), (503, &json!("database_unavailable")));
    assert_eq!(host.logged().await, 1);
}
