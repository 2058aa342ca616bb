//! From folders into the database.

use std::{collections::HashSet, sync::Arc};

use hookswitch_core::catalog::{self, Findings, Folders, Outline, Snapshot};
use tokio::task::spawn_blocking;

use super::{ReleaseError, Verdict};
use crate::store::{Act, NewRelease, Store, StoreError};

/// Folders that were read, with what became of their checks and cases.
pub struct Read {
    /// The files.
    pub snapshot: Arc<Snapshot>,
    /// What became of their checks and cases.
    pub verdict: Verdict,
    /// Its routes, templates, plugins and groups; `None` if it does not compile.
    pub outline: Option<Outline>,
    /// The errors, or the cases that fail.
    pub findings: Option<Findings>,
}

impl Read {
    /// Reads the folders, compiles what is in them and runs the cases.
    ///
    /// # Errors
    /// If not all files can be read.
    pub async fn of(folders: Folders) -> Result<Read, ReleaseError> {
        let folder = folders.rules.display().to_string();
        let read = spawn_blocking(move || catalog::take(&folders));
        let read = read.await.map_err(|error| ReleaseError::Io {
            what: "cannot read the folders".to_owned(),
            error: error.into(),
        })?;
        let (snapshot, loaded) = read.map_err(ReleaseError::Unreadable)?;
        let verdict = Verdict::new(&loaded);
        let outline = loaded.as_ref().ok().map(|catalog| Outline::new(catalog, &snapshot));
        let findings = match loaded {
            Ok(catalog) if catalog.failed_cases.is_empty() => None,
            Ok(catalog) => Some(Findings { folder, findings: catalog.failed_cases }),
            Err(findings) => Some(findings),
        };
        Ok(Read { snapshot: Arc::new(snapshot), verdict, outline, findings })
    }
}

/// Stores folders that were read as a release; returns whether it is new.
///
/// # Errors
/// If a file was changed since it was read, or PostgreSQL cannot be reached.
pub async fn add(
    store: &Store,
    read: &Read,
    created_by: &str,
    note: Option<&str>,
    act: Option<&Act>,
) -> Result<bool, ReleaseError> {
    let store = store.patient();
    let files = &read.snapshot.files;
    let hashes: Vec<&[u8]> = files.values().map(|file| &file.sha256[..]).collect();
    let missing: HashSet<Vec<u8>> = store.missing_release_files(&hashes).await?.into_iter().collect();
    let mut stored: HashSet<&[u8]> = HashSet::new();
    for (path, file) in files {
        if missing.contains(&file.sha256[..]) && stored.insert(&file.sha256[..]) {
            let (snapshot, of) = (read.snapshot.clone(), path.clone());
            // One after the other: a file may have 100 MiB.
            let bytes = spawn_blocking(move || snapshot.files[&of].bytes()).await;
            let bytes = match bytes {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => return Err(unread(path, std::io::Error::other(error))),
                Err(error) => return Err(unread(path, error.into())),
            };
            store.add_release_file(&file.sha256, &bytes).await?;
        }
    }
    let verdict = json(&read.verdict)?;
    let outline = read.outline.as_ref().map(json).transpose()?;
    let paths: Vec<&str> = files.keys().map(String::as_str).collect();
    let new = NewRelease {
        id: &read.snapshot.id,
        created_by,
        note,
        verdict: &verdict,
        outline: outline.as_deref(),
        paths: &paths,
        hashes: &hashes,
    };
    Ok(store.create_release(&new, act).await?)
}

fn unread(path: &str, error: std::io::Error) -> ReleaseError {
    ReleaseError::Io { what: format!("cannot read {path}"), error }
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row(error.to_string()))
}
