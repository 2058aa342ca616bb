//! Releases: created, listed, compared, activated.

use std::path::Path;

use hookswitch_core::{
    catalog::{self, Catalog, Findings, Folders},
    decide::plugin::Sandbox,
    domain::{LANES, LaneShare},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::{
    Operate, Operator,
    activation::{Next, NotActivated, next},
    shadow::CleanLimits,
};
use crate::{
    check::lives,
    releases::{self, Cache, Read, ReleaseError, Verdict, VerdictState, short},
    store::{Act, Activation, ActivationWay, HostFacts, StoreError, StoredRelease},
};

/// Least number of digits by which a release is named.
const DIGITS: usize = 4;
/// Maximum number of activations that are shown of a release.
const ACTIVATIONS: i64 = 20;

/// A release of rules and plugins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseReport {
    /// The SHA-256 over its files: the same files are the same release.
    pub id: String,
    /// The first 12 digits of the id, as decisions and hosts have it.
    pub release: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it: the name of an API key, or the user of a command line, or the host that serves the folder.
    pub created_by: String,
    /// What was said of it; null if nothing was.
    pub note: Option<String>,
    /// The id of the release that was active then; null if none was.
    pub parent: Option<String>,
    /// What became of its checks and cases when it was created.
    pub verdict: Verdict,
    /// Whether it is the active release: the one that decides for all lanes but those of a share.
    pub active: bool,
    /// For how many of the 64 lanes of events it is to decide: 64 for the active release, and fewer if another one decides for
    /// a share of the lanes.
    pub lanes: i16,
    /// When it was last activated; null if it never was.
    pub activated_at: Option<Timestamp>,
    /// The running hosts on which it is live.
    pub hosts: Vec<String>,
}

/// A release with its files and activations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReleaseDetail {
    /// The release.
    #[serde(flatten)]
    pub release: ReleaseReport,
    /// Its files, by path.
    pub files: Vec<ReleasedFile>,
    /// Its last activations, newest first, at most 20.
    pub activations: Vec<ActivationReport>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReleaseFile)]
pub struct ReleasedFile {
    /// `rules/…` or `plugins/…`.
    pub path: String,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// Its size, in bytes.
    pub size: i64,
}

/// An activation of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Activation)]
pub struct ActivationReport {
    /// When it became active.
    pub at: Timestamp,
    /// Who: the name of an API key, or the user of a command line, or the host that serves the folder.
    pub who: String,
    /// How: `activate`, `rollback` or `serve`.
    pub way: String,
    /// Whether cases failed, and it was activated all the same.
    pub forced: bool,
    /// The reason that was given; null if none was.
    pub reason: Option<String>,
    /// For how many of the 64 lanes of events it was to decide from then on.
    pub lanes: i16,
}

impl From<Activation> for ActivationReport {
    fn from(of: Activation) -> Self {
        let (lanes, forced) = match of.share {
            Some(share) => (share.lanes.lanes(), share.forced),
            None => (LANES, of.forced),
        };
        ActivationReport { at: of.at, who: of.who, way: of.way, forced, reason: of.reason, lanes }
    }
}

/// How to activate a release.
#[derive(Clone, Copy, Debug, Default)]
pub struct HowToActivate<'a> {
    /// The share of the lanes for which it is to decide; `None`: all.
    pub share: Option<LaneShare>,
    /// Whether to activate it although cases fail.
    pub is_forced: bool,
    /// The reason, which is recorded.
    pub reason: Option<&'a str>,
    /// What its shadow may have found, if that is a condition.
    pub when_clean: Option<CleanLimits>,
}

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

/// Where releases are checked.
#[derive(Clone)]
pub struct Checker {
    /// The releases on this machine.
    pub cache: Cache,
    /// Runs plugins, without any network.
    pub sandbox: Sandbox,
}

/// A release that was activated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Activated {
    /// The release that was activated, for all lanes or a share of them.
    pub release: ReleaseReport,
    /// The id of the release that was active before; null if none was. It decides for the rest if this is about a share.
    pub before: Option<String>,
    /// The id of another release that decided for a share of the lanes until now; null if none did.
    pub ended: Option<String>,
    /// Whether anything changed: it may have been active before.
    pub changed: bool,
    /// Whether cases fail, and it was activated all the same.
    pub forced: bool,
}

