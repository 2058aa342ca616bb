//! What becomes of a case's events: what is told of each, and the digests of those that are collected.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{json, value::RawValue};

use super::{Catalog, case::Case, run, tree::domain_of};
use crate::{
    decide::{Ports, decide},
    domain::{
        Collect, CollectBy, DIGEST_TYPE, Decision, DecisionOutcome, Digest, Engine, Event, EventKey,
        Notification, Outcome, Verdict,
    },
    plan::{Planned, Templates},
};

/// Maximum number of collected contexts that a digest has, as in a host.
const ITEMS: usize = 1_000;

/// One result of a case.
pub struct CaseResult {
    /// The types of the case's events that led to it.
    pub types: BTreeSet<String>,
    /// The event that it is about: one of the case's, or that of a digest.
    pub event: Event,
    /// What was decided.
    pub verdict: Verdict,
    /// Recipients and messages.
    pub planned: Planned,
}

/// Decides the events of a case: the verdicts of each in order, then the digests in the order of their first decisions. A
/// case of a single `event` shows a digest of one.
pub fn results(catalog: &Catalog, case: &Case, ports: &impl Ports) -> Vec<CaseResult> {
    let (mut results, mut digests) = (Vec::new(), Digests::default());
    for event in &case.events {
        for verdict in decide(&catalog.routes, event, ports) {
            if is_of_another_folder(case, &verdict) {
                continue;
            }
            let planned = run::plan(catalog, case, event, &verdict);
            match (&verdict.outcome, planned.outcome) {
                (Outcome::Notify(decision), DecisionOutcome::Notify) if case.has_several => {
                    if let Some(Collect { by, .. }) = decision.collect.clone() {
                        digests.collect(by, event, &verdict, decision, &planned);
                        continue;
                    }
                }
                _ => {}
            }
            let types = [event.kind.clone()].into();
            results.push(CaseResult { types, event: event.clone(), verdict, planned });
        }
    }
    withdraw(&mut results);
    limit(&catalog.templates, &mut results);
    results.extend(digests.close(catalog, case));
    results
}

/// A rule of another folder that skips an event has nothing to do with the case: whoever adds it need not change the cases of
/// others.
fn is_of_another_folder(case: &Case, verdict: &Verdict) -> bool {
    matches!(verdict.outcome, Outcome::Skip(_))
        && verdict.rule.as_ref().is_some_and(|rule| {
            rule.engine != Engine::Plugin && rule.line > 0 && domain_of(&rule.file) != case.domain
        })
}

/// Messages that wait when a later event withdraws them by their key are not sent.
fn withdraw(results: &mut [CaseResult]) {
    for at in 0..results.len() {
        let (before, rest) = results.split_at_mut(at);
        let Some(CaseResult { event, verdict, .. }) = rest.first() else { return };
        for withdrawn in verdict.outcome.withdraws() {
            let earlier = before.iter_mut().filter(|result| result.event.key != event.key);
            for planned in earlier.flat_map(|result| &mut result.planned.notifications) {
                let Notification { key, send_at, .. } = &planned.notification;
                let waits = send_at.is_some_and(|send_at| send_at > event.time);
                if waits && key.as_deref() == Some(withdrawn.key) && planned.skipped.is_none() {
                    planned.skipped = Some(withdrawn.by(event));
                }
            }
        }
    }
}

/// What is more than a recipient gets within a time is not sent.
fn limit(templates: &Templates, results: &mut [CaseResult]) {
    let mut sent: BTreeMap<(String, String), Vec<Timestamp>> = BTreeMap::new();
    for CaseResult { event, verdict, planned, .. } in results {
        let Outcome::Notify(decision) = &verdict.outcome else { continue };
        for planned in planned.notifications.iter_mut().filter(|planned| planned.skipped.is_none()) {
            // The same recipient, whether named as a person or by number.
            let who = planned.notification.recipient.as_deref().unwrap_or_default();
            let template = planned.notification.template.as_str();
            if let Some(at_most) = &decision.at_most {
                let counted =
                    at_most.tag.as_ref().map_or_else(|| vec![template], |tag| templates.with_tag(tag));
                let before =
                    counted.iter().filter_map(|name| sent.get(&(who.to_owned(), (*name).to_owned())));
                let within = before.flatten().filter(|at| event.time.duration_since(**at) < at_most.time);
                if within.count() >= usize::from(at_most.count) {
                    planned.skipped = Some(at_most.refusal());
                    continue;
                }
            }
            sent.entry((who.to_owned(), template.to_owned())).or_default().push(event.time);
        }
    }
}

