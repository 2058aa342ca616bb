//! What a page says where it cannot be shown.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use minijinja::context;

use super::render;
use crate::store::StoreError;

/// Why a page is not shown.
#[derive(Debug)]
pub enum Refusal {
    /// The reason, for people.
    Says(StatusCode, String),
    /// Somebody has to log in first; then this path is opened.
    LogIn(String),
}

impl Refusal {
    /// A refusal with a sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal::Says(status, detail.into())
    }

    /// Something that does not exist.
    pub fn unknown(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, detail)
    }

    /// A value that cannot be used.
    pub fn invalid(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        tracing::warn!(%error, "a page of the console could not be read");
        let detail =
            "The database did not answer. Reload the page in a moment; the log of the host has the details.";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<minijinja::Error> for Refusal {
    fn from(error: minijinja::Error) -> Refusal {
        tracing::error!(error = format!("{error:#}"), "a page of the console could not be written");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error; see the log of the host.")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Refusal::Says(status, detail) => (status, detail),
            Refusal::LogIn(path) => {
                return Redirect::to(&render::link("/login", &[("then", &path)])).into_response();
            }
        };
        let title = status.canonical_reason().unwrap_or("Error");
        match render::page("refusal.html", context! { title, detail => detail.as_str() }) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (status, detail).into_response(),
        }
    }
}
