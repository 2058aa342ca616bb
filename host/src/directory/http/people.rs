//! `/v1/people`.

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use hookswitch_core::domain::{Contact, QuietHours};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Desk, invalid, name, query, storable};
use crate::{
    http::{Admin, Budget, JsonBody, MIB, Problem, last_of_full, page_limit},
    store::StoredPerson,
};

/// The largest file of people.
const CSV_LIMIT: usize = 2 * MIB;

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonJson {
    /// Unique; what rules name.
    username: String,
    name: String,
    /// Who is not active gets nothing.
    active: bool,
    created_at: Timestamp,
    /// Names of their groups.
    groups: Vec<String>,
    /// The WhatsApp user they are linked to; without one they get nothing.
    contact: Option<ContactOfPerson>,
    /// When only urgent messages reach them; null where there is no such time.
    quiet_hours: Option<QuietHoursJson>,
}

/// Hours of the day in which a person is left alone.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuietHoursJson {
    /// Two times of the day, such as `21:00-06:30`.
    hours: String,
    /// A name of the IANA database, such as `Africa/Harare`.
    time_zone: String,
}

impl From<QuietHours> for QuietHoursJson {
    fn from(quiet: QuietHours) -> Self {
        QuietHoursJson { hours: quiet.hours(), time_zone: quiet.zone().to_owned() }
    }
}

/// The WhatsApp user that a person is linked to.
#[derive(Debug, Serialize, ToSchema)]
struct ContactOfPerson {
    /// Digits of the number.
    wa_id: Option<String>,
    /// Meta's business-scoped user id.
    user_id: Option<String>,
    last_inbound_at: Option<Timestamp>,
    /// Until when free-form messages may go there; null where they never wrote.
    window_until: Option<Timestamp>,
}

impl From<Contact> for ContactOfPerson {
    fn from(contact: Contact) -> Self {
        ContactOfPerson {
            window_until: contact.window_until(),
            wa_id: contact.wa_id,
            user_id: contact.user_id,
            last_inbound_at: contact.last_inbound_at,
        }
    }
}

impl From<StoredPerson> for PersonJson {
    fn from(person: StoredPerson) -> Self {
        PersonJson {
            username: person.username,
            name: person.name,
            active: person.active,
            created_at: person.created_at,
            groups: person.groups,
            contact: person.contact.map(ContactOfPerson::from),
            quiet_hours: person.quiet_hours.map(QuietHoursJson::from),
        }
    }
}

/// A page of people.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeoplePage {
    data: Vec<PersonJson>,
    /// The next page's `after`; null on the last.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only members of this group.
    group: Option<String>,
    /// Only those whose usernames come after this one.
    #[serde(default)]
    after: String,
    /// How many, from 1 to 1,000; 100 by default.
    limit: Option<i64>,
}

/// Lists people by username.
#[utoipa::path(get, path = "/v1/people", tag = "people", params(Which), security(("key" = [])),
    responses((status = 200, body = PeoplePage), (status = 404, body = Problem)))]
