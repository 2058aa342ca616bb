//! Logging in with an API key or a one-time link, and logging out.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use minijinja::context;
use serde::Deserialize;

use super::{Console, query::Filter, refusal::Refusal, render, session};
use crate::http::key_digest;

/// How long a one-time link can be followed.
const LINK: Duration = Duration::from_secs(60);

/// One-time links: codes in place of keys, each for one login within 60 seconds. Cheap to clone.
#[derive(Clone, Default)]
pub struct Links(Arc<Mutex<Vec<Link>>>);

struct Link {
    code: [u8; 32],
    key: [u8; 32],
    until: Instant,
}

impl Links {
    /// The path of a one-time link for a key; `None` if the text is no key.
    pub fn create(&self, key: &str) -> Option<String> {
        let key = key_digest(key)?;
        let (code, sha256) = session::new_token();
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.push(Link { code: sha256, key, until: Instant::now() + LINK });
        Some(render::link("/link", &[("code", &code)]))
    }

    /// The SHA-256 of the key that a code stands for. A code is used up by that.
    fn take(&self, code: &str) -> Option<[u8; 32]> {
        let sha256 = session::digest(code);
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.until > Instant::now());
        let at = links.iter().position(|link| link.code == sha256)?;
        Some(links.swap_remove(at).key)
    }
}

/// Where to go after logging in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    #[serde(default)]
    then: String,
}

/// The form.
pub async fn form(Filter(query): Filter<Then>) -> Result<Html<String>, Refusal> {
    Ok(Html(render::page("login.html", context! { then => query.then, wrong => false })?))
}

#[derive(Deserialize)]
pub struct LogIn {
    key: String,
    #[serde(default)]
    then: String,
}

/// Opens a session with a key.
pub async fn log_in(State(console): State<Console>, Form(form): Form<LogIn>) -> Result<Response, Refusal> {
    let opened = match key_digest(form.key.trim()) {
        Some(key) => open(&console, &key, &form.then).await?,
        None => None,
    };
    match opened {
        Some(response) => Ok(response),
        None => {
            let page = render::page("login.html", context! { then => form.then, wrong => true })?;
            Ok((StatusCode::UNAUTHORIZED, Html(page)).into_response())
        }
    }
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
}

/// A page that exchanges a one-time link: opening it changes nothing, so that a preview does not use it up.
pub async fn link(Filter(query): Filter<Code>) -> Result<Html<String>, Refusal> {
    Ok(Html(render::page("link.html", context! { code => query.code })?))
}

/// Opens a session with a one-time link.
pub async fn follow(State(console): State<Console>, Form(form): Form<Code>) -> Result<Response, Refusal> {
    let opened = match console.links.take(&form.code) {
        Some(key) => open(&console, &key, "/").await?,
        None => None,
    };
    opened.ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "This link has expired or was used."))
}

/// Opens a session with a key, by its SHA-256; `None` if it is not active.
async fn open(console: &Console, key: &[u8; 32], then: &str) -> Result<Option<Response>, Refusal> {
    let (token, sha256) = session::new_token();
    if !console.operate.open_console_session(&sha256, key).await? {
        return Ok(None);
    }
    // A path of this listener and nothing that a browser takes for another host.
    let is_own =
        then.starts_with('/') && !then[1..].starts_with(['/', '\\']) && !then.contains(char::is_control);
    Ok(Some(leave(if is_own { then } else { "/" }, Some(&token), console.is_secure())))
}

/// Ends the session.
pub async fn log_out(State(console): State<Console>, headers: HeaderMap) -> Result<Response, Refusal> {
    if let Some(token) = session::token(&headers, console.is_secure()) {
        console.operate.end_console_session(&session::digest(&token)).await?;
    }
    Ok(leave("/login", None, console.is_secure()))
}

fn leave(path: &str, token: Option<&str>, secure: bool) -> Response {
    let mut response = Redirect::to(path).into_response();
    if let Some(cookie) = session::cookie(token, secure) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
