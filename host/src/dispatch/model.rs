//! Walks through all that may happen to hosts, the log and `deferred`, at random but with a seed: errors between any two
//! statements, answers that are lost, lanes handed over and lost, crashes, a standby that lacks the end of the log. In the
//! end every message has its outcome, and none was sent twice without an intent for each time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    book::Book,
    job::{Job, Place, testing::job},
    settle::{self, Settled},
    writer::Write,
};
use crate::{
    domain::{Delivery, Lane, NotificationId, Priority, Status, Track, WaitReason, status_of},
    lanes::{Leases, Progress, Term},
    store::{Checkpoint, Deferred, Due, Histories, LoggedNotification, Waiting},
    whatsapp::NumberEffect,
};

const PEOPLE: [&str; 5] = ["ann", "bob", "eve", "joe", "zoe"];
const UNKNOWN_FOR: SignedDuration = SignedDuration::from_secs(60);
const READ: usize = 3;
const HOSTS: usize = 2;

/// What PostgreSQL has.
#[derive(Clone, Default)]
struct Tables {
    log: BTreeMap<Place, LoggedNotification>,
    deliveries: HashMap<NotificationId, Vec<Delivery>>,
    deferred: BTreeMap<Place, Deferred>,
    checkpoints: BTreeMap<Track, i64>,
}

impl Tables {
    fn histories(&self, ids: impl Iterator<Item = NotificationId>) -> Histories {
        ids.flat_map(|id| self.deliveries.get(&id).cloned().unwrap_or_default()).collect()
    }

    fn append(&mut self, row: Delivery) -> bool {
        let rows = self.deliveries.entry(row.notification_id).or_default();
        let is_new = !rows.iter().any(|r| (r.attempt, r.status) == (row.attempt, row.status));
        if is_new {
            rows.push(row);
        }
        is_new
    }

    fn settle(&mut self, write: &Write) {
        for row in &write.deliveries {
            self.append(row.clone());
        }
        if let Some(row) = &write.deferred {
            let place = (row.track, row.seq);
            if self.deferred.get(&place).is_none_or(|old| old.attempt <= row.attempt) {
                self.deferred.insert(place, row.clone());
            }
        }
        if let Some(done) = &write.done
            && self.deferred.get(&done.place).is_some_and(|row| row.attempt <= done.attempt)
        {
            self.deferred.remove(&done.place);
        }
    }
}

/// A process: its book, and what its tasks have in hand.
struct Host {
    book: Book,
    progress: Arc<Progress>,
    leases: Leases,
    /// With the writer.
    writes: VecDeque<Write>,
    written: VecDeque<Place>,
    /// Batches whose intents are to be appended, and whose were.
    intending: VecDeque<Vec<Job>>,
    intended: VecDeque<(Vec<Job>, Option<HashSet<NotificationId>>)>,
    /// Sent, and no answer yet.
    sent: Vec<Job>,
}

