//! Every setting, once: flags and environment. Nothing else reads the environment.

mod database;
mod duration;
mod listen;
mod risks;
mod rules;
mod secret;
mod traces;
mod whatsapp;

use std::{ffi::OsStr, net::SocketAddr, process::Command};

use clap::{Args, ValueEnum};
use hookswitch_core::domain::Senders;
use jiff::SignedDuration;

pub use self::{
    database::{DatabaseConfig, Limits},
    listen::{AdminArgs, AdminConfig, ListenConfig},
    rules::{RulesConfig, SandboxConfig, plugin_secrets},
    secret::Secret,
    traces::{TracesArgs, TracesConfig},
    whatsapp::{AccountConfig, CloudConfig, WhatsappConfig},
};

/// A command for a program of somebody else, or for one that must not work on real data: it gets the environment
/// without this program's settings and secrets.
pub fn stranger(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HOOKSWITCH_") || text.starts_with("WHATSAPP_") || text == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// Whether the environment sets this variable.
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What is logged.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// What to log, for example info or hookswitch=debug,warn
    #[arg(long, value_name = "FILTER", env = "HOOKSWITCH_LOG", default_value = "info")]
    pub log: String,

    /// Format of log lines
    #[arg(long, value_name = "FORMAT", env = "HOOKSWITCH_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// The settings of `serve` as given: texts, so that everything that is wrong is reported at once.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    #[command(flatten)]
    listen: ListenConfig,

    #[command(flatten)]
    admin: AdminArgs,

    #[command(flatten)]
    rules: RulesConfig,

    /// Base URL of the Cloud API, with its version
    #[arg(
        long,
        value_name = "URL",
        env = "WHATSAPP_API_URL",
        default_value = "https://graph.facebook.com/v25.0"
    )]
    whatsapp_api_url: String,

    /// Meta's id of the sending number (not the number itself); further ones with the names that rules use
    ///
    /// For example 106540352242922,sales=106540352242923.
    #[arg(
        long,
        value_name = "ID",
        env = "WHATSAPP_PHONE_NUMBER_ID",
        default_value = "",
        hide_default_value = true
    )]
    whatsapp_phone_number_id: String,

    /// Meta's id of the WhatsApp Business Account that holds the templates
    ///
    /// Without it, each template is assumed to be approved under the name in its file.
    #[arg(
        long,
        env = "WHATSAPP_BUSINESS_ACCOUNT_ID",
        value_name = "ID",
        default_value = "",
        hide_default_value = true
    )]
    whatsapp_business_account_id: String,

    /// Access token of the Cloud API
    #[arg(
        long,
        value_name = "TOKEN",
        env = "WHATSAPP_ACCESS_TOKEN",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    whatsapp_access_token: Secret,

    /// App secret, with which Meta signs webhooks
    #[arg(
        long,
        value_name = "SECRET",
        env = "WHATSAPP_APP_SECRET",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    whatsapp_app_secret: Secret,

    /// Token that Meta sends to verify the webhook's URL: any text of your own
    #[arg(
        long,
        value_name = "TOKEN",
        env = "WHATSAPP_VERIFY_TOKEN",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    whatsapp_verify_token: Secret,

    /// Maximum messages per second, per number, across all hosts (Meta's default is 80, its upgrade 1000)
    #[arg(long, value_name = "RATE", env = "WHATSAPP_MESSAGES_PER_SECOND", default_value = "80")]
    whatsapp_messages_per_second: String,

    /// How long to wait for a delivery webhook after a send got no response; then the template's on_unknown applies
    #[arg(long, value_name = "DURATION", env = "HOOKSWITCH_UNKNOWN_AFTER", default_value = "60s")]
    unknown_after: String,

    /// How long events and their notifications are kept, for example 90d; forever, or 0, keeps all
    #[arg(long, value_name = "DURATION", env = "HOOKSWITCH_KEEP", default_value = "90d")]
    keep: String,

    #[command(flatten)]
    traces: TracesArgs,

    #[command(flatten)]
    logs: LogConfig,
}

