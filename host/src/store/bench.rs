//! What the benchmark needs of the database: people by the thousand, and the floors' own tables.

use std::ops::Range;

use deadpool_postgres::Object;

use super::{Store, StoreError};
use crate::domain::{Notification, Priority, Track};

impl Store {
    /// Adds `groups` groups named `bench-N` of `members` people each, every one with an open 24-hour window.
    pub async fn seed_bench(&self, groups: i32, members: i32) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "WITH g AS (
                     INSERT INTO groups (name) SELECT 'bench-' || n FROM generate_series(0, $1 - 1) n
                     RETURNING id, name
                 ), c AS (
                     INSERT INTO contact (wa_id, name, last_inbound_at)
                     SELECT (263770000000 + n)::text, 'Person ' || n, now()
                     FROM generate_series(0, $1 * $2 - 1) n
                     RETURNING id, wa_id
                 ), p AS (
                     INSERT INTO person (username, name, contact_id)
                     SELECT 'bench-' || (wa_id::bigint - 263770000000), 'Person ' || wa_id, id FROM c
                     RETURNING id, username
                 )
                 INSERT INTO membership (group_id, person_id)
                 SELECT g.id, p.id FROM p
                 JOIN g ON g.name = 'bench-' || (substr(p.username, 7)::integer / $2)",
                &[&groups, &members],
            )
            .await?;
        client.batch_execute("ANALYZE groups, contact, person, membership").await?;
        Ok(())
    }

    /// Empties the event log, before anything is routed.
    pub async fn forget_bench_events(&self) -> Result<(), StoreError> {
        self.client().await?.batch_execute("TRUNCATE event; DROP TABLE IF EXISTS bench_floor").await?;
        Ok(())
    }

    /// How many bytes of WAL were written since the cluster was made.
    pub async fn wal_position(&self) -> Result<f64, StoreError> {
        let client = self.client().await?;
        let sql = "SELECT (pg_current_wal_lsn() - '0/0')::double precision";
        Ok(client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// How many bytes event, notification and delivery rows have, without indexes.
    pub async fn notification_bytes(&self) -> Result<f64, StoreError> {
        let client = self.client().await?;
        let sql = "SELECT (pg_relation_size('event') + pg_relation_size('decision') + pg_relation_size('notification')
                           + pg_relation_size('delivery'))::double precision";
        Ok(client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// Lets recipients wait whom nobody else writes to, for a day.
    pub async fn seed_waiting(&self, numbers: Range<usize>) -> Result<(), StoreError> {
        let recipients: Vec<String> = numbers.map(|n| format!("4470000{n:06}")).collect();
        let lanes: Vec<i16> = recipients
            .iter()
            .map(|to| Track::new(Notification::lane_of("1", to), Priority::Normal).0)
            .collect();
        let client = self.client().await?;
        client
            .execute(
                "WITH waiting AS (
                     INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, recipient,
                         phone_number_id, template, priority, message, reason)
                     SELECT lane, gen_random_uuid(), 0, 0, 0, recipient, '1', 'bench', 1,
                            '{\"mode\":\"auto\",\"body\":\"x\",\"template\":\"bench\",\"language\":\"en_US\"}', 'waits'
                     FROM unnest($1::smallint[], $2::text[]) AS w (lane, recipient)
                     RETURNING lane, seq, id, recipient
                 ), begun AS (
                     INSERT INTO delivery (notification_id, attempt, status, at)
                     SELECT id, 1, 'retrying', now() FROM waiting
                 )
                 INSERT INTO deferred (lane, seq, notification_id, phone_number_id, recipient, template,
                     due_at, attempt, reason)
                 SELECT lane, seq, id, '1', recipient, 'bench', now() + interval '1 day', 2, 'retry' FROM waiting",
                &[&lanes, &recipients],
            )
            .await?;
        client.batch_execute("ANALYZE notification, deferred, delivery").await?;
        Ok(())
    }

    /// Nobody waits any more.
    pub async fn forget_waiting(&self) -> Result<(), StoreError> {
        self.client().await?.batch_execute("DELETE FROM deferred WHERE reason = 'retry'").await?;
        Ok(())
    }

    /// Opens a snapshot, which vacuum must respect until [`Store::end_snapshot`].
    pub async fn hold_snapshot(&self) -> Result<Object, StoreError> {
        let client = self.client().await?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lane").await?;
        Ok(client)
    }

    /// Closes it.
    pub async fn end_snapshot(&self, snapshot: Object) -> Result<(), StoreError> {
        Ok(snapshot.batch_execute("ROLLBACK").await?)
    }

    /// How many events have a decision.
    pub async fn count_routed(&self) -> Result<i64, StoreError> {
        Ok(self.client().await?.query_one("SELECT count(*) FROM decision", &[]).await?.try_get(0)?)
    }

    /// Makes the table of the floor for accepting.
    pub async fn make_floor_table(&self) -> Result<(), StoreError> {
        self.client()
            .await?
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS bench_floor (
                     seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)",
            )
            .await?;
        Ok(())
    }

    /// Appends bodies in one commit.
    pub async fn append_floor(&self, bodies: &[&str]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement =
            client.prepare_cached("INSERT INTO bench_floor (body) SELECT unnest($1::text[])").await?;
        client.execute(&statement, &[&bodies]).await?;
        Ok(())
    }

    /// Makes an empty table like the notification log.
    pub async fn make_notification_floor(&self) -> Result<(), StoreError> {
        self.client()
            .await?
            .batch_execute(
                "DROP TABLE IF EXISTS bench_notification;
                 CREATE TABLE bench_notification (LIKE notification INCLUDING ALL)",
            )
            .await?;
        Ok(())
    }

    /// Copies the next `batch` rows of the notification log after `offset` into that table, in one commit, and
    /// returns how many there were.
    pub async fn copy_notifications(&self, offset: i64, batch: i64) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO bench_notification (lane, id, event_lane, event_seq, ordinal, username, name,
                     recipient, phone_number_id, template, priority, message, reason, send_at, expires_at)
                 SELECT lane, id, event_lane, event_seq, ordinal, username, name,
                     recipient, phone_number_id, template, priority, message, reason, send_at, expires_at
                 FROM notification WHERE seq > $1 AND seq <= $1 + $2",
            )
            .await?;
        Ok(client.execute(&statement, &[&offset, &batch]).await?)
    }

    /// Fills the tables as a year's work does: people with and without a contact, and notifications of the last day
    /// that were read, but for one in a hundred that failed.
    pub async fn fill_bench(&self, people: i64, notifications: i64) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "WITH c AS (
                     INSERT INTO contact (wa_id, last_inbound_at)
                     SELECT (263770000000 + n)::text, now() - n * interval '1 second'
                     FROM generate_series(1, $1::bigint) n WHERE n % 20 > 0 RETURNING id, wa_id
                 ), g AS (
                     INSERT INTO groups (name) SELECT 'bench-' || n FROM generate_series(0, 99) n RETURNING id
                 ), p AS (
                     INSERT INTO person (username, name, contact_id)
                     SELECT 'bench-' || n, 'Person ' || n, c.id
                     FROM generate_series(1, $1::bigint) n
                     LEFT JOIN c ON c.wa_id = (263770000000 + n)::text RETURNING id
                 )
                 INSERT INTO membership (group_id, person_id)
                 SELECT (SELECT min(id) FROM g) + p.id % 100, p.id FROM p",
                &[&people],
            )
            .await?;
        client
            .execute(
                "WITH e AS (
                     INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
                     SELECT n % 64, 'bench-' || n, '/bench', 'bench.event', now(), '{}', '', now()
                     FROM generate_series(1, $1::bigint / 10) n RETURNING lane, seq
                 )
                 INSERT INTO decision (lane, event_seq, ordinal, outcome, release)
                 SELECT lane, seq, 0, 'notify', 'bench' FROM e",
                &[&notifications],
            )
            .await?;
        client
            .execute(
                "INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, username, recipient,
                     phone_number_id, template, priority, message, reason, created_at)
                 SELECT 64 + n % 64,
                        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
                            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
                        (n / 10) % 64, n / 10, 0, 'bench-' || n % 100000, (263770000000 + n % 100000)::text,
                        '1', 'bench', 1, '{}',
                        'member of bench', at
                 FROM generate_series(1, $1::bigint) n, LATERAL (SELECT now() - n * interval '80 ms' AS at) AS t",
                &[&notifications],
            )
            .await?;
        client
            .batch_execute(
                "INSERT INTO delivery (notification_id, attempt, status, at)
                 SELECT n.id, 1, s.status::delivery_status, n.created_at
                 FROM notification n
                 CROSS JOIN LATERAL (SELECT unnest(
                     CASE WHEN n.seq % 100 = 0 THEN ARRAY['sending', 'failed'] ELSE ARRAY['accepted', 'read'] END
                 ) AS status) AS s;
                 UPDATE delivery SET code = 131026 WHERE status = 'failed';
                 UPDATE checkpoint SET seq =
                     coalesce((SELECT max(seq) FROM notification n WHERE n.lane = checkpoint.lane), 0);
                 ANALYZE",
            )
            .await?;
        Ok(())
    }

    /// Looks at each notification once.
    pub async fn count_notifications(&self) -> Result<i64, StoreError> {
        let row = self
            .client()
            .await?
            .query_one("SELECT count(*) FROM notification WHERE template <> 'none'", &[])
            .await?;
        Ok(row.try_get(0)?)
    }
}
