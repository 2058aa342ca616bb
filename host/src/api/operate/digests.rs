//! `GET /v1/digests`: messages that are being collected into one.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::Uri,
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Office, page, place, written_place};
use crate::{
    http::{Problem, Reader, Scope, last_of_full, page_limit, query},
    operate::{OpenDigest, masked},
};

/// The query of a list of digests.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only digests after this place: `next` of the previous page.
    after: Option<String>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of digests, those that close first at the top.
#[derive(Serialize, ToSchema)]
pub struct DigestPage {
    /// The digests.
    data: Vec<OpenDigest>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// List the digests that are open, those that close first at the top.
///
/// Without the scope `personal`, only the last four characters of a contact are shown.
#[utoipa::path(get, path = "/v1/digests", operation_id = "listDigests", tag = "messages", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of digests", body = DigestPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    Reader(caller): Reader,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit } = query(which)?;
    let limit = page_limit(limit)?;
    let after = after.map(|after| place(&after)).transpose()?;
    let mut data = office.operate.digests(after, limit).await?;
    let next = last_of_full(&data, limit).map(|last| {
        let (at, id) = last.place();
        written_place(at, id)
    });
    if !caller.may(Scope::Personal) {
        data.iter_mut()
            .flat_map(|digest| &mut digest.contacts)
            .for_each(|contact| *contact = masked(contact));
    }
    let cursor = next.clone();
    Ok(page(&uri, "after", cursor.as_deref(), DigestPage { data, next }))
}
