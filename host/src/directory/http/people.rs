//! `/v1/people`.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hookswitch_core::domain::{Contact, QuietHours};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Desk, name, storable};
use crate::{
    directory::{PersonChange, PersonToAdd, QuietHoursText},
    http::{
        Admin, Errors, IfMatch, JsonBody, Problem, ProblemError, etag, last_of_full, page, page_limit, query,
    },
    store::StoredPerson,
};

/// What a username may contain unchanged in a path (RFC 3986, section 3.3).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'+').remove(b'-').remove(b'_');

/// A member of staff.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonJson {
    /// The username, unique. Rules refer to the person by it.
    username: String,
    /// The name that messages show.
    name: String,
    /// Whether they receive messages; false after they were deactivated.
    active: bool,
    /// When the person was added.
    created_at: Timestamp,
    /// Names of the groups they belong to.
    groups: Vec<String>,
    /// The WhatsApp user they are linked to; null if none is linked, and then they receive no messages.
    contact: Option<ContactOfPerson>,
    /// When only urgent messages are sent to them; null if they have no quiet hours.
    quiet_hours: Option<QuietHoursJson>,
    /// The language in which they read, for example `pt_BR`; null if it is not known.
    language: Option<String>,
}

/// Hours of the day in which a person receives only urgent messages.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuietHours)]
struct QuietHoursJson {
    /// Start and end as local times, for example `21:00-06:30`.
    #[schema(examples("21:00-06:30"))]
    hours: String,
    /// A time zone of the IANA database, for example `Africa/Harare`.
    #[schema(examples("Africa/Harare"))]
    time_zone: String,
}

impl From<QuietHoursJson> for QuietHoursText {
    fn from(QuietHoursJson { hours, time_zone }: QuietHoursJson) -> Self {
        QuietHoursText { hours, time_zone }
    }
}

impl From<QuietHours> for QuietHoursJson {
    fn from(quiet: QuietHours) -> Self {
        QuietHoursJson { hours: quiet.hours(), time_zone: quiet.zone().to_owned() }
    }
}

/// The WhatsApp user that a person is linked to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkedContact)]
struct ContactOfPerson {
    /// The WhatsApp id: the digits of the number. Null if the user hides it, or if it was reassigned to another user.
    wa_id: Option<String>,
    /// Meta's business-scoped user id; null if it is unknown. Both ids are null after the number was reassigned.
    user_id: Option<String>,
    /// When they last wrote; null if they never did.
    last_inbound_at: Option<Timestamp>,
    /// When the customer service window closes: free-form messages are possible until then. Null if they never wrote.
    window_until: Option<Timestamp>,
    /// Usernames of other people who are linked to the same WhatsApp user: the first 10. A message for several of them
    /// is sent once.
    shared_with: Vec<String>,
}

impl ContactOfPerson {
    fn new(contact: Contact, shared_with: Vec<String>) -> Self {
        ContactOfPerson {
            window_until: contact.window_until(),
            wa_id: contact.wa_id,
            user_id: contact.user_id,
            last_inbound_at: contact.last_inbound_at,
            shared_with,
        }
    }
}

impl From<StoredPerson> for PersonJson {
    fn from(person: StoredPerson) -> Self {
        let shared_with = person.shared_with;
        PersonJson {
            username: person.username,
            name: person.name,
            active: person.active,
            created_at: person.created_at,
            groups: person.groups,
            contact: person.contact.map(|contact| ContactOfPerson::new(contact, shared_with)),
            quiet_hours: person.quiet_hours.map(QuietHoursJson::from),
            language: person.language,
        }
    }
}

/// A page of people, by username.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeoplePage {
    /// The people.
    data: Vec<PersonJson>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// The query of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only members of this group.
    group: Option<String>,
    /// List only people whose usernames sort after this one: `next` of the previous page.
    #[serde(default)]
    after: String,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// List people, by username.
#[utoipa::path(get, path = "/v1/people", operation_id = "listPeople", tag = "people", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of people", body = PeoplePage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
        (status = 404, description = "No group has the name in the query"),
    ))]
pub async fn list(
    _: Admin,
    State(desk): State<Desk>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { group, after, limit: asked } = query(which)?;
    let limit = page_limit(asked)?;
    storable(&after)?;
    storable(group.as_deref().unwrap_or_default())?;
    let people = desk.directory.people(group.as_deref(), &after, limit).await?;
    let next = last_of_full(&people, limit).map(|person| person.username.clone());
    let cursor = next.clone();
    let data = people.into_iter().map(PersonJson::from).collect();
    Ok(page(&uri, "after", cursor.as_deref(), PeoplePage { data, next }))
}

/// A person to add.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"username": "tendai", "name": "Tendai Moyo", "whatsapp": "+263771234567", "groups": ["Sales Team"]})))]
#[serde(deny_unknown_fields)]
#[schema(as = NewPerson)]
pub struct NewPersonJson {
    /// The username: 1 to 150 letters, digits, or `@ . + - _`.
    username: String,
    /// The name that messages show: 1 to 150 characters on one line.
    name: String,
    /// A number with its country code, or Meta's user id; links the person to that WhatsApp user.
    whatsapp: Option<String>,
    /// Names of existing groups to add the person to.
    #[serde(default)]
    groups: Vec<String>,
    /// When only urgent messages are sent to the person.
    quiet_hours: Option<QuietHoursJson>,
    /// The language in which they read, for example `pt_BR`.
    language: Option<String>,
}

