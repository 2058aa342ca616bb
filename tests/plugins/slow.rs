//! Plugins whose services take their time: who waits for them, and who does not.

use std::time::{Duration, Instant};

use axum::{Router, routing::get};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Folders, Stage};
use crate::harness::{SOON, program, wait_until};

/// A service that answers when it is told to, and a stage with a plugin that asks it, another that asks nobody, and a
/// route for all other events.
struct Slow {
    stage: Stage,
    url: String,
    release: watch::Sender<bool>,
    /// The host that runs now, as it names itself, where that is known.
    host: String,
    /// Those that were killed.
    before: Vec<String>,
}

impl Slow {
    async fn set() -> Slow {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (release, released) = watch::channel(false);
        let answer = move || {
            let mut released = released.clone();
            async move {
                let _ = released.wait_for(|released| *released).await;
                "at last"
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
        let folders = Folders::new();
        let http = format!("http: [\"http://{address}\"]\non_failure: park\nlimits: {{time: 10s}}");
        folders.plugin("waiter", "slow.*", &http);
        folders.plugin("short", "short.*", &http.replace("10s", "4s"));
        folders.plugin("quick", "quick.*", "on_failure: park");
        let routes = "- on: plain\n  template: note\n  groups: [Ops]\n  context: {name: event.id}\n";
        folders.write("rules/notes/routes.yaml", routes.as_bytes());
        // Compiles the component, so that no event is parked for that.
        let mut check = program(&["rules", "check", "--rules"]);
        check.arg(folders.rules()).envs(folders.settings()).output().unwrap();
        let settings = [
            ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", address.to_string()),
            ("HOOKSWITCH_PLUGIN_GRANTS", format!("waiter=http://{address},short=http://{address}")),
        ];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let stage = Stage::set(folders, &settings).await;
        let url = format!("http://{address}/");
        Slow { stage, url, release, host: String::new(), before: Vec::new() }
    }

    fn event(&self, kind: &str, id: &str, subject: Option<&str>) -> Value {
        let what = if kind.starts_with('s') { "http" } else { "nothing" };
        json!({"type": kind, "id": id, "subject": subject, "data": {"do": what, "url": self.url}})
    }

    async fn post(&self, kind: &str, id: &str, subject: Option<&str>) {
        self.stage.host.accept(&self.event(kind, id, subject)).await;
    }

    /// The outcome of an event's first decision, where there is one.
    async fn outcome(&self, id: &str) -> Option<String> {
        let event = self.stage.host.event(id).await;
        event["decisions"][0]["outcome"].as_str().map(str::to_owned)
    }

    async fn decided(&self, id: &str) {
        wait_until(id, SOON, async || self.outcome(id).await.is_some()).await;
    }

    /// Waits until the host that runs now has noted that it is deciding so many events.
    async fn deciding(&mut self, count: i64) {
        let noted = "SELECT min(host::text) FROM unfinished WHERE host::text <> ALL($1) HAVING count(*) = $2";
        let mut host = Vec::new();
        wait_until("they are being decided", SOON * 2, async || {
            host = self.stage.database.query(noted, &[&self.before, &count]).await;
            !host.is_empty()
        })
        .await;
        self.host = host[0].get(0);
    }

    /// What the command line says with this database.
    fn says(&self, arguments: &[&str]) -> String {
        let mut command = program(arguments);
        command
            .env("DATABASE_URL", self.stage.database.url())
            .env("HOOKSWITCH_RULES", self.stage.folders.rules());
        let output = command.envs(self.stage.folders.settings()).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// `kill -9`, and a new start.
    fn kill(&mut self) {
        self.before.push(std::mem::take(&mut self.host));
        self.stage.host.kill();
        self.stage.host.restart();
    }
}

#[tokio::test]
async fn a_slow_plugin_delays_only_its_own_events() {
    let slow = Slow::set().await;
    for n in 0..100 {
        slow.post("slow.one", &format!("slow-{n}"), None).await;
    }
    for n in 0..20 {
        slow.post("plain", &format!("plain-{n}"), None).await;
        slow.post("quick.one", &format!("quick-{n}"), None).await;
    }
    for n in 0..20 {
        slow.decided(&format!("plain-{n}")).await;
        slow.decided(&format!("quick-{n}")).await;
    }
    let decided = "SELECT count(*) FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                   WHERE e.type = 'slow.one' AND d.outcome <> 'parked'";
    assert_eq!(slow.stage.database.count(decided).await, 0, "nobody waited for these");
    slow.release.send_replace(true);
    let all = "SELECT count(*) FROM decision";
    wait_until("all are decided", SOON * 2, async || slow.stage.database.count(all).await == 140).await;
    assert_eq!(slow.stage.database.count("SELECT count(*) FROM unfinished").await, 0);
}

#[tokio::test]
async fn events_of_one_subject_keep_their_order_though_the_first_waits() {
    let mut slow = Slow::set().await;
    slow.post("slow.one", "first", Some("s")).await;
    slow.deciding(1).await;
    slow.post("plain", "second", Some("s")).await;
    slow.post("quick.one", "third", Some("s")).await;
    slow.post("plain", "other", Some("t")).await;
    slow.decided("other").await;
    assert_eq!((slow.outcome("second").await, slow.outcome("third").await), (None, None));
    assert!(slow.says(&["explain", "first"]).contains("a plugin is deciding about it"));
    let page = slow.says(&["explain", "third"]);
    assert!(page.contains("behind first from"), "{page}");
    assert_eq!(slow.stage.host.event("third").await["waits"]["behind"]["id"], "first");
    slow.release.send_replace(true);
    for id in ["first", "second", "third"] {
        slow.decided(id).await;
    }
    let order =
        "SELECT e.id FROM notification n JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
                 WHERE e.subject = 's' ORDER BY n.seq";
    let order = slow.stage.database.query(order, &[]).await;
    let order: Vec<&str> = order.iter().map(|row| row.get(0)).collect();
    assert_eq!(order, ["second", "third"]);
}

#[tokio::test]
async fn what_waits_for_a_plugin_is_taken_up_by_the_next_host() {
    let mut slow = Slow::set().await;
    slow.post("slow.one", "waits", Some("s")).await;
    slow.deciding(1).await;
    slow.post("plain", "behind", Some("s")).await;
    slow.post("plain", "other", None).await;
    slow.decided("other").await;
    slow.kill();
    slow.deciding(1).await;
    assert_eq!(slow.outcome("behind").await, None);
    slow.release.send_replace(true);
    slow.decided("waits").await;
    slow.decided("behind").await;
    assert_eq!(slow.stage.database.count("SELECT count(*) FROM decision").await, 3);
}

#[tokio::test]
async fn an_event_that_a_host_died_of_twice_is_not_decided_a_third_time() {
    let mut slow = Slow::set().await;
    slow.post("slow.one", "deadly", None).await;
    for _ in 0..2 {
        slow.deciding(1).await;
        slow.kill();
    }
    slow.decided("deadly").await;
    let event = slow.stage.host.event("deadly").await;
    assert_eq!(event["decisions"][0]["outcome"], "failed");
    let reason = event["decisions"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the host died 2 times while this event was being decided"), "{reason}");
    slow.post("plain", "after", None).await;
    slow.decided("after").await;
    assert_eq!(slow.stage.database.count("SELECT count(*) FROM unfinished").await, 0);
}

#[tokio::test]
async fn a_parked_event_that_a_host_died_of_twice_is_not_decided_again_either() {
    let mut slow = Slow::set().await;
    slow.post("short.one", "deadly", None).await;
    wait_until("it is parked", SOON, async || slow.outcome("deadly").await.as_deref() == Some("parked"))
        .await;
    slow.says(&["plugin", "resume", "short"]);
    for _ in 0..2 {
        let noted = "SELECT host::text FROM parked WHERE host IS NOT NULL AND host::text <> ALL($1)";
        let mut host = Vec::new();
        wait_until("it is being decided again", SOON * 2, async || {
            host = slow.stage.database.query(noted, &[&slow.before]).await;
            !host.is_empty()
        })
        .await;
        slow.host = host[0].get(0);
        slow.kill();
    }
    let parked = "SELECT count(*) FROM parked";
    wait_until("it is given up", SOON, async || slow.stage.database.count(parked).await == 0).await;
    let event = slow.stage.host.event("deadly").await;
    let reason = event["decisions"][1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the host died 2 times while this event was being decided"), "{event:#}");
    let replayed = slow.says(&["rules", "replay", "deadly"]);
    assert!(replayed.contains("cannot be replayed: deciding it ended a host"), "{replayed}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_plugin_that_hangs() {
    let mut slow = Slow::set().await;
    for n in 0..20 {
        slow.post("slow.one", &format!("slow-{n}"), Some("s")).await;
    }
    slow.deciding(20).await;
    let start = Instant::now();
    let status = slow.stage.host.terminate();
    assert!(status.success() && start.elapsed() < Duration::from_secs(10), "{status} {:?}", start.elapsed());
    assert_eq!(
        slow.stage.database.count("SELECT count(*) FROM unfinished").await,
        20,
        "they are decided later"
    );
}

#[tokio::test]
async fn hosts_that_are_killed_often_fail_no_event() {
    let mut slow = Slow::set().await;
    for n in 0..3 {
        slow.post("slow.one", &format!("slow-{n}"), None).await;
    }
    for round in 0..3 {
        slow.deciding(if round < 2 { 3 } else { 1 }).await;
        for n in 0..5 {
            slow.post("plain", &format!("plain-{round}-{n}"), None).await;
        }
        slow.kill();
    }
    slow.release.send_replace(true);
    let all = "SELECT count(*) FROM decision";
    wait_until("all are decided", SOON * 2, async || slow.stage.database.count(all).await == 18).await;
    let failed = "SELECT count(*) FROM decision WHERE outcome = 'failed'";
    assert_eq!(slow.stage.database.count(failed).await, 0);
}
