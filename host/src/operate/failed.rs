//! Failed messages: chosen, redriven at a bounded rate, discarded.

use std::time::Duration;

use hookswitch_core::domain::{NotificationId, number};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::{Operate, Operator};
use crate::store::{DeadLetter, DeadLetterFilter, NotificationRow, StoreError};

/// Rows read at once.
const PAGE: i64 = 500;
/// Maximum number of transactions per second.
const STEPS: u32 = 5;

/// A person as notifications name them: the digits of a number, however it is written, or else a username or Meta's
/// user id.
pub fn stored_recipient(person: &str) -> String {
    number(person).map_or_else(|_| person.trim().to_owned(), |number| number.wa_id)
}

/// Which failed messages. A member that is `None` or empty does not restrict the choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Only these messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<Uuid>,
    /// Only messages with this template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Only messages to this person, by username, number or Meta's user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Only messages with this error code of Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Only messages that failed since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Choice {
    /// Whether it chooses all failed messages.
    pub fn is_empty(&self) -> bool {
        *self == Choice::default()
    }

    /// The messages of the choice that were created before `now`: what fails later is not among them.
    pub fn filter(&self, now: Timestamp) -> DeadLetterFilter {
        DeadLetterFilter {
            since: self.since.unwrap_or(Timestamp::UNIX_EPOCH),
            made_before: now,
            template: self.template.clone(),
            person: self.person.as_deref().map(stored_recipient),
            code: self.code,
            ids: self.ids.iter().copied().map(NotificationId).collect(),
        }
    }
}

/// The result of redriving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Number of messages that were resent.
    pub redriven: usize,
    /// Number of messages that may not be sent any more.
    pub skipped: usize,
}

impl Operate {
    /// Resends failed messages as new ones, at most `rate` per second; `progress` gets the number of each step.
    pub async fn redrive(
        &self,
        by: &Operator,
        choice: &Choice,
        filter: &DeadLetterFilter,
        rate: u32,
        progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Redriven, StoreError> {
        let mut act = by.act("failed.redrive", choice, None);
        let step = step_of(rate);
        let mut pace = interval(Duration::from_secs_f64(f64::from(step) / f64::from(rate)));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut after, mut done) = (None, Redriven::default());
        loop {
            pace.tick().await;
            // Read right before: somebody may be deactivated, or a message arrive after all, while this goes on.
            let letters = self.store.dead_letters(filter, after, i64::from(step)).await?;
            let Some(last) = letters.last() else { return Ok(done) };
            after = Some(last.place());
            let now = Timestamp::now();
            let pairs: Vec<_> = letters.iter().filter_map(|letter| again(letter, now)).collect();
            done.skipped += letters.len() - pairs.len();
            done.redriven += self.store.redrive(&pairs, now, &mut act).await?;
            progress(letters.len());
            // If it fails, the hosts find the messages when they poll.
            let _ = self.store.notify().await;
        }
    }

    /// Discards failed messages, and returns how many; `progress` gets the number of each step.
    pub async fn discard(
        &self,
        by: &Operator,
        choice: &Choice,
        filter: &DeadLetterFilter,
        reason: Option<&str>,
        progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<usize, StoreError> {
        let mut act = by.act("failed.discard", choice, reason);
        let (mut after, mut discarded) = (None, 0);
        loop {
            let page = self.store.dead_letters(filter, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(discarded) };
            after = Some(last.place());
            let ids: Vec<NotificationId> = page.iter().map(|letter| letter.notification.id).collect();
            discarded += self.store.discard(&ids, Timestamp::now(), &mut act).await?;
            progress(ids.len());
        }
    }
}

/// Messages per step at this rate.
pub(super) fn step_of(rate: u32) -> u32 {
    rate.div_ceil(STEPS).max(1)
}

/// The message as a new one; `None` if it may not be sent any more.
pub(super) fn again(letter: &DeadLetter, now: Timestamp) -> Option<(NotificationId, NotificationRow)> {
    let mut notification = letter.notification.clone();
    let expired = notification.expires_at.is_some_and(|until| until <= now);
    if expired || notification.message.is_kept || !letter.active || letter.reached_at.is_none() {
        return None;
    }
    notification.id = NotificationId(Uuid::now_v7());
    notification.recipient = letter.reached_at.clone();
    notification.send_at = None;
    if let Some(cause) = &mut notification.message.cause {
        cause.received_at = None;
        cause.again = true;
    }
    let row = NotificationRow {
        limit: None,
        event_lane: letter.event_lane,
        event_seq: letter.event_seq,
        ordinal: letter.ordinal,
        notification,
        clear: None,
        skipped: None,
    };
    Some((letter.notification.id, row))
}