/// Add a person.
#[utoipa::path(post, path = "/v1/people", operation_id = "createPerson", tag = "people",
    request_body = NewPersonJson, security(("key" = [])),
    responses(
        (status = 201, description = "The new person", body = PersonJson,
            headers(("Location" = String, description = "The path of the person"))),
        (status = 400, description = "The body is invalid"),
        (status = 409, description = "Another person has this username"),
        (status = 422, description = "The body names a group that does not exist"),
    ))]
pub async fn add(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    JsonBody(person): JsonBody<NewPersonJson>,
) -> Result<impl IntoResponse, Problem> {
    let NewPersonJson { username, name, whatsapp, groups, quiet_hours, language } = person;
    for group in &groups {
        storable(group)?;
    }
    let quiet_hours = quiet_hours.map(QuietHoursText::from);
    let person = PersonToAdd { username, name, whatsapp, groups, quiet_hours, language };
    desk.by(&caller).add_person(&person).await.map_err(|error| error.about_body(&person.groups))?;
    let person = desk.directory.person(&person.username).await?;
    let location = format!("/v1/people/{}", utf8_percent_encode(&person.username, IN_PATH));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(PersonJson::from(person))))
}

/// Get a person.
#[utoipa::path(get, path = "/v1/people/{username}", operation_id = "getPerson", tag = "people",
    security(("key" = [])), params(("username" = String, Path, description = "The person's username")),
    responses(
        (status = 200, description = "The person", body = PersonJson,
            headers(("ETag" = String, description = "For `If-Match` of a change"))),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No person has this username"),
    ))]
pub async fn get(
    _: Admin,
    State(desk): State<Desk>,
    username: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    let person = PersonJson::from(desk.directory.person(&name(username)?).await?);
    Ok((etag(&person), Json(person)))
}

/// Changes to a person. Members that are absent change nothing.
#[derive(Deserialize, ToSchema)]
#[schema(as = PersonChange)]
#[schema(examples(json!({"active": false}), json!({"quiet_hours": {"hours": "21:00-06:30", "time_zone": "Africa/Harare"}})))]
#[serde(deny_unknown_fields)]
pub struct PersonChangeJson {
    /// The name that messages show: 1 to 150 characters on one line.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false)]
    name: Option<Option<String>>,
    /// False deactivates the person: they receive no messages until they are activated again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = bool, required = false)]
    active: Option<Option<bool>>,
    /// A number with its country code, or Meta's user id, to link the person to; null unlinks them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    whatsapp: Option<Option<String>>,
    /// The new quiet hours; null removes them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<QuietHoursJson>)]
    quiet_hours: Option<Option<QuietHoursJson>>,
    /// The language in which they read, for example `pt_BR`; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<String>>,
}

/// Distinguishes null from an absent member.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl TryFrom<PersonChangeJson> for PersonChange {
    type Error = Problem;

    /// Null removes what can be absent; a person always has a name, and is active or not.
    fn try_from(change: PersonChangeJson) -> Result<Self, Problem> {
        let PersonChangeJson { name, active, whatsapp, quiet_hours, language } = change;
        let nulls = [("name", name == Some(None)), ("active", active == Some(None))];
        let errors: Errors = nulls
            .into_iter()
            .filter(|(_, is_null)| *is_null)
            .map(|(member, _)| ProblemError {
                at: format!("/{member}"),
                detail: "must not be null; omit it to leave it unchanged".to_owned(),
            })
            .collect();
        if let Some(first) = errors.listed().first() {
            let detail = format!("The body is invalid: {}: {}.", first.at, first.detail);
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_value", detail).with_errors(errors));
        }
        let quiet_hours = quiet_hours.map(|quiet| quiet.map(QuietHoursText::from));
        let (name, active) = (name.flatten(), active.flatten());
        Ok(PersonChange { name, active, whatsapp, quiet_hours, language })
    }
}

/// Change a person.
///
/// Absent members stay as they are. All changes are made or, if the request is refused, none.
#[utoipa::path(patch, path = "/v1/people/{username}", operation_id = "updatePerson", tag = "people",
    request_body = PersonChangeJson, security(("key" = [])),
    params(("username" = String, Path, description = "The person's username"), ("If-Match" = Option<String>, Header,
        description = "The ETag of the person as it was read: it is changed only if nobody else has changed it")),
    responses(
        (status = 200, description = "The changed person", body = PersonJson,
            headers(("ETag" = String, description = "The new one"))),
        (status = 412, description = "`If-Match` is given, and the person was changed"),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "No person has this username"),
    ))]
pub async fn change(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    username: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
    JsonBody(change): JsonBody<PersonChangeJson>,
) -> Result<impl IntoResponse, Problem> {
    let username = name(username)?;
    let version = match if_match.is_given() {
        true => {
            let person = desk.directory.person(&username).await?;
            let version = person.version.clone();
            if_match.check(&PersonJson::from(person))?;
            Some(version)
        }
        false => None,
    };
    desk.by(&caller).change_version(&username, &change.try_into()?, version.as_deref()).await?;
    let person = PersonJson::from(desk.directory.person(&username).await?);
    Ok((etag(&person), Json(person)))
}