/// Why a release was not found, or not activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Nothing begins with these digits.
    #[error("no such release: {0}")]
    Unknown(String),
    /// More than one release begins with these digits.
    #[error("more than one release begins with {0}")]
    Ambiguous(String),
    /// It does not compile: no host could load it.
    #[error("the release {} does not compile:\n{findings}", short(.release))]
    DoesNotCompile {
        /// The release.
        release: String,
        /// What is wrong.
        findings: Findings,
    },
    /// Cases fail.
    #[error("cases of the release {} fail:\n{findings}", short(.release))]
    CasesFail {
        /// The release.
        release: String,
        /// Which ones.
        findings: Findings,
    },
    /// Its shadow was not clean.
    #[error("the shadow of the release {} is not clean: {}", short(.release), .wrong.join("; "))]
    NotClean {
        /// The release.
        release: String,
        /// What speaks against it.
        wrong: Vec<String>,
    },
    /// No other release was active before.
    #[error("no other release was active before")]
    NoneBefore,
    /// What is active does not allow it.
    #[error(transparent)]
    Not(#[from] NotActivated),
    /// Another activation came between.
    #[error("somebody else activated a release at the same time, so nothing was changed")]
    Overtaken,
    /// It could not be read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

impl From<StoreError> for ActivationError {
    fn from(error: StoreError) -> Self {
        ActivationError::Release(error.into())
    }
}

/// What is active and live, for reports.
struct Now {
    active: Option<Activation>,
    hosts: Vec<HostFacts>,
}

impl Now {
    fn report(&self, of: StoredRelease) -> Result<ReleaseReport, StoreError> {
        let release = short(&of.id).to_owned();
        let is_live = |host: &&HostFacts| {
            let of_share = host.share.as_ref().map(|(release, _)| release);
            [host.release.as_ref(), of_share].contains(&Some(&release))
        };
        let hosts = self.hosts.iter().filter(is_live);
        Ok(ReleaseReport {
            verdict: serde_json::from_str(&of.verdict)
                .map_err(|error| StoreError::Row(format!("the verdict on a release: {error}")))?,
            active: self.active.as_ref().is_some_and(|active| active.release == of.id),
            lanes: self.active.as_ref().map_or(0, |active| lanes_of(active, &of.id)),
            hosts: hosts.map(|host| host.name.clone()).collect(),
            release,
            id: of.id,
            created_at: of.created_at,
            created_by: of.created_by,
            note: of.note,
            parent: of.parent,
            activated_at: of.activated_at,
        })
    }
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

    /// Checks a release, runs its cases, and lets it decide for all lanes or for a share of them, on all hosts that follow.
    ///
    /// # Errors
    /// If it is unknown, if it does not compile, or if cases fail, unless it is forced; and if the share is less than it has, or
    /// another release decides for a share.
    pub async fn activate_release(
        &self,
        by: &Operator,
        digits: &str,
        how: HowToActivate<'_>,
        checker: &Checker,
    ) -> Result<Activated, ActivationError> {
        let id = self.found(digits).await?.id;
        // Said before what takes a while.
        next(self.store.last_active().await?.as_ref(), &id, how.share, false)?;
        if let Some(limits) = how.when_clean {
            self.check_clean(&id, limits).await?;
        }
        let catalog = self.checked(&id, checker).await?;
        let are_failing = !catalog.failed_cases.is_empty();
        if are_failing && !how.is_forced {
            let findings = Findings { folder: short(&id).to_owned(), findings: catalog.failed_cases.clone() };
            return Err(ActivationError::CasesFail { release: id, findings });
        }
        let last = self.store.last_active().await?;
        let next = next(last.as_ref(), &id, how.share, are_failing)?;
        if let Some(limits) = how.when_clean {
            self.check_clean(&id, limits).await?;
        }
        self.made_active(by, &id, ActivationWay::Activate, last, next, (how.reason, how.when_clean)).await
    }

    /// Checks that the last shadow of a release found nothing beyond these limits.
    async fn check_clean(&self, id: &str, limits: CleanLimits) -> Result<(), ActivationError> {
        let (active, shadow) = (self.store.last_active().await?, self.shadow_of(Some(id)).await?);
        let active = active.as_ref().map(|active| active.release.as_str());
        let wrong = limits.exceeded(shadow.as_ref(), active);
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(ActivationError::NotClean { release: id.to_owned(), wrong }),
        }
    }

    /// Ends the share of a release or, if none decides for a share, makes the release active that was active before. It is not
    /// checked again: that may be what is urgent.
    ///
    /// # Errors
    /// If no other release was active before.
    pub async fn roll_back(&self, by: &Operator, reason: Option<&str>) -> Result<Activated, ActivationError> {
        let last = self.store.last_active().await?;
        let (to, forced) = match last.as_ref().filter(|last| last.share.is_some()) {
            Some(last) => (last.release.clone(), last.forced),
            None => {
                let before = self.store.activation_before().await?.ok_or(ActivationError::NoneBefore)?;
                (before.release, before.forced)
            }
        };
        let next = next(last.as_ref(), &to, None, forced)?;
        self.made_active(by, &to, ActivationWay::Rollback, last, next, (reason, None)).await
    }

    async fn made_active(
        &self,
        by: &Operator,
        id: &str,
        way: ActivationWay,
        last: Option<Activation>,
        next: Option<Next>,
        (reason, when_clean): (Option<&str>, Option<CleanLimits>),
    ) -> Result<Activated, ActivationError> {
        let before = last.as_ref().map(|last| last.release.clone());
        let of_share = last.as_ref().and_then(|last| last.share.as_ref());
        let ended = of_share.filter(|share| share.release != id).map(|share| share.release.clone());
        let (changed, mut forced) = (next.is_some(), false);
        if let Some(next) = next {
            forced = next.is_forced();
            let lanes = next.share.as_ref().map(|share| share.lanes.lanes());
            let what = json!({
                "release": id, "before": before, "forced": forced, "lanes": lanes, "when_shadow_clean": when_clean,
            });
            let act: Act = by.act(
                match way {
                    ActivationWay::Rollback => "release.rollback",
                    ActivationWay::Activate | ActivationWay::Serve => "release.activate",
                },
                &what,
                reason,
            );
            let after = last.as_ref().map_or(0, |last| last.seq);
            let new = next.activation(by.name(), way, reason, after);
            if !self.store.activate_release(&new, Some(&act)).await? {
                return Err(ActivationError::Overtaken);
            }
            // The hosts look once a second, too.
            let _ = self.store.notify_of_release().await;
        }
        let release = self.now_live().await?.report(self.found(id).await?)?;
        Ok(Activated { release, before, ended: ended.filter(|_| changed), changed, forced })
    }

    /// Loads a release as `rules check` does, with the cases that fail.
    pub(super) async fn checked(&self, id: &str, checker: &Checker) -> Result<Catalog, ActivationError> {
        let Checker { cache, sandbox } = checker;
        let mut is_second = false;
        loop {
            let folders = cache.folders(&self.store, id, Some(sandbox.clone())).await?;
            let loaded = spawn_blocking(move || catalog::load_release_to_try(&folders)).await;
            let (found, loaded) = loaded.map_err(|error| ReleaseError::Io {
                what: "cannot check the release".to_owned(),
                error: error.into(),
            })?;
            if found != id && !is_second {
                cache.discard(id);
                is_second = true;
                continue;
            }
            if found != id {
                return Err(ReleaseError::Damaged { release: id.to_owned(), path: String::new() }.into());
            }
            return loaded
                .map_err(|findings| ActivationError::DoesNotCompile { release: id.to_owned(), findings });
        }
    }

    pub(super) async fn found(&self, digits: &str) -> Result<StoredRelease, ActivationError> {
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

/// For how many lanes a release is to decide.
fn lanes_of(active: &Activation, id: &str) -> i16 {
    let of_share = active.share.as_ref().map_or(0, |share| share.lanes.lanes());
    match &active.share {
        _ if active.release == id => LANES - of_share,
        Some(share) if share.release == id => of_share,
        _ => 0,
    }
}

impl ReleaseReport {
    /// Whether it can be activated without force.
    pub fn has_passed(&self) -> bool {
        self.verdict.state == VerdictState::Passed
    }
}
