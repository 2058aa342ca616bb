//! A release that decides for a share of the lanes.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hookswitch_core::domain::{LANES, Lane};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{FRONT, Fleet, rules};
use crate::harness::{Database, Host, SOON, assert_described, create_key, http, wait_until, write_rule};

/// A subject in each lane, in the order of the lanes.
fn subjects() -> Vec<String> {
    let mut found = BTreeMap::new();
    for n in 0.. {
        let subject = format!("subject-{n}");
        found.entry(Lane::of(&subject).0).or_insert(subject);
        if found.len() == usize::try_from(LANES).unwrap() {
            break;
        }
    }
    found.into_values().collect()
}

/// An event of each subject.
fn wave(name: &str) -> Value {
    let event = |subject: &String| json!({"id": format!("{name}-{subject}"), "type": "note", "subject": subject, "data": {}});
    subjects().iter().map(event).collect()
}

async fn post(host: &Host, events: &Value) {
    let answer = host.post(events.to_string().into_bytes(), "application/json").await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

impl Fleet {
    /// Waits until a release decides for so many lanes on so many hosts; 0 if none does.
    async fn shares(&self, release: &str, lanes: i16, hosts: i64) {
        let sql = match lanes {
            0 => "SELECT count(*) FROM host WHERE share_release IS NULL".to_owned(),
            _ => format!(
                "SELECT count(*) FROM host WHERE share_release = '{release}' AND share_lanes = {lanes}"
            ),
        };
        wait_until(&format!("{lanes} lanes"), SOON, async || self.database.count(&sql).await == hosts).await;
    }

    /// Which release decides in each lane now.
    async fn decided(&self, host: &Host, name: &str) -> Vec<String> {
        post(host, &wave(name)).await;
        let like = format!("{name}-%");
        let sql = "SELECT d.release FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                   WHERE e.id LIKE $1 ORDER BY d.lane";
        let rows = async || self.database.query(sql, &[&like]).await;
        let all = usize::try_from(LANES).unwrap();
        wait_until("all are decided", SOON, async || rows().await.len() == all).await;
        rows().await.iter().map(|row| row.get(0)).collect()
    }

    /// What a refused command says, with status 1.
    #[track_caller]
    pub(super) fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        said
    }
}

/// The first so many lanes by the one release, the others by the other.
fn split(lanes: usize, of_share: &str, rest: &str) -> Vec<String> {
    let all = usize::try_from(LANES).unwrap();
    (0..all).map(|lane| if lane < lanes { of_share } else { rest }.to_owned()).collect()
}

