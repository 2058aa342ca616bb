//! Decides what follows a failure that Meta reports after accepting the message. Pure.

use hookswitch_core::domain::{Delivery, Mode, Status};
use jiff::{SignedDuration, Timestamp};

use crate::{
    store::LateRetry,
    whatsapp::{MAX_FAILURES, Next, next, treatment},
};

/// The waits while nothing can be sent until an operator acts: a minute, then four times as long each time, up to six
/// hours.
const STOPPED_FIRST: f64 = 60.0;
const STOPPED_MOST: f64 = 6.0 * 3_600.0;

/// The next attempt, if one may succeed. Whether it is sent free-form or as a template is decided when it is due. `jitter`
/// is in 0..1.
pub(super) fn late_retry(row: &Delivery, now: Timestamp, jitter: f64) -> Option<LateRetry> {
    let code = row.code.filter(|_| row.status == Status::Failed && row.attempt < MAX_FAILURES)?;
    let (Next::Again { seconds, reason, counts }, _) =
        next(treatment(code, None), row.attempt, None, Mode::Auto, jitter)
    else {
        return None;
    };
    let stopped = STOPPED_FIRST * 4f64.powi(i32::from(row.attempt) - 1);
    // Meta accepted it before and may accept it again and again, so the rest of the number does not slow it down.
    let seconds = if counts { seconds } else { seconds.max(stopped.min(STOPPED_MOST)) };
    Some(LateRetry {
        notification_id: row.notification_id,
        failed: row.attempt,
        due_at: now + SignedDuration::from_secs_f64(seconds),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use hookswitch_core::domain::{NotificationId, WaitReason};

    fn seconds(attempt: i16, status: Status, code: i32) -> Option<(i64, WaitReason)> {
        let row = Delivery {
            notification_id: NotificationId(Uuid::nil()),
            attempt,
            status,
            at: Timestamp::UNIX_EPOCH,
            wamid: None,
            code: Some(code),
            detail: None,
        };
        late_retry(&row, Timestamp::UNIX_EPOCH, 1.0).map(|retry| (retry.due_at.as_second(), retry.reason))
    }

    #[test]
    fn only_a_failure_that_another_attempt_may_mend_is_tried_again() {
        assert_eq!(seconds(1, Status::Failed, 131000), Some((2, WaitReason::Retry)));
        assert_eq!(seconds(1, Status::Failed, 131047), Some((0, WaitReason::AsTemplate)));
        assert_eq!(seconds(1, Status::Failed, 132015), Some((0, WaitReason::Window)));
        assert_eq!(seconds(1, Status::Failed, 131026), None);
        assert_eq!(seconds(1, Status::Sent, 131000), None);
    }

    #[test]
    fn attempts_come_to_an_end_also_where_meta_takes_each() {
        assert_eq!(seconds(1, Status::Failed, 131042), Some((60, WaitReason::Retry)));
        assert_eq!(seconds(3, Status::Failed, 131042), Some((960, WaitReason::Retry)));
        assert_eq!(seconds(7, Status::Failed, 131042), Some((6 * 3_600, WaitReason::Retry)));
        assert_eq!(seconds(MAX_FAILURES, Status::Failed, 131042), None);
    }
}
