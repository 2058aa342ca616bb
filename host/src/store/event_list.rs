//! Events as an operator lists them, newest first: most of all those of which no message came.

use std::{collections::HashMap, time::Duration};

use hookswitch_core::domain::{DecisionOutcome, LANES, Lane};
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::{COUNTED, Store, StoreError, looks::Looks};

/// Which events to list. What is `None` does not matter.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Received since then.
    pub since: Timestamp,
    /// With a decision of the last run that came to this.
    pub outcome: Option<DecisionOutcome>,
    /// With this type.
    pub kind: Option<String>,
    /// With this subject.
    pub subject: Option<String>,
    /// With this source.
    pub source: Option<String>,
    /// Before this place in the log: `next` of the previous page.
    pub before: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

/// An event in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListedEvent {
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's subject.
    pub subject: Option<String>,
    /// When it was received.
    pub received_at: Timestamp,
    /// What its last run came to: of several decisions the one that most needs attention, `failed`, `parked`, `no_route`,
    /// `nobody`, `skip`, `duplicate`, `collected`, `cancel` or `notify`. Null while the event is not routed.
    pub outcome: Option<String>,
    /// Why that decision came to that.
    pub reason: Option<String>,
    /// The place of that decision's rule, as `file:line`.
    pub rule: Option<String>,
    /// How often it was routed again.
    pub reruns: i16,
    #[serde(skip)]
    pub(super) place: (Lane, i64),
}

/// A page of a list of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events, newest first.
    pub data: Vec<ListedEvent>,
    /// `before` of the next page; null on the last page. A page may hold fewer events than its limit, even none, and have
    /// a next one.
    pub next: Option<i64>,
}

/// The decisions that count, those of an event's last run, in the order of how much they need attention.
const MATCHING: &str = "LEFT JOIN LATERAL (
         SELECT d.outcome, d.reason, d.rule, d.run FROM decision d
         WHERE d.lane = e.lane AND d.event_seq = e.seq AND NOT (d.outcome = 'parked' AND NOT EXISTS (
             SELECT FROM parked p WHERE p.lane = d.lane AND p.event_seq = d.event_seq AND p.ordinal = d.ordinal))
         ORDER BY d.run DESC,
             array_position(ARRAY['failed', 'parked', 'no_route', 'nobody', 'skip', 'duplicate', 'collected',
                 'cancel'], d.outcome), d.ordinal
         LIMIT 1
     ) AS last ON true
     WHERE e.received_at >= $4 AND ($5::text IS NULL OR e.type = $5) AND ($6::text IS NULL OR e.subject = $6)
       AND ($7::text IS NULL OR e.source = $7)";

const LISTED: &str =
    "SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.received_at, last.outcome, last.reason,
        last.rule, coalesce(last.run, 0::smallint)";

impl Store {
    /// A page of the events that a filter lets through, newest first. Where there is no time to look at more, the page may
    /// be short, and says where to go on.
    pub async fn list_events(&self, filter: &EventFilter, time: Duration) -> Result<EventPage, StoreError> {
        let mut before = filter.before.unwrap_or(i64::MAX);
        let mut events = Vec::new();
        let mut looks = Looks::new(time);
        loop {
            let left = filter.limit - i64::try_from(events.len()).unwrap_or(i64::MAX);
            let looked = match filter.outcome {
                Some(
                    outcome @ (DecisionOutcome::Failed | DecisionOutcome::NoRoute | DecisionOutcome::Nobody),
                ) => self.look_at_decisions(outcome, filter, before, left, looks.rows()).await?,
                _ => self.look_at_events(filter, before, left, looks.rows()).await?,
            };
            events.extend(looked.data);
            match looked.next {
                Some(next)
                    if i64::try_from(events.len()).is_ok_and(|found| found < filter.limit)
                        && !looks.are_over() =>
                {
                    before = next;
                }
                next => return Ok(EventPage { data: events, next }),
            }
        }
    }

