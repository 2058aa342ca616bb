//! What a batch of decided events comes to: the rows of the decision and notification logs, the dedupe keys it
//! claims, and what is collected.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::{NoContext, Uuid};

use super::Decided;
use crate::{
    catalog::Catalog,
    domain::{Collect, CollectBy, Decision, Outcome, People, Senders},
    plan::{Addressee, InUse, Planned, PlannedNotification, plan},
    store::{
        CollectRow, DecisionRow, DedupeClaim, DedupeHolder, NotificationRow, OpenDigest, ParkedRow,
        RoutingTransaction, StoreError,
    },
};

/// How long a dedupe key counts where the rule does not say.
const DEDUPE_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a batch appends.
#[derive(Default)]
pub(super) struct Rows {
    pub decisions: Vec<DecisionRow>,
    pub notifications: Vec<NotificationRow>,
    /// Beside each claim the decision's place among the rows.
    claims: Vec<(usize, DedupeClaim)>,
    /// Likewise.
    collects: Vec<(usize, CollectRow)>,
}

impl Rows {
    /// What the events come to.
    pub(super) fn new(
        catalog: &Catalog,
        in_use: &InUse,
        senders: &Senders,
        decided: &[Decided],
        people: &People,
        now: Timestamp,
    ) -> Rows {
        let mut rows = Rows::default();
        for Decided { logged, verdicts } in decided {
            for (ordinal, verdict) in (0i16..).zip(verdicts) {
                let mut planned = plan(&catalog.templates, senders, &logged.event, verdict, people, now);
                let decision = match &verdict.outcome {
                    Outcome::Notify(decision) => Some(&**decision),
                    _ => None,
                };
                let place = rows.decisions.len();
                let seq = (logged.lane.0, logged.seq, ordinal);
                if let Some(decision) = decision {
                    rows.claims.extend(claim(decision, &planned, seq).map(|claim| (place, claim)));
                    let collects = collect(decision, &mut planned, seq, now);
                    rows.collects.extend(collects.into_iter().map(|row| (place, row)));
                    for PlannedNotification { notification, .. } in &mut planned.notifications {
                        let to = Addressee {
                            name: notification.name.as_deref(),
                            username: notification.username.as_deref(),
                        };
                        in_use.apply(&notification.template, decision, to, &mut notification.message);
                    }
                }
                rows.decisions.push(DecisionRow {
                    lane: logged.lane,
                    event_seq: logged.seq,
                    ordinal,
                    outcome: planned.outcome,
                    reason: planned.reason,
                    engine: verdict.rule.as_ref().map(|rule| rule.engine.as_str()),
                    rule: verdict.rule.as_ref().map(ToString::to_string),
                    release: catalog.release.clone(),
                    decision: decision.and_then(|decision| serde_json::to_string(decision).ok()),
                    asked: (!verdict.asked.is_empty())
                        .then(|| serde_json::to_string(&verdict.asked).ok())
                        .flatten(),
                });
                rows.notifications.extend(planned.notifications.into_iter().map(|planned| NotificationRow {
                    event_lane: logged.lane,
                    event_seq: logged.seq,
                    ordinal,
                    notification: planned.notification,
                    skipped: planned.skipped,
                }));
            }
        }
        rows
    }

    /// The events that a plugin failed on.
    pub(super) fn parked(&self) -> Vec<ParkedRow> {
        let plugin_of = |rule: &str| rule.split('/').nth(1).map(str::to_owned);
        let parked = self.decisions.iter().filter(|row| row.outcome == "parked");
        parked
            .filter_map(|row| {
                Some(ParkedRow {
                    lane: row.lane,
                    event_seq: row.event_seq,
                    ordinal: row.ordinal,
                    plugin: row.rule.as_deref().and_then(plugin_of)?,
                })
            })
            .collect()
    }

    /// Numbers the decisions from there on.
    pub(super) fn number_from(&mut self, first: i16) {
        self.decisions.iter_mut().for_each(|row| row.ordinal += first);
        self.notifications.iter_mut().for_each(|row| row.ordinal += first);
        self.collects.iter_mut().for_each(|(_, row)| row.ordinal += first);
    }

    /// Claims keys, collects, and appends what is left.
    pub(super) async fn write(
        mut self,
        transaction: &RoutingTransaction<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction.park(&self.parked()).await?;
        if !self.claims.is_empty() {
            let free = transaction.claim(&first_of_each(&self.claims), now).await?;
            let taken = self.taken(free);
            if !taken.is_empty() {
                let keys: Vec<&DedupeClaim> = taken.iter().map(|(_, claim)| claim).collect();
                let holders = transaction.dedupe_holders(&keys).await?;
                self.without_duplicates(&taken, &holders);
            }
        }
        if !self.collects.is_empty() {
            let collected: Vec<CollectRow> = self.collects.iter().map(|(_, row)| row.clone()).collect();
            let digests = transaction.collect(&collected).await?;
            self.tell_digests(&digests);
        }
        transaction.append(&self.decisions, &self.notifications, now).await
    }

