//! Walks through all that may happen to hosts, the log and `deferred`, at random but with a seed: errors between any two
//! statements, answers that are lost, lanes handed over and lost, crashes, a standby that lacks the end of the log. In the
//! end every message has its outcome, and none was sent twice without an intent for each time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};

use hookswitch_core::domain::{Lane, NotificationId, Priority};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

mod host;
mod promises;
mod reading;
mod sending;
mod tables;

use self::{host::Host, tables::Tables};
use super::job::{Place, testing::job};
use crate::lanes::Term;

const PEOPLE: [&str; 5] = ["ann", "bob", "eve", "joe", "zoe"];
const NUMBERS: [&str; 2] = ["1", "2"];
const UNKNOWN_FOR: SignedDuration = SignedDuration::from_secs(60);
const READ: usize = 3;
const HOSTS: usize = 2;

/// What may happen in a walk.
#[derive(Clone, Copy)]
struct Dangers {
    errors: f64,
    /// Crashes, leases that end under a host's hands, a restored database: order is kept only without these.
    disasters: f64,
}

struct World {
    rng: StdRng,
    dangers: Dangers,
    now: i64,
    seq: i64,
    id: u128,
    term: u64,
    tables: Tables,
    /// As a standby has them.
    standby: Tables,
    hosts: Vec<Host>,
    owner: HashMap<Lane, usize>,
    /// Each send, with its attempt.
    sends: Vec<(Place, NotificationId, i16)>,
    /// An operator had stopped these for a while: others may have overtaken them.
    stopped: HashSet<NotificationId>,
    /// Nothing more is planned.
    is_over: bool,
    /// What the standby lacked: of these nobody can tell.
    lost: HashSet<NotificationId>,
}

struct Failed;

impl World {
    fn new(seed: u64, dangers: Dangers) -> World {
        World {
            rng: StdRng::seed_from_u64(seed),
            dangers,
            now: 1_000,
            seq: 0,
            id: 0,
            term: 0,
            tables: Tables::default(),
            standby: Tables::default(),
            hosts: (0..HOSTS).map(|_| Host::new()).collect(),
            owner: HashMap::new(),
            sends: Vec::new(),
            lost: HashSet::new(),
            stopped: HashSet::new(),
            is_over: false,
        }
    }

    fn lanes() -> Vec<Lane> {
        let mut lanes: Vec<Lane> = PEOPLE.map(Lane::of).to_vec();
        lanes.sort();
        lanes.dedup();
        lanes
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_second(self.now).unwrap()
    }

    fn chance(&mut self, of: f64) -> bool {
        self.rng.random_bool(of)
    }

    /// Between two statements: the second may fail, and anything may happen before it.
    fn between(&mut self) -> Result<(), Failed> {
        if self.chance(0.2) {
            for h in 0..HOSTS {
                self.commit(h);
            }
        }
        match self.chance(self.dangers.errors) {
            true => Err(Failed),
            false => Ok(()),
        }
    }

    fn plan(&mut self) {
        if self.is_over {
            return;
        }
        self.seq += 1;
        self.id += 1;
        let person = *PEOPLE.choose(&mut self.rng).unwrap();
        let priority = *Priority::ALL.choose(&mut self.rng).unwrap();
        let mut logged = job(self.seq, person, priority).logged;
        logged.notification.id = NotificationId(uuid::Uuid::from_u128(self.id));
        logged.notification.phone_number_id = (*NUMBERS.choose(&mut self.rng).unwrap()).to_owned();
        if self.chance(0.2) {
            let wait = SignedDuration::from_secs(self.rng.random_range(0..60));
            logged.notification.send_at = Some(self.time() + wait);
        }
        self.tables.log.insert((logged.track, logged.seq), logged);
    }

    fn give(&mut self, lane: Lane, h: usize) {
        self.term += 1;
        self.owner.insert(lane, h);
        self.hosts[h].leases.lanes.insert(lane, Term { number: self.term });
    }

    /// A lane goes to a host: handed over once nothing is under way, or lost.
    fn move_lane(&mut self, lane: Lane, h: usize) {
        if let Some(from) = self.owner.get(&lane).copied() {
            if from == h {
                return;
            }
            let host = &mut self.hosts[from];
            host.leases.lanes.remove(&lane);
            if !host.progress.idle(lane) && !self.rng.random_bool(self.dangers.disasters) {
                self.owner.remove(&lane);
                return;
            }
        }
        let idle = self.hosts.iter().all(|host| host.progress.idle(lane));
        if idle || self.chance(self.dangers.disasters) {
            self.give(lane, h);
        }
    }

