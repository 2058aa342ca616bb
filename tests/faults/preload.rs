//! Libraries in C that are loaded before the C library and change one thing of what it does, by a switch.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::Skipped;

/// A library, and the number in a file that it looks at.
pub struct Preload {
    shared_object: PathBuf,
    switch: File,
    _folder: TempDir,
}

impl Preload {
    /// Compiles one of the sources beside this file; the number is 0.
    pub fn compile(name: &str) -> Result<Preload, Skipped> {
        if !cfg!(target_os = "linux") {
            return Err(Skipped("only on Linux can a library be put before the C library".to_owned()));
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/faults").join(format!("{name}.c"));
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL may run as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (shared_object, switch) =
            (folder.path().join(format!("{name}.so")), folder.path().join("switch"));
        fs::write(&switch, 0_i64.to_ne_bytes()).unwrap();
        fs::set_permissions(&switch, fs::Permissions::from_mode(0o644)).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror"]).arg(&source).arg("-o").arg(&shared_object);
        cc.arg(format!("-DSWITCH=\"{}\"", switch.display())).arg("-ldl");
        match cc.output() {
            Err(error) => return Err(Skipped(format!("there is no C compiler: {error}"))),
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        }
        let switch = File::options().write(true).open(&switch).unwrap();
        Ok(Preload { shared_object, switch, _folder: folder })
    }

    /// For `LD_PRELOAD`.
    pub fn shared_object(&self) -> &str {
        self.shared_object.to_str().unwrap()
    }

    /// Changes the number, for all processes that have loaded it.
    pub fn set(&self, number: i64) {
        self.switch.write_all_at(&number.to_ne_bytes(), 0).unwrap();
    }
}
