//! Activates releases, and takes that back.

use hookswitch_core::{
    catalog::{self, Catalog, Findings},
    decide::plugin::Sandbox,
    domain::LaneShare,
};
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::{
    next::{Next, NotActivated, next},
    report::ReleaseReport,
};
use crate::{
    operate::{Operate, Operator, shadow::CleanLimits},
    releases::{Cache, ReleaseError, short},
    store::{Act, Activation, ActivationWay, StoreError},
};

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

impl Operate {
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
    pub(in crate::operate) async fn checked(
        &self,
        id: &str,
        checker: &Checker,
    ) -> Result<Catalog, ActivationError> {
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
}
