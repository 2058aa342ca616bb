//! One private cluster for the whole binary; a fresh database for each test.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use hookswitch::postgres::{Search, Server, start_with};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls, Row, config::Host, types::ToSql};

use super::program;

/// Where the wheel goes if this machine has no PostgreSQL: kept from run to run.
pub fn wheel_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pgbin")
}

/// A running cluster in a temporary folder. It ends, and its folder goes, with the last test that holds it.
pub struct Cluster {
    server: Server,
    dir: TempDir,
    /// Set once there is a database with the tables, of which others are copies.
    template: OnceCell<()>,
}

const TEMPLATE: &str = "with_tables";

/// Settings of the cluster that all tests share: each of their hosts has many connections; what is on it need not outlive the
/// machine, and is gone before it would be vacuumed.
const SHARED_BY_MANY: [&str; 4] =
    ["max_connections = 1000", "fsync = off", "full_page_writes = off", "autovacuum_naptime = '1h'"];

impl Cluster {
    /// The cluster that all tests share; started by the first that asks.
    pub fn shared() -> Arc<Cluster> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster =
            Cluster::start_with(Search { wheel_dir: Some(wheel_dir()), ..Search::here() }, &SHARED_BY_MANY);
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    fn start() -> Arc<Cluster> {
        Cluster::start_with(Search { wheel_dir: Some(wheel_dir()), ..Search::here() }, &[])
    }

    fn start_with(search: Search, settings: &'static [&'static str]) -> Arc<Cluster> {
        // In a thread of its own: it blocks, which the runtime of an asynchronous test does not allow.
        let cluster = std::thread::spawn(move || {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let mut server = start_with(dir.path(), &search, &mut |_| {}).unwrap();
            if !settings.is_empty() {
                drop(server);
                fs::write(dir.path().join("postgres/postgresql.auto.conf"), settings.join("\n")).unwrap();
                server = start_with(dir.path(), &search, &mut |_| {}).unwrap();
            }
            Arc::new(Cluster { server, dir, template: OnceCell::new() })
        });
        cluster.join().unwrap()
    }

    /// Makes the template.
    async fn prepare(&self) {
        let postgres = connect(self, "postgres").await;
        postgres.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.unwrap();
        let output = program(&["migrate"]).env("DATABASE_URL", self.server.url(TEMPLATE)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A database that nobody else uses.
pub struct Database {
    name: String,
    cluster: Arc<Cluster>,
    client: Client,
}

impl Database {
    /// With the tables.
    pub async fn create() -> Database {
        let cluster = Cluster::shared();
        cluster.template.get_or_init(|| cluster.prepare()).await;
        Database::on(cluster, TEMPLATE).await
    }

    /// Without tables.
    pub async fn empty() -> Database {
        Database::on(Cluster::shared(), "template1").await
    }

    /// On a cluster that no other test uses.
    pub async fn on_its_own() -> Database {
        Database::on(Cluster::start(), "template1").await
    }

    /// On a cluster that no other test uses, with the server in this folder.
    pub async fn on_its_own_with(bin: &Path) -> Database {
        let search = Search { folders: vec![bin.to_owned()], ..Search::default() };
        Database::on(Cluster::start_with(search, &[]), "template1").await
    }

    async fn on(cluster: Arc<Cluster>, template: &str) -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("it_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let postgres = connect(&cluster, "postgres").await;
        postgres.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        let client = connect(&cluster, &name).await;
        Database { name, cluster, client }
    }

    /// `kill -9` of the server; who keeps the cluster starts it again.
    pub fn kill_server(&self) {
        let pid = Pid::from_raw(self.cluster.server.pid().cast_signed());
        // Where it has just been killed there is nothing left to do.
        let _ = kill(pid, Signal::SIGKILL);
    }

    /// Where the server keeps its files: the cluster in `postgres`.
    pub fn folder(&self) -> &Path {
        self.cluster.dir.path()
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's process.
    pub fn server_pid(&self) -> u32 {
        self.cluster.server.pid()
    }

    /// The socket that the server listens on.
    pub fn socket(&self) -> PathBuf {
        let config: tokio_postgres::Config = self.url().parse().unwrap();
        match config.get_hosts() {
            [Host::Unix(folder)] => folder.join(format!(".s.PGSQL.{}", config.get_ports()[0])),
            other => panic!("no socket: {other:?}"),
        }
    }

    /// For `DATABASE_URL`, over something that listens on this address.
    pub fn url_over(&self, address: SocketAddr) -> String {
        let config: tokio_postgres::Config = self.url().parse().unwrap();
        format!("postgresql://{}@{address}/{}", config.get_user().unwrap(), self.name)
    }

    /// For `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.cluster.server.url(&self.name)
    }

    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        if !self.client.is_closed() {
            return self.client.query(sql, parameters).await.unwrap();
        }
        // The server was killed, and runs again.
        connect(&self.cluster, &self.name).await.query(sql, parameters).await.unwrap()
    }

    /// Adds a person who is reached at this number and is in these groups. The tables are there once a host has
    /// started.
    pub async fn add_person(&self, username: &str, wa_id: &str, groups: &[&str]) {
        let sql = "WITH c AS (INSERT INTO contact (wa_id, name) VALUES ($2, $1) RETURNING id),
                        p AS (INSERT INTO person (username, name, contact_id) SELECT $1, $1, id FROM c RETURNING id),
                        made AS (INSERT INTO groups (name) SELECT unnest($3::text[])
                                 ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id)
                   INSERT INTO membership (group_id, person_id) SELECT made.id, p.id FROM made, p";
        self.query(sql, &[&username, &wa_id, &groups]).await;
    }

    /// The users 15550100000 to 15550100199 have just written in: their 24-hour windows are open.
    pub async fn open_windows(&self) {
        let sql = "INSERT INTO contact (wa_id, last_inbound_at)
                   SELECT n::text, now() FROM generate_series(15550100000, 15550100199) AS n
                   ON CONFLICT (wa_id) DO UPDATE SET last_inbound_at = excluded.last_inbound_at";
        self.query(sql, &[]).await;
    }

    /// The number that a query such as `SELECT count(*) …` gives.
    pub async fn count(&self, sql: &str) -> i64 {
        self.query(sql, &[]).await[0].get(0)
    }
}

async fn connect(cluster: &Cluster, database: &str) -> Client {
    let (client, connection) = cluster.server.config(database).connect(NoTls).await.unwrap();
    // Ends with the client; what goes wrong the next query tells.
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (Database::empty().await, Database::empty().await);
    assert!(Arc::ptr_eq(&one.cluster, &other.cluster));
    one.query("CREATE TABLE mine (n int)", &[]).await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!((one.count(tables).await, other.count(tables).await), (1, 0));
    let found = one.query("SELECT tablename FROM pg_tables WHERE tablename = $1", &[&"mine"]).await;
    assert_eq!(found.len(), 1);
    let named: tokio_postgres::Config = one.url().parse().unwrap();
    assert_eq!(named.get_dbname(), Some(one.name.as_str()));
}
