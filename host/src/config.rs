//! Every setting, once: flags and environment. Nothing else reads the environment.

mod risks;

use std::{
    collections::BTreeMap, ffi::OsStr, fmt, net::SocketAddr, path::PathBuf, process::Command, time::Duration,
};

use clap::{Args, ValueEnum};
use hookswitch_core::domain::Senders;
use jiff::SignedDuration;

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

    /// Connections to PostgreSQL, at most (4–200, default 16), beside one that listens for other hosts.
    ///
    /// The heartbeat, what comes in, what is asked over HTTP, and routing and sending each have some of them. Too many take
    /// memory of PostgreSQL and may reach its max_connections, as all hosts count together; too few make routing and
    /// sending wait for each other.
    #[arg(long, env = "HOOKSWITCH_DATABASE_CONNECTIONS", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(4..=200))]
    pub database_connections: u16,

    /// Seconds to wait for the answer to a statement (2–600, default 8).
    ///
    /// A statement without an answer fails, and its connection is closed. Too high, and a primary that vanished without a
    /// word stops this host for longer; too low, and a slow disk makes statements fail that would have succeeded.
    /// Maintenance (`forget`, `rules replay`) has ten minutes.
    #[arg(long, env = "HOOKSWITCH_DATABASE_STATEMENT_SECONDS", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(2..=600))]
    pub database_statement_seconds: u16,

    /// Seconds for which a transaction may do nothing before PostgreSQL ends it (1–600, default 5).
    ///
    /// A host that freezes in a transaction holds a log's lock, and the others wait for it. Too high, and they wait longer;
    /// too low, and a host that is short of CPU loses transactions that it repeats.
    #[arg(long, env = "HOOKSWITCH_DATABASE_IDLE_SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=600))]
    pub database_idle_seconds: u16,
}

impl DatabaseConfig {
    /// A database by its URL, or else a private one in `data_dir`, with the default limits. The environment is not
    /// read.
    pub fn only(database_url: Option<Secret>, data_dir: PathBuf) -> DatabaseConfig {
        DatabaseConfig {
            database_url,
            data_dir,
            database_connections: 16,
            database_statement_seconds: 8,
            database_idle_seconds: 5,
        }
    }

    /// Connections, at most.
    pub fn connections(&self) -> usize {
        self.database_connections.into()
    }

    /// How long PostgreSQL may take.
    pub fn limits(&self) -> Limits {
        let statement = Duration::from_secs(self.database_statement_seconds.into());
        Limits {
            statement,
            // Sooner than the statement, so that PostgreSQL says what it waited for.
            lock: statement.mul_f64(0.8),
            idle: Duration::from_secs(self.database_idle_seconds.into()),
        }
    }
}

/// How long PostgreSQL may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For one statement.
    pub statement: Duration,
    /// For one lock, within a transaction.
    pub lock: Duration,
    /// Between two statements of a transaction.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let statement = Duration::from_secs(8);
        Limits { statement, lock: statement.mul_f64(0.8), idle: Duration::from_secs(5) }
    }
}

/// Where the rules are.
#[derive(Args, Clone, Debug)]
pub struct RulesConfig {
    /// The folder of routes, scripts, templates and cases.
    #[arg(long, env = "HOOKSWITCH_RULES", default_value = "rules")]
    pub rules: PathBuf,

    /// The folder of plugins; it need not exist.
    #[arg(long, env = "HOOKSWITCH_PLUGINS", default_value = "plugins")]
    pub plugins: PathBuf,

    /// Where compiled plugins are kept; nobody else may write there.
    #[arg(long, env = "HOOKSWITCH_PLUGIN_CACHE", default_value = ".hookswitch/plugins")]
    pub plugin_cache: PathBuf,

    /// Hosts with private addresses that plugins may reach where their manifests name them, such as stock.internal:8080;
    /// give several with commas.
    #[arg(long, env = "HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", value_delimiter = ',', value_name = "HOST:PORT")]
    pub plugin_private_hosts: Vec<String>,

    /// What plugins may use of what their manifests ask for: PLUGIN=ADDRESS for requests to an address, PLUGIN:SECRET=ADDRESS for
    /// requests that carry a secret there; give several with commas.
    #[arg(long, env = "HOOKSWITCH_PLUGIN_GRANTS", value_delimiter = ',', value_name = "GRANT")]
    pub plugin_grants: Vec<String>,
}

/// The secrets that plugins may have in their requests: HOOKSWITCH_SECRET_NAME for the secret NAME.
pub fn plugin_secrets() -> BTreeMap<String, Secret> {
    std::env::vars()
        .filter_map(|(name, value)| {
            Some((name.strip_prefix("HOOKSWITCH_SECRET_")?.to_owned(), Secret::from(value)))
        })
        .collect()
}

