//! The event log: intake appends, routing reads.

use std::collections::BTreeMap;

use hookswitch_core::domain::{Event, EventKey, Lane, are_same_extensions, fingerprint, is_same_json};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::{
    COUNTED, EVENT_LOG, Incarnation, Store, StoreError,
    session::{Session, Transaction},
};

/// What is left of the data of an event that was erased on request.
pub(super) const ERASED: &str = "{\"erased\":true}";

/// An event and its place in the log.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// Its lane.
    pub lane: Lane,
    /// Its place.
    pub seq: i64,
    /// The event.
    pub event: Event,
    /// When it was received.
    pub received_at: Timestamp,
    /// Why this version cannot read the event, where it cannot: then only its place is right.
    pub unreadable: Option<String>,
}

impl LoggedEvent {
    /// Whether it was erased on request: then nothing is left of what it said.
    pub fn is_erased(&self) -> bool {
        self.event.data.get() == ERASED
    }
}

/// An event to append, and the SHA-256 of what its producer said.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// The event.
    pub event: &'a Event,
    /// Tells a repeated post from a conflicting one.
    pub sha256: &'a [u8; 32],
    /// Whether its producer said when it happened: else that is when it came, and each time another.
    pub has_time: bool,
}

impl NewEvent<'_> {
    /// Whether what is stored says the same in another form: JSON that is written differently, another CloudEvents mode.
    fn says_the_same(&self, row: &Row) -> Result<bool, StoreError> {
        let Event { kind, subject, data, extensions, .. } = self.event;
        Ok(row.try_get::<_, &str>(2)? == kind
            && row.try_get::<_, Option<&str>>(3)? == subject.as_deref()
            && self.has_the_same_time(row)?
            && is_same_json(row.try_get(5)?, data.get())
            && are_same_extensions(row.try_get(6)?, extensions.as_deref().map(RawValue::get)))
    }

    /// Whether both producers gave the same time, or neither gave any. The row does not say whether its time is that of its
    /// producer, but its fingerprint does.
    fn has_the_same_time(&self, row: &Row) -> Result<bool, StoreError> {
        let (kind, subject, data): (&str, Option<&str>, &str) =
            (row.try_get(2)?, row.try_get(3)?, row.try_get(5)?);
        let all: BTreeMap<String, Box<RawValue>> = match row.try_get::<_, Option<&str>>(6)? {
            Some(extensions) => serde_json::from_str(extensions).unwrap_or_default(),
            None => BTreeMap::new(),
        };
        // The trace context may be the request's.
        let mut own = all.clone();
        own.retain(|name, _| !Event::TRACE_CONTEXT.contains(&name.as_str()));
        let stored: &[u8] = row.try_get(7)?;
        let had_time =
            ![all, own].iter().any(|extensions| fingerprint(kind, subject, None, data, extensions) == stored);
        let time: Timestamp = row.try_get(4)?;
        // PostgreSQL keeps microseconds.
        let is_same = time.duration_since(self.event.time).abs() < SignedDuration::from_micros(1);
        Ok(had_time == self.has_time && (is_same || !had_time))
    }
}

/// Another event has the id and source of a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The new one's place among those to append.
    pub place: usize,
    /// When the other was received.
    pub received_at: Timestamp,
}

impl Store {
    /// Appends events in one commit, in their order; those that are there already stay as they are. Returns the
    /// clashes: such an event is not appended, and with `together` none is.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer, or does not take them. It may have taken them all the same: appending
    /// them again is safe.
    pub async fn append_events(
        &self,
        events: &[NewEvent<'_>],
        together: bool,
    ) -> Result<Vec<Clash>, StoreError> {
        let mut client = self.client().await?;
        if !together {
            // Each is another request's, so they have no order. Repeated posts are rare, and looking out for them
            // takes a sixth of the time.
            return match insert(&client, events, INSERT).await {
                Err(StoreError::Conflict(_)) => append(&client, events).await,
                appended => appended.map(|_| Vec::new()),
            };
        }
        let transaction = client.transaction().await?;
        let clashes = append(&transaction, events).await?;
        if clashes.is_empty() {
            transaction.commit().await?;
        }
        Ok(clashes)
    }

    /// Appends events of the system's own. See [`append_own`].
    pub async fn append_own(&self, events: &[NewEvent<'_>]) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        append_own(&transaction, events).await?;
        transaction.commit().await
    }

    /// How many of the system's own events met another event under their ids since then, counted up to [`COUNTED`], and
    /// the last of these, each with its id and source.
    pub async fn own_clashes(
        &self,
        since: Timestamp,
        limit: i64,
    ) -> Result<(i64, Vec<EventKey>), StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "SELECT count(*) FROM (SELECT FROM own_clash WHERE at > $1 ORDER BY at LIMIT $2) AS c",
                &[&since, &COUNTED],
            )
            .await?;
        let last = client
            .query(
                "SELECT id, source FROM own_clash WHERE at > $1 ORDER BY at DESC, id DESC LIMIT $2",
                &[&since, &limit],
            )
            .await?;
        let key = |row: &Row| Ok(EventKey { id: row.try_get(0)?, source: row.try_get(1)? });
        Ok((row.try_get(0)?, last.iter().map(key).collect::<Result<_, StoreError>>()?))
    }

