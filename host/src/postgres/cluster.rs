//! The cluster's files and the commands that make and run it.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{Read, Seek, SeekFrom},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sha2::{Digest, Sha256};

use super::{
    PostgresError, USER,
    account::Account,
    files::{file, open_here},
    search::Installed,
};

/// The bytes that a socket's path may have: 103 on macOS, 107 on Linux.
const SOCKET_PATH: usize = 103;

/// From this size on, a log is put aside at the next start.
const LOG_SIZE: u64 = 10 << 20;

/// Settings that differ from PostgreSQL's defaults, which are durable (`fsync`, `synchronous_commit`) and
/// right for a small machine. Statements here are short: compiling them would cost more than it gains. A
/// checkpoint every five minutes needs no line in the log.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "timezone=UTC",
    "jit=off",
    "log_checkpoints=off",
];

/// How the name of a folder begins in which a cluster is made.
const STAGE: &str = "new-postgres-";

/// Where the cluster is within the data directory.
pub(super) fn pgdata(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres")
}

/// The major version that made the cluster, if there is one.
pub(super) fn made_by(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(pgdata(data_dir).join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Removes what interrupted attempts to make a cluster left.
pub(super) fn remove_unfinished(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        if entry.file_name().as_bytes().starts_with(STAGE.as_bytes()) {
            // Where a program is still busy in it, the next start removes it.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What it takes to run the cluster in a data directory.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// Absolute and without links.
    pub(super) data_dir: PathBuf,
    pub(super) server: Installed,
    pub(super) account: Account,
}

impl Cluster {
    pub(super) fn pgdata(&self) -> PathBuf {
        pgdata(&self.data_dir)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.data_dir.join("postgres.log")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.account.command(&self.server.bin.join(program));
        command.current_dir(&self.data_dir);
        command
    }

    /// Makes the cluster. It is made beside its place and moved there when it is complete, so that an
    /// interrupted attempt leaves nothing that looks like a cluster. Each attempt has a folder of its own: the
    /// programs of an interrupted one may still be busy in theirs.
    pub(super) fn make(&self) -> Result<(), PostgresError> {
        let stage = tempfile::Builder::new()
            .prefix(STAGE)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&self.data_dir)
            .map_err(file("create a folder in", &self.data_dir))?;
        self.account.own(stage.path()).map_err(file("change the owner of", stage.path()))?;
        let mut initdb = self.command("initdb");
        initdb.arg("--pgdata").arg(stage.path()).arg(format!("--username={USER}"));
        // `trust` is safe: nobody else may enter the socket's folder, and there is no other way in.
        initdb.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
        ]);
        let output = initdb.output().map_err(file("run", &self.server.bin.join("initdb")))?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            return Err(PostgresError::Initdb(last_lines(&String::from_utf8_lossy(&text))));
        }
        fs::rename(stage.path(), self.pgdata()).map_err(file("rename", stage.path()))?;
        File::open(&self.data_dir).and_then(|dir| dir.sync_all()).map_err(file("sync", &self.data_dir))
    }

    /// Starts the server. It ends with the calling thread, so that thread should live.
    pub(super) fn spawn(&self) -> Result<Child, PostgresError> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_SIZE) {
            fs::rename(&path, self.data_dir.join("postgres.log.1")).map_err(file("rename", &path))?;
        }
        // It may quote data, and PostgreSQL gets it open: nobody else need read it.
        let log = open_here(File::options().create(true).append(true).mode(0o600), &path);
        let log = log.map_err(file("open", &path))?;
        let sockets = self.make_socket_dir()?;
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.pgdata());
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        postgres.arg("-c").arg(format!("unix_socket_directories={}", sockets.display()));
        postgres.stdout(log.try_clone().map_err(file("open", &path))?).stderr(Stdio::from(log));
        postgres.spawn().map_err(file("run", &self.server.bin.join("postgres")))
    }

    /// The folder of the socket.
    pub(super) fn socket_dir(&self) -> PathBuf {
        socket_dir(&self.data_dir)
    }

    /// Only the account (and root) may enter it. In `/tmp` somebody else may have taken the name first.
    fn make_socket_dir(&self) -> Result<PathBuf, PostgresError> {
        let path = self.socket_dir();
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(file("create", &path)(error))
            }
            _ => Ok(()),
        }?;
        let found = fs::symlink_metadata(&path).map_err(file("read", &path))?;
        if !found.is_dir() || !self.account.owns(found.uid()) {
            return Err(PostgresError::NotOurs(path));
        }
        fs::set_permissions(&path, Permissions::from_mode(0o700))
            .map_err(file("change the mode of", &path))?;
        self.account.own(&path).map_err(file("change the owner of", &path))?;
        Ok(path)
    }

    /// Removes the socket's folder, where that is not in the data directory.
    pub(super) fn remove_socket_dir(&self) {
        let path = self.socket_dir();
        if !path.starts_with(&self.data_dir) {
            // It is empty unless somebody else is using it, and then it stays.
            let _ = fs::remove_dir(path);
        }
    }

    /// How long the log is.
    pub(super) fn log_len(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |log| log.len())
    }

    /// The end of what the log says after its first `start` bytes.
    pub(super) fn log_since(&self, start: u64) -> String {
        let read = || {
            let mut log = File::open(self.log())?;
            let mut text = Vec::new();
            log.seek(SeekFrom::Start(start))?;
            log.take(64 << 10).read_to_end(&mut text)?;
            std::io::Result::Ok(String::from_utf8_lossy(&text).into_owned())
        };
        read().map(|text| last_lines(&text)).unwrap_or_default()
    }
}

/// In the data directory; or in `/tmp` where that is too deep, or has a character that PostgreSQL's list of
/// folders cannot hold.
fn socket_dir(data_dir: &Path) -> PathBuf {
    let near = data_dir.join("run");
    let fits = near.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_PATH;
    if fits && near.to_str().is_some_and(|path| !path.contains([',', '"'])) {
        return near;
    }
    let hash = Sha256::digest(data_dir.as_os_str().as_bytes());
    PathBuf::from(format!("/tmp/hookswitch-{}", hex::encode(&hash[..8])))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].iter().fold(String::new(), |mut text, line| {
        text.push_str("\n  ");
        text.push_str(line);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_near_where_that_works() {
        assert_eq!(socket_dir(Path::new("/var/lib/größe & co")), Path::new("/var/lib/größe & co/run"));
        let deep = format!("/{}", "d".repeat(90));
        for data_dir in [deep.as_str(), "/a,b", "/a\"b"] {
            let elsewhere = socket_dir(Path::new(data_dir));
            assert!(elsewhere.starts_with("/tmp") && elsewhere.as_os_str().len() < 40, "{elsewhere:?}");
        }
        assert_ne!(socket_dir(Path::new("/a,b")), socket_dir(Path::new("/a,c")));
    }

    #[test]
    fn an_error_quotes_the_end() {
        assert_eq!(last_lines("1\n\n2\n3\n4\n5\n6\n"), "\n  2\n  3\n  4\n  5\n  6");
        assert_eq!(last_lines(""), "");
    }
}
