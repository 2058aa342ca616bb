//! What is shown of releases.

use hookswitch_core::domain::LANES;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    releases::{Verdict, VerdictState, short},
    store::{Activation, HostFacts, StoreError, StoredRelease},
};

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

impl ReleaseReport {
    /// Whether it can be activated without force.
    pub fn has_passed(&self) -> bool {
        self.verdict.state == VerdictState::Passed
    }
}

/// What is active and live, for reports.
pub(super) struct Now {
    pub active: Option<Activation>,
    pub hosts: Vec<HostFacts>,
}

impl Now {
    pub fn report(&self, of: StoredRelease) -> Result<ReleaseReport, StoreError> {
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

/// For how many lanes a release is to decide.
fn lanes_of(active: &Activation, id: &str) -> i16 {
    let of_share = active.share.as_ref().map_or(0, |share| share.lanes.lanes());
    match &active.share {
        _ if active.release == id => LANES - of_share,
        Some(share) if share.release == id => of_share,
        _ => 0,
    }
}
