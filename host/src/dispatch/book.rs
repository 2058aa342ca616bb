//! What dispatch knows of its lanes, and what follows from what it reads and hears. Pure: what is to be written is
//! collected, and what was read is given to it.

use std::{
    collections::{BTreeSet, HashSet},
    mem,
    sync::Arc,
};

use hookswitch_core::domain::{
    Delivery, Mode, NotificationId, OnUnknown, Priority, Refusal, Status, WaitReason,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    job::{Job, LineId, Place},
    lines::{Explained, Lines, Unknown},
    readings::Readings,
    recover::{Standing, resolved, standing, taken},
    settle::{self, Settled},
    writer::Write,
};
use crate::{
    lanes::Progress,
    store::{Deferred, Done, Due, Histories, Logged, Unreadable},
    whatsapp::MAX_FAILURES,
};

/// With several sending numbers, one whose messages come faster than it can send keeps no other waiting: with so many of a
/// priority in memory, or fewer where it cannot send at all, those that are read next wait in `deferred`.
pub const ROOM: usize = if cfg!(test) { 3 } else { 1_024 };
const STUCK: usize = 256;
/// When to look again at these.
const RESTS: SignedDuration = SignedDuration::from_secs(60);
/// When to look again whether a webhook has explained what waits for an operator.
const HELD: SignedDuration = SignedDuration::from_hours(1);
/// When to look again whether this host's version can read what it could not read, and for how long: other hosts run a
/// newer version meanwhile.
const UNREADABLE: SignedDuration = SignedDuration::from_mins(1);
const UNREADABLE_FOR: SignedDuration = SignedDuration::from_hours(1);

fn is_withdrawn(job: &Job) -> bool {
    matches!(job.logged.refusal, Some(Refusal::Withdrawn(_)))
}

/// How a job waits.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    /// Until when.
    pub due_at: Timestamp,
    /// Why.
    pub reason: WaitReason,
    /// Why, in words, for its history.
    pub detail: &'a str,
    /// The switch that holds it, with [`WaitReason::Stopped`].
    pub stopped_by: Option<&'a str>,
}

impl<'a> Wait<'a> {
    /// Until when and why, for anything but a switch.
    pub fn new(due_at: Timestamp, reason: WaitReason, detail: &'a str) -> Wait<'a> {
        Wait { due_at, reason, detail, stopped_by: None }
    }
}

/// Lines and readings, and what is to be written.
#[derive(Debug, Default)]
pub struct Book {
    /// Where each recipient's messages stand.
    pub lines: Lines,
    /// How far the log is read.
    pub readings: Readings,
    /// How long the outcome of a send that got no answer may stay unknown.
    pub unknown_for: SignedDuration,
    /// With several sending numbers, each has windows of its own.
    pub several_numbers: bool,
    /// With several sending numbers, those that cannot send now.
    pub stuck: HashSet<Arc<str>>,
    /// How many were searched, or had to wait for want of room, since the last poll.
    pub searched: usize,
    writes: Vec<Write>,
}

impl Book {
    /// An empty book. What is under way or not written yet is counted in `progress`.
    pub fn new(progress: Arc<Progress>, unknown_for: SignedDuration, several_numbers: bool) -> Book {
        Book { lines: Lines::new(progress), unknown_for, several_numbers, ..Book::default() }
    }

    /// What is to be written, since the last call.
    pub fn writes(&mut self) -> Vec<Write> {
        mem::take(&mut self.writes)
    }

    /// Takes in what was read from the log, in its order. `histories` and `deferred` are those of what somebody may have
    /// begun on before.
    pub fn take_in(
        &mut self,
        read: Vec<Logged>,
        histories: &Histories,
        deferred: &HashSet<Place>,
        now: Timestamp,
    ) {
        for logged in read {
            let (place, id) = match &logged {
                Ok(logged) => ((logged.track, logged.seq), logged.notification.id),
                Err(unreadable) => ((unreadable.track, unreadable.seq), unreadable.id),
            };
            // What is in memory before it is read here was due: `deferred` has it until its outcome is written.
            if deferred.contains(&place) || self.lines.know(place) {
                self.readings.read(place, false);
                continue;
            }
            let logged = logged.and_then(|logged| match histories.of(id) {
                Ok(history) => Ok((logged, standing(history))),
                Err(why) => Err(Unreadable::history(&logged, why)),
            });
            match logged {
                Ok((_, Standing::Settled)) => self.readings.read(place, false),
                Ok((logged, standing)) => match Job::new(logged) {
                    Some(job) => {
                        self.readings.read(place, true);
                        self.begin(job, standing, now);
                    }
                    None => self.readings.read(place, false),
                },
                Err(unreadable) => {
                    self.readings.read(place, true);
                    self.set_aside(&unreadable, 1, 0, false, now);
                }
            }
        }
    }

