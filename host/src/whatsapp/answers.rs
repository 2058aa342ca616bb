//! Meta's answer to a send: the message was accepted, or one of several failures.

use std::{collections::HashMap, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Treatment, errors};

const USAGE: &str = "x-business-use-case-usage";
/// Maximum time that a header can defer a message.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Meta accepted the message (HTTP 200). Webhooks report whether it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Meta's id of the message.
    pub wamid: String,
    /// Whether Meta holds it for a quality check; it is released or fails later.
    pub held: bool,
}

/// Why Meta did not accept the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Meta rejected it: it was certainly not sent.
    #[error("Meta rejected it: error {code} with HTTP {http}: {message}{}", in_brackets(.details))]
    Refused {
        /// HTTP status; Meta advises to use the code instead.
        http: u16,
        /// Meta's error code.
        code: i32,
        /// Graph's subcode.
        subcode: Option<i32>,
        /// Meta's message.
        message: String,
        /// Meta's details.
        details: Option<String>,
        /// Meta says that the same request may work later.
        is_transient: bool,
        /// Time after which Meta allows another send, if given.
        retry_after: Option<Duration>,
    },
    /// No connection: it was certainly not sent.
    #[error("cannot reach Meta: {0}")]
    NotSent(String),
    /// The request was sent but got no usable answer: the message may have been sent.
    #[error("no usable answer from Meta: {0}")]
    Unknown(String),
    /// An error without Meta's JSON, for example from a proxy: with HTTP 502 or 504 the message may have been sent.
    #[error("no usable answer from Meta: HTTP {http} without an error from Meta")]
    Garbled {
        /// The HTTP status.
        http: u16,
        /// The `Retry-After` header, if any.
        retry_after: Option<Duration>,
    },
}

fn in_brackets(details: &Option<String>) -> String {
    details.as_ref().map(|details| format!(" ({details})")).unwrap_or_default()
}

impl SendError {
    /// What to do about it; `None` if the message may have been sent, so that only a webhook can tell.
    ///
    /// Whatever the code, an answer that allows a later attempt is not final. The attempt counts against the message, so
    /// that one that is never accepted fails eventually.
    pub fn treatment(&self) -> Option<Treatment> {
        match self {
            SendError::Refused { http, code, subcode, is_transient, retry_after, .. } => {
                let by_code = match http {
                    500.. if !errors::is_known(*code) => Treatment::Outage,
                    _ => errors::treatment(*code, *subcode),
                };
                Some(match by_code {
                    Treatment::GiveUp if *http == 429 => Treatment::Throttled,
                    Treatment::GiveUp if *http == 408 || retry_after.is_some() => Treatment::Outage,
                    Treatment::GiveUp if *is_transient => Treatment::Retry,
                    by_code => by_code,
                })
            }
            SendError::NotSent(_) => Some(Treatment::Outage),
            SendError::Unknown(_) => None,
            // A proxy that passed the request on: bad gateway, time-outs, and Cloudflare's codes for these.
            SendError::Garbled { http: 502 | 504 | 520 | 524, .. } => None,
            SendError::Garbled { http: 429, .. } => Some(Treatment::Throttled),
            // Meta's errors are JSON: this one comes from a proxy or server, and is not about the message.
            SendError::Garbled { .. } => Some(Treatment::Outage),
        }
    }

    /// Time after which Meta allows another send, if given.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            SendError::Refused { retry_after, .. } | SendError::Garbled { retry_after, .. } => *retry_after,
            SendError::NotSent(_) | SendError::Unknown(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    messages: Vec<AnswerMessage>,
}

#[derive(Deserialize)]
struct AnswerMessage {
    id: String,
    message_status: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: GraphError,
}

#[derive(Deserialize)]
struct GraphError {
    code: i32,
    error_subcode: Option<i32>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    is_transient: Value,
    /// An object with `details`; for template errors sometimes a string.
    #[serde(default)]
    error_data: Value,
    /// What template management says for people.
    error_user_msg: Option<String>,
}

/// What the body of an answer says.
pub(super) fn answer(
    status: StatusCode,
    body: &[u8],
    retry_after: Option<Duration>,
) -> Result<Accepted, SendError> {
    if status.is_success()
        && let Ok(answer) = serde_json::from_slice::<Answer>(body)
        && let Some(message) = answer.messages.into_iter().next()
    {
        return Ok(Accepted {
            wamid: message.id,
            held: message.message_status.is_some_and(|status| status != "accepted"),
        });
    }
    Err(refusal(status, body, retry_after))
}

/// What the body of an answer says that is not what was asked for.
pub(super) fn refusal(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> SendError {
    let http = status.as_u16();
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error }) => SendError::Refused {
            http,
            code: error.code,
            subcode: error.error_subcode,
            details: match &error.error_data {
                Value::String(details) => Some(details.clone()),
                data => {
                    data.get("details").and_then(Value::as_str).map(str::to_owned).or(error.error_user_msg)
                }
            },
            message: error.message,
            is_transient: error.is_transient == true,
            retry_after,
        },
        Err(_) if status.is_success() => {
            SendError::Unknown(format!("HTTP {http} without the requested data"))
        }
        Err(_) => SendError::Garbled { http, retry_after },
    }
}

/// `Retry-After`, in seconds or as a date, and Meta's `estimated_time_to_regain_access` in minutes: the longer of the
/// two, an hour at most. Then one message tries, and hears how much longer it takes.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |text: &str| Some(rfc2822::parse(text.trim()).ok()?.timestamp());
    let header = text(RETRY_AFTER.as_str()).and_then(|wait| match wait.trim().parse::<f64>() {
        Ok(seconds) => Some(seconds),
        // By the clock of whoever says so, where it shows.
        Err(_) => {
            Some(date(wait)?.duration_since(text(DATE.as_str()).and_then(date).unwrap_or(now)).as_secs_f64())
        }
    });
    let usage: Option<HashMap<String, Vec<HashMap<String, Value>>>> =
        text(USAGE).and_then(|usage| serde_json::from_str(usage).ok());
    let minutes = usage.into_iter().flat_map(HashMap::into_values).flatten().filter_map(|usage| {
        usage.get("estimated_time_to_regain_access")?.as_f64().filter(|minutes| *minutes > 0.0)
    });
    let seconds = minutes.map(|minutes| minutes * 60.0).chain(header).reduce(f64::max)?;
    // Not a number is taken for 0.
    Some(Duration::from_secs_f64(seconds.max(0.0).min(LONGEST_WAIT.as_secs_f64())))
}

#[cfg(test)]
mod tests;
