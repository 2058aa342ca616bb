//! Sends a message, and tells apart the ways in which that can fail.

use std::{collections::HashMap, fmt, time::Duration};

use bytes::Bytes;
use reqwest::{
    Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Form, Treatment, errors, messages};
use crate::{config::WhatsappConfig, domain::Message};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Shorter than Meta keeps a connection, so that a send seldom meets one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// An answer has some 200 bytes, an error some 500.
const ANSWER_LIMIT: usize = 64 * 1024;
const USAGE: &str = "x-business-use-case-usage";

/// Meta's 200: it took the message. Whether it arrives, webhooks tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Meta's id of the message.
    pub wamid: String,
    /// Meta holds it back for a check of its quality; it is released or fails later.
    pub held: bool,
    /// The number that Meta found for the recipient; it may differ from what was sent.
    pub wa_id: Option<String>,
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
                Some(Treatment::Retry)
            }
            SendError::Refused { code, subcode, .. } => Some(errors::treatment(*code, *subcode)),
            SendError::NotSent(_) => Some(Treatment::Retry),
            SendError::Unknown(_) | SendError::Garbled { http: 502 | 504, .. } => None,
            SendError::Garbled { http: 408 | 429 | 500.., .. } => Some(Treatment::Retry),
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

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one.
    #[error("use {0:?} as WHATSAPP_API_URL: it must be such as https://graph.facebook.com/v25.0")]
    Url(String),
    /// The access token cannot stand in a header.
    #[error("use WHATSAPP_ACCESS_TOKEN: it holds a character that no token has, such as a line break")]
    Token,
    /// TLS cannot be set up on this machine.
    #[error("set up TLS: {0}")]
    Tls(String),
}

/// Sends from one number. Cheap to clone; connections are kept and shared.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the number and the API that the settings name. Connects when it first sends.
    ///
    /// # Errors
    /// Where the address or the token cannot be used, or TLS cannot be set up.
    pub fn new(config: &WhatsappConfig) -> Result<Client, ClientError> {
        let url = messages_url(&config.whatsapp_api_url, &config.whatsapp_phone_number_id)
            .ok_or_else(|| ClientError::Url(config.whatsapp_api_url.clone()))?;
        let token = config.whatsapp_access_token.expose();
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]);
        // Already installed is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hookswitch/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // A second try is dispatch's decision.
            .retry(reqwest::retry::never());
        if url.scheme() == "http" {
            // A simulator nearby: no proxy on the way, and no certificates needed on this machine.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| ClientError::Tls(causes(&error)))?;
        Ok(Client { http, url })
    }

    /// Sends one message, once: at most 30 seconds. `to` is a `wa_id` or a user id; `callback_data`, at most
    /// 512 characters, comes back in each status webhook.
    ///
    /// # Errors
    /// See [`SendError`]; only `Refused` and `NotSent` are sure that nothing was sent.
    pub async fn send(
        &self,
        to: &str,
        form: Form,
        message: &Message,
        callback_data: &str,
    ) -> Result<Accepted, SendError> {
        let body = messages::request(to, form, message, callback_data);
        let response = self.http.post(self.url.clone()).body(body).send().await.map_err(|error| {
            let is_connect = error.is_connect();
            let text = causes(&error.without_url());
            if is_connect { SendError::NotSent(text) } else { SendError::Unknown(text) }
        })?;
        let status = response.status();
        let retry_after = if status.is_success() { None } else { retry_after(response.headers()) };
        match read(response).await {
            Ok(body) => answer(status, &body, retry_after),
            Err(cause) if status.is_success() => Err(SendError::Unknown(cause)),
            Err(_) => Err(SendError::Garbled { http: status.as_u16(), retry_after }),
        }
    }
}

fn messages_url(api: &str, phone_number_id: &str) -> Option<Url> {
    let mut url = Url::parse(api).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.path_segments_mut().ok()?.pop_if_empty().push(phone_number_id).push("messages");
    Some(url)
}

async fn read(mut response: Response) -> Result<Bytes, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error.without_url()))? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(format!("more than {ANSWER_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

#[derive(Deserialize)]
struct Answer {
    messages: Vec<AnswerMessage>,
    #[serde(default)]
    contacts: Vec<AnswerContact>,
}

#[derive(Deserialize)]
struct AnswerMessage {
    id: String,
    message_status: Option<String>,
}

#[derive(Deserialize)]
struct AnswerContact {
    wa_id: Option<String>,
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
}

fn answer(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Result<Accepted, SendError> {
    if status.is_success()
        && let Ok(answer) = serde_json::from_slice::<Answer>(body)
        && let Some(message) = answer.messages.into_iter().next()
    {
        let wa_id = answer.contacts.into_iter().find_map(|contact| contact.wa_id);
        return Ok(Accepted {
            wamid: message.id,
            held: message.message_status.is_some_and(|status| status != "accepted"),
            wa_id: wa_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()),
        });
    }
    let http = status.as_u16();
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error }) => Err(SendError::Refused {
            http,
            code: error.code,
            subcode: error.error_subcode,
            details: match &error.error_data {
                Value::String(details) => Some(details.clone()),
                data => data.get("details").and_then(Value::as_str).map(str::to_owned),
            },
            message: error.message,
            retry_after,
        }),
        Err(_) if status.is_success() => {
            Err(SendError::Unknown(format!("HTTP {http} without a message id in it")))
        }
        Err(_) => Err(SendError::Garbled { http, retry_after }),
    }
}

/// `Retry-After` in seconds, and Meta's `estimated_time_to_regain_access` in minutes: the longer of the two.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
