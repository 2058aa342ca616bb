//! `/v1/contacts`.

use axum::{
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::Response,
};
use hookswitch_core::domain::OptOut;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Desk, name};
use crate::{
    http::{Admin, JsonBody, Problem, last_of_full, page, page_limit, query},
    store::StoredContact,
};

/// A WhatsApp user who has written to the business or was written to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contact)]
pub struct ContactJson {
    /// The WhatsApp id: the digits of the number. Null if the user hides their number.
    wa_id: Option<String>,
    /// Meta's business-scoped user id; null if it is not known.
    user_id: Option<String>,
    /// The name in their WhatsApp profile; null if it is not known.
    name: Option<String>,
    /// The language in which they read, for example `pt_BR`; null if it is not known.
    language: Option<String>,
    /// When they last wrote; null if they never did.
    last_inbound_at: Option<Timestamp>,
    /// When the customer service window closes: free-form messages are possible until then. Null if they never wrote.
    window_until: Option<Timestamp>,
    /// Usernames of the people linked to this contact.
    people: Vec<String>,
    /// The opt-out; null if they receive messages.
    opt_out: Option<OptOut>,
}

impl From<StoredContact> for ContactJson {
    fn from(StoredContact { contact, people, opt_out, .. }: StoredContact) -> Self {
        ContactJson {
            window_until: contact.window_until(),
            wa_id: contact.wa_id,
            user_id: contact.user_id,
            name: contact.name,
            language: contact.language,
            last_inbound_at: contact.last_inbound_at,
            people,
            opt_out,
        }
    }
}

/// A page of contacts, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactPage {
    /// The contacts.
    data: Vec<ContactJson>,
    /// `after` of the next page; null on the last page.
    next: Option<i64>,
}

/// The query of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only contacts that no person is linked to.
    #[serde(default)]
    unlinked: bool,
    /// `next` of the previous page.
    #[serde(default)]
    after: i64,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// The language of a contact.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"language": "pt_BR"})))]
#[serde(deny_unknown_fields)]
pub struct ContactLanguage {
    /// The language in which they read, for example `pt_BR`; null removes it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    language: Option<String>,
}

/// Set the language of a contact.
///
/// It picks the variant of a template for messages to the contact. A user who is not known becomes a contact.
#[utoipa::path(put, path = "/v1/contacts/{contact}/language", operation_id = "setContactLanguage", tag = "contacts",
    request_body = ContactLanguage, security(("key" = [])),
    params(("contact" = String, Path, description = "A number with its country code, Meta's user id, or the username of a linked person")),
    responses(
        (status = 204, description = "It is set"),
        (status = 400, description = "The path or the body is invalid"),
    ))]
pub async fn set_language(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    contact: Result<Path<String>, PathRejection>,
    JsonBody(ContactLanguage { language }): JsonBody<ContactLanguage>,
) -> Result<StatusCode, Problem> {
    desk.by(&caller).set_language(&name(contact)?, language.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List contacts, oldest first.
#[utoipa::path(get, path = "/v1/contacts", operation_id = "listContacts", tag = "contacts", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of contacts", body = ContactPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Admin,
    State(desk): State<Desk>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { unlinked, after, limit: asked } = query(which)?;
    let limit = page_limit(asked)?;
    let contacts = desk.directory.contacts(unlinked, after, limit).await?;
    let next = last_of_full(&contacts, limit).map(|contact| contact.id);
    let cursor = next.map(|next| next.to_string());
    let data = contacts.into_iter().map(ContactJson::from).collect();
    Ok(page(&uri, "after", cursor.as_deref(), ContactPage { data, next }))
}