pub async fn list(
    _: Admin,
    State(desk): State<Desk>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<PeoplePage>, Problem> {
    let Which { group, after, limit: asked } = query(which)?;
    let limit = page_limit(asked)?;
    storable(&after)?;
    storable(group.as_deref().unwrap_or_default())?;
    let people = desk.directory.people(group.as_deref(), &after, limit).await?;
    let next = last_of_full(&people, limit).map(|person| person.username.clone());
    Ok(Json(PeoplePage { data: people.into_iter().map(PersonJson::from).collect(), next }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPersonJson {
    /// 1 to 150 letters, digits, and `@ . + - _`.
    username: String,
    name: String,
    /// A number with its country code, or Meta's user id.
    whatsapp: Option<String>,
    /// Names of groups that exist.
    #[serde(default)]
    groups: Vec<String>,
}

/// Adds a person.
#[utoipa::path(post, path = "/v1/people", tag = "people", request_body = NewPersonJson, security(("key" = [])),
    responses((status = 201, body = PersonJson), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn add(
    _: Admin,
    State(desk): State<Desk>,
    JsonBody(person): JsonBody<NewPersonJson>,
) -> Result<impl IntoResponse, Problem> {
    let NewPersonJson { username, name, whatsapp, groups } = person;
    for group in &groups {
        storable(group)?;
    }
    desk.directory.add_person(&username, &name, whatsapp.as_deref(), &groups).await?;
    let person = desk.directory.person(&username).await?;
    Ok((StatusCode::CREATED, Json(PersonJson::from(person))))
}

/// Tells of a person.
#[utoipa::path(get, path = "/v1/people/{username}", tag = "people", security(("key" = [])),
    responses((status = 200, body = PersonJson), (status = 404, body = Problem)))]
pub async fn get(
    _: Admin,
    State(desk): State<Desk>,
    username: Result<Path<String>, PathRejection>,
) -> Result<Json<PersonJson>, Problem> {
    Ok(Json(desk.directory.person(&name(username)?).await?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonChange {
    name: Option<String>,
    /// False: they get nothing from now on.
    active: Option<bool>,
    /// A number with its country code, or Meta's user id, links them; null unlinks them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    whatsapp: Option<Option<String>>,
    /// Null: there are none any more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<QuietHoursJson>)]
    quiet_hours: Option<Option<QuietHoursJson>>,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes what is given of a person.
#[utoipa::path(patch, path = "/v1/people/{username}", tag = "people", request_body = PersonChange, security(("key" = [])),
    responses((status = 200, body = PersonJson), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn change(
    _: Admin,
    State(desk): State<Desk>,
    username: Result<Path<String>, PathRejection>,
    JsonBody(change): JsonBody<PersonChange>,
) -> Result<Json<PersonJson>, Problem> {
    let username = name(username)?;
    let PersonChange { name, active, whatsapp, quiet_hours } = change;
    let quiet_hours = quiet_hours
        .map(|quiet| quiet.map(|quiet| QuietHours::parse(&quiet.hours, &quiet.time_zone)).transpose())
        .transpose()
        .map_err(invalid)?;
    // First what may be refused, so that a refusal changes nothing.
    match whatsapp {
        Some(Some(number)) => drop(desk.directory.link(&username, &number).await?),
        Some(None) => desk.directory.unlink(&username).await?,
        None => {}
    }
    if let Some(quiet_hours) = quiet_hours {
        desk.directory.set_quiet_hours(&username, quiet_hours.as_ref()).await?;
    }
    desk.directory.update_person(&username, name.as_deref(), active).await?;
    Ok(Json(desk.directory.person(&username).await?.into()))
}

/// What an import came to.
#[derive(Serialize, ToSchema)]
pub struct ImportedJson {
    /// People who are new.
    added: u64,
    /// People whose usernames existed.
    updated: u64,
}

/// Adds people from CSV, and brings those up to date whose usernames exist; all or nothing. The columns are
/// username, name, whatsapp, groups (parted by semicolons), quiet_hours and time_zone.
#[utoipa::path(post, path = "/v1/people/import", tag = "people", security(("key" = [])),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportedJson), (status = 400, body = Problem)))]
pub async fn import(
    _: Admin,
    State(desk): State<Desk>,
    headers: HeaderMap,
    csv: Body,
) -> Result<Json<ImportedJson>, Problem> {
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the file may have at most 2 MiB");
    let csv = desk.bodies.read(&headers, csv, Budget::Large, CSV_LIMIT, too_large).await?;
    if csv.bytes.contains(&0) {
        return Err(invalid("the file holds U+0000: is it CSV in UTF-8?".to_owned()));
    }
    let imported = desk.directory.import(&csv.bytes, &mut |_| {}).await?;
    Ok(Json(ImportedJson { added: imported.added, updated: imported.updated }))
}
