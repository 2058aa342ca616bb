//! What Meta answers to a send: that it took the message, or one of the ways in which that can fail.

use std::{collections::HashMap, time::Duration};

use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Treatment, errors};

const USAGE: &str = "x-business-use-case-usage";

/// Meta's 200: it took the message. Whether it arrives, webhooks tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Meta's id of the message.
    pub wamid: String,
    /// Meta holds it back for a check of its quality; it is released or fails later.
    pub held: bool,
}

/// Why Meta did not say that it took the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Meta refused it: it is certainly not sent.
    #[error("send to Meta: error {code} with HTTP {http}: {message}{}", in_brackets(.details))]
    Refused {
        /// The HTTP status; Meta says to look at the code instead.
        http: u16,
        /// Meta's error code.
        code: i32,
        /// Graph's subcode.
        subcode: Option<i32>,
        /// Meta's message.
        message: String,
        /// Meta's details.
        details: Option<String>,
        /// When Meta lets us send again, where it says so.
        retry_after: Option<Duration>,
    },
    /// No connection: it is certainly not sent.
    #[error("send to Meta: {0}")]
    NotSent(String),
    /// The request was on its way and no answer came, or one that says nothing: it may have been sent.
    #[error("read Meta's answer: {0}")]
    Unknown(String),
    /// An error that is not Meta's JSON, as from a proxy between: it may have been sent where `http` is 502 or 504.
    #[error("read Meta's answer: HTTP {http} without an error of Meta's in it")]
    Garbled {
        /// The HTTP status.
        http: u16,
        /// The `Retry-After` header, where there is one.
        retry_after: Option<Duration>,
    },
}

fn in_brackets(details: &Option<String>) -> String {
    details.as_ref().map(|details| format!(" ({details})")).unwrap_or_default()
}

impl SendError {
    /// What to do about it; `None` where the message may have been sent, so that only a webhook can tell.
    pub fn treatment(&self) -> Option<Treatment> {
        match self {
            SendError::Refused { http: 500.., code, .. } if !errors::is_known(*code) => {
                Some(Treatment::Outage)
            }
            SendError::Refused { code, subcode, .. } => Some(errors::treatment(*code, *subcode)),
            SendError::NotSent(_) => Some(Treatment::Outage),
            SendError::Unknown(_) | SendError::Garbled { http: 502 | 504, .. } => None,
            SendError::Garbled { http: 408 | 429 | 500.., .. } => Some(Treatment::Outage),
            SendError::Garbled { .. } => Some(Treatment::GiveUp),
        }
    }

    /// When Meta lets us send again, where it says so.
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
    /// An object with `details`; for template errors sometimes a text.
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
            retry_after,
        },
        Err(_) if status.is_success() => {
            SendError::Unknown(format!("HTTP {http} without what was asked for in it"))
        }
        Err(_) => SendError::Garbled { http, retry_after },
    }
}

/// `Retry-After` in seconds, and Meta's `estimated_time_to_regain_access` in minutes: the longer of the two.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Usage {
        #[serde(default)]
        estimated_time_to_regain_access: u32,
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let header = text(RETRY_AFTER.as_str()).and_then(|seconds| seconds.trim().parse::<u32>().ok());
    let usage: Option<HashMap<String, Vec<Usage>>> =
        text(USAGE).and_then(|usage| serde_json::from_str(usage).ok());
    let minutes =
        usage.into_iter().flat_map(HashMap::into_values).flatten().map(|u| u.estimated_time_to_regain_access);
    let seconds = minutes.map(|minutes| u64::from(minutes) * 60).chain(header.map(u64::from)).max();
    seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
