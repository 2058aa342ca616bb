//! What breaks between any two statements: the moments are counted, not timed.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    Case,
    harness::{Host, create_key, free_port},
    ledger::settle,
    producer::{Produced, post_until_accepted},
    scale,
    stage::Stage,
    wire::{Held, MOMENTS, Moment, Verdict, Wire},
};

/// So many statements pass at most between two breaks: about those of one round of each part of the host.
const STRIDE: usize = 40;
/// And between two kills: a host that starts asks much, and is to come further than that.
const LONG_STRIDE: usize = 400;
/// What decisions are written with.
const DECISION: &str = "INSERT INTO decision (lane, event_seq, ordinal, outcome, reason";
/// What moves the progress of a decision for many people.
const PAGE: &str = "UPDATE unfinished SET member";
/// More than fit on the first page.
const MANY: i64 = 600;
/// Even a host that is idle asks PostgreSQL more often.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host that reaches PostgreSQL through a wire.
struct Set {
    stage: Stage,
    wire: Wire,
    host: Host,
    /// Where it broke, for whoever looks into a failure.
    trail: Vec<String>,
}

impl Drop for Set {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("it broke at:\n{}", self.trail.join("\n"));
        }
    }
}

impl Set {
    async fn up(case: &'static str) -> Set {
        let port = free_port();
        let stage = Stage::start(case, port, &["--latency", "30"]).await;
        let wire = Wire::on(stage.database.socket());
        let url = stage.database.url_over(wire.address());
        let host = stage.host(port, &[("DATABASE_URL", &url)]).await;
        Set { stage, wire, host, trail: Vec::new() }
    }

    /// The next statement that breaks.
    async fn next(&mut self, stride: usize) -> Held {
        let nth = self.stage.chance.number(1, stride);
        self.nth("", nth).await
    }

    /// The `nth` statement with these words breaks.
    async fn nth(&mut self, words: &'static str, nth: usize) -> Held {
        let moment = MOMENTS[self.stage.chance.number(0, MOMENTS.len() - 1)];
        let Ok(held) = timeout(PATIENCE, self.wire.hold_at(words, nth, moment)).await else {
            panic!("the host asks nothing of PostgreSQL:\n{}", self.host.said())
        };
        let statement: String = held.statement.chars().take(100).collect();
        self.trail.push(format!("{} {moment:?} {statement}", jiff::Timestamp::now()));
        held
    }

    async fn settle(self, produced: Produced) -> Case {
        settle(&self.stage, produced, 0).await.check_all_sent();
        Ok(())
    }
}

/// The connection is cut, or all of them and new ones too for a moment, as when a pooler restarts.
pub async fn cut(case: &'static str) -> Case {
    let mut set = Set::up(case).await;
    let producer = set.stage.produce(&[&set.host]);
    for _ in 0..scale::pick(60, 600) {
        let held = set.next(STRIDE).await;
        if set.stage.chance.fraction() < 0.7 {
            held.end(Verdict::Cut);
        } else {
            held.end(Verdict::CutAll);
            sleep(set.stage.chance.between(0, 300)).await;
            set.wire.open();
        }
    }
    let produced = producer.finish(scale::events()).await;
    set.settle(produced).await
}

/// The connection is cut several times in a row while the same decisions are written: they are not to blame.
pub async fn decision_cut_in_a_row(case: &'static str) -> Case {
    let mut set = Set::up(case).await;
    let producer = set.stage.produce(&[&set.host]);
    // Few: after each, routing pauses, and more events come meanwhile than Meta lets us tell one pair.
    for _ in 0..scale::pick(3, 30) {
        set.nth(DECISION, 2).await.end(Verdict::Cut);
        for _ in 0..set.stage.chance.number(1, 4) {
            set.nth(DECISION, 1).await.end(Verdict::Cut);
        }
    }
    let produced = producer.finish(scale::events()).await;
    set.settle(produced).await
}

/// The same, while the messages of a decision for many people are written page by page.
pub async fn page_cut_in_a_row(case: &'static str) -> Case {
    let set = Set::up(case).await;
    let people = "WITH c AS (INSERT INTO contact (wa_id, last_inbound_at)
                             SELECT (15556000000 + n)::text, now() FROM generate_series(1, $1::bigint) AS n
                             RETURNING id, wa_id),
                       p AS (INSERT INTO person (username, name, contact_id) SELECT 'of-' || wa_id, wa_id, id FROM c
                             RETURNING id),
                       g AS (INSERT INTO groups (name) VALUES ('Crowd') RETURNING id)
                  INSERT INTO membership (group_id, person_id) SELECT g.id, p.id FROM g, p";
    set.stage.database.query(people, &[&MANY]).await;
    let cuts = async {
        // More often than the page can be halved.
        for _ in 0..12 {
            let held = timeout(PATIENCE, set.wire.hold_at(PAGE, 1, Moment::Before)).await;
            held.unwrap().end(Verdict::Cut);
        }
    };
    let event = json!({
        "id": "crowd", "source": "/faults", "type": "told",
        "data": {"template": "note", "context": {"text": "To all"}, "groups": ["Crowd"]},
    });
    let body = event.to_string();
    let key = create_key(&set.stage.database, "crowd", &["events"]);
    let hosts = [set.host.url().to_owned()];
    tokio::join!(cuts, post_until_accepted(0, &body, &hosts, &key));
    let all_sent = async {
        while set.stage.sent().await < MANY as usize {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, all_sent).await.unwrap();
    let outcomes = set.stage.database.query("SELECT outcome FROM decision", &[]).await;
    let outcomes: Vec<String> = outcomes.iter().map(|row| row.get(0)).collect();
    assert_eq!(outcomes, ["notify"], "and nothing failed");
    Ok(())
}

/// The host is killed.
pub async fn killed(case: &'static str) -> Case {
    let mut set = Set::up(case).await;
    let producer = set.stage.produce(&[&set.host]);
    for _ in 0..scale::pick(8, 80) {
        let held = set.next(LONG_STRIDE).await;
        set.host.kill();
        held.end(Verdict::Cut);
        set.host.restart();
    }
    let produced = producer.finish(scale::events()).await;
    set.settle(produced).await
}

/// The connection stalls, or the whole host stops (SIGSTOP), and goes on later.
pub async fn stalled(case: &'static str) -> Case {
    let mut set = Set::up(case).await;
    let producer = set.stage.produce(&[&set.host]);
    for round in 0..scale::pick(12, 100) {
        let held = set.next(STRIDE).await;
        // Once longer than a lease lasts.
        let time = match round {
            50 => Duration::from_secs(20),
            _ => set.stage.chance.between(50, 2_000),
        };
        if set.stage.chance.fraction() < 0.5 {
            sleep(time).await;
            held.end(Verdict::GoOn);
        } else {
            set.host.pause();
            held.end(Verdict::GoOn);
            sleep(time).await;
            set.host.resume();
        }
    }
    let produced = producer.finish(scale::events()).await;
    set.settle(produced).await
}
