//! PostgreSQL killed, and without space.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tokio::time::sleep;

use crate::{
    Case,
    harness::{Database, free_port},
    ledger::settle,
    preload::Preload,
    scale,
    stage::Stage,
};

/// `kill -9` at random moments; what runs it starts it again.
pub async fn killed(case: &'static str) -> Case {
    let port = free_port();
    let database = Database::on_its_own().await;
    let mut stage = Stage::on(database, case, port, &["--latency", "30"]);
    let host = stage.host(port, &[]).await;
    let producer = stage.produce(&[&host]);
    for _ in 0..scale::pick(3, 12) {
        sleep(stage.chance.between(300, 3_000)).await;
        stage.database.kill_server();
    }
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    Ok(())
}

/// The disk is full for a while, again and again: no file of PostgreSQL's grows, the write-ahead log neither.
pub async fn disk_full(case: &'static str) -> Case {
    let disk = Preload::compile("disk")?;
    let folder = tempfile::tempdir().unwrap();
    wrap(folder.path(), &bin(&Database::create().await), &disk);
    let port = free_port();
    let database = Database::on_its_own_with(folder.path()).await;
    let mut stage = Stage::on(database, case, port, &["--latency", "30"]);
    let host = stage.host(port, &[]).await;
    let producer = stage.produce(&[&host]);
    for _ in 0..scale::pick(3, 12) {
        sleep(stage.chance.between(300, 2_000)).await;
        disk.set(1);
        sleep(stage.chance.between(1_000, 3_000)).await;
        disk.set(0);
    }
    let accepted = producer.finish(scale::events()).await;
    let full = host.said().contains("53100");
    settle(&stage, accepted, 0).await.check_all_sent();
    assert!(full, "PostgreSQL never said that the disk is full:\n{}", host.said());
    Ok(())
}

/// Where the programs of the server that runs are.
pub fn bin(database: &Database) -> PathBuf {
    let program = fs::read_link(format!("/proc/{}/exe", database.server_pid())).unwrap();
    program.parent().map(Path::to_owned).unwrap()
}

/// The server's programs, with the library loaded before the C library.
fn wrap(folder: &Path, bin: &Path, preload: &Preload) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for (name, loaded) in [("initdb", ""), ("postgres", preload.shared_object())] {
        let (path, program) = (folder.join(name), bin.join(name));
        let script =
            format!("#!/bin/sh\nexport LD_PRELOAD='{loaded}'\nexec '{}' \"$@\"\n", program.display());
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
