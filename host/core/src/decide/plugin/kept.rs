//! The cache folder of compiled plugins, and of refusals to compile: files that only this user can write. Files that
//! were not used for a month are removed.

use std::{fs, io, path::Path, time::Duration};

use nix::{
    fcntl::AT_FDCWD,
    sys::{
        stat::{UtimensatFlags, utimensat},
        time::TimeSpec,
    },
};
use tempfile::NamedTempFile;

/// How long unused files are kept: older ones belong to a plugin, a program or an engine that no longer exists.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Marks a file as used, by its time of change.
pub(super) fn used(file: &Path) {
    let now = TimeSpec::UTIME_NOW;
    if let Err(error) = utimensat(AT_FDCWD, file, &now, &now, UtimensatFlags::NoFollowSymlink) {
        tracing::debug!(%error, file = %file.display(), "cannot mark a compiled plugin as used");
    }
}

/// Removes files not used in the month before this file was created, including those of compilers that were killed.
pub(super) fn forget_old(new: &Path) {
    let changed = |file: &Path| fs::symlink_metadata(file).and_then(|metadata| metadata.modified()).ok();
    let (Some(folder), Some(now)) = (new.parent(), changed(new)) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (file, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_kind = name.ends_with(".cwasm") || name.ends_with(".refused") || name.starts_with(".tmp");
        let unused = changed(&file).and_then(|at| now.duration_since(at).ok());
        if is_kind && unused.is_some_and(|unused| unused > KEPT) && is_ours(&file) {
            match fs::remove_file(&file) {
                Ok(()) => {
                    tracing::debug!(file = %file.display(), "removed an unused compiled plugin")
                }
                Err(error) => {
                    tracing::debug!(%error, file = %file.display(), "cannot remove an unused compiled plugin");
                }
            }
        }
    }
}

/// Whether only this user can have written the file.
pub(super) fn is_ours(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = nix::unistd::geteuid().as_raw();
    let safe = |metadata: fs::Metadata| metadata.uid() == user && metadata.mode() & 0o022 == 0;
    let folder = file.parent().and_then(|folder| fs::symlink_metadata(folder).ok());
    folder.is_some_and(|folder| folder.is_dir() && safe(folder))
        && fs::symlink_metadata(file).is_ok_and(|file| file.is_file() && safe(file))
}

/// Creates a temporary file beside this one or, without a cache or if its folder is not writable, elsewhere. Only this
/// user can open it.
pub(super) fn temporary(beside: Option<&Path>) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::DirBuilderExt;
    let within = |folder: &Path| {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        NamedTempFile::new_in(folder)
    };
    match beside.and_then(Path::parent).map(within) {
        Some(Ok(file)) => Ok(file),
        _ => NamedTempFile::new(),
    }
}

/// Moves a temporary file to its place, after writing the text, if any.
pub(super) fn keep(temporary: NamedTempFile, file: &Path, text: Option<&str>) -> io::Result<()> {
    if let Some(text) = text {
        fs::write(temporary.path(), text)?;
    }
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}
