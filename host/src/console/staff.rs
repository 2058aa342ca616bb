//! What administrators do with people and groups: add and change them.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State},
    response::{Html, Redirect},
};
use minijinja::context;
use serde::Deserialize;

use super::{
    Console,
    confirm::Confirmation,
    query::{Filter, filled},
    refusal::Refusal,
    render,
    session::Administrator,
};
use crate::{
    directory::{Editor, PersonChange, PersonToAdd, QuietHoursText},
    operate::Operator,
    store::StoredPerson,
};

/// The form for a new person.
pub async fn ask_new(Administrator(viewer): Administrator) -> Result<Html<String>, Refusal> {
    render::view("person_form.html", &viewer, context! { title => "Add a person", is_new => true })
}

/// What the form of a person says. An empty field is none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonFields {
    #[serde(default)]
    username: String,
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "filled")]
    whatsapp: Option<String>,
    /// Separated by semicolons.
    #[serde(default)]
    groups: String,
    #[serde(default, deserialize_with = "filled")]
    language: Option<String>,
    /// Whether the box is ticked.
    active: Option<String>,
}

impl PersonFields {
    fn groups(&self) -> Vec<String> {
        self.groups.split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

/// Adds a person.
pub async fn add(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(fields): Form<PersonFields>,
) -> Result<Redirect, Refusal> {
    let groups = fields.groups();
    let person = PersonToAdd {
        username: fields.username.trim().to_owned(),
        name: fields.name,
        whatsapp: fields.whatsapp,
        groups,
        quiet_hours: None,
        language: fields.language,
    };
    by(&console, &viewer.key).add_person(&person).await?;
    Ok(Redirect::to(&render::segment("/people/", &person.username)))
}

/// The form for changes of a person.
pub async fn ask_change(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Path(username): Path<String>,
) -> Result<Html<String>, Refusal> {
    let person = found(&console, &username).await?;
    let whatsapp = person.contact.as_ref().and_then(|contact| contact.recipient().map(str::to_owned));
    render::view(
        "person_form.html",
        &viewer,
        context! {
            title => format!("Change {username}"), is_new => false, username, name => person.name, whatsapp,
            groups => person.groups.join("; "), language => person.language, active => person.active,
        },
    )
}

/// Changes a person, and in which groups they are.
pub async fn change(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Path(username): Path<String>,
    Form(fields): Form<PersonFields>,
) -> Result<Redirect, Refusal> {
    let person = found(&console, &username).await?;
    let wanted = fields.groups();
    let directory = by(&console, &viewer.key);
    // A name that no group has is told before anything is changed.
    for name in wanted.iter().filter(|name| !person.groups.contains(name)) {
        directory.group(name).await?;
    }
    let address = person.contact.as_ref().and_then(|contact| contact.recipient());
    let change = PersonChange {
        name: Some(fields.name).filter(|name| *name != person.name),
        active: Some(fields.active.is_some()).filter(|active| *active != person.active),
        whatsapp: Some(fields.whatsapp).filter(|whatsapp| whatsapp.as_deref() != address),
        quiet_hours: None,
        language: Some(fields.language).filter(|language| *language != person.language),
    };
    if !change.is_empty() {
        directory.change(&username, &change).await?;
    }
    for group in wanted.iter().filter(|name| !person.groups.contains(name)) {
        directory.add_members(group, &[&username]).await?;
    }
    for group in person.groups.iter().filter(|name| !wanted.contains(name)) {
        directory.remove_members(group, &[&username]).await?;
    }
    Ok(Redirect::to(&render::segment("/people/", &username)))
}

/// The form for the quiet hours of a person.
pub async fn ask_quiet(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Path(username): Path<String>,
) -> Result<Html<String>, Refusal> {
    let person = found(&console, &username).await?;
    let now = person.quiet_hours.as_ref().map(ToString::to_string);
    render::view("quiet.html", &viewer, context! { username, now })
}

/// What the form of quiet hours says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    #[serde(default, deserialize_with = "filled")]
    hours: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    time_zone: Option<String>,
}

/// Sets or removes the quiet hours of a person.
pub async fn set_quiet(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Path(username): Path<String>,
    Form(Quiet { hours, time_zone }): Form<Quiet>,
) -> Result<Redirect, Refusal> {
    let hours = hours.map(|hours| QuietHoursText { hours, time_zone: time_zone.unwrap_or_default() });
    let change = PersonChange { quiet_hours: Some(hours), ..PersonChange::default() };
    by(&console, &viewer.key).change(&username, &change).await?;
    Ok(Redirect::to(&render::segment("/people/", &username)))
}

/// The name of a group.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupName {
    group: String,
}

/// Creates a group.
pub async fn create_group(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(GroupName { group }): Form<GroupName>,
) -> Result<Redirect, Refusal> {
    by(&console, &viewer.key).create_groups(&[group.trim()]).await?;
    Ok(Redirect::to("/groups"))
}

/// The page that asks whether to delete a group.
pub async fn confirm_deletion(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Filter(GroupName { group }): Filter<GroupName>,
) -> Result<Html<String>, Refusal> {
    let directory = by(&console, &viewer.key);
    let used = directory.group_use(&group, console.setup.live().in_force().all().map(Arc::as_ref)).await?;
    let mut lines = vec![format!("The group {group} is deleted, but not its people.")];
    if !used.is_empty() {
        lines.push(format!("It is in use: {used}."));
    }
    let asked = Confirmation {
        title: "Delete a group",
        lines: &lines,
        action: "/groups/delete",
        fields: &[("group", &group)],
        button: "Delete it",
        back: "/groups",
    };
    asked.page(&viewer)
}

/// Deletes a group.
pub async fn delete_group(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(GroupName { group }): Form<GroupName>,
) -> Result<Redirect, Refusal> {
    by(&console, &viewer.key).delete_group(&group, None).await?;
    Ok(Redirect::to("/groups"))
}

async fn found(console: &Console, username: &str) -> Result<StoredPerson, Refusal> {
    let person = console.operate.person(username).await?;
    person.ok_or_else(|| Refusal::unknown("No person has this username."))
}

/// The directory in the hands of the holder of a key.
fn by(console: &Console, key: &str) -> Editor {
    console.operate.directory(&Operator::by_console(key))
}
