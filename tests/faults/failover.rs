//! A primary that is lost, and the standby that takes its place: hosts have both in their URL.

use std::{net::Ipv4Addr, ops::Range, path::PathBuf, time::Duration};

use futures_util::future::join;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use crate::{
    Case,
    harness::{Host, SOON, free_port, wait_until},
    island::Island,
    ledger::{in_flight, settle},
    producer::Producer,
    proxy::{Link, Proxy, Target},
    scale,
    server::{Primary, Standby, whichever},
    stage::Stage,
    wire::{Moment, Verdict, Wire},
};

/// Two servers, and a host that reaches each through a link of its own.
struct Pair {
    stage: Stage,
    primary: Primary,
    /// To the primary and to the standby.
    links: [Proxy; 2],
    /// By which the standby follows.
    following: Proxy,
    standby: Standby,
    host: Host,
}

impl Pair {
    async fn up(case: &'static str) -> Pair {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Pair::up_on(case, listener, |sockets| sockets.map(Target::Socket)).await
    }

    /// With a wire to each server, behind its link.
    async fn up_over_wires(case: &'static str) -> (Pair, [Wire; 2]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut wires = None;
        let pair = Pair::up_on(case, listener, |sockets| {
            let wires = wires.insert(sockets.map(Wire::on));
            wires.each_ref().map(|wire| Target::Port(wire.address().port()))
        });
        let pair = pair.await;
        (pair, wires.unwrap())
    }

    /// With the primary reached by this port, and both by what `ways` makes of their sockets.
    async fn up_on(
        case: &'static str,
        listener: TcpListener,
        ways: impl FnOnce([PathBuf; 2]) -> [Target; 2],
    ) -> Pair {
        let (primary, database) = Primary::start().await;
        let following = Proxy::start(Target::Socket(database.socket())).await;
        let copy = primary.copy(&database, Some(following.address().port())).await;
        let standby = primary.standby(copy).await;
        let [to_primary, to_standby] = ways([database.socket(), standby.socket()]);
        let links = [Proxy::on(listener, to_primary), Proxy::start(to_standby).await];
        let port = free_port();
        let mut stage = Stage::on(database, case, port, &["--latency", "30"]);
        // The database was made before the copy.
        stage.url = whichever(&stage.database, &standby);
        let [one, two] = links.each_ref().map(Proxy::address);
        let url = format!("postgresql://hookswitch@{one},{two}/{}", stage.database.name());
        let host = stage.host(port, &[("DATABASE_URL", &url)]).await;
        Pair { stage, primary, links, following, standby, host }
    }

    /// From now on what is committed is on both servers.
    async fn in_step(&self) {
        self.standby.catch_up(&self.stage.database).await;
        let database = &self.stage.database;
        database.query("ALTER SYSTEM SET synchronous_standby_names = '*'", &[]).await;
        database.query("SELECT pg_reload_conf()", &[]).await;
        let is_in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        wait_until("the standby is in step", SOON, async || database.count(is_in_step).await == 1).await;
    }

    /// The standby takes the place of a primary that is down; the time from then to the next event that is accepted.
    async fn promote(&self, producer: &Producer) -> Duration {
        self.standby.promote().await;
        goes_on(producer, Instant::now()).await
    }
}

/// Waits until events are accepted again; how long after `since` that was.
pub async fn goes_on(producer: &Producer, since: Instant) -> Duration {
    let accepted = producer.accepted();
    // The answers to what was asked before may be among the first.
    let next = accepted + 10;
    wait_until("events are accepted again", SOON, async || producer.accepted() >= next).await;
    since.elapsed()
}

