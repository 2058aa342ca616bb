//! Releases: their files once each, by hash, and which one is active.

use hookswitch_core::domain::LaneShare;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Act, Store, StoreError, operator_action::commit_change};

/// A release to be stored; its files are stored before.
#[derive(Clone, Copy, Debug)]
pub struct NewRelease<'a> {
    /// The SHA-256 over all paths and contents.
    pub id: &'a str,
    /// Who creates it.
    pub created_by: &'a str,
    /// What is said of it.
    pub note: Option<&'a str>,
    /// What became of its checks and cases, as JSON.
    pub verdict: &'a str,
    /// What it consists of, as JSON; `None` if it does not compile.
    pub outline: Option<&'a str>,
    /// The paths of its files, sorted.
    pub paths: &'a [&'a str],
    /// The hashes of its files, in the order of the paths.
    pub hashes: &'a [&'a [u8]],
}

/// A release, without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRelease {
    /// The SHA-256 over all paths and contents.
    pub id: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// What was said of it.
    pub note: Option<String>,
    /// The release that was active then.
    pub parent: Option<String>,
    /// What became of its checks and cases, as JSON.
    pub verdict: String,
    /// When it was last activated.
    pub activated_at: Option<Timestamp>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFile {
    /// `rules/…` or `plugins/…`.
    pub path: String,
    /// The SHA-256 of its content.
    pub sha256: Vec<u8>,
    /// Its size, in bytes.
    pub size: i64,
}

/// How a release came to be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationWay {
    /// An operator activated it.
    Activate,
    /// An operator went back to it.
    Rollback,
    /// A host that serves a folder loaded it.
    Serve,
}

impl ActivationWay {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            ActivationWay::Activate => "activate",
            ActivationWay::Rollback => "rollback",
            ActivationWay::Serve => "serve",
        }
    }
}

/// A release that decides for a share of the lanes, beside the active one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationShare {
    /// The release.
    pub release: String,
    /// Its lanes.
    pub lanes: LaneShare,
    /// Whether cases failed, and it was activated all the same.
    pub forced: bool,
}

/// An activation to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewActivation<'a> {
    /// The active release: the one that decides for all lanes but those of a share.
    pub release: &'a str,
    /// Who activates it.
    pub who: &'a str,
    /// How.
    pub way: ActivationWay,
    /// Whether cases failed, and it is activated all the same.
    pub forced: bool,
    /// The reason that was given.
    pub reason: Option<&'a str>,
    /// The release that decides for a share of the lanes.
    pub share: Option<&'a ActivationShare>,
    /// The place of the activation that it follows, 0 without one: where another came between, it is not stored.
    pub after: i64,
}

/// An activation of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Its place in the log.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The active release: the one that decides for all lanes but those of a share.
    pub release: String,
    /// Who activated it.
    pub who: String,
    /// How: `activate`, `rollback` or `serve`.
    pub way: String,
    /// Whether cases failed, and it was activated all the same.
    pub forced: bool,
    /// The reason that was given.
    pub reason: Option<String>,
    /// The release that decides for a share of the lanes.
    pub share: Option<ActivationShare>,
}

impl Activation {
    /// The ids of the releases that decide.
    pub fn releases(&self) -> Vec<String> {
        let of_share = self.share.iter().map(|share| share.release.clone());
        std::iter::once(self.release.clone()).chain(of_share).collect()
    }
}

/// The advisory lock under which activations are stored: each follows the one that it was decided after, and a smaller `seq`
/// never becomes visible after a larger one.
const ACTIVATIONS: i64 = 0x686f_6f6b_0008;

impl Store {
    /// Those of these hashes whose files are not stored.
    pub async fn missing_release_files(&self, hashes: &[&[u8]]) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT k.sha256 FROM unnest($1::bytea[]) AS k (sha256)
                 WHERE NOT EXISTS (SELECT FROM release_file f WHERE f.sha256 = k.sha256)",
                &[&hashes],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Stores a file, unless it is stored.
    pub async fn add_release_file(&self, sha256: &[u8], content: &[u8]) -> Result<(), StoreError> {
        let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
        self.client()
            .await?
            .execute(
                "INSERT INTO release_file (sha256, size, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &[&sha256, &size, &content],
            )
            .await?;
        Ok(())
    }