    fn begin(&mut self, mut job: Job, standing: Standing, now: Timestamp) {
        if let Standing::Lost { attempt, failures, since } = standing {
            (job.attempt, job.failures) = (attempt, failures);
            let due_at = since.checked_add(self.unknown_for).unwrap_or(now);
            return self.unknown(&job, due_at, Some("the host stopped while it was sent"), now);
        }
        match job.logged.notification.send_at {
            // What is withdrawn has nothing to wait for.
            Some(send_at) if send_at > now && !is_withdrawn(&job) => {
                let detail = format!("waits until {send_at}");
                self.wait(&job, Wait::new(send_at, WaitReason::SendAt, &detail), now);
            }
            _ => self.enqueue(job, now),
        }
    }

    /// Lets a job stand in its line, or wait behind the earlier messages of it.
    fn enqueue(&mut self, mut job: Job, now: Timestamp) {
        if self.several_numbers {
            job.logged.window_until = job.logged.number_window_until;
        }
        if let Some(due_at) = self.lines.behind(&job, now) {
            let detail = "waits behind an earlier message";
            return self.wait(&job, Wait::new(due_at, WaitReason::Behind, detail), now);
        }
        let key = (job.logged.track.priority(), job.line.number.clone());
        let standing = self.lines.standing().get(&key).copied().unwrap_or(0);
        if standing >= STUCK && self.stuck.contains(&key.1) {
            let due_at = now.checked_add(RESTS).unwrap_or(now);
            let detail = "waits: the sending number cannot send";
            return self.wait(&job, Wait::new(due_at, WaitReason::Behind, detail), now);
        }
        if self.several_numbers && standing >= ROOM && !job.waited {
            self.searched += 1;
            let detail = "waits: the sending number has others to send before";
            return self.wait(&job, Wait::new(now, WaitReason::Behind, detail), now);
        }
        self.lines.join(job);
    }

    /// Takes in what waited and is due, in the order of the log.
    pub fn take_due(&mut self, due: Vec<Due>, histories: &Histories, now: Timestamp) {
        for due in due {
            let Due { logged, attempt, failures, reason } = due;
            let place = match &logged {
                Ok(logged) => (logged.track, logged.seq),
                Err(unreadable) => (unreadable.track, unreadable.seq),
            };
            if self.lines.know(place) || !self.readings.hold(place.0.lane()) {
                continue;
            }
            // Where a lane is read anew, earlier ones that were in somebody's memory must be taken in first.
            if reason.blocks_others() && self.readings.are_before(place) {
                continue;
            }
            let logged = logged.and_then(|logged| match histories.of(logged.notification.id) {
                Ok(_) => Ok(logged),
                Err(why) => Err(Unreadable::history(&logged, why)),
            });
            match logged {
                Ok(logged) => {
                    let history = histories.of(logged.notification.id).unwrap_or_default();
                    let Some(job) = Job::new(logged) else { continue };
                    let as_template = reason == WaitReason::AsTemplate;
                    let job = Job { attempt, failures, as_template, waited: true, ..job };
                    self.go_on(job, reason, history, now);
                }
                Err(unreadable) => self.set_aside(&unreadable, attempt, failures, true, now),
            }
        }
    }

    /// All that was due at `now` has been taken in, of the priorities and numbers that `is_read` says.
    pub fn due_is_read(&mut self, now: Timestamp, is_read: impl Fn(Priority, &str) -> bool) {
        let readings = &self.readings;
        self.lines.due_is_read(now, is_read, |place| readings.are_before(place));
    }

