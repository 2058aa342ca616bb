//! What Meta tells of the account, the number and the token, and template management.

mod templates;

use hookswitch_core::plan::MetaTemplate;
use jiff::Timestamp;
use reqwest::{Method, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use self::templates::{Created, RawTemplate, create_body};
pub use self::templates::{MetaStatus, TemplateOnMeta, category};
use super::{
    answers::{SendError, refusal},
    client::{ClientError, causes, http, read_within, token_header},
};
use crate::config::Secret;

/// A page of templates with their components.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// Templates in a page.
const PAGE: &str = "200";
/// Meta lets an account have 6,000 templates.
const PAGES: usize = 40;

/// Why Meta did not answer what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagementError {
    /// Meta refuses.
    #[error("Meta rejected the request: error {code}: {message}")]
    Refused {
        /// Meta's code.
        code: i32,
        /// Meta's message and details.
        message: String,
    },
    /// No answer of Meta's.
    #[error("cannot reach Meta: {0}")]
    Unreachable(String),
}

impl From<SendError> for ManagementError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Refused { code, message, details, .. } => {
                let message = match details {
                    Some(details) if !message.contains(&details) => format!("{message} ({details})"),
                    _ => message,
                };
                ManagementError::Refused { code, message }
            }
            SendError::NotSent(why) | SendError::Unknown(why) => ManagementError::Unreachable(why),
            SendError::Garbled { http, .. } => {
                ManagementError::Unreachable(format!("HTTP {http} without an error from Meta"))
            }
        }
    }
}

/// The number that sends, as Meta sees it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PhoneNumber {
    /// Such as `+1 555-078-3881`.
    pub display_phone_number: Option<String>,
    /// What users see.
    pub verified_name: Option<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality_rating: Option<String>,
    /// `CONNECTED` where it may send.
    pub status: Option<String>,
    /// Messages per second.
    pub throughput: Option<Throughput>,
    /// Users outside their windows in 24 hours, such as `TIER_250`.
    pub whatsapp_business_manager_messaging_limit: Option<String>,
}

/// How fast a number may send.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Throughput {
    /// `STANDARD` (80 messages per second) or `HIGH` (1,000).
    pub level: Option<String>,
}

/// The access token.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Token {
    /// Whether Meta takes it.
    #[serde(default)]
    pub is_valid: bool,
    /// Unix seconds; 0 for one that does not end.
    #[serde(default)]
    expires_at: i64,
    /// What it may be used for.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Token {
    /// Until when it is valid; `None` for one that does not end.
    pub fn valid_until(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.expires_at).ok().filter(|_| self.expires_at > 0)
    }
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    cursors: Option<Cursors>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    after: Option<String>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// Asks and tells Meta about the account. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Management {
    http: reqwest::Client,
    api: Url,
    token: Secret,
}

impl Management {
    /// For the Cloud API's address, with its version, and a token. Connects when it first asks.
    ///
    /// # Errors
    /// Where they cannot be used, or TLS cannot be set up.
    pub fn new(api_url: &str, token: &Secret) -> Result<Management, ClientError> {
        let api = Url::parse(api_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| ClientError::Url(api_url.to_owned()))?;
        Ok(Management { http: http(token_header(token)?, &api)?, api, token: token.clone() })
    }

    /// The number that sends.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn phone_number(&self, phone_number_id: &str) -> Result<PhoneNumber, ManagementError> {
        let fields = "display_phone_number,verified_name,quality_rating,status,throughput,\
                      whatsapp_business_manager_messaging_limit";
        self.get(&[phone_number_id], &[("fields", fields)]).await
    }

    /// The access token.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn token(&self) -> Result<Token, ManagementError> {
        let asked: Data<Token> = self.get(&["debug_token"], &[("input_token", self.token.expose())]).await?;
        Ok(asked.data)
    }

    /// How many apps get the account's webhooks.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn subscribed_apps(&self, account: &str) -> Result<usize, ManagementError> {
        let apps: Page<Value> = self.get(&[account, "subscribed_apps"], &[]).await?;
        Ok(apps.data.len())
    }

    /// All templates of the account, in all languages.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn templates(&self, account: &str) -> Result<Vec<TemplateOnMeta>, ManagementError> {
        let fields =
            "id,name,language,status,category,components,parameter_format,quality_score,rejected_reason";
        let mut templates = Vec::new();
        let mut after = String::new();
        for _ in 0..PAGES {
            let mut query = vec![("fields", fields), ("limit", PAGE)];
            if !after.is_empty() {
                query.push(("after", &after));
            }
            let page: Page<RawTemplate> = self.get(&[account, "message_templates"], &query).await?;
            templates.extend(page.data.into_iter().map(TemplateOnMeta::from));
            // The address in `next` may be anywhere; the cursor is ours to use.
            let next = page.paging.filter(|paging| paging.next.is_some());
            match next.and_then(|paging| paging.cursors?.after) {
                Some(cursor) => after = cursor,
                None => return Ok(templates),
            }
        }
        Err(ManagementError::Unreachable(format!("more than {PAGES} pages of templates")))
    }

    /// Hands in a template for Meta's review under this name, and returns its status, such as `PENDING`.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn create_template(
        &self,
        account: &str,
        name: &str,
        definition: &MetaTemplate,
    ) -> Result<String, ManagementError> {
        let url = self.url(&[account, "message_templates"], &[]);
        let created: Created = self.ask(Method::POST, url, Some(create_body(name, definition))).await?;
        Ok(created.status.unwrap_or_else(|| "PENDING".to_owned()))
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.api.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ManagementError> {
        self.ask(Method::GET, self.url(path, query), None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<Value>,
    ) -> Result<T, ManagementError> {
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        // Without the address: it may hold the token.
        let failed = |error: reqwest::Error| ManagementError::Unreachable(causes(&error.without_url()));
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body = read_within(response, ANSWER_LIMIT).await.map_err(ManagementError::Unreachable)?;
        if !status.is_success() {
            return Err(refusal(status, &body, None).into());
        }
        serde_json::from_slice(&body).map_err(|error| {
            ManagementError::Unreachable(format!("its answer is not what its documents say: {error}"))
        })
    }
}

#[cfg(test)]
mod tests;
