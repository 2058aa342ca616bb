//! Releases: created, listed, read, activated.

mod activate;
mod next;
mod report;

use std::path::Path;

use hookswitch_core::{
    catalog::{Findings, Folders},
    domain::LaneShare,
};
use jiff::Timestamp;
use serde_json::json;

use self::report::{ActivationReport, Now, ReleasedFile};
pub use self::{
    activate::{Activated, ActivationError, Checker, HowToActivate},
    next::NotActivated,
    report::{ReleaseDetail, ReleaseReport},
};
use super::{Operate, Operator};
use crate::{
    check::lives,
    releases::{self, Read, ReleaseError},
    store::{StoreError, StoredRelease},
};

/// Least number of digits by which a release is named.
const DIGITS: usize = 4;
/// Maximum number of activations that are shown of a release.
const ACTIVATIONS: i64 = 20;

/// The releases that decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveReleases {
    /// The id of the active release.
    pub release: String,
    /// The id of the release that decides for a share of the lanes, and the share.
    pub share: Option<(String, LaneShare)>,
}

/// A release that was created, or was there before.
pub struct CreatedRelease {
    /// The release.
    pub release: ReleaseReport,
    /// Whether it is new.
    pub is_new: bool,
    /// The errors, or the cases that fail.
    pub findings: Option<Findings>,
}

impl Operate {
    /// Stores what is in the folders as a release, with the result of its checks and cases.
    ///
    /// # Errors
    /// If not all files can be read, or PostgreSQL cannot be reached.
    pub async fn create_release(
        &self,
        by: &Operator,
        folders: Folders,
        note: Option<&str>,
    ) -> Result<CreatedRelease, ReleaseError> {
        let read = Read::of(folders).await?;
        let id = read.snapshot.id.clone();
        let act = by.act("release.create", &json!({ "release": id, "note": note }), None);
        let is_new = releases::add(&self.store, &read, by.name(), note, Some(&act)).await?;
        let stored = self.store.find_releases(&id).await?.into_iter().next();
        let stored = stored.ok_or_else(|| StoreError::Row(format!("the release {id} is gone again")))?;
        let release = self.now_live().await?.report(stored)?;
        Ok(CreatedRelease { release, is_new, findings: read.findings })
    }

    /// Stores a file of a release to come, by its SHA-256; one that no release names within a day is dropped.
    pub async fn add_release_file(&self, sha256: &[u8], content: &[u8]) -> Result<(), StoreError> {
        self.store.patient().add_release_file(sha256, content).await
    }

    /// Releases that were created before a place, newest first.
    pub async fn releases(
        &self,
        before: Option<(Timestamp, &str)>,
        limit: i64,
    ) -> Result<Vec<ReleaseReport>, StoreError> {
        let (now, stored) = tokio::try_join!(self.now_live(), self.store.releases(before, limit))?;
        stored.into_iter().map(|release| now.report(release)).collect()
    }

    /// The active release, and the one that decides for a share of the lanes; `None` if none is active.
    pub async fn active_releases(&self) -> Result<Option<ActiveReleases>, StoreError> {
        Ok(self.store.last_active().await?.map(|last| ActiveReleases {
            release: last.release,
            share: last.share.map(|share| (share.release, share.lanes)),
        }))
    }

    /// The release whose id begins with these digits, with its files.
    ///
    /// # Errors
    /// If it is not one.
    pub async fn release(&self, digits: &str) -> Result<ReleaseDetail, ActivationError> {
        let stored = self.found(digits).await?;
        let id = stored.id.clone();
        let (now, files, activations) = tokio::try_join!(
            self.now_live(),
            self.store.release_files(&id),
            self.store.activations_of(&id, ACTIVATIONS),
        )?;
        let files = files.into_iter().map(|file| ReleasedFile {
            path: file.path,
            sha256: hex::encode(file.sha256),
            size: file.size,
        });
        Ok(ReleaseDetail {
            release: now.report(stored)?,
            files: files.collect(),
            activations: activations.into_iter().map(ActivationReport::from).collect(),
        })
    }

    /// The name and content of a file of a release, by its SHA-256; `None` if the release has no such file.
    ///
    /// # Errors
    /// If the release is unknown.
    pub async fn release_content(
        &self,
        digits: &str,
        sha256: &str,
    ) -> Result<Option<(String, Vec<u8>)>, ActivationError> {
        let id = self.found(digits).await?.id;
        let Ok(sha256) = hex::decode(sha256) else { return Ok(None) };
        let files = self.store.release_files(&id).await?;
        let Some(file) = files.into_iter().find(|file| file.sha256 == sha256) else { return Ok(None) };
        let content = self.store.patient().release_file(&sha256).await?;
        let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(content.map(|content| (name, content)))
    }

    /// Writes the files of a release into a folder.
    ///
    /// # Errors
    /// If it is unknown or damaged, or cannot be written.
    pub async fn export_release(&self, digits: &str, folder: &Path) -> Result<String, ActivationError> {
        let id = self.found(digits).await?.id;
        releases::write_to(&self.store, &id, folder).await?;
        Ok(id)
    }

    pub(in crate::operate) async fn found(&self, digits: &str) -> Result<StoredRelease, ActivationError> {
        let is_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || digits.len() < DIGITS {
            return Err(ActivationError::Unknown(digits.to_owned()));
        }
        let mut found = self.store.find_releases(digits).await?;
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(ActivationError::Unknown(digits.to_owned())),
            _ => Err(ActivationError::Ambiguous(digits.to_owned())),
        }
    }

    async fn now_live(&self) -> Result<Now, StoreError> {
        let (active, mut hosts) = tokio::try_join!(self.store.last_active(), self.store.host_facts())?;
        let now = self.now();
        hosts.retain(|host| lives(host, now));
        Ok(Now { active, hosts })
    }
}
