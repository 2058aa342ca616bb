//! Reads what is to be sent: the log after the cursors, and what waited and is due.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    dispatcher::Dispatch,
    pace::NumberPace,
    queue::{Job, line_of},
    recover::{Standing, resolved, standing, taken},
    settle,
    writer::{Write, Written},
};
use crate::{
    domain::{Delivery, Mode, NotificationId, OnUnknown, Status},
    lanes::Term,
    store::{Done, Due, LoggedNotification, StoreError},
    whatsapp::MAX_FAILURES,
};

/// With fewer jobs in memory than this the log is read on: the rest of the room is for what waited and is due.
pub const REFILL: usize = 1_024;
/// With as many jobs in memory nothing more is read.
const QUEUE: usize = 4_096;
/// So many are read at once, evenly from the lanes.
const READ: usize = 1_024;
/// So many of one lane at least.
const PER_LANE: usize = 8;
/// So many urgent ones are read before their turn at once.
const AHEAD: usize = 256;
/// When to look again at what waits for a number that rests.
const RESTS: SignedDuration = SignedDuration::from_secs(60);
/// When to look again whether a webhook has explained what waits for an operator.
const HELD: SignedDuration = SignedDuration::from_hours(1);

impl Dispatch {
    /// Begins to read lanes that this host has taken.
    pub async fn take_up(&mut self, lanes: Vec<(crate::domain::Lane, Term)>) -> Result<(), StoreError> {
        if lanes.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = lanes.iter().map(|(lane, _)| *lane).collect();
        let horizons: HashMap<_, _> = self.store.notified_until(&ids).await?.into_iter().collect();
        for waiting in self.store.waiting_recipients(&ids).await? {
            self.wait_until(&line_of(&waiting.phone_number_id, &waiting.recipient), waiting.due_at);
        }
        for (lane, term) in lanes {
            self.readings.begin(lane, term, horizons.get(&lane).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Reads on in the log; tells whether there is more.
    pub async fn read_log(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let cursors = self.readings.cursors();
        if cursors.is_empty() {
            return Ok(false);
        }
        let per_lane = (READ / cursors.len()).max(PER_LANE);
        let read = self.store.notifications_after(&cursors, per_lane).await?;
        let more = read.len() >= per_lane;
        let (_, read): (Vec<_>, Vec<_>) =
            read.into_iter().partition(|logged| self.readings.was_read_ahead((logged.lane, logged.seq)));
        self.take_in_all(read, now).await?;
        Ok(more)
    }

    /// Reads urgent messages before their turn, while there is no room for the others: all but those to recipients
    /// whose earlier messages have not been read yet.
    pub async fn read_urgent(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let looked = self.readings.looked();
        if looked.is_empty() {
            return Ok(());
        }
        let read = self.store.urgent_notifications(&looked, AHEAD).await?;
        for logged in &read {
            self.readings.read_ahead((logged.lane, logged.seq));
        }
        self.take_in_all(read, now).await
    }

    async fn take_in_all(&mut self, read: Vec<LoggedNotification>, now: Timestamp) -> Result<(), StoreError> {
        let begun: Vec<_> = read.iter().filter(|l| self.readings.maybe_begun((l.lane, l.seq))).collect();
        let histories = self.histories(begun.iter().map(|l| l.notification.id)).await?;
        let places: Vec<_> = begun.iter().map(|l| (l.lane, l.seq)).collect();
        let deferred =
            if places.is_empty() { Default::default() } else { self.store.deferred_places(&places).await? };
        for logged in read {
            let history = histories.get(&logged.notification.id).map(Vec::as_slice).unwrap_or_default();
            let standing = standing(history, deferred.contains(&(logged.lane, logged.seq)));
            self.take_in(logged, standing, now);
        }
        Ok(())
    }

    fn job(&self, mut logged: LoggedNotification, recipient: String) -> Job {
        if self.several_numbers {
            logged.window_until = logged.number_window_until;
        }
        let line = line_of(&logged.notification.phone_number_id, &recipient);
        Job { logged, recipient, line, attempt: 1, failures: 0, as_template: false, waited: false }
    }

    /// Lets a job wait to be sent; in `deferred`, where its number rests and others need the room.
    fn enqueue(&mut self, job: Job) {
        let number = &job.logged.notification.phone_number_id;
        let rests = self.several_numbers && self.numbers.get(number).is_some_and(NumberPace::rests);
        if !rests || self.queue.ready_of(number) < REFILL / 2 {
            return self.queue.push(job);
        }
        let until = self.store.now() + RESTS;
        self.wait(
            &job,
            until,
            job.attempt,
            "behind",
            Status::Deferred,
            "waits: the sending number cannot send",
        );
        self.wait_until(&job.line, until);
    }

    fn take_in(&mut self, logged: LoggedNotification, standing: Standing, now: Timestamp) {
        let place = (logged.lane, logged.seq);
        // Without a recipient it was recorded as skipped when it was planned.
        let Some(recipient) = logged.notification.recipient.clone() else {
            return self.readings.read(place, false);
        };
        let mut job = self.job(logged, recipient);
        match standing {
            Standing::Settled => self.readings.read(place, false),
            Standing::Lost { attempt, failures, since } => {
                self.readings.read(place, true);
                (job.attempt, job.failures) = (attempt, failures);
                self.wait_until(&job.line, since + self.unknown_for);
                self.wait(
                    &job,
                    since + self.unknown_for,
                    attempt,
                    "unknown",
                    Status::Unknown,
                    "the host stopped while it was sent",
                );
            }
            Standing::New => {
                self.readings.read(place, true);
                match (job.logged.notification.send_at, self.waiting.get(&job.line)) {
                    (Some(send_at), _) if send_at > now => {
                        self.wait(
                            &job,
                            send_at,
                            1,
                            "send_at",
                            Status::Deferred,
                            &format!("waits until {send_at}"),
                        );
                    }
                    (_, Some(due_at)) => {
                        let due_at = *due_at;
                        self.wait(
                            &job,
                            due_at,
                            1,
                            "behind",
                            Status::Deferred,
                            "waits behind an earlier message",
                        );
                    }
                    (_, None) => self.enqueue(job),
                }
            }
        }
    }

    /// Reads what waited and is due, and lets recipients go on for whom nothing waits any more.
    pub async fn read_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let lanes = self.readings.held();
        if lanes.is_empty() || self.queue.len() >= QUEUE {
            return Ok(());
        }
        let due = self.store.due(&lanes, now, QUEUE).await?;
        let all = due.len() < QUEUE;
        let tried = due
            .iter()
            .filter(|due| due.attempt > 1 || matches!(due.reason.as_str(), "unknown" | "hold"))
            .map(|due| due.logged.notification.id);
        let histories = self.histories(tried).await?;
        for due in due {
            let history = histories.get(&due.logged.notification.id).map(Vec::as_slice).unwrap_or_default();
            self.take_due(due, history);
        }
        if all {
            // What is not written yet cannot have been read.
            self.waiting.retain(|recipient, due_at| *due_at > now || self.deferring.contains_key(recipient));
        }
        Ok(())
    }

    fn take_due(&mut self, due: Due, history: &[Delivery]) {
        let place = (due.logged.lane, due.logged.seq);
        if self.queue.contains(place) || self.in_flight.contains(&place) {
            return;
        }
        let Some(recipient) = due.logged.notification.recipient.clone() else { return };
        self.unknown.remove(&due.logged.notification.id);
        let mut job = Job {
            attempt: due.attempt,
            failures: due.failures,
            as_template: due.reason == "as_template",
            waited: true,
            ..self.job(due.logged, recipient)
        };
        // Meta said of a template, late, that the window is closed.
        let needless = job.as_template && job.logged.notification.message.mode == Mode::Template;
        let unknown = matches!(due.reason.as_str(), "unknown" | "hold");
        if needless || taken(history) || (unknown && resolved(history, due.attempt)) {
            self.write(Write { done: job.done(), ..Write::default() });
            return;
        }
        if due.reason == "send_at"
            && let Some(due_at) = self.waiting.get(&job.line).copied()
        {
            return self.wait(&job, due_at, 1, "behind", Status::Deferred, "waits behind an earlier message");
        }
        match (unknown, job.logged.notification.message.on_unknown) {
            (false, _) => {}
            (true, OnUnknown::Drop) => {
                return self.give_up(&job, "no answer and no webhook came; its template says drop");
            }
            (true, OnUnknown::Hold) => {
                let why =
                    "no answer and no webhook came; its template says hold, so it waits for an operator";
                return self.wait(&job, self.store.now() + HELD, job.attempt, "hold", Status::Deferred, why);
            }
            (true, OnUnknown::Resend) => {
                job.failures = job.failures.saturating_add(1);
                if job.failures >= MAX_FAILURES {
                    let why = format!("no answer came to {MAX_FAILURES} attempts, and no webhook");
                    return self.give_up(&job, &why);
                }
                job.attempt = job.attempt.saturating_add(1);
            }
        }
        self.enqueue(job);
    }

    fn give_up(&mut self, job: &Job, why: &str) {
        let failed = settle::row(job, Status::Failed, self.store.now());
        let deliveries = vec![Delivery { detail: Some(why.to_owned()), ..failed }];
        self.write(Write { deliveries, done: job.done(), ..Write::default() });
    }

    /// Looks whether a webhook has told what came of sends that got no answer, so that their recipients'
    /// next messages need not wait for the whole time.
    pub async fn resolve_unknown(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let histories = self.histories(self.unknown.keys().copied()).await?;
        let mut resolved_lines = Vec::new();
        for (id, history) in histories {
            let Some((_, attempt, recipient)) = self.unknown.get(&id) else { continue };
            if resolved(&history, *attempt)
                && !self.deferring.contains_key(recipient)
                && let Some((place, attempt, recipient)) = self.unknown.remove(&id)
            {
                self.write(Write { done: Some(Done { place, attempt }), ..Write::default() });
                self.waiting.insert(recipient.clone(), now);
                resolved_lines.push(recipient);
            }
        }
        if !resolved_lines.is_empty() {
            let recipients: Vec<&str> =
                resolved_lines.iter().filter_map(|line| Some(line.split_once('/')?.1)).collect();
            self.store.hasten(&self.readings.held(), &recipients, now).await?;
        }
        // What is due is looked at again as it is read.
        self.unknown.retain(|_, (_, _, recipient)| self.waiting.contains_key(recipient));
        Ok(())
    }

    async fn histories(
        &self,
        ids: impl Iterator<Item = NotificationId>,
    ) -> Result<HashMap<NotificationId, Vec<Delivery>>, StoreError> {
        let ids: Vec<_> = ids.collect();
        let mut histories: HashMap<_, Vec<_>> = HashMap::new();
        if !ids.is_empty() {
            for row in self.store.deliveries_of(&ids).await? {
                histories.entry(row.notification_id).or_default().push(row);
            }
        }
        Ok(histories)
    }

    /// Lets a job wait in `deferred`, and says so in the delivery log.
    pub fn wait(
        &mut self,
        job: &Job,
        due_at: Timestamp,
        attempt: i16,
        reason: &'static str,
        status: Status,
        detail: &str,
    ) {
        *self.deferring.entry(job.line.clone()).or_default() += 1;
        if reason == "unknown" {
            self.unknown.insert(job.logged.notification.id, (job.place(), attempt, job.line.clone()));
        }
        self.write(Write {
            deliveries: vec![Delivery {
                detail: Some(detail.to_owned()),
                ..settle::row(job, status, self.store.now())
            }],
            deferred: Some(settle::deferred(job, due_at, attempt, reason)),
            written: Some(Written {
                place: job.place(),
                line: job.line.clone(),
                release: false,
                waits: true,
            }),
            ..Write::default()
        });
    }

    /// Lets what waits in memory behind a recipient's first job wait in `deferred` too: `spacing` apart,
    /// from `due_at` on.
    pub fn wait_behind(&mut self, line: &str, due_at: Timestamp, spacing: SignedDuration) {
        let mut last = due_at;
        for job in self.queue.drain(line) {
            last += spacing;
            self.wait(&job, last, job.attempt, "behind", Status::Deferred, "waits behind an earlier message");
        }
        self.wait_until(line, last);
    }

    /// A recipient's later messages wait until then, or until what they wait for already.
    fn wait_until(&mut self, line: &str, due_at: Timestamp) {
        let last = self.waiting.get(line).map_or(due_at, |last| due_at.max(*last));
        self.waiting.insert(line.to_owned(), last);
    }
}
