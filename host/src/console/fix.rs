//! Fixing what the check finds and what is safe to fix.

use axum::{Form, extract::State, response::Html};
use minijinja::context;
use serde::Deserialize;

use super::{Console, refusal::Refusal, render, session::Administrator};
use crate::operate::Operator;

/// The page that asks.
pub async fn confirm(Administrator(viewer): Administrator) -> Result<Html<String>, Refusal> {
    render::view("fix.html", &viewer, context! { steps => () })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Whether templates are submitted: present if the box was ticked.
    templates: Option<String>,
}

/// Fixes it, and says what came of it.
pub async fn fix(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(Fix { templates }): Form<Fix>,
) -> Result<Html<String>, Refusal> {
    let steps = console.setup.fix(&Operator::by_console(&viewer.key), templates.is_some()).await;
    render::view("fix.html", &viewer, context! { steps => render::value(&steps) })
}
