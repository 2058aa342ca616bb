//! People, groups and contacts.

use axum::{
    extract::{Path, State},
    response::Html,
};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    query::{Filter, PAGE, filled},
    refusal::Refusal,
    render,
    session::Viewer,
};
use crate::{
    check::words,
    operate::LISTING,
    store::{NotificationFilter, StoredPerson},
};

/// How long a user may be written to freely after they wrote in.
const WINDOW: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Which people.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    #[serde(default, deserialize_with = "filled")]
    group: Option<String>,
    #[serde(default)]
    after: String,
}

/// People, by username.
pub async fn people(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<People>,
) -> Result<Html<String>, Refusal> {
    let people = console.operate.people(query.group.as_deref(), &query.after, PAGE).await?;
    let is_full = i64::try_from(people.len()).is_ok_and(|count| count >= PAGE);
    let next = people.last().filter(|_| is_full).map(|last| {
        let group = query.group.as_deref().map(|group| ("group", group));
        let pairs: Vec<_> = group.into_iter().chain([("after", last.username.as_str())]).collect();
        render::link("/people", &pairs)
    });
    let now = console.operate.now();
    let people: Vec<Value> = people.iter().map(|person| row(person, now)).collect();
    render::view("people.html", &viewer, context! { people, next, group => query.group })
}

/// One person with the latest messages.
pub async fn person(
    viewer: Viewer,
    State(console): State<Console>,
    Path(username): Path<String>,
) -> Result<Html<String>, Refusal> {
    let now = console.operate.now();
    let person = console
        .operate
        .person(&username)
        .await?
        .ok_or_else(|| Refusal::unknown("No person has this username."))?;
    let filter = NotificationFilter {
        since: now
            .checked_sub(jiff::SignedDuration::from_hours(24 * 7))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        status: None,
        person: Some(username),
        template: None,
        before: None,
        limit: 20,
    };
    let messages = console.operate.notifications(&filter, LISTING).await?.data;
    render::view(
        "person.html",
        &viewer,
        context! { person => row(&person, now), messages => render::value(&messages) },
    )
}

fn row(person: &StoredPerson, now: jiff::Timestamp) -> Value {
    let contact = person.contact.as_ref();
    let wrote_at = contact.and_then(|contact| contact.last_inbound_at);
    // Whoever wrote in within the last 24 hours can be written to freely.
    let window = wrote_at.and_then(|at| at.checked_add(WINDOW).ok()).filter(|end| *end > now);
    context! {
        username => person.username.clone(),
        name => person.name.clone(),
        active => person.active,
        groups => person.groups.clone(),
        address => contact.and_then(|contact| contact.wa_id.clone().or_else(|| contact.user_id.clone())),
        whatsapp_name => contact.and_then(|contact| contact.name.clone()),
        shared_with => person.shared_with.clone(),
        language => person.language.clone().or_else(|| contact?.language.clone()),
        quiet_hours => person.quiet_hours.as_ref().map(ToString::to_string),
        window => window.map(|end| words::span(end.duration_since(now))),
        created_at => person.created_at.to_string(),
    }
}

/// After which name or key the page begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After<T: Default> {
    #[serde(default)]
    after: T,
}

/// Groups, by name.
pub async fn groups(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<After<String>>,
) -> Result<Html<String>, Refusal> {
    let groups = console.operate.groups(&query.after, PAGE).await?;
    let is_full = i64::try_from(groups.len()).is_ok_and(|count| count >= PAGE);
    let next =
        groups.last().filter(|_| is_full).map(|last| render::link("/groups", &[("after", &last.name)]));
    let groups: Vec<Value> = groups
        .iter()
        .map(|group| {
            let shown = &group.members[..group.members.len().min(5)];
            context! { name => group.name.clone(), size => group.size, active => group.active, members => words::some(shown, group.size) }
        })
        .collect();
    render::view("groups.html", &viewer, context! { groups, next })
}

/// Contacts, in the order in which they were created.
pub async fn contacts(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<After<i64>>,
) -> Result<Html<String>, Refusal> {
    let contacts = console.operate.contacts(false, query.after, PAGE).await?;
    let is_full = i64::try_from(contacts.len()).is_ok_and(|count| count >= PAGE);
    let next = contacts
        .last()
        .filter(|_| is_full)
        .map(|last| render::link("/contacts", &[("after", &last.id.to_string())]));
    let contacts: Vec<Value> = contacts
        .iter()
        .map(|stored| {
            let contact = &stored.contact;
            context! {
                name => contact.name.clone(),
                address => contact.wa_id.as_deref().or(contact.user_id.as_deref()),
                wrote_at => contact.last_inbound_at.map(|at| at.to_string()),
                people => stored.people.clone(),
                opted_out_at => stored.opt_out.as_ref().map(|opt_out| opt_out.at.to_string()),
            }
        })
        .collect();
    render::view("contacts.html", &viewer, context! { contacts, next })
}
