//! What routing has passed by and is not done with. The cursor may be beyond such an event: its row stays until the
//! transaction that appends what was left to append.

use hookswitch_core::domain::Lane;
use uuid::Uuid;

use super::{LEASE, LoggedEvent, RoutingTransaction, Store, StoreError, event};

/// The ordinal of an event that is not decided.
const UNDECIDED: i16 = -1;

/// An event that is not decided though the cursor is beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Its lane.
    pub lane: Lane,
    /// Its place in its log.
    pub event_seq: i64,
    /// Its type.
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
    /// How often a host died while it decided this event.
    pub deaths: i16,
    /// How often while it decided nothing else beside.
    pub alone_deaths: i16,
}

/// The numbers of the next decision about an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextDecision {
    /// Its ordinal.
    pub ordinal: i16,
    /// The run of the last decision.
    pub run: i16,
}

/// How far a decision is told that is told page by page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last member of its groups who was told.
    pub member: i64,
    /// How many of those whom it names itself were told; `None` while there are members left.
    pub named: Option<i32>,
}

/// A decision that is to be told page by page.
#[derive(Clone, Debug)]
pub struct NewSpread {
    /// The event's lane.
    pub lane: Lane,
    /// The event's `seq`.
    pub seq: i64,
    /// Which of its decisions.
    pub ordinal: i16,
    /// The names of its groups.
    pub groups: Vec<String>,
}

/// A decision that is told page by page.
#[derive(Clone, Debug)]
pub struct Spread {
    /// The event.
    pub logged: LoggedEvent,
    /// Which of its decisions.
    pub ordinal: i16,
    /// The decision, as JSON.
    pub decision: String,
    /// The ids of its groups, in its order; 0 for one that did not exist.
    pub groups: Vec<i64>,
    /// How far it is told.
    pub progress: Progress,
    /// How often a host died while it was at it, without telling anybody.
    pub deaths: i16,
}

