//! `GET /v1/plugins`: what the plugins of this host have used.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use hookswitch_core::{
    catalog::Live,
    decide::plugin::{Counts, Plugin},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::{Admin, Keys, Problem, last_of_full, page_limit};

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

/// A page of plugins.
#[derive(Serialize, ToSchema)]
pub struct PluginList {
    data: Vec<PluginJson>,
    /// The next page's `after`; null on the last.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only those whose ids come after this one: what `next` of the page before said.
    #[serde(default)]
    after: String,
    /// How many, from 1 to 1,000; 100 by default.
    limit: Option<i64>,
}

/// Lists the plugins of this host with what they have used since it started.
#[utoipa::path(get, path = "/v1/plugins", tag = "plugins", params(Which), security(("key" = [])),
    responses((status = 200, body = PluginList), (status = 400, body = Problem)))]
pub async fn list(
    _: Admin,
    State(plugins): State<Plugins>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<PluginList>, Problem> {
    let Query(Which { after, limit: asked }) =
        which.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_request", error.body_text()))?;
    let limit = page_limit(asked)?;
    let catalog = plugins.live.current();
    let after = catalog.plugins.iter().filter(|(id, _)| **id > after).map(|(_, plugin)| json(plugin));
    let data: Vec<PluginJson> = after.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    let next = last_of_full(&data, limit).map(|plugin| plugin.id.clone());
    Ok(Json(PluginList { data, next }))
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
