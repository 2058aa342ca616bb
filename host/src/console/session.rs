//! Who looks at a page: a session, opened with an API key and kept in a cookie.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Console, refusal::Refusal};
use crate::{
    http::Scope,
    operate::{events_without_personal, history_without_personal, mask},
    store::{EventHistory, EventPage},
};

/// Random bytes of a session.
const RANDOM: usize = 32;

/// Somebody who has logged in.
#[derive(Clone, Debug, Serialize)]
pub struct Viewer {
    /// The name of the key.
    pub key: String,
    /// Whether they may change something.
    pub may_act: bool,
    /// Whether they see numbers and texts.
    pub sees_personal: bool,
    /// Whether they may try events: whoever may post events and read what comes of them.
    pub may_try: bool,
    /// Whether they may do everything: see keys, change people, push templates.
    pub administers: bool,
}

impl Viewer {
    /// What they see of the history of an event.
    pub fn history(&self, history: EventHistory) -> EventHistory {
        if self.sees_personal { history } else { history_without_personal(history) }
    }

    /// What they see of a page of events.
    pub fn events(&self, page: EventPage) -> EventPage {
        if self.sees_personal { page } else { events_without_personal(page) }
    }

    /// What they see of a text that may contain a number.
    pub fn text(&self, mut text: Option<String>) -> Option<String> {
        if !self.sees_personal {
            mask(&mut text);
        }
        text
    }
}

/// Somebody who has logged in and may change something. A handler of a change takes it before anything else.
pub struct Actor(pub Viewer);

/// Somebody who has logged in with an `admin` key. A handler of their pages and changes takes it before anything else.
pub struct Administrator(pub Viewer);

impl FromRequestParts<Console> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Viewer, Refusal> {
        let log_in = || {
            let path = match parts.method {
                Method::GET => parts.uri.path_and_query().map_or("/", |path| path.as_str()),
                _ => "/",
            };
            Refusal::LogIn(path.to_owned())
        };
        let token = token(&parts.headers, console.is_secure()).ok_or_else(log_in)?;
        let sha256 = digest(&token);
        let session = console.operate.console_session(&sha256).await?.ok_or_else(log_in)?;
        let may = |scope: Scope| {
            session.scopes.iter().filter_map(|held| held.parse().ok()).any(|held: Scope| held.includes(scope))
        };
        if !may(Scope::Read) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "The key of this session lacks the scope read."));
        }
        Ok(Viewer {
            may_act: may(Scope::Operate),
            sees_personal: may(Scope::Personal),
            may_try: may(Scope::Events),
            administers: may(Scope::Admin),
            key: session.key,
        })
    }
}

impl FromRequestParts<Console> for Actor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Actor, Refusal> {
        let viewer = Viewer::from_request_parts(parts, console).await?;
        if !viewer.may_act {
            let detail = "The key of this session can look, but not change anything.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
        }
        Ok(Actor(viewer))
    }
}

/// Somebody who has logged in and may try events.
pub struct Tester(pub Viewer);

impl FromRequestParts<Console> for Tester {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Tester, Refusal> {
        let viewer = Viewer::from_request_parts(parts, console).await?;
        if !viewer.may_try {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "The key of this session lacks the scope events.",
            ));
        }
        Ok(Tester(viewer))
    }
}

impl FromRequestParts<Console> for Administrator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Administrator, Refusal> {
        let viewer = Viewer::from_request_parts(parts, console).await?;
        if !viewer.administers {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "The key of this session lacks the scope admin.",
            ));
        }
        Ok(Administrator(viewer))
    }
}

/// A new session's token and its SHA-256.
pub fn new_token() -> (String, [u8; 32]) {
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; RANDOM]>());
    let sha256 = digest(&token);
    (token, sha256)
}

/// The SHA-256 by which a token is stored. 256 random bits need no slow hash.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The token in the cookie of a request.
pub fn token(headers: &HeaderMap, secure: bool) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie_name(secure)).map(|(_, token)| token.to_owned())
}

/// The cookie of a session; without a token it removes the cookie.
pub fn cookie(token: Option<&str>, secure: bool) -> Option<HeaderValue> {
    let name = cookie_name(secure);
    let value = token.unwrap_or_default();
    let age = if token.is_some() { "" } else { "; Max-Age=0" };
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")).ok()
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-hookswitch" } else { "hookswitch" }
}
