//! What an answer of Meta means for a notification: the rows to append, and what waits. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::queue::Job;
use crate::{
    domain::{Delivery, Mode, Status},
    store::Deferred,
    whatsapp::{Accepted, SendError, Treatment, treatment},
};

/// How long the outcome of a send that got no answer may stay unknown: a webhook usually tells in seconds.
pub const UNKNOWN_FOR: SignedDuration = SignedDuration::from_secs(60);
/// After so many attempts a message has failed.
pub const MAX_ATTEMPTS: i16 = 8;
/// How long a number rests that can send nothing until somebody acts; then one message tries again.
const STOPPED_FOR: Duration = Duration::from_secs(60);

const BACKOFF_FIRST: f64 = 2.0;
const BACKOFF_MOST: f64 = 300.0;

/// What an answer says about the sending number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumberEffect {
    /// Nothing.
    None,
    /// It was too fast.
    Slow,
    /// It can send nothing for so long.
    Pause(Duration),
}

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

/// What is done about a refusal, whether Meta gave it as an answer or, later, by webhook.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Another attempt after so many seconds, for this reason.
    Again(f64, &'static str),
    /// None.
    GiveUp,
}

/// What follows a refusal with this code at this attempt. `jitter` is in 0..1.
pub fn next(code: i32, subcode: Option<i32>, attempt: i16, mode: Mode, jitter: f64) -> (Next, NumberEffect) {
    let again = |seconds, reason, effect| (Next::Again(seconds, reason), effect);
    match treatment(code, subcode) {
        // A stopped number says nothing about the message: it waits for the operator, however long.
        Treatment::StopNumber => {
            again(STOPPED_FOR.as_secs_f64(), "retry", NumberEffect::Pause(STOPPED_FOR))
        }
        Treatment::GiveUp => (Next::GiveUp, NumberEffect::None),
        _ if attempt >= MAX_ATTEMPTS => (Next::GiveUp, NumberEffect::None),
        Treatment::Retry => again(backoff(attempt, jitter), "retry", NumberEffect::None),
        Treatment::RetryPair => again(4f64.powi(i32::from(attempt) - 1), "pair", NumberEffect::None),
        Treatment::SlowNumber => again(backoff(attempt, jitter), "retry", NumberEffect::Slow),
        Treatment::Later(wait) => again(wait.as_secs_f64(), "retry", NumberEffect::Pause(wait)),
        Treatment::AsTemplate if mode == Mode::Auto => again(0.0, "as_template", NumberEffect::None),
        Treatment::AsTemplate => (Next::GiveUp, NumberEffect::None),
    }
}

/// What Meta's answer to an attempt means.
pub fn settle(job: &Job, answer: Result<Accepted, SendError>, now: Timestamp, jitter: f64) -> Settled {
    match answer {
        Ok(accepted) => {
            let row = |status| Delivery { wamid: Some(accepted.wamid.clone()), ..row(job, status, now) };
            let mut deliveries = vec![row(Status::Accepted)];
            if accepted.held {
                deliveries.push(row(Status::Held));
            }
            Settled { deliveries, deferred: None, number: NumberEffect::None }
        }
        Err(SendError::Refused(refusal)) => {
            let mode = job.logged.notification.message.mode;
            let mode = if job.as_template { Mode::Template } else { mode };
            let (next, number) = next(refusal.code, refusal.subcode, job.attempt, mode, jitter);
            let next = match (next, refusal.retry_after) {
                (Next::Again(seconds, reason), Some(wait)) => {
                    Next::Again(seconds.max(wait.as_secs_f64()), reason)
                }
                (next, _) => next,
            };
            after(job, next, number, Some(refusal.code), refusal.to_string(), now)
        }
        Err(SendError::Unknown(why)) => {
            let mut settled = Settled {
                deliveries: vec![Delivery { detail: Some(why), ..row(job, Status::Unknown, now) }],
                deferred: None,
                number: NumberEffect::None,
            };
            settled.deferred = Some(deferred(job, now + UNKNOWN_FOR, job.attempt, "unknown"));
            settled
        }
        Err(error @ (SendError::NotSent(_) | SendError::Garbled { .. })) => {
            let next = if job.attempt >= MAX_ATTEMPTS {
                Next::GiveUp
            } else {
                Next::Again(backoff(job.attempt, jitter), "retry")
            };
            after(job, next, NumberEffect::None, None, error.to_string(), now)
        }
    }
}

fn after(
    job: &Job,
    next: Next,
    number: NumberEffect,
    code: Option<i32>,
    detail: String,
    now: Timestamp,
) -> Settled {
    let (status, deferred) = match next {
        Next::Again(seconds, reason) => {
            let due_at = now + SignedDuration::from_secs_f64(seconds);
            (Status::Retrying, Some(deferred(job, due_at, job.attempt + 1, reason)))
        }
        Next::GiveUp => (Status::Failed, None),
    };
    let delivery = Delivery { code, detail: Some(detail), ..row(job, status, now) };
    Settled { deliveries: vec![delivery], deferred, number }
}

/// A job that waits.
pub fn deferred(job: &Job, due_at: Timestamp, attempt: i16, reason: &'static str) -> Deferred {
    Deferred {
        lane: job.logged.lane,
        seq: job.logged.seq,
        notification_id: job.logged.notification.id,
        due_at,
        attempt,
        reason,
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

/// Exponential, with full jitter: anywhere from none of it to all of it, but never at once.
fn backoff(attempt: i16, jitter: f64) -> f64 {
    let whole = BACKOFF_FIRST * 2f64.powi(i32::from(attempt) - 1);
    (whole.min(BACKOFF_MOST) * jitter).max(0.1)
}
