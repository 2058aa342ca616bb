//! The account, its numbers and the token at Meta, and the management of templates.

mod templates;

use hookswitch_core::{
    catalog::MediaFile,
    plan::{ExampleFile, MetaTemplate},
};
use jiff::Timestamp;
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use self::templates::{Created, RawTemplate, create_body};
pub use self::templates::{MetaStatus, TemplateOnMeta, category};
use super::{
    answers::{SendError, refusal},
    client::{ClientError, causes, http, read_within, token_header},
    content,
};
use crate::config::Secret;

/// Maximum size of a page of templates, in bytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// Templates per page.
const PAGE: &str = "200";
/// Maximum number of pages; an account may have 6,000 templates.
const PAGES: usize = 40;

/// Why a request to Meta failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagementError {
    /// Meta rejected it.
    #[error("Meta rejected the request: error {code}: {message}")]
    Refused {
        /// Meta's code.
        code: i32,
        /// Meta's message and details.
        message: String,
    },
    /// Meta did not answer.
    #[error("cannot reach Meta: {0}")]
    Unreachable(String),
    /// Something answered, but not as Meta's API does.
    #[error("the answer is not one of Meta's: {0}")]
    Garbled(String),
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
                ManagementError::Garbled(format!("HTTP {http} without an error code"))
            }
        }
    }
}

/// A sending number at Meta.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PhoneNumber {
    /// The number as Meta displays it, for example `+1 555-078-3881`.
    pub display_phone_number: Option<String>,
    /// Name that users see.
    pub verified_name: Option<String>,
    /// Quality: `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality_rating: Option<String>,
    /// State; `CONNECTED` if it may send.
    pub status: Option<String>,
    /// Messages per second.
    pub throughput: Option<Throughput>,
    /// Maximum number of users to message in 24 hours outside their windows, for example `TIER_250`.
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
    /// Whether Meta accepts it.
    #[serde(default)]
    pub is_valid: bool,
    /// Expiry in seconds since 1970; 0 if it does not expire.
    #[serde(default)]
    expires_at: i64,
    /// Permissions.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Token {
    /// Time of expiry; `None` if it does not expire.
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
struct AppId {
    app_id: String,
}

#[derive(Deserialize)]
struct Session {
    id: String,
}

#[derive(Deserialize)]
struct Uploaded {
    h: String,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// A client for the management of the account at Meta. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Management {
    http: reqwest::Client,
    api: Url,
    token: Secret,
}

impl Management {
    /// Creates a client for the Cloud API's URL, with its version, and a token. Connects with the first request.
    ///
    /// # Errors
    /// If the URL or the token is not valid, or TLS cannot be set up.
    pub fn new(api_url: &str, token: &Secret) -> Result<Management, ClientError> {
        let api = Url::parse(api_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| ClientError::Url(api_url.to_owned()))?;
        Ok(Management { http: http(token_header(token)?, &api)?, api, token: token.clone() })
    }

    /// Gets a sending number.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn phone_number(&self, phone_number_id: &str) -> Result<PhoneNumber, ManagementError> {
        let fields = "display_phone_number,verified_name,quality_rating,status,throughput,\
                      whatsapp_business_manager_messaging_limit";
        self.get(&[phone_number_id], &[("fields", fields)]).await
    }

    /// Gets the access token's state.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn token(&self) -> Result<Token, ManagementError> {
        let asked: Data<Token> = self.get(&["debug_token"], &[("input_token", self.token.expose())]).await?;
        Ok(asked.data)
    }

    /// Counts the apps that get the account's webhooks.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn subscribed_apps(&self, account: &str) -> Result<usize, ManagementError> {
        let apps: Page<Value> = self.get(&[account, "subscribed_apps"], &[]).await?;
        Ok(apps.data.len())
    }

    /// Gets all templates of the account, in all languages.
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

    /// Submits a template for Meta's review under this name and returns its status, for example `PENDING`.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn create_template(
        &self,
        account: &str,
        name: &str,
        definition: &MetaTemplate,
        example: Option<&MediaFile>,
    ) -> Result<String, ManagementError> {
        let url = self.url(&[account, "message_templates"], &[]);
        let handle = match definition.header_file.as_ref().zip(example) {
            Some((ExampleFile { mime_type, .. }, file)) => Some(self.upload_example(mime_type, file).await?),
            None => None,
        };
        let body = create_body(name, definition, handle.as_deref());
        let created: Created = self.ask(Method::POST, url, Some(body)).await?;
        Ok(created.status.unwrap_or_else(|| "PENDING".to_owned()))
    }

    /// Uploads the example of a file for Meta's reviewers and returns its handle, by Meta's Resumable Upload API.
    async fn upload_example(&self, mime_type: &str, file: &MediaFile) -> Result<String, ManagementError> {
        let token: Data<AppId> = self.get(&["debug_token"], &[("input_token", self.token.expose())]).await?;
        let length = file.size.to_string();
        let query = [("file_length", length.as_str()), ("file_type", mime_type)];
        let url = self.url(&[&token.data.app_id, "uploads"], &query);
        let session: Session = self.ask(Method::POST, url, None).await?;
        let mut authorization = HeaderValue::try_from(format!("OAuth {}", self.token.expose()))
            .map_err(|_| ManagementError::Unreachable("the access token is not valid".to_owned()))?;
        authorization.set_sensitive(true);
        let request = self.http.post(self.url(&[&session.id], &[]));
        let request = request.header(AUTHORIZATION, authorization).header("file_offset", "0");
        let request = request.header(CONTENT_LENGTH, file.size);
        let body = content::body(file, Vec::new(), Vec::new());
        let uploaded: Uploaded = self.answer(request.body(body)).await?;
        Ok(uploaded.h)
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
        self.answer(request).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ManagementError> {
        // Without the address: it may hold the token.
        let failed = |error: reqwest::Error| ManagementError::Unreachable(causes(&error.without_url()));
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body = read_within(response, ANSWER_LIMIT).await.map_err(ManagementError::Unreachable)?;
        if !status.is_success() {
            return Err(refusal(status, &body, None).into());
        }
        serde_json::from_slice(&body).map_err(|error| {
            ManagementError::Garbled(format!("it is not what Meta's documents say: {error}"))
        })
    }
}

#[cfg(test)]
mod tests;
