//! Connections to PostgreSQL: how long each step may take, and which of several servers is the right one.

use std::time::{Duration, Instant};

use deadpool_postgres::ClientWrapper;
use futures_util::{StreamExt, future::try_join, stream::FuturesUnordered};
use jiff::Timestamp;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_postgres::{
    Client, Config, Connection, SimpleQueryMessage, SimpleQueryRow, Socket,
    config::{Host, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{StoreError, clock::Clock};
use crate::metrics::DatabaseMetrics;

/// For one server of the list to accept a connection and log in, unless the URL has `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(5);
/// For one server of several to answer before the next is asked beside it.
const SILENCE: Duration = Duration::from_secs(1);
/// For sent bytes to be acknowledged, unless the URL has `tcp_user_timeout`. The kernel's own limit is about 15 minutes.
const TCP_USER: Duration = Duration::from_secs(10);
/// When an idle connection is probed first, how often then, and how many probes may be lost.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);
/// The default of tokio-postgres for the first probe: the URL does not say otherwise.
const UNSET_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// The server that a connection leads to, by the time at which its postmaster started, in seconds: a restart, a failover and
/// a restored backup all change it, and every role may ask.
pub type Incarnation = String;

/// What a connection tells PostgreSQL's planner, once. It keeps the plan of a statement until a table of it is vacuumed, and a
/// plan that was made while the tables were small reads all of them: as they grow by a million rows in a minute, each batch
/// of a few messages would read them all. Each statement has the indexes that it needs. To a plan that must read a small
/// table all the same it then gives a cost for which PostgreSQL would compile it, at the price of a second.
pub const PLANNER: &str = "SET enable_seqscan = off; SET jit = off";

/// Asks for it in the simple protocol: before it is known what a pooler does to prepared statements.
pub(super) const WHOSE: &str = "SELECT extract(epoch FROM pg_postmaster_start_time())::text, \
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Opens connections, and knows what is known of the server.
pub(super) struct Connector {
    /// One for each server of the URL, in its order.
    servers: Vec<Config>,
    pub(super) tls: MakeRustlsConnect,
    incarnation: watch::Sender<Option<Incarnation>>,
    pub(super) clock: Clock,
    /// Counts what is asked of the server.
    pub(super) metrics: DatabaseMetrics,
}

impl Connector {
    /// A connector with sensible limits wherever `config` has none.
    pub(super) fn new(mut config: Config) -> Result<Connector, StoreError> {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(TCP_USER);
        }
        if config.get_keepalives_idle() == UNSET_IDLE {
            config.keepalives_idle(KEEPALIVE.0);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(KEEPALIVE.1);
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(KEEPALIVE.2);
        }
        if config.get_application_name().is_none() {
            config.application_name("hookswitch");
        }
        let several = config.get_hosts().len().max(config.get_hostaddrs().len()) > 1;
        if several && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let servers = servers(&config);
        Ok(Connector {
            tls: tls(are_local(&servers))?,
            servers,
            incarnation: watch::Sender::new(None),
            clock: Clock::default(),
            metrics: DatabaseMetrics::default(),
        })
    }

    /// How long opening a connection takes at most.
    pub(super) fn patience(&self) -> Duration {
        self.servers.iter().map(limit).sum::<Duration>() + Duration::from_secs(1)
    }

    /// Whether a failure of the network can come between.
    pub(super) fn is_local(&self) -> bool {
        are_local(&self.servers)
    }

    /// Logs in at the first server that lets us, each within its own limit. One that says nothing, neither yes nor no,
    /// does not keep us from the next: that is tried beside it.
    pub(super) async fn open(
        &self,
    ) -> Result<(Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>), StoreError>
    {
        let mut last = StoreError::Unreachable("the URL has no host".to_owned());
        let mut servers = self.servers.iter();
        let mut logins = FuturesUnordered::new();
        loop {
            let next = servers.next();
            let is_last = next.is_none();
            logins.extend(next.map(|server| self.log_in(server)));
            tokio::select! {
                Some(answer) = logins.next() => match answer {
                    Ok(connected) => return Ok(connected),
                    Err(error) => last = error,
                },
                () = sleep(SILENCE), if !is_last => {}
                else => return Err(last),
            }
        }
    }

    async fn log_in(
        &self,
        server: &Config,
    ) -> Result<(Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>), StoreError>
    {
        let silence = |_| {
            StoreError::Unreachable(format!("no response to the login within {} s", limit(server).as_secs()))
        };
        Ok(timeout(limit(server), server.connect(self.tls.clone())).await.map_err(silence)??)
    }

    /// As [`Connector::open`], with a task that drives the connection, and looks at whose it is.
    pub(super) async fn client(&self) -> Result<ClientWrapper, StoreError> {
        let (client, connection) = self.open().await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL ended");
            }
        });
        let client = ClientWrapper::new(client, task);
        let asked = Instant::now();
        let (_, answer) = try_join(client.batch_execute(PLANNER), client.simple_query(WHOSE)).await?;
        if let Some(row) = answer.iter().find_map(row) {
            if let Some(time) = row.get(1).and_then(|time| time.parse().ok())
                && let Ok(time) = Timestamp::from_microsecond(time)
            {
                self.clock.read(time, asked.elapsed());
            }
            if let Some(incarnation) = row.get(0) {
                self.saw(incarnation.to_owned());
            }
        }
        Ok(client)
    }

    /// Takes note of which server answered.
    pub(super) fn saw(&self, incarnation: Incarnation) {
        self.incarnation.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&incarnation);
            *known = Some(incarnation);
            is_new
        });
    }

    /// Which server answered last; changes when another does.
    pub(super) fn incarnation(&self) -> watch::Receiver<Option<Incarnation>> {
        self.incarnation.subscribe()
    }
}

