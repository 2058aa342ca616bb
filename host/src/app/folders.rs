//! Where rules and plugins come from, and what plugins may do.

use std::sync::Arc;

use hookswitch_core::{
    catalog::Folders,
    decide::plugin::{Grants, Http, Sandbox},
};

use super::{AppError, Database};
use crate::{
    config::{self, DatabaseConfig, RulesConfig, SandboxConfig},
    outbound::Outbound,
    releases::Cache,
    store::Store,
};

/// The folders of authors, with a sandbox for their plugins. Without `network`, plugins' requests are refused.
///
/// # Errors
/// Where this machine cannot run plugins.
pub fn folders(config: &RulesConfig, database: &DatabaseConfig, network: bool) -> Result<Folders, AppError> {
    // Also where there is none: what is granted may be written wrongly.
    grants(&config.sandbox)?;
    // A host takes plugins that come later; a command has what there is.
    let sandbox = match network || config.plugins.is_dir() {
        true => Some(sandbox(&config.sandbox, database, network)?),
        false => None,
    };
    Ok(Folders { rules: config.rules.clone(), plugins: Some(config.plugins.clone()), sandbox })
}

/// The folders of a command: as [`folders`] or, where a host would follow the active release, those of that release.
///
/// # Errors
/// Where this machine cannot run plugins, or the release cannot be read.
pub async fn current_folders(config: &RulesConfig, database: &DatabaseConfig) -> Result<Folders, AppError> {
    if !config.follows() {
        return folders(config, database, false);
    }
    let opened = Database::open_as_is(database, &mut |_| {}).await?;
    let found = active_folders(config, database, &opened.store).await;
    opened.close().await;
    found
}

async fn active_folders(
    config: &RulesConfig,
    database: &DatabaseConfig,
    store: &Store,
) -> Result<Folders, AppError> {
    let Some(active) = store.last_active().await? else { return Err(AppError::NoRules) };
    let sandbox = sandbox(&config.sandbox, database, false)?;
    releases(database).folders(store, &active.release, Some(sandbox)).await.map_err(AppError::Release)
}

/// The folders of the release that decides for a share of the lanes, if one does.
///
/// # Errors
/// Where this machine cannot run plugins, or the release cannot be read.
pub async fn share_folders(
    config: &RulesConfig,
    database: &DatabaseConfig,
    store: &Store,
) -> Result<Option<Folders>, AppError> {
    let active = store.last_active().await?;
    let Some(share) = active.and_then(|active| active.share) else { return Ok(None) };
    let sandbox = sandbox(&config.sandbox, database, false)?;
    let folders = releases(database).folders(store, &share.release, Some(sandbox)).await;
    folders.map(Some).map_err(AppError::Release)
}

/// A sandbox for plugins. Without `network`, plugins' requests are refused.
///
/// # Errors
/// Where this machine cannot run plugins.
pub fn sandbox(
    config: &SandboxConfig,
    database: &DatabaseConfig,
    network: bool,
) -> Result<Sandbox, AppError> {
    let http = if network { Some(self::network(config)?) } else { None };
    Sandbox::new(Some(config.plugin_cache(database)), http, grants(config)?).map_err(AppError::Sandbox)
}

/// What sends the requests of plugins.
///
/// # Errors
/// Where TLS cannot be set up on this machine.
pub fn network(config: &SandboxConfig) -> Result<Arc<dyn Http>, AppError> {
    let (secrets, hosts) = (config::plugin_secrets(), config.plugin_private_hosts.clone());
    Ok(Outbound::new(secrets, hosts, grants(config)?).map_err(AppError::Sandbox)?)
}

/// The releases on this machine.
pub fn releases(database: &DatabaseConfig) -> Cache {
    Cache::new(database.data_dir.join("releases"))
}

/// What the operator grants to plugins.
///
/// # Errors
/// Where a grant is not written as one.
pub fn grants(config: &SandboxConfig) -> Result<Arc<Grants>, AppError> {
    let grants = Grants::parse(&config.plugin_grants);
    grants.map(Arc::new).map_err(|why| {
        AppError::Sandbox(format!("invalid --plugin-grants (HOOKSWITCH_PLUGIN_GRANTS): {why}"))
    })
}
