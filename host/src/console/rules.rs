//! The rules that are live, as a map that can be read without knowing their languages.

use axum::{extract::State, response::Html};
use minijinja::{Value, context};

use super::{Console, refusal::Refusal, render, session::Viewer};

/// Maximum number of rules and warnings on the page.
const SHOWN: usize = 60;

/// The map: event type → rule → template → groups.
pub async fn show(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let catalog = console.setup.live().current();
    let rules: Vec<Value> = catalog
        .uses
        .iter()
        .take(SHOWN)
        .map(|of| {
            context! {
                types => of.types.clone(), rule => of.rule.clone(), template => of.template.clone(),
                groups => of.groups.clone(), others => of.others,
            }
        })
        .collect();
    let further = catalog.uses.len().saturating_sub(SHOWN);
    let warnings: Vec<String> = catalog
        .all_warnings()
        .take(SHOWN / 3)
        .map(|finding| format!("{}:{}: {}", finding.file, finding.line, finding.message))
        .collect();
    render::view(
        "rules.html",
        &viewer,
        context! { release => catalog.release.clone(), rules, further, warnings },
    )
}
