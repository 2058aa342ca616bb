//! Decisions that are collected into digests instead of being told now.

use std::collections::HashMap;

use hookswitch_core::{
    domain::{Collect, CollectBy, Decision, DecisionOutcome, uuid_at},
    plan::{Planned, PlannedNotification},
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::Rows;
use crate::store::{CollectRow, OpenDigest};

impl Rows {
    /// Adds the digests of a decision to its reason.
    pub(super) fn tell_digests(&mut self, digests: &[OpenDigest]) {
        let mut told: HashMap<usize, Vec<OpenDigest>> = HashMap::new();
        for ((place, _), digest) in self.collects.iter().zip(digests) {
            told.entry(*place).or_default().push(*digest);
        }
        for (place, digests) in told {
            let Some(row) = self.decisions.get_mut(place) else { continue };
            let digests: Vec<String> = digests
                .iter()
                .map(|digest| format!("{} (closes at {:.0})", digest.id, digest.due_at))
                .collect();
            let what = if digests.len() == 1 { "the digest" } else { "the digests" };
            let collected = format!("collected into {what} {}", digests.join(", "));
            row.reason = Some(match row.reason.take() {
                Some(reason) => format!("{reason}; {collected}"),
                None => collected,
            });
        }
    }
}

/// Whether one digest collects the decision for all of its recipients, so that none is looked up yet.
pub(super) fn is_for_a_group(decision: &Decision) -> bool {
    decision.collect.as_ref().is_some_and(|collect| collect.by != CollectBy::Person)
}

/// The collected parts of a decision. Unreachable recipients are recorded when the digest is sent, or now if each person
/// has a digest.
pub(super) fn collect(
    decision: &Decision,
    planned: &mut Planned,
    (lane, event_seq, ordinal): (i16, i64, i16),
    now: Timestamp,
) -> Vec<CollectRow> {
    let Some(Collect { time, by }) =
        decision.collect.clone().filter(|_| planned.outcome == DecisionOutcome::Notify)
    else {
        return Vec::new();
    };
    planned.outcome = DecisionOutcome::Collected;
    let context = serde_json::json!(decision.context).to_string();
    // The parts of the decision that a digest needs; its variables are separate.
    let first =
        Decision { context: Default::default(), dedupe_key: None, dedupe_for: None, ..decision.clone() };
    let row = |first: Decision| {
        let mut whom = [&first.groups, &first.users, &first.contacts].map(Clone::clone);
        whom.iter_mut().for_each(|names| names.sort());
        CollectRow {
            template: first.template.clone(),
            key: hex::encode(Sha256::digest(serde_json::json!([by, whom, first.language]).to_string())),
            lane,
            event_seq,
            ordinal,
            context: context.clone(),
            decision: serde_json::json!(first).to_string(),
            seconds: time.as_secs(),
            new_id: uuid_at(now),
        }
    };
    match by {
        CollectBy::Group | CollectBy::Key(_) => {
            planned.notifications.clear();
            vec![row(first)]
        }
        CollectBy::Person => {
            let alone = Decision { groups: Vec::new(), users: Vec::new(), contacts: Vec::new(), ..first };
            let reached = planned.notifications.extract_if(.., |planned| planned.skipped.is_none());
            let each = reached.map(|PlannedNotification { notification, .. }| Decision {
                contacts: match &notification.username {
                    Some(_) => Vec::new(),
                    None => notification.recipient.into_iter().collect(),
                },
                users: notification.username.into_iter().collect(),
                ..alone.clone()
            });
            each.map(row).collect()
        }
    }
}