#[tokio::test]
async fn a_share_of_the_subjects_is_decided_by_a_release_until_it_is_completed_or_rolled_back() {
    let fleet = Fleet::new().await;
    let [old, new] = ["One", "Two"].map(|text| fleet.create(rules(text).path()));
    fleet.says(&["release", "activate", &old]);
    let data = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let hosts: Vec<_> = data.iter().map(|data| fleet.host(data.path(), None)).collect();
    fleet.lives_on(&old, 2).await;

    let said = fleet.says(&["release", "activate", &new, "--share", "10%", "--reason", "to see"]);
    assert!(said.contains(&format!("Release {new} decides for 6 of 64 lanes (9.4 %)")), "{said}");
    assert!(said.contains(&format!("For the rest: {old}")), "{said}");
    fleet.shares(&new, 6, 2).await;
    assert_eq!(fleet.decided(&hosts[0], "a").await, split(6, &new, &old));
    let (of_new, of_old) = (fleet.show(&new), fleet.show(&old));
    assert_eq!((&of_new["active"], &of_new["lanes"]), (&json!(false), &json!(6)));
    assert_eq!((&of_old["active"], &of_old["lanes"]), (&json!(true), &json!(58)));
    assert_eq!(of_new["hosts"].as_array().unwrap().len(), 2, "{of_new}");
    assert_eq!(of_new["activations"][0]["lanes"], 6);
    assert_eq!(of_new["activations"][0]["reason"], "to see");
    let listed = fleet.says(&["release", "list"]);
    for state in ["decides for 6 of 64 lanes (9.4 %)", "active for 58 of 64 lanes (90.6 %)"] {
        assert!(listed.contains(state), "{listed}");
    }
    let said = fleet.says(&["release", "activate", &new, "--share", "10%"]);
    assert!(said.contains("decides for 6 of 64 lanes (9.4 %) already"), "{said}");

    // A host that starts meanwhile decides by both.
    let late = tempfile::tempdir().unwrap();
    let late = fleet.host(late.path(), None);
    fleet.shares(&new, 6, 3).await;
    fleet.says(&["release", "activate", &new, "--share", "20%"]);
    fleet.shares(&new, 13, 3).await;
    assert_eq!(fleet.decided(&late, "b").await, split(13, &new, &old));

    let said = fleet.says(&["release", "rollback"]);
    assert!(said.contains(&format!("The release {new} no longer decides for a share")), "{said}");
    fleet.shares(&new, 0, 3).await;
    assert_eq!(fleet.decided(&hosts[1], "c").await, split(0, &new, &old));
    assert_eq!(fleet.show(&new)["lanes"], 0);

    fleet.says(&["release", "activate", &new, "--share", "50%"]);
    fleet.shares(&new, 32, 3).await;
    let said = fleet.says(&["release", "activate", &new]);
    assert!(said.contains(&format!("Activated release {new}")) && said.contains(&old), "{said}");
    fleet.shares(&new, 0, 3).await;
    fleet.lives_on(&new, 3).await;
    assert_eq!(fleet.decided(&hosts[0], "d").await, split(64, &new, &old));
    // What was completed is undone as a whole.
    fleet.says(&["release", "rollback"]);
    fleet.lives_on(&old, 3).await;
    assert_eq!(fleet.decided(&hosts[0], "e").await, split(0, &new, &old));
}

/// A decision, in the order of its lane's log.
struct Decided {
    lane: i16,
    release: String,
    at: f64,
}

async fn all_decided(database: &Database) -> Vec<Decided> {
    let sql =
        "SELECT lane, release, extract(epoch FROM decided_at)::float8 FROM decision ORDER BY lane, event_seq";
    let row = |row: &tokio_postgres::Row| Decided { lane: row.get(0), release: row.get(1), at: row.get(2) };
    database.query(sql, &[]).await.iter().map(row).collect()
}

