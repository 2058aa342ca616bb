//! What a host with its settings and its live rules shows and does, over HTTP: rules, schedules, sending numbers,
//! plugins, templates, the check of the set-up, trials of events, and test messages.

mod check;
mod media;
mod numbers;
mod parked;
mod plugins;
mod release_files;
mod releases;
mod rules;
mod schedules;
mod send;
mod shadow;
mod switches;
mod templates;
mod trial;

use std::sync::Arc;

use axum::extract::FromRef;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::operate::page;
use crate::{
    http::{Bodies, Keys},
    operate::Setup,
};

/// State of the handlers. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    /// The host as its operators see it.
    pub setup: Arc<Setup>,
    /// The API keys.
    pub keys: Keys,
    /// The memory for bodies.
    pub bodies: Bodies,
}

impl FromRef<Host> for Keys {
    fn from_ref(host: &Host) -> Keys {
        host.keys.clone()
    }
}

impl FromRef<Host> for Bodies {
    fn from_ref(host: &Host) -> Bodies {
        host.bodies.clone()
    }
}

/// The endpoints with their descriptions.
pub fn routes() -> OpenApiRouter<Host> {
    OpenApiRouter::new()
        .routes(routes!(numbers::list))
        .routes(routes!(rules::list))
        .routes(routes!(schedules::list))
        .routes(routes!(releases::list, release_files::create))
        .routes(routes!(release_files::upload))
        .routes(routes!(releases::get))
        .routes(routes!(releases::diff))
        .routes(routes!(releases::file))
        .routes(routes!(releases::activate))
        .routes(routes!(releases::roll_back))
        .routes(routes!(shadow::create))
        .routes(routes!(shadow::get, shadow::stop))
        .routes(routes!(plugins::list))
        .routes(routes!(parked::list))
        .routes(routes!(parked::resume))
        .routes(routes!(switches::list))
        .routes(routes!(switches::stop, switches::resume))
        .routes(routes!(check::check))
        .routes(routes!(check::fix))
        .routes(routes!(templates::list))
        .routes(routes!(templates::diff))
        .routes(routes!(templates::push))
        .routes(routes!(media::get))
        .routes(routes!(trial::try_event))
        .routes(routes!(send::send))
}
