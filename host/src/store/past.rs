//! Past events with what was decided about them, read page by page in the order of the log. Each page is read by statements of
//! its own: no snapshot is held from one to the next.

use std::collections::HashMap;

use hookswitch_core::domain::{LANES, Lane};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{LoggedEvent, Store, StoreError, event::logged_event};

/// Which events to read.
#[derive(Clone, Debug, Default)]
pub struct PastFilter {
    /// Of one of these types, or of a type that begins with one of the prefixes; of any type if there are neither.
    pub types: Vec<String>,
    /// Beginnings of types, for example `payment.`.
    pub prefixes: Vec<String>,
    /// One of so many, by a hash of the id; 1 for all.
    pub one_of: i64,
}

/// An event with its decisions.
#[derive(Clone, Debug)]
pub struct PastEvent {
    /// The event.
    pub logged: LoggedEvent,
    /// The decisions about it, in order; none if it is not routed yet.
    pub decisions: Vec<PastDecision>,
}

/// A decision as it was recorded.
#[derive(Clone, Debug)]
pub struct PastDecision {
    /// How often the event had been routed whole before.
    pub run: i16,
    /// What it came to.
    pub outcome: String,
    /// Why, in words.
    pub reason: Option<String>,
    /// `file:line` of the rule.
    pub rule: Option<String>,
    /// The short name of the release.
    pub release: String,
    /// The decision, as JSON.
    pub decision: Option<String>,
    /// What the rule asked and was told, as JSON.
    pub asked: Option<String>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How many messages to somebody were planned for it.
    pub told: i64,
}

/// A page of past events.
#[derive(Clone, Debug, Default)]
pub struct PastPage {
    /// The events, in the order of the log.
    pub events: Vec<PastEvent>,
    /// The place up to which the log was looked at.
    pub place: i64,
    /// The size of what was read, in bytes.
    pub bytes: usize,
}