    /// Stores a release whose files are stored, and records that; returns whether it is new.
    pub async fn create_release(&self, new: &NewRelease<'_>, act: Option<&Act>) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let created = transaction
            .execute(
                "INSERT INTO release (id, created_by, note, parent, verdict, outline)
                 VALUES ($1, $2, $3, (SELECT release FROM activation ORDER BY seq DESC LIMIT 1), $4, $5)
                 ON CONFLICT DO NOTHING",
                &[&new.id, &new.created_by, &new.note, &new.verdict, &new.outline],
            )
            .await?;
        if created == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        transaction
            .execute(
                "INSERT INTO release_content (release, path, sha256)
                 SELECT $1, k.path, k.sha256 FROM unnest($2::text[], $3::bytea[]) AS k (path, sha256)",
                &[&new.id, &new.paths, &new.hashes],
            )
            .await?;
        if let Some(act) = act {
            act.append(&transaction, 1).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Releases that were created before a place, newest first.
    pub async fn releases(
        &self,
        before: Option<(Timestamp, &str)>,
        limit: i64,
    ) -> Result<Vec<StoredRelease>, StoreError> {
        let (at, id) = before.unzip();
        let rows = self
            .client()
            .await?
            .query(
                "SELECT r.id, r.created_at, r.created_by, r.note, r.parent, r.verdict,
                        greatest(
                            (SELECT a.at FROM activation a WHERE a.release = r.id AND a.share_release IS NULL
                             ORDER BY a.seq DESC LIMIT 1),
                            (SELECT a.at FROM activation a WHERE a.share_release = r.id ORDER BY a.seq DESC LIMIT 1))
                 FROM release r
                 WHERE (r.created_at, r.id) < (coalesce($1::timestamptz, 'infinity'), coalesce($2::text, ''))
                 ORDER BY r.created_at DESC, r.id DESC LIMIT $3",
                &[&at, &id, &limit],
            )
            .await?;
        rows.iter().map(release).collect()
    }

    /// The releases whose ids begin with these digits, at most two.
    pub async fn find_releases(&self, digits: &str) -> Result<Vec<StoredRelease>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT r.id, r.created_at, r.created_by, r.note, r.parent, r.verdict,
                        greatest(
                            (SELECT a.at FROM activation a WHERE a.release = r.id AND a.share_release IS NULL
                             ORDER BY a.seq DESC LIMIT 1),
                            (SELECT a.at FROM activation a WHERE a.share_release = r.id ORDER BY a.seq DESC LIMIT 1))
                 FROM release r WHERE r.id >= $1 AND r.id < $1 || 'g' ORDER BY r.id LIMIT 2",
                &[&digits],
            )
            .await?;
        rows.iter().map(release).collect()
    }

    /// What a release consists of, as JSON; `None` if it does not compile.
    pub async fn release_outline(&self, release: &str) -> Result<Option<String>, StoreError> {
        let client = self.client().await?;
        let row = client.query_opt("SELECT outline FROM release WHERE id = $1", &[&release]).await?;
        row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
    }

