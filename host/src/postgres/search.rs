//! Which PostgreSQL servers are installed on this machine.

use std::{
    cmp::Reverse,
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest server that Hookswitch runs on.
pub(super) const OLDEST: u32 = 15;

/// Where distributions put the servers that they leave out of `PATH`; `*` stands for any text.
const USUAL: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// Where to look for what it takes to run PostgreSQL.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The folders of `PATH`: searched for servers, for `pg_config` and for pip.
    pub path: Vec<PathBuf>,
    /// More folders with servers.
    pub folders: Vec<PathBuf>,
    /// Where the wheel goes if one is needed; `pgbin` in the data directory if this is not set.
    pub wheel_dir: Option<PathBuf>,
}

impl Search {
    /// This machine's `PATH` and the folders that distributions use.
    pub fn here() -> Search {
        Search {
            path: path(),
            folders: USUAL.iter().flat_map(|pattern| expand(pattern)).collect(),
            wheel_dir: None,
        }
    }

    /// The servers that are really there and not too old, newest first.
    pub(super) fn installed(&self) -> Vec<Installed> {
        let configured = self.path.iter().filter_map(|folder| bindir(&folder.join("pg_config")));
        let mut servers: Vec<Installed> = Vec::new();
        for folder in self.path.iter().cloned().chain(configured).chain(self.folders.iter().cloned()) {
            if let Some(bin) = servers_folder(&folder)
                && servers.iter().all(|server| server.bin != bin)
                && let Some(server) = Installed::read(bin)
            {
                servers.push(server);
            }
        }
        servers.retain(|server| server.version.major >= OLDEST);
        servers.sort_by_key(|server| Reverse(server.version));
        servers
    }

    /// The first program of this name in `PATH`.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|path| is_program(path))
    }
}

/// The one place outside the settings that reads the environment: where programs are is no setting of ours.
fn path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

/// A server's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Version {
    /// From what `postgres --version` prints, such as `postgres (PostgreSQL) 15.8 (Debian 15.8-1)`.
    fn parse(text: &str) -> Option<Version> {
        let (_, version) = text.split_once("(PostgreSQL) ")?;
        let mut numbers = version.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        // A release candidate or a beta (`18rc1`) is older than `18.0`, which matters to nobody here.
        let minor = numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
        Some(Version { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A folder that holds a server's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) bin: PathBuf,
    pub(super) version: Version,
}

impl Installed {
    /// What is in the folder `bin`; none where that cannot run.
    pub(super) fn read(bin: PathBuf) -> Option<Installed> {
        let version = Version::parse(&output(&bin.join("postgres"), "--version")?)?;
        Some(Installed { bin, version })
    }
}

/// The folder that the `postgres` in `folder` really is in, if `initdb` is there too: a link on `PATH` may
/// point to nowhere, and client packages leave the one without the other.
pub(super) fn servers_folder(folder: &Path) -> Option<PathBuf> {
    let bin = folder.join("postgres").canonicalize().ok()?.parent()?.to_owned();
    (is_program(&bin.join("postgres")) && is_program(&bin.join("initdb"))).then_some(bin)
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn bindir(pg_config: &Path) -> Option<PathBuf> {
    if !is_program(pg_config) {
        return None;
    }
    Some(PathBuf::from(output(pg_config, "--bindir")?.trim()))
}

/// A program that somebody else wrote: it gets the environment without what this program is told there, its secrets.
pub(super) fn stranger(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HOOKSWITCH_") || text.starts_with("WHATSAPP_") || text == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

fn output(program: &Path, argument: &str) -> Option<String> {
    let output = stranger(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folders that a pattern with at most one `*` means.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(format!("{parent}/")) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with(prefix))
        .map(|name| PathBuf::from(format!("{parent}/{name}{after}")))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn server(folder: &Path, version: &str) {
        fs::create_dir_all(folder).unwrap();
        for name in ["postgres", "initdb"] {
            let program = folder.join(name);
            fs::write(&program, format!("#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn versions_are_read_from_what_the_server_prints() {
        let read = |text| Version::parse(text).map(|version| (version.major, version.minor));
        assert_eq!(read("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some((15, 8)));
        assert_eq!(read("postgres (PostgreSQL) 18.0\n"), Some((18, 0)));
        assert_eq!(read("postgres (PostgreSQL) 19devel\n"), Some((19, 0)));
        assert_eq!(read("command not found"), None);
    }

    #[test]
    fn the_newest_server_comes_first_and_old_ones_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["14.9", "16.2", "17.1", "9.6.3"] {
            server(&dir.path().join(version).join("bin"), version);
        }
        let folders = expand(&format!("{}/*/bin", dir.path().display()));
        let found = Search { folders, ..Search::default() }.installed();
        let versions: Vec<String> = found.iter().map(|server| server.version.to_string()).collect();
        assert_eq!(versions, ["17.1", "16.2"]);
    }

    #[test]
    fn a_link_to_nowhere_and_a_server_without_initdb_are_no_servers() {
        let dir = tempfile::tempdir().unwrap();
        let (real, linked, broken) =
            (dir.path().join("real"), dir.path().join("linked"), dir.path().join("broken"));
        server(&real, "15.1");
        for folder in [&linked, &broken] {
            fs::create_dir(folder).unwrap();
        }
        symlink(real.join("postgres"), linked.join("postgres")).unwrap();
        symlink(dir.path().join("gone"), broken.join("postgres")).unwrap();
        let search = Search { path: vec![broken, linked], ..Search::default() };
        assert_eq!(search.installed().first().map(|found| &found.bin), Some(&real.canonicalize().unwrap()));

        fs::remove_file(real.join("initdb")).unwrap();
        assert_eq!(search.installed(), []);
    }

    #[test]
    fn pg_config_leads_to_a_server() {
        let dir = tempfile::tempdir().unwrap();
        let (clients, bin) = (dir.path().join("clients"), dir.path().join("bin"));
        server(&bin, "16.0");
        fs::create_dir(&clients).unwrap();
        let pg_config = clients.join("pg_config");
        fs::write(&pg_config, format!("#!/bin/sh\necho '{}'\n", bin.display())).unwrap();
        fs::set_permissions(&pg_config, fs::Permissions::from_mode(0o755)).unwrap();
        let search = Search { path: vec![clients], ..Search::default() };
        assert_eq!(search.installed().len(), 1);
    }
}
