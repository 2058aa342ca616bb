//! What breaks between any two statements: the moments are counted, not timed.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{
    Case,
    harness::{Host, free_port},
    ledger::settle,
    producer::Produced,
    scale,
    stage::Stage,
    wire::{Held, MOMENTS, Verdict, Wire},
};

/// So many statements pass at most between two breaks: about those of one round of each part of the host.
const STRIDE: usize = 40;
/// And between two kills: a host that starts asks much, and is to come further than that.
const LONG_STRIDE: usize = 400;
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
        let moment = MOMENTS[self.stage.chance.number(0, MOMENTS.len() - 1)];
        let Ok(held) = timeout(PATIENCE, self.wire.hold(nth, moment)).await else {
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
