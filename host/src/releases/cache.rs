//! From the database into a folder: the files of a release, whole or not at all.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use hookswitch_core::{catalog::Folders, decide::plugin::Sandbox};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::ReleaseError;
use crate::store::Store;

/// A release that was not used for so long is removed; another process of this machine may have begun to use it.
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// The releases on this machine, in a folder that nobody else may write to.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The releases in a folder, which is created when the first one is needed.
    pub fn new(folder: PathBuf) -> Cache {
        Cache { folder }
    }

    /// The folders of a release, from the database unless they are here. Whoever loads them compares their id.
    ///
    /// # Errors
    /// If it cannot be read, or not be written here.
    pub async fn folders(
        &self,
        store: &Store,
        id: &str,
        sandbox: Option<Sandbox>,
    ) -> Result<Folders, ReleaseError> {
        let folder = self.folder.join(id);
        if !folder.join("rules").is_dir() {
            self.bring(store, id, &folder).await?;
        }
        // Says that it is in use.
        let _ = fs::File::open(&folder).and_then(|file| file.set_modified(SystemTime::now()));
        Ok(Folders { rules: folder.join("rules"), plugins: Some(folder.join("plugins")), sandbox })
    }

    async fn bring(&self, store: &Store, id: &str, folder: &Path) -> Result<(), ReleaseError> {
        let failed = |error| ReleaseError::Io { what: format!("cannot write {}", folder.display()), error };
        let new = self.new_folder()?;
        write_to(store, id, new.path()).await?;
        // Where it is damaged it is replaced, and another process may have brought it meanwhile.
        let new = new.keep();
        let renamed = fs::rename(&new, folder);
        if renamed.is_err() {
            let _ = fs::remove_dir_all(&new);
        }
        if folder.join("rules").is_dir() { Ok(()) } else { renamed.map_err(failed) }
    }

    fn new_folder(&self) -> Result<TempDir, ReleaseError> {
        let failed =
            |error| ReleaseError::Io { what: format!("cannot write {}", self.folder.display()), error };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder).map_err(failed)
    }

    /// Removes the files of a release that are not its own, so that they are brought again.
    pub fn discard(&self, id: &str) {
        tracing::warn!(
            release = id,
            "the files of this release were changed on this machine; replacing them"
        );
        let _ = fs::remove_dir_all(self.folder.join(id));
    }

    /// Removes releases but these that were not used for a day, and what an interrupted write left.
    pub fn clean(&self, active: &[String]) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let is_active = |name: &std::ffi::OsStr| active.iter().any(|active| name == active.as_str());
        for entry in entries.flatten().filter(|entry| !is_active(&entry.file_name())) {
            let used = entry.metadata().and_then(|metadata| metadata.modified());
            if used.is_ok_and(|used| used.elapsed().is_ok_and(|since| since > UNUSED)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Writes the files of a release into a folder.
///
/// # Errors
/// If the release or a file cannot be read, or not be written.
pub async fn write_to(store: &Store, id: &str, folder: &Path) -> Result<(), ReleaseError> {
    let files: Vec<(String, Vec<u8>)> =
        store.release_files(id).await?.into_iter().map(|file| (file.path, file.sha256)).collect();
    write_files(store, id, &files, folder).await
}

/// Writes files that are to become a release into a folder; returns the folder, which goes when it is dropped.
///
/// # Errors
/// If one of them is not stored, or has a path of no release, or cannot be written.
pub async fn write_uploaded(
    store: &Store,
    cache: &Cache,
    files: &[(String, Vec<u8>)],
) -> Result<TempDir, ReleaseError> {
    if let Some((path, _)) = files.iter().find(|(path, _)| !is_within(path)) {
        return Err(ReleaseError::Path(path.clone()));
    }
    let hashes: Vec<&[u8]> = files.iter().map(|(_, sha256)| &sha256[..]).collect();
    let missing = store.missing_release_files(&hashes).await?;
    if !missing.is_empty() {
        let paths = files.iter().filter(|(_, sha256)| missing.contains(sha256)).map(|(path, _)| path.clone());
        return Err(ReleaseError::Missing(paths.collect()));
    }
    let folder = cache.new_folder()?;
    write_files(store, "uploaded", files, folder.path()).await?;
    Ok(folder)
}

async fn write_files(
    store: &Store,
    id: &str,
    files: &[(String, Vec<u8>)],
    folder: &Path,
) -> Result<(), ReleaseError> {
    let store = store.patient();
    for within in ["rules", "plugins"] {
        let path = folder.join(within);
        fs::create_dir_all(&path)
            .map_err(|error| ReleaseError::Io { what: format!("cannot write {}", path.display()), error })?;
    }
    for (within, sha256) in files {
        let damaged = || ReleaseError::Damaged { release: id.to_owned(), path: within.clone() };
        // One after the other: a file may have 100 MiB.
        let content = store.release_file(sha256).await?.ok_or_else(damaged)?;
        if !is_within(within) {
            return Err(damaged());
        }
        let (path, sha256) = (folder.join(within), sha256.clone());
        let to = Arc::new(path);
        let at = to.clone();
        let written = spawn_blocking(move || write(&at, &content, &sha256)).await;
        match written.map_err(io::Error::from).and_then(|written| written) {
            Ok(true) => {}
            Ok(false) => return Err(damaged()),
            Err(error) => {
                return Err(ReleaseError::Io { what: format!("cannot write {}", to.display()), error });
            }
        }
    }
    Ok(())
}

/// Writes a file unless its content is not what the hash says.
fn write(path: &Path, content: &[u8], sha256: &[u8]) -> io::Result<bool> {
    if Sha256::digest(content)[..] != *sha256 {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)?;
    Ok(true)
}

/// Whether a path leads to a file of a release: never out of the folder.
fn is_within(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let is_known =
        matches!(parts.next(), Some(Component::Normal(first)) if first == "rules" || first == "plugins");
    let mut rest = parts.peekable();
    is_known && rest.peek().is_some() && rest.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_path_never_leads_out_of_the_folder() {
        for good in ["rules/groups.yaml", "rules/orders/cases/a.yaml", "plugins/stock/plugin.yaml"] {
            assert!(is_within(good), "{good}");
        }
        for wrong in ["", "rules", "/etc/passwd", "rules/../../x", "../rules/x", "other/x", "rules/.."] {
            assert!(!is_within(wrong), "{wrong}");
        }
    }
}
