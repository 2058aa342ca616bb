//! The hosts that share a database.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Operate;
use crate::{check::lives, store::StoreError};

/// A host, as it last reported itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Host)]
pub struct HostState {
    /// Machine and process.
    pub name: String,
    /// Whether it has reported itself within 15 seconds; one that has not for an hour is no longer listed.
    pub alive: bool,
    /// Number of lanes, of 64, that it holds.
    pub lanes: i64,
    /// The release of the rules that are live there; null if it is not known.
    pub release: Option<String>,
    /// The release that decides for a share of the lanes there, beside `release`; null if none does.
    pub share_release: Option<String>,
    /// Of how many of the 64 lanes of events `share_release` decides; null if none does.
    pub share_lanes: Option<i16>,
    /// Whether it follows the active release; otherwise it serves a folder of its own.
    pub follows: bool,
    /// The active release, or the one that is to decide for a share of the lanes, if it could not load it; then it keeps
    /// `release`.
    pub refused_release: Option<String>,
    /// Why it could not load it.
    pub refusal: Option<String>,
    /// The version of the program; null if it is not known.
    pub version: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last reported itself.
    pub seen_at: Timestamp,
    /// How far the clock of its machine is ahead of PostgreSQL's, in milliseconds; negative if it is behind.
    pub clock_ahead_ms: i64,
}

impl Operate {
    /// All hosts, the oldest first.
    pub async fn hosts(&self) -> Result<Vec<HostState>, StoreError> {
        let now = self.now();
        let state = |host: crate::store::HostFacts| {
            let (refused_release, refusal) = host.refused.clone().unzip();
            let (share_release, share_lanes) =
                host.share.clone().map(|(release, share)| (release, share.lanes())).unzip();
            HostState {
                alive: lives(&host, now),
                follows: host.follows,
                share_release,
                share_lanes,
                refused_release,
                refusal,
                name: host.name,
                lanes: host.lanes,
                release: host.release,
                version: host.version,
                started_at: host.started_at,
                seen_at: host.seen_at,
                clock_ahead_ms: i64::try_from(host.clock_ahead.as_millis()).unwrap_or(i64::MAX),
            }
        };
        Ok(self.store.host_facts().await?.into_iter().map(state).collect())
    }
}
