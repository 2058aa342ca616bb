//! One past event: what the rules of now decide, and which decisions of then that leaves as they were.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::AddAssign,
    sync::Arc,
    time::Duration,
};

use hookswitch_core::{
    catalog::Catalog,
    decide::{
        decide,
        plugin::{Http, is_whole},
    },
    domain::{Asked, Decision, HIDDEN, Outcome, Verdict},
    plan::Templates,
};
use jiff::Timestamp;

use super::{cpu, ports::PastPorts};
use crate::{
    routing::{DIED, TOLD_BEFORE},
    store::{LoggedEvent, PastDecision, PastEvent},
};

/// The templates of a release that decided then.
pub(super) enum Base {
    /// Those of the release that is tried.
    Same,
    /// Its own, and the names of those that are the same in the release that is tried.
    Other { templates: Arc<Templates>, same: HashSet<String> },
    /// Those of the rules that are live.
    Live { catalog: Arc<Catalog>, same: HashSet<String> },
    /// The release is not stored any more, or cannot be read.
    Gone,
}

/// CPU time that the rules of two releases took, over the same events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::operate) struct Cost {
    /// Of the rules that are live.
    pub live: Duration,
    /// Of the rules that are tried.
    pub tried: Duration,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.live += other.live;
        self.tried += other.tried;
    }
}

/// The releases that decided then, by their short names.
pub(super) type Bases = HashMap<String, Arc<Base>>;

/// Why an event is not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unjudged {
    Unrouted,
    /// What the rules ask that they did not ask then.
    AsksMore(String),
    ValuesGone,
    ReleaseGone,
    Harmful,
}

/// An event of a file: nothing is known of what was decided then but what the rules were answered.
pub(super) struct GivenEvent {
    pub logged: LoggedEvent,
    pub decided_at: Timestamp,
    pub asked: Vec<Asked>,
}

/// A decision of then that the rules of now do not make.
pub(super) struct Then {
    pub rule: String,
    pub release: String,
    pub decision: Decision,
    /// Whether messages came of it, as far as the people could be reached.
    pub was_told: bool,
}

/// A decision of now.
pub(super) struct Now {
    pub rule: String,
    pub verdict: Verdict,
    /// The same decision of then, if it was made.
    pub kept: Option<Kept>,
    /// Whether another decision of then with the same template and key was a duplicate; `None` if there was none.
    pub was_duplicate: Option<bool>,
    /// Whether its deduplication key is in use.
    pub is_duplicate: bool,
}

/// A decision that is the same then and now.
pub(super) struct Kept {
    pub rule: String,
    /// Messages that were planned.
    pub told: u64,
    pub speaks: bool,
}

/// An event that can be compared.
pub(super) struct Judged {
    pub logged: LoggedEvent,
    pub decided_at: Timestamp,
    pub release: String,
    pub then: Vec<Then>,
    pub now: Vec<Now>,
    pub failed_then: bool,
    /// Why the rules fail now.
    pub fails_now: Option<String>,
    /// Whether what is withdrawn by key differs.
    pub cancels_differ: bool,
    pub took: Vec<(String, Duration)>,
    /// What it cost to decide, if that is compared.
    pub cost: Cost,
    /// Whether what the rules of then decide was found out now, by deciding it again.
    pub decides_both: bool,
}

/// The rules that are tried.
#[derive(Clone)]
pub(super) struct Judge {
    pub catalog: Arc<Catalog>,
    pub network: Option<Arc<dyn Http>>,
    /// The rules beside which the cost is taken, if it is.
    pub live: Option<Arc<Catalog>>,
}

impl Base {
    /// The templates, with those of the release that is tried.
    pub fn templates<'a>(&'a self, tried: &'a Catalog) -> Option<&'a Templates> {
        match self {
            Base::Same => Some(&tried.templates),
            Base::Other { templates, .. } => Some(templates),
            Base::Live { catalog, .. } => Some(&catalog.templates),
            Base::Gone => None,
        }
    }

