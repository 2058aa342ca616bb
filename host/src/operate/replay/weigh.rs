//! What differs of an event for people: the messages of then and of now, planned for the same people.

use hookswitch_core::{
    catalog::Catalog,
    compare::{ComparedMessage, compare},
    domain::{Decision, DecisionOutcome, Outcome, People, Senders, Verdict},
    plan::{Category, InUse, Planner, Templates},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    judge::{Bases, Judged, Now, Unjudged},
    prices::{Price, add_cost},
    report::{ReplayChanges, ReplayEvent, ReplayReport, ThenNow},
};

/// An event for which something differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventDifference {
    /// Its lane and its place in it.
    #[serde(skip)]
    pub(in crate::operate) place: (i16, i64),
    /// The event; its `reason` says why the rules that are tried fail, or send nothing.
    #[serde(flatten)]
    pub event: ReplayEvent,
    /// Its messages that change, by kind, with what is collected for digests.
    pub changes: ReplayChanges,
    /// Whether the rules that are tried fail, and those that decided did not.
    pub fails: bool,
}

/// Messages of a decision.
struct Messages {
    rule: String,
    template: String,
    category: &'static str,
    groups: Vec<String>,
    count: u64,
    is_now: bool,
    is_then: bool,
    /// The rule of then, if it is the same decision.
    rule_then: Option<String>,
}

/// An event with its messages.
pub(super) struct Weighed {
    judged: Judged,
    messages: Vec<Messages>,
    then: Vec<ComparedMessage>,
    now: Vec<ComparedMessage>,
    spoke: bool,
    speaks: bool,
}

/// Meta's category of a template, in words.
fn category(templates: &Templates, name: &str) -> &'static str {
    match templates.get(name).map(|template| template.category) {
        Some(Category::Utility) => "utility",
        Some(Category::Marketing) => "marketing",
        Some(Category::Authentication) => "authentication",
        None => "unknown",
    }
}

/// Plans a decision for these people: its messages, or why it fails.
fn planned(
    judged: &Judged,
    rule: &str,
    decision: &Decision,
    templates: &Templates,
    people: &People,
) -> Result<Vec<ComparedMessage>, String> {
    let senders = Senders::any();
    // What a rule decided then keeps the time of then.
    let now: Timestamp = judged.decided_at;
    let planner = Planner { templates, senders: &senders, in_use: None::<&InUse>, people, now };
    let verdict =
        Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision.clone())), asked: [].into() };
    let planned = planner.plan(&judged.logged.event, &verdict);
    if planned.outcome == DecisionOutcome::Failed {
        return Err(planned.reason.unwrap_or_default());
    }
    let from = decision.from.clone().or_else(|| templates.get(&decision.template)?.from.clone());
    let rule = Some(rule.to_owned()).filter(|rule| !rule.is_empty());
    let in_digest = decision.collect.is_some();
    let sent = planned.into_shown().notifications.into_iter().filter(|of| of.skipped.is_none());
    Ok(sent
        .filter_map(|of| ComparedMessage::new(of.notification, rule.clone(), from.clone(), in_digest))
        .collect())
}

impl Weighed {
    /// Plans what is not as it was.
    pub fn new(
        mut judged: Judged,
        tried: &Catalog,
        bases: &Bases,
        people: &People,
    ) -> Result<Weighed, Unjudged> {
        let (mut messages, mut then_sent, mut now_sent) = (Vec::new(), Vec::new(), Vec::new());
        let (mut spoke, mut speaks, mut failed_then) = (false, false, judged.failed_then);
        for then in &judged.then {
            let templates = bases.get(&then.release).and_then(|base| base.templates(tried));
            let templates = templates.ok_or(Unjudged::ReleaseGone)?;
            let sent = match then.was_told {
                true => planned(&judged, &then.rule, &then.decision, templates, people),
                false => Ok(Vec::new()),
            };
            let sent = match sent {
                Ok(sent) => sent,
                Err(_) if judged.decides_both => {
                    failed_then = true;
                    Vec::new()
                }
                Err(_) => return Err(Unjudged::ReleaseGone),
            };
            spoke |= !sent.is_empty();
            messages.push(Messages {
                rule: then.rule.clone(),
                template: then.decision.template.clone(),
                category: category(templates, &then.decision.template),
                groups: then.decision.groups.clone(),
                count: sent.iter().filter(|of| !of.timing.in_digest).count() as u64,
                is_now: false,
                is_then: true,
                rule_then: None,
            });
            then_sent.extend(sent);
        }
        let mut fails = None;
        for now in &judged.now {
            let Outcome::Notify(decision) = &now.verdict.outcome else { continue };
            let sent = match (&now.kept, now.is_duplicate) {
                (Some(_), _) | (None, true) => Ok(Vec::new()),
                (None, false) => planned(&judged, &now.rule, decision, &tried.templates, people),
            };
            let sent = match sent {
                Ok(sent) => sent,
                Err(why) if why.contains("is gone since the event was routed") => {
                    return Err(Unjudged::ValuesGone);
                }
                Err(why) => {
                    fails.get_or_insert(why);
                    Vec::new()
                }
            };
            let count = match &now.kept {
                Some(kept) => {
                    spoke |= kept.speaks;
                    speaks |= kept.speaks;
                    kept.told
                }
                None => sent.iter().filter(|of| !of.timing.in_digest).count() as u64,
            };
            speaks |= !sent.is_empty();
            messages.push(Messages {
                rule: now.rule.clone(),
                template: decision.template.clone(),
                category: category(&tried.templates, &decision.template),
                groups: decision.groups.clone(),
                count,
                is_now: true,
                is_then: now.kept.is_some(),
                rule_then: now.kept.as_ref().map(|kept| kept.rule.clone()),
            });
            now_sent.extend(sent);
        }
        judged.fails_now = judged.fails_now.take().or(fails);
        judged.failed_then = failed_then;
        Ok(Weighed { judged, messages, then: then_sent, now: now_sent, spoke, speaks })
    }

