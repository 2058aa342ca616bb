//! Where each recipient's messages stand. Pure.
//!
//! A line has one message on its way at a time. Within a line each priority is a queue of its own: in the order of the
//! log, and blocked while an earlier message of it waits for something that keeps others waiting.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use hookswitch_core::domain::{Lane, NotificationId, Priority, Track, WaitReason};
use jiff::{SignedDuration, Timestamp};

use super::job::{Job, LineId, Place};
use crate::{lanes::Progress, store::Waiting};

/// In so many sends of a number the least urgent and the usual have a turn each, however many urgent ones there are.
const ROUND: u32 = 10;

/// A line's messages of one priority.
#[derive(Debug)]
struct Queue {
    priority: Priority,
    /// Those that may go once the line is free, by their place.
    jobs: BTreeMap<i64, Job>,
    /// As whose it is among those that may go.
    turn: Option<i64>,
    /// Those that wait in `deferred`, or are on their way there, and keep later ones waiting: in the order of the log.
    waits: Vec<Waits>,
    /// When the last of these is due.
    until: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    seq: i64,
    due_at: Timestamp,
    /// Whether it waits for nothing but those before it.
    follows: bool,
}

impl Queue {
    fn new(priority: Priority) -> Queue {
        let until = Timestamp::MIN;
        Queue { priority, jobs: BTreeMap::new(), turn: None, waits: Vec::new(), until }
    }

    fn block(&mut self, waits: Waits) {
        self.until = if self.waits.is_empty() { waits.due_at } else { self.until.max(waits.due_at) };
        match self.waits.binary_search_by_key(&waits.seq, |waits| waits.seq) {
            Ok(at) => self.waits[at] = waits,
            Err(at) => {
                if self.waits.is_empty() {
                    // Most lines that wait have one message that waits.
                    self.waits.reserve_exact(1);
                }
                self.waits.insert(at, waits);
            }
        }
    }

    fn goes_on(&mut self, seq: i64) {
        if let Ok(at) = self.waits.binary_search_by_key(&seq, |waits| waits.seq) {
            self.waits.remove(at);
        }
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.turn.is_none() && self.waits.is_empty()
    }
}

#[derive(Debug)]
struct Line {
    lane: Lane,
    /// The message that is on its way.
    under_way: Option<Place>,
    /// Those that hold something.
    queues: Vec<Queue>,
}

impl Line {
    fn queue(&mut self, priority: Priority) -> &mut Queue {
        let at = self.queues.iter().position(|queue| queue.priority == priority).unwrap_or_else(|| {
            self.queues.push(Queue::new(priority));
            self.queues.len() - 1
        });
        &mut self.queues[at]
    }
}

/// Where a notification that is in memory stands.
#[derive(Debug)]
enum Stand {
    /// In its queue.
    Ready,
    /// On its way: from when it is taken until its outcome is written.
    UnderWay(LineId),
    /// Settled or put off, and that is not written yet.
    Leaving(LineId),
}

/// A send without an answer, which a webhook may yet explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// Its place in the log.
    pub place: Place,
    /// The attempt.
    pub attempt: i16,
    /// Its line.
    pub line: LineId,
}

/// A send that a webhook has explained: what waited behind it need not wait any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The send.
    pub unknown: Unknown,
    /// The first after it that waits for something of its own, and keeps those behind it waiting.
    pub before: Option<i64>,
}

/// All lines.
#[derive(Debug, Default)]
pub struct Lines {
    lines: HashMap<LineId, Line>,
    places: HashMap<Place, Stand>,
    unknown: HashMap<NotificationId, Unknown>,
    /// By sending number, the first of each queue that may go.
    ready: BTreeMap<Arc<str>, BTreeSet<(Priority, i64, LineId)>>,
    /// How many jobs stand in the queues.
    standing: BTreeMap<(Priority, Arc<str>), usize>,
    /// How many of a number's jobs were taken in this round.
    taken: HashMap<Arc<str>, u32>,
    /// What must be written before anybody may read a lane anew, by lane and in all.
    progress: Arc<Progress>,
    busy: usize,
}