    fn go_on(&mut self, mut job: Job, reason: WaitReason, history: &[Delivery], now: Timestamp) {
        // Meta said of a template, late, that the window is closed.
        let needless = job.as_template && job.logged.notification.message.mode == Mode::Template;
        let unknown = matches!(reason, WaitReason::Unknown | WaitReason::Hold);
        if needless || taken(history) || (unknown && resolved(history, job.attempt)) {
            return self.end(&job, Vec::new());
        }
        match (unknown, job.logged.notification.message.on_unknown) {
            (false, _) => {}
            (true, OnUnknown::Drop) => {
                return self.give_up(&job, "no answer and no webhook came; its template says drop", now);
            }
            (true, OnUnknown::Hold) => {
                let detail =
                    "no answer and no webhook came; its template says hold, so it waits for an operator";
                let due_at = now.checked_add(HELD).unwrap_or(now);
                return self.wait(&job, Wait::new(due_at, WaitReason::Hold, detail), now);
            }
            (true, OnUnknown::Resend) => {
                job.failures = job.failures.saturating_add(1);
                if job.failures >= MAX_FAILURES {
                    let why = format!("no answer came to {MAX_FAILURES} attempts, and no webhook");
                    return self.give_up(&job, &why, now);
                }
                job.attempt = job.attempt.saturating_add(1);
            }
        }
        self.enqueue(job, now);
    }

    fn give_up(&mut self, job: &Job, why: &str, now: Timestamp) {
        let failed = settle::row(job, Status::Failed, now);
        self.end(job, vec![Delivery { detail: Some(why.to_owned()), ..failed }]);
    }

    /// A job that is not under way has its outcome.
    fn end(&mut self, job: &Job, deliveries: Vec<Delivery>) {
        self.lines.leave(&job.line, job.place());
        self.writes.push(Write {
            deliveries,
            done: job.done(),
            written: Some(job.place()),
            ..Write::default()
        });
    }

    /// Lets a job wait in `deferred`, and says so in the delivery log; with those that wait behind it.
    pub fn wait(&mut self, job: &Job, wait: Wait<'_>, now: Timestamp) {
        self.wait_apart(job, wait, SignedDuration::ZERO, now);
    }

    /// As [`Book::wait`]; those behind it are due `spacing` apart.
    pub fn wait_apart(&mut self, job: &Job, wait: Wait<'_>, spacing: SignedDuration, now: Timestamp) {
        let Wait { due_at, reason, detail, stopped_by } = wait;
        let stopped_by = stopped_by.map(str::to_owned);
        let deferred = Deferred { stopped_by, ..settle::deferred(job, due_at, job.attempt, reason) };
        self.put_off(job, deferred, Some((Status::Deferred, detail)), spacing, now);
    }

    /// Nobody can tell whether an attempt was sent, before a webhook does: it waits for that until `due_at`. `detail` says
    /// why, where its history does not yet.
    pub fn unknown(&mut self, job: &Job, due_at: Timestamp, detail: Option<&str>, now: Timestamp) {
        let deferred = settle::deferred(job, due_at, job.attempt, WaitReason::Unknown);
        let detail = detail.map(|detail| (Status::Unknown, detail));
        self.put_off(job, deferred, detail, SignedDuration::ZERO, now);
    }

    fn put_off(
        &mut self,
        job: &Job,
        deferred: Deferred,
        detail: Option<(Status, &str)>,
        spacing: SignedDuration,
        now: Timestamp,
    ) {
        let row = |(status, detail): (Status, &str)| Delivery {
            detail: Some(detail.to_owned()),
            ..settle::row(job, status, now)
        };
        let write = Write { deliveries: detail.map(row).into_iter().collect(), ..Write::default() };
        self.put_off_as(job, deferred, write, spacing, now);
    }

    fn put_off_as(
        &mut self,
        job: &Job,
        deferred: Deferred,
        write: Write,
        spacing: SignedDuration,
        now: Timestamp,
    ) {
        let Deferred { due_at, reason, attempt, .. } = deferred;
        if reason == WaitReason::Unknown {
            let unknown = Unknown { place: job.place(), attempt, line: job.line.clone() };
            self.lines.expect_webhook(job.logged.notification.id, unknown);
        }
        let behind = self.lines.put_off(&job.line, job.place(), due_at, reason, spacing);
        self.writes.push(Write { deferred: Some(deferred), written: Some(job.place()), ..write });
        for (job, due_at) in behind {
            let waits = settle::row(&job, Status::Deferred, now);
            self.writes.push(Write {
                deliveries: vec![Delivery {
                    detail: Some("waits behind an earlier message".to_owned()),
                    ..waits
                }],
                deferred: Some(settle::deferred(&job, due_at, job.attempt, WaitReason::Behind)),
                written: Some(job.place()),
                ..Write::default()
            });
        }
    }