    fn has_same(&self, template: &str) -> bool {
        match self {
            Base::Same => true,
            Base::Other { same, .. } | Base::Live { same, .. } => same.contains(template),
            Base::Gone => false,
        }
    }
}

/// The names of the templates that are the same in both.
pub(super) fn same_templates(then: &Templates, now: &Templates) -> HashSet<String> {
    let is_same = |name: &&str| {
        let texts = |templates: &Templates| {
            let texts = templates.variants(name).iter().map(|of| (of.file.clone(), of.source.clone()));
            texts.collect::<Vec<_>>()
        };
        texts(then) == texts(now)
    };
    then.names().into_iter().filter(is_same).map(str::to_owned).collect()
}

impl Judge {
    /// Decides an event again, and finds out what is as it was.
    pub fn judge(&self, past: PastEvent, bases: &Bases) -> Result<Judged, Unjudged> {
        let PastEvent { logged, mut decisions } = past;
        let Some(run) = decisions.iter().map(|of| of.run).max() else { return Err(Unjudged::Unrouted) };
        decisions.retain(|of| of.run == run);
        check(&logged, &decisions, bases)?;
        let (first, decided_at) = match decisions.first() {
            Some(first) => (first.release.clone(), first.decided_at),
            None => return Err(Unjudged::Unrouted),
        };
        let asked = answers(&decisions)?;
        let mut cost = Cost::default();
        // Whichever decides second finds the event in the caches, so they take turns.
        let is_second = logged.seq % 2 == 0;
        if is_second {
            cost.live = self.cost_of_live(&logged, &asked, decided_at);
        }
        let ports = PastPorts::new(&self.catalog, asked.clone(), decided_at, self.network.clone());
        let (verdicts, tried) = cpu::taken(|| decide(&self.catalog.routes, &logged.event, &ports));
        cost.tried = tried;
        if !is_second {
            cost.live = self.cost_of_live(&logged, &asked, decided_at);
        }
        let (missing, took) = ports.finish();
        if let Some(question) = missing {
            return Err(Unjudged::AsksMore(question));
        }
        let failed_then = decisions.iter().any(has_failed);
        let mut left: Vec<Option<PastDecision>> = decisions.into_iter().map(Some).collect();
        let mut now: Vec<Now> = Vec::with_capacity(verdicts.len());
        let (mut fails_now, mut cancels_anew) = (None, false);
        for verdict in verdicts {
            let kept = take_same(&verdict, &mut left, bases);
            match (&verdict.outcome, &kept) {
                (Outcome::Failed(why) | Outcome::Parked { why, .. }, _) => {
                    fails_now.get_or_insert_with(|| why.clone());
                }
                (_, Some(kept)) if has_failed(kept) => {
                    fails_now.get_or_insert_with(|| kept.reason.clone().unwrap_or_default());
                }
                (Outcome::Cancel(_), None) => cancels_anew = true,
                _ => {}
            }
            let rule = verdict.rule.as_ref().map(ToString::to_string).unwrap_or_default();
            let is_duplicate = kept.as_ref().is_some_and(is_silent_duplicate);
            let kept = kept.map(Kept::from);
            now.push(Now { rule, verdict, kept, was_duplicate: None, is_duplicate });
        }
        let left: Vec<PastDecision> = left.into_iter().flatten().collect();
        let cancels_differ = cancels_anew || left.iter().any(|of| of.outcome == "cancel");
        let has_hidden = |of: &PastDecision| of.decision.as_ref().is_some_and(|text| text.contains(HIDDEN));
        if left.iter().any(has_hidden) {
            return Err(Unjudged::ValuesGone);
        }
        let then: Vec<(Then, bool)> = left.into_iter().filter_map(then).collect();
        for now in now.iter_mut().filter(|now| now.kept.is_none()) {
            let Some((template, key)) = key_of(&now.verdict) else { continue };
            let is_same = |(of, _): &&(Then, bool)| {
                of.decision.template == template && of.decision.dedupe_key.as_deref() == Some(key)
            };
            let was = then.iter().find(is_same).map(|(_, was_duplicate)| *was_duplicate);
            now.was_duplicate = was;
        }
        let then = then.into_iter().map(|(then, _)| then).collect();
        Ok(Judged {
            logged,
            decided_at,
            release: first,
            then,
            now,
            failed_then,
            fails_now,
            cancels_differ,
            took,
            cost,
            decides_both: false,
        })
    }

