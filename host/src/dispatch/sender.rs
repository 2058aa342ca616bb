//! Sends what may go now.

use std::{
    mem,
    time::{Duration, Instant},
};

use hookswitch_core::{
    domain::{Cause, Delivery, Priority, Status, WaitReason},
    plan::MetaName,
    words::next_opening,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    book::Wait,
    form::{PARKED_FOR, Shape, shape},
    job::Job,
    pace::PAIR_INTERVAL,
    settle::{self, Settled, settle},
    state::{Answer, Batch, Dispatch},
    uploads::Uploads,
};
use crate::{
    store::{Intended, Intent, StoreError},
    traces::Attempt,
    whatsapp::{CallbackData, Form, NumberEffect, SendError, Treatment, is_known},
};

/// At most so many intents are appended at once.
const BATCH: usize = 256;
/// So many batches of intents at most are on their way.
const INTENDING: usize = 2;
/// When nothing is to be sent, the wake-ups tell.
const IDLE: Duration = Duration::from_secs(60);
/// When to look again whether the leases are renewed.
const LEASES: Duration = Duration::from_millis(200);
/// When to look again at a message that is held, though nobody has told of a reason to: the net under the webhooks. As long
/// as it has waited already, within these.
const HELD_FIRST: SignedDuration = SignedDuration::from_mins(1);
const HELD_MOST: SignedDuration = SignedDuration::from_hours(12);
/// For so long a message waits for a window or a template.
const HELD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why a message is not sent again whose values were not to stay.
const GONE: &str =
    "it had values that must not stay, which were deleted once it was settled; post a new event";

impl Dispatch {
    /// Sends what may go now, and tells when the next may go.
    pub(super) fn send_ready(&mut self) -> Instant {
        let mut next = Instant::now() + IDLE;
        let mut batch = Vec::new();
        let mut numbers = self.book.lines.numbers();
        if !numbers.is_empty() {
            // None is always the first.
            let first = rand::random_range(0..numbers.len());
            numbers.rotate_left(first);
        }
        let most_unanswered = self.numbers.most_unanswered;
        for number in numbers {
            while batch.len() < BATCH && self.intending < INTENDING {
                let now = Instant::now();
                let state = self.numbers.get(&number);
                // Answers, or the batches that are on their way, tell when there is room again.
                if state.unanswered >= most_unanswered {
                    break;
                }
                let ready = state.pace.ready_at(now);
                if ready > now {
                    next = next.min(ready);
                    break;
                }
                // Until the leases are renewed, or the lanes are lost and leave the queues.
                if !self.leases.borrow().are_ours(now.into()) {
                    next = next.min(now + LEASES);
                    break;
                }
                let spare = state.pace.spare_at(now);
                let Some(job) = self.book.lines.take(&number, spare <= now) else {
                    if spare > now {
                        next = next.min(spare);
                    }
                    break;
                };
                if !self.may_send(&job, now) {
                    // The next round looks at the lanes first.
                    self.book.lines.put_back(job);
                    next = next.min(now + LEASES);
                    break;
                }
                if let Some(ready) = self.may_go(job, now) {
                    self.pairs.take(&ready.0.line, now);
                    let state = self.numbers.get(&number);
                    state.pace.take(now);
                    state.unanswered += 1;
                    batch.push(ready);
                }
            }
        }
        if batch.len() == BATCH {
            next = Instant::now();
        }
        if !batch.is_empty() {
            self.intend(batch);
        }
        self.write();
        next
    }

    /// Whether the job's lane is certainly ours at this moment, in the term in which it was read.
    fn may_send(&self, job: &Job, now: Instant) -> bool {
        let (lane, leases) = (job.logged.track.lane(), self.leases.borrow());
        leases.hold(lane, now.into()) && self.book.readings.are_current(lane, &leases)
    }

