//! What an answer of Meta means for a notification: the rows to append, and what waits. Pure.

use hookswitch_core::domain::{Delivery, Mode, Status, WaitReason};
use jiff::{SignedDuration, Timestamp};

use super::job::Job;
use crate::{
    store::Deferred,
    whatsapp::{Accepted, Next, NumberEffect, SendError, next},
};

/// What an answer means.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Rows for the delivery log.
    pub deliveries: Vec<Delivery>,
    /// Set where another attempt follows.
    pub deferred: Option<Deferred>,
    /// For the number's pace.
    pub number: NumberEffect,
}

/// What Meta's answer to an attempt means.
pub fn settle(
    job: &Job,
    answer: Result<Accepted, SendError>,
    now: Timestamp,
    unknown_for: SignedDuration,
    jitter: f64,
) -> Settled {
    let error = match answer {
        Ok(accepted) => {
            let wamid = storable(&accepted.wamid);
            let row = |status| Delivery { wamid: Some(wamid.clone()), ..row(job, status, now) };
            let mut deliveries = vec![row(Status::Accepted)];
            if accepted.held {
                deliveries.push(row(Status::Held));
            }
            return Settled { deliveries, deferred: None, number: NumberEffect::None };
        }
        Err(error) => error,
    };
    let code = match &error {
        SendError::Refused { code, .. } => Some(*code),
        _ => None,
    };
    let (status, waits, number) = match error.treatment() {
        None => {
            let until = deferred(job, now + unknown_for, job.attempt, WaitReason::Unknown);
            (Status::Unknown, Some(until), NumberEffect::None)
        }
        Some(treatment) => {
            let failures = job.failures.saturating_add(1);
            // Sent as a template it cannot be refused for a closed window again.
            let mode = if job.as_template { Mode::Template } else { job.logged.notification.message.mode };
            match next(treatment, failures, error.retry_after(), mode, jitter) {
                (Next::Again { seconds, reason, counts }, number) => {
                    let due_at = now + SignedDuration::from_secs_f64(seconds);
                    let waits = Deferred {
                        failures: if counts { failures } else { job.failures },
                        ..deferred(job, due_at, job.attempt.saturating_add(1), reason)
                    };
                    (Status::Retrying, Some(waits), number)
                }
                (Next::GiveUp, number) => (Status::Failed, None, number),
            }
        }
    };
    // Meta may quote a value.
    let is_quiet = job.logged.has_secrets && code.is_some();
    let detail = (!is_quiet).then(|| storable(&error.to_string()));
    let delivery = Delivery { code, detail, ..row(job, status, now) };
    Settled { deliveries: vec![delivery], deferred: waits, number }
}

/// What Meta says, without what PostgreSQL's text cannot hold.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// A job that waits.
pub fn deferred(job: &Job, due_at: Timestamp, attempt: i16, reason: WaitReason) -> Deferred {
    Deferred {
        track: job.logged.track,
        seq: job.logged.seq,
        notification_id: job.logged.notification.id,
        phone_number_id: job.line.number.to_string(),
        recipient: job.line.recipient.to_string(),
        username: job.logged.notification.username.clone(),
        template: job.logged.notification.template.clone(),
        due_at,
        attempt,
        failures: job.failures,
        // What can only go as a template can do so the next time too.
        reason: if job.as_template
            && matches!(reason, WaitReason::Retry | WaitReason::Pair | WaitReason::Behind)
        {
            WaitReason::AsTemplate
        } else {
            reason
        },
        stopped_by: None,
    }
}

/// A row of the delivery log for a job's attempt.
pub fn row(job: &Job, status: Status, at: Timestamp) -> Delivery {
    Delivery {
        notification_id: job.logged.notification.id,
        attempt: job.attempt,
        status,
        at,
        wamid: None,
        code: None,
        detail: None,
    }
}