impl Store {
    /// Says that this host routes these lanes, and returns those that a host routed that died.
    pub async fn begin_routing(&self, host: Uuid, lanes: &[Lane]) -> Result<Vec<Lane>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE lane SET routed_by = $1
                 FROM (SELECT lane, routed_by FROM lane WHERE lane = ANY($2) ORDER BY lane FOR UPDATE) AS old
                 WHERE lane.lane = old.lane
                 RETURNING lane.lane, old.routed_by IS NOT NULL AND old.routed_by <> $1 AND NOT EXISTS (
                     SELECT FROM host WHERE host.id = old.routed_by
                         AND host.seen_at > now() - make_interval(secs => $3))",
            )
            .await?;
        let mut orphans = Vec::new();
        for row in client.query(&statement, &[&host, &lanes, &LEASE.as_secs_f64()]).await? {
            if row.try_get(1)? {
                orphans.push(Lane(row.try_get(0)?));
            }
        }
        Ok(orphans)
    }

    /// Says that this host has stopped routing, and is at nothing any more.
    pub async fn end_routing(&self, host: Uuid) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute("UPDATE lane SET routed_by = NULL WHERE routed_by = $1", &[&host]).await?;
        client.execute("UPDATE unfinished SET host = NULL, alone = false WHERE host = $1", &[&host]).await?;
        client
            .execute("UPDATE parked SET host = NULL, alone = false WHERE due AND host = $1", &[&host])
            .await?;
        Ok(())
    }

    /// The events of these lanes that are not decided, in the order of the log; and the lanes that have decisions to be
    /// told page by page. What a host was at that died is counted.
    pub async fn unfinished(
        &self,
        host: Uuid,
        lanes: &[Lane],
    ) -> Result<(Vec<Unfinished>, Vec<Lane>), StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE unfinished u SET host = NULL, alone = false, deaths = deaths + was.dead::int,
                     alone_deaths = alone_deaths + (was.dead AND u.alone)::int
                 FROM (
                     SELECT host AS id, NOT EXISTS (
                         SELECT FROM host h WHERE h.id = o.host
                             AND h.seen_at > now() - make_interval(secs => $3)) AS dead
                     FROM (SELECT DISTINCT host FROM unfinished WHERE lane = ANY($2) AND host <> $1) o
                 ) AS was
                 WHERE u.host = was.id AND u.lane = ANY($2)",
            )
            .await?;
        client.execute(&statement, &[&host, &lanes, &LEASE.as_secs_f64()]).await?;
        drop(client);
        self.count_parked_deaths(host, &lanes).await?;
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT u.lane, u.event_seq, e.type, e.subject, u.deaths, u.alone_deaths
                 FROM unfinished u JOIN event e ON e.lane = u.lane AND e.seq = u.event_seq
                 WHERE u.lane = ANY($1) AND u.ordinal = $2
                 ORDER BY u.event_seq",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &UNDECIDED]).await?;
        let undecided = rows.iter().map(|row| {
            Ok(Unfinished {
                lane: Lane(row.try_get(0)?),
                event_seq: row.try_get(1)?,
                kind: row.try_get(2)?,
                subject: row.try_get(3)?,
                deaths: row.try_get(4)?,
                alone_deaths: row.try_get(5)?,
            })
        });
        let undecided = undecided.collect::<Result<Vec<_>, StoreError>>()?;
        let statement = client
            .prepare_cached("SELECT DISTINCT lane FROM unfinished WHERE lane = ANY($1) AND ordinal >= 0")
            .await?;
        let rows = client.query(&statement, &[&lanes]).await?;
        let spread = rows.iter().map(|row| Ok(Lane(row.try_get(0)?)));
        Ok((undecided, spread.collect::<Result<Vec<_>, StoreError>>()?))
    }

    /// Says that this host is deciding these events; `alone` where it decides one, and no other of the list beside. It is
    /// not waited until that is on disk: it must outlive the host, not PostgreSQL.
    pub async fn begin_deciding(
        &self,
        host: Uuid,
        events: &[(Lane, i64)],
        alone: bool,
    ) -> Result<(), StoreError> {
        let lanes: Vec<i16> = events.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = events.iter().map(|(_, seq)| *seq).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE unfinished SET host = $1, alone = $4 AND begun.is_new
                 FROM (
                     SELECT lane, event_seq, bool_or(is_new) AS is_new
                     FROM (
                         SELECT lane, event_seq, false AS is_new FROM unfinished
                         WHERE host = $1 AND ordinal = $5 AND alone
                         UNION ALL
                         SELECT lane, event_seq, true FROM unnest($2::smallint[], $3::bigint[]) AS n (lane, event_seq)
                     ) AS both_of_them
                     GROUP BY lane, event_seq
                 ) AS begun, (SELECT set_config('synchronous_commit', 'off', true)) AS soon
                 WHERE unfinished.lane = begun.lane AND unfinished.event_seq = begun.event_seq
                     AND unfinished.ordinal = $5",
            )
            .await?;
        client.execute(&statement, &[&host, &lanes, &seqs, &alone, &UNDECIDED]).await?;
        Ok(())
    }

    /// The first decision of a lane that is told page by page, which this host is at from now on.
    pub async fn begin_spread(&self, host: Uuid, lane: Lane) -> Result<Option<Spread>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH first AS (
                     UPDATE unfinished SET host = $1, alone = true
                     WHERE (lane, event_seq, ordinal) IN (
                         SELECT lane, event_seq, ordinal FROM unfinished WHERE lane = $2 AND ordinal >= 0
                         ORDER BY event_seq, ordinal LIMIT 1)
                     RETURNING lane, event_seq, ordinal, member, named, alone_deaths, group_ids
                 )
                 SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions,
                        e.received_at, f.ordinal, d.decision, f.member, f.named, f.alone_deaths, f.group_ids
                 FROM first f
                 JOIN event e ON e.lane = f.lane AND e.seq = f.event_seq
                 JOIN decision d ON d.lane = f.lane AND d.event_seq = f.event_seq AND d.ordinal = f.ordinal",
            )
            .await?;
        let row = client.query_opt(&statement, &[&host, &lane.0]).await?;
        row.map(|row| {
            Ok(Spread {
                logged: event::logged_event(&row)?,
                ordinal: row.try_get(10)?,
                decision: row.try_get::<_, Option<String>>(11)?.unwrap_or_default(),
                progress: Progress { member: row.try_get(12)?, named: row.try_get(13)? },
                deaths: row.try_get(14)?,
                groups: row.try_get(15)?,
            })
        })
        .transpose()
    }
}

