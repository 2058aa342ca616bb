//! What operators do to messages. Each act is confirmed on a page that shows the frozen set: its filter and the time until
//! which messages belong to it. Reloading that page, or going back to it, never widens the set.

use axum::{
    Form,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Console,
    query::{Filter, filled, since},
    refusal::Refusal,
    render,
    session::{Actor, Viewer},
};
use crate::{
    http::sentence,
    operate::{Choice, Operator, Resolution, wrong_key},
};

/// Messages that a job resends per second.
const RATE: u32 = 20;
/// From this number on it has to be typed.
const MANY: u64 = 100;
/// Messages that are shown as examples.
const EXAMPLES: i64 = 5;
/// Maximum number of messages that a page of a job lists.
const LISTED: i64 = 40;

/// A choice of failed messages, frozen once it has its times.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    act: Act,
    code: Option<i32>,
    #[serde(default, deserialize_with = "filled")]
    template: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    person: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    since: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The number of messages that was shown, and what was typed.
    #[serde(default, deserialize_with = "filled")]
    shown: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    typed: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Redrive,
    Discard,
}

impl Frozen {
    fn choice(&self) -> Choice {
        Choice {
            ids: Vec::new(),
            template: self.template.clone(),
            person: self.person.clone(),
            code: self.code,
            since: self.from,
        }
    }
}

/// The page that asks.
pub async fn confirm(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Filter(query): Filter<Frozen>,
) -> Result<Response, Refusal> {
    let Some(until) = query.until else { return freeze(&console, &query) };
    let filter = query.choice().filter(until);
    let count = console.operate.count_failed(&filter).await?;
    let examples = console.operate.failed(&filter, None, EXAMPLES).await?;
    let examples: Vec<Value> = examples
        .iter()
        .map(|letter| {
            let notification = &letter.notification;
            context! {
                id => notification.id.to_string(), at => letter.failed_at.to_string(), code => letter.code,
                detail => viewer.text(letter.detail.clone()), username => notification.username.clone(),
                recipient => notification.recipient.clone(), template => notification.message.template.clone(),
            }
        })
        .collect();
    let frozen = render::value(&query);
    let page = render::view("act.html", &viewer, context! { frozen, count, examples, many => MANY })?;
    Ok(page.into_response())
}

/// Sends the browser to the address that names the times of the set.
fn freeze(console: &Console, query: &Frozen) -> Result<Response, Refusal> {
    let now = console.operate.now();
    let from = match &query.since {
        Some(text) => Some(since(Some(text), "", now)?.to_string()),
        None => query.from.map(|from| from.to_string()),
    };
    let (code, until) = (query.code.map(|code| code.to_string()), now.to_string());
    let act = match query.act {
        Act::Redrive => "redrive",
        Act::Discard => "discard",
    };
    let pairs = [
        ("act", Some(act)),
        ("code", code.as_deref()),
        ("template", query.template.as_deref()),
        ("person", query.person.as_deref()),
        ("from", from.as_deref()),
        ("until", Some(until.as_str())),
    ];
    let pairs: Vec<_> = pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(Redirect::to(&render::link("/failed/act", &pairs)).into_response())
}

/// Creates the job that does it.
pub async fn act(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Form(form): Form<Frozen>,
) -> Result<Redirect, Refusal> {
    let until = form
        .until
        .ok_or_else(|| Refusal::invalid("The form lacks the time until which messages belong to it."))?;
    let choice = form.choice();
    let count = console.operate.count_failed(&choice.filter(until)).await?;
    let shown: u64 = form.shown.as_deref().and_then(|shown| shown.parse().ok()).unwrap_or(0);
    if count > shown {
        return Err(Refusal::invalid(
            "More messages belong to this now than were shown. Open the page anew.",
        ));
    }
    if shown > MANY && form.typed != form.shown {
        return Err(Refusal::invalid(format!(
            "Type the number of messages, {shown}, to confirm. Nothing was changed."
        )));
    }
    let rate = (form.act == Act::Redrive).then_some(RATE);
    let by = Operator::by_console(&viewer.key);
    let id = console.operate.confirmed_job(&by, &choice, until, rate, form.reason.as_deref()).await?;
    Ok(Redirect::to(&format!("/jobs/{id}")))
}

/// The progress of a job, with the first messages that it changed.
pub async fn job(
    viewer: Viewer,
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Html<String>, Refusal> {
    let unknown = || Refusal::unknown("No job has this id.");
    let id: i64 = id.parse().map_err(|_| unknown())?;
    let job = console.operate.job(id).await?.ok_or_else(unknown)?;
    let messages = console.operate.job_messages(id, NotificationId(Uuid::nil()), LISTED).await?;
    render::view(
        "job.html",
        &viewer,
        context! { job => render::value(&job), messages => render::value(&messages) },
    )
}

/// The page that asks what to do with a message that could not be confirmed.
pub async fn doubtful(Actor(viewer): Actor, Path(id): Path<String>) -> Result<Html<String>, Refusal> {
    let id: Uuid = id.parse().map_err(|_| Refusal::unknown("No message has this id."))?;
    render::view("resolve.html", &viewer, context! { id => id.to_string() })
}

#[derive(Deserialize)]
pub struct Resolve {
    resolution: String,
    #[serde(default, deserialize_with = "filled")]
    reason: Option<String>,
}

/// Resends or drops a message that could not be confirmed.
pub async fn resolve(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Path(id): Path<String>,
    Form(form): Form<Resolve>,
) -> Result<Redirect, Refusal> {
    let id: Uuid = id.parse().map_err(|_| Refusal::unknown("No message has this id."))?;
    let resolution = match form.resolution.as_str() {
        "resend" => Resolution::Resend,
        "drop" => Resolution::Drop,
        _ => return Err(Refusal::invalid("The resolution must be resend or drop.")),
    };
    let by = Operator::by_console(&viewer.key);
    let ids = [NotificationId(id)];
    let done = console.operate.resolve_unknown(&by, Some(&ids), resolution, form.reason.as_deref()).await?;
    if done.count == 0 {
        return Err(Refusal::invalid(
            "The delivery of this message is not in doubt any more; nothing was changed.",
        ));
    }
    Ok(Redirect::to(&format!("/messages/{id}")))
}

/// Messages to withdraw.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToWithdraw {
    key: String,
    #[serde(default, deserialize_with = "filled")]
    reason: Option<String>,
}

/// The page that asks whether to withdraw the messages with a key.
pub async fn withdrawal(
    Actor(viewer): Actor,
    Filter(query): Filter<ToWithdraw>,
) -> Result<Html<String>, Refusal> {
    render::view("withdraw.html", &viewer, context! { key => query.key })
}

/// Withdraws the messages with a key.
pub async fn withdraw(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Form(form): Form<ToWithdraw>,
) -> Result<Redirect, Refusal> {
    if let Some(why) = wrong_key(&form.key) {
        return Err(Refusal::invalid(sentence(&why)));
    }
    let by = Operator::by_console(&viewer.key);
    console.operate.withdraw(&by, &form.key, form.reason.as_deref()).await?;
    Ok(Redirect::to("/waiting"))
}