    /// The next events after each lane's cursor, at most so many as stand beside it, in the order of the log. Of all
    /// lanes together about `bytes` of payload are read, evenly from the lanes, but always one event.
    /// None from another server than the one that the cursors were read from.
    pub async fn events_after(
        &self,
        cursors: &[(Lane, i64, usize)],
        bytes: usize,
        incarnation: Option<&Incarnation>,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let lanes: Vec<i16> = cursors.iter().map(|(lane, ..)| lane.0).collect();
        let seqs: Vec<i64> = cursors.iter().map(|(_, seq, _)| *seq).collect();
        let limits: Vec<i64> =
            cursors.iter().map(|(.., limit)| i64::try_from(*limit).unwrap_or(i64::MAX)).collect();
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at
                 FROM (
                     SELECT e.*, sum(octet_length(e.data)) OVER (ORDER BY e.place, e.seq) - octet_length(e.data)
                         AS before
                     FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS c (lane, seq, most)
                     CROSS JOIN LATERAL (
                         SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at,
                                row_number() OVER (ORDER BY event.seq) AS place
                         FROM event WHERE event.lane = c.lane AND event.seq > c.seq
                         ORDER BY event.seq LIMIT c.most
                     ) e
                 ) e
                 WHERE before < $4 AND extract(epoch FROM pg_postmaster_start_time())::text = $5
                 ORDER BY seq",
            )
            .await?;
        client
            .query(&statement, &[&lanes, &seqs, &limits, &bytes, &incarnation])
            .await?
            .iter()
            .map(logged_event)
            .collect()
    }

    /// The events at these places, in the order of the log; one that was deleted is absent.
    pub async fn events_at(&self, places: &[(Lane, i64)]) -> Result<Vec<LoggedEvent>, StoreError> {
        let lanes: Vec<i16> = places.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = places.iter().map(|(_, seq)| *seq).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions, e.received_at
                 FROM (SELECT DISTINCT * FROM unnest($1::smallint[], $2::bigint[])) AS p (lane, seq)
                 JOIN event e ON e.lane = p.lane AND e.seq = p.seq
                 ORDER BY e.seq",
            )
            .await?;
        client.query(&statement, &[&lanes, &seqs]).await?.iter().map(logged_event).collect()
    }
}