    fn store_checkpoints(&mut self, h: usize) {
        let host = &self.hosts[h];
        if host.is_of_old_server {
            return;
        }
        let mut moved = host.book.readings.moved();
        moved.retain(|(track, _)| host.book.readings.are_current(track.lane(), &host.leases));
        for (track, seq) in &moved {
            let stored = self.tables.checkpoints.entry(*track).or_default();
            if self.owner.get(&track.lane()) == Some(&h) {
                *stored = (*stored).max(*seq);
            }
        }
        self.hosts[h].book.readings.stored(&moved);
    }

    /// The process is killed, and another is started.
    fn crash(&mut self, h: usize) {
        self.hosts[h] = Host::new();
        self.owner.retain(|_, owner| *owner != h);
    }

    /// A standby takes over that lacks the end of the log. Each host finds out after a while.
    fn fail_over(&mut self) {
        let kept = self.standby.clone();
        for (place, logged) in &self.tables.log {
            let id = logged.notification.id;
            if kept.deliveries.get(&id) != self.tables.deliveries.get(&id) || !kept.log.contains_key(place) {
                self.lost.insert(id);
            }
        }
        self.tables = kept;
        // No place is used twice: the sequence is moved on.
        self.seq += 100;
        for host in &mut self.hosts {
            host.is_of_old_server = true;
        }
    }

    /// The host finds out that it is another server: it reads its lanes anew.
    fn notice(&mut self, h: usize) {
        let host = &mut self.hosts[h];
        if std::mem::take(&mut host.is_of_old_server) {
            for term in host.leases.lanes.values_mut() {
                self.term += 1;
                term.number = self.term;
            }
        }
    }

    fn step(&mut self) {
        let h = self.rng.random_range(0..HOSTS);
        let done = match self.rng.random_range(0..16) {
            0 => {
                self.plan();
                Ok(())
            }
            1 => self.compare(h),
            2 | 3 => self.read_log(h),
            4 => self.read_due(h),
            5 => self.resolve_unknown(h),
            6 => {
                self.take(h);
                Ok(())
            }
            7 => {
                self.intend(h);
                Ok(())
            }
            8 => self.take_intended(h),
            9 | 10 => {
                self.answer(h);
                Ok(())
            }
            11 => {
                self.commit(h);
                Ok(())
            }
            12 => {
                self.take_written(h);
                Ok(())
            }
            13 => {
                self.store_checkpoints(h);
                Ok(())
            }
            14 => {
                let _: () = self.now += self.rng.random_range(0..20);
                Ok(())
            }
            _ => {
                self.seldom(h);
                Ok(())
            }
        };
        if done.is_err() {
            self.hosts[h].book.start_over();
        }
    }

    fn seldom(&mut self, h: usize) {
        let lane = *World::lanes().choose(&mut self.rng).unwrap();
        if self.chance(0.1) || !self.owner.contains_key(&lane) {
            self.move_lane(lane, h);
        }
        if self.chance(self.dangers.disasters * 0.2) {
            self.crash(h);
        }
        if self.chance(0.3) {
            self.notice(h);
        }
        if self.chance(0.05) {
            self.standby = self.tables.clone();
        }
        if self.chance(self.dangers.disasters * 0.1) {
            self.fail_over();
        }
    }
}

fn walk(seed: u64, dangers: Dangers) -> World {
    let mut world = World::new(seed, dangers);
    for lane in World::lanes() {
        world.give(lane, 0);
    }
    for _ in 0..2_000 {
        world.step();
    }
    world.finish(seed);
    world.none_was_sent_twice_without_an_intent(seed);
    world
}

#[test]
fn nothing_is_skipped_and_nothing_doubled_whatever_happens() {
    for seed in 0..40 {
        walk(seed, Dangers { errors: 0.05, disasters: 0.1 });
    }
}

#[test]
fn order_is_kept_through_errors_and_lanes_that_are_handed_over() {
    for seed in 0..40 {
        walk(seed, Dangers { errors: 0.05, disasters: 0.0 }).order_was_kept(seed);
    }
}