impl Lines {
    /// No lines yet. What is under way or not written yet is counted in `progress`.
    pub fn new(progress: Arc<Progress>) -> Lines {
        Lines { progress, ..Lines::default() }
    }

    /// Whether the notification at this place is in memory.
    pub fn know(&self, place: Place) -> bool {
        self.places.contains_key(&place)
    }

    /// The places of all that is in memory.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.places.keys().copied()
    }

    /// Whether nothing is under way or not written yet.
    pub fn are_idle(&self) -> bool {
        self.busy == 0
    }

    /// How many jobs stand in the queues, by priority and sending number.
    pub fn standing(&self) -> &BTreeMap<(Priority, Arc<str>), usize> {
        &self.standing
    }

    /// The numbers that have something to send.
    pub fn numbers(&self) -> Vec<Arc<str>> {
        self.ready.keys().cloned().collect()
    }

    /// Until when a job must wait behind earlier messages, if it must: one from the log behind all of them, one that
    /// waited behind the first.
    pub fn behind(&self, job: &Job, now: Timestamp) -> Option<Timestamp> {
        let queues = &self.lines.get(&job.line)?.queues;
        let queue = queues.iter().find(|queue| queue.priority == job.logged.track.priority())?;
        let first = queue.waits.first().filter(|first| first.seq < job.logged.seq)?;
        Some(match job.waited {
            // What is due is read in the order of its time: not before the first.
            true => first.due_at.max(now),
            false => queue.until,
        })
    }

    /// A job joins its line.
    pub fn join(&mut self, job: Job) {
        let Entry::Vacant(place) = self.places.entry(job.place()) else { return };
        place.insert(Stand::Ready);
        self.unknown.remove(&job.logged.notification.id);
        let (id, priority) = (job.line.clone(), job.logged.track.priority());
        *self.standing.entry((priority, id.number.clone())).or_default() += 1;
        let queue = self.line(&id, job.logged.track.lane()).queue(priority);
        queue.goes_on(job.logged.seq);
        queue.jobs.insert(job.logged.seq, job);
        self.turn(&id);
    }

    /// Takes a number's most urgent job that may go, and in its turn one of the less urgent; a bulk one only in its turn
    /// unless there is room to `spare`. Its line stands until [`Lines::written`] or [`Lines::put_off`].
    pub fn take(&mut self, number: &Arc<str>, spare: bool) -> Option<Job> {
        let ready = self.ready.get(number)?;
        let taken = self.taken.get(number).map_or(1, |taken| (taken + 1) % ROUND);
        let of = |priority| ready.iter().find(|(of, ..)| *of == priority);
        let turn = match taken {
            0 => ready.last().and_then(|(least, ..)| {
                let from = (*least, i64::MIN, LineId::new("", ""));
                ready.range(from..).next()
            }),
            5 => of(Priority::Normal),
            _ => None,
        };
        let first = ready.first().filter(|(priority, ..)| spare || *priority != Priority::Bulk);
        let (priority, seq, id) = turn.or(first)?.clone();
        self.taken.insert(number.clone(), taken);
        let line = self.lines.get_mut(&id)?;
        let job = line.queue(priority).jobs.remove(&seq)?;
        line.under_way = Some(job.place());
        self.places.insert(job.place(), Stand::UnderWay(id.clone()));
        self.busy += 1;
        self.progress.began(job.logged.track.lane());
        self.left(priority, number);
        self.turn(&id);
        Some(job)
    }

    /// A job that was taken does not go after all: it stands where it stood.
    pub fn put_back(&mut self, job: Job) {
        self.written(job.place());
        self.join(job);
    }

    /// Something is being written of a notification: it is known until that is [`Lines::written`].
    pub fn leave(&mut self, id: &LineId, place: Place) {
        self.leaving(id, place);
        self.line(id, place.0.lane()).queue(place.0.priority()).goes_on(place.1);
        self.turn(id);
    }

    /// A notification is to wait in `deferred`, and is known until that is [`Lines::written`]. Where that keeps others
    /// waiting, those behind it in its queue are returned, each due `spacing` after the one before: they wait too.
    pub fn put_off(
        &mut self,
        id: &LineId,
        place: Place,
        due_at: Timestamp,
        reason: WaitReason,
        spacing: SignedDuration,
    ) -> Vec<(Job, Timestamp)> {
        let (track, seq) = place;
        self.leaving(id, place);
        let queue = self.line(id, track.lane()).queue(track.priority());
        let mut behind = Vec::new();
        if reason.blocks_others() {
            queue.block(Waits { seq, due_at, follows: reason.follows_others() });
            let mut last = due_at;
            for (seq, job) in queue.jobs.split_off(&seq) {
                last = last.checked_add(spacing).unwrap_or(last);
                queue.block(Waits { seq, due_at: last, follows: true });
                behind.push((job, last));
            }
            for (job, _) in &behind {
                self.leaving(id, job.place());
                self.left(track.priority(), &id.number);
            }
        } else {
            queue.goes_on(seq);
        }
        self.turn(id);
        behind
    }

    fn leaving(&mut self, id: &LineId, place: Place) {
        let line = self.line(id, place.0.lane());
        if line.under_way == Some(place) {
            line.under_way = None;
        } else {
            self.busy += 1;
            self.progress.began(place.0.lane());
        }
        self.places.insert(place, Stand::Leaving(id.clone()));
    }

    /// A webhook may tell what became of a notification that waits as unknown.
    pub fn expect_webhook(&mut self, id: NotificationId, unknown: Unknown) {
        self.unknown.insert(id, unknown);
    }

    /// What became of the notification at this place, or that it waits, is written.
    pub fn written(&mut self, place: Place) {
        let id = match self.places.get(&place) {
            Some(Stand::UnderWay(id) | Stand::Leaving(id)) => id.clone(),
            Some(Stand::Ready) | None => return,
        };
        self.places.remove(&place);
        self.busy -= 1;
        self.progress.ended(place.0.lane());
        let line = self.line(&id, place.0.lane());
        if line.under_way == Some(place) {
            line.under_way = None;
        }
        self.turn(&id);
    }

    /// What waits in `deferred` and keeps others waiting, as the database has it, in the order of the log.
    pub fn wait(&mut self, waiting: Vec<Waiting>) {
        let mut numbers: HashSet<Arc<str>> = HashSet::new();
        for Waiting { track, seq, phone_number_id, recipient, due_at, reason } in waiting {
            let mut id = LineId::new(&phone_number_id, &recipient);
            match numbers.get(&id.number) {
                Some(number) => id.number = number.clone(),
                None => _ = numbers.insert(id.number.clone()),
            }
            let waits = Waits { seq, due_at, follows: reason.follows_others() };
            self.line(&id, track.lane()).queue(track.priority()).block(waits);
        }
    }

    /// All that was due at `now` has been read, of the priorities and numbers that `is_read` says, but for what is `ahead`:
    /// what was due and was not read waits no more, unless it is not written yet that it does.
    pub fn due_is_read(
        &mut self,
        now: Timestamp,
        is_read: impl Fn(Priority, &str) -> bool,
        ahead: impl Fn(Place) -> bool,
    ) {
        let places = &self.places;
        self.lines.retain(|id, line| {
            for queue in &mut line.queues {
                let is_due = queue.waits.iter().any(|waits| waits.due_at <= now);
                if is_due && is_read(queue.priority, &id.number) {
                    let track = Track::new(line.lane, queue.priority);
                    queue.waits.retain(|waits| {
                        let place = (track, waits.seq);
                        waits.due_at > now || places.contains_key(&place) || ahead(place)
                    });
                }
            }
            line.queues.retain(|queue| !queue.is_empty());
            line.under_way.is_some() || !line.queues.is_empty()
        });
        let lines = &mut self.lines;
        self.unknown.retain(|_, unknown| {
            let line = lines.get_mut(&unknown.line);
            line.is_some_and(|line| !line.queue(unknown.place.0.priority()).waits.is_empty())
        });
    }

    /// The sends that a webhook may yet explain.
    pub fn unknown(&self) -> impl Iterator<Item = (NotificationId, &Unknown)> {
        self.unknown.iter().map(|(id, unknown)| (*id, unknown))
    }

    /// A webhook has told what became of a send: what waits behind it is due now, up to the next that waits for something
    /// of its own. `None` where something else keeps that waiting, or not all of it is written yet.
    pub fn explained(&mut self, id: NotificationId, now: Timestamp) -> Option<Explained> {
        let unknown = self.unknown.get(&id)?;
        let (track, seq) = unknown.place;
        let queue = self.lines.get_mut(&unknown.line)?.queue(track.priority());
        let is_first = queue.waits.first().is_some_and(|first| first.seq == seq);
        let is_written = || queue.waits.iter().all(|waits| !self.places.contains_key(&(track, waits.seq)));
        if !is_first || !is_written() {
            return None;
        }
        queue.waits.remove(0);
        let before = queue.waits.iter().find(|waits| !waits.follows).map(|waits| waits.seq);
        queue.waits.iter_mut().take_while(|waits| waits.follows).for_each(|waits| waits.due_at = now);
        queue.until = queue.waits.iter().map(|waits| waits.due_at).max().unwrap_or(now);
        let line = unknown.line.clone();
        self.turn(&line);
        self.unknown.remove(&id).map(|unknown| Explained { unknown, before })
    }

    /// Forgets what stands and waits in lanes that are not held any more: whoever holds them reads it anew. What is under
    /// way stays until it is written.
    pub fn retain_lanes(&mut self, held: impl Fn(Lane) -> bool) {
        self.unknown.retain(|_, unknown| held(unknown.place.0.lane()));
        self.places.retain(|(track, _), stand| held(track.lane()) || !matches!(stand, Stand::Ready));
        let lost: Vec<LineId> =
            self.lines.iter().filter(|(_, line)| !held(line.lane)).map(|(id, _)| id.clone()).collect();
        for id in lost {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            let mut gone = Vec::new();
            for queue in &mut line.queues {
                gone.extend(std::mem::take(&mut queue.jobs).into_keys().map(|_| queue.priority));
                queue.waits.clear();
            }
            for priority in gone {
                self.left(priority, &id.number);
            }
            self.turn(&id);
        }
    }

    fn line(&mut self, id: &LineId, lane: Lane) -> &mut Line {
        self.lines.entry(id.clone()).or_insert_with(|| Line { lane, under_way: None, queues: Vec::new() })
    }

    /// The first of each of the line's queues may go, where nothing of the line is on its way; else none.
    fn turn(&mut self, id: &LineId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        let ready = self.ready.entry(id.number.clone()).or_default();
        for queue in &mut line.queues {
            if let Some(seq) = queue.turn.take() {
                ready.remove(&(queue.priority, seq, id.clone()));
            }
            if line.under_way.is_none()
                && let Some((seq, _)) = queue.jobs.first_key_value()
            {
                queue.turn = Some(*seq);
                ready.insert((queue.priority, *seq, id.clone()));
            }
        }
        if ready.is_empty() {
            self.ready.remove(&id.number);
        }
        line.queues.retain(|queue| !queue.is_empty());
        if line.under_way.is_none() && line.queues.is_empty() {
            self.lines.remove(id);
        }
    }

    /// A job stands in its queue no more.
    fn left(&mut self, priority: Priority, number: &Arc<str>) {
        let key = (priority, number.clone());
        if let Some(count) = self.standing.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.standing.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
