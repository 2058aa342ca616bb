//! PgBouncer in front of a case's PostgreSQL.

use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::UnixStream,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    Skipped,
    harness::{Database, SOON, wait_until},
};

/// The first that keeps the prepared statements of its clients apart.
const KEEPS_STATEMENTS: (u32, u32) = (1, 21);

/// A PgBouncer that is installed.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    version: (u32, u32),
}

impl Program {
    /// All that this machine has, and the one that `.ci/run` builds where that is too old for transactions.
    pub fn all() -> Result<Vec<Program>, Skipped> {
        let path = env::var_os("PATH").unwrap_or_default();
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pgbouncer");
        // Where the system's own are, and `PATH` may not lead.
        let system = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from);
        let folders = [built].into_iter().chain(system).chain(env::split_paths(&path));
        let mut all: Vec<Program> = Vec::new();
        for path in folders.filter_map(|folder| folder.join("pgbouncer").canonicalize().ok()) {
            if let Some(version) = version(&path)
                && all.iter().all(|known| known.path != path)
            {
                all.push(Program { path, version });
            }
        }
        if all.is_empty() { Err(Skipped("PgBouncer is not installed".to_owned())) } else { Ok(all) }
    }

    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// Whether it can be used with transactions that share servers.
    pub fn keeps_statements(&self) -> bool {
        self.version >= KEEPS_STATEMENTS
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PgBouncer {}.{}", self.version.0, self.version.1)
    }
}

fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.strip_prefix("PgBouncer ")?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A pooler that runs. It ends with the test.
pub struct Pooler {
    program: Program,
    child: Child,
    folder: TempDir,
    owner: (u32, u32),
}

impl Pooler {
    /// In front of a database, with this `pool_mode` and at most so many connections to PostgreSQL.
    pub async fn start(
        program: &Program,
        database: &Database,
        mode: &str,
        connections: usize,
    ) -> Result<Pooler, Skipped> {
        // It must be allowed into the folder of PostgreSQL's socket.
        let server = fs::metadata(database.folder().join("postgres")).unwrap();
        let owner = (server.uid(), server.gid());
        if owner.0 == 0 {
            return Err(Skipped("PgBouncer refuses to run as root, and here PostgreSQL does".to_owned()));
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let sockets = folder.path().join("run");
        fs::create_dir(&sockets).unwrap();
        chown(&sockets, Some(owner.0), Some(owner.1)).unwrap();
        let statements = match program.keeps_statements() {
            true => "max_prepared_statements = 200\n",
            false => "",
        };
        let (name, socket) = (database.name(), database.socket());
        let settings = format!(
            "[databases]\n{name} = host={} port=5432 user=hookswitch dbname={name}\n\
             [pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {}\nauth_type = any\npool_mode = {mode}\n\
             default_pool_size = {connections}\nserver_login_retry = 1\n{statements}",
            socket.parent().unwrap().display(),
            sockets.display(),
        );
        fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let child = spawn(program, folder.path(), owner);
        let mut pooler = Pooler { program: program.clone(), child, folder, owner };
        pooler.answers().await;
        Ok(pooler)
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/.s.PGSQL.6432")
    }

    /// `kill -9`, and what runs it starts it again.
    pub async fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.program, self.folder.path(), self.owner);
        self.answers().await;
    }

    async fn answers(&mut self) {
        let socket = self.socket();
        let (child, log) = (&mut self.child, self.folder.path().join("log"));
        wait_until("PgBouncer listens", SOON, async || {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(matches!(child.try_wait(), Ok(None)), "PgBouncer has ended: {}", said());
            UnixStream::connect(&socket).is_ok()
        })
        .await;
    }

    fn kill(&mut self) {
        // Where it is gone already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &Program, folder: &Path, owner: (u32, u32)) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = Command::new(&program.path);
    command.arg(folder.join("pgbouncer.ini")).env_clear().uid(owner.0).gid(owner.1);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}
