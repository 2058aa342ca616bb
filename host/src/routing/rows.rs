//! The rows of a batch of decided events: decisions, notifications, claims of deduplication keys, and collected
//! decisions.

mod collect;
mod duplicates;
mod limit;

use std::{collections::HashMap, sync::Arc};

use hookswitch_core::{
    domain::{
        Asked, AtMost, Cause, Decision, DecisionOutcome, Lane, Message, Outcome, People, Secrets, Senders,
        Verdict, Withdraws, trace_id,
    },
    plan::{InUse, Planned, PlannedNotification, Planner},
};
use jiff::Timestamp;

pub use self::duplicates::TOLD_BEFORE;
use self::{
    collect::{collect, is_for_a_group},
    duplicates::{claim, first_of_each},
};
use super::{
    tally::Unsent,
    work::{Entry, MOST_BYTES, MOST_NOTIFICATIONS, Origin, Work},
};
use crate::lanes::Unread;
use crate::metrics::RoutingCounts;
use crate::store::{
    CollectRow, DecisionRow, DedupeClaim, HiddenEvent, Limit, NewSpread, NextDecision, NotificationRow,
    ParkedRow, RoutingTransaction, RuleFailed, StoreError, Withdrawal,
};
use crate::system::{RULE_FAILED, SOURCE, WHATSAPP};

/// Rows appended by a batch.
#[derive(Default)]
pub(super) struct Rows {
    pub decisions: Vec<DecisionRow>,
    pub notifications: Vec<NotificationRow>,
    /// Number of entries included; the others did not fit.
    pub taken: usize,
    /// Claims of keys, each with the index of its decision.
    claims: Vec<(usize, DedupeClaim)>,
    /// Collected decisions, each with the index of its decision.
    collects: Vec<(usize, CollectRow)>,
    parked: Vec<ParkedRow>,
    /// What withdraws messages by key, each with the index of its decision.
    withdrawals: Vec<(usize, Withdrawal)>,
    /// Decisions that are spread page by page.
    spread: Vec<NewSpread>,
    /// What is hidden in the events' copies.
    hidden: Vec<HiddenEvent>,
    /// Decisions of which no message comes, each with the event's place.
    unsent: Vec<((Lane, i64), Unsent)>,
    /// Size of the messages, in bytes.
    bytes: usize,
}

/// Dependencies of planning.
#[derive(Clone)]
pub(super) struct World {
    pub in_use: Arc<InUse>,
    pub senders: Arc<Senders>,
    pub people: Arc<People>,
    pub now: Timestamp,
}

impl World {
    pub(super) fn planner<'a>(&'a self, work: &'a Work) -> Planner<'a> {
        Planner {
            templates: &work.catalog.templates,
            senders: &self.senders,
            in_use: Some(&self.in_use),
            people: &self.people,
            now: self.now,
        }
    }
}

/// What was appended.
#[derive(Default)]
pub(super) struct Appended {
    /// Lanes with decisions that are to be told page by page.
    pub held: Vec<Lane>,
    /// Where the notification log has grown.
    pub told: Unread,
    /// What came to no message.
    pub unsent: Vec<Unsent>,
    /// What was decided, for the metrics.
    pub counts: RoutingCounts,
}

impl Rows {
    /// Plans as many entries as fit into one transaction, at least one.
    pub(super) fn new(world: &World, entries: &[Entry]) -> Rows {
        let mut rows = Rows::default();
        for entry in entries {
            if rows.notifications.len() >= MOST_NOTIFICATIONS || rows.bytes >= MOST_BYTES {
                break;
            }
            if let Entry::Decided(work) = entry {
                rows.add(world, work);
            }
            rows.taken += 1;
        }
        rows
    }