    /// Looks at the newest events before a place: those of the next `looked` places of the log.
    async fn look_at_events(
        &self,
        filter: &EventFilter,
        before: i64,
        left: i64,
        looked: i64,
    ) -> Result<EventPage, StoreError> {
        let client = self.client().await?;
        let lanes: Vec<i16> = (0..LANES).collect();
        // After a failover the places have gaps: these are passed in one step.
        let newest = client
            .prepare_cached(
                "SELECT max(newest.seq) FROM unnest($1::smallint[]) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT seq FROM event WHERE event.lane = l.lane AND event.seq < $2
                     ORDER BY event.seq DESC LIMIT 1
                 ) newest",
            )
            .await?;
        let Some(newest) =
            client.query_one(&newest, &[&lanes, &before]).await?.try_get::<_, Option<i64>>(0)?
        else {
            return Ok(EventPage { data: Vec::new(), next: None });
        };
        let (before, first) = (newest + 1, newest + 1 - looked);
        let oldest = client
            .prepare_cached(
                "SELECT min(oldest.received_at) FROM unnest($1::smallint[]) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT received_at FROM event WHERE event.lane = l.lane AND event.seq >= $2
                     ORDER BY event.seq LIMIT 1
                 ) oldest",
            )
            .await?;
        let oldest: Option<Timestamp> = client.query_one(&oldest, &[&lanes, &first]).await?.try_get(0)?;
        let is_last = first <= 1 || oldest.is_none_or(|oldest| oldest < filter.since);
        let statement = client
            .prepare_cached(&format!(
                "{LISTED}
                 FROM unnest($1::smallint[]) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT lane, seq, id, source, type, subject, received_at FROM event
                     WHERE event.lane = l.lane AND event.seq < $2 AND event.seq >= $3
                 ) e
                 {MATCHING} AND ($8::text IS NULL OR EXISTS (
                     SELECT FROM decision d
                     WHERE d.lane = e.lane AND d.event_seq = e.seq AND d.run = last.run AND d.outcome = $8
                       AND (d.outcome <> 'parked' OR last.outcome = 'parked')))
                 ORDER BY e.seq DESC LIMIT $9"
            ))
            .await?;
        let outcome = filter.outcome.map(DecisionOutcome::as_str);
        let (kind, subject, source) = (&filter.kind, &filter.subject, &filter.source);
        let rows = client
            .query(
                &statement,
                &[&lanes, &before, &first, &filter.since, kind, subject, source, &outcome, &left],
            )
            .await?;
        page(&rows, left, (!is_last).then_some(first))
    }

    /// Looks at the newest decisions before a place that came to this.
    async fn look_at_decisions(
        &self,
        outcome: DecisionOutcome,
        filter: &EventFilter,
        before: i64,
        left: i64,
        looked: i64,
    ) -> Result<EventPage, StoreError> {
        let client = self.client().await?;
        let bounds = client
            .prepare_cached(
                "SELECT min(event_seq), min(decided_at), count(*) FROM (
                     SELECT event_seq, decided_at FROM decision
                     WHERE outcome = $1 AND outcome IN ('failed', 'no_route', 'nobody') AND event_seq < $2
                     ORDER BY event_seq DESC LIMIT $3
                 ) AS looked",
            )
            .await?;
        let row = client.query_one(&bounds, &[&outcome.as_str(), &before, &looked]).await?;
        let Some(first) = row.try_get::<_, Option<i64>>(0)? else {
            return Ok(EventPage { data: Vec::new(), next: None });
        };
        // An event is received before it is decided about.
        let is_last = row.try_get::<_, Timestamp>(1)? < filter.since || row.try_get::<_, i64>(2)? < looked;
        let statement = client
            .prepare_cached(&format!(
                "{LISTED}
                 FROM (
                     SELECT DISTINCT lane, event_seq, run FROM decision
                     WHERE outcome = $1 AND outcome IN ('failed', 'no_route', 'nobody')
                       AND event_seq < $2 AND event_seq >= $3
                 ) o
                 JOIN event e ON e.lane = o.lane AND e.seq = o.event_seq
                 {MATCHING} AND o.run = last.run
                 ORDER BY e.seq DESC LIMIT $8"
            ))
            .await?;
        let (kind, subject, source) = (&filter.kind, &filter.subject, &filter.source);
        let rows = client
            .query(
                &statement,
                &[&outcome.as_str(), &before, &first, &filter.since, kind, subject, source, &left],
            )
            .await?;
        page(&rows, left, (!is_last).then_some(first))
    }
}

