//! Where rules and plugins are, and what plugins may use.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{DatabaseConfig, Secret};

/// The folder of rules unless another one is named.
const RULES: &str = "rules";

/// Where rules and plugins are, and what plugins may do.
#[derive(Args, Clone, Debug)]
pub struct RulesConfig {
    /// Folder of routes, scripts, templates and cases
    ///
    /// If no folder is named and there is no folder `rules`, hosts follow the active release in the database (hookswitch
    /// release); check, send, templates, groups and rules replay use that release, too.
    #[arg(long, value_name = "FOLDER", env = "HOOKSWITCH_RULES", default_value = RULES)]
    pub rules: PathBuf,

    /// Folder of plugins; only the default one may be missing
    #[arg(long, value_name = "FOLDER", env = "HOOKSWITCH_PLUGINS", default_value = "plugins")]
    pub plugins: PathBuf,

    /// What plugins may do.
    #[command(flatten)]
    pub sandbox: SandboxConfig,
}

/// What plugins may do, and where they are compiled.
#[derive(Args, Clone, Debug, Default)]
pub struct SandboxConfig {
    /// Folder for compiled plugins; nobody else may write to it [default: plugins in the data directory]
    #[arg(long, hide_short_help = true, value_name = "FOLDER", env = "HOOKSWITCH_PLUGIN_CACHE")]
    pub plugin_cache: Option<PathBuf>,

    /// Hosts with private addresses that plugins may reach if their manifests name them, for example stock.internal:8080
    /// (comma-separated)
    #[arg(long, hide_short_help = true, env = "HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", value_delimiter = ',', value_name = "HOST:PORT",
          value_parser = host_and_port)]
    pub plugin_private_hosts: Vec<String>,

    /// What plugins may use of what their manifests ask for (comma-separated)
    ///
    /// PLUGIN=URL allows requests to a URL; PLUGIN:SECRET=URL allows requests that carry a secret there.
    #[arg(
        long,
        hide_short_help = true,
        env = "HOOKSWITCH_PLUGIN_GRANTS",
        value_delimiter = ',',
        value_name = "GRANT"
    )]
    pub plugin_grants: Vec<String>,
}

impl RulesConfig {
    /// Whether a host follows the active release: no folder is named, and there is no folder `rules` either.
    pub fn follows(&self) -> bool {
        self.rules == Path::new(RULES) && !self.rules.exists()
    }
}

impl SandboxConfig {
    /// The folder for compiled plugins: the one that is named, or `plugins` in the data directory.
    pub fn plugin_cache(&self, database: &DatabaseConfig) -> PathBuf {
        self.plugin_cache.clone().unwrap_or_else(|| database.data_dir.join("plugins"))
    }
}

/// A host with its port; an empty text, as an environment file may set it, names none.
fn host_and_port(text: &str) -> Result<String, String> {
    let is_one = |(host, port): (&str, &str)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if text.is_empty() || text.rsplit_once(':').is_some_and(is_one) {
        return Ok(text.to_owned());
    }
    Err("expected HOST:PORT, for example stock.internal:8080".to_owned())
}

/// The secrets that plugins may use in their requests: HOOKSWITCH_SECRET_NAME holds the secret NAME.
pub fn plugin_secrets() -> BTreeMap<String, Secret> {
    std::env::vars_os().filter_map(|(name, value)| plugin_secret(&name, value)).collect()
}

/// The secret in an environment variable, if it is one. A name or value that is not Unicode is none.
fn plugin_secret(name: &OsStr, value: OsString) -> Option<(String, Secret)> {
    let name = name.to_str()?.strip_prefix("HOOKSWITCH_SECRET_")?;
    Some((name.to_owned(), Secret::from(value.into_string().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::{host_and_port, plugin_secret};

    #[test]
    fn an_environment_that_is_not_unicode_is_no_trouble() {
        let bytes = OsStr::from_bytes(b"\xff");
        assert!(plugin_secret(bytes, "x".into()).is_none());
        assert!(plugin_secret(OsStr::new("HOOKSWITCH_SECRET_CRM"), bytes.into()).is_none());
        let secret = plugin_secret(OsStr::new("HOOKSWITCH_SECRET_CRM"), "s3cret".into());
        assert!(secret.is_some_and(|(name, secret)| name == "CRM" && secret.expose() == "s3cret"));
    }

    #[test]
    fn private_hosts_have_a_port() {
        for good in ["", "stock.internal:8080", "10.0.0.1:80", "[::1]:80"] {
            assert!(host_and_port(good).is_ok(), "{good}");
        }
        for wrong in ["stock.internal", "stock.internal:", ":80", "http://stock:80", "a:0", "a:70000"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
