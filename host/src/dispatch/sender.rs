//! Sends what may go now.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{
    dispatcher::Dispatch,
    form::{PARKED_FOR, Shape, shape},
    pace::PAIR_INTERVAL,
    queue::Job,
    settle::{self, settle},
    writer::{Write, Written},
};
use crate::{
    domain::{Delivery, Priority, Refusal, Status},
    plan::MetaName,
    store::{Intended, Intent, StoreError},
    whatsapp::{Accepted, Form, NumberEffect, SendError, Treatment},
};

/// So many intents at most are appended at once.
const BATCH: usize = 256;
/// When nothing is to be sent, the wake-ups tell.
const IDLE: Duration = Duration::from_secs(60);
/// When to look again whether the leases are renewed.
const LEASES: Duration = Duration::from_millis(200);
/// When to look again at a message that is held, though nobody has told of a reason to: the net under the webhooks.
const HELD: SignedDuration = SignedDuration::from_hours(1);

/// Meta's answer to an attempt.
pub struct Answer {
    job: Job,
    form: Form,
    answer: Result<Accepted, SendError>,
}

impl Dispatch {
    /// Sends what may go now, and tells when the next may go.
    pub(super) async fn send_ready(&mut self) -> Result<Instant, StoreError> {
        let mut next = Instant::now() + IDLE;
        let mut batch = Vec::new();
        let mut numbers = self.queue.numbers();
        if !numbers.is_empty() {
            // None is always the first.
            let first = rand::random_range(0..numbers.len());
            numbers.rotate_left(first);
        }
        for number in numbers {
            while batch.len() < BATCH && self.unanswered + batch.len() < self.most_unanswered {
                let now = Instant::now();
                let ready = self.number(&number).ready_at(now);
                if ready > now {
                    next = next.min(ready);
                    break;
                }
                // Until the leases are renewed, or the lanes are lost and leave the queue.
                if !self.leases.borrow().are_ours(now.into()) {
                    next = next.min(now + LEASES);
                    break;
                }
                let Some(job) = self.queue.pop(&number) else { break };
                if let Some(ready) = self.may_go(job, now) {
                    self.number(&number).take(now);
                    self.pairs.take(&ready.0.line, now);
                    batch.push(ready);
                }
            }
        }
        if batch.len() == BATCH {
            next = Instant::now();
        }
        if !batch.is_empty() {
            self.send(batch).await?;
        }
        Ok(next)
    }