#[tokio::test]
async fn under_load_each_decision_is_of_a_release_that_decides_for_its_lane_then() {
    let fleet = Fleet::new().await;
    let [old, new] = ["One", "Two"].map(|text| fleet.create(rules(text).path()));
    fleet.says(&["release", "activate", &old]);
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let hosts: Vec<_> = data.iter().map(|data| fleet.host(data.path(), None)).collect();
    let held = "SELECT count(DISTINCT owner) FROM lane WHERE deadline > now()";
    wait_until("three hosts hold lanes", SOON, async || fleet.database.count(held).await == 3).await;

    let hosts = Arc::new(hosts);
    let is_over = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (hosts, is_over) = (hosts.clone(), is_over.clone());
        async move {
            let mut posted: i64 = 0;
            while !is_over.load(Ordering::Relaxed) {
                let host = &hosts[usize::try_from(posted).unwrap() % hosts.len()];
                post(host, &wave(&format!("load-{posted}"))).await;
                posted += 1;
                // Some load; not all that this machine can bear.
                sleep(Duration::from_millis(50)).await;
            }
            posted * i64::from(LANES)
        }
    });
    for (share, lanes) in [("10%", 6), ("50%", 32)] {
        fleet.says(&["release", "activate", &new, "--share", share]);
        fleet.shares(&new, lanes, 3).await;
    }
    fleet.says(&["release", "activate", &new]);
    fleet.lives_on(&new, 3).await;
    fleet.shares(&new, 0, 3).await;
    fleet.says(&["release", "rollback"]);
    fleet.lives_on(&old, 3).await;
    is_over.store(true, Ordering::Relaxed);
    let posted = load.await.unwrap();
    let decided = "SELECT count(*) FROM decision";
    wait_until("all are decided", SOON, async || fleet.database.count(decided).await == posted).await;

    // When the new one began to decide for so many lanes, and when it ended.
    let sql = "SELECT extract(epoch FROM at)::float8 FROM activation ORDER BY seq";
    let at: Vec<f64> = fleet.database.query(sql, &[]).await.iter().map(|row| row.get(0)).collect();
    let [_, some, half, all, ended] = at[..] else { panic!("{at:?}") };
    let mut of_new = 0;
    let mut last: Option<Decided> = None;
    let mut has_ended = false;
    for decision in all_decided(&fleet.database).await {
        let begins = match decision.lane {
            0..6 => some,
            6..32 => half,
            _ => all,
        };
        let is_new = decision.release == new;
        assert!(is_new || decision.release == old, "{}", decision.release);
        assert!(!is_new || decision.at >= begins, "lane {} was early", decision.lane);
        of_new += i64::from(is_new);
        match last.filter(|last| last.lane == decision.lane) {
            // Until the rollback, nothing is taken back; then everything, once.
            Some(last) if last.release == new && !is_new => {
                assert!(decision.at >= ended && !has_ended, "lane {} was taken back", decision.lane);
                has_ended = true;
            }
            Some(last) if last.release == old && is_new => {
                assert!(!has_ended, "lane {} began again", decision.lane)
            }
            Some(_) => {}
            None => has_ended = false,
        }
        last = Some(decision);
    }
    assert!(of_new > 0 && of_new < posted, "{of_new} of {posted}");
}

#[tokio::test]
async fn a_share_is_refused_if_it_would_not_grow_or_another_release_has_one() {
    let fleet = Fleet::new().await;
    let [old, new, third] = ["One", "Two", "Three"].map(|text| fleet.create(rules(text).path()));
    let share =
        |release: &str, share: &str| fleet.refuses(&["release", "activate", release, "--share", share]);
    let said = share(&new, "10%");
    assert!(said.contains("no release is active that could decide for the rest"), "{said}");
    fleet.says(&["release", "activate", &old]);
    assert!(share(&old, "10%").contains("is the active one already"));
    for wrong in ["0%", "100%", "10", "1.5%"] {
        let output = fleet.run(&["release", "activate", &new, "--share", wrong]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("from 1% to 99%"), "{wrong}: {said}");
    }
    fleet.says(&["release", "activate", &new, "--share", "10%"]);
    let said = share(&new, "5%");
    assert!(said.contains("decides for 6 of 64 lanes (9.4 %) already; a share only grows"), "{said}");
    assert!(said.contains("hookswitch release rollback"), "{said}");
    for other in [&third, &old] {
        let said = share(other, "50%");
        assert!(said.contains(&format!("the release {new} decides for 6 of 64 lanes")), "{said}");
    }
    assert_eq!(fleet.database.count("SELECT count(*) FROM activation").await, 2);

    // A third one may go live for all; that ends the share, and says so.
    let said = fleet.says(&["release", "activate", &third]);
    assert!(said.contains(&format!("The release {new} no longer decides for a share")), "{said}");
    let said = fleet.says(&["release", "rollback"]);
    assert!(said.contains(&format!("Activated release {old}")), "{said}");
    assert_eq!((fleet.show(&new)["lanes"].clone(), fleet.show(&old)["lanes"].clone()), (json!(0), json!(64)));
}

