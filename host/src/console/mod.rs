//! The console: pages for operators, written by the host, that work without scripts.

mod access;
mod acts;
mod bubble;
mod chart;
mod confirm;
mod contacts;
mod events;
mod failed;
mod fix;
mod guard;
mod import;
mod keys;
mod live;
mod login;
mod media;
mod messages;
mod meta;
mod overview;
mod people;
mod plugins;
mod query;
mod refusal;
mod releases;
mod render;
mod replays;
mod rules;
mod running;
mod search;
mod session;
mod shadow;
mod staff;
mod switches;
mod timeline;
mod trial;
mod variants;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header,
    middleware::from_fn,
    response::IntoResponse,
    routing::{get, post},
};

use self::{guard::guard, refusal::Refusal};
pub use self::{live::Changes, login::Links};
use crate::operate::{Operate, Setup};

/// What the pages need. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    operate: Operate,
    setup: Arc<Setup>,
    links: Links,
    changes: Changes,
    secure: bool,
}

impl Console {
    /// The console of a host; `secure` if it is opened by https.
    pub fn new(operate: Operate, setup: Arc<Setup>, links: Links, changes: Changes, secure: bool) -> Console {
        Console { operate, setup, links, changes, secure }
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
        .route("/event/case", get(events::case))
        .route("/event/rerun", get(events::confirm_rerun).post(events::rerun))
        .route("/messages", get(messages::list))
        .route("/messages/{id}", get(messages::show))
        .route("/media/{id}", get(media::get))
        .route("/failed", get(failed::failed))
        .route("/failed/act", get(acts::confirm).post(acts::act))
        .route("/jobs/{id}", get(acts::job))
        .route("/waiting/withdraw", get(acts::withdrawal).post(acts::withdraw))
        .route("/unknown", get(failed::unknown))
        .route("/unknown/{id}", get(acts::doubtful).post(acts::resolve))
        .route("/waiting", get(failed::waiting))
        .route("/switches", get(switches::list))
        .route("/switches/stop", get(switches::ask_stop).post(switches::stop))
        .route("/switches/resume", get(switches::ask_resume).post(switches::resume))
        .route("/people", get(people::people))
        .route("/people/{username}", get(people::person))
        .route("/groups", get(people::groups))
        .route("/contacts", get(people::contacts))
        .route("/rules", get(rules::show))
        .route("/releases", get(releases::list))
        .route("/releases/diff", get(releases::diff))
        .route("/releases/activate", get(releases::confirm).post(releases::activate))
        .route("/releases/shadow", get(shadow::show).post(shadow::start))
        .route("/releases/shadow/stop", post(shadow::stop))
        .route("/releases/{release}", get(releases::show))
        .route("/replays", get(replays::list).post(replays::create))
        .route("/replays/{id}", get(replays::show))
        .route("/contacts/link", get(contacts::ask_person).post(contacts::link))
        .route("/contacts/preference", get(contacts::confirm_preference).post(contacts::prefer))
        .route("/person/new", get(staff::ask_new).post(staff::add))
        .route("/people/{username}/change", get(staff::ask_change).post(staff::change))
        .route("/people/{username}/quiet", get(staff::ask_quiet).post(staff::set_quiet))
        .route("/groups/new", post(staff::create_group))
        .route("/groups/delete", get(staff::confirm_deletion).post(staff::delete_group))
        .route("/templates", get(meta::list))
        .route("/template/push", get(meta::confirm).post(meta::push))
        .route("/templates/{name}", get(variants::show))
        .route("/plugins", get(plugins::list))
        .route("/plugins/resume/{id}", get(plugins::confirm_resume).post(plugins::resume))
        .route("/schedules", get(running::schedules))
        .route("/numbers", get(running::numbers))
        .route("/fix", get(fix::confirm).post(fix::fix))
        .route("/access", get(access::show))
        .route("/access/keys", post(keys::create))
        .route("/access/revoke", get(keys::confirm_revoke).post(keys::revoke))
        .route("/access/end", get(access::confirm_end).post(access::end))
        .route("/actions", get(access::actions))
        .route("/search", get(search::search))
        .route("/live", get(live::live))
        .route("/login", get(login::form).post(login::log_in))
        .route("/link", get(login::link).post(login::follow))
        .route("/logout", post(login::log_out))
        .route("/style.css", get(async || asset("text/css; charset=utf-8", include_str!("assets/style.css"))))
        .route(
            "/live.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("assets/live.js"))),
        )
        .fallback(async || Refusal::unknown("No such page."))
        .layer(DefaultBodyLimit::max(16 * 1024))
        // An event may be larger than a form.
        .route("/try", get(trial::form).post(trial::try_event).layer(DefaultBodyLimit::max(128 * 1024)))
        // In a form a character may take nine.
        .route(
            "/person/import",
            get(import::ask).post(import::import).layer(DefaultBodyLimit::max(1024 * 1024)),
        )
        .with_state(console)
        .layer(from_fn(guard))
}

/// A file that comes with the program. The browser asks whether it is still the same: an ETag answers that.
fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], text)
}
