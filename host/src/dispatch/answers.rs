//! Takes Meta's answers.

use std::time::{Duration, Instant};

use hookswitch_core::{
    domain::{Delivery, Status, WaitReason},
    plan::MetaName,
};
use jiff::Timestamp;

use super::{
    form::PARKED_FOR,
    job::Job,
    settle::settle,
    state::{Answer, Dispatch},
};
use crate::{
    traces::Attempt,
    whatsapp::{Form, NumberEffect, SendError, Treatment, is_known},
};

impl Dispatch {
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
                waited: job.was_due_at().is_none(),
                cause: notification.message.cause.as_ref(),
            };
            self.tracer.sent(&attempt, &notification.template, time, took, failed);
        }
        for Delivery { status, code, detail, .. } in &settled.deliveries {
            if *status < Status::Accepted || *status == Status::Failed {
                let detail = detail.as_deref().unwrap_or_default();
                let trace = job.trace();
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
                if let Some(due_at) = job.was_due_at() {
                    let seconds = now.duration_since(due_at).as_secs_f64();
                    let trace = job.trace();
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
}