    /// Decides an event by both rules: those that are live count as those of then.
    pub fn judge_both(&self, given: GivenEvent, _: &Bases) -> Result<Judged, Unjudged> {
        let GivenEvent { logged, decided_at, asked } = given;
        let base = self.live.as_ref().ok_or(Unjudged::ReleaseGone)?;
        if !is_whole(&asked) {
            return Err(Unjudged::AsksMore("an answer was too large to be kept".to_owned()));
        }
        let decide_by = |catalog: &Catalog| {
            let ports = PastPorts::new(catalog, asked.clone(), decided_at, None);
            let verdicts = decide(&catalog.routes, &logged.event, &ports);
            match ports.finish() {
                (Some(question), _) => Err(Unjudged::AsksMore(question)),
                (None, took) => Ok((verdicts, took)),
            }
        };
        let (then, _) = decide_by(base)?;
        let (now, took) = decide_by(&self.catalog)?;
        let cancels = |verdicts: &[Verdict]| {
            let cancels = verdicts.iter().filter(|of| matches!(of.outcome, Outcome::Cancel(_)));
            cancels.map(|of| format!("{:?}", of.outcome)).collect::<BTreeSet<_>>()
        };
        let cancels_differ = cancels(&then) != cancels(&now);
        let (failed_then, fails_now) = (failure(&then).is_some(), failure(&now));
        let rule = |of: &Verdict| of.rule.as_ref().map(ToString::to_string).unwrap_or_default();
        let release = base.release.clone();
        let then = then.into_iter().filter_map(|of| {
            let rule = rule(&of);
            match of.outcome {
                Outcome::Notify(decision) => {
                    Some(Then { rule, release: release.clone(), decision: *decision, was_told: true })
                }
                _ => None,
            }
        });
        let then = then.collect();
        let now = now.into_iter().map(|verdict| Now {
            rule: rule(&verdict),
            verdict,
            kept: None,
            was_duplicate: None,
            is_duplicate: false,
        });
        Ok(Judged {
            now: now.collect(),
            then,
            logged,
            decided_at,
            release,
            failed_then,
            fails_now,
            cancels_differ,
            took,
            cost: Cost::default(),
            decides_both: true,
        })
    }

    /// What it costs to decide the event by the rules that are live.
    fn cost_of_live(&self, logged: &LoggedEvent, asked: &[Asked], decided_at: Timestamp) -> Duration {
        let Some(live) = &self.live else { return Duration::ZERO };
        let ports = PastPorts::new(live, asked.to_vec(), decided_at, None);
        cpu::taken(|| decide(&live.routes, &logged.event, &ports)).1
    }
}

impl Judged {
    /// The lane of the event, and its place in it.
    pub fn place(&self) -> (i16, i64) {
        (self.logged.lane.0, self.logged.seq)
    }
}

impl From<PastDecision> for Kept {
    fn from(of: PastDecision) -> Self {
        let is_told = matches!(of.outcome.as_str(), "notify" | "collected");
        Kept {
            speaks: is_told,
            rule: of.rule.unwrap_or_default(),
            told: u64::try_from(of.told).unwrap_or_default(),
        }
    }
}

/// The template and the deduplication key of a verdict.
pub(super) fn key_of(verdict: &Verdict) -> Option<(&str, &str)> {
    match &verdict.outcome {
        Outcome::Notify(decision) => Some((&decision.template, decision.dedupe_key.as_deref()?)),
        _ => None,
    }
}

