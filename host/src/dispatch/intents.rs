//! Records that messages are about to be sent, and sends those whose attempt is this host's.

use std::{
    mem,
    time::{Duration, Instant},
};

use hookswitch_core::domain::{Delivery, Status, WaitReason};
use jiff::Timestamp;

use super::{
    job::Job,
    settle::{self, Settled},
    state::{Answer, Batch, Dispatch},
    uploads::Uploads,
};
use crate::{
    store::{Intended, Intent, StoreError},
    whatsapp::{CallbackData, Form, NumberEffect},
};

/// After something was found to be stopped, messages are looked at for so long before they are counted against the day's
/// limit.
const STOPPED_LATELY: Duration = Duration::from_secs(600);

impl Dispatch {
    /// Appends the intents of a batch, beside all else; [`Dispatch::take_intended`] hears of it.
    pub(super) fn intend(&mut self, batch: Vec<(Job, Form)>) {
        self.intending += 1;
        let (store, intents, uploads) = (self.store.clone(), self.intents.clone(), self.uploads.clone());
        let instant = Instant::now();
        let daily = self.daily(&batch, instant);
        let may_be_stopped = self.stopped_at.is_some_and(|at| instant.duration_since(at) < STOPPED_LATELY);
        tokio::spawn(async move {
            let now = store.now();
            let (mut batch, mut wait) = (batch, Vec::new());
            if let Some(mut daily) = daily {
                if may_be_stopped {
                    // Who is not written to takes no place; an error shows itself again below.
                    let stopped = store.stopped(&rows(&batch, &uploads)).await.unwrap_or_default();
                    daily.spare(&batch, &stopped);
                }
                match daily.allow(&store, mem::take(&mut batch), now).await {
                    Ok(allowed) => (batch, wait) = allowed,
                    Err((all, error)) => {
                        let _ = intents.send(Batch { jobs: all, intended: Err(error), wait });
                        return;
                    }
                }
            }
            let rows = rows(&batch, &uploads);
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
                Some(Intended::Stopped(stop)) => {
                    self.number_of(&job).unanswered -= 1;
                    self.stopped(&job, &stop, now);
                    continue;
                }
                None => {
                    tracing::warn!(
                        notification = %job.logged.notification.id,
                        trace = job.trace(),
                        "not sent: PostgreSQL no longer has this message"
                    );
                    self.number_of(&job).unanswered -= 1;
                    self.book.written(job.place());
                    continue;
                }
                Some(Intended::Begun) => {
                    tracing::warn!(
                        notification = %job.logged.notification.id,
                        trace = job.trace(),
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
                let callback_data = callback_data(&job);
                let ends = (&*job.line.number, to.as_str());
                // An upload takes a while, after which the lane may be another's.
                let may_go = || {
                    let leases = leases.borrow();
                    leases.are_ours(Instant::now().into()) && leases.lanes.get(&lane).copied() == term
                };
                let began = Instant::now();
                let answer = uploads.send(ends, form, &job.logged, &callback_data, may_go).await;
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
}

/// The intents of a batch.
fn rows(batch: &[(Job, Form)], uploads: &Uploads) -> Vec<Intent> {
    let row = |(job, form): &(Job, Form)| Intent {
        track: job.logged.track,
        seq: job.logged.seq,
        notification_id: job.logged.notification.id,
        attempt: job.attempt,
        is_marketing: job.logged.notification.message.marketing,
        form: in_words(job, *form, uploads),
    };
    batch.iter().map(row).collect()
}

/// What Meta repeats in each report about the message.
fn callback_data(job: &Job) -> String {
    let notification = &job.logged.notification;
    let template = notification.template.clone();
    CallbackData { id: notification.id, attempt: job.attempt, due_at: job.was_due_at(), template }.to_string()
}

/// How an attempt goes out, for its history.
fn in_words(job: &Job, form: Form, uploads: &Uploads) -> String {
    let window = match job.logged.window_until {
        None => "the recipient never wrote in".to_owned(),
        Some(until) => format!("the recipient's window ends at {until:.0}"),
    };
    let message = &job.logged.notification.message;
    let file =
        uploads.file_in_words(&job.logged, form).map(|file| format!("; with {file}")).unwrap_or_default();
    match form {
        Form::Text => format!("free-form; {window}{file}"),
        Form::Template => format!("as the Meta template {}; {window}{file}", message.template),
    }
}
