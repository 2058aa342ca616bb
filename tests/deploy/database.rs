//! The scripts of the README for PostgreSQL, as written: roles, tables, a backup and its restore, passwords.

use std::{ffi::OsString, fs, os::unix::fs::symlink, path::Path, process::Command};

use tempfile::TempDir;

use super::{done, program, programs, rights::connect, scripts, top};
use crate::harness::Database;

/// A PostgreSQL as in production: its superuser is `postgres`, and nobody is called `hookswitch`.
struct Server {
    database: Database,
    /// Where scripts run.
    folder: TempDir,
    _programs: TempDir,
    path: OsString,
}

impl Server {
    async fn start() -> Server {
        let database = Database::on_its_own().await;
        database.query("CREATE ROLE postgres SUPERUSER LOGIN", &[]).await;
        let superuser = connect(&format!("{}&user=postgres", database.url())).await;
        superuser.batch_execute("ALTER ROLE hookswitch RENAME TO bootstrap").await.unwrap();
        superuser.batch_execute("DROP DATABASE hookswitch WITH (FORCE)").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        symlink(top().join("deploy"), folder.path().join("deploy")).unwrap();
        let (programs, path) = programs(&[]);
        // Tools of this server's version, where they were installed with it.
        let server = fs::read_link(format!("/proc/{}/exe", database.server_pid())).unwrap();
        let mut folders: Vec<_> = std::env::split_paths(&path).collect();
        folders.insert(1, server.parent().map(Path::to_owned).unwrap());
        let path = std::env::join_paths(folders).unwrap();
        Server { database, folder, _programs: programs, path }
    }

    /// Whether the tools are there; the wheel of PostgreSQL has none of them.
    fn has_tools(&self) -> bool {
        let there = ["createdb", "psql", "pg_dump", "pg_restore"].iter().all(|tool| {
            let found = Command::new(tool).env("PATH", &self.path).arg("--version").output();
            found.is_ok_and(|output| output.status.success())
        });
        if !there {
            println!("left out: psql and its siblings are not installed");
        }
        there
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("{}&user={role}&dbname={database}", self.database.url())
    }

    /// Runs a script as the superuser, with `OWNER` for the owner's database.
    #[track_caller]
    fn run(&self, script: &str, database: &str) -> String {
        let socket = self.database.socket();
        let port = socket.extension().unwrap();
        let output = Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", &self.path)
            .env("PGHOST", socket.parent().unwrap())
            .env("PGPORT", port)
            .env("PGUSER", "postgres")
            .env("OWNER", self.url("hookswitch_owner", database))
            .output();
        done(output.unwrap())
    }

    /// Sets a database up as section 1 says.
    fn set_up(&self) {
        let [create, migrate] = <[String; 2]>::try_from(scripts("1. PostgreSQL")).unwrap();
        self.run(&create, "hookswitch");
        let (address, migrate) = migrate.split_once('\n').unwrap();
        assert!(address.starts_with("OWNER=postgresql://hookswitch_owner:PASSWORD@"), "{address}");
        self.run(migrate, "hookswitch");
        // Running either again changes nothing.
        self.run(migrate, "hookswitch");
    }

    /// Runs the program as the role of hosts.
    #[track_caller]
    fn hookswitch(&self, arguments: &[&str], database: &str) -> String {
        let mut command = program();
        done(command.args(arguments).env("DATABASE_URL", self.url("hookswitch", database)).output().unwrap())
    }
}

#[tokio::test]
async fn a_database_is_set_up_backed_up_and_restored_as_the_readme_says() {
    let server = Server::start().await;
    if !server.has_tools() {
        return;
    }
    server.set_up();
    server.hookswitch(&["people", "add", "ann", "--name", "Ann Example"], "hookswitch");
    server.hookswitch(&["keys", "create", "shop", "--scope", "events"], "hookswitch");

    let [backup] = <[String; 1]>::try_from(scripts("5. Backups")).unwrap();
    let (dump, restore) = backup.split_once('\n').unwrap();
    server.run(dump, "hookswitch");
    server.run("createdb restored; psql -v ON_ERROR_STOP=1 -d restored -f deploy/roles.sql", "restored");
    server.run(restore, "restored");
    assert!(server.hookswitch(&["people", "list"], "restored").contains("Ann Example"));
    server.hookswitch(&["people", "deactivate", "ann"], "restored");
    server.hookswitch(&["keys", "revoke", "shop"], "restored");
}

#[tokio::test]
async fn the_roles_of_containers_get_their_passwords() {
    let server = Server::start().await;
    if !server.has_tools() {
        return;
    }
    server.set_up();
    let passwords = "HOOKSWITCH_OWNER_PASSWORD=\"it's mine\" HOOKSWITCH_PASSWORD='\"$1\"' \
                     POSTGRES_USER=postgres POSTGRES_DB=hookswitch sh deploy/passwords.sh";
    server.run(passwords, "hookswitch");
    let superuser = connect(&server.url("postgres", "hookswitch")).await;
    let set = "SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%' ORDER BY rolname";
    let roles: Vec<String> = superuser.query(set, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(roles, ["hookswitch", "hookswitch_owner"]);
}
