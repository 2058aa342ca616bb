//! Sends messages over HTTP.

use std::{fmt, sync::Arc, time::Duration};

use hookswitch_core::domain::Message;
use jiff::Timestamp;
use reqwest::{
    Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};

use super::{
    Form,
    answers::{Accepted, SendError, answer, retry_after},
    messages,
    resolve::Few,
};
use crate::config::{Secret, WhatsappConfig};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long idle connections are kept: shorter than at Meta, so that a send rarely uses one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of an answer, in bytes; a usual one has 200, an error 500.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Why a client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not valid.
    #[error("invalid WHATSAPP_API_URL {0:?}: expected for example https://graph.facebook.com/v25.0")]
    Url(String),
    /// The access token is not a valid header value.
    #[error(
        "invalid WHATSAPP_ACCESS_TOKEN: it contains a character that no token has, for example a line break"
    )]
    Token,
    /// TLS cannot be set up on this machine.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// A client that sends messages. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client for the API in the settings. Connects when it first sends.
    ///
    /// # Errors
    /// If the URL or the token is not valid, or TLS cannot be set up.
    pub fn new(config: &WhatsappConfig) -> Result<Client, ClientError> {
        Client::with_token(&config.whatsapp_api_url, &config.whatsapp_access_token)
    }

    /// Creates a client for the Cloud API's URL, with its version, and a token. Connects with the first request.
    ///
    /// # Errors
    /// If the URL or the token is not valid, or TLS cannot be set up.
    pub fn with_token(api_url: &str, token: &Secret) -> Result<Client, ClientError> {
        let url = Url::parse(api_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| ClientError::Url(api_url.to_owned()))?;
        Ok(Client { http: http(token_header(token)?, &url)?, url })
    }

    /// Sends one message from a number, once, within 30 seconds. `to` is a `wa_id` or a user id; `media_id` is Meta's id of
    /// the message's file, if that is one of the rules; `callback_data`, at most 512 characters, is returned in each status
    /// webhook.
    ///
    /// # Errors
    /// See [`SendError`]; only with `Refused` and `NotSent` is it certain that nothing was sent.
    pub async fn send(
        &self,
        phone_number_id: &str,
        to: &str,
        form: Form,
        message: &Message,
        media_id: Option<&str>,
        callback_data: &str,
    ) -> Result<Accepted, SendError> {
        let body = messages::request(to, form, message, media_id, callback_data);
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(phone_number_id).push("messages");
        }
        let response = self.http.post(url).body(body).send().await.map_err(|error| {
            let is_connect = error.is_connect();
            let text = causes(&error.without_url());
            if is_connect { SendError::NotSent(text) } else { SendError::Unknown(text) }
        })?;
        let status = response.status();
        let retry_after =
            if status.is_success() { None } else { retry_after(response.headers(), Timestamp::now()) };
        match read_within(response, ANSWER_LIMIT).await {
            Ok(body) => answer(status, &body, retry_after),
            Err(cause) if status.is_success() => Err(SendError::Unknown(cause)),
            Err(_) => Err(SendError::Garbled { http: status.as_u16(), retry_after }),
        }
    }
}

/// The token as a header value that is never printed.
pub(super) fn token_header(token: &Secret) -> Result<HeaderValue, ClientError> {
    let token = token.expose();
    let mut authorization =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

/// An HTTP client for Meta, or for a simulator.
pub(super) fn http(authorization: HeaderValue, url: &Url) -> Result<reqwest::Client, ClientError> {
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, authorization),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ]);
    // Fails if one is already installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("hookswitch/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(Arc::new(Few::default()))
        .redirect(reqwest::redirect::Policy::none())
        // Dispatch decides about another attempt.
        .retry(reqwest::retry::never());
    if url.scheme() == "http" {
        // For a local simulator: no proxy, and no certificates of this machine.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder.build().map_err(|error| ClientError::Tls(causes(&error)))
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read_within(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error.without_url()))? {
        if body.len() + chunk.len() > limit {
            return Err(format!("more than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(super) fn causes(error: &dyn std::error::Error) -> String {
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
mod tests;
