//! Messages that failed, that could not be confirmed, and that wait.

use std::collections::BTreeMap;

use axum::{extract::State, response::Html};
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    overview::{COUNTED, every},
    query::{Filter, PAGE, filled, since},
    refusal::Refusal,
    render,
    session::Viewer,
};
use crate::{
    check::words,
    operate::{MOST_COUNTED, SENT, Throughput, stored_recipient},
    store::{Counted, DeadLetterFilter},
};

/// The filters, as those of `hookswitch failed list`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    code: Option<i32>,
    #[serde(default, deserialize_with = "filled")]
    template: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    person: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    since: Option<String>,
}

impl Query {
    fn filter(&self, now: Timestamp) -> Result<DeadLetterFilter, Refusal> {
        Ok(DeadLetterFilter {
            since: match &self.since {
                Some(text) => since(Some(text), "", now)?,
                None => Timestamp::UNIX_EPOCH,
            },
            template: self.template.clone(),
            person: self.person.as_deref().map(stored_recipient),
            code: self.code,
            ..every(now)
        })
    }
}

/// Failures with one cause.
#[derive(serde::Serialize)]
struct Cause {
    code: Option<i32>,
    template: String,
    detail: Option<String>,
    count: usize,
    first: String,
    last: String,
}

/// Failed messages: the causes, and the first ones.
pub async fn failed(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<Query>,
) -> Result<Html<String>, Refusal> {
    let filter = query.filter(console.operate.now())?;
    let letters = console.operate.failed(&filter, None, COUNTED).await?;
    let mut causes: BTreeMap<(Option<i32>, &str), Cause> = BTreeMap::new();
    for letter in &letters {
        let template = letter.notification.message.template.as_str();
        let at = letter.failed_at.to_string();
        let cause = causes.entry((letter.code, template)).or_insert_with(|| Cause {
            code: letter.code,
            template: template.to_owned(),
            detail: viewer.text(letter.detail.clone()),
            count: 0,
            first: at.clone(),
            last: at.clone(),
        });
        cause.count += 1;
        cause.last = at;
    }
    let mut causes: Vec<Cause> = causes.into_values().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    let further = causes.len().saturating_sub(20);
    causes.truncate(20);
    let count = letters.len();
    let shown: Vec<Value> = letters
        .iter()
        .take(PAGE as usize / 2)
        .map(|letter| {
            let notification = &letter.notification;
            context! {
                id => notification.id.to_string(), at => letter.failed_at.to_string(), code => letter.code,
                detail => viewer.text(letter.detail.clone()), username => notification.username.clone(),
                recipient => notification.recipient.clone(),
                template => notification.message.template.clone(),
            }
        })
        .collect();
    let code = query.code.map(|code| code.to_string());
    let given = [
        ("code", code.as_deref()),
        ("template", query.template.as_deref()),
        ("person", query.person.as_deref()),
        ("since", query.since.as_deref()),
    ];
    let act = |act| {
        let given = given.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        render::link("/failed/act", &given.chain([("act", act)]).collect::<Vec<_>>())
    };
    let (redrive, discard) = (act("redrive"), act("discard"));
    let filtered =
        query.code.is_some() || query.template.is_some() || query.person.is_some() || query.since.is_some();
    render::view(
        "failed.html",
        &viewer,
        context! { causes => render::value(&causes), further, letters => shown, count, counted => COUNTED, filtered, redrive, discard },
    )
}

/// Messages whose delivery could not be confirmed.
pub async fn unknown(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let mut messages = console.operate.unknown(0, PAGE + 1).await?;
    let are_more = i64::try_from(messages.len()).is_ok_and(|count| count > PAGE);
    messages.truncate(PAGE as usize);
    render::view("unknown.html", &viewer, context! { messages => render::value(&messages), are_more })
}

/// Messages that wait, by reason.
pub async fn waiting(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let (overview, waiting, traffic) = tokio::try_join!(
        console.operate.overview(),
        console.operate.waiting(MOST_COUNTED),
        console.operate.traffic()
    )?;
    let Counted { count: queued, more } = overview.messages.get("queued").copied().unwrap_or_default();
    let mut reasons: Vec<Value> = waiting
        .iter()
        .filter(|facts| facts.count > 0)
        .map(|facts| {
            context! {
                reason => facts.reason.as_str(), count => facts.count, more => facts.count >= MOST_COUNTED, meaning => meaning(&facts.reason),
                oldest => facts.oldest_at.map(|at| at.to_string()), due => facts.first_due_at.to_string(),
            }
        })
        .collect();
    if queued > 0 {
        reasons
            .insert(0, context! { reason => "queued", count => queued, more, meaning => meaning("queued") });
    }
    let pace = pace(&traffic);
    let drained = pace
        .filter(|_| queued > 0)
        .map(|pace| words::span(SignedDuration::from_secs_f64(queued as f64 / pace)));
    let events = &overview.events;
    render::view(
        "waiting.html",
        &viewer,
        context! {
            reasons, events => events.count, more_events => events.more, oldest => events.oldest.map(|at| at.to_string()),  queued, more_queued => more,
            pace => pace.map(|pace| (pace * 60.0).ceil() as i64), drained,
        },
    )
}

/// Messages that were sent per second in the last ten minutes; `None` if there were none.
fn pace(traffic: &Throughput) -> Option<f64> {
    let sent = traffic.traffic.iter().find(|of| of.name == SENT)?;
    let sum: i64 = sent.hour.iter().rev().take(10).sum();
    (sum > 0).then(|| sum as f64 / 600.0)
}

/// What messages with a reason wait for.
fn meaning(reason: &str) -> &'static str {
    match reason {
        "queued" => "Their turn: they are not sent yet.",
        "send_at" => "The time at which the rule wants them sent.",
        "quiet" => "The end of the recipient's quiet hours.",
        "retry" => "The next attempt, after Meta refused one for the time being.",
        "pair" => "Meta's limit of messages to one recipient in a short time.",
        "unknown" => "A webhook: Meta did not answer, so nobody knows yet whether they were sent.",
        "hold" => "An operator: it could not be confirmed whether they were sent.",
        "as_template" => "A version of the template that Meta has approved.",
        "window" => "The recipient to write, which opens the 24-hour window.",
        "daily" => "Meta's limit of recipients in 24 hours.",
        "behind" => "An earlier message to the same recipient.",
        "stopped" => "An operator, who has stopped them: see Switches.",
        "resumed" => "Their turn among the messages that were held and are resumed.",
        "unreadable" => "A host of a newer version: this one cannot read them.",
        _ => "",
    }
}
