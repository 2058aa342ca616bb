//! What an answer of Meta means for a notification: the rows to append, and what waits. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::queue::Job;
use crate::{
    domain::{Delivery, Mode, Status},
    store::Deferred,
    whatsapp::{Accepted, SendError, Treatment},
};

/// After so many attempts a message has failed.
pub const MAX_ATTEMPTS: i16 = 8;
/// How long a number rests that can send nothing until somebody acts; then it is tried again.
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

/// What follows a failure that is so treated, at this attempt. `jitter` is in 0..1.
pub fn next(treatment: Treatment, attempt: i16, mode: Mode, jitter: f64) -> (Next, NumberEffect) {
    let again = |seconds, reason, effect| (Next::Again(seconds, reason), effect);
    match treatment {
        // A stopped number says nothing about the message: it waits for the operator, however long.
        Treatment::StopNumber => again(STOPPED_FOR.as_secs_f64(), "retry", NumberEffect::Pause(STOPPED_FOR)),
        Treatment::GiveUp => (Next::GiveUp, NumberEffect::None),
        _ if attempt >= MAX_ATTEMPTS => (Next::GiveUp, NumberEffect::None),
        Treatment::Retry => again(backoff(attempt, jitter), "retry", NumberEffect::None),
        // Meta: wait 4^X seconds, X = 0, 1, 2, …
        Treatment::RetryPair => again(4f64.powi(i32::from(attempt) - 1), "pair", NumberEffect::None),
        Treatment::SlowNumber => again(backoff(attempt, jitter), "retry", NumberEffect::Slow),
        Treatment::Later(wait) => again(wait.as_secs_f64(), "retry", NumberEffect::Pause(wait)),
        Treatment::AsTemplate if mode == Mode::Auto => again(0.0, "as_template", NumberEffect::None),
        Treatment::AsTemplate => (Next::GiveUp, NumberEffect::None),
    }
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
            let until = deferred(job, now + unknown_for, job.attempt, "unknown");
            (Status::Unknown, Some(until), NumberEffect::None)
        }
        Some(treatment) => {
            // Sent as a template it cannot be refused for a closed window again.
            let mode = if job.as_template { Mode::Template } else { job.logged.notification.message.mode };
            match next(treatment, job.attempt, mode, jitter) {
                (Next::Again(seconds, reason), number) => {
                    let asked = error.retry_after().map_or(0.0, |wait| wait.as_secs_f64());
                    let due_at = now + SignedDuration::from_secs_f64(seconds.max(asked));
                    (Status::Retrying, Some(deferred(job, due_at, job.attempt + 1, reason)), number)
                }
                (Next::GiveUp, number) => (Status::Failed, None, number),
            }
        }
    };
    let delivery = Delivery { code, detail: Some(storable(&error.to_string())), ..row(job, status, now) };
    Settled { deliveries: vec![delivery], deferred: waits, number }
}

/// What Meta says, without what PostgreSQL's text cannot hold.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// A job that waits.
pub fn deferred(job: &Job, due_at: Timestamp, attempt: i16, reason: &'static str) -> Deferred {
    Deferred {
        lane: job.logged.lane,
        seq: job.logged.seq,
        notification_id: job.logged.notification.id,
        due_at,
        attempt,
        // What can only go as a template can do so the next time too.
        reason: if job.as_template && reason != "unknown" { "as_template" } else { reason },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_waits_as_meta_says() {
        for (attempt, seconds) in [(1, 1.0), (2, 4.0), (3, 16.0), (4, 64.0)] {
            let (next, number) = next(Treatment::RetryPair, attempt, Mode::Auto, 0.5);
            assert_eq!(next, Next::Again(seconds, "pair"));
            assert_eq!(number, NumberEffect::None);
        }
    }

    #[test]
    fn retries_come_to_an_end_but_not_for_a_stopped_number() {
        let at = |treatment| next(treatment, MAX_ATTEMPTS, Mode::Auto, 0.5).0;
        for treatment in
            [Treatment::Retry, Treatment::RetryPair, Treatment::SlowNumber, Treatment::AsTemplate]
        {
            assert_eq!(at(treatment), Next::GiveUp, "{treatment:?}");
        }
        assert!(matches!(at(Treatment::StopNumber), Next::Again(..)));
    }

    #[test]
    fn backoff_grows_and_is_bounded() {
        let at = |attempt, jitter| match next(Treatment::Retry, attempt, Mode::Auto, jitter).0 {
            Next::Again(seconds, _) => seconds,
            Next::GiveUp => f64::NAN,
        };
        assert_eq!(at(1, 1.0), 2.0);
        assert_eq!(at(4, 1.0), 16.0);
        assert_eq!(at(4, 0.5), 8.0);
        assert_eq!(at(1, 0.0), 0.1);
    }

    #[test]
    fn a_closed_window_is_answered_with_a_template_only_where_the_mode_lets() {
        assert_eq!(next(Treatment::AsTemplate, 1, Mode::Auto, 0.5).0, Next::Again(0.0, "as_template"));
        assert_eq!(next(Treatment::AsTemplate, 1, Mode::Text, 0.5).0, Next::GiveUp);
    }
}