    /// The files of a release, by path.
    pub async fn release_files(&self, release: &str) -> Result<Vec<ReleaseFile>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT c.path, c.sha256, f.size FROM release_content c JOIN release_file f ON f.sha256 = c.sha256
                 WHERE c.release = $1 ORDER BY c.path",
                &[&release],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ReleaseFile { path: row.try_get(0)?, sha256: row.try_get(1)?, size: row.try_get(2)? })
            })
            .collect()
    }

    /// The content of a file of releases.
    pub async fn release_file(&self, sha256: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let client = self.client().await?;
        let row = client.query_opt("SELECT content FROM release_file WHERE sha256 = $1", &[&sha256]).await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Activates a release for all hosts that follow, and records that if it is an operator's act; returns whether it did, or
    /// another activation came between.
    pub async fn activate_release(
        &self,
        new: &NewActivation<'_>,
        act: Option<&Act>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&ACTIVATIONS]).await?;
        let share_release = new.share.map(|share| share.release.as_str());
        let share_lanes = new.share.map(|share| share.lanes.lanes());
        let share_forced = new.share.map(|share| share.forced);
        let stored = transaction
            .execute(
                "INSERT INTO activation
                     (release, who, way, forced, reason, share_release, share_lanes, share_forced)
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8
                 WHERE coalesce((SELECT l.seq FROM activation l ORDER BY l.seq DESC LIMIT 1), 0) = $9",
                &[
                    &new.release,
                    &new.who,
                    &new.way.as_str(),
                    &new.forced,
                    &new.reason,
                    &share_release,
                    &share_lanes,
                    &share_forced,
                    &new.after,
                ],
            )
            .await?;
        commit_change(transaction, stored, act).await
    }

    /// The place of the last activation; 0 if there is none.
    pub async fn last_activation(&self) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached("SELECT seq FROM activation ORDER BY seq DESC LIMIT 1").await?;
        let row = client.query_opt(&statement, &[]).await?;
        row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    }

    /// The last activation: that of the active release.
    pub async fn last_active(&self) -> Result<Option<Activation>, StoreError> {
        let row = self
            .client()
            .await?
            .query_opt(
                "SELECT seq, at, release, who, way, forced, reason, share_release, share_lanes, share_forced
                 FROM activation ORDER BY seq DESC LIMIT 1",
                &[],
            )
            .await?;
        row.as_ref().map(activation).transpose()
    }

    /// The activations of a release, for all lanes or a share of them, newest first.
    pub async fn activations_of(&self, release: &str, limit: i64) -> Result<Vec<Activation>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT seq, at, release, who, way, forced, reason, share_release, share_lanes, share_forced
                 FROM activation
                 WHERE (release = $1 AND share_release IS NULL) OR share_release = $1 ORDER BY seq DESC LIMIT $2",
                &[&release, &limit],
            )
            .await?;
        rows.iter().map(activation).collect()
    }

    /// The last activation of another release than the active one.
    pub async fn activation_before(&self) -> Result<Option<Activation>, StoreError> {
        let row = self
            .client()
            .await?
            .query_opt(
                "SELECT seq, at, release, who, way, forced, reason, share_release, share_lanes, share_forced
                 FROM activation
                 WHERE release <> (SELECT l.release FROM activation l ORDER BY l.seq DESC LIMIT 1)
                 ORDER BY seq DESC LIMIT 1",
                &[],
            )
            .await?;
        row.as_ref().map(activation).transpose()
    }

    /// Drops some releases that were not active since then, and files that no release has any more; returns how many rows,
    /// 0 at the end.
    pub async fn prune_releases(&self, before: Timestamp) -> Result<i64, StoreError> {
        let row = self.client().await?.query_one("SELECT prune_releases($1)", &[&before]).await?;
        Ok(row.try_get(0)?)
    }
}

fn release(row: &Row) -> Result<StoredRelease, StoreError> {
    Ok(StoredRelease {
        id: row.try_get(0)?,
        created_at: row.try_get(1)?,
        created_by: row.try_get(2)?,
        note: row.try_get(3)?,
        parent: row.try_get(4)?,
        verdict: row.try_get(5)?,
        activated_at: row.try_get(6)?,
    })
}

fn activation(row: &Row) -> Result<Activation, StoreError> {
    let share = match (row.try_get(7)?, row.try_get(8)?, row.try_get(9)?) {
        (Some(release), Some(lanes), Some(forced)) => {
            let wrong =
                || StoreError::Row(format!("a release cannot decide for {lanes} lanes beside another"));
            Some(ActivationShare { release, lanes: LaneShare::of_lanes(lanes).ok_or_else(wrong)?, forced })
        }
        _ => None,
    };
    Ok(Activation {
        seq: row.try_get(0)?,
        at: row.try_get(1)?,
        release: row.try_get(2)?,
        who: row.try_get(3)?,
        way: row.try_get(4)?,
        forced: row.try_get(5)?,
        reason: row.try_get(6)?,
        share,
    })
}