    /// The job and how it goes out, unless it has expired or must wait.
    fn may_go(&mut self, mut job: Job, now: Instant) -> Option<(Job, Form)> {
        let time = self.store.now();
        let expires_at = job.logged.notification.expires_at;
        if expires_at.is_some_and(|expires_at| expires_at <= time) {
            self.never(&job, Status::Expired, None, time);
            return None;
        }
        // Not only when its turn has come: what waits for a window that never opens is told too.
        if let Some(why) = job.logged.refusal.take() {
            self.never(&job, Status::Skipped, Some(why.to_string()), time);
            return None;
        }
        if job.logged.notification.message.is_kept {
            self.never(&job, Status::Failed, Some(GONE.to_owned()), time);
            return None;
        }
        let quiet = job.logged.quiet_hours.as_ref();
        if let Some((quiet, end)) = quiet.and_then(|quiet| Some((quiet, quiet.end(time)?)))
            && job.logged.notification.priority != Priority::Urgent
        {
            let detail = format!("waits until {end:.0}: quiet hours {quiet}");
            self.hold(&job, end, WaitReason::Quiet, &detail, time);
            return None;
        }
        if quiet.is_none()
            && job.logged.notification.priority != Priority::Urgent
            && let Some(hours) = job.logged.notification.message.hours.clone()
            && let Some(opens) = next_opening(&hours, time).filter(|opens| *opens > time)
        {
            let detail = format!("waits until {opens:.0}: it is sent {hours}");
            self.hold(&job, opens, WaitReason::Quiet, &detail, time);
            return None;
        }
        let shape = shape(&job, &self.in_use.load(), &self.parked, time, now);
        let form = shape.form();
        match shape {
            Shape::Text => {}
            Shape::Template(MetaName { name, language, parameter_names }) => {
                let message = &mut job.logged.notification.message;
                (message.template, message.language) = (name, language);
                message.parameter_names = parameter_names;
            }
            Shape::Held(why) => {
                let since = job.logged.notification.send_at.unwrap_or(job.logged.created_at);
                let waited = time.duration_since(since);
                if waited >= HELD_FOR {
                    let why = format!("it waited for 7 days: {why}");
                    self.never(&job, Status::Expired, Some(why), time);
                    return None;
                }
                let wait = waited.clamp(HELD_FIRST, HELD_MOST).min(HELD_FOR - waited);
                self.hold(&job, time + wait, WaitReason::Window, why, time);
                return None;
            }
            Shape::Parked(until) => {
                let wait = SignedDuration::try_from(until - now).unwrap_or(HELD_FIRST);
                let detail = "waits a minute: Meta has just refused the template";
                self.hold(&job, time + wait, WaitReason::Window, detail, time);
                return None;
            }
        }
        let ready = self.pairs.ready_at(&job.line, now);
        if ready > now {
            let wait = SignedDuration::try_from(ready - now).unwrap_or(SignedDuration::ZERO);
            let spacing = SignedDuration::try_from(PAIR_INTERVAL).unwrap_or(SignedDuration::ZERO);
            let detail = "waits for Meta's pair limit";
            let wait = Wait { due_at: time + wait, reason: WaitReason::Pair, detail };
            self.book.wait_apart(&job, wait, spacing, time);
            return None;
        }
        Some((job, form))
    }

    /// A job that was taken is not sent, now or ever.
    fn never(&mut self, job: &Job, status: Status, detail: Option<String>, now: Timestamp) {
        self.metrics.not_sent(status.as_str());
        let deliveries = vec![Delivery { detail, ..settle::row(job, status, now) }];
        let settled = Settled { deliveries, deferred: None, number: NumberEffect::None };
        self.book.settle(job, settled, None, now);
    }

    /// Lets a job wait for what may never come, but not beyond its end. It keeps nobody else waiting, its recipient's other
    /// messages neither: these may go out where this one cannot.
    fn hold(&mut self, job: &Job, until: Timestamp, reason: WaitReason, detail: &str, now: Timestamp) {
        let due_at = job.logged.notification.expires_at.map_or(until, |expires_at| until.min(expires_at));
        self.book.wait(job, Wait { due_at, reason, detail }, now);
    }

    /// Appends the intents of a batch, beside all else; [`Dispatch::take_intended`] hears of it.
    fn intend(&mut self, batch: Vec<(Job, Form)>) {
        self.intending += 1;
        let (store, intents, uploads) = (self.store.clone(), self.intents.clone(), self.uploads.clone());
        let daily = self.daily(&batch, Instant::now());
        tokio::spawn(async move {
            let now = store.now();
            let (mut batch, mut wait) = (batch, Vec::new());
            if let Some(daily) = daily {
                match daily.allow(&store, mem::take(&mut batch), now).await {
                    Ok(allowed) => (batch, wait) = allowed,
                    Err((all, error)) => {
                        let _ = intents.send(Batch { jobs: all, intended: Err(error), wait });
                        return;
                    }
                }
            }
            let rows: Vec<Intent> = batch
                .iter()
                .map(|(job, form)| Intent {
                    track: job.logged.track,
                    seq: job.logged.seq,
                    notification_id: job.logged.notification.id,
                    attempt: job.attempt,
                    is_marketing: job.logged.notification.message.marketing,
                    form: in_words(job, *form, &uploads),
                })
                .collect();
            let intended = match rows.is_empty() {
                true => Ok(Default::default()),
                false => store.intend(&rows, now).await,
            };
            // Dispatch waits for all that it has taken.
            let _ = intents.send(Batch { jobs: batch, intended, wait });
        });
    }

