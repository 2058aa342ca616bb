//! What the variants of a template say, with the values of a case.

use super::{Catalog, case::Case, run};
use crate::{
    domain::{Decision, Event, Message, Outcome, People, Senders, Verdict},
    plan::{Planner, Template},
};

/// Whom samples are for: nobody has this number.
const NOBODY: &str = "15550100000";

/// A variant of a template, and a message of it.
pub struct Sample<'a> {
    /// The variant.
    pub template: &'a Template,
    /// The message, or why there is none.
    pub message: Result<Message, String>,
}

/// The variants of a template, the fallback first, with the message of the first case that leads to one of them, as if its
/// recipient read the language of each.
pub fn samples<'a>(catalog: &'a Catalog, name: &str) -> Vec<Sample<'a>> {
    let first = catalog.cases.iter().find_map(|case| {
        let is_it =
            |outcome: &Outcome| matches!(outcome, Outcome::Notify(decision) if decision.template == name);
        let mut results = run::decided(catalog, case).into_iter();
        results
            .find(|result| is_it(&result.verdict.outcome))
            .map(|result| (case, result.event, result.verdict))
    });
    let sample = |template: &'a Template| {
        let message = match &first {
            Some((case, event, verdict)) => in_language(catalog, case, event, verdict, &template.language),
            None => Err("no case leads to it".to_owned()),
        };
        Sample { template, message }
    };
    catalog.templates.variants(name).iter().map(sample).collect()
}

fn in_language(
    catalog: &Catalog,
    case: &Case,
    event: &Event,
    verdict: &Verdict,
    language: &str,
) -> Result<Message, String> {
    let Outcome::Notify(decision) = &verdict.outcome else { return Err("no case leads to it".to_owned()) };
    let decision = Decision {
        groups: Vec::new(),
        users: Vec::new(),
        contacts: vec![NOBODY.to_owned()],
        otherwise: None,
        language: Some(language.to_owned()),
        ..Decision::clone(decision)
    };
    let verdict = Verdict { outcome: Outcome::Notify(Box::new(decision)), ..verdict.clone() };
    let planner = Planner {
        templates: &catalog.templates,
        senders: &Senders::any(),
        in_use: None,
        people: &People::default(),
        now: case.now,
    };
    let mut planned = planner.plan(event, &verdict).into_shown();
    match planned.notifications.pop() {
        Some(planned) => Ok(planned.notification.message),
        None => Err(planned.reason.unwrap_or_default()),
    }
}
