//! Decisions that tell nobody anew: their deduplication key is in use, or an earlier run of the event told all of them.

use std::collections::{HashMap, HashSet};

use super::Rows;
use crate::store::{CollectRow, DedupeClaim, DedupeHolder, NotificationRow, ToldBefore};
use hookswitch_core::{
    domain::{Decision, DecisionOutcome, Lane, Notification},
    plan::Planned,
};

/// Why a decision of an event that is routed again tells nobody.
pub const TOLD_BEFORE: &str = "an earlier run of this event told all whom the decision names";

impl Rows {
    /// The claims whose keys were taken before, or by an earlier claim of this batch.
    pub(super) fn taken_keys(&self, mut free: HashSet<(String, String)>) -> Vec<(usize, DedupeClaim)> {
        let taken = self.claims.iter().filter(|(_, c)| !free.remove(&(c.template.clone(), c.key.clone())));
        taken.cloned().collect()
    }

    /// Makes decisions whose key was taken duplicates, without notifications.
    pub(super) fn without_duplicates(
        &mut self,
        taken: &[(usize, DedupeClaim)],
        holders: &HashMap<(String, String), DedupeHolder>,
    ) {
        let mut duplicates = HashSet::new();
        for (place, claim) in taken {
            let Some(row) = self.decisions.get_mut(*place) else { continue };
            row.outcome = DecisionOutcome::Duplicate;
            row.reason = Some(in_words(claim, holders.get(&(claim.template.clone(), claim.key.clone()))));
            duplicates.insert((row.lane, row.event_seq, row.ordinal));
            self.collects.retain(|(collected, _)| collected != place);
        }
        self.notifications.retain(|row| !duplicates.contains(&(row.event_lane, row.event_seq, row.ordinal)));
        self.spread.retain(|spread| !duplicates.contains(&(spread.lane, spread.seq, spread.ordinal)));
    }

    /// Of an event that is routed again, nobody is told again what the event has told them.
    pub(super) fn without_repeats(&mut self, before: &ToldBefore) {
        let was_told = |row: &NotificationRow| {
            let Notification { recipient, username, template, .. } = &row.notification;
            let to = recipient.as_ref().or(username.as_ref()).cloned().unwrap_or_default();
            before.told.contains(&((row.event_lane, row.event_seq), template.clone(), to))
        };
        let repeats: Vec<NotificationRow> = self.notifications.extract_if(.., |row| was_told(row)).collect();
        let was_collected = |row: &CollectRow| {
            before.collected.contains(&((Lane(row.lane), row.event_seq), row.template.clone()))
        };
        let collected = self.collects.extract_if(.., |(_, row)| was_collected(row));
        let mut repeated: HashSet<(Lane, i64, i16)> =
            collected.map(|(_, row)| (Lane(row.lane), row.event_seq, row.ordinal)).collect();
        repeated.extend(repeats.iter().map(|row| (row.event_lane, row.event_seq, row.ordinal)));
        let told: HashSet<(Lane, i64, i16)> =
            self.notifications.iter().map(|row| (row.event_lane, row.event_seq, row.ordinal)).collect();
        let mut duplicates = HashSet::new();
        for (place, row) in self.decisions.iter_mut().enumerate() {
            let decision = (row.lane, row.event_seq, row.ordinal);
            if repeated.contains(&decision) && !told.contains(&decision) {
                row.outcome = DecisionOutcome::Duplicate;
                row.reason = Some(TOLD_BEFORE.to_owned());
                duplicates.insert(place);
            }
        }
        self.claims.retain(|(place, _)| !duplicates.contains(place));
    }
}

pub(super) fn claim(
    decision: &Decision,
    planned: &Planned,
    (lane, event_seq, _): (i16, i64, i16),
) -> Option<DedupeClaim> {
    let key = decision.dedupe_key.clone().filter(|_| planned.outcome == DecisionOutcome::Notify)?;
    let seconds = decision.dedupe_time().as_secs();
    Some(DedupeClaim { template: decision.template.clone(), key, lane, event_seq, seconds })
}

/// The first of equal keys in one batch claims it.
pub(super) fn first_of_each(claims: &[(usize, DedupeClaim)]) -> Vec<DedupeClaim> {
    let mut seen = HashSet::new();
    claims.iter().filter(|(_, c)| seen.insert((&c.template, &c.key))).map(|(_, c)| c.clone()).collect()
}

/// Why a decision is a duplicate.
fn in_words(claim: &DedupeClaim, holder: Option<&DedupeHolder>) -> String {
    let DedupeClaim { template, key, .. } = claim;
    let Some(holder) = holder else {
        return format!("the key {key:?} was already used for the template {template}");
    };
    let by = match &holder.event {
        _ if (holder.lane, holder.event_seq) == (claim.lane, claim.event_seq) => {
            "an earlier rule for this event".to_owned()
        }
        Some((id, source)) => format!("the event {id} from {source}"),
        None => "an event that is no longer in the log".to_owned(),
    };
    let until = holder.expires_at;
    format!("the key {key:?} was used for the template {template} by {by}, and applies until {until:.0}")
}