impl Store {
    /// The place of the first event that was received at this time or later, and one more than the last place if none was.
    pub async fn first_place_since(&self, since: Timestamp) -> Result<i64, StoreError> {
        let last = self.last_place().await?;
        // Later events were received later, but for transactions that crossed: a few milliseconds.
        let (mut low, mut high) = (0, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.event_from(middle).await? {
                Some((_, received_at)) if received_at < since => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The place of the newest event; 0 if there is none.
    pub async fn last_place(&self) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT coalesce(max(e.seq), 0)
                 FROM unnest($1::smallint[]) AS l (lane)
                 CROSS JOIN LATERAL (SELECT seq FROM event WHERE event.lane = l.lane ORDER BY event.seq DESC LIMIT 1) e",
            )
            .await?;
        Ok(client.query_one(&statement, &[&lanes()]).await?.try_get(0)?)
    }

    /// The first event at this place or after it, and when it was received.
    async fn event_from(&self, place: i64) -> Result<Option<(i64, Timestamp)>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT e.seq, e.received_at
                 FROM unnest($1::smallint[]) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT seq, received_at FROM event WHERE event.lane = l.lane AND event.seq >= $2
                     ORDER BY event.seq LIMIT 1
                 ) e
                 ORDER BY e.seq LIMIT 1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&lanes(), &place]).await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    /// The events after a place, up to another one, with their decisions, as far as their payloads fit into so many bytes.
    pub async fn past_events(
        &self,
        filter: &PastFilter,
        after: i64,
        until: i64,
        bytes: usize,
    ) -> Result<PastPage, StoreError> {
        let most = i64::try_from(bytes).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at, before
                 FROM (
                     SELECT e.*, sum(octet_length(e.data)) OVER (ORDER BY e.seq) - octet_length(e.data) AS before
                     FROM unnest($1::smallint[]) AS l (lane)
                     CROSS JOIN LATERAL (
                         SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at
                         FROM event
                         WHERE event.lane = l.lane AND event.seq > $2 AND event.seq <= $3
                             AND (cardinality($4::text[]) + cardinality($5::text[]) = 0 OR type = ANY($4)
                                 OR EXISTS (SELECT FROM unnest($5::text[]) AS p (prefix) WHERE starts_with(type, prefix)))
                             AND ($6::bigint <= 1
                                 OR ('x' || left(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 12))::bit(48)::bigint % $6 = 0)
                         ORDER BY event.seq
                     ) e
                 ) e
                 WHERE before < $7 ORDER BY seq",
            )
            .await?;
        let rows = client
            .query(
                &statement,
                &[&lanes(), &after, &until, &filter.types, &filter.prefixes, &filter.one_of, &most],
            )
            .await?;
        drop(client);
        let mut page = PastPage { place: until, ..PastPage::default() };
        for row in &rows {
            let logged = logged_event(row)?;
            page.bytes += logged.event.data.get().len();
            page.events.push(PastEvent { logged, decisions: Vec::new() });
        }
        if page.bytes >= bytes
            && let Some(last) = page.events.last()
        {
            page.place = last.logged.seq;
        }
        self.add_decisions(&mut page).await?;
        Ok(page)
    }

    /// The events of the first lanes after these places that are decided, received before a time: at most `each` of a lane, as far
    /// as their payloads fit into so many bytes, with their decisions. `places` are moved on. Where an event is still being decided,
    /// its lane waits for it, for a minute.
    pub async fn decided_events(
        &self,
        places: &mut [i64],
        until: Timestamp,
        each: i64,
        bytes: usize,
    ) -> Result<PastPage, StoreError> {
        let lanes: Vec<i16> = lanes().into_iter().take(places.len()).collect();
        let most = i64::try_from(bytes).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at, before
                 FROM (
                     SELECT e.*, sum(octet_length(e.data)) OVER (ORDER BY e.seq) - octet_length(e.data) AS before
                     FROM unnest($1::smallint[], $2::bigint[]) AS l (lane, place)
                     CROSS JOIN LATERAL (
                         SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at
                         FROM event
                         WHERE event.lane = l.lane AND event.seq > l.place
                             AND event.seq <= (SELECT max(d.event_seq) FROM decision d WHERE d.lane = l.lane)
                             AND event.seq < coalesce(
                                 (SELECT min(u.event_seq) FROM unfinished u
                                  WHERE u.lane = l.lane AND u.event_seq > l.place AND u.since > now() - interval '1 minute'),
                                 9223372036854775807)
                             AND event.received_at < $3
                         ORDER BY event.seq LIMIT $4
                     ) e
                 ) e
                 WHERE before < $5 ORDER BY seq",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &&*places, &until, &each, &most]).await?;
        drop(client);
        let mut page = PastPage::default();
        for row in &rows {
            let logged = logged_event(row)?;
            if let Some(place) = usize::try_from(logged.lane.0).ok().and_then(|lane| places.get_mut(lane)) {
                *place = logged.seq;
            }
            page.bytes += logged.event.data.get().len();
            page.events.push(PastEvent { logged, decisions: Vec::new() });
        }
        self.add_decisions(&mut page).await?;
        Ok(page)
    }

    /// Adds what was decided about the events of a page. A decision that a plugin parked, and that was made again, is left out.
    async fn add_decisions(&self, page: &mut PastPage) -> Result<(), StoreError> {
        if page.events.is_empty() {
            return Ok(());
        }
        let places: Vec<(i16, i64)> =
            page.events.iter().map(|of| (of.logged.lane.0, of.logged.seq)).collect();
        let (lanes, seqs): (Vec<i16>, Vec<i64>) = places.iter().copied().unzip();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT d.lane, d.event_seq, d.run, d.outcome, d.reason, d.rule, d.release, d.decision, d.asked, d.decided_at,
                        (SELECT count(*) FROM notification n
                         WHERE n.event_lane = d.lane AND n.event_seq = d.event_seq AND n.ordinal = d.ordinal
                             AND n.recipient IS NOT NULL)
                 FROM unnest($1::smallint[], $2::bigint[]) AS p (lane, seq)
                 CROSS JOIN LATERAL (
                     SELECT * FROM decision WHERE decision.lane = p.lane AND decision.event_seq = p.seq
                     ORDER BY decision.ordinal
                 ) d
                 WHERE NOT (d.outcome = 'parked' AND NOT EXISTS (
                     SELECT FROM parked k WHERE k.lane = d.lane AND k.event_seq = d.event_seq AND k.ordinal = d.ordinal))
                 ORDER BY d.event_seq, d.ordinal",
            )
            .await?;
        let at: HashMap<(i16, i64), usize> =
            places.iter().enumerate().map(|(index, place)| (*place, index)).collect();
        for row in client.query(&statement, &[&lanes, &seqs]).await? {
            let decision = past_decision(&row)?;
            page.bytes +=
                [&decision.decision, &decision.asked].into_iter().flatten().map(String::len).sum::<usize>();
            let place = (row.try_get(0)?, row.try_get(1)?);
            if let Some(event) = at.get(&place).and_then(|index| page.events.get_mut(*index)) {
                event.decisions.push(decision);
            }
        }
        Ok(())
    }
}

fn lanes() -> Vec<i16> {
    (0..LANES).map(|lane| Lane(lane).0).collect()
}

fn past_decision(row: &Row) -> Result<PastDecision, StoreError> {
    Ok(PastDecision {
        run: row.try_get(2)?,
        outcome: row.try_get(3)?,
        reason: row.try_get(4)?,
        rule: row.try_get(5)?,
        release: row.try_get(6)?,
        decision: row.try_get(7)?,
        asked: row.try_get(8)?,
        decided_at: row.try_get(9)?,
        told: row.try_get(10)?,
    })
}
