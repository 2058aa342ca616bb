//! What the delivery log says about a notification that was begun before this host took its lane. Pure.

use hookswitch_core::domain::{Delivery, Mode, Status, status_of};
use jiff::Timestamp;

use crate::whatsapp::{Next, next, treatment};

/// Where a notification stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// Nothing has happened yet.
    New,
    /// It has its outcome.
    Settled,
    /// An attempt was about to be made, and nobody wrote what came of it.
    Lost {
        /// Which attempt.
        attempt: i16,
        /// How many refusals count against it so far.
        failures: i16,
        /// Since when.
        since: Timestamp,
    },
}

/// Where a notification that does not wait in `deferred` stands, by its delivery rows.
pub fn standing(deliveries: &[Delivery]) -> Standing {
    let Some(last) = deliveries.iter().max_by_key(|row| (row.attempt, row.status)) else {
        return Standing::New;
    };
    if status_of(deliveries) > Status::Retrying {
        return Standing::Settled;
    }
    let counts = |row: &&Delivery| row.status == Status::Retrying && row.code.is_none_or(counts);
    let failures = deliveries.iter().filter(counts).count();
    Standing::Lost {
        attempt: last.attempt,
        failures: i16::try_from(failures).unwrap_or(i16::MAX),
        since: last.at,
    }
}

fn counts(code: i32) -> bool {
    !matches!(next(treatment(code, None), 1, None, Mode::Auto, 0.0).0, Next::Again { counts: false, .. })
}

/// Whether a webhook or an answer has told what came of an attempt whose outcome was unknown.
pub fn resolved(deliveries: &[Delivery], attempt: i16) -> bool {
    deliveries
        .iter()
        .any(|row| row.status.arrived() || (row.attempt >= attempt && row.status > Status::Retrying))
}

/// Whether Meta has taken an attempt, and not failed it since, whatever it answered: then no other is made.
pub fn taken(deliveries: &[Delivery]) -> bool {
    let failed =
        |attempt| deliveries.iter().any(|row| row.attempt == attempt && row.status == Status::Failed);
    deliveries.iter().any(|row| {
        let taken = matches!(row.status, Status::Accepted | Status::Held | Status::Sent);
        row.status.arrived() || (taken && !failed(row.attempt))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookswitch_core::domain::NotificationId;

    fn rows(rows: &[(i16, Status)]) -> Vec<Delivery> {
        rows.iter()
            .map(|(attempt, status)| Delivery {
                notification_id: NotificationId(uuid::Uuid::nil()),
                attempt: *attempt,
                status: *status,
                at: Timestamp::UNIX_EPOCH,
                wamid: None,
                code: None,
                detail: None,
            })
            .collect()
    }

    #[test]
    fn an_intent_without_an_outcome_is_lost() {
        let lost = |attempt| Standing::Lost { attempt, failures: attempt - 1, since: Timestamp::UNIX_EPOCH };
        assert_eq!(standing(&rows(&[])), Standing::New);
        assert_eq!(standing(&rows(&[(1, Status::Sending)])), lost(1));
        assert_eq!(standing(&rows(&[(1, Status::Retrying), (2, Status::Sending)])), lost(2));
    }

    #[test]
    fn an_outcome_settles() {
        for status in [Status::Accepted, Status::Failed, Status::Skipped, Status::Expired, Status::Read] {
            assert_eq!(standing(&rows(&[(1, Status::Sending), (1, status)])), Standing::Settled);
        }
    }

    #[test]
    fn a_webhook_resolves_an_unknown_outcome() {
        assert!(!resolved(&rows(&[(1, Status::Sending), (1, Status::Unknown)]), 1));
        assert!(resolved(&rows(&[(1, Status::Sending), (1, Status::Sent)]), 1));
        assert!(resolved(&rows(&[(1, Status::Read), (2, Status::Unknown)]), 2));
        assert!(!resolved(&rows(&[(1, Status::Failed), (2, Status::Unknown)]), 2));
    }

    #[test]
    fn what_meta_took_needs_no_other_attempt() {
        assert!(taken(&rows(&[(1, Status::Retrying), (1, Status::Sent)])));
        assert!(taken(&rows(&[(1, Status::Delivered), (1, Status::Failed)])));
        assert!(!taken(&rows(&[(1, Status::Retrying)])));
        assert!(!taken(&rows(&[(1, Status::Accepted), (1, Status::Sent), (1, Status::Failed)])));
    }
}