#[tokio::test]
async fn a_host_that_cannot_load_the_release_of_a_share_decides_by_the_old_one_and_the_check_says_so() {
    let fleet = Fleet::new().await;
    let [old, new] = ["One", "Two"].map(|text| fleet.create(rules(text).path()));
    fleet.says(&["release", "activate", &old]);
    let data = tempfile::tempdir().unwrap();
    let mut host = fleet.host(data.path(), None);
    fleet.lives_on(&old, 1).await;
    // Where its releases are nothing can be written.
    let (cache, aside) = (data.path().join("releases"), data.path().join("before"));
    fs::rename(&cache, &aside).unwrap();
    fs::write(&cache, "a file").unwrap();
    fleet.says(&["release", "activate", &new, "--share", "50%"]);
    wait_until("the host says so", SOON, async || host.said().contains("cannot load the release")).await;
    assert_eq!(fleet.decided(&host, "a").await, split(0, &new, &old));
    let findings = async |id: &str| {
        let output = fleet.run(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["sections"].as_array().unwrap().iter();
        let findings = findings.flat_map(|section| section["findings"].as_array().unwrap().clone());
        findings.filter(|finding| finding["id"] == id).collect::<Vec<_>>()
    };
    let refusing = "SELECT count(*) FROM host WHERE refused_release IS NOT NULL";
    wait_until("its row says so", SOON, async || fleet.database.count(refusing).await == 1).await;
    let what = findings("hosts.release_refused").await[0]["what"].as_str().unwrap().to_owned();
    let words = format!(
        "could not load the release {new}, which is to decide for a share of the lanes; there, {old} decides for all"
    );
    assert!(what.contains(&words), "{what}");
    let under_way = findings("share.under_way").await[0]["what"].as_str().unwrap().to_owned();
    assert!(under_way.contains(&format!("{new} decides for 32 of 64 lanes (50.0 %)")), "{under_way}");

    // Started again, it is the same; once it can load it, both decide.
    fs::remove_file(&cache).unwrap();
    fs::rename(&aside, &cache).unwrap();
    let id = fleet.show(&new)["id"].as_str().unwrap().to_owned();
    fs::write(cache.join(&id), "a file").unwrap();
    host.restart();
    assert_eq!(fleet.decided(&host, "b").await, split(0, &new, &old));
    fs::remove_file(cache.join(&id)).unwrap();
    fleet.shares(&new, 32, 1).await;
    assert_eq!(fleet.decided(&host, "c").await, split(32, &new, &old));
    wait_until("nothing is refused", SOON, async || fleet.database.count(refusing).await == 0).await;
}

#[tokio::test]
async fn a_digest_is_decided_by_the_release_that_knows_its_template() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    let old = fleet.create(folder.path());
    fleet.says(&["release", "activate", &old]);
    write_rule(folder.path(), "notes/templates/summary.j2", &format!("{FRONT}{{{{ count }}}} notes"));
    write_rule(
        folder.path(),
        "notes/routes.yaml",
        "- {on: note, template: summary, groups: [Ops], collect: 1s by group}\n",
    );
    write_rule(
        folder.path(),
        "notes/cases/note.yaml",
        &super::CASE.replace("template: note", "template: summary"),
    );
    let new = fleet.create(folder.path());
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    fleet.lives_on(&old, 1).await;
    fleet.database.add_person("ana", "263770000001", &["Ops"]).await;
    // One lane of 64: the digest is in another one, but for luck.
    fleet.says(&["release", "activate", &new, "--share", "1%"]);
    fleet.shares(&new, 1, 1).await;
    post(&host, &wave("a")).await;
    let digests =
        "SELECT d.release, d.outcome FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                   WHERE e.type = 'hookswitch.digest'";
    let rows = async || fleet.database.query(digests, &[]).await;
    wait_until("the digest is decided", SOON, async || !rows().await.is_empty()).await;
    let (release, outcome): (String, String) = (rows().await[0].get(0), rows().await[0].get(1));
    assert_eq!((release.as_str(), outcome.as_str()), (new.as_str(), "notify"));
}

