//! `/v1/contacts`.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use hookswitch_core::domain::{OptOut, OptOutScope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Desk, name, query};
use crate::{
    http::{Admin, JsonBody, Problem, last_of_full, page_limit},
    store::StoredContact,
};

/// A WhatsApp user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactJson {
    /// Digits of the number; null where the user hides it.
    wa_id: Option<String>,
    /// Meta's business-scoped user id.
    user_id: Option<String>,
    /// The profile name.
    name: Option<String>,
    last_inbound_at: Option<Timestamp>,
    /// Until when free-form messages may go there; null where they never wrote.
    window_until: Option<Timestamp>,
    /// Usernames of the people who are linked to it.
    people: Vec<String>,
    /// That they want no messages; null where they do.
    opt_out: Option<OptOut>,
}

impl From<StoredContact> for ContactJson {
    fn from(StoredContact { contact, people, opt_out, .. }: StoredContact) -> Self {
        ContactJson {
            window_until: contact.window_until(),
            wa_id: contact.wa_id,
            user_id: contact.user_id,
            name: contact.name,
            last_inbound_at: contact.last_inbound_at,
            people,
            opt_out,
        }
    }
}

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactPage {
    data: Vec<ContactJson>,
    /// The next page's `after`; null on the last.
    next: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only those that no person is linked to.
    #[serde(default)]
    unlinked: bool,
    /// What `next` of the page before said.
    #[serde(default)]
    after: i64,
    /// How many, from 1 to 1,000; 100 by default.
    limit: Option<i64>,
}

/// Lists WhatsApp users, those first who were known first.
#[utoipa::path(get, path = "/v1/contacts", tag = "contacts", params(Which), security(("key" = [])),
    responses((status = 200, body = ContactPage)))]
pub async fn list(
    _: Admin,
    State(desk): State<Desk>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<ContactPage>, Problem> {
    let Which { unlinked, after, limit: asked } = query(which)?;
    let limit = page_limit(asked)?;
    let contacts = desk.directory.contacts(unlinked, after, limit).await?;
    let next = last_of_full(&contacts, limit).map(|contact| contact.id);
    Ok(Json(ContactPage { data: contacts.into_iter().map(ContactJson::from).collect(), next }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptOutJson {
    /// Which messages they do not want; all by default.
    #[serde(default)]
    scope: OptOutScope,
}

/// Opts a WhatsApp user out, by number, user id, or a linked person's username.
#[utoipa::path(put, path = "/v1/contacts/{contact}/opt-out", tag = "contacts", request_body = OptOutJson,
    security(("key" = [])), responses((status = 204), (status = 400, body = Problem)))]
pub async fn opt_out(
    _: Admin,
    State(desk): State<Desk>,
    contact: Result<Path<String>, PathRejection>,
    JsonBody(opt_out): JsonBody<OptOutJson>,
) -> Result<StatusCode, Problem> {
    desk.directory.opt_out(&name(contact)?, opt_out.scope).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Opts a WhatsApp user in again.
#[utoipa::path(delete, path = "/v1/contacts/{contact}/opt-out", tag = "contacts", security(("key" = [])),
    responses((status = 204), (status = 400, body = Problem)))]
pub async fn opt_in(
    _: Admin,
    State(desk): State<Desk>,
    contact: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    desk.directory.opt_in(&name(contact)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
