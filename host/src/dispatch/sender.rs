//! Sends what may go now.

use std::time::{Duration, Instant};

use hookswitch_core::{
    domain::{Delivery, Priority, Refusal, Status, SwitchMode, WaitReason},
    plan::MetaName,
    words::next_opening,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    book::Wait,
    form::{Shape, shape},
    job::Job,
    pace::PAIR_INTERVAL,
    settle::{self, Settled},
    state::Dispatch,
};
use crate::{
    store::Stop,
    whatsapp::{Form, NumberEffect},
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
/// For so long a message waits for a window or a template, and after it one that is held is looked at again.
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
    pub(super) fn may_send(&self, job: &Job, now: Instant) -> bool {
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
            let wait = Wait::new(time + wait, WaitReason::Pair, detail);
            self.book.wait_apart(&job, wait, spacing, time);
            return None;
        }
        Some((job, form))
    }

    /// A job that was taken is not sent, now or ever.
    pub(super) fn never(&mut self, job: &Job, status: Status, detail: Option<String>, now: Timestamp) {
        self.metrics.not_sent(status.as_str());
        let deliveries = vec![Delivery { detail, ..settle::row(job, status, now) }];
        let settled = Settled { deliveries, deferred: None, number: NumberEffect::None };
        self.book.settle(job, settled, None, now);
    }

    /// Lets a job wait for what may never come, but not beyond its end. It keeps nobody else waiting, its recipient's other
    /// messages neither: these may go out where this one cannot.
    fn hold(&mut self, job: &Job, until: Timestamp, reason: WaitReason, detail: &str, now: Timestamp) {
        self.book.wait(job, Wait::new(job.at_most_until(until), reason, detail), now);
    }

    /// An operator has stopped what a job is for. A message that is held keeps nobody else waiting.
    pub(super) fn stopped(&mut self, job: &Job, Stop { name, mode, by, reason }: &Stop, now: Timestamp) {
        self.stopped_at = Some(Instant::now());
        let why = name.stopped(by, reason);
        let detail = match mode {
            SwitchMode::Dropped => {
                let why = Refusal::Stopped(why).to_string();
                return self.never(job, Status::Skipped, Some(why), now);
            }
            SwitchMode::Held => format!("held: {why}"),
            SwitchMode::Resuming => format!("waits behind earlier messages: {name} is resumed"),
        };
        // Whoever resumes it wakes it; the time is the net under that.
        let until = now.checked_add(HELD_FOR).unwrap_or(now);
        let key = name.key();
        let wait = Wait {
            stopped_by: Some(&key),
            ..Wait::new(job.at_most_until(until), WaitReason::Stopped, &detail)
        };
        self.book.wait(job, wait, now);
    }
}
