//! Compares events that happened, on threads that yield to others: decides them again, plans the messages of both sides, and
//! adds what differs to a report.

use std::{collections::BTreeSet, mem, sync::Arc};

use futures_util::future::join_all;
use hookswitch_core::{catalog::Catalog, decide::plugin::Http, domain::Outcome};

use super::{
    crew::Crew,
    judge::{Base, Bases, Cost, Judge, Judged, Unjudged, key_of, same_templates},
    kept::{read, state},
    keys::Keys,
    people::Audience,
    prices::Price,
    report::ReplayReport,
    run::ReplayError,
    weigh::{EventDifference, Weighed},
};
use crate::store::{ReplayState, StoreError};

/// The rules that are tried, and what it takes to compare what they decide.
pub(super) struct Comparer {
    crew: Crew,
    pub judge: Judge,
    /// The releases that decided then.
    pub bases: Bases,
    audience: Audience,
}

/// What was found so far, and remembered.
#[derive(Default)]
pub(in crate::operate) struct Found {
    /// The report, with its numbers.
    pub report: ReplayReport,
    /// The deduplication keys in force.
    pub keys: Keys,
    /// Those of the rules that decide in place of what was decided then, where they do.
    pub keys_then: Keys,
    /// What the rules cost, if that is compared.
    pub cost: Cost,
    /// Prices of messages.
    pub prices: Vec<Price>,
}

impl Comparer {
    /// Tries these rules on as many threads. Plugins ask services by `network` what they did not ask then.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(
        catalog: Arc<Catalog>,
        network: Option<Arc<dyn Http>>,
        threads: usize,
        audience: Audience,
    ) -> Result<Comparer, ReplayError> {
        let crew = Crew::new(threads).map_err(|error| ReplayError::Threads(error.to_string()))?;
        let bases = Bases::from([(catalog.release.clone(), Arc::new(Base::Same))]);
        let judge = Judge { catalog, network, live: None };
        Ok(Comparer { crew, judge, bases, audience })
    }

    /// Compares with these rules, too.
    #[must_use]
    pub fn beside(mut self, live: Arc<Catalog>) -> Comparer {
        if live.id != self.judge.catalog.id {
            let same = same_templates(&live.templates, &self.judge.catalog.templates);
            self.bases.insert(live.release.clone(), Arc::new(Base::Live { catalog: live.clone(), same }));
        }
        self.judge.live = Some(live);
        self
    }

    /// Decides events again.
    ///
    /// # Errors
    /// If a rule ended its thread.
    pub async fn judge_all<T: Send + 'static>(
        &self,
        events: Vec<T>,
        judge: fn(&Judge, T, &Bases) -> Result<Judged, Unjudged>,
    ) -> Result<Vec<Result<Judged, Unjudged>>, ReplayError> {
        let works = self.shared(events).into_iter().map(|events| {
            let (with, bases) = (self.judge.clone(), self.bases.clone());
            self.crew
                .run(move || events.into_iter().map(|event| judge(&with, event, &bases)).collect::<Vec<_>>())
        });
        let mut all = Vec::new();
        for judged in join_all(works).await {
            all.extend(judged.ok_or_else(panicked)?);
        }
        Ok(all)
    }

    /// Plans the messages of events that were decided again, in the order in which they happened, and adds them to the report;
    /// returns those for which something differs.
    ///
    /// # Errors
    /// If people cannot be looked up.
    pub async fn weigh(
        &mut self,
        results: Vec<Result<Judged, Unjudged>>,
        at: &mut Found,
    ) -> Result<Vec<EventDifference>, ReplayError> {
        let mut judged = Vec::with_capacity(results.len());
        for result in results {
            at.report.totals.events += 1;
            match result {
                Ok(mut event) => {
                    at.cost += event.cost;
                    claim(&mut event, at);
                    judged.push(event);
                }
                Err(why) => not_compared(&mut at.report, why),
            }
        }
        let people = self.audience.of(&judged, &mut at.report).await?;
        let works = self.shared(judged).into_iter().map(|judged| {
            let (catalog, bases, people) = (self.judge.catalog.clone(), self.bases.clone(), people.clone());
            self.crew.run(move || {
                let weigh = |event| Weighed::new(event, &catalog, &bases, &people);
                judged.into_iter().map(weigh).collect::<Vec<_>>()
            })
        });
        let mut differences = Vec::new();
        for weighed in join_all(works).await {
            for weighed in weighed.ok_or_else(panicked)? {
                match weighed {
                    Ok(weighed) => differences.extend(weighed.add_to(&mut at.report, &at.prices)),
                    Err(why) => not_compared(&mut at.report, why),
                }
            }
        }
        Ok(differences)
    }

    /// Parts work among the threads, in its order.
    fn shared<T>(&self, mut work: Vec<T>) -> Vec<Vec<T>> {
        let each = work.len().div_ceil(self.crew.size.max(1)).max(1);
        let mut shares = Vec::new();
        while work.len() > each {
            let rest = work.split_off(each);
            shares.push(mem::replace(&mut work, rest));
        }
        shares.push(work);
        shares
    }
}

impl Found {
    /// What was found until it was stored.
    pub fn read(stored: &ReplayState) -> Result<Found, StoreError> {
        let report = ReplayReport { totals: read(&stored.totals)?, ..read(&stored.report)? };
        Ok(Found { report, keys: read(&stored.memory)?, ..Found::default() })
    }

    /// What is to be stored.
    pub fn state(&mut self) -> Result<ReplayState, StoreError> {
        self.report.keys_forgotten |= self.keys.forgotten;
        state(&self.report, &self.keys)
    }
}

fn panicked() -> ReplayError {
    ReplayError::Threads("a rule or a template ended its thread".to_owned())
}

fn not_compared(report: &mut ReplayReport, why: Unjudged) {
    let counts = &mut report.totals.not_compared;
    match why {
        Unjudged::Unrouted => counts.unrouted += 1,
        Unjudged::AsksMore(question) => {
            counts.asks_more += 1;
            ReplayReport::name_in(&mut report.questions, &question);
        }
        Unjudged::ValuesGone => counts.values_gone += 1,
        Unjudged::ReleaseGone => counts.release_gone += 1,
        Unjudged::Harmful => counts.harmful += 1,
    }
}

/// Finds out which decisions are duplicates now: as then where the key was in use then, otherwise by the events before.
fn claim(event: &mut Judged, found: &mut Found) {
    let at = event.decided_at;
    if event.decides_both {
        let mut here = BTreeSet::new();
        for then in &mut event.then {
            let Some(key) = &then.decision.dedupe_key else { continue };
            let name = (then.decision.template.clone(), key.clone());
            let is_duplicate = here.contains(&name) || found.keys_then.hold(&name.0, key, at);
            if is_duplicate {
                then.was_told = false;
            } else {
                found.keys_then.claim(&name.0, key, at, then.decision.dedupe_time());
                here.insert(name);
            }
        }
    }
    let keys = &mut found.keys;
    let mut here: BTreeSet<(String, String)> = BTreeSet::new();
    for now in &mut event.now {
        let Some((template, key)) = key_of(&now.verdict) else { continue };
        let Outcome::Notify(decision) = &now.verdict.outcome else { continue };
        let name = (template.to_owned(), key.to_owned());
        if now.kept.is_none() {
            let was = || now.was_duplicate.unwrap_or_else(|| keys.hold(template, key, at));
            now.is_duplicate = here.contains(&name) || was();
        }
        if !now.is_duplicate {
            keys.claim(template, key, at, decision.dedupe_time());
            here.insert(name);
        }
    }
}