    /// Adds it to the report; returns what differs, if something does.
    pub fn add_to(self, report: &mut ReplayReport, prices: &[Price]) -> Option<EventDifference> {
        let Weighed { judged, messages, then, now, spoke, speaks } = self;
        report.add_release(&judged.release);
        for (rule, took) in &judged.took {
            report.add_time(rule, took.as_secs_f64() * 1_000.0);
        }
        for of in &messages {
            let count = |is_there: bool, count: u64| if is_there { count } else { 0 };
            let both = |each: u64| ThenNow { then: count(of.is_then, each), now: count(of.is_now, each) };
            match &of.rule_then {
                Some(rule) if *rule != of.rule => {
                    let (then, now) =
                        (ThenNow { then: of.count, now: 0 }, ThenNow { then: 0, now: of.count });
                    report.add_messages(rule, &of.template, of.category, then);
                    report.add_messages(&of.rule, &of.template, of.category, now);
                }
                _ => report.add_messages(&of.rule, &of.template, of.category, both(of.count)),
            }
            of.groups.iter().for_each(|group| report.add_group(group, both(1)));
        }
        let Judged { logged, failed_then, fails_now, .. } = &judged;
        let event = |why| ReplayEvent::new(&logged.event.key, &logged.event.kind, logged.received_at, why);
        let changes = compare(&then, &now);
        let mut kinds = ReplayChanges::default();
        for change in &changes {
            kinds.add(change.kind);
            report.add_change(change, || event(None));
        }
        let (old, new) = (priced(&messages, &then, |of| of.is_then), priced(&messages, &now, |of| of.is_now));
        add_cost(prices, &mut report.cost, old, new);
        let mut is_changed = !changes.is_empty();
        let (mut fails, mut reason) = (false, None);
        match (failed_then, fails_now) {
            (false, Some(why)) => {
                (fails, reason) = (true, Some(why.clone()));
                report.totals.newly_failing += 1;
                ReplayReport::name(&mut report.newly_failing, || event(Some(why.clone())));
                is_changed = true;
            }
            (true, None) => {
                report.totals.no_longer_failing += 1;
                is_changed = true;
            }
            _ => {}
        }
        if spoke != speaks {
            is_changed = true;
            if speaks {
                report.totals.no_longer_silent += 1;
            } else {
                report.totals.newly_silent += 1;
                reason = reason.or_else(|| silence(&judged));
                ReplayReport::name(&mut report.newly_silent, || event(silence(&judged)));
            }
        }
        if is_changed {
            report.totals.changed += 1;
        } else if judged.cancels_differ || conditions_differ(&judged) {
            report.totals.other_conditions += 1;
        } else {
            return None;
        }
        Some(EventDifference { place: judged.place(), event: event(reason), changes: kinds, fails })
    }
}

/// Messages that are sent by themselves, each with the category of its template, among those of then or of now.
fn priced<'a>(
    messages: &'a [Messages],
    sent: &'a [ComparedMessage],
    is_of: fn(&Messages) -> bool,
) -> impl Iterator<Item = (&'static str, &'a ComparedMessage)> {
    let category = move |of: &ComparedMessage| {
        let found = messages.iter().find(|with| is_of(with) && with.template == of.template);
        found.map_or("unknown", |with| with.category)
    };
    sent.iter().filter(|of| !of.timing.in_digest).map(move |of| (category(of), of))
}

/// Why no message comes of an event now.
fn silence(judged: &Judged) -> Option<String> {
    let why = |now: &Now| match &now.verdict.outcome {
        Outcome::Skip(why) | Outcome::Failed(why) | Outcome::Parked { why, .. } => Some(why.clone()),
        Outcome::NoRoute => Some("no route matches its type".to_owned()),
        Outcome::Notify(_) if now.is_duplicate => Some("its dedupe_key is in use".to_owned()),
        Outcome::Notify(_) => Some("nobody can be reached".to_owned()),
        Outcome::Cancel(_) => None,
    };
    judged.fails_now.clone().or_else(|| judged.now.iter().find_map(why))
}

/// Whether decisions that are not the same differ in what decides later whether their messages are sent.
fn conditions_differ(judged: &Judged) -> bool {
    let of = |decision: &Decision| {
        let Decision { template, key, cancel, at_most, .. } = decision;
        format!("{template} {key:?} {cancel:?} {at_most:?}")
    };
    let mut then: Vec<String> = judged.then.iter().map(|then| of(&then.decision)).collect();
    let new = judged.now.iter().filter(|now| now.kept.is_none());
    let mut now: Vec<String> = new
        .filter_map(|now| match &now.verdict.outcome {
            Outcome::Notify(decision) => Some(of(decision)),
            _ => None,
        })
        .collect();
    then.sort();
    now.sort();
    then != now
}