    /// A job that is under way has an answer, or will never be sent.
    pub fn settle(&mut self, job: &Job, settled: Settled, opted_out: Option<String>, now: Timestamp) {
        let write = Write { deliveries: settled.deliveries, opted_out, ..Write::default() };
        match settled.deferred {
            Some(deferred) => self.put_off_as(job, deferred, write, SignedDuration::ZERO, now),
            None => {
                self.writes.push(Write { done: job.done(), written: Some(job.place()), ..write });
            }
        }
    }

    /// What this version cannot read concerns itself only: a newer version may read it, for some time; else it has failed.
    fn set_aside(&mut self, row: &Unreadable, attempt: i16, failures: i16, waited: bool, now: Timestamp) {
        let place = (row.track, row.seq);
        let recipient = row.recipient.as_deref().unwrap_or_default();
        let line = LineId::new(&row.phone_number_id, recipient);
        let waits = row.may_be_newer && now.duration_since(row.created_at) < UNREADABLE_FOR;
        let (status, what) = match waits {
            true => (Status::Deferred, "waits for a host of a version that can read it"),
            false => (Status::Failed, "cannot be read by this version"),
        };
        let delivery = Delivery {
            notification_id: row.id,
            attempt,
            status,
            at: now,
            wamid: None,
            code: None,
            detail: Some(format!("{what}: {}", row.why)),
        };
        let deferred = waits.then(|| Deferred {
            track: row.track,
            seq: row.seq,
            notification_id: row.id,
            phone_number_id: row.phone_number_id.clone(),
            recipient: recipient.to_owned(),
            username: row.username.clone(),
            template: row.template.clone(),
            due_at: now.checked_add(UNREADABLE).unwrap_or(now),
            attempt,
            failures,
            reason: WaitReason::Unreadable,
            stopped_by: None,
        });
        self.lines.leave(&line, place);
        self.writes.push(Write {
            deliveries: vec![delivery],
            done: (waited && !waits).then_some(Done { place, attempt }),
            deferred,
            written: Some(place),
            ..Write::default()
        });
    }

    /// What the histories tell of sends without an answer. Returns the lines whose messages need not wait any more.
    pub fn explain(&mut self, histories: &Histories, now: Timestamp) -> Vec<Explained> {
        let explained: Vec<NotificationId> = self
            .lines
            .unknown()
            .filter(|(id, unknown)| histories.of(*id).is_ok_and(|history| resolved(history, unknown.attempt)))
            .map(|(id, _)| id)
            .collect();
        let explained: Vec<Explained> =
            explained.into_iter().filter_map(|id| self.lines.explained(id, now)).collect();
        for Explained { unknown: Unknown { place, attempt, .. }, .. } in &explained {
            let done = Done { place: *place, attempt: *attempt };
            self.writes.push(Write { done: Some(done), ..Write::default() });
        }
        explained
    }

    /// Something is written.
    pub fn written(&mut self, place: Place) {
        self.readings.settled(place);
        self.lines.written(place);
    }

    /// Nobody knows what was written: forget, and read each lane anew once what is under way in it is written.
    pub fn start_over(&mut self) {
        self.readings.clear();
        self.lines.retain_lanes(|_| false);
    }

    /// The priorities and numbers of which no more fits into memory.
    pub fn full(&self, most: usize) -> BTreeSet<(Priority, Arc<str>)> {
        let is_full = |number: &Arc<str>, count: usize| {
            count >= most || (count >= STUCK && self.stuck.contains(number))
        };
        let standing = self.lines.standing().iter();
        standing.filter(|((_, number), count)| is_full(number, **count)).map(|(key, _)| key.clone()).collect()
    }

    /// How many jobs of a priority stand here, of numbers that can send.
    pub fn standing(&self, priority: Priority) -> usize {
        let standing = self.lines.standing().iter();
        let can_go = standing.filter(|((of, number), _)| *of == priority && !self.stuck.contains(number));
        can_go.map(|(_, count)| count).sum()
    }
}