    /// The intents of a batch are appended: what is ours is sent.
    ///
    /// # Errors
    /// Where nobody knows whether they are: then all must be read anew.
    pub(super) fn take_intended(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.intending -= 1;
        let Batch { jobs, intended, wait } = batch;
        let now = self.store.now();
        for (job, free_at) in &wait {
            self.number_of(job).unanswered -= 1;
            self.over_daily_limit(job, *free_at, now);
        }
        let mut intended = match intended {
            Ok(intended) => intended,
            Err(error) => {
                for (job, _) in &jobs {
                    self.number_of(job).unanswered -= 1;
                    self.book.written(job.place());
                }
                self.write();
                return Err(error);
            }
        };
        for (job, form) in jobs {
            let to = match intended.remove(&job.logged.notification.id) {
                Some(Intended::Ours { to }) => to,
                Some(Intended::Refused(why)) => {
                    self.number_of(&job).unanswered -= 1;
                    self.never(&job, Status::Skipped, Some(why.to_string()), now);
                    continue;
                }
                None => {
                    tracing::warn!(
                        notification = %job.logged.notification.id,
                        trace = trace_of(&job),
                        "not sent: PostgreSQL no longer has this message"
                    );
                    self.number_of(&job).unanswered -= 1;
                    self.book.written(job.place());
                    continue;
                }
                Some(Intended::Begun) => {
                    tracing::warn!(
                        notification = %job.logged.notification.id,
                        trace = trace_of(&job),
                        "another host has begun to send this"
                    );
                    self.number_of(&job).unanswered -= 1;
                    let due_at = now.checked_add(self.book.unknown_for).unwrap_or(now);
                    self.book.unknown(&job, due_at, None, now);
                    continue;
                }
            };
            // A host that was stopped for a while must not send what may be another's by now.
            if !self.may_send(&job, Instant::now()) {
                self.number_of(&job).unanswered -= 1;
                self.not_sent(&job, now);
                continue;
            }
            self.remember_counted(&job, form, Instant::now());
            let (uploads, answers) = (self.uploads.clone(), self.answers.clone());
            let (leases, lane) = (self.leases.clone(), job.logged.track.lane());
            let term = leases.borrow().lanes.get(&lane).copied();
            tokio::spawn(async move {
                let notification = &job.logged.notification;
                let callback_data = callback_data(&job);
                let ends = (&*job.line.number, to.as_str());
                // An upload takes a while, after which the lane may be another's.
                let may_go = || {
                    let leases = leases.borrow();
                    leases.are_ours(Instant::now().into()) && leases.lanes.get(&lane).copied() == term
                };
                let began = Instant::now();
                let answer = uploads.send(ends, form, &notification.message, &callback_data, may_go).await;
                let took = began.elapsed();
                // Dispatch waits for the answers of all that it has sent.
                let _ = answers.send(Answer { job, to, form, answer, took });
            });
        }
        self.write();
        Ok(())
    }

    /// The intent is appended, and the lane was lost before the message was sent: whoever holds it makes the next attempt.
    fn not_sent(&mut self, job: &Job, now: Timestamp) {
        let detail = Some("the host lost the lane before it was sent".to_owned());
        let deliveries = vec![Delivery { detail, ..settle::row(job, Status::Retrying, now) }];
        let deferred = settle::deferred(job, now, job.attempt.saturating_add(1), WaitReason::Retry);
        let settled = Settled { deliveries, deferred: Some(deferred), number: NumberEffect::None };
        self.book.settle(job, settled, None, now);
    }

