//! What the demo posts: one event for each template, from the catalog's own cases.

use std::collections::BTreeSet;

use hookswitch_core::{
    catalog::{Catalog, CatalogPorts},
    decide::decide,
    domain::{Event, Outcome},
    plan::named,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A sample.
pub struct Sample {
    /// The case's name.
    pub name: String,
    /// The event's type.
    pub kind: String,
    /// The event as it is posted.
    pub body: Value,
    /// Recipients who are not staff, by their `wa_id`.
    pub contacts: BTreeSet<String>,
}

/// Returns, for each template, the first case whose event leads to it; an event that leads to several templates once.
pub fn samples(catalog: &Catalog, now: Timestamp) -> Vec<Sample> {
    let ports = CatalogPorts { catalog, now };
    let mut shown = BTreeSet::new();
    let mut samples = Vec::new();
    for (case, event) in
        catalog.cases.iter().flat_map(|case| case.events.iter().map(move |event| (case, event)))
    {
        let verdicts = decide(&catalog.routes, event, &ports);
        let templates = verdicts.iter().filter_map(|verdict| match &verdict.outcome {
            Outcome::Notify(decision) => Some(decision.template.clone()),
            _ => None,
        });
        let mut is_new = false;
        for template in templates {
            is_new |= shown.insert(template);
        }
        if is_new {
            samples.push(Sample {
                name: case.name.clone(),
                kind: event.kind.clone(),
                body: body(event),
                contacts: named(&verdicts).contacts,
            });
        }
    }
    samples
}

fn body(event: &Event) -> Value {
    let mut body = json!({"type": event.kind, "source": "/demo", "data": event.data});
    if let Some(subject) = &event.subject {
        body["subject"] = json!(subject);
    }
    body
}
