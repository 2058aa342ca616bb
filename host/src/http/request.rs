//! The path and the query of a request, as handlers take them.

use axum::{
    extract::{
        Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};

use super::{Problem, sentence};

/// The problem of a request that cannot be read as it is described: 400.
pub fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

/// The values in a path.
///
/// # Errors
/// 400 if they are of another form.
pub fn from_path<T>(path: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    path.map(|Path(values)| values).map_err(|error| invalid(sentence(&error.body_text())))
}

/// The parameters of a query.
///
/// # Errors
/// 400 if one is unknown, missing or of another form.
pub fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|error| invalid(sentence(&error.body_text())))
}
