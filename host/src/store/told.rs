//! Whom rules told lately.

use super::{Store, StoreError};

/// Decisions to look at of each lane.
const OF_LANE: i64 = 8;
/// A longer decision is passed over: most of it is the template's variables.
const LENGTH: i32 = 16 * 1024;

/// A rule's decision about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldLately {
    /// The event's type.
    pub kind: String,
    /// `file:line` of the rule.
    pub rule: String,
    /// The decision, as JSON.
    pub decision: String,
}

impl Store {
    /// The last decisions of each lane that told somebody: some hundred in all.
    pub async fn told_lately(&self) -> Result<Vec<ToldLately>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT e.type, d.rule, d.decision
                 FROM lane l
                 CROSS JOIN LATERAL (
                     SELECT lane, event_seq, rule, decision FROM decision
                     WHERE decision.lane = l.lane ORDER BY decision.event_seq DESC, decision.ordinal DESC LIMIT $1
                 ) d
                 JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                 WHERE d.rule IS NOT NULL AND octet_length(d.decision) <= $2",
                &[&OF_LANE, &LENGTH],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ToldLately { kind: row.try_get(0)?, rule: row.try_get(1)?, decision: row.try_get(2)? })
            })
            .collect()
    }
}
