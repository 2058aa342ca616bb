//! What operators list and do, over HTTP: events, notifications, failed and unknown messages, digests,
//! jobs, replays, hosts, API keys, and what operators did.
//!
//! Lists are for keys with the scope `read`; numbers are masked and texts left out unless the key also has `personal`.
//! Acts are for keys with the scope `operate`.

mod actions;
mod contacts;
mod digests;
mod events;
mod failed;
mod hosts;
mod jobs;
mod keys;
mod notifications;
mod replays;
mod unknown;
mod waiting;

use axum::extract::FromRef;
use jiff::Timestamp;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) use crate::http::page;
use crate::{
    http::{Bodies, Keys, Problem, invalid},
    operate::Operate,
};

/// State of the handlers. Cheap to clone.
#[derive(Clone)]
pub struct Office {
    /// What operators can do.
    pub operate: Operate,
    /// The API keys.
    pub keys: Keys,
    /// The memory for bodies.
    pub bodies: Bodies,
}

impl FromRef<Office> for Keys {
    fn from_ref(office: &Office) -> Keys {
        office.keys.clone()
    }
}

impl FromRef<Office> for Bodies {
    fn from_ref(office: &Office) -> Bodies {
        office.bodies.clone()
    }
}

/// The endpoints with their descriptions.
pub fn routes() -> OpenApiRouter<Office> {
    OpenApiRouter::new()
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::get))
        .routes(routes!(failed::list))
        .routes(routes!(failed::redrive))
        .routes(routes!(failed::discard))
        .routes(routes!(unknown::list))
        .routes(routes!(unknown::resolve))
        .routes(routes!(waiting::list))
        .routes(routes!(waiting::withdraw))
        .routes(routes!(events::list))
        .routes(routes!(events::get))
        .routes(routes!(events::case))
        .routes(routes!(events::rerun))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::messages))
        .routes(routes!(replays::list, replays::create))
        .routes(routes!(replays::get))
        .routes(routes!(replays::diff))
        .routes(routes!(actions::list))
        .routes(routes!(hosts::list))
        .routes(routes!(digests::list))
        .routes(routes!(contacts::opt_out, contacts::opt_in))
        .routes(routes!(contacts::link))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
}

/// A place in a list that is in the order of times, as `next` and `after` have it.
fn written_place(at: Timestamp, id: Uuid) -> String {
    format!("{at}_{id}")
}

fn place(text: &str) -> Result<(Timestamp, Uuid), Problem> {
    let parts = text.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| invalid("The query parameter after must be `next` of the previous page."))
}

/// Refuses U+0000, which PostgreSQL cannot store.
pub(super) fn storable<'a>(texts: impl IntoIterator<Item = &'a Option<String>>) -> Result<(), Problem> {
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(invalid("The request must not contain the character U+0000."));
    }
    Ok(())
}
