//! Every setting, once: flags and environment. Nothing else reads the environment.

use std::{fmt, net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

/// A secret: never printed, whatever prints the settings.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Secret(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Secret(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Where the data is.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// PostgreSQL 15 or later; without it Hookswitch runs a private one in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Where the private PostgreSQL lives.
    #[arg(long, env = "HOOKSWITCH_DATA_DIR", default_value = ".hookswitch")]
    pub data_dir: PathBuf,
}

/// Where the rules are.
#[derive(Args, Clone, Debug)]
pub struct RulesConfig {
    /// The folder of routes, scripts, templates and cases.
    #[arg(long, env = "HOOKSWITCH_RULES", default_value = "rules")]
    pub rules: PathBuf,
}

/// The WhatsApp Cloud API.
#[derive(Args, Clone, Debug)]
pub struct WhatsappConfig {
    /// The Cloud API's address, with its version.
    #[arg(long, env = "WHATSAPP_API_URL", default_value = "https://graph.facebook.com/v25.0")]
    pub whatsapp_api_url: String,

    /// The sending number, by Meta's id.
    #[arg(long, env = "WHATSAPP_PHONE_NUMBER_ID")]
    pub whatsapp_phone_number_id: String,

    /// The access token.
    #[arg(long, env = "WHATSAPP_ACCESS_TOKEN", hide_env_values = true)]
    pub whatsapp_access_token: Secret,

    /// The app's secret, with which Meta signs webhooks.
    #[arg(long, env = "WHATSAPP_APP_SECRET", hide_env_values = true)]
    pub whatsapp_app_secret: Secret,

    /// The token that Meta shows when it verifies the webhook's address.
    #[arg(long, env = "WHATSAPP_VERIFY_TOKEN", hide_env_values = true)]
    pub whatsapp_verify_token: Secret,

    /// Messages per second that the number may send; Meta's default is 80, its upgrade 1,000.
    #[arg(long, env = "WHATSAPP_MESSAGES_PER_SECOND", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub whatsapp_messages_per_second: u32,
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// What to log, such as `info` or `hookswitch=debug,warn`.
    #[arg(long, env = "HOOKSWITCH_LOG", default_value = "info")]
    pub log: String,

    /// How to write it.
    #[arg(long, env = "HOOKSWITCH_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// All that `serve` needs.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where to listen for events and webhooks.
    #[arg(long, env = "HOOKSWITCH_LISTEN", default_value = "127.0.0.1:8420")]
    pub listen: SocketAddr,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub database: DatabaseConfig,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub rules: RulesConfig,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub whatsapp: WhatsappConfig,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub logs: LogConfig,
}
