//! Problems as `application/problem+json` (RFC 9457): what is wrong with a request, where, and what to do.
//!
//! 400 and 422: a request that is wrong by itself (its path, query, headers, syntax, or a value in its body) gets 400. A
//! request that is well-formed but whose body names something that does not exist gets 422: it may succeed once that
//! exists. A path or a query that names something that does not exist gets 404.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::gzip::UNSUPPORTED;
use crate::store::StoreError;

/// One error in a request, and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemError {
    /// A JSON pointer (RFC 6901) into the body, the name of a header, or `line N` of a CSV file.
    pub at: String,
    /// What is wrong there, for people.
    pub detail: String,
}

/// Maximum number of errors that a problem lists, and the maximum size of their texts in bytes.
const LISTED: usize = 100;
const AT_LIMIT: usize = 200;
const DETAIL_LIMIT: usize = 1_000;

/// The errors in a request: the first 100, and the number of all. Its size is bounded, whatever the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    listed: Vec<ProblemError>,
    all: usize,
}

impl Errors {
    /// Adds an error.
    pub fn push(&mut self, error: ProblemError) {
        self.all += 1;
        if self.listed.len() < LISTED {
            self.listed
                .push(ProblemError { at: cut(error.at, AT_LIMIT), detail: cut(error.detail, DETAIL_LIMIT) });
        }
    }

    /// Adds errors.
    pub fn append(&mut self, others: Errors) {
        let listed = others.listed.len();
        self.extend(others.listed);
        self.all += others.all - listed;
    }

    /// Whether there are no errors.
    pub fn is_empty(&self) -> bool {
        self.all == 0
    }

    /// The number of errors, listed or not.
    pub fn len(&self) -> usize {
        self.all
    }

    /// The first 100.
    pub fn listed(&self) -> &[ProblemError] {
        &self.listed
    }
}

impl Extend<ProblemError> for Errors {
    fn extend<T: IntoIterator<Item = ProblemError>>(&mut self, errors: T) {
        errors.into_iter().for_each(|error| self.push(error));
    }
}

impl FromIterator<ProblemError> for Errors {
    fn from_iter<T: IntoIterator<Item = ProblemError>>(errors: T) -> Self {
        let mut all = Errors::default();
        all.extend(errors);
        all
    }
}

impl From<Vec<ProblemError>> for Errors {
    fn from(errors: Vec<ProblemError>) -> Self {
        errors.into_iter().collect()
    }
}

/// Cuts a text to a maximum number of bytes, with an ellipsis if it was longer.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// A fragment as a sentence: with a capital letter and a full stop.
pub fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if fragment.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{capital}{}{stop}", letters.as_str())
}

/// A refusal. `type` is `about:blank`; `code` is for programs, `detail` for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<Members>);

/// What is wrong with a request (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(examples(json!({"status": 400, "title": "Bad Request", "code": "invalid_event",
    "detail": "The event is invalid: /type: must not be empty.",
    "errors": [{"at": "/type", "detail": "must not be empty"}]})))]
struct Members {
    /// The HTTP status code.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// The reason phrase of the status.
    title: &'static str,
    /// A stable code for programs, for example `event_too_large`.
    code: &'static str,
    /// What is wrong and what to do: a sentence for people.
    detail: String,
    /// The line in the body, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The column in the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// The first 100 errors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemError>,
    /// The number of further errors, which are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_errors: Option<usize>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with this status.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem(Box::new(Members {
            status,
            title: status.canonical_reason().unwrap_or("Problem"),
            code,
            detail: cut(detail.into(), DETAIL_LIMIT),
            line: None,
            column: None,
            errors: Vec::new(),
            more_errors: None,
            retry_after: None,
        }))
    }

    /// Adds the line and column in the body, both from 1.
    pub fn at(mut self, line: usize, column: usize) -> Problem {
        self.0.line = Some(line);
        self.0.column = Some(column);
        self
    }

    /// Adds the errors; the first 100 are listed.
    pub fn with_errors(mut self, errors: impl Into<Errors>) -> Problem {
        let errors: Errors = errors.into();
        self.0.more_errors = errors.all.checked_sub(errors.listed.len()).filter(|more| *more > 0);
        self.0.errors = errors.listed;
        self
    }

    /// Adds `Retry-After`, in whole seconds, at least 1.
    pub fn retry_after(mut self, time: Duration) -> Problem {
        self.0.retry_after = Some(time);
        self
    }

    /// The first 100 errors.
    pub fn errors(&self) -> &[ProblemError] {
        &self.0.errors
    }

    /// The line and column in the body, both from 1, if known.
    pub fn place(&self) -> Option<(usize, usize)> {
        self.0.line.zip(self.0.column)
    }

    /// What is wrong and what to do, for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The stable code for programs.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// 503: PostgreSQL cannot be reached or is busy.
    pub fn unavailable() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "The database cannot be reached; send the request again.",
        )
        .retry_after(Duration::from_secs(5))
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Members::schema()
    }
}

impl ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Members::schemas(schemas);
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        if error.may_pass() {
            tracing::warn!(%error, "refused a request");
            return Problem::unavailable();
        }
        tracing::error!(%error, "failed to answer a request");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error; see the log of the host.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, retry_after) = (self.0.status, self.0.code, self.0.retry_after);
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(time) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(time.as_secs().max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if code == UNSUPPORTED {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    async fn answer(problem: Problem) -> (Response, Value) {
        let response = problem.into_response();
        let (head, body) = response.into_parts();
        let json = serde_json::from_slice(&to_bytes(body, 10_000).await.unwrap()).unwrap();
        (Response::from_parts(head, axum::body::Body::empty()), json)
    }

    #[tokio::test]
    async fn it_is_problem_json() {
        let errors = vec![ProblemError { at: "/type".to_owned(), detail: "is empty".to_owned() }];
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_event", "/type: is empty");
        let (response, json) = answer(problem.at(2, 7).with_errors(errors)).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(
            json,
            json!({"status": 400, "title": "Bad Request", "code": "invalid_event", "detail": "/type: is empty",
                "line": 2, "column": 7, "errors": [{"at": "/type", "detail": "is empty"}]})
        );
    }

    #[tokio::test]
    async fn it_says_how_to_come_in_and_when_to_come_again() {
        let (response, _) = answer(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "no key")).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let (response, json) = answer(StoreError::Unreachable("gone".to_owned()).into()).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &HeaderValue::from(5))
        );
        assert_eq!(json["code"], "database_unavailable");
        let (response, json) = answer(StoreError::Statement("secret of the table".to_owned()).into()).await;
        assert_eq!(response.status(), 500);
        assert!(!json.to_string().contains("secret"), "{json}");
    }
}
