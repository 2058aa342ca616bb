//! Templates: ours beside Meta's, what a push would change, and the push.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    query::{Filter, filled},
    refusal::Refusal,
    render,
    session::{Administrator, Viewer},
};
use crate::{
    metrics::TemplateCounts,
    operate::{Operator, PushChoice, TemplateReport, TemplatesError},
};

/// Maximum number of templates on the page, and of others at Meta.
const SHOWN: usize = 60;

impl From<TemplatesError> for Refusal {
    fn from(error: TemplatesError) -> Refusal {
        let capital = |text: String| {
            let mut letters = text.chars();
            letters
                .next()
                .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
        };
        match error {
            TemplatesError::Store(error) => error.into(),
            TemplatesError::Unknown(_) => Refusal::unknown(capital(error.to_string())),
            TemplatesError::NoAccount => Refusal::new(StatusCode::CONFLICT, capital(error.to_string())),
            TemplatesError::Meta(_) => {
                Refusal::new(StatusCode::BAD_GATEWAY, format!("Meta could not be asked: {error}."))
            }
        }
    }
}

/// All templates.
pub async fn list(viewer: Viewer, State(console): State<Console>) -> Result<Response, Refusal> {
    let list = match console.setup.templates().await {
        Ok(list) => list,
        // A host may be set up without an account; its console has no broken pages.
        Err(error @ (TemplatesError::NoAccount | TemplatesError::Meta(_))) => {
            let page = context! { error => error.to_string(), list => () };
            return Ok(render::view("meta.html", &viewer, page)?.into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let pushable = list.data.iter().filter(|of| of.needs_push).count();
    let (more, more_others) =
        (list.data.len().saturating_sub(SHOWN), list.others.len().saturating_sub(SHOWN));
    let figures: Vec<Value> = list.data.iter().take(SHOWN).map(figures).collect();
    let page = context! {
        error => (), list => render::value(&list), shown => SHOWN, more, more_others, pushable, figures,
    };
    Ok(render::view("meta.html", &viewer, page)?.into_response())
}

/// What became of the messages of a template in the last 30 days.
fn figures(of: &TemplateReport) -> Value {
    let days = of.days.as_deref().unwrap_or_default();
    let mut sum = TemplateCounts::default();
    days.iter().for_each(|day| sum.add(day.counts));
    context! { sent => sum.sent, delivered => sum.delivered, read => sum.read, failed => sum.failed }
}

/// One template, or all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default, deserialize_with = "filled")]
    template: Option<String>,
    /// The names at Meta that were shown.
    #[serde(default, deserialize_with = "filled")]
    shown: Option<String>,
}

impl Which {
    fn choice(&self) -> PushChoice {
        match &self.template {
            Some(name) => PushChoice::Named(vec![name.clone()]),
            None => PushChoice::All,
        }
    }
}

/// What a push would change, and the button that pushes it.
pub async fn confirm(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Filter(which): Filter<Which>,
) -> Result<Html<String>, Refusal> {
    let by = Operator::by_console(&viewer.key);
    let planned = console.setup.push_templates(&by, &which.choice(), true).await?;
    let differences = match &which.template {
        Some(name) => console.setup.template_diff(name).await?,
        None => Vec::new(),
    };
    let shown: Vec<&str> = planned.iter().map(|of| of.name.as_str()).collect();
    let page = context! {
        template => which.template, planned => render::value(&planned), shown => shown.join(" "),
        differences => render::value(&differences),
    };
    render::view("push.html", &viewer, page)
}

/// Submits them.
pub async fn push(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(which): Form<Which>,
) -> Result<Html<String>, Refusal> {
    let by = Operator::by_console(&viewer.key);
    let planned = console.setup.push_templates(&by, &which.choice(), true).await?;
    let now: Vec<&str> = planned.iter().map(|of| of.name.as_str()).collect();
    let shown: Vec<&str> = which.shown.as_deref().unwrap_or_default().split(' ').collect();
    if now.iter().any(|name| !shown.contains(name)) {
        return Err(Refusal::invalid("More would be submitted now than was shown. Open the page anew."));
    }
    let pushed = console.setup.push_templates(&by, &which.choice(), false).await?;
    render::view("pushed.html", &viewer, context! { pushed => render::value(&pushed) })
}