    fn add(&mut self, world: &World, work: &Work) {
        let planner = world.planner(work);
        let (lane, seq) = work.place();
        let mut asked: Option<&Arc<[Asked]>> = None;
        let plan = |verdict| match work.large {
            true => planner.announce(&work.logged.event, verdict),
            false => planner.plan(&work.logged.event, verdict),
        };
        let all: Vec<Planned> = work.verdicts.iter().map(plan).collect();
        // What must not stay for one rule must not stay because of another.
        let mut secrets = Secrets::default();
        all.iter().for_each(|planned| secrets.extend(planned.secrets.clone()));
        self.hidden.extend(HiddenEvent::new(&work.logged, &secrets));
        for ((ordinal, verdict), mut planned) in (0i16..).zip(&work.verdicts).zip(all) {
            let decision = match &verdict.outcome {
                Outcome::Notify(decision) => Some(&**decision),
                _ => None,
            };
            let place = self.decisions.len();
            let key = (lane.0, seq, ordinal);
            if planned.outcome != DecisionOutcome::Failed {
                let withdrawals = verdict.outcome.withdraws();
                self.withdrawals.extend(withdrawals.map(|withdrawn| (place, withdrawal(work, withdrawn))));
            }
            if let Some(decision) = decision {
                self.claims.extend(claim(decision, &planned, key).map(|claim| (place, claim)));
                if work.large && planned.outcome == DecisionOutcome::Notify && !is_for_a_group(decision) {
                    self.spread.push(NewSpread { lane, seq, ordinal, groups: decision.groups.clone() });
                    if decision.collect.is_some() {
                        planned.outcome = DecisionOutcome::Collected;
                    }
                } else {
                    let collects = collect(decision, &mut planned, key, world.now);
                    self.bytes +=
                        collects.iter().map(|row| row.context.len() + row.decision.len()).sum::<usize>();
                    self.collects.extend(collects.into_iter().map(|row| (place, row)));
                }
            }
            if let Outcome::Parked { plugin, is_stopped, .. } = &verdict.outcome {
                self.parked.push(ParkedRow {
                    lane,
                    event_seq: seq,
                    ordinal,
                    plugin: plugin.clone(),
                    is_stopped: *is_stopped,
                });
            }
            let is_unsent = match planned.outcome {
                DecisionOutcome::Failed | DecisionOutcome::Nobody => true,
                // Nobody needs to have a rule for what the system tells of itself.
                DecisionOutcome::NoRoute => {
                    ![SOURCE, WHATSAPP].contains(&work.logged.event.key.source.as_str())
                }
                _ => false,
            };
            if is_unsent {
                self.unsent.push(((lane, seq), unsent(work, verdict, &planned)));
            }
            let same_call = asked.is_some_and(|asked| Arc::ptr_eq(asked, &verdict.asked));
            asked = Some(&verdict.asked);
            let row = row(work, ordinal, &secrets.hide_in_verdict(verdict), &planned, !same_call);
            self.bytes +=
                row.decision.as_ref().map_or(0, String::len) + row.asked.as_ref().map_or(0, String::len);
            self.decisions.push(row);
            let at_most = decision.and_then(|decision| decision.at_most.as_ref());
            self.tell(work, ordinal, planned.notifications, at_most, &secrets);
        }
    }

    /// Plans a page of a recorded decision.
    pub(super) fn page(
        work: &Work,
        ordinal: i16,
        decision: &Decision,
        notifications: Vec<PlannedNotification>,
        now: Timestamp,
    ) -> Rows {
        let mut rows = Rows::default();
        let mut planned = Planned { notifications, ..Planned::without_people(DecisionOutcome::Notify, None) };
        let (lane, seq) = work.place();
        let collects = collect(decision, &mut planned, (lane.0, seq, ordinal), now);
        rows.bytes += collects.iter().map(|row| row.context.len() + row.decision.len()).sum::<usize>();
        // The row of the decision exists already.
        rows.collects.extend(collects.into_iter().map(|row| (usize::MAX, row)));
        rows.tell(work, ordinal, planned.notifications, decision.at_most.as_ref(), &Secrets::default());
        rows
    }

    fn tell(
        &mut self,
        work: &Work,
        ordinal: i16,
        notifications: Vec<PlannedNotification>,
        at_most: Option<&AtMost>,
        secrets: &Secrets,
    ) {
        let cause = cause(work);
        for PlannedNotification { mut notification, skipped, kept } in notifications {
            notification.message.cause = Some(cause.clone());
            let kept = kept.map(|kept| Message { cause: Some(cause.clone()), ..*kept }).or_else(|| {
                let message = &notification.message;
                secrets.are_in_message(message).then(|| secrets.hide_in_message(message))
            });
            let clear: Option<Message> = kept.map(|kept| std::mem::replace(&mut notification.message, kept));
            let message = &notification.message;
            self.bytes += message.body.len() + message.parameters.iter().map(String::len).sum::<usize>();
            let (event_lane, event_seq) = work.place();
            self.notifications.push(NotificationRow {
                event_lane,
                event_seq,
                ordinal,
                // What is never sent needs no values.
                clear: clear.filter(|_| skipped.is_none()),
                skipped,
                limit: at_most.map(|at_most| limit(work, at_most, &notification.template)),
                notification,
            });
        }
    }

