//! `OPTIONS /v1/events`: the handshake by which a sender asks whether its events are expected here (CloudEvents' "HTTP 1.1
//! Web Hooks for Event Delivery" 1.0, section 4).
//!
//! The handshake protects others from unwanted events, and by that standard it is neither authentication nor authorization.
//! So a consent grants nothing: each request with events still needs a key, whose scope and sources decide. It names only
//! the sender that asks, with the rate that it asks for; a key that comes with the question must be one that may post; no
//! callback address is ever called; and without the sender's name there is no consent.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa::IntoParams;

use super::Intake;
use crate::http::{Problem, ProblemError, Scope};

const REQUEST_ORIGIN: &str = "webhook-request-origin";
const REQUEST_RATE: &str = "webhook-request-rate";
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
/// The longest name that DNS knows.
const ORIGIN_LIMIT: usize = 253;
/// Digits of a rate.
const RATE_LIMIT: usize = 9;

/// The question of a sender.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes")]
pub struct Question {
    /// The DNS name of the sender. Without it, the answer has no `WebHook-Allowed-…` headers.
    #[param(
        rename = "WebHook-Request-Origin",
        required = false,
        max_length = 253,
        pattern = "^[A-Za-z0-9._:-]+$"
    )]
    origin: String,
    /// The number of requests per minute that the sender would like to make.
    #[param(rename = "WebHook-Request-Rate", required = false, minimum = 1, maximum = 999_999_999)]
    rate: u32,
}

/// Ask whether events of a sender are expected.
///
/// The handshake of the CloudEvents webhook specification (abuse protection). It needs no key and grants nothing: each
/// request with events needs a key with the scope `events`. A key that is sent with it is checked.
#[utoipa::path(options, path = "/v1/events", operation_id = "getDeliveryPermission", tag = "events",
    params(Question),
    responses(
        (status = 200, description = "Events may be posted, with a key",
            headers(
                ("Allow" = String, description = "`POST`"),
                ("WebHook-Allowed-Origin" = String, description = "The sender that asked"),
                ("WebHook-Allowed-Rate" = String, description = "The rate that was asked for; `*` if none was"))),
        (status = 400, description = "A header is invalid"),
        (status = 401, description = "The request has an unknown or revoked API key"),
        (status = 403, description = "The request has an API key without the scope `events`"),
        (status = 503, description = "The request has an API key, and the database cannot be reached"),
    ))]
pub async fn permission(State(intake): State<Intake>, headers: HeaderMap) -> Result<Response, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        intake.keys.require(&headers, &[Scope::Events]).await?;
    }
    let mut response = StatusCode::OK.into_response();
    let answer = response.headers_mut();
    answer.insert(header::ALLOW, HeaderValue::from_static("POST"));
    if let Some(origin) =
        asked(&headers, REQUEST_ORIGIN, is_name, "a DNS name, for example events.example.com")?
    {
        let rate = asked(&headers, REQUEST_RATE, is_rate, "requests per minute, for example 120")?;
        answer.insert(ALLOWED_ORIGIN, origin);
        answer.insert(ALLOWED_RATE, rate.unwrap_or(HeaderValue::from_static("*")));
    }
    Ok(response)
}

/// A header of the question, if it is there.
fn asked(
    headers: &HeaderMap,
    name: &'static str,
    is_good: fn(&str) -> bool,
    expected: &str,
) -> Result<Option<HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_none() && value.to_str().is_ok_and(is_good) {
        return Ok(Some(value.clone()));
    }
    let error = ProblemError { at: name.to_owned(), detail: format!("expected {expected}") };
    let detail = format!("The header {name} is invalid: expected {expected}.");
    Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_header", detail).with_errors(vec![error]))
}

/// Whether it may be a name in DNS, with a port if need be.
fn is_name(text: &str) -> bool {
    let is_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
    (1..=ORIGIN_LIMIT).contains(&text.len()) && text.bytes().all(is_byte)
}

fn is_rate(text: &str) -> bool {
    text.len() <= RATE_LIMIT && text.bytes().all(|b| b.is_ascii_digit()) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_rates_have_a_form() {
        for good in ["events.example.com", "localhost", "eventgrid.azure.net:443", "a_b"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "*", "a b", "https://example.com", "a/b", &"a".repeat(254)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_rate("1") && is_rate("120") && is_rate("999999999"));
        for bad in ["", "0", "-1", "1.5", "many", "1000000000"] {
            assert!(!is_rate(bad), "{bad}");
        }
    }
}
