//! Pagination: every list is bounded and names the start of its next page.

use axum::{
    Json,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::Problem;

/// Maximum number of entries in a page.
const MOST: i64 = 1_000;
const DEFAULT: i64 = 100;

/// Maximum number of entries in a page, as requested: 1 to 1,000, 100 by default.
///
/// # Errors
/// 400 if the number is out of range.
pub fn page_limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked.unwrap_or(DEFAULT) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            format!("The query parameter limit must be from 1 to {MOST}, not {other}."),
        )),
    }
}

/// The last entry of a full page, after which others may follow; `None` on the last page.
pub fn last_of_full<T>(page: &[T], limit: i64) -> Option<&T> {
    page.last().filter(|_| i64::try_from(page.len()).is_ok_and(|count| count >= limit))
}

/// A page, with a `Link` to the next one: the same address with the parameter `cursor` set to `next`.
pub fn page(uri: &Uri, cursor: &str, next: Option<&str>, body: impl Serialize) -> Response {
    let Some(next) = next else { return Json(body).into_response() };
    let others = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next().is_some_and(|name| name != cursor));
    let query: String = others.map(|pair| format!("{pair}&")).collect();
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    let link = format!("<{}?{query}{cursor}={next}>; rel=\"next\"", uri.path());
    ([(header::LINK, link)], Json(body)).into_response()
}