/// The first column of a row.
pub(super) fn first(message: &SimpleQueryMessage) -> Option<&str> {
    row(message).and_then(|row| row.get(0))
}

fn row(message: &SimpleQueryMessage) -> Option<&SimpleQueryRow> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

fn limit(server: &Config) -> Duration {
    server.get_connect_timeout().copied().unwrap_or(CONNECT)
}

/// The same settings for each host of the list alone.
fn servers(config: &Config) -> Vec<Config> {
    let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
    (0..hosts)
        .map(|i| {
            let mut one = Config::new();
            if let Some(user) = config.get_user() {
                one.user(user);
            }
            if let Some(password) = config.get_password() {
                one.password(password);
            }
            if let Some(dbname) = config.get_dbname() {
                one.dbname(dbname);
            }
            if let Some(options) = config.get_options() {
                one.options(options);
            }
            if let Some(name) = config.get_application_name() {
                one.application_name(name);
            }
            match config.get_hosts().get(i) {
                Some(Host::Tcp(host)) => one.host(host),
                Some(Host::Unix(path)) => one.host_path(path),
                None => &mut one,
            };
            if let Some(address) = config.get_hostaddrs().get(i) {
                one.hostaddr(*address);
            }
            if let Some(port) = config.get_ports().get(i).or_else(|| config.get_ports().first()) {
                one.port(*port);
            }
            if let Some(limit) = config.get_connect_timeout() {
                one.connect_timeout(*limit);
            }
            if let Some(limit) = config.get_tcp_user_timeout() {
                one.tcp_user_timeout(*limit);
            }
            if let Some(interval) = config.get_keepalives_interval() {
                one.keepalives_interval(interval);
            }
            if let Some(retries) = config.get_keepalives_retries() {
                one.keepalives_retries(retries);
            }
            one.keepalives(config.get_keepalives())
                .keepalives_idle(config.get_keepalives_idle())
                .ssl_mode(config.get_ssl_mode())
                .ssl_negotiation(config.get_ssl_negotiation())
                .target_session_attrs(config.get_target_session_attrs())
                .channel_binding(config.get_channel_binding())
                .load_balance_hosts(config.get_load_balance_hosts());
            one
        })
        .collect()
}

fn are_local(servers: &[Config]) -> bool {
    servers.iter().flat_map(Config::get_hosts).all(|host| matches!(host, Host::Unix(_)))
}

/// TLS by rustls with the system's roots; used where the connection string asks for it.
fn tls(are_local: bool) -> Result<MakeRustlsConnect, StoreError> {
    // Already installed is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // No TLS goes over sockets of this machine, and the roots take each command a while to read.
    let config = match are_local {
        true => rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
        false => rustls::ClientConfig::with_platform_verifier()
            .map_err(|error| StoreError::Unreachable(format!("cannot set up TLS: {error}")))?,
    };
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_server_of_a_url_has_limits_unless_the_url_says_otherwise() {
        let url = "postgresql://app:secret@one:6432,two:6433/db?connect_timeout=2&keepalives_idle=30";
        let connector = Connector::new(url.parse().unwrap()).unwrap();
        let [one, two] = connector.servers.as_slice() else { panic!("two servers") };
        assert_eq!(one.get_hosts(), [Host::Tcp("one".to_owned())]);
        assert_eq!((one.get_ports(), two.get_ports()), (&[6432][..], &[6433][..]));
        assert_eq!((two.get_user(), two.get_dbname()), (Some("app"), Some("db")));
        assert_eq!(two.get_connect_timeout(), Some(&Duration::from_secs(2)));
        assert_eq!(two.get_keepalives_idle(), Duration::from_secs(30));
        assert_eq!(two.get_tcp_user_timeout(), Some(&TCP_USER));
        assert_eq!(two.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(connector.patience(), Duration::from_secs(5));
    }
}
