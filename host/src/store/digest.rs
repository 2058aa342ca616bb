//! What is collected, to be told as one message.

use std::collections::{BTreeMap, HashMap};

use hookswitch_core::domain::EventKey;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    NewEvent, RoutingTransaction, Store, StoreError, event,
    session::{Session, Transaction},
};

/// A decision that is collected.
#[derive(Clone, Debug)]
pub struct CollectRow {
    /// The template's name.
    pub template: String,
    /// A hash over whom it is for.
    pub key: String,
    /// The event's lane.
    pub lane: i16,
    /// The event's place in its log.
    pub event_seq: i64,
    /// Which of the event's decisions.
    pub ordinal: i16,
    /// The template's variables, as JSON.
    pub context: String,
    /// What is decided where this is the first of its digest, as JSON.
    pub decision: String,
    /// For how long the digest collects where this is its first, in seconds, by the database's clock.
    pub seconds: i64,
    /// Its id where this is its first.
    pub new_id: Uuid,
}

/// The digest that a decision went into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDigest {
    /// The id of the event that it becomes.
    pub id: Uuid,
    /// When it closes.
    pub due_at: Timestamp,
}

/// A digest that is open, as it is listed.
#[derive(Clone, Debug)]
pub struct ListedDigest {
    /// The id of the event that it becomes.
    pub id: Uuid,
    /// The template's name.
    pub template: String,
    /// The first decision, as JSON.
    pub decision: String,
    /// When it closes.
    pub due_at: Timestamp,
    /// How many decisions it has collected, counted up to the number that was asked for.
    pub count: i64,
}

/// A digest whose time has come.
#[derive(Clone, Debug)]
pub struct DueDigest {
    /// The id of the event that it becomes.
    pub id: Uuid,
    /// The first decision, as JSON.
    pub decision: String,
    /// Collected decisions, in the order of the log; as many as were asked for.
    pub items: Vec<DueItem>,
    /// How many there are.
    pub count: u64,
}

/// A collected decision.
#[derive(Clone, Debug)]
pub struct DueItem {
    /// The decision's context, as JSON.
    pub context: String,
    /// The event.
    pub event: EventKey,
    /// The event's extension attributes, as JSON.
    pub extensions: Option<String>,
}

impl RoutingTransaction<'_> {
    /// Puts decisions into the digests that are open for them, or opens some; returns which, in the same order.
    pub async fn collect(&self, rows: &[CollectRow]) -> Result<Vec<OpenDigest>, StoreError> {
        // Sorted, so that two hosts lock them in one order; the first of each opens it.
        let mut first: BTreeMap<(&str, &str), &CollectRow> = BTreeMap::new();
        for row in rows {
            first.entry((&row.template, &row.key)).or_insert(row);
        }
        let ids: Vec<Uuid> = first.values().map(|row| row.new_id).collect();
        let templates: Vec<&str> = first.values().map(|row| row.template.as_str()).collect();
        let keys: Vec<&str> = first.values().map(|row| row.key.as_str()).collect();
        let decisions: Vec<&str> = first.values().map(|row| row.decision.as_str()).collect();
        let seconds: Vec<i64> = first.values().map(|row| row.seconds).collect();
        // The update changes nothing: it locks the digest, so that it cannot close before this is in it.
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO digest (id, template, key, decision, due_at)
                 SELECT id, template, key, decision, now() + make_interval(secs => seconds)
                 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
                     AS d (id, template, key, decision, seconds)
                 ON CONFLICT (template, key) DO UPDATE SET due_at = digest.due_at
                 RETURNING template, key, id, due_at",
            )
            .await?;
        let open =
            self.transaction.query(&statement, &[&ids, &templates, &keys, &decisions, &seconds]).await?;
        let open = open
            .iter()
            .map(|row| {
                let digest = OpenDigest { id: row.try_get(2)?, due_at: row.try_get(3)? };
                Ok(((row.try_get(0)?, row.try_get(1)?), digest))
            })
            .collect::<Result<HashMap<(String, String), OpenDigest>, StoreError>>()?;
        let joined: Vec<OpenDigest> = rows
            .iter()
            .filter_map(|row| open.get(&(row.template.clone(), row.key.clone())).copied())
            .collect();
        let digests: Vec<Uuid> = joined.iter().map(|digest| digest.id).collect();
        let lanes: Vec<i16> = rows.iter().map(|row| row.lane).collect();
        let seqs: Vec<i64> = rows.iter().map(|row| row.event_seq).collect();
        let ordinals: Vec<i16> = rows.iter().map(|row| row.ordinal).collect();
        let contexts: Vec<&str> = rows.iter().map(|row| row.context.as_str()).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO digest_item (digest_id, lane, event_seq, ordinal, context)
                 SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::smallint[], $5::text[])",
            )
            .await?;
        self.transaction.execute(&statement, &[&digests, &lanes, &seqs, &ordinals, &contexts]).await?;
        Ok(joined)
    }
}

