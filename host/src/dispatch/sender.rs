//! Sends what may go now.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{
    dispatcher::Dispatch,
    pace::PAIR_INTERVAL,
    queue::Job,
    settle::{self, NumberEffect, settle},
    writer::{Write, Written},
};
use crate::{
    domain::{Delivery, Mode, Status},
    store::{Intent, StoreError},
    whatsapp::{Accepted, Form, SendError},
};

/// So many intents at most are appended at once.
const BATCH: usize = 256;
/// When nothing is to be sent, the wake-ups tell.
const IDLE: Duration = Duration::from_secs(60);
/// When to look again whether the leases are renewed.
const LEASES: Duration = Duration::from_millis(200);

/// Meta's answer to an attempt.
pub struct Answer {
    job: Job,
    answer: Result<Accepted, SendError>,
}

impl Dispatch {
    /// Sends what may go now, and tells when the next may go.
    pub(super) async fn send_ready(&mut self) -> Result<Instant, StoreError> {
        let mut next = Instant::now() + IDLE;
        let mut batch = Vec::new();
        while batch.len() < BATCH && self.unanswered + batch.len() < self.most_unanswered {
            let now = Instant::now();
            let ready = self.number.ready_at(now);
            if ready > now {
                next = ready;
                break;
            }
            // Until the leases are renewed, or the lanes are lost and leave the queue.
            if !self.leases.borrow().are_ours(now.into()) {
                next = now + LEASES;
                break;
            }
            let Some(job) = self.queue.pop() else { break };
            if let Some(job) = self.may_go(job, now) {
                self.number.take(now);
                self.pairs.take(&job.recipient, now);
                batch.push(job);
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

    /// The job, unless it has expired, must wait for the pair limit, or its lane is lost.
    fn may_go(&mut self, job: Job, now: Instant) -> Option<Job> {
        if !self.leases.borrow().hold(job.logged.lane, now.into()) {
            self.queue.release(&job.recipient);
            return None;
        }
        let time = Timestamp::now();
        if job.logged.notification.expires_at.is_some_and(|expires_at| expires_at <= time) {
            self.write(Write {
                deliveries: vec![settle::row(&job, Status::Expired, time)],
                done: job.done(),
                written: Some(Written {
                    place: job.place(),
                    recipient: job.recipient,
                    release: true,
                    waits: false,
                }),
                ..Write::default()
            });
            return None;
        }
        let ready = self.pairs.ready_at(&job.recipient, now);
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
            self.wait_behind(&job.recipient, time + wait, spacing);
            self.queue.release(&job.recipient);
            return None;
        }
        Some(job)
    }

    async fn send(&mut self, batch: Vec<Job>) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let intents: Vec<Intent> = batch
            .iter()
            .map(|job| Intent {
                lane: job.logged.lane,
                seq: job.logged.seq,
                notification_id: job.logged.notification.id,
                attempt: job.attempt,
                form: in_words(job, form(job, now)),
            })
            .collect();
        let ours = self.store.intend(&intents, now, now + self.unknown_for).await?;
        for job in batch {
            if !ours.contains(&job.logged.notification.id) {
                tracing::warn!(notification = %job.logged.notification.id, "another host has begun to send this");
                self.readings.settled(job.place());
                self.queue.release(&job.recipient);
                continue;
            }
            self.in_flight.insert(job.place());
            self.unanswered += 1;
            self.progress.began(job.logged.lane);
            // A host that was stopped for a while must not send what may be another's by now.
            if !self.leases.borrow().hold(job.logged.lane, Instant::now().into()) {
                let why = "the host lost the lane before it was sent".to_owned();
                self.take_answer(Answer { job, answer: Err(SendError::Unknown(why)) });
                continue;
            }
            let client = self.client.clone();
            let answers = self.answers.clone();
            tokio::spawn(async move {
                let notification = &job.logged.notification;
                let callback_data = format!("{}:{}", notification.id, job.attempt);
                let form = form(&job, now);
                let answer = client.send(&job.recipient, form, &notification.message, &callback_data).await;
                // Dispatch waits for the answers of all that it has sent.
                let _ = answers.send(Answer { job, answer });
            });
        }
        Ok(())
    }

    /// What Meta's answer means is written; the recipient's line stands until it is.
    pub(super) fn take_answer(&mut self, Answer { job, answer }: Answer) {
        self.unanswered -= 1;
        let now = Instant::now();
        let settled = settle(&job, answer, Timestamp::now(), self.unknown_for, rand::random());
        match settled.number {
            NumberEffect::None => {}
            NumberEffect::Slow => self.number.slow(now),
            NumberEffect::Pause(time) => self.number.pause(now + time),
        }
        for Delivery { status, code, detail, .. } in &settled.deliveries {
            if *status < Status::Accepted || *status == Status::Failed {
                let detail = detail.as_deref().unwrap_or_default();
                tracing::warn!(notification = %job.logged.notification.id, attempt = job.attempt, %status, code, detail, "a send did not go well");
            }
        }
        let waits = settled.deferred.as_ref().map(|deferred| (deferred.due_at, deferred.reason));
        if let Some((due_at, reason)) = waits {
            self.wait_behind(&job.recipient, due_at, SignedDuration::ZERO);
            *self.deferring.entry(job.recipient.clone()).or_default() += 1;
            if reason == "unknown" {
                self.unknown
                    .insert(job.logged.notification.id, (job.place(), job.attempt, job.recipient.clone()));
            }
        }
        self.write(Write {
            deliveries: settled.deliveries,
            done: job.done().filter(|_| settled.deferred.is_none()),
            deferred: settled.deferred,
            written: Some(Written {
                place: job.place(),
                recipient: job.recipient,
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

fn form(job: &Job, now: Timestamp) -> Form {
    match job.logged.notification.message.mode {
        Mode::Text => Form::Text,
        Mode::Template => Form::Template,
        Mode::Auto if job.as_template => Form::Template,
        Mode::Auto if job.logged.window_until.is_some_and(|until| now < until) => Form::Text,
        Mode::Auto => Form::Template,
    }
}