#[tokio::test]
async fn a_share_begins_and_ends_over_http() {
    let fleet = Fleet::new().await;
    let [old, new, third] = ["One", "Two", "Three"].map(|text| fleet.create(rules(text).path()));
    fleet.says(&["release", "activate", &old]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    let key = create_key(&fleet.database, "boss", &["admin"]);
    let call = async |release: &str, body: Value| {
        let path = format!("/v1/releases/{release}");
        let answer = http().post(format!("{}{path}", host.url())).bearer_auth(&key).json(&body).send().await;
        let answer = answer.unwrap();
        let (status, media) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let answer: Value = answer.json().await.unwrap();
        assert_described("POST", &path, status, media.as_ref().map(|of| of.to_str().unwrap()), &answer);
        (status, answer)
    };
    let activate = async |release: &str, body: Value| call(&format!("{release}/activate"), body).await;
    let (status, activated) = activate(&new, json!({"share": 25, "reason": "to see"})).await;
    assert_eq!((status, &activated["release"]["lanes"]), (200, &json!(16)), "{activated}");
    assert!(activated["before"].as_str().unwrap().starts_with(&old));
    fleet.shares(&new, 16, 1).await;
    for (release, share, status, code) in [
        (&new, json!(10), 409, "share_not_larger"),
        (&third, json!(50), 409, "other_share"),
        (&third, json!(0), 400, "invalid_value"),
        (&third, json!(100), 400, "invalid_value"),
    ] {
        let (got, problem) = activate(release, json!({"share": share})).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{problem}");
    }
    for wrong in [json!("10%"), json!(2.5), json!(300)] {
        assert_eq!(activate(&new, json!({"share": wrong})).await.0, 400);
    }
    let hosts = http().get(format!("{}/v1/hosts", host.url())).bearer_auth(&key).send().await.unwrap();
    let hosts: Value = hosts.json().await.unwrap();
    let of_host = &hosts["data"][0];
    assert_eq!((&of_host["share_release"], &of_host["share_lanes"]), (&json!(new), &json!(16)), "{hosts}");
    let (status, back) = call("rollback", json!({})).await;
    assert_eq!((status, &back["release"]["lanes"]), (200, &json!(64)), "{back}");
    assert!(back["ended"].as_str().unwrap().starts_with(&new), "{back}");
    fleet.shares(&new, 0, 1).await;
}

#[tokio::test]
async fn a_host_that_serves_a_folder_takes_no_part_in_a_share_and_it_is_said() {
    let fleet = Fleet::new().await;
    let (folder, other) = (rules("One"), rules("Two"));
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), Some(folder.path()));
    let active = "SELECT count(*) FROM activation WHERE way = 'serve'";
    wait_until("what it loaded is active", SOON, async || fleet.database.count(active).await == 1).await;
    let (old, new) = (fleet.create(folder.path()), fleet.create(other.path()));
    let output = fleet.run(&["release", "activate", &new, "--share", "50%"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("serves a folder"), "{said}");
    assert_eq!(fleet.decided(&host, "a").await, split(0, &new, &old));
    let output = fleet.run(&["check", "--rules", folder.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("serves a folder, so the release"), "{said}");
}

#[tokio::test]
async fn the_release_of_a_share_stays_until_it_has_ended_for_long() {
    let fleet = Fleet::new().await;
    let [old, new, _] = ["One", "Two", "Three"].map(|text| fleet.create(rules(text).path()));
    fleet.says(&["release", "activate", &old]);
    fleet.says(&["release", "activate", &new, "--share", "10%"]);
    let database = &fleet.database;
    let age = async || {
        for (table, column) in [("release", "created_at"), ("activation", "at")] {
            let sql = format!("UPDATE {table} SET {column} = {column} - interval '100 days'");
            database.query(&sql, &[]).await;
        }
    };
    age().await;
    let data = tempfile::tempdir().unwrap();
    let mut host = fleet.host(data.path(), None);
    let releases = "SELECT count(*) FROM release";
    wait_until("that of neither goes", SOON, async || database.count(releases).await == 2).await;
    assert_eq!(fleet.show(&new)["lanes"], 6);
    fleet.says(&["release", "rollback"]);
    fleet.shares(&new, 0, 1).await;
    age().await;
    host.restart();
    wait_until("that of the share goes", SOON, async || database.count(releases).await == 1).await;
    assert_eq!(fleet.show(&old)["lanes"], 64);
}
