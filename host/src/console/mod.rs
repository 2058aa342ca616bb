//! The console: pages for operators, written by the host, that work without scripts.

mod acts;
mod bubble;
mod events;
mod failed;
mod guard;
mod login;
mod messages;
mod overview;
mod people;
mod query;
mod refusal;
mod render;
mod rules;
mod search;
mod session;
mod timeline;

use std::sync::Arc;

use axum::{
    Router,
    http::header,
    middleware::from_fn,
    routing::{get, post},
};

pub use self::login::Links;
use self::{guard::guard, refusal::Refusal};
use crate::operate::{Operate, Setup};

/// What the pages need. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    operate: Operate,
    setup: Arc<Setup>,
    links: Links,
    secure: bool,
}

impl Console {
    /// The console of a host; `secure` if it is opened by https.
    pub fn new(operate: Operate, setup: Arc<Setup>, links: Links, secure: bool) -> Console {
        Console { operate, setup, links, secure }
    }

    /// Whether it is opened by https.
    fn is_secure(&self) -> bool {
        self.secure
    }
}

/// The pages.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/events", get(events::list))
        .route("/event", get(events::show))
        .route("/messages", get(messages::list))
        .route("/messages/{id}", get(messages::show))
        .route("/failed", get(failed::failed))
        .route("/failed/act", get(acts::confirm).post(acts::act))
        .route("/jobs/{id}", get(acts::job))
        .route("/unknown", get(failed::unknown))
        .route("/unknown/{id}", get(acts::doubtful).post(acts::resolve))
        .route("/waiting", get(failed::waiting))
        .route("/people", get(people::people))
        .route("/people/{username}", get(people::person))
        .route("/groups", get(people::groups))
        .route("/contacts", get(people::contacts))
        .route("/rules", get(rules::show))
        .route("/search", get(search::search))
        .route("/login", get(login::form).post(login::log_in))
        .route("/link", get(login::link).post(login::follow))
        .route("/logout", post(login::log_out))
        .route(
            "/style.css",
            get(async || {
                ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("assets/style.css"))
            }),
        )
        .fallback(async || Refusal::unknown("No such page."))
        .layer(axum::extract::DefaultBodyLimit::max(16 * 1024))
        .with_state(console)
        .layer(from_fn(guard))
}
