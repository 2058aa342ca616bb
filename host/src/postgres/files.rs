//! Small things about files that more than one part needs.

use std::{fs::File, io, path::Path};

use super::PostgresError;

/// Turns an I/O error into one that says what was done to which file.
pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::File { action, path: path.to_owned(), source }
}

/// Holds the lock file until the returned value is dropped. Where another process holds it, says so and waits.
/// The kernel lets go of it when a process ends, however it ends.
pub(super) fn exclusively(path: &Path, waiting: impl FnOnce()) -> Result<File, PostgresError> {
    let lock =
        File::options().create(true).truncate(false).write(true).open(path).map_err(file("open", path))?;
    if lock.try_lock().is_err() {
        waiting();
        lock.lock().map_err(file("lock", path))?;
    }
    Ok(lock)
}
