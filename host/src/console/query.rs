//! Filters in the address of a page, spelled like the flags of the command line.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use hookswitch_core::decide;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::refusal::Refusal;

/// Entries of a page.
pub const PAGE: i64 = 40;

/// The query of a page; one that is not understood is an error, so that no filter is silently ignored.
pub struct Filter<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Filter<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Filter<T>, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Filter(query)),
            Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, error.body_text())),
        }
    }
}

/// A field of a form that was left empty is no filter.
pub fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// The time that `since` means: so long before now, for example 2h or 7d.
pub fn since(text: Option<&str>, default: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let duration = decide::duration(text.unwrap_or(default))
        .map_err(|error| Refusal::invalid(format!("The filter since is not understood: {error}.")))?;
    now.checked_sub(duration).map_err(|_| Refusal::invalid("The filter since is out of range."))
}
