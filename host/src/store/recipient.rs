//! Whom a message in the log goes to now, and whether it may: a person's present contact, else the contact that the
//! planned number or user id is or was of; that contact's present address.

use hookswitch_core::domain::{Notification, OptOut, OptOutScope, QuietHours, Refusal};
use tokio_postgres::Row;

use super::{Store, StoreError, notification::quiet_hours};

/// Joins person, contact, opt-out and what took it back to a notification `n`. Of two opt-outs the one of everything counts. Each row looks
/// its own up, whatever the planner thinks of their number (hence the limits): no table of people is read as a whole.
pub(super) const JOINS: &str =
    "LEFT JOIN LATERAL (SELECT * FROM person WHERE person.username = n.username LIMIT 1) p ON true
     LEFT JOIN LATERAL (
         SELECT * FROM contact
         WHERE contact.id = CASE WHEN n.username IS NOT NULL THEN p.contact_id
             ELSE (SELECT contact_id FROM contact_address WHERE address = n.recipient) END
         LIMIT 1
     ) c ON true
     LEFT JOIN LATERAL (
         SELECT scope, source, at FROM opt_out
         WHERE contact_id = c.id AND NOT came_back ORDER BY scope LIMIT 1
     ) o ON true
     LEFT JOIN LATERAL (
         SELECT reason FROM withdrawal
         WHERE withdrawal.key = n.key AND withdrawal.event_seq > n.event_seq LIMIT 1
     ) taken ON true";

/// Where the message goes now: an address of a user who never wrote in may be known from the log only.
pub(super) const ADDRESS: &str =
    "CASE WHEN c.id IS NULL AND n.username IS NULL THEN n.recipient ELSE coalesce(c.wa_id, c.user_id) END";

/// The columns that [`refusal`] reads: the obstacle, the username, the opt-out, whichever messages it is about, and who
/// withdrew the message. [`REFUSAL_WIDTH`] is their number.
pub(super) const REFUSAL: &str = "CASE
         WHEN n.recipient IS NULL THEN 'erased'
         WHEN taken.reason IS NOT NULL THEN 'withdrawn'
         WHEN n.username IS NOT NULL AND p.id IS NULL THEN 'no_person'
         WHEN NOT p.active THEN 'deactivated'
         WHEN n.username IS NOT NULL AND c.id IS NULL THEN 'unlinked'
         WHEN c.id IS NOT NULL AND coalesce(c.wa_id, c.user_id) IS NULL THEN 'number_lost'
         WHEN o.scope IS NOT NULL THEN 'opted_out'
     END AS obstacle, n.username, o.scope, o.source, o.at, taken.reason AS withdrawn";

/// How many columns [`REFUSAL`] has.
pub(super) const REFUSAL_WIDTH: usize = 6;

/// Why a message may not be sent, from the columns of [`REFUSAL`] that begin at `first`.
pub(super) fn refusal(row: &Row, first: usize, is_marketing: bool) -> Result<Option<Refusal>, StoreError> {
    let Some(obstacle) = row.try_get::<_, Option<&str>>(first)? else { return Ok(None) };
    let username = || Ok::<_, StoreError>(row.try_get::<_, Option<String>>(first + 1)?.unwrap_or_default());
    Ok(Some(match obstacle {
        "erased" => Refusal::Erased,
        "withdrawn" => Refusal::Withdrawn(row.try_get(first + 5)?),
        "no_person" => Refusal::NoPerson(username()?),
        "deactivated" => Refusal::Deactivated(username()?),
        "unlinked" => Refusal::Unlinked(username()?),
        "number_lost" => Refusal::NumberLost,
        _ => {
            let scope: OptOutScope = row.try_get::<_, &str>(first + 2)?.parse().map_err(StoreError::Row)?;
            let opt_out = OptOut { scope, source: row.try_get(first + 3)?, at: row.try_get(first + 4)? };
            return Ok(opt_out.covers(is_marketing).then_some(Refusal::OptedOut(opt_out)));
        }
    }))
}

/// What a recipient wants now.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Why a message may not be sent to them.
    pub refusal: Option<Refusal>,
    /// When only urgent messages are sent to them.
    pub quiet_hours: Option<QuietHours>,
}

impl Store {
    /// What the recipients of these messages want now, in the order of the messages, which need not be stored.
    pub async fn wishes(&self, notifications: &[&Notification]) -> Result<Vec<Wishes>, StoreError> {
        let usernames: Vec<Option<&str>> = notifications.iter().map(|n| n.username.as_deref()).collect();
        let recipients: Vec<Option<&str>> = notifications.iter().map(|n| n.recipient.as_deref()).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT n.place, p.quiet_from, p.quiet_until, p.time_zone, {REFUSAL}
                 FROM (
                     SELECT r.username, r.recipient, r.place, NULL::text AS key, 0::bigint AS event_seq
                     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (username, recipient, place)
                 ) n
                 {JOINS}"
            ))
            .await?;
        let mut wishes = vec![Wishes::default(); notifications.len()];
        for row in client.query(&statement, &[&usernames, &recipients]).await? {
            let place = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
            if let Some((notification, wish)) = notifications.get(place).zip(wishes.get_mut(place)) {
                wish.refusal = refusal(&row, 4, notification.message.marketing)?;
                wish.quiet_hours = quiet_hours(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            }
        }
        Ok(wishes)
    }
}
