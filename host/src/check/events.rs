//! Events of which no message came.

use std::collections::HashMap;

use hookswitch_core::{catalog::Catalog, domain::DecisionOutcome};

use super::{
    command::Command,
    report::{Finding, Section},
    words::count,
};
use crate::store::{Lately, UnsentFacts};

const CORRECTED: &str = "once that is corrected, route them again";

/// The events of the last 24 hours that came to no message, by cause.
pub fn judge(catalog: Option<&Catalog>, unsent: &[UnsentFacts], lately: &HashMap<String, Lately>) -> Section {
    let mut findings = Vec::new();
    for UnsentFacts { outcome, cause, count: events, reason, id } in unsent {
        let number = count(*events, "event", "events");
        let because = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let explain = Command::new(&["explain"]).operand(id);
        findings.push(match outcome {
            DecisionOutcome::NoRoute => {
                let meant = catalog.and_then(|catalog| catalog.routes.closest_type(cause));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                let what = format!("{number} of the type {cause} had no rule{meant}");
                Finding::warning("event.no_route", what)
                    .about(cause.clone())
                    .command(Command::new(&["events", "--no-route"]).option("--type", cause))
                    .example(CORRECTED, &rerun("--no-route").option("--type", cause))
            }
            DecisionOutcome::Nobody => {
                let what = format!("{cause}: {number} reached nobody{because}");
                Finding::warning("rule.nobody", what)
                    .about(cause.clone())
                    .command(explain)
                    .example(CORRECTED, &rerun("--nobody"))
            }
            // Most reasons begin with the place, down to the column.
            _ => {
                let has_place = cause.is_empty()
                    || reason.as_ref().is_some_and(|reason| reason.starts_with(cause.as_str()));
                let place = if has_place { String::new() } else { format!("{cause}: ") };
                let rate = match lately.get(cause) {
                    Some(Lately { decided, failed }) if *decided > 1 => {
                        format!(" (of this rule's last {decided} decisions: {failed})")
                    }
                    _ => String::new(),
                };
                let what = format!("{place}{number} failed{rate}, the last one with{because}");
                Finding::warning("rule.failed", what)
                    .about(cause.clone())
                    .command(explain)
                    .example(CORRECTED, &rerun("--failed"))
            }
        });
    }
    let total = |wanted: DecisionOutcome| {
        unsent.iter().filter(|facts| facts.outcome == wanted).map(|facts| facts.count).sum::<i64>()
    };
    let summary = format!(
        "last 24 hours: {} failed, {} without a rule, {} that reached nobody",
        total(DecisionOutcome::Failed),
        total(DecisionOutcome::NoRoute),
        total(DecisionOutcome::Nobody)
    );
    Section::new("events", summary, findings)
}

fn rerun(outcome: &str) -> Command {
    Command::new(&["events", "rerun", outcome])
}