    /// The job and how it goes out, unless it has expired, must wait, or its lane is lost.
    fn may_go(&mut self, mut job: Job, now: Instant) -> Option<(Job, Form)> {
        if !self.leases.borrow().hold(job.logged.lane, now.into()) {
            self.queue.release(&job.line);
            return None;
        }
        let time = self.store.now();
        if job.logged.notification.expires_at.is_some_and(|expires_at| expires_at <= time) {
            self.write(Write {
                deliveries: vec![settle::row(&job, Status::Expired, time)],
                done: job.done(),
                written: Some(Written { place: job.place(), line: job.line, release: true, waits: false }),
                ..Write::default()
            });
            return None;
        }
        // Not only when its turn has come: what waits for a window that never opens is told too.
        if let Some(why) = job.logged.refusal.take() {
            self.skip(job, &why);
            return None;
        }
        let quiet = job.logged.quiet_hours.as_ref();
        if let Some((quiet, end)) = quiet.and_then(|quiet| Some((quiet, quiet.end(time)?)))
            && job.logged.notification.priority != Priority::Urgent
        {
            let why = format!("waits until {end:.0}: quiet hours {quiet}");
            self.hold(job, end, "quiet", &why);
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
                self.hold(job, time + HELD, "window", why);
                return None;
            }
            Shape::Parked(until) => {
                let wait = SignedDuration::try_from(until - now).unwrap_or(HELD);
                self.hold(job, time + wait, "window", "waits a minute: Meta has just refused the template");
                return None;
            }
        }
        let ready = self.pairs.ready_at(&job.line, now);
        if ready > now {
            let wait = SignedDuration::try_from(ready - now).unwrap_or(SignedDuration::ZERO);
            let spacing = SignedDuration::try_from(PAIR_INTERVAL).unwrap_or(SignedDuration::ZERO);
            self.wait(
                &job,
                time + wait,
                job.attempt,
                "pair",
                Status::Deferred,
                "waits for Meta's pair limit",
            );
            self.wait_behind(&job.line, time + wait, spacing);
            self.queue.release(&job.line);
            return None;
        }
        Some((job, form))
    }

    /// A job is not sent, for this reason.
    fn skip(&mut self, job: Job, why: &Refusal) {
        let skipped = settle::row(&job, Status::Skipped, self.store.now());
        self.write(Write {
            deliveries: vec![Delivery { detail: Some(why.to_string()), ..skipped }],
            done: job.done(),
            written: Some(Written { place: job.place(), line: job.line, release: true, waits: false }),
            ..Write::default()
        });
    }

    /// Lets a job wait for what may never come. It keeps nobody else waiting, its recipient's other messages
    /// neither: these may go out where this one cannot.
    fn hold(&mut self, job: Job, until: Timestamp, reason: &'static str, why: &str) {
        let until = job.logged.notification.expires_at.map_or(until, |expires_at| until.min(expires_at));
        self.wait(&job, until, job.attempt, reason, Status::Deferred, why);
        self.queue.release(&job.line);
    }

    async fn send(&mut self, batch: Vec<(Job, Form)>) -> Result<(), StoreError> {
        let batch = self.within_daily_limit(batch).await?;
        if batch.is_empty() {
            return Ok(());
        }
        let now = self.store.now();
        let intents: Vec<Intent> = batch
            .iter()
            .map(|(job, form)| Intent {
                lane: job.logged.lane,
                seq: job.logged.seq,
                notification_id: job.logged.notification.id,
                attempt: job.attempt,
                is_marketing: job.logged.notification.message.marketing,
                form: in_words(job, *form),
            })
            .collect();
        let mut intended = self.store.intend(&intents, now, now + self.unknown_for).await?;
        for (mut job, form) in batch {
            match intended.remove(&job.logged.notification.id) {
                Some(Intended::Ours { to }) => job.recipient = to,
                Some(Intended::Refused(why)) => {
                    self.skip(job, &why);
                    continue;
                }
                Some(Intended::Begun) | None => {
                    tracing::warn!(notification = %job.logged.notification.id, "another host has begun to send this");
                    self.readings.settled(job.place());
                    self.queue.release(&job.line);
                    continue;
                }
            }
            self.in_flight.insert(job.place());
            self.unanswered += 1;
            self.progress.began(job.logged.lane);
            // A host that was stopped for a while must not send what may be another's by now.
            if !self.leases.borrow().hold(job.logged.lane, Instant::now().into()) {
                let why = "the host lost the lane before it was sent".to_owned();
                self.take_answer(Answer { job, form, answer: Err(SendError::Unknown(why)) });
                continue;
            }
            let client = self.client.clone();
            let answers = self.answers.clone();
            tokio::spawn(async move {
                let notification = &job.logged.notification;
                let callback_data = format!("{}:{}", notification.id, job.attempt);
                let answer = client
                    .send(
                        &notification.phone_number_id,
                        &job.recipient,
                        form,
                        &notification.message,
                        &callback_data,
                    )
                    .await;
                // Dispatch waits for the answers of all that it has sent.
                let _ = answers.send(Answer { job, form, answer });
            });
        }
        Ok(())
    }

    /// What Meta's answer means is written; the recipient's line stands until it is.
    pub(super) fn take_answer(&mut self, Answer { job, form, answer }: Answer) {
        self.unanswered -= 1;
        let now = Instant::now();
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
        let opted_out = (refused == Some(Treatment::OptOut)).then(|| job.recipient.clone());
        let heard = !matches!(answer, Err(SendError::NotSent(_) | SendError::Unknown(_)));
        let number = job.logged.notification.phone_number_id.clone();
        let settled = settle(&job, answer, self.store.now(), self.unknown_for, rand::random());
        match settled.number {
            NumberEffect::Rest(time) => {
                if self.number(&number).rest(now, time) {
                    let detail = settled.deliveries.first().and_then(|row| row.detail.as_deref());
                    tracing::error!(
                        phone_number_id = number,
                        seconds = time.as_secs(),
                        detail,
                        "the number cannot send: it rests, then one message tries"
                    );
                }
            }
            effect => {
                if effect == NumberEffect::Slow {
                    self.number(&number).slow(now);
                }
                if self.number(&number).answered(now, heard) {
                    tracing::info!(phone_number_id = number, "the number can send again");
                }
            }
        }
        for Delivery { status, code, detail, .. } in &settled.deliveries {
            if *status < Status::Accepted || *status == Status::Failed {
                let detail = detail.as_deref().unwrap_or_default();
                tracing::warn!(notification = %job.logged.notification.id, attempt = job.attempt, %status, code, detail, "a send did not go well");
            }
        }
        let waits = settled.deferred.as_ref().map(|deferred| (deferred.due_at, deferred.reason));
        if let Some((due_at, reason)) = waits {
            self.wait_behind(&job.line, due_at, SignedDuration::ZERO);
            *self.deferring.entry(job.line.clone()).or_default() += 1;
            if reason == "unknown" {
                self.unknown.insert(job.logged.notification.id, (job.place(), job.attempt, job.line.clone()));
            }
        }
        self.write(Write {
            deliveries: settled.deliveries,
            done: job.done().filter(|_| settled.deferred.is_none()),
            deferred: settled.deferred,
            opted_out,
            written: Some(Written {
                place: job.place(),
                line: job.line,
                release: true,
                waits: waits.is_some(),
            }),
        });
    }
}

/// How an attempt goes out, for its history.
fn in_words(job: &Job, form: Form) -> String {
    let window = match job.logged.window_until {
        None => "the recipient never wrote in".to_owned(),
        Some(until) => format!("the recipient's window ends at {until:.0}"),
    };
    match form {
        Form::Text => format!("free-form; {window}"),
        Form::Template => {
            format!("as the Meta template {}; {window}", job.logged.notification.message.template)
        }
    }
}