/// Events of which no message came, for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsentFacts {
    /// What their decisions came to: `failed`, `no_route` or `nobody`.
    pub outcome: DecisionOutcome,
    /// The place of the rule, as `file:line`; of `no_route` the type.
    pub cause: String,
    /// How many.
    pub count: i64,
    /// Of the last one: why.
    pub reason: Option<String>,
    /// Of the last one: its id.
    pub id: String,
}

impl Store {
    /// What came to no message since then, by cause, of each outcome the causes with the most events; the newest 10,000
    /// are looked at. Events of the system's own that no route is for do not count: nobody needs to have one.
    pub async fn unsent_since(&self, since: Timestamp, limit: i64) -> Result<Vec<UnsentFacts>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT cause, count, reason, id FROM (
                     SELECT DISTINCT ON (cause) cause, count(*) OVER (PARTITION BY cause) AS count, d.reason, e.id
                     FROM (
                         SELECT lane, event_seq, reason, rule, run, decided_at FROM decision
                         WHERE outcome = $1 AND outcome IN ('failed', 'no_route', 'nobody')
                         ORDER BY event_seq DESC LIMIT $4
                     ) d
                     JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                     CROSS JOIN LATERAL (SELECT CASE $1 WHEN 'no_route' THEN e.type ELSE coalesce(d.rule, '') END) AS c (cause)
                     WHERE d.decided_at > $2 AND ($1 <> 'no_route' OR e.source <> '/hookswitch')
                       AND d.run = (SELECT max(l.run) FROM decision l WHERE l.lane = d.lane AND l.event_seq = d.event_seq)
                     ORDER BY cause, d.event_seq DESC
                 ) AS causes
                 ORDER BY count DESC, cause LIMIT $3",
            )
            .await?;
        let mut facts = Vec::new();
        for outcome in [DecisionOutcome::Failed, DecisionOutcome::NoRoute, DecisionOutcome::Nobody] {
            for row in client.query(&statement, &[&outcome.as_str(), &since, &limit, &COUNTED]).await? {
                facts.push(UnsentFacts {
                    outcome,
                    cause: row.try_get(0)?,
                    count: row.try_get(1)?,
                    reason: row.try_get(2)?,
                    id: row.try_get(3)?,
                });
            }
        }
        Ok(facts)
    }
}

/// How a rule decided lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// How many decisions were looked at.
    pub decided: i64,
    /// How many of them failed.
    pub failed: i64,
}

impl Store {
    /// How each rule, by `file:line`, decided among the last 20 decisions of each lane.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn decided_lately(&self) -> Result<HashMap<String, Lately>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT d.rule, count(*), count(*) FILTER (WHERE d.outcome = 'failed')
                 FROM generate_series(0, $1 - 1) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT rule, outcome FROM decision WHERE lane = l.lane ORDER BY event_seq DESC LIMIT 20
                 ) d
                 WHERE d.rule IS NOT NULL GROUP BY d.rule",
            )
            .await?;
        let rows = client.query(&statement, &[&i32::from(LANES)]).await?;
        let lately =
            |row: &Row| Ok((row.try_get(0)?, Lately { decided: row.try_get(1)?, failed: row.try_get(2)? }));
        rows.iter().map(lately).collect()
    }
}

/// A page of rows; after a full one comes what is before its last event, else what was not looked at.
fn page(rows: &[Row], limit: i64, unseen: Option<i64>) -> Result<EventPage, StoreError> {
    let events = rows.iter().map(listed).collect::<Result<Vec<_>, StoreError>>()?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
    let next = match events.last().filter(|_| is_full) {
        Some(last) => Some(last.place.1),
        None => unseen,
    };
    Ok(EventPage { data: events, next })
}

fn listed(row: &Row) -> Result<ListedEvent, StoreError> {
    Ok(ListedEvent {
        place: (Lane(row.try_get(0)?), row.try_get(1)?),
        id: row.try_get(2)?,
        source: row.try_get(3)?,
        kind: row.try_get(4)?,
        subject: row.try_get(5)?,
        received_at: row.try_get(6)?,
        outcome: row.try_get(7)?,
        reason: row.try_get(8)?,
        rule: row.try_get(9)?,
        reruns: row.try_get(10)?,
    })
}