/// A command that gets the environment without this program's settings, its secrets among them: for what somebody
/// else wrote, and for what must not work on real data.
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

/// The WhatsApp Cloud API, checked.
#[derive(Clone, Debug)]
pub struct WhatsappConfig {
    /// The Cloud API's address, with its version and without a slash at the end.
    pub whatsapp_api_url: String,
    /// The sending numbers, by Meta's ids.
    pub whatsapp_phone_number_id: Senders,
    /// The WhatsApp Business Account that holds the templates, by Meta's id.
    pub whatsapp_business_account_id: Option<String>,
    /// The access token.
    pub whatsapp_access_token: Secret,
    /// The app's secret, with which Meta signs webhooks.
    pub whatsapp_app_secret: Secret,
    /// The token that Meta shows when it verifies the webhook's address.
    pub whatsapp_verify_token: Secret,
    /// Messages per second that the number may send.
    pub whatsapp_messages_per_second: u32,
}

/// The WhatsApp Business Account, for what is managed there.
#[derive(Args, Clone, Debug)]
pub struct AccountConfig {
    /// The Cloud API's address, with its version.
    #[arg(long, env = "WHATSAPP_API_URL", default_value = "https://graph.facebook.com/v25.0")]
    pub whatsapp_api_url: String,

    /// The WhatsApp Business Account, by Meta's id (WhatsApp Manager, Account settings).
    #[arg(long, env = "WHATSAPP_BUSINESS_ACCOUNT_ID", value_name = "ID", value_parser = account_id)]
    pub whatsapp_business_account_id: String,

    /// The access token, with the permission whatsapp_business_management.
    #[arg(long, env = "WHATSAPP_ACCESS_TOKEN", hide_env_values = true)]
    pub whatsapp_access_token: Secret,
}

fn account_id(id: &str) -> Result<String, String> {
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    is_id.then(|| id.to_owned()).ok_or_else(|| "expected digits".to_owned())
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

/// All that `serve` needs, as given. Texts, so that everything wrong is told at once.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where to listen for events and webhooks.
    #[arg(long, env = "HOOKSWITCH_LISTEN", default_value = "127.0.0.1:8420")]
    listen: String,

    #[command(flatten)]
    database: DatabaseConfig,

    #[command(flatten)]
    rules: RulesConfig,

    /// The Cloud API's address, with its version.
    #[arg(long, env = "WHATSAPP_API_URL", default_value = "https://graph.facebook.com/v25.0")]
    whatsapp_api_url: String,

    /// The sending number, by Meta's id (digits, not the number itself); others after it, each with the name by
    /// which rules know it, such as 106540352242922,sales=106540352242923.
    #[arg(long, env = "WHATSAPP_PHONE_NUMBER_ID", default_value = "", hide_default_value = true)]
    whatsapp_phone_number_id: String,

    /// The WhatsApp Business Account that holds the templates, by Meta's id; without it, each template is taken to
    /// be approved under the name in its file.
    #[arg(
        long,
        env = "WHATSAPP_BUSINESS_ACCOUNT_ID",
        value_name = "ID",
        default_value = "",
        hide_default_value = true
    )]
    whatsapp_business_account_id: String,

    /// The access token.
    #[arg(
        long,
        env = "WHATSAPP_ACCESS_TOKEN",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    whatsapp_access_token: Secret,

    /// The app's secret, with which Meta signs webhooks.
    #[arg(
        long,
        env = "WHATSAPP_APP_SECRET",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    whatsapp_app_secret: Secret,

    /// The token that Meta shows when it verifies the webhook's address: any text of your own.
    #[arg(
        long,
        env = "WHATSAPP_VERIFY_TOKEN",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    whatsapp_verify_token: Secret,

    /// Messages per second that the number may send; Meta's default is 80, its upgrade 1,000.
    #[arg(long, env = "WHATSAPP_MESSAGES_PER_SECOND", default_value = "80")]
    whatsapp_messages_per_second: String,

    /// Seconds for which a send without an answer waits for a webhook before it is sent again.
    #[arg(long, env = "HOOKSWITCH_UNKNOWN_SECONDS", default_value = "60")]
    unknown_seconds: String,

    /// Days for which events are kept, with all that came of them; 0 keeps all for ever.
    #[arg(long, env = "HOOKSWITCH_KEEP_DAYS", default_value = "90")]
    keep_days: String,

    #[command(flatten)]
    logs: LogConfig,
}