/// Whether enough is known of an event.
fn check(logged: &LoggedEvent, decisions: &[PastDecision], bases: &Bases) -> Result<(), Unjudged> {
    let died =
        |of: &PastDecision| of.rule.is_none() && of.reason.as_ref().is_some_and(|why| why.starts_with(DIED));
    if logged.unreadable.is_some() || decisions.iter().any(died) {
        return Err(Unjudged::Harmful);
    }
    let lacks = |of: &PastDecision| {
        of.decision.is_none()
            && matches!(of.outcome.as_str(), "notify" | "nobody" | "duplicate" | "collected" | "cancel")
    };
    if logged.is_erased() || decisions.iter().any(lacks) {
        return Err(Unjudged::ValuesGone);
    }
    let needs_templates = |of: &&PastDecision| of.decision.is_some() && of.outcome != "cancel";
    let is_gone = |of: &PastDecision| bases.get(&of.release).is_none_or(|base| matches!(**base, Base::Gone));
    if decisions.iter().filter(needs_templates).any(is_gone) {
        return Err(Unjudged::ReleaseGone);
    }
    Ok(())
}

/// The answers that the rules got then, of what the world was asked.
fn answers(decisions: &[PastDecision]) -> Result<Vec<Asked>, Unjudged> {
    let mut all = Vec::new();
    for asked in decisions.iter().filter_map(|of| of.asked.as_ref()) {
        let asked: Vec<Asked> = serde_json::from_str(asked).map_err(|_| Unjudged::Harmful)?;
        // What rules are configured with is a part of their release.
        all.extend(asked.into_iter().filter(|asked| matches!(asked.port.as_str(), "now" | "http")));
    }
    if !is_whole(&all) {
        return Err(Unjudged::AsksMore("an answer was too large to be kept".to_owned()));
    }
    Ok(all)
}

/// Why the first of them failed that did.
fn failure(verdicts: &[Verdict]) -> Option<String> {
    verdicts.iter().find_map(|of| match &of.outcome {
        Outcome::Failed(why) | Outcome::Parked { why, .. } => Some(why.clone()),
        _ => None,
    })
}

fn has_failed(of: &PastDecision) -> bool {
    matches!(of.outcome.as_str(), "failed" | "parked")
}

/// Whether nobody was told of it because of its key.
fn is_silent_duplicate(of: &PastDecision) -> bool {
    of.outcome == "duplicate" && of.reason.as_deref() != Some(TOLD_BEFORE)
}

/// Takes the decision of then that says the same, and whose messages are rendered by the same template.
fn take_same(verdict: &Verdict, left: &mut [Option<PastDecision>], bases: &Bases) -> Option<PastDecision> {
    let (text, template) = match &verdict.outcome {
        Outcome::Notify(decision) => (serde_json::to_string(decision).ok()?, Some(&decision.template)),
        Outcome::Cancel(cancel) => (serde_json::to_string(cancel).ok()?, None),
        _ => return None,
    };
    let is_same = |of: &PastDecision| {
        of.decision.as_ref() == Some(&text)
            && match template {
                Some(template) => {
                    of.outcome != "cancel"
                        && bases.get(&of.release).is_some_and(|base| base.has_same(template))
                }
                None => of.outcome == "cancel",
            }
    };
    left.iter_mut().find(|slot| slot.as_ref().is_some_and(is_same))?.take()
}

/// A decision to send of then, and whether it was a duplicate; `None` if it was something else.
fn then(of: PastDecision) -> Option<(Then, bool)> {
    let decision: Decision = match of.outcome.as_str() {
        "cancel" => return None,
        _ => serde_json::from_str(of.decision.as_ref()?).ok()?,
    };
    let is_duplicate = is_silent_duplicate(&of);
    let was_told = !is_duplicate && of.outcome != "failed";
    let then = Then { rule: of.rule.unwrap_or_default(), release: of.release, decision, was_told };
    Some((then, is_duplicate))
}
