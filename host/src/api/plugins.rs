//! `GET /v1/plugins`: what the plugins of this host have used.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    catalog::Live,
    decide::plugin::{Counts, Plugin},
    http::{Admin, Keys, Problem},
};

/// What the handler needs. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    /// The catalog that is live.
    pub live: Arc<Live>,
    /// Who may ask.
    pub keys: Keys,
}

impl FromRef<Plugins> for Keys {
    fn from_ref(plugins: &Plugins) -> Keys {
        plugins.keys.clone()
    }
}

/// A plugin, and what it has used on this host since it started.
#[derive(Serialize, ToSchema)]
struct PluginJson {
    id: String,
    version: String,
    owner: String,
    /// Types of events.
    on: Vec<String>,
    #[serde(flatten)]
    counts: Counts,
}

/// All plugins.
#[derive(Serialize, ToSchema)]
pub struct PluginList {
    data: Vec<PluginJson>,
}

/// Lists the plugins of this host with what they have used since it started.
#[utoipa::path(get, path = "/v1/plugins", tag = "plugins", security(("key" = [])),
    responses((status = 200, body = PluginList)))]
pub async fn list(_: Admin, State(plugins): State<Plugins>) -> Result<Json<PluginList>, Problem> {
    let catalog = plugins.live.current();
    let data = catalog.plugins.values().map(json).collect();
    Ok(Json(PluginList { data }))
}

fn json(plugin: &Plugin) -> PluginJson {
    let manifest = plugin.manifest();
    PluginJson {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        owner: manifest.owner.clone(),
        on: manifest.on.iter().map(|on| on.text.clone()).collect(),
        counts: plugin.counts(),
    }
}
