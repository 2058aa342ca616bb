//! A notification in memory, and the line it stands in.

use std::{fmt, sync::Arc};

use hookswitch_core::domain::{Cause, Track};
use jiff::Timestamp;

use crate::store::{Done, LoggedNotification};

/// A place in the notification log.
pub type Place = (Track, i64);

/// The line of a sending number's messages to a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId {
    /// The sending number, by Meta's id.
    pub number: Arc<str>,
    /// The recipient as it was planned: a `wa_id` or a user id.
    pub recipient: Arc<str>,
}

impl LineId {
    /// The line of this number's messages to this recipient.
    pub fn new(number: &str, recipient: &str) -> LineId {
        LineId { number: number.into(), recipient: recipient.into() }
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.recipient)
    }
}

/// A notification that is to be sent.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which, and what dispatch must know of its recipient.
    pub logged: LoggedNotification,
    /// The line it stands in.
    pub line: LineId,
    /// The attempt that is to be made, from 1.
    pub attempt: i16,
    /// How many refusals count against it so far.
    pub failures: i16,
    /// Send it as a Meta template, since Meta said that the window is closed.
    pub as_template: bool,
    /// It waited in `deferred`.
    pub waited: bool,
}

impl Job {
    /// The first attempt at a notification. One that was recorded as skipped when it was planned, as each without a recipient,
    /// never becomes a job.
    pub fn new(logged: LoggedNotification) -> Option<Job> {
        if logged.is_skipped {
            return None;
        }
        let notification = &logged.notification;
        let line = LineId::new(&notification.phone_number_id, notification.recipient.as_deref()?);
        Some(Job { logged, line, attempt: 1, failures: 0, as_template: false, waited: false })
    }

    /// When the message was due: when its event was received, or at the time that its rule set. `None` if it waited before its
    /// first attempt, for quiet hours, a window or a limit.
    pub fn was_due_at(&self) -> Option<Timestamp> {
        let notification = &self.logged.notification;
        let cause = notification.message.cause.as_ref();
        let received_at = cause.and_then(|cause| cause.received_at).unwrap_or(self.logged.created_at);
        let due_at = notification.send_at.unwrap_or_default().max(received_at);
        (!self.waited || self.attempt > 1).then_some(due_at)
    }

    /// The trace that its event is in.
    pub fn trace(&self) -> Option<&str> {
        self.logged.notification.message.cause.as_ref().and_then(Cause::trace_id)
    }

    /// This time, or the end of the message if that is earlier.
    pub fn at_most_until(&self, time: Timestamp) -> Timestamp {
        self.logged.notification.expires_at.map_or(time, |expires_at| time.min(expires_at))
    }

    /// That it waits no more, where it waited.
    pub fn done(&self) -> Option<Done> {
        self.waited.then(|| Done { place: self.place(), attempt: self.attempt })
    }

    /// Its place in the log.
    pub fn place(&self) -> Place {
        (self.logged.track, self.logged.seq)
    }
}

#[cfg(test)]
pub mod testing {
    use jiff::Timestamp;

    use super::*;
    use hookswitch_core::domain::{Lane, Message, Notification, NotificationId, Priority};

    /// A job of the number `1` that nothing is known of but this.
    pub fn job(seq: i64, recipient: &str, priority: Priority) -> Job {
        let logged = LoggedNotification {
            track: Track::new(Lane::of(recipient), priority),
            seq,
            created_at: Timestamp::UNIX_EPOCH,
            notification: Notification {
                id: NotificationId(uuid::Uuid::from_u128(seq.unsigned_abs().into())),
                username: None,
                name: None,
                recipient: Some(recipient.to_owned()),
                phone_number_id: "1".to_owned(),
                template: "t".to_owned(),
                priority,
                message: Message::default(),
                reason: String::new(),
                send_at: None,
                expires_at: None,
                key: None,
            },
            window_until: None,
            number_window_until: None,
            is_skipped: false,
            event_lane: Lane::of(recipient),
            has_secrets: false,
            quiet_hours: None,
            refusal: None,
        };
        Job {
            line: LineId::new("1", recipient),
            logged,
            attempt: 1,
            failures: 0,
            as_template: false,
            waited: false,
        }
    }
}