impl Store {
    /// The open digests after a place, in the order in which they close; of each at most `counted` items are counted.
    pub async fn open_digests(
        &self,
        after: Option<(Timestamp, Uuid)>,
        counted: i64,
        limit: i64,
    ) -> Result<Vec<ListedDigest>, StoreError> {
        let (at, id) = after.unwrap_or((Timestamp::UNIX_EPOCH, Uuid::nil()));
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT d.id, d.template, d.decision, d.due_at, n.count
                 FROM (SELECT id, template, decision, due_at FROM digest
                       WHERE due_at >= $1 AND (due_at, id) > ($1, $2) ORDER BY due_at, id LIMIT $4) AS d
                 CROSS JOIN LATERAL (
                     SELECT count(*) AS count
                     FROM (SELECT FROM digest_item i WHERE i.digest_id = d.id LIMIT $3) AS i
                 ) AS n
                 ORDER BY d.due_at, d.id",
            )
            .await?;
        let rows = client.query(&statement, &[&at, &id, &counted, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(ListedDigest {
                    id: row.try_get(0)?,
                    template: row.try_get(1)?,
                    decision: row.try_get(2)?,
                    due_at: row.try_get(3)?,
                    count: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Closes digests whose time has come by the database's clock, at most `limit`: each becomes the event that
    /// `event_of` makes of it, with at most `items` of its items and about `bytes` of their variables. Those that
    /// somebody adds to or closes at this moment stay for the next time. Returns how many were closed.
    pub async fn close_digests(
        &self,
        limit: usize,
        items: i64,
        bytes: i64,
        event_of: impl Fn(DueDigest) -> (hookswitch_core::domain::Event, [u8; 32]),
    ) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut client = self.client().await?;
        if !any_due(&client).await? {
            return Ok(0);
        }
        let transaction = client.transaction().await?;
        let statement = transaction
            .prepare_cached(
                "SELECT id, decision FROM digest WHERE due_at <= now() ORDER BY due_at LIMIT $1
                 FOR UPDATE SKIP LOCKED",
            )
            .await?;
        let due = transaction.query(&statement, &[&limit]).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let ids: Vec<Uuid> = due.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut collected = collected(&transaction, &ids, items, bytes).await?;
        let mut events = Vec::with_capacity(due.len());
        for row in &due {
            let id = row.try_get(0)?;
            let (count, items) = collected.remove(&id).unwrap_or_default();
            events.push(event_of(DueDigest { id, decision: row.try_get(1)?, items, count }));
        }
        let new: Vec<NewEvent<'_>> =
            events.iter().map(|(event, sha256)| NewEvent { event, sha256, has_time: true }).collect();
        event::append_own(&transaction, &new).await?;
        let statement = transaction.prepare_cached("DELETE FROM digest WHERE id = ANY($1)").await?;
        transaction.execute(&statement, &[&ids]).await?;
        transaction.commit().await?;
        Ok(ids.len())
    }
}

/// One short look for the many times at which there is nothing to do.
async fn any_due(client: &Session) -> Result<bool, StoreError> {
    let statement = client.prepare_cached("SELECT EXISTS (SELECT FROM digest WHERE due_at <= now())").await?;
    client.query_one(&statement, &[]).await?.try_get(0).map_err(StoreError::from)
}

/// How many items, and the first of them.
type Collected = HashMap<Uuid, (u64, Vec<DueItem>)>;

async fn collected(
    transaction: &Transaction<'_>,
    digests: &[Uuid],
    items: i64,
    bytes: i64,
) -> Result<Collected, StoreError> {
    let statement = transaction
        .prepare_cached(
            "SELECT d.id, n.count, i.context, coalesce(e.id, 'dropped'), coalesce(e.source, ''), e.extensions
             FROM unnest($1::uuid[]) AS d (id)
             CROSS JOIN LATERAL (SELECT count(*) AS count FROM digest_item WHERE digest_id = d.id) n
             CROSS JOIN LATERAL (
                 SELECT f.*, row_number() OVER (ORDER BY f.event_seq, f.lane, f.ordinal) AS place,
                        sum(octet_length(f.context)) OVER (ORDER BY f.event_seq, f.lane, f.ordinal) AS bytes
                 FROM (SELECT * FROM digest_item WHERE digest_id = d.id
                       ORDER BY event_seq, lane, ordinal LIMIT greatest($2::bigint, 1)) f
             ) i
             LEFT JOIN event e ON e.lane = i.lane AND e.seq = i.event_seq
             WHERE i.place = 1 OR i.bytes <= $3 ORDER BY d.id, i.place",
        )
        .await?;
    let mut collected: Collected = HashMap::new();
    for row in transaction.query(&statement, &[&digests, &items, &bytes]).await? {
        let (count, items) = collected.entry(row.try_get(0)?).or_default();
        *count = row.try_get::<_, i64>(1)?.unsigned_abs();
        items.push(DueItem {
            context: row.try_get(2)?,
            event: EventKey { id: row.try_get(3)?, source: row.try_get(4)? },
            extensions: row.try_get(5)?,
        });
    }
    Ok(collected)
}