/// All that `serve` needs, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen for events and webhooks.
    pub listen: SocketAddr,
    /// Where the data is.
    pub database: DatabaseConfig,
    /// Where the rules are.
    pub rules: RulesConfig,
    /// The Cloud API.
    pub whatsapp: WhatsappConfig,
    /// How long a send without an answer waits for a webhook before it is sent again.
    pub unknown_for: SignedDuration,
    /// How long events are kept, with all that came of them; `None` is for ever.
    pub keep: Option<SignedDuration>,
    /// What is logged.
    pub logs: LogConfig,
}

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("start with these settings:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
pub struct ConfigErrors(pub Vec<String>);

impl ServeArgs {
    /// Where the data is.
    pub fn database(&self) -> &DatabaseConfig {
        &self.database
    }

    /// Where the rules are.
    pub fn rules(&self) -> &RulesConfig {
        &self.rules
    }
}

impl TryFrom<ServeArgs> for Config {
    type Error = ConfigErrors;

    fn try_from(args: ServeArgs) -> Result<Config, ConfigErrors> {
        let mut wrong = Vec::new();
        let listen = args.listen.parse::<SocketAddr>().unwrap_or_else(|_| {
            wrong.push(format!(
                "--listen (HOOKSWITCH_LISTEN): expected an address and a port such as 127.0.0.1:8420, got {:?}",
                args.listen
            ));
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
        let url = args.whatsapp_api_url.trim_end_matches('/').to_owned();
        if !reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            wrong.push(format!(
                "--whatsapp-api-url (WHATSAPP_API_URL): expected an address such as \
                 https://graph.facebook.com/v25.0, got {url:?}"
            ));
        }
        let senders = Senders::parse(&args.whatsapp_phone_number_id).unwrap_or_else(|error| {
            wrong.push(format!("--whatsapp-phone-number-id (WHATSAPP_PHONE_NUMBER_ID): {error}"));
            Senders::default()
        });
        let account = args.whatsapp_business_account_id;
        if !account.is_empty() && account_id(&account).is_err() {
            wrong.push(format!(
                "--whatsapp-business-account-id (WHATSAPP_BUSINESS_ACCOUNT_ID): expected the digits of Meta's id \
                 of the WhatsApp Business Account (WhatsApp Manager, Account settings), got {account:?}"
            ));
        }
        for (secret, flag, variable) in [
            (&args.whatsapp_access_token, "--whatsapp-access-token", "WHATSAPP_ACCESS_TOKEN"),
            (&args.whatsapp_app_secret, "--whatsapp-app-secret", "WHATSAPP_APP_SECRET"),
            (&args.whatsapp_verify_token, "--whatsapp-verify-token", "WHATSAPP_VERIFY_TOKEN"),
        ] {
            if secret.expose().trim().is_empty() {
                wrong.push(format!("{flag} ({variable}): missing"));
            } else if secret.expose().chars().any(|c| c.is_control() || !c.is_ascii()) {
                wrong.push(format!("{flag} ({variable}): holds a character that no token has"));
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
        let unknown = args.unknown_seconds.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
        if unknown.is_none() {
            wrong.push(format!(
                "--unknown-seconds (HOOKSWITCH_UNKNOWN_SECONDS): expected a whole number from 1 to 86400, got {:?}",
                args.unknown_seconds
            ));
        }
        let keep = args.keep_days.parse().ok().filter(|days| (0..=36_500).contains(days));
        if keep.is_none() {
            wrong.push(format!(
                "--keep-days (HOOKSWITCH_KEEP_DAYS): expected a whole number from 0 to 36500, got {:?}",
                args.keep_days
            ));
        }
        if let Some(url) = &args.database.database_url
            && let Err(error) = url.expose().parse::<tokio_postgres::Config>()
        {
            wrong.push(format!(
                "--database-url (DATABASE_URL): expected postgresql://USER:PASSWORD@HOST/DATABASE: {error}"
            ));
        }
        if !args.rules.rules.is_dir() {
            wrong.push(format!(
                "--rules (HOOKSWITCH_RULES): there is no folder {}; name the one with your rules",
                args.rules.rules.display()
            ));
        }
        if !wrong.is_empty() {
            return Err(ConfigErrors(wrong));
        }
        Ok(Config {
            listen,
            database: args.database,
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
            unknown_for: SignedDuration::from_secs(unknown.unwrap_or(60)),
            keep: keep.filter(|days| *days > 0).map(|days: i64| SignedDuration::from_hours(24 * days)),
            logs: args.logs,
        })
    }
}
