//! A server that runs already: found by the `postmaster.pid` that it keeps in its data directory.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::kill,
    unistd::{Pid, geteuid},
};
use postgres::{Client, NoTls, error::SqlState};
use tokio_postgres::Config;

use super::{DATABASE, PostgresError, USER, cluster::pgdata, files::file};

/// How long a server may take to recover after a crash, or to stop.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) pid: u32,
    pub(super) socket_dir: PathBuf,
    pub(super) port: u16,
}

impl Address {
    /// From `postmaster.pid`, whose lines are: process id, data directory, start time, port, socket directory,
    /// address, shared memory key, status.
    pub(super) fn read(pgdata: &Path) -> Option<Address> {
        let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let port = lines.nth(2)?.trim().parse().ok()?;
        let socket_dir = PathBuf::from(lines.next().filter(|line| line.starts_with('/'))?);
        Some(Address { pid, socket_dir, port })
    }

    pub(super) fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.socket_dir)
            .port(self.port)
            .user(USER)
            .dbname(database)
            .connect_timeout(CONNECT);
        config
    }

    /// Whether the socket's folder is ours, or that of the account that owns the cluster: elsewhere anybody may have put
    /// a server of their own there.
    fn is_ours(&self, pgdata: &Path) -> bool {
        let (Ok(folder), Ok(cluster)) = (fs::symlink_metadata(&self.socket_dir), fs::metadata(pgdata)) else {
            return false;
        };
        folder.is_dir() && [cluster.uid(), geteuid().as_raw()].contains(&folder.uid())
    }

    fn connect(&self, database: &str) -> Result<Client, postgres::Error> {
        postgres::Config::from(self.config(database)).connect(NoTls)
    }

    /// Whether the server answers, and if so with which version. Makes the database where it is missing.
    fn ask(&self) -> Result<Answer, PostgresError> {
        let mut client = match self.connect(DATABASE) {
            Ok(client) => client,
            Err(error) => match error.code() {
                Some(&SqlState::CANNOT_CONNECT_NOW) => return Ok(Answer::NotNow),
                Some(&SqlState::INVALID_CATALOG_NAME) => {
                    self.make_database()?;
                    return self.ask();
                }
                Some(_) => return Err(error.into()),
                None => return Ok(Answer::Silence),
            },
        };
        let version = client.query_one("SHOW server_version", &[])?;
        Ok(Answer::Version(version.get(0)))
    }

    fn make_database(&self) -> Result<(), PostgresError> {
        self.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {DATABASE}"))?;
        Ok(())
    }
}

enum Answer {
    /// It serves, and this is its version.
    Version(String),
    /// It is starting, recovering or stopping.
    NotNow,
    /// Nobody is there.
    Silence,
}

/// A server that serves the cluster in `data_dir`, with its version; none where none runs. One that is
/// starting or stopping is waited for. Lock files of a dead server whose process id is in use (by another
/// program since, or because nobody has waited for the dead one) are removed: PostgreSQL would refuse to start.
///
/// The caller holds the data directory's lock.
pub(super) fn running(
    data_dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Option<(Address, String)>, PostgresError> {
    let pgdata = pgdata(data_dir);
    let start = Instant::now();
    let mut said = false;
    while let Some(address) = Address::read(&pgdata) {
        if address.socket_dir.exists() && !address.is_ours(&pgdata) {
            return Err(PostgresError::NotOurs(address.socket_dir));
        }
        match address.ask()? {
            Answer::Version(version) => return Ok(Some((address, version))),
            Answer::Silence if !runs_here(address.pid, &pgdata) => {
                if kill(pid(address.pid), None).is_ok() {
                    let lock = format!(".s.PGSQL.{}.lock", address.port);
                    for stale in [address.socket_dir.join(lock), pgdata.join("postmaster.pid")] {
                        if stale.exists() {
                            fs::remove_file(&stale).map_err(file("remove", &stale))?;
                        }
                    }
                }
                return Ok(None);
            }
            Answer::Silence | Answer::NotNow => {}
        }
        if start.elapsed() > PATIENCE {
            return Err(PostgresError::Silent { pid: address.pid });
        }
        if !said {
            said = true;
            progress("waiting for the PostgreSQL that runs in this data directory");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(None)
}

/// Waits until the server that we started serves, or `over` says that it has ended; then none.
pub(super) fn ready(
    data_dir: &Path,
    progress: &mut dyn FnMut(&str),
    over: impl Fn() -> bool,
    started: u32,
) -> Result<Option<(Address, String)>, PostgresError> {
    let start = Instant::now();
    let mut said = false;
    while !over() {
        if let Some(address) = Address::read(&pgdata(data_dir)).filter(|address| address.pid == started)
            && let Answer::Version(version) = address.ask()?
        {
            return Ok(Some((address, version)));
        }
        if start.elapsed() > PATIENCE {
            return Err(PostgresError::Silent { pid: started });
        }
        if !said && start.elapsed() > Duration::from_secs(2) {
            said = true;
            progress("PostgreSQL is recovering from an interruption");
        }
        sleep(Duration::from_millis(5));
    }
    Ok(None)
}

/// Whether the process is the cluster's server: it works in the cluster's folder.
#[cfg(target_os = "linux")]
fn runs_here(pid: u32, pgdata: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == pgdata)
}

#[cfg(not(target_os = "linux"))]
fn runs_here(process: u32, _pgdata: &Path) -> bool {
    kill(pid(process), None).is_ok()
}

/// A process id as the system calls take it.
pub(super) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed())
}