    /// A single failed decision with this reason.
    pub(super) fn failed(work: &Work, why: String) -> Rows {
        let verdict = Verdict { rule: None, outcome: Outcome::Failed(why.clone()), asked: [].into() };
        let planned = Planned::without_people(DecisionOutcome::Failed, Some(why));
        let decisions = vec![row(work, 0, &verdict, &planned, false)];
        let unsent = vec![(work.place(), unsent(work, &verdict, &planned))];
        Rows { decisions, unsent, taken: 1, ..Rows::default() }
    }

    fn counts(&self) -> RoutingCounts {
        let mut counts = RoutingCounts::default();
        for row in &self.decisions {
            counts.decision(row.outcome.as_str(), row.engine);
        }
        for NotificationRow { notification, skipped, .. } in &self.notifications {
            match skipped {
                None => counts.notification(&notification.template, notification.priority.as_str()),
                Some(_) => counts.unreachable(),
            }
        }
        counts
    }

    /// Size of each message or collected decision, in bytes.
    pub(super) fn bytes_each(&self) -> usize {
        self.bytes / (self.notifications.len() + self.collects.len()).max(1)
    }

    /// Renumbers the decisions of events that already have some.
    pub(super) fn number(&mut self, next: &[((Lane, i64), NextDecision)]) {
        let first: HashMap<(Lane, i64), NextDecision> = next.iter().copied().collect();
        let shift = |lane: Lane, seq: i64| first.get(&(lane, seq)).map_or(0, |next| next.ordinal);
        for row in &mut self.decisions {
            row.ordinal += shift(row.lane, row.event_seq);
            row.run += first.get(&(row.lane, row.event_seq)).map_or(0, |next| next.run);
        }
        self.notifications.iter_mut().for_each(|row| row.ordinal += shift(row.event_lane, row.event_seq));
        self.collects.iter_mut().for_each(|(_, row)| row.ordinal += shift(Lane(row.lane), row.event_seq));
        self.parked.iter_mut().for_each(|row| row.ordinal += shift(row.lane, row.event_seq));
        self.spread.iter_mut().for_each(|spread| spread.ordinal += shift(spread.lane, spread.seq));
    }

    /// Removes decided events from their lists, claims keys, collects decisions, and appends the rest. Returns the lanes
    /// with decisions to be spread page by page.
    pub(super) async fn write(
        mut self,
        transaction: &RoutingTransaction<'_>,
        entries: &[Entry],
        host: uuid::Uuid,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let works = || {
            entries.iter().filter_map(|entry| match entry {
                Entry::Decided(work) => Some(work),
                Entry::Aside(_) => None,
            })
        };
        let aside = works().filter(|work| work.origin == Origin::Aside).map(Work::place);
        transaction.decided(&aside.collect::<Vec<_>>()).await?;
        let again = || {
            works().filter_map(|work| match &work.origin {
                Origin::Parked(row) => Some((work, row)),
                _ => None,
            })
        };
        let places: Vec<(Lane, i64)> = again().map(|(work, _)| work.place()).collect();
        if !places.is_empty() {
            transaction.unpark(&again().map(|(_, row)| row).collect::<Vec<_>>()).await?;
            self.number(&transaction.next_decisions(&places).await?);
            let reruns: Vec<(Lane, i64)> =
                again().filter(|(work, _)| work.is_rerun()).map(|(work, _)| work.place()).collect();
            if !reruns.is_empty() {
                self.without_repeats(&transaction.told_before(&reruns).await?);
            }
        }
        self.append(transaction, host, now).await
    }