    /// The claims whose keys were not free, or were so for an earlier claim of this batch.
    fn taken(&self, mut free: HashSet<(String, String)>) -> Vec<(usize, DedupeClaim)> {
        let taken = self.claims.iter().filter(|(_, c)| !free.remove(&(c.template.clone(), c.key.clone())));
        taken.cloned().collect()
    }

    /// Decisions whose key was taken become duplicates, and tell nobody.
    fn without_duplicates(
        &mut self,
        taken: &[(usize, DedupeClaim)],
        holders: &HashMap<(String, String), DedupeHolder>,
    ) {
        let mut duplicates = HashSet::new();
        for (place, claim) in taken {
            let Some(row) = self.decisions.get_mut(*place) else { continue };
            row.outcome = "duplicate";
            row.reason = Some(in_words(claim, holders.get(&(claim.template.clone(), claim.key.clone()))));
            duplicates.insert((row.lane, row.event_seq, row.ordinal));
            self.collects.retain(|(collected, _)| collected != place);
        }
        self.notifications.retain(|row| !duplicates.contains(&(row.event_lane, row.event_seq, row.ordinal)));
    }

    /// Each decision says which digests it went into.
    fn tell_digests(&mut self, digests: &[OpenDigest]) {
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

/// Why a decision is a duplicate.
fn in_words(claim: &DedupeClaim, holder: Option<&DedupeHolder>) -> String {
    let DedupeClaim { template, key, .. } = claim;
    let Some(holder) = holder else {
        return format!("the key {key:?} was used for the template {template} already");
    };
    let by = match &holder.event {
        _ if (holder.lane, holder.event_seq) == (claim.lane, claim.event_seq) => {
            "an earlier rule for this event".to_owned()
        }
        Some((id, source)) => format!("the event {id} from {source}"),
        None => "an event that is in the log no more".to_owned(),
    };
    let until = holder.expires_at;
    format!("the key {key:?} was used for the template {template} by {by}, and counts until {until:.0}")
}

fn claim(
    decision: &Decision,
    planned: &Planned,
    (lane, event_seq, _): (i16, i64, i16),
) -> Option<DedupeClaim> {
    let key = decision.dedupe_key.clone().filter(|_| planned.outcome == "notify")?;
    let seconds = decision.dedupe_for.unwrap_or(DEDUPE_FOR).as_secs();
    Some(DedupeClaim { template: decision.template.clone(), key, lane, event_seq, seconds })
}

/// Of equal keys in one batch the first claims.
fn first_of_each(claims: &[(usize, DedupeClaim)]) -> Vec<DedupeClaim> {
    let mut seen = HashSet::new();
    claims.iter().filter(|(_, c)| seen.insert((&c.template, &c.key))).map(|(_, c)| c.clone()).collect()
}

/// What is collected of a decision, instead of told now: that somebody cannot be reached is told when the digest goes
/// out, or now where each person has one.
fn collect(
    decision: &Decision,
    planned: &mut Planned,
    (lane, event_seq, ordinal): (i16, i64, i16),
    now: Timestamp,
) -> Vec<CollectRow> {
    let Some(Collect { time, by }) = decision.collect.filter(|_| planned.outcome == "notify") else {
        return Vec::new();
    };
    planned.outcome = "collected";
    let context = serde_json::json!(decision.context).to_string();
    let row = |decision: Decision| {
        let mut whom = [&decision.groups, &decision.users, &decision.contacts].map(Clone::clone);
        whom.iter_mut().for_each(|names| names.sort());
        let first = Decision { context: Default::default(), dedupe_key: None, dedupe_for: None, ..decision };
        CollectRow {
            template: first.template.clone(),
            key: hex::encode(Sha256::digest(serde_json::json!([by, whom]).to_string())),
            lane,
            event_seq,
            ordinal,
            context: context.clone(),
            decision: serde_json::json!(first).to_string(),
            due_at: now.checked_add(time).unwrap_or(Timestamp::MAX),
            new_id: Uuid::new_v7(uuid_time(now)),
        }
    };
    match by {
        CollectBy::Group => {
            planned.notifications.clear();
            vec![row(decision.clone())]
        }
        CollectBy::Person => {
            let reached = planned.notifications.extract_if(.., |planned| planned.skipped.is_none());
            let alone = reached.map(|PlannedNotification { notification, .. }| Decision {
                groups: Vec::new(),
                contacts: match &notification.username {
                    Some(_) => Vec::new(),
                    None => notification.recipient.into_iter().collect(),
                },
                users: notification.username.into_iter().collect(),
                ..decision.clone()
            });
            alone.map(row).collect()
        }
    }
}

fn uuid_time(now: Timestamp) -> uuid::Timestamp {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    uuid::Timestamp::from_unix(NoContext, seconds, now.subsec_nanosecond().unsigned_abs())
}