/// The primary is killed while the standby has all that was committed: nothing is lost.
pub async fn in_step(case: &'static str) -> Case {
    let mut pair = Pair::up(case).await;
    pair.in_step().await;
    let producer = pair.stage.produce(&[&pair.host]);
    sleep(pair.stage.chance.between(1_000, scale::pick(4_000, 20_000))).await;
    pair.primary.end(&pair.stage.database).await;
    let took = pair.promote(&producer).await;
    println!("{case}: accepts {:.1} s after the promotion", took.as_secs_f64());
    let accepted = producer.finish(scale::events()).await;
    settle(&pair.stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// The primary's machine loses its power: packets to it are lost, and nothing comes back.
pub async fn primary_vanished(case: &'static str) -> Case {
    let island = Island::start().await?;
    let listener = island.listen();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let pair = Pair::up_on(case, listener, |sockets| sockets.map(Target::Socket)).await;
    unheard(pair, |_| island.vanish()).await
}

/// The primary's machine acknowledges whatever comes, and says nothing more, as where only its disk has gone.
pub async fn primary_silent(case: &'static str) -> Case {
    unheard(Pair::up(case).await, |link| link.set(Link::Vanished)).await
}

/// Nothing says that the primary has gone, neither to the host nor to whoever connects anew.
async fn unheard(mut pair: Pair, go: impl FnOnce(&Proxy)) -> Case {
    pair.in_step().await;
    let case = pair.stage.case;
    let producer = pair.stage.produce(&[&pair.host]);
    sleep(pair.stage.chance.between(1_000, scale::pick(4_000, 20_000))).await;
    go(&pair.links[0]);
    let gone = Instant::now();
    // Another would answer for it, where its own processes end.
    pair.links[0].set(Link::Vanished);
    pair.primary.end(&pair.stage.database).await;
    // Whoever promotes the other has noticed by now.
    sleep(pair.stage.chance.between(500, 3_000)).await;
    let took = pair.promote(&producer).await;
    let after = gone.elapsed();
    println!(
        "{case}: accepts {:.1} s after the promotion, {:.1} s after the primary was heard last",
        took.as_secs_f64(),
        after.as_secs_f64()
    );
    let accepted = producer.finish(scale::events()).await;
    settle(&pair.stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// The primary is killed when the standby lacks the end of its log. What was accepted meanwhile may be gone, and what was
/// sent may be sent again; nothing that is accepted afterwards is lost.
pub async fn behind(case: &'static str) -> Case {
    let mut pair = Pair::up(case).await;
    let mut lost = Lost::begin(&mut pair).await;
    lost.end(&pair).await;
    let took = pair.promote(&lost.producer).await;
    println!("{case}: accepts {:.1} s after the promotion", took.as_secs_f64());
    lost.settle(&pair).await
}

/// The same, and the host is about to write what it decided about events that only the primary had; it is told that this
/// connection is gone when the other server takes events already, and before it has looked how far that server's logs are.
pub async fn behind_midway(case: &'static str) -> Case {
    let (mut pair, [to_primary, to_standby]) = Pair::up_over_wires(case).await;
    let mut lost = Lost::begin(&mut pair).await;
    let deciding = to_primary.hold_at("INSERT INTO decision", 1, Moment::Before).await;
    lost.end(&pair).await;
    let (looking, took) =
        join(to_standby.hold_at("skip_seqs", 1, Moment::Before), pair.promote(&lost.producer)).await;
    deciding.end(Verdict::Cut);
    goes_on(&lost.producer, Instant::now()).await;
    looking.end(Verdict::GoOn);
    println!("{case}: accepts {:.1} s after the promotion", took.as_secs_f64());
    lost.settle(&pair).await
}

/// What the primary alone has.
struct Lost {
    producer: Producer,
    before: Before,
    from: u64,
    gap: Range<u64>,
    in_doubt: usize,
}

impl Lost {
    /// The standby gets nothing more from now on.
    async fn begin(pair: &mut Pair) -> Lost {
        let producer = pair.stage.produce(&[&pair.host]);
        // Wishes that are acknowledged in the gap may be gone as well: they come before.
        producer.acted().await;
        let from = producer.tick();
        let before = Before::look(&pair.stage).await;
        pair.standby.catch_up(&pair.stage.database).await;
        pair.following.set(Link::Stalled);
        sleep(pair.stage.chance.between(500, scale::pick(2_000, 6_000))).await;
        Lost { producer, before, from, gap: from..from, in_doubt: 0 }
    }

    /// The primary is killed.
    async fn end(&mut self, pair: &Pair) {
        pair.primary.end(&pair.stage.database).await;
        pair.following.set(Link::Cut);
        // The answers to what was accepted are on their way for so long at most.
        sleep(Duration::from_millis(500)).await;
        self.gap = self.from..self.producer.tick();
        self.in_doubt = self.before.in_doubt(&pair.stage).await;
    }

    async fn settle(self, pair: &Pair) -> Case {
        let mut produced = self.producer.finish(scale::events()).await;
        produced.gap = Some(self.gap);
        settle(&pair.stage, produced, self.in_doubt).await.check_all_sent();
        Ok(())
    }
}

/// What had been sent when a gap began.
pub struct Before {
    sent: usize,
    in_flight: usize,
}

impl Before {
    pub async fn look(stage: &Stage) -> Before {
        Before { sent: stage.sent().await, in_flight: in_flight(stage).await.len() }
    }

    /// The sends that may be unknown to PostgreSQL where it lost all that it wrote since then.
    pub async fn in_doubt(&self, stage: &Stage) -> usize {
        stage.sent().await - self.sent + self.in_flight
    }
}