    /// Claims keys, collects decisions, and appends the rest.
    pub(super) async fn append(
        mut self,
        transaction: &RoutingTransaction<'_>,
        host: uuid::Uuid,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        transaction.park(&self.parked).await?;
        if !self.claims.is_empty() {
            let free = transaction.claim(&first_of_each(&self.claims)).await?;
            let taken = self.taken_keys(free);
            if !taken.is_empty() {
                let keys: Vec<&DedupeClaim> = taken.iter().map(|(_, claim)| claim).collect();
                let holders = transaction.dedupe_holders(&keys).await?;
                self.without_duplicates(&taken, &holders);
                // The first of them is what is told.
                self.withdrawals.retain(|(place, _)| taken.iter().all(|(duplicate, _)| duplicate != place));
            }
        }
        if !self.collects.is_empty() {
            let collected: Vec<CollectRow> = self.collects.iter().map(|(_, row)| row.clone()).collect();
            let digests = transaction.collect(&collected).await?;
            self.tell_digests(&digests);
        }
        let withdrawals = std::mem::take(&mut self.withdrawals);
        let withdrawals: Vec<Withdrawal> = withdrawals.into_iter().map(|(_, row)| row).collect();
        transaction.withdraw(&withdrawals, now).await?;
        transaction.spread(host, &self.spread).await?;
        self.limit(transaction, now).await?;
        transaction.hide_in_events(&self.hidden).await?;
        transaction.append(&self.decisions, &self.notifications, now).await?;
        // That rule.failed finds no rule, or one that fails, raises no further one.
        let failed = self
            .unsent
            .iter()
            .filter(|(_, unsent)| unsent.outcome == DecisionOutcome::Failed && unsent.kind != RULE_FAILED);
        let failed: Vec<RuleFailed> = failed
            .map(|((lane, seq), unsent)| RuleFailed {
                rule: unsent.rule.clone(),
                lane: *lane,
                event_seq: *seq,
                reason: unsent.reason.clone(),
            })
            .collect();
        transaction.count_failures(&failed, now).await?;
        Ok(Appended {
            counts: self.counts(),
            held: self.spread.iter().map(|spread| spread.lane).collect(),
            told: self.notifications.iter().map(|row| row.notification.track().lane()).collect(),
            unsent: self.unsent.into_iter().map(|(_, unsent)| unsent).collect(),
        })
    }
}

/// A limit with the templates that it counts.
fn limit(work: &Work, at_most: &AtMost, template: &str) -> Limit {
    let templates = match &at_most.tag {
        Some(tag) => work.catalog.templates.with_tag(tag),
        None => vec![template],
    };
    Limit { at_most: at_most.clone(), templates: templates.into_iter().map(str::to_owned).collect() }
}

/// What its messages come from.
fn cause(work: &Work) -> Cause {
    let is_first = !matches!(work.origin, Origin::Parked(_));
    let received_at = is_first.then_some(work.logged.received_at);
    Cause { received_at, trace: work.trace.clone(), again: false }
}

/// What an event withdraws by a key.
fn withdrawal(work: &Work, withdrawn: Withdraws<'_>) -> Withdrawal {
    let reason = withdrawn.by(&work.logged.event);
    Withdrawal { key: withdrawn.key.replace('\0', ""), event_seq: work.place().1, reason }
}

/// The row of a decision. The questions of a rule are stored with its first decision.
fn row(work: &Work, ordinal: i16, verdict: &Verdict, planned: &Planned, with_asked: bool) -> DecisionRow {
    let decision = match &verdict.outcome {
        Outcome::Notify(decision) => serde_json::to_string(decision).ok(),
        Outcome::Cancel(cancel) => serde_json::to_string(cancel).ok(),
        _ => None,
    };
    let asked =
        (with_asked && !verdict.asked.is_empty()).then(|| serde_json::to_string(&*verdict.asked).ok());
    let (lane, event_seq) = work.place();
    DecisionRow {
        lane,
        event_seq,
        ordinal,
        run: i16::from(work.is_rerun()),
        outcome: planned.outcome,
        reason: planned.reason.clone(),
        engine: verdict.rule.as_ref().map(|rule| rule.engine.as_str()),
        rule: verdict.rule.as_ref().map(ToString::to_string),
        release: work.catalog.release.clone(),
        decision,
        asked: asked.flatten(),
    }
}

/// What the log tells of a decision of which no message comes.
fn unsent(work: &Work, verdict: &Verdict, planned: &Planned) -> Unsent {
    Unsent {
        outcome: planned.outcome,
        rule: verdict.rule.as_ref().map(ToString::to_string).unwrap_or_default(),
        reason: planned.reason.clone().unwrap_or_default(),
        kind: work.logged.event.kind.clone(),
        event: work.logged.event.key.clone(),
        trace_id: work.trace.as_deref().and_then(trace_id).map(str::to_owned),
    }
}