impl RoutingTransaction<'_> {
    /// Lets the cursor pass events that are not decided. Beside each, whether `host` is deciding it; `alone` where that
    /// is one, and no other of the list beside. Those that are `suspect` are decided one by one.
    pub async fn set_aside(
        &self,
        host: Uuid,
        events: &[(Lane, i64, bool)],
        alone: bool,
        suspect: bool,
    ) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = events.iter().map(|(lane, ..)| lane.0).collect();
        let seqs: Vec<i64> = events.iter().map(|(_, seq, _)| *seq).collect();
        let begun: Vec<bool> = events.iter().map(|(.., begun)| *begun).collect();
        if !alone && begun.contains(&true) {
            let statement = self
                .transaction
                .prepare_cached(
                    "UPDATE unfinished SET alone = false WHERE host = $1 AND alone AND ordinal = $2",
                )
                .await?;
            self.transaction.execute(&statement, &[&host, &UNDECIDED]).await?;
        }
        let deaths = if suspect { SUSPECT } else { 0 };
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO unfinished (lane, event_seq, ordinal, host, alone, deaths)
                 SELECT lane, seq, $4, CASE WHEN begun THEN $5::uuid END, begun AND $6, $7
                 FROM unnest($1::smallint[], $2::bigint[], $3::bool[]) AS e (lane, seq, begun)",
            )
            .await?;
        self.transaction
            .execute(&statement, &[&lanes, &seqs, &begun, &UNDECIDED, &host, &alone, &deaths])
            .await?;
        Ok(())
    }

    /// Takes events off the list that are decided now.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one is not on it: somebody else has decided it.
    pub async fn decided(&self, events: &[(Lane, i64)]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = events.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = events.iter().map(|(_, seq)| *seq).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "DELETE FROM unfinished USING unnest($1::smallint[], $2::bigint[]) AS e (lane, seq)
                 WHERE unfinished.lane = e.lane AND unfinished.event_seq = e.seq AND unfinished.ordinal = $3",
            )
            .await?;
        let deleted = self.transaction.execute(&statement, &[&lanes, &seqs, &UNDECIDED]).await?;
        if deleted != events.len() as u64 {
            return Err(StoreError::Conflict("an event that was set aside is decided already".to_owned()));
        }
        Ok(())
    }

    /// Has decisions told page by page from their beginning, to the groups that have these names now.
    pub async fn spread(&self, host: Uuid, decisions: &[NewSpread]) -> Result<(), StoreError> {
        if decisions.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = decisions.iter().map(|decision| decision.lane.0).collect();
        let seqs: Vec<i64> = decisions.iter().map(|decision| decision.seq).collect();
        let ordinals: Vec<i16> = decisions.iter().map(|decision| decision.ordinal).collect();
        let groups = decisions.iter().map(|decision| serde_json::to_string(&decision.groups));
        let groups: Vec<String> =
            groups.collect::<Result<_, _>>().map_err(|error| StoreError::Statement(error.to_string()))?;
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO unfinished (lane, event_seq, ordinal, host, group_ids)
                 SELECT d.lane, d.seq, d.ordinal, $5, ARRAY(
                     SELECT coalesce(g.id, 0)
                     FROM jsonb_array_elements_text(d.names::jsonb) WITH ORDINALITY AS n (name, place)
                     LEFT JOIN groups g ON g.name = n.name
                     ORDER BY n.place)
                 FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[])
                     AS d (lane, seq, ordinal, names)",
            )
            .await?;
        self.transaction.execute(&statement, &[&lanes, &seqs, &ordinals, &groups, &host]).await?;
        Ok(())
    }

    /// Moves a decision's progress on to where its next page begins; `None` where all are told. The row is the page's
    /// key: of two hosts that tell one page, one does.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is no longer where this host left it.
    pub async fn advance(&self, spread: &Spread, to: Option<Progress>) -> Result<(), StoreError> {
        let (lane, seq, ordinal) = (spread.logged.lane.0, spread.logged.seq, spread.ordinal);
        let Progress { member, named } = spread.progress;
        let changed = match to {
            Some(to) => {
                let statement = self
                    .transaction
                    .prepare_cached(
                        "UPDATE unfinished SET member = $6, named = $7, alone = false, alone_deaths = 0
                         WHERE lane = $1 AND event_seq = $2 AND ordinal = $3 AND member = $4
                             AND named IS NOT DISTINCT FROM $5",
                    )
                    .await?;
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
                    [&lane, &seq, &ordinal, &member, &named, &to.member, &to.named];
                self.transaction.execute(&statement, &values).await?
            }
            None => {
                let statement = self
                    .transaction
                    .prepare_cached(
                        "DELETE FROM unfinished
                         WHERE lane = $1 AND event_seq = $2 AND ordinal = $3 AND member = $4
                             AND named IS NOT DISTINCT FROM $5",
                    )
                    .await?;
                self.transaction.execute(&statement, &[&lane, &seq, &ordinal, &member, &named]).await?
            }
        };
        if changed != 1 {
            return Err(StoreError::Conflict("a page of a large decision is told already".to_owned()));
        }
        Ok(())
    }

    /// The numbers that the next decisions of these events have.
    pub async fn next_decisions(
        &self,
        events: &[(Lane, i64)],
    ) -> Result<Vec<((Lane, i64), NextDecision)>, StoreError> {
        let lanes: Vec<i16> = events.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = events.iter().map(|(_, seq)| *seq).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "SELECT e.lane, e.seq, (coalesce(last.ordinal, -1) + 1)::smallint, coalesce(last.run, 0::smallint)
                 FROM unnest($1::smallint[], $2::bigint[]) AS e (lane, seq)
                 LEFT JOIN LATERAL (
                     SELECT ordinal, run FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq
                     ORDER BY ordinal DESC LIMIT 1
                 ) last ON true",
            )
            .await?;
        let rows = self.transaction.query(&statement, &[&lanes, &seqs]).await?;
        rows.iter()
            .map(|row| {
                let next = NextDecision { ordinal: row.try_get(2)?, run: row.try_get(3)? };
                Ok(((Lane(row.try_get(0)?), row.try_get(1)?), next))
            })
            .collect()
    }
}

/// The deaths from which on an event is decided alone.
pub(super) const SUSPECT: i16 = 2;