    /// What Meta's answer means is written; the recipient's line stands until it is.
    pub(super) fn take_answer(&mut self, Answer { job, to, form, answer, took }: Answer) {
        let now = Instant::now();
        let number = self.number_of(&job);
        number.unanswered -= 1;
        number.heard_at = now;
        if let Err(error) = &answer
            && error.treatment() == Some(Treatment::ParkTemplate)
            && form == Form::Template
        {
            let message = &job.logged.notification.message;
            let version = MetaName {
                name: message.template.clone(),
                language: message.language.clone(),
                parameter_names: message.parameter_names.clone(),
            };
            self.parked.insert(version, now + PARKED_FOR);
            self.template_refused.notify_one();
        }
        let refused = answer.as_ref().err().and_then(SendError::treatment);
        let opted_out = (refused == Some(Treatment::OptOut)).then_some(to);
        let heard = !matches!(answer, Err(SendError::NotSent(_) | SendError::Unknown(_)));
        let time = self.store.now();
        self.number_of(&job).metrics.answered_after(took.as_secs_f64());
        let settled = settle(&job, answer, time, self.book.unknown_for, rand::random());
        if let Some(wait) = settled.deferred.as_ref().filter(|deferred| deferred.reason == WaitReason::Pair) {
            let wait = Duration::try_from(wait.due_at.duration_since(time)).unwrap_or_default();
            self.pairs.rest(&job.line, now + wait);
        }
        let pace = &mut self.number_of(&job).pace;
        match settled.number {
            NumberEffect::Rest(rest) => {
                if pace.rest(now, rest) {
                    let detail = settled.deliveries.first().and_then(|row| row.detail.as_deref());
                    tracing::error!(
                        phone_number_id = &*job.line.number,
                        seconds = rest.as_secs(),
                        detail,
                        "the number cannot send: it rests, then one message tries"
                    );
                }
            }
            effect => {
                if effect == NumberEffect::Slow {
                    pace.slow(now);
                }
                if pace.answered(now, heard) {
                    tracing::info!(phone_number_id = &*job.line.number, "the number can send again");
                }
            }
        }
        self.count(&job, &settled.deliveries, time);
        if let Some(row) = settled.deliveries.first() {
            let failed = (row.status != Status::Accepted)
                .then(|| row.code.map_or_else(|| row.status.to_string(), |code| code.to_string()));
            let notification = &job.logged.notification;
            let attempt = Attempt {
                id: notification.id,
                attempt: job.attempt,
                waited: due_at(&job).is_none(),
                cause: notification.message.cause.as_ref(),
            };
            self.tracer.sent(&attempt, &notification.template, time, took, failed);
        }
        for Delivery { status, code, detail, .. } in &settled.deliveries {
            if *status < Status::Accepted || *status == Status::Failed {
                let detail = detail.as_deref().unwrap_or_default();
                let trace = trace_of(&job);
                tracing::warn!(notification = %job.logged.notification.id, trace, attempt = job.attempt, %status, code, detail, "a send did not go well");
            }
        }
        self.book.settle(&job, settled, opted_out, time);
        self.write();
    }

    /// Counts an attempt by its result.
    fn count(&mut self, job: &Job, deliveries: &[Delivery], now: Timestamp) {
        let Some(row) = deliveries.first() else { return };
        let metrics = &self.number_of(job).metrics;
        let result = match row.status {
            Status::Accepted => {
                let notification = &job.logged.notification;
                metrics.accepted(&notification.template);
                if let Some(due_at) = due_at(job) {
                    let seconds = now.duration_since(due_at).as_secs_f64();
                    let trace = trace_of(job);
                    self.metrics.accepted_after(
                        notification.priority.as_str(),
                        seconds,
                        trace,
                        notification.id,
                    );
                }
                return;
            }
            Status::Retrying => "retry",
            Status::Unknown => "unknown",
            _ => {
                metrics.failed(&job.logged.notification.template);
                "failed"
            }
        };
        metrics.not_accepted(result, row.code.map(|code| is_known(code).then_some(code)));
    }

    fn number_of(&mut self, job: &Job) -> &mut super::state::Number {
        self.numbers.get(&job.line.number)
    }
}

/// When a message was due: when its event was received, or at the time that its rule set. `None` if it waited before its
/// first attempt, for quiet hours, a window or a limit.
fn due_at(job: &Job) -> Option<Timestamp> {
    let logged = &job.logged;
    let notification = &logged.notification;
    let cause = notification.message.cause.as_ref();
    let received_at = cause.and_then(|cause| cause.received_at).unwrap_or(logged.created_at);
    let due_at = notification.send_at.unwrap_or_default().max(received_at);
    (!job.waited || job.attempt > 1).then_some(due_at)
}

/// The trace that its event is in.
fn trace_of(job: &Job) -> Option<&str> {
    job.logged.notification.message.cause.as_ref().and_then(Cause::trace_id)
}

/// What Meta repeats in each report about the message.
fn callback_data(job: &Job) -> String {
    let notification = &job.logged.notification;
    let template = notification.template.clone();
    CallbackData { id: notification.id, attempt: job.attempt, due_at: due_at(job), template }.to_string()
}

/// How an attempt goes out, for its history.
fn in_words(job: &Job, form: Form, uploads: &Uploads) -> String {
    let window = match job.logged.window_until {
        None => "the recipient never wrote in".to_owned(),
        Some(until) => format!("the recipient's window ends at {until:.0}"),
    };
    let message = &job.logged.notification.message;
    let file = uploads.file_in_words(message, form).map(|file| format!("; with {file}")).unwrap_or_default();
    match form {
        Form::Text => format!("free-form; {window}{file}"),
        Form::Template => format!("as the Meta template {}; {window}{file}", message.template),
    }
}
