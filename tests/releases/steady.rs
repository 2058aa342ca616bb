//! Releases that change while events flow and hosts die, and releases that come back.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Fleet, rules};
use crate::{
    harness::{SOON, create_key, http, wait_until},
    replay::random::{random_events, random_rules},
};

/// Posts events one after the other, at whichever host answers, until it is told that it is enough.
struct Poster {
    hosts: Vec<String>,
    key: String,
    /// The number of the latest release that all hosts are known to decide by.
    settled: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    /// By event, the release that was settled before it was posted.
    posted: Arc<Mutex<HashMap<String, usize>>>,
}

impl Poster {
    async fn post(self) {
        let mut hosts = self.hosts.iter().cycle();
        for n in 0.. {
            if self.enough.load(Ordering::Acquire) {
                return;
            }
            let id = format!("event-{n}");
            self.posted.lock().unwrap().insert(id.clone(), self.settled.load(Ordering::Acquire));
            let event =
                json!({"id": id, "type": "note", "subject": format!("subject-{}", n % 40), "data": {}});
            loop {
                let post = http().post(format!("{}/v1/events", hosts.next().unwrap())).bearer_auth(&self.key);
                let answer = post.json(&event).timeout(Duration::from_secs(5)).send().await;
                if answer.is_ok_and(|answer| answer.status() == 202) {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test]
async fn while_hosts_die_each_event_is_decided_by_all_of_a_release_that_was_active() {
    let fleet = Fleet::new().await;
    let releases: Vec<String> = (0..5).map(|n| fleet.create(rules(&format!("Text {n}.")).path())).collect();
    fleet.database.add_person("ann", "15550200001", &["Ops"]).await;
    fleet.says(&["release", "activate", &releases[0]]);
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut hosts: Vec<_> = data.iter().map(|data| fleet.host(data.path(), None)).collect();
    fleet.lives_on(&releases[0], 3).await;

    let (settled, enough, posted) =
        (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default(), Arc::<Mutex<HashMap<_, _>>>::default());
    let poster = Poster {
        hosts: hosts.iter().map(|host| host.url().to_owned()).collect(),
        key: create_key(&fleet.database, "poster", &["events"]),
        settled: settled.clone(),
        enough: enough.clone(),
        posted: posted.clone(),
    };
    let posting = tokio::spawn(poster.post());
    let more = async || {
        let before = posted.lock().unwrap().len();
        wait_until("more is posted", SOON, async || posted.lock().unwrap().len() > before + 20).await;
    };
    for (n, release) in releases.iter().enumerate().skip(1) {
        more().await;
        let dies = n % hosts.len();
        if n % 2 == 0 {
            hosts[dies].kill();
        }
        fleet.says(&["release", "activate", release]);
        if n % 2 == 1 {
            hosts[dies].kill();
        }
        hosts[dies].restart();
        fleet.lives_on(release, 3).await;
        settled.store(n, Ordering::Release);
    }
    more().await;
    enough.store(true, Ordering::Release);
    posting.await.unwrap();

    let undecided = "SELECT count(*) FROM event e WHERE NOT EXISTS (
        SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq)";
    wait_until("all are decided", SOON, async || fleet.database.count(undecided).await == 0).await;
    let sql = "SELECT e.id, array_agg(d.outcome || ' ' || d.release), array_remove(array_agg(n.message), NULL),
                      (SELECT count(*) - 1 FROM activation a WHERE a.at <= min(d.decided_at))
               FROM event e JOIN decision d ON d.lane = e.lane AND d.event_seq = e.seq
               LEFT JOIN notification n ON n.event_lane = e.lane AND n.event_seq = e.seq AND n.ordinal = d.ordinal
               GROUP BY e.id";
    let rows = fleet.database.query(sql, &[]).await;
    let posted = posted.lock().unwrap();
    assert_eq!(rows.len(), posted.len());
    for row in rows {
        let (id, decided, told): (String, Vec<String>, Vec<String>) = (row.get(0), row.get(1), row.get(2));
        let by = releases.iter().position(|release| decided == [format!("notify {release}")]);
        let by = by.unwrap_or_else(|| panic!("{id} was decided as {decided:?}"));
        let latest = usize::try_from(row.get::<_, i64>(3)).unwrap();
        assert!((posted[&id]..=latest).contains(&by), "{id}: {by} of {}..={latest}", posted[&id]);
        assert!(told.len() == 1 && told[0].contains(&format!("Text {by}.")), "{id}, {by}: {told:?}");
    }
}

/// What was decided about events, without what differs from time to time.
async fn decided(fleet: &Fleet, wave: &str) -> Vec<Vec<String>> {
    let sql = "SELECT substr(e.id, 3), d.outcome, coalesce(d.rule, ''), coalesce(d.reason, ''),
                      coalesce(d.decision, ''), coalesce(n.template, ''), coalesce(n.recipient, ''),
                      coalesce(n.message::jsonb ->> 'body', '')
               FROM event e JOIN decision d ON d.lane = e.lane AND d.event_seq = e.seq
               LEFT JOIN notification n ON n.event_lane = e.lane AND n.event_seq = e.seq AND n.ordinal = d.ordinal
               WHERE e.id LIKE $1 ORDER BY 1, d.ordinal, 6, 7";
    let rows = fleet.database.query(sql, &[&format!("{wave}-%")]).await;
    rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
}

#[tokio::test]
async fn after_a_rollback_random_rules_decide_as_before() {
    let fleet = Fleet::new().await;
    let [first, second] = [3, 40].map(|seed| fleet.create(random_rules(seed).path()));
    for (name, number, group) in [("ann", "15550200001", "Ops"), ("cid", "15550200003", "Desk")] {
        fleet.database.add_person(name, number, &[group]).await;
    }
    fleet.says(&["release", "activate", &first]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    let wave = async |name: &str, release: &str| {
        fleet.lives_on(release, 1).await;
        let mut events = random_events(7, 80);
        for event in &mut events {
            event["id"] = format!("{name}-{}", event["id"].as_str().unwrap()).into();
        }
        let answer =
            host.post(Value::from(events).to_string().into_bytes(), "application/json").await.unwrap();
        assert_eq!(answer.status(), 202);
        let undecided = "SELECT count(*) FROM event e WHERE NOT EXISTS (
            SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq)";
        wait_until("all are decided", SOON, async || fleet.database.count(undecided).await == 0).await;
        decided(&fleet, name).await
    };
    let before = wave("a", &first).await;
    fleet.says(&["release", "activate", &second]);
    let meanwhile = wave("b", &second).await;
    fleet.says(&["release", "rollback"]);
    let after = wave("c", &first).await;
    assert_eq!(before, after);
    assert_ne!(before, meanwhile, "the two releases decide alike, which shows nothing");
}
