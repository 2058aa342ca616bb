//! `GET /v1/plugins`: what the plugins of this host have used.

use std::collections::BTreeMap;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::Uri,
    response::Response,
};
use hookswitch_core::{
    catalog::InForce,
    decide::plugin::{Counts, Plugin},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Host;
use crate::http::{Admin, Problem, last_of_full, page, page_limit, query};

/// A plugin, with what it has used on this host since the host started.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugin)]
struct PluginJson {
    /// The id in its manifest.
    id: String,
    /// The version in its manifest.
    version: String,
    /// The owner in its manifest.
    owner: String,
    /// The event types it decides.
    on: Vec<String>,
    #[serde(flatten)]
    counts: Counts,
}

/// A page of plugins, by id.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginPage)]
pub struct PluginList {
    /// The plugins.
    data: Vec<PluginJson>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// The query of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only plugins whose ids sort after this one: `next` of the previous page.
    #[serde(default)]
    after: String,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// List the plugins of this host, with what each has used since the host started.
#[utoipa::path(get, path = "/v1/plugins", operation_id = "listPlugins", tag = "plugins", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of plugins", body = PluginList,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Admin,
    State(host): State<Host>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit: asked } = query(which)?;
    let limit = page_limit(asked)?;
    let in_force = host.setup.live().in_force();
    let after = plugins(&in_force).into_iter().filter(|plugin| plugin.id > after);
    let data: Vec<PluginJson> = after.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    let next = last_of_full(&data, limit).map(|plugin| plugin.id.clone());
    let cursor = next.clone();
    Ok(page(&uri, "after", cursor.as_deref(), PluginList { data, next }))
}

/// The plugins of the releases that decide, each id once: as it is in the active release, if that has it.
fn plugins(in_force: &InForce) -> Vec<PluginJson> {
    let mut plugins: BTreeMap<&String, PluginJson> = BTreeMap::new();
    for (id, plugin) in in_force.all().flat_map(|catalog| &catalog.plugins) {
        plugins.entry(id).or_insert_with(|| json(plugin)).counts.parked |= plugin.counts().parked;
    }
    plugins.into_values().collect()
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