/// Appends events in their order, but for those that are there already.
pub(super) async fn append(client: &Session, events: &[NewEvent<'_>]) -> Result<Vec<Clash>, StoreError> {
    let appended = insert(client, events, &format!("{INSERT} {IN_ORDER_UNLESS_THERE}")).await?;
    if appended == events.len() as u64 { Ok(Vec::new()) } else { clashes(client, events).await }
}

/// How often an own event is given another id, where events of others have all before.
const IDS: usize = 4;

/// Appends events of the system's own; those that are there already stay as they are. Nobody else can use their source, so
/// nobody should have their ids: where another event has one all the same, that is logged and written down for the check,
/// and the own event gets another id. Its fingerprint is that of its first id, so that it is told once under that one, too.
pub(super) async fn append_own(
    transaction: &Transaction<'_>,
    events: &[NewEvent<'_>],
) -> Result<(), StoreError> {
    let mut clashing: Vec<(Event, [u8; 32])> = Vec::new();
    for clash in append(transaction, events).await? {
        if let Some(new) = events.get(clash.place) {
            tell(transaction, &new.event.key, clash.received_at).await?;
            clashing.push((new.event.clone(), *new.sha256));
        }
    }
    for n in 2..2 + IDS {
        if clashing.is_empty() {
            return Ok(());
        }
        let again = clashing.iter().map(|(event, sha256)| {
            let key = EventKey { id: format!("{}:{n}", event.key.id), source: event.key.source.clone() };
            (Event { key, ..event.clone() }, *sha256)
        });
        let again: Vec<(Event, [u8; 32])> = again.collect();
        let new: Vec<NewEvent<'_>> =
            again.iter().map(|(event, sha256)| NewEvent { event, sha256, has_time: true }).collect();
        let places = append(transaction, &new).await?.into_iter().map(|clash| clash.place);
        clashing = places.filter_map(|place| clashing.get(place).cloned()).collect();
    }
    for (event, _) in clashing {
        let EventKey { id, source } = &event.key;
        tracing::error!(id, source, "an event of the system's own was lost: others have all of its ids");
    }
    Ok(())
}

async fn tell(
    transaction: &Transaction<'_>,
    EventKey { id, source }: &EventKey,
    received_at: Timestamp,
) -> Result<(), StoreError> {
    tracing::error!(
        id,
        source,
        %received_at,
        "another event has the id of an event of the system's own, which gets another one"
    );
    let statement = transaction
        .prepare_cached("INSERT INTO own_clash (id, source) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .await?;
    transaction.execute(&statement, &[id, source]).await?;
    Ok(())
}

/// Appends events, all of which must be new.
const INSERT: &str = "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
     INSERT INTO event (lane, id, source, type, subject, time, data, extensions, sha256)
     SELECT e.lane, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions, e.sha256
     FROM held, unnest($2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[],
         $7::timestamptz[], $8::text[], $9::text[], $10::bytea[]) WITH ORDINALITY
         AS e (lane, id, source, type, subject, time, data, extensions, sha256, place)";

/// In their order, and leaves those alone that are there.
const IN_ORDER_UNLESS_THERE: &str = "ORDER BY e.place ON CONFLICT (id, source) DO NOTHING";

/// Returns how many were new. The lock comes first: `seq` is drawn for rows of the join, and there is none
/// before `held` is read.
async fn insert(client: &Session, events: &[NewEvent<'_>], sql: &str) -> Result<u64, StoreError> {
    let lanes: Vec<i16> = events.iter().map(|new| new.event.lane().0).collect();
    let ids: Vec<&str> = events.iter().map(|new| new.event.key.id.as_str()).collect();
    let sources: Vec<&str> = events.iter().map(|new| new.event.key.source.as_str()).collect();
    let types: Vec<&str> = events.iter().map(|new| new.event.kind.as_str()).collect();
    let subjects: Vec<Option<&str>> = events.iter().map(|new| new.event.subject.as_deref()).collect();
    let times: Vec<Timestamp> = events.iter().map(|new| new.event.time).collect();
    let data: Vec<&str> = events.iter().map(|new| new.event.data.get()).collect();
    let extensions: Vec<Option<&str>> =
        events.iter().map(|new| new.event.extensions.as_deref().map(RawValue::get)).collect();
    let sha256s: Vec<&[u8]> = events.iter().map(|new| new.sha256.as_slice()).collect();
    let statement = client.prepare_cached(sql).await?;
    let appended = client
        .execute(
            &statement,
            &[&EVENT_LOG, &lanes, &ids, &sources, &types, &subjects, &times, &data, &extensions, &sha256s],
        )
        .await?;
    Ok(appended)
}

async fn clashes(client: &Session, events: &[NewEvent<'_>]) -> Result<Vec<Clash>, StoreError> {
    let ids: Vec<&str> = events.iter().map(|new| new.event.key.id.as_str()).collect();
    let sources: Vec<&str> = events.iter().map(|new| new.event.key.source.as_str()).collect();
    let sha256s: Vec<&[u8]> = events.iter().map(|new| new.sha256.as_slice()).collect();
    let statement = client
        .prepare_cached(
            "SELECT n.place - 1, e.received_at, e.type, e.subject, e.time, e.data, e.extensions, e.sha256
             FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS n (id, source, sha256, place)
             JOIN event e ON e.id = n.id AND e.source = n.source
             WHERE e.sha256 <> n.sha256
             ORDER BY n.place",
        )
        .await?;
    let mut clashes = Vec::new();
    for row in client.query(&statement, &[&ids, &sources, &sha256s]).await? {
        let place = usize::try_from(row.try_get::<_, i64>(0)?);
        let place = place.map_err(|error| StoreError::Row(format!("the place of an event: {error}")))?;
        let is_other = match events.get(place) {
            Some(new) => !new.says_the_same(&row)?,
            None => true,
        };
        if is_other {
            clashes.push(Clash { place, received_at: row.try_get(1)? });
        }
    }
    Ok(clashes)
}

/// An event that cannot be read keeps no other from being read.
pub(super) fn logged_event(row: &Row) -> Result<LoggedEvent, StoreError> {
    let (lane, seq) = (Lane(row.try_get(0)?), row.try_get(1)?);
    let received_at = row.try_get(9)?;
    Ok(match event_of(row) {
        Ok(event) => LoggedEvent { lane, seq, event, received_at, unreadable: None },
        Err(error) => {
            let event = Event {
                key: EventKey { id: String::new(), source: String::new() },
                kind: String::new(),
                subject: None,
                time: Timestamp::UNIX_EPOCH,
                data: Box::default(),
                extensions: None,
            };
            LoggedEvent { lane, seq, event, received_at, unreadable: Some(error.to_string()) }
        }
    })
}

fn event_of(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        key: EventKey { id: row.try_get(2)?, source: row.try_get(3)? },
        kind: row.try_get(4)?,
        subject: row.try_get(5)?,
        time: row.try_get(6)?,
        data: raw(row.try_get(7)?)?,
        extensions: row.try_get::<_, Option<String>>(8)?.map(raw).transpose()?,
    })
}

fn raw(text: String) -> Result<Box<RawValue>, StoreError> {
    RawValue::from_string(text).map_err(|error| StoreError::Row(format!("the event's data: {error}")))
}