/// The settings of `serve`, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address and port to listen on.
    pub listen: SocketAddr,
    /// The listener for operators.
    pub admin: AdminConfig,
    /// Where the data is.
    pub database: DatabaseConfig,
    /// Where rules and plugins are.
    pub rules: RulesConfig,
    /// The Cloud API.
    pub whatsapp: WhatsappConfig,
    /// How long to wait for a delivery webhook after a send got no response; then the template's `on_unknown` applies.
    pub unknown_for: SignedDuration,
    /// How long events and their notifications are kept; `None` is forever.
    pub keep: Option<SignedDuration>,
    /// Where traces go; `None` if they go nowhere.
    pub traces: Option<TracesConfig>,
    /// What is logged.
    pub logs: LogConfig,
}

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("invalid settings:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
pub struct ConfigErrors(pub Vec<String>);

impl ServeArgs {
    /// Where rules and plugins are.
    pub fn rules(&self) -> &RulesConfig {
        &self.rules
    }
}

impl Config {
    /// The settings, checked.
    ///
    /// # Errors
    /// With everything that is wrong with them.
    pub fn new(args: ServeArgs, database: DatabaseConfig) -> Result<Config, ConfigErrors> {
        let mut wrong = Vec::new();
        let listen = args.listen.address().unwrap_or_else(|why| {
            wrong.push(why);
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
        let admin = args.admin.checked(&mut wrong);
        let url = args.whatsapp_api_url.trim_end_matches('/').to_owned();
        if !reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            wrong.push(format!(
                "--whatsapp-api-url (WHATSAPP_API_URL): expected a URL, for example \
                 https://graph.facebook.com/v25.0, got {url:?}"
            ));
        }
        let senders = Senders::parse(&args.whatsapp_phone_number_id).unwrap_or_else(|error| {
            wrong.push(format!("--whatsapp-phone-number-id (WHATSAPP_PHONE_NUMBER_ID): {error}"));
            Senders::default()
        });
        let account = args.whatsapp_business_account_id;
        if !account.is_empty() && whatsapp::account_id(&account).is_err() {
            wrong.push(format!(
                "--whatsapp-business-account-id (WHATSAPP_BUSINESS_ACCOUNT_ID): expected Meta's id of the WhatsApp \
                 Business Account, digits only (WhatsApp Manager, Account settings), got {account:?}"
            ));
        }
        let on_this_machine = risks::names_this_machine(&url);
        for (secret, flag, variable) in [
            (&args.whatsapp_access_token, "--whatsapp-access-token", "WHATSAPP_ACCESS_TOKEN"),
            (&args.whatsapp_app_secret, "--whatsapp-app-secret", "WHATSAPP_APP_SECRET"),
            (&args.whatsapp_verify_token, "--whatsapp-verify-token", "WHATSAPP_VERIFY_TOKEN"),
        ] {
            if secret.expose().trim().is_empty() {
                wrong.push(format!("{flag} ({variable}): missing"));
            } else if secret.expose().chars().any(|c| c.is_control() || !c.is_ascii()) {
                wrong.push(format!("{flag} ({variable}): must contain only visible ASCII characters"));
            } else if secret.is_public() && !on_this_machine {
                wrong.push(format!(
                    "{flag} ({variable}): must not be the simulator's default, which is public, unless \
                     --whatsapp-api-url (WHATSAPP_API_URL) names this machine"
                ));
            }
        }
        let rate =
            args.whatsapp_messages_per_second.parse().ok().filter(|rate| (1..=1_000_000).contains(rate));
        if rate.is_none() {
            wrong.push(format!(
                "--whatsapp-messages-per-second (WHATSAPP_MESSAGES_PER_SECOND): expected a whole number from 1 \
                 to 1000000, got {:?}",
                args.whatsapp_messages_per_second
            ));
        }
        let unknown_for = duration::unknown_after(&args.unknown_after).unwrap_or_else(|why| {
            wrong.push(format!("--unknown-after (HOOKSWITCH_UNKNOWN_AFTER): {why}"));
            SignedDuration::ZERO
        });
        let keep = duration::keep(&args.keep).unwrap_or_else(|why| {
            wrong.push(format!("--keep (HOOKSWITCH_KEEP): {why}"));
            None
        });
        if let Some(url) = &database.database_url
            && let Err(error) = url.expose().parse::<tokio_postgres::Config>()
        {
            wrong.push(format!(
                "--database-url (DATABASE_URL): expected postgresql://USER:PASSWORD@HOST/DATABASE: {error}"
            ));
        }
        if !args.rules.rules.is_dir() && !args.rules.follows() {
            wrong.push(format!("--rules (HOOKSWITCH_RULES): no such folder: {}", args.rules.rules.display()));
        }
        let traces = args.traces.checked(&mut wrong);
        if !wrong.is_empty() {
            return Err(ConfigErrors(wrong));
        }
        Ok(Config {
            listen,
            admin,
            database,
            rules: args.rules,
            whatsapp: WhatsappConfig {
                whatsapp_api_url: url,
                whatsapp_phone_number_id: senders,
                whatsapp_business_account_id: (!account.is_empty()).then_some(account),
                whatsapp_access_token: args.whatsapp_access_token,
                whatsapp_app_secret: args.whatsapp_app_secret,
                whatsapp_verify_token: args.whatsapp_verify_token,
                whatsapp_messages_per_second: rate.unwrap_or(80),
            },
            unknown_for,
            keep,
            traces,
            logs: args.logs,
        })
    }
}
