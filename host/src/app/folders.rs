//! Where rules and plugins come from, and what plugins may do.

use std::sync::Arc;

use hookswitch_core::{
    catalog::Folders,
    decide::plugin::{Grants, Http, Sandbox},
};

use super::AppError;
use crate::{
    config::{self, DatabaseConfig, RulesConfig},
    outbound::Outbound,
};

/// The folders of authors, with a sandbox for their plugins. Without `network`, plugins' requests are refused.
///
/// # Errors
/// Where this machine cannot run plugins.
pub fn folders(config: &RulesConfig, database: &DatabaseConfig, network: bool) -> Result<Folders, AppError> {
    let grants = grants(config)?;
    let http: Option<Arc<dyn Http>> = match network {
        true => {
            let secrets = config::plugin_secrets();
            let hosts = config.plugin_private_hosts.clone();
            Some(Outbound::new(secrets, hosts, grants.clone()).map_err(AppError::Sandbox)?)
        }
        false => None,
    };
    // A host takes plugins that come later; a command has what there is.
    let sandbox = match network || config.plugins.is_dir() {
        true => {
            let cache = Some(config.plugin_cache(database));
            Some(Sandbox::new(cache, http, grants).map_err(AppError::Sandbox)?)
        }
        false => None,
    };
    Ok(Folders { rules: config.rules.clone(), plugins: Some(config.plugins.clone()), sandbox })
}

/// What the operator grants to plugins.
///
/// # Errors
/// Where a grant is not written as one.
pub fn grants(config: &RulesConfig) -> Result<Arc<Grants>, AppError> {
    let grants = Grants::parse(&config.plugin_grants);
    grants.map(Arc::new).map_err(|why| {
        AppError::Sandbox(format!("invalid --plugin-grants (HOOKSWITCH_PLUGIN_GRANTS): {why}"))
    })
}
