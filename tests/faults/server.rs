//! A PostgreSQL of a case's own that can be taken away for good, copied, put back, and followed by a standby.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use hookswitch::postgres::{DATABASE, Search, Server, start_with};
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls, config::Host};

use crate::{
    harness::{Database, SOON, wait_until},
    postgres::bin,
};

/// The server that hosts begin with. What runs it starts it again where it ends, but only while its gate is open.
pub struct Primary {
    /// The server's programs.
    bin: PathBuf,
    /// The same with the gate before them.
    gate: TempDir,
}

impl Primary {
    /// A server with an empty database.
    pub async fn start() -> (Primary, Database) {
        let bin = bin(&Database::create().await);
        let gate = tempfile::tempdir().unwrap();
        // PostgreSQL may run as another user.
        open_to_all(gate.path());
        for name in ["initdb", "postgres"] {
            let path = gate.path().join(name);
            let (shut, program) = (gate.path().join("shut"), bin.join(name));
            let script = format!(
                "#!/bin/sh\n[ -e '{}' ] && exit 1\nexec '{}' \"$@\"\n",
                shut.display(),
                program.display()
            );
            fs::write(&path, script).unwrap();
            open_to_all(&path);
        }
        let database = Database::on_its_own_with(gate.path()).await;
        (Primary { bin, gate }, database)
    }

    /// `kill -9`, and it stays away.
    pub async fn end(&self, database: &Database) {
        fs::write(self.gate.path().join("shut"), "").unwrap();
        database.kill_server();
        // Its processes notice, and the last of them leaves the files alone.
        let (socket, folder) = (database.socket(), cluster(database));
        wait_until("the server's processes have ended", SOON, async || {
            std::os::unix::net::UnixStream::connect(&socket).is_err() && !works_in(&folder)
        })
        .await;
    }

    /// Lets it start again.
    pub fn return_(&self) {
        fs::remove_file(self.gate.path().join("shut")).unwrap();
    }

    /// A copy of its files, made while it works. With `follow`, the copy is a standby's that follows by that port.
    pub async fn copy(&self, database: &Database, follow: Option<u16>) -> TempDir {
        let owner = fs::metadata(cluster(database)).unwrap();
        let copy = tempfile::tempdir().unwrap();
        open_to_all(copy.path());
        let files = copy.path().join("postgres");
        fs::create_dir(&files).unwrap();
        chown(&files, Some(owner.uid()), Some(owner.gid())).unwrap();
        fs::set_permissions(&files, fs::Permissions::from_mode(0o700)).unwrap();
        let socket = database.socket();
        let (host, port) = match follow {
            Some(port) => ("127.0.0.1".to_owned(), port),
            None => (socket.parent().unwrap().display().to_string(), port(database)),
        };
        let mut backup = Command::new(self.bin.join("pg_basebackup"));
        backup
            .env_clear()
            .current_dir(copy.path())
            .uid(owner.uid())
            .gid(owner.gid())
            .args(["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--username=hookswitch"])
            .args(follow.map(|_| "--write-recovery-conf"))
            .args([format!("--host={host}"), format!("--port={port}")])
            .arg("--pgdata")
            .arg(&files);
        let output = tokio::task::spawn_blocking(move || backup.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        copy
    }

    /// Puts a copy in the place of its files; it must have ended.
    pub fn put_back(&self, database: &Database, copy: &TempDir) {
        let place = cluster(database);
        fs::rename(&place, database.folder().join("lost")).unwrap();
        fs::rename(copy.path().join("postgres"), place).unwrap();
    }

    /// Starts a standby on a copy.
    pub async fn standby(&self, copy: TempDir) -> Standby {
        let search = Search { folders: vec![self.bin.clone()], ..Search::default() };
        let start =
            move || Standby { server: start_with(copy.path(), &search, &mut |_| {}).unwrap(), _files: copy };
        tokio::task::spawn_blocking(start).await.unwrap()
    }
}

/// A server that follows another until it is promoted.
pub struct Standby {
    server: Server,
    _files: TempDir,
}

impl Standby {
    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        socket(&self.server.config(DATABASE))
    }

    /// From now on it takes writes.
    pub async fn promote(&self) {
        let promoted = self.client().await.query_one("SELECT pg_promote()", &[]).await.unwrap();
        assert!(promoted.get::<_, bool>(0), "it cannot be promoted");
    }

    /// Waits until it has all that the primary has written by now.
    pub async fn catch_up(&self, primary: &Database) {
        let sql = "SELECT pg_current_wal_lsn()::text";
        let written: String = primary.query(sql, &[]).await[0].get(0);
        let client = self.client().await;
        let has_it = "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)";
        wait_until("the standby has caught up", SOON, async || {
            client.query_one(has_it, &[&written]).await.unwrap().get(0)
        })
        .await;
    }

    async fn client(&self) -> Client {
        let (client, connection) = self.server.config(DATABASE).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// For the ledger: a database on whichever of two servers takes writes, by their sockets.
pub fn whichever(database: &Database, standby: &Standby) -> String {
    let folders =
        [database.socket(), standby.socket()].map(|socket| socket.parent().unwrap().display().to_string());
    format!(
        "host={} port={} user=hookswitch dbname={} target_session_attrs=read-write",
        folders.join(","),
        port(database),
        database.name(),
    )
}

/// Waits until a server answers again.
pub async fn answers(url: &str) {
    let config: tokio_postgres::Config = url.parse().unwrap();
    wait_until("PostgreSQL answers", 2 * SOON, async || {
        let answers = config.connect(NoTls).await.is_ok();
        if !answers {
            sleep(Duration::from_millis(50)).await;
        }
        answers
    })
    .await;
}

fn cluster(database: &Database) -> PathBuf {
    database.folder().join("postgres")
}

fn port(database: &Database) -> u16 {
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    config.get_ports()[0]
}

fn socket(config: &tokio_postgres::Config) -> PathBuf {
    match config.get_hosts() {
        [Host::Unix(folder)] => folder.join(format!(".s.PGSQL.{}", config.get_ports()[0])),
        other => panic!("no socket: {other:?}"),
    }
}

/// Whether a process works in this folder, as all of a server's do.
fn works_in(folder: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .into_iter()
        .any(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|at| at == folder))
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
