//! Forgets the messages with values that must not stay, once they are settled.

use hookswitch_core::domain::NotificationId;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// Messages that are looked at each time. With more, for example because they wait for a window, the next look goes on.
const PAGE: i64 = 2_000;
/// How long a message that Meta took is kept for another attempt, should Meta report a failure: then it counts as settled
/// though nobody knows whether it arrived.
const TAKEN_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Where the next look begins.
#[derive(Debug)]
pub(super) struct Forgetting {
    after: NotificationId,
}

impl Default for Forgetting {
    fn default() -> Self {
        Forgetting { after: NotificationId(Uuid::nil()) }
    }
}

impl Forgetting {
    /// Looks at some messages, and forgets those that are settled.
    pub(super) async fn step(&mut self, store: &Store) -> Result<(), StoreError> {
        let Ok(taken_before) = store.now().checked_sub(TAKEN_FOR) else { return Ok(()) };
        let next = store.forget_secrets(self.after, taken_before, PAGE).await?;
        *self = next.map_or_else(Forgetting::default, |after| Forgetting { after });
        Ok(())
    }
}
