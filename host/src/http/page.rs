//! Pages of lists: every list is bounded, and says where it goes on.

use axum::http::StatusCode;

use super::Problem;

/// Entries of a page, at most.
const MOST: i64 = 1_000;
const DEFAULT: i64 = 100;

/// How many entries a page has: as many as were asked for, from 1 to 1,000; 100 by default.
///
/// # Errors
/// 400 where it is another number.
pub fn page_limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked.unwrap_or(DEFAULT) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            format!("limit is from 1 to {MOST}, got {other}"),
        )),
    }
}

/// The last entry of a page, where others may follow it.
pub fn last_of_full<T>(page: &[T], limit: i64) -> Option<&T> {
    page.last().filter(|_| i64::try_from(page.len()).is_ok_and(|count| count >= limit))
}
