//! Every setting, once: flags and environment. Nothing else reads the environment.

mod duration;
mod risks;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    time::Duration,
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

/// Where the data is. Every command takes these, before or after its name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// PostgreSQL 15 or later, as postgresql://USER:PASSWORD@HOST/DATABASE [default: a private server in the data directory]
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Folder of the private PostgreSQL and of compiled plugins
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "HOOKSWITCH_DATA_DIR",
        default_value = ".hookswitch"
    )]
    pub data_dir: PathBuf,

    /// Maximum connections to PostgreSQL, per host (4 to 200)
    ///
    /// One more listens for other hosts. The heartbeat, incoming events and webhooks, HTTP requests, and routing and sending
    /// each have a share. Too many use up PostgreSQL's memory and its max_connections, which all hosts share; with too few,
    /// routing and sending wait for each other.
    #[arg(long, global = true, hide_short_help = true, value_name = "COUNT",
          env = "HOOKSWITCH_DATABASE_CONNECTIONS", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(4..=200))]
    pub database_connections: u16,

    /// Seconds to wait for the result of a statement (2 to 600)
    ///
    /// After that the statement fails and its connection is closed. If this is too high, a primary that vanishes silently
    /// stops this host for longer; if it is too low, statements fail on a slow disk that would have succeeded. Maintenance
    /// commands (`people forget`, `rules replay`) wait ten minutes.
    #[arg(long, global = true, hide_short_help = true, value_name = "SECONDS",
          env = "HOOKSWITCH_DATABASE_STATEMENT_SECONDS", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(2..=600))]
    pub database_statement_seconds: u16,

    /// Seconds that a transaction may be idle before PostgreSQL ends it (1 to 600)
    ///
    /// A host that freezes in a transaction holds a lock that other hosts wait for. If this is too high, they wait longer; if
    /// it is too low, a host that is short of CPU loses transactions and repeats them.
    #[arg(long, global = true, hide_short_help = true, value_name = "SECONDS",
          env = "HOOKSWITCH_DATABASE_IDLE_SECONDS", default_value_t = 5,
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

    /// The maximum number of connections.
    pub fn connections(&self) -> usize {
        self.database_connections.into()
    }

    /// How long to wait for PostgreSQL.
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

/// How long to wait for PostgreSQL.
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

/// Where rules and plugins are, and what plugins may do.
#[derive(Args, Clone, Debug)]
pub struct RulesConfig {
    /// Folder of routes, scripts, templates and cases
    #[arg(long, value_name = "FOLDER", env = "HOOKSWITCH_RULES", default_value = "rules")]
    pub rules: PathBuf,

    /// Folder of plugins; it does not have to exist
    #[arg(long, value_name = "FOLDER", env = "HOOKSWITCH_PLUGINS", default_value = "plugins")]
    pub plugins: PathBuf,

    /// Folder for compiled plugins; nobody else may write to it [default: plugins in the data directory]
    #[arg(long, value_name = "FOLDER", env = "HOOKSWITCH_PLUGIN_CACHE")]
    pub plugin_cache: Option<PathBuf>,

    /// Hosts with private addresses that plugins may reach if their manifests name them, for example stock.internal:8080
    /// (comma-separated)
    #[arg(long, env = "HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", value_delimiter = ',', value_name = "HOST:PORT",
          value_parser = host_and_port)]
    pub plugin_private_hosts: Vec<String>,

    /// What plugins may use of what their manifests ask for (comma-separated)
    ///
    /// PLUGIN=URL allows requests to a URL; PLUGIN:SECRET=URL allows requests that carry a secret there.
    #[arg(long, env = "HOOKSWITCH_PLUGIN_GRANTS", value_delimiter = ',', value_name = "GRANT")]
    pub plugin_grants: Vec<String>,
}

impl RulesConfig {
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

/// The WhatsApp Cloud API, checked.
#[derive(Clone, Debug)]
pub struct WhatsappConfig {
    /// The Cloud API's base URL, with its version and without a trailing slash.
    pub whatsapp_api_url: String,
    /// Meta's ids of the sending numbers.
    pub whatsapp_phone_number_id: Senders,
    /// Meta's id of the WhatsApp Business Account that holds the templates.
    pub whatsapp_business_account_id: Option<String>,
    /// The access token.
    pub whatsapp_access_token: Secret,
    /// The app secret, with which Meta signs webhooks.
    pub whatsapp_app_secret: Secret,
    /// The token that Meta sends to verify the webhook's URL.
    pub whatsapp_verify_token: Secret,
    /// The maximum number of messages per second, per number, across all hosts.
    pub whatsapp_messages_per_second: u32,
}

/// The WhatsApp Business Account, for what is managed there.
#[derive(Args, Clone, Debug)]
pub struct AccountConfig {
    /// Base URL of the Cloud API, with its version
    #[arg(
        long,
        value_name = "URL",
        env = "WHATSAPP_API_URL",
        default_value = "https://graph.facebook.com/v25.0"
    )]
    pub whatsapp_api_url: String,

    /// Meta's id of the WhatsApp Business Account (WhatsApp Manager, Account settings)
    #[arg(long, env = "WHATSAPP_BUSINESS_ACCOUNT_ID", value_name = "ID", value_parser = account_id)]
    pub whatsapp_business_account_id: String,

    /// Access token with the permission whatsapp_business_management
    #[arg(long, value_name = "TOKEN", env = "WHATSAPP_ACCESS_TOKEN", hide_env_values = true)]
    pub whatsapp_access_token: Secret,
}

fn account_id(id: &str) -> Result<String, String> {
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    is_id.then(|| id.to_owned()).ok_or_else(|| "must be digits only".to_owned())
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
    /// Address and port to listen on, for events and webhooks
    #[arg(long, value_name = "ADDRESS", env = "HOOKSWITCH_LISTEN", default_value = "127.0.0.1:8420")]
    listen: String,

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
    logs: LogConfig,
}

/// The settings of `serve`, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address and port to listen on.
    pub listen: SocketAddr,
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
        let listen = args.listen.parse::<SocketAddr>().unwrap_or_else(|_| {
            wrong.push(format!(
                "--listen (HOOKSWITCH_LISTEN): expected an address and a port, for example 127.0.0.1:8420, got {:?}",
                args.listen
            ));
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
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
        if !account.is_empty() && account_id(&account).is_err() {
            wrong.push(format!(
                "--whatsapp-business-account-id (WHATSAPP_BUSINESS_ACCOUNT_ID): expected Meta's id of the WhatsApp \
                 Business Account, digits only (WhatsApp Manager, Account settings), got {account:?}"
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
                wrong.push(format!("{flag} ({variable}): must contain only visible ASCII characters"));
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
        if !args.rules.rules.is_dir() {
            wrong.push(format!("--rules (HOOKSWITCH_RULES): no such folder: {}", args.rules.rules.display()));
        }
        if !wrong.is_empty() {
            return Err(ConfigErrors(wrong));
        }
        Ok(Config {
            listen,
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
            logs: args.logs,
        })
    }
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