impl Host {
    fn new() -> Host {
        let progress = Arc::new(Progress::default());
        Host {
            book: Book::new(progress.clone(), UNKNOWN_FOR, false),
            progress,
            leases: Leases::default(),
            writes: VecDeque::new(),
            written: VecDeque::new(),
            intending: VecDeque::new(),
            intended: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    fn hand_in(&mut self) {
        self.writes.extend(self.book.writes());
    }
}

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

    fn compare(&mut self, h: usize) -> Result<(), Failed> {
        let host = &mut self.hosts[h];
        let (taken, dropped) = host.book.readings.compare(&host.leases);
        if dropped {
            let readings = &host.book.readings;
            host.book.lines.retain_lanes(|lane| readings.hold(lane));
        }
        let taken: Vec<_> = taken.into_iter().filter(|(lane, _)| host.progress.idle(*lane)).collect();
        if taken.is_empty() {
            return Ok(());
        }
        let mut checkpoints = Vec::new();
        for (lane, _) in &taken {
            for track in Priority::ALL.map(|priority| Track::new(*lane, priority)) {
                let log = self.tables.log.range((track, 0)..=(track, i64::MAX));
                let end = log.last().map_or(0, |((_, seq), _)| *seq);
                let seq = self.tables.checkpoints.get(&track).copied().unwrap_or(0).min(end);
                checkpoints.push(Checkpoint { track, seq, end });
            }
        }
        self.between()?;
        let blocks = |row: &&Deferred| {
            row.reason.blocks_others() && taken.iter().any(|(lane, _)| *lane == row.track.lane())
        };
        let waiting = self.tables.deferred.values().filter(blocks).map(|row| Waiting {
            track: row.track,
            seq: row.seq,
            phone_number_id: row.phone_number_id.clone(),
            recipient: row.recipient.clone(),
            due_at: row.due_at,
        });
        let waiting = waiting.collect();
        let book = &mut self.hosts[h].book;
        book.lines.wait(waiting);
        book.readings.begin(&taken, &checkpoints);
        Ok(())
    }

    fn read_log(&mut self, h: usize) -> Result<(), Failed> {
        let cursors = self.hosts[h].book.readings.cursors(|_| true);
        let mut read = Vec::new();
        for (track, seq) in cursors {
            let after = self.tables.log.range((track, seq + 1)..=(track, i64::MAX)).take(READ);
            read.extend(after.map(|(_, logged)| logged.clone()));
        }
        read.sort_by_key(|logged| logged.seq);
        self.between()?;
        let readings = &self.hosts[h].book.readings;
        let begun: Vec<_> = read.iter().filter(|l| readings.maybe_begun((l.track, l.seq))).cloned().collect();
        let histories = self.tables.histories(begun.iter().map(|logged| logged.notification.id));
        self.between()?;
        let places = begun.iter().map(|logged| (logged.track, logged.seq));
        let deferred = places.filter(|place| self.tables.deferred.contains_key(place)).collect();
        let (now, host) = (self.time(), &mut self.hosts[h]);
        host.book.take_in(read.into_iter().map(Ok).collect(), &histories, &deferred, now);
        host.hand_in();
        Ok(())
    }

    fn read_due(&mut self, h: usize) -> Result<(), Failed> {
        let now = self.time();
        let book = &self.hosts[h].book;
        let mut due: Vec<&Deferred> = self
            .tables
            .deferred
            .values()
            .filter(|row| row.due_at <= now && book.readings.hold(row.track.lane()))
            // Of a row that the standby lacked only this is left.
            .filter(|row| self.tables.log.contains_key(&(row.track, row.seq)))
            .filter(|row| !book.lines.know((row.track, row.seq)))
            .collect();
        due.sort_by_key(|row| (row.due_at, row.seq));
        let is_all = due.len() <= READ;
        due.truncate(READ);
        let mut due: Vec<Due> = due
            .into_iter()
            .map(|row| Due {
                logged: Ok(self.tables.log[&(row.track, row.seq)].clone()),
                attempt: row.attempt,
                failures: row.failures,
                reason: row.reason,
            })
            .collect();
        due.sort_by_key(|due| due.logged.as_ref().unwrap().seq);
        self.between()?;
        let ids = due.iter().map(|due| due.logged.as_ref().unwrap().notification.id);
        let histories = self.tables.histories(ids);
        let book = &mut self.hosts[h].book;
        book.take_due(due, &histories, now);
        book.lines.due_is_read(now, |_, _| is_all);
        self.hosts[h].hand_in();
        Ok(())
    }

    fn resolve_unknown(&mut self, h: usize) -> Result<(), Failed> {
        let now = self.time();
        let ids: Vec<_> = self.hosts[h].book.lines.unknown().map(|(id, _)| id).collect();
        let histories = self.tables.histories(ids.into_iter());
        let explained = self.hosts[h].book.explain(&histories, now);
        self.hosts[h].hand_in();
        self.between()?;
        for unknown in explained {
            for row in self.tables.deferred.values_mut() {
                let is_behind = matches!(row.reason, WaitReason::Behind | WaitReason::AsTemplate);
                if is_behind && row.track == unknown.place.0 && *row.recipient == *unknown.line.recipient {
                    row.due_at = row.due_at.min(now);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, h: usize) {
        let mut batch = Vec::new();
        while batch.len() < 3
            && let Some(job) = self.hosts[h].book.lines.take(&"1".into())
        {
            let host = &mut self.hosts[h];
            if !host.book.readings.are_current(job.logged.track.lane(), &host.leases) {
                host.book.lines.put_back(job);
                break;
            }
            batch.push(job);
        }
        if !batch.is_empty() {
            self.hosts[h].intending.push_back(batch);
        }
    }

    /// The statement that appends intents: its answer may be lost, before or after the commit.
    fn intend(&mut self, h: usize) {
        let Some(batch) = self.hosts[h].intending.pop_front() else { return };
        let now = self.time();
        let fails = self.chance(self.dangers.errors);
        if fails && self.chance(0.5) {
            self.hosts[h].intended.push_back((batch, None));
            return;
        }
        let mut ours = HashSet::new();
        for job in &batch {
            if self.tables.append(settle::row(job, Status::Sending, now)) {
                ours.insert(job.logged.notification.id);
            }
        }
        self.hosts[h].intended.push_back((batch, (!fails).then_some(ours)));
    }

    fn take_intended(&mut self, h: usize) -> Result<(), Failed> {
        let Some((batch, ours)) = self.hosts[h].intended.pop_front() else { return Ok(()) };
        let now = self.time();
        let host = &mut self.hosts[h];
        let Some(ours) = ours else {
            for job in &batch {
                host.book.written(job.place());
            }
            return Err(Failed);
        };
        for job in batch {
            if !ours.contains(&job.logged.notification.id) {
                host.book.unknown(&job, now + UNKNOWN_FOR, None, now);
            } else if host.book.readings.are_current(job.logged.track.lane(), &host.leases) {
                self.sends.push((job.place(), job.logged.notification.id, job.attempt));
                host.sent.push(job);
            } else {
                let deliveries = vec![settle::row(&job, Status::Retrying, now)];
                let deferred = settle::deferred(&job, now, job.attempt + 1, WaitReason::Retry);
                let settled = Settled { deliveries, deferred: Some(deferred), number: NumberEffect::None };
                host.book.settle(&job, settled, None, now);
            }
        }
        host.hand_in();
        Ok(())
    }

    fn answer(&mut self, h: usize) {
        if self.hosts[h].sent.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.hosts[h].sent.len());
        let job = self.hosts[h].sent.swap_remove(at);
        let now = self.time();
        let settled = match self.rng.random_range(0..10) {
            0 => {
                // No answer; a webhook may tell.
                if self.chance(0.5) {
                    self.tables.append(settle::row(&job, Status::Sent, now));
                }
                let deferred = settle::deferred(&job, now + UNKNOWN_FOR, job.attempt, WaitReason::Unknown);
                (Status::Unknown, Some(deferred))
            }
            1 | 2 => {
                let wait = SignedDuration::from_secs(self.rng.random_range(0..100));
                let reason = *[WaitReason::Retry, WaitReason::Pair].choose(&mut self.rng).unwrap();
                (Status::Retrying, Some(settle::deferred(&job, now + wait, job.attempt + 1, reason)))
            }
            _ => (Status::Accepted, None),
        };
        let deliveries = vec![settle::row(&job, settled.0, now)];
        let settled = Settled { deliveries, deferred: settled.1, number: NumberEffect::None };
        let host = &mut self.hosts[h];
        host.book.settle(&job, settled, None, now);
        host.hand_in();
    }

    /// The writer writes some of what it has.
    fn commit(&mut self, h: usize) {
        let count = self.rng.random_range(0..=self.hosts[h].writes.len());
        let host = &mut self.hosts[h];
        for write in host.writes.drain(..count) {
            self.tables.settle(&write);
            host.written.extend(write.written);
        }
    }

    fn take_written(&mut self, h: usize) {
        let host = &mut self.hosts[h];
        while let Some(place) = host.written.pop_front() {
            host.book.written(place);
        }
    }

    fn store_checkpoints(&mut self, h: usize) {
        let host = &self.hosts[h];
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

    /// A standby takes over that lacks the end of the log: all hosts read anew.
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
        if self.chance(0.05) {
            self.standby = self.tables.clone();
        }
        if self.chance(self.dangers.disasters * 0.1) {
            self.fail_over();
        }
    }

    fn is_settled(&self, logged: &LoggedNotification) -> bool {
        let history = self.tables.deliveries.get(&logged.notification.id);
        history.is_some_and(|history| status_of(history) >= Status::Accepted)
    }

    /// Nothing goes wrong any more: all comes to its end.
    fn finish(&mut self, seed: u64) {
        self.dangers = Dangers { errors: 0.0, disasters: 0.0 };
        self.is_over = true;
        for n in 0..30_000 {
            if n % 50 == 0 && self.tables.log.values().all(|logged| self.is_settled(logged)) {
                return;
            }
            for lane in World::lanes() {
                if !self.owner.contains_key(&lane) {
                    self.move_lane(lane, 0);
                }
            }
            self.step();
        }
        let open: Vec<_> = self.tables.log.values().filter(|logged| !self.is_settled(logged)).collect();
        let of = |logged: &LoggedNotification| {
            let place = (logged.track, logged.seq);
            let history = self.tables.deliveries.get(&logged.notification.id);
            let history: Vec<_> =
                history.into_iter().flatten().map(|row| (row.attempt, row.status)).collect();
            (place, history, self.tables.deferred.get(&place).map(|row| (row.due_at, row.reason)))
        };
        let first: Vec<_> = open.iter().take(3).map(|logged| of(logged)).collect();
        panic!("seed {seed}: {} of {} are skipped: {first:?}", open.len(), self.tables.log.len());
    }

    fn none_was_sent_twice_without_an_intent(&self, seed: u64) {
        let mut seen = HashSet::new();
        for (place, id, attempt) in &self.sends {
            assert!(
                seen.insert((id, attempt)) || self.lost.contains(id),
                "seed {seed}: {place:?} was sent twice as attempt {attempt}"
            );
        }
    }

    /// Of one recipient and priority a later message is sent only after the last attempt at each earlier one.
    fn order_was_kept(&self, seed: u64) {
        let mut first: HashMap<Place, usize> = HashMap::new();
        let mut last: HashMap<Place, usize> = HashMap::new();
        for (n, (place, ..)) in self.sends.iter().enumerate() {
            first.entry(*place).or_insert(n);
            last.insert(*place, n);
        }
        let mut before: HashMap<(Track, &str), (usize, i64)> = HashMap::new();
        for (place, logged) in &self.tables.log {
            let recipient = logged.notification.recipient.as_deref().unwrap();
            if let (Some(first), Some(last)) = (first.get(place), last.get(place)) {
                if let Some((earlier, seq)) = before.get(&(place.0, recipient)) {
                    assert!(earlier < first, "seed {seed}: {place:?} overtook {seq}");
                }
                before.insert((place.0, recipient), (*last, place.1));
            }
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
