//! Messages: the list, and one with its bubble and its way.

use axum::{
    extract::{Path, State},
    response::Html,
};
use hookswitch_core::domain::{Message, NotificationId, Status};
use minijinja::{Value, context};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Console, bubble,
    query::{Filter, PAGE, filled, since},
    refusal::Refusal,
    render,
    session::Viewer,
    timeline,
};
use crate::{
    operate::{LISTING, stored_recipient},
    store::{NotificationFilter, NotificationPage},
};

/// The filters of the list, as those of `hookswitch notifications`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default, deserialize_with = "filled")]
    status: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    person: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    template: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    since: Option<String>,
    before: Option<Uuid>,
}

/// The list.
pub async fn list(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<Query>,
) -> Result<Html<String>, Refusal> {
    let status: Option<Status> = match query.status.as_deref().map(str::parse) {
        None => None,
        Some(Ok(status)) => Some(status),
        Some(Err(_)) => return Err(Refusal::invalid("The filter status is not a status of a message.")),
    };
    let filter = NotificationFilter {
        since: since(query.since.as_deref(), "24h", console.operate.now())?,
        status,
        person: query.person.as_deref().map(stored_recipient),
        template: query.template.clone(),
        before: query.before.map(NotificationId),
        limit: PAGE,
    };
    let NotificationPage { data: mut messages, next } =
        console.operate.notifications(&filter, LISTING).await?;
    messages.iter_mut().for_each(|message| message.detail = viewer.text(message.detail.take()));
    let fields = [
        ("status", query.status),
        ("person", query.person),
        ("template", query.template),
        ("since", query.since),
    ];
    let given: Vec<(&str, String)> =
        fields.iter().filter_map(|(name, value)| Some((*name, value.clone()?))).collect();
    let filtered = fields.iter().any(|(_, value)| value.is_some());
    let fields: Vec<Value> = fields
        .into_iter()
        .map(|(name, value)| context! { name, value => value.unwrap_or_default() })
        .collect();
    let next = next.map(|next| {
        let before = next.to_string();
        let given = given.iter().map(|(name, value)| (*name, value.as_str()));
        render::link("/messages", &given.chain([("before", before.as_str())]).collect::<Vec<_>>())
    });
    render::view(
        "messages.html",
        &viewer,
        context! { messages => render::value(&messages), fields, filtered, next },
    )
}

/// One message.
pub async fn show(
    viewer: Viewer,
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Html<String>, Refusal> {
    let unknown = || Refusal::unknown("No message has this id.");
    let id = NotificationId(id.parse::<Uuid>().map_err(|_| unknown())?);
    let history = viewer.history(console.operate.notification_history(id, 1).await?.ok_or_else(unknown)?);
    let (decision, message) = history
        .decisions
        .iter()
        .find_map(|decision| Some((decision, decision.notifications.iter().find(|n| n.id == id)?)))
        .ok_or_else(unknown)?;
    let steps = timeline::steps(history.received_at, Some(decision.decided_at), &message.deliveries);
    let faces = serde_json::from_str::<Message>(message.message.as_ref().map_or("", |message| message.get()))
        .map(|message| bubble::faces(&message));
    let wamids: Vec<&String> =
        message.deliveries.iter().filter_map(|delivery| delivery.wamid.as_ref()).collect();
    render::view(
        "message.html",
        &viewer,
        context! {
            event => render::value(&history.event),
            rule => decision.rule.clone(),
            message => render::value(message),
            faces => render::value(&faces.unwrap_or_default()),
            wamid => wamids.last().map(|wamid| wamid.as_str()),
            steps => render::value(&steps),
        },
    )
}
