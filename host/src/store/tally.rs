//! What happened by minute and by hour, for charts. Each host adds what it counted; no log is counted for it.

use jiff::Timestamp;

use super::{Store, StoreError};

/// Maximum number of rows that are removed in one statement.
const BATCH: i64 = 1_000;
/// Maximum number of rows of an answer: more than 30 days of hours or two days of minutes have.
const LIMIT: i64 = 100_000;

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Kept for two days.
    Minute,
    /// Kept for 30 days.
    Hour,
}

impl Step {
    /// Both.
    pub const ALL: [Step; 2] = [Step::Minute, Step::Hour];

    /// Its length in seconds.
    pub fn seconds(self) -> i16 {
        match self {
            Step::Minute => 60,
            Step::Hour => 3_600,
        }
    }

    /// How long its buckets are kept, in seconds.
    fn kept(self) -> f64 {
        match self {
            Step::Minute => 2.0 * 86_400.0,
            Step::Hour => 30.0 * 86_400.0,
        }
    }
}

/// How often something happened in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallied {
    /// When the bucket began.
    pub at: Timestamp,
    /// `event`, `decision`, `send` or `receipt`.
    pub kind: String,
    /// Its outcome, result or status.
    pub label: String,
    /// How often.
    pub n: i64,
}

impl Store {
    /// Adds what happened (kind, label and number) to the current minute and hour.
    pub async fn add_tally(&self, counted: &[(&str, &str, i64)]) -> Result<(), StoreError> {
        let kinds: Vec<&str> = counted.iter().map(|(kind, ..)| *kind).collect();
        let labels: Vec<&str> = counted.iter().map(|(_, label, _)| *label).collect();
        let numbers: Vec<i64> = counted.iter().map(|(.., n)| *n).collect();
        let steps = Step::ALL.map(Step::seconds).to_vec();
        let client = self.client().await?;
        // In the order of the key, so that two hosts wait for each other and do not block each other.
        let statement = client
            .prepare_cached(
                "INSERT INTO tally (step, at, kind, label, n)
                 SELECT s.step, date_bin(make_interval(secs => s.step), now(), 'epoch'), c.kind, c.label, c.n
                 FROM unnest($1::smallint[]) AS s (step)
                 CROSS JOIN unnest($2::text[], $3::text[], $4::bigint[]) AS c (kind, label, n)
                 ORDER BY s.step, c.kind COLLATE \"C\", c.label COLLATE \"C\"
                 ON CONFLICT (step, at, kind, label) DO UPDATE SET n = tally.n + excluded.n",
            )
            .await?;
        client.execute(&statement, &[&steps, &kinds, &labels, &numbers]).await?;
        Ok(())
    }

    /// What happened since then, by minute or by hour, the oldest bucket first. Buckets in which nothing happened are left
    /// out.
    pub async fn tally(&self, step: Step, since: Timestamp) -> Result<Vec<Tallied>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT at, kind, label, n FROM tally WHERE step = $1 AND at >= $2
                 ORDER BY at, kind, label LIMIT $3",
            )
            .await?;
        let rows = client.query(&statement, &[&step.seconds(), &since, &LIMIT]).await?;
        rows.iter()
            .map(|row| {
                Ok(Tallied {
                    at: row.try_get(0)?,
                    kind: row.try_get(1)?,
                    label: row.try_get(2)?,
                    n: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Removes buckets that are older than they are kept, the oldest first; at most 1,000 of each step, which is more than
    /// are added in a minute.
    pub async fn prune_tally(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "DELETE FROM tally t USING (
                     SELECT step, at, kind, label FROM tally
                     WHERE step = $1 AND at < now() - make_interval(secs => $2)
                     ORDER BY at, kind, label LIMIT $3) AS old
                 WHERE (t.step, t.at, t.kind, t.label) = (old.step, old.at, old.kind, old.label)",
            )
            .await?;
        for step in Step::ALL {
            client.execute(&statement, &[&step.seconds(), &step.kept(), &BATCH]).await?;
        }
        Ok(())
    }
}
