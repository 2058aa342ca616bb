//! Small things about files that more than one part needs.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::fcntl::OFlag;

use super::PostgresError;

/// Turns an I/O error into one that says what was done to which file.
pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::File { action, path: path.to_owned(), source }
}

/// Opens a file in a folder that may be another account's, and never one that a link there leads to.
pub(super) fn open_here(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)
}

/// Holds the lock file until the returned value is dropped. Where another process holds it, says so and waits.
/// The kernel lets go of it when a process ends, however it ends.
pub(super) fn exclusively(path: &Path, waiting: impl FnOnce()) -> Result<File, PostgresError> {
    let lock = open_here(File::options().create(true).truncate(false).write(true), path)
        .map_err(file("open", path))?;
    if lock.try_lock().is_err() {
        waiting();
        lock.lock().map_err(file("lock", path))?;
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    #[test]
    fn no_file_is_opened_that_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (other, link) = (folder.path().join("other"), folder.path().join("postgres.lock"));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert!(exclusively(&link, || {}).is_err());
        assert!(open_here(File::options().create(true).append(true), &link).is_err());
        fs::remove_file(&link).unwrap();
        assert!(exclusively(&link, || {}).is_ok());
        assert_eq!(fs::read_to_string(other).unwrap(), "kept");
    }
}