/// Decisions that are collected, by what a digest is made for, in the order of the first of each.
#[derive(Default)]
struct Digests {
    open: Vec<Open>,
    /// Places in `open`.
    places: BTreeMap<String, usize>,
}

struct Open {
    types: BTreeSet<String>,
    verdict: Verdict,
    digest: Digest,
    /// Of a digest by person, whom it is for.
    by: CollectBy,
}

impl Digests {
    fn collect(
        &mut self,
        by: CollectBy,
        event: &Event,
        verdict: &Verdict,
        decision: &Decision,
        planned: &Planned,
    ) {
        let alone =
            || Decision { groups: Vec::new(), users: Vec::new(), contacts: Vec::new(), ..decision.clone() };
        match by {
            CollectBy::Group | CollectBy::Key(_) => {
                let mut whom = [&decision.groups, &decision.users, &decision.contacts].map(Clone::clone);
                whom.iter_mut().for_each(|names| names.sort());
                let key = json!([by, decision.template, whom]).to_string();
                self.add(by, &key, event, verdict, decision.clone());
            }
            CollectBy::Person => {
                for planned in planned.notifications.iter().filter(|planned| planned.skipped.is_none()) {
                    let notification = &planned.notification;
                    let (users, contacts) = match &notification.username {
                        Some(username) => (vec![username.clone()], Vec::new()),
                        None => (Vec::new(), notification.recipient.iter().cloned().collect()),
                    };
                    let key = json!([by, decision.template, users, contacts]).to_string();
                    self.add(by.clone(), &key, event, verdict, Decision { users, contacts, ..alone() });
                }
            }
        }
    }

    fn add(&mut self, by: CollectBy, key: &str, event: &Event, verdict: &Verdict, decision: Decision) {
        let place = self.places.get(key).copied().unwrap_or_else(|| {
            let digest = Digest {
                decision: decision.clone(),
                items: Vec::new(),
                count: 0,
                events: Vec::new(),
                traces: Vec::new(),
            };
            self.open.push(Open { types: BTreeSet::new(), verdict: verdict.clone(), digest, by });
            self.places.insert(key.to_owned(), self.open.len() - 1);
            self.open.len() - 1
        });
        let Open { types, digest, .. } = &mut self.open[place];
        types.insert(event.kind.clone());
        digest.count += 1;
        if digest.items.len() < ITEMS {
            digest.items.push(json!(decision.context));
            digest.events.push((event.key.id.clone(), event.key.source.clone()));
        }
    }

    /// Those by person that tell the same are one result.
    fn close(self, catalog: &Catalog, case: &Case) -> Vec<CaseResult> {
        let mut closed: Vec<Open> = Vec::new();
        for open in self.open {
            let same = closed.iter_mut().find(|other| {
                let tells = |open: &Open| (open.digest.items.clone(), open.digest.events.clone());
                open.by == CollectBy::Person
                    && other.by == CollectBy::Person
                    && other.digest.decision.template == open.digest.decision.template
                    && tells(other) == tells(&open)
            });
            match same {
                Some(other) => {
                    other.digest.decision.users.extend(open.digest.decision.users);
                    other.digest.decision.contacts.extend(open.digest.decision.contacts);
                }
                None => closed.push(open),
            }
        }
        closed.into_iter().map(|open| open.result(catalog, case)).collect()
    }
}

impl Open {
    fn result(self, catalog: &Catalog, case: &Case) -> CaseResult {
        let collect = self.digest.decision.collect.clone();
        let event = Event {
            key: EventKey { id: "digest".to_owned(), source: "/hookswitch".to_owned() },
            kind: DIGEST_TYPE.to_owned(),
            subject: None,
            time: case.now,
            data: RawValue::from_string(json!(self.digest).to_string()).unwrap_or_default(),
            extensions: None,
        };
        let decision = self.digest.into_decision();
        let verdict = Verdict { outcome: Outcome::Notify(Box::new(decision.clone())), ..self.verdict };
        let planned = run::plan(catalog, case, &event, &verdict);
        // What is expected may name how it is collected.
        let outcome = Outcome::Notify(Box::new(Decision { collect, ..decision }));
        CaseResult { types: self.types, event, verdict: Verdict { outcome, ..verdict }, planned }
    }
}
