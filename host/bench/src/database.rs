//! What the benchmark needs of the database: people by the thousand, and the floors' own tables.

use std::time::Instant;

use anyhow::Context;
use futures_util::future::try_join;
use hookswitch_core::domain::{Notification, Priority, Track};
use tokio_postgres::{Client, NoTls};

/// Rows in one of routing's transactions.
const NOTIFICATION_BATCH: i64 = 5_000;

/// What PostgreSQL does with the rows of messages and nothing else.
pub struct MessageFloor {
    /// Notification rows per second, in one connection.
    pub notifications: f64,
    /// Messages per second: each with its notification and its delivery rows, over two connections.
    pub messages: f64,
    /// WAL bytes per message of that.
    pub wal_bytes: f64,
}

/// A database of the benchmark's own.
pub struct Database {
    client: Client,
    url: String,
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect to PostgreSQL")?;
    // Ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn connect(url: &str) -> anyhow::Result<Database> {
        Ok(Database { client: connect(url).await?, url: url.to_owned() })
    }

    /// Adds groups named `bench-N` of `members` people each, every one with an open 24-hour window.
    pub async fn add_people(&self, groups: i32, members: i32) -> anyhow::Result<()> {
        self.client
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
        Ok(self.client.batch_execute("ANALYZE groups, contact, person, membership").await?)
    }

    /// Empties the event log, before anything is routed.
    pub async fn empty_events(&self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute("TRUNCATE event; DROP TABLE IF EXISTS bench_event").await?)
    }

    /// How many bytes of WAL were written since the cluster was made.
    pub async fn wal_position(&self) -> anyhow::Result<f64> {
        let sql = "SELECT (pg_current_wal_lsn() - '0/0')::double precision";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// How many transactions were committed so far.
    pub async fn commits(&self) -> anyhow::Result<f64> {
        let sql =
            "SELECT xact_commit::double precision FROM pg_stat_database WHERE datname = current_database()";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// Lets recipients wait whom nobody else writes to, for a day.
    pub async fn add_waiting(&self, first: i32, end: i32) -> anyhow::Result<()> {
        let recipients: Vec<String> = (first..end).map(|n| format!("4470000{n:06}")).collect();
        let lanes: Vec<i16> = recipients
            .iter()
            .map(|to| Track::new(Notification::lane_of("1", to), Priority::Normal).0)
            .collect();
        self.client
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
        Ok(self.client.batch_execute("ANALYZE notification, deferred, delivery").await?)
    }

    /// Nobody waits any more.
    pub async fn forget_waiting(&self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute("DELETE FROM deferred WHERE reason = 'retry'").await?)
    }

    /// Opens a snapshot, which vacuum must respect until [`Database::end_snapshot`].
    pub async fn hold_snapshot(&self) -> anyhow::Result<()> {
        let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lane";
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Closes it.
    pub async fn end_snapshot(&self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }

    /// How many decisions there are.
    pub async fn count_routed(&self) -> anyhow::Result<i64> {
        Ok(self.client.query_one("SELECT count(*) FROM decision", &[]).await?.try_get(0)?)
    }

    /// Repeats all events with their decisions, so that there are so many times as many.
    pub async fn repeat_events(&self, times: i64) -> anyhow::Result<()> {
        self.client
            .execute(
                "WITH past AS MATERIALIZED (SELECT * FROM event), new AS (
                     INSERT INTO event (lane, id, source, type, subject, time, data, extensions, sha256)
                     SELECT lane, id || '~' || n, source, type, subject, time, data, extensions, sha256
                     FROM past CROSS JOIN generate_series(2, $1::bigint) n ORDER BY n, seq
                     RETURNING lane, seq, id
                 )
                 INSERT INTO decision (lane, event_seq, ordinal, outcome, reason, engine, rule, release, decision, asked)
                 SELECT new.lane, new.seq, d.ordinal, d.outcome, d.reason, d.engine, d.rule, d.release, d.decision, d.asked
                 FROM new JOIN past ON past.id = split_part(new.id, '~', 1)
                 JOIN decision d ON d.lane = past.lane AND d.event_seq = past.seq",
                &[&times],
            )
            .await?;
        Ok(self.client.batch_execute("ANALYZE event, decision").await?)
    }

    /// Whether the event with this id is decided.
    pub async fn is_routed(&self, id: &str) -> anyhow::Result<bool> {
        let sql =
            "SELECT EXISTS (SELECT FROM event e JOIN decision d ON d.lane = e.lane AND d.event_seq = e.seq
                                  WHERE e.id = $1)";
        Ok(self.client.query_one(sql, &[&id]).await?.try_get(0)?)
    }

    /// How many notifications are planned with this priority, as stored.
    pub async fn count_planned(&self, priority: i16) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM notification WHERE priority = $1";
        Ok(self.client.query_one(sql, &[&priority]).await?.try_get(0)?)
    }

    /// Writes to disk what is not there yet, so that nobody waits for that later.
    pub async fn settle(&self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute("CHECKPOINT").await?)
    }

    /// Makes the table of the floor for accepting: as the event log, indexes included.
    pub async fn make_event_floor(&self) -> anyhow::Result<()> {
        let sql = "CREATE TABLE IF NOT EXISTS bench_event (LIKE event INCLUDING ALL)";
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Appends bodies in one commit.
    pub async fn append_event_floor(&self, first: i64, bodies: &[&str]) -> anyhow::Result<()> {
        self.client
            .execute(
                "INSERT INTO bench_event (lane, id, source, type, subject, time, data, sha256)
                 SELECT (($1 + n) % 64)::smallint, 'accept-' || ($1 + n), '/bench', 'bench.event',
                        'order-' || ($1 + n), now(), body, '\\x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20'
                 FROM unnest($2::text[]) WITH ORDINALITY AS b (body, n)",
                &[&first, &bodies],
            )
            .await?;
        Ok(())
    }

    /// Inserts the rows of all messages once more, with their indexes and in the same batches, into tables of its own.
    pub async fn message_floor(&self) -> anyhow::Result<MessageFloor> {
        self.client
            .batch_execute(
                "CREATE TABLE bench_notification (LIKE notification INCLUDING ALL);
                 CREATE TABLE bench_delivery (LIKE delivery INCLUDING ALL);
                 CREATE UNLOGGED TABLE bench_notifications AS
                     SELECT row_number() OVER (ORDER BY seq) AS n, m.* FROM notification m;
                 CREATE INDEX ON bench_notifications (n);
                 CREATE UNLOGGED TABLE bench_deliveries AS
                     SELECT row_number() OVER (PARTITION BY status ORDER BY at, notification_id) AS n,
                            status::text AS word, d.* FROM delivery d;
                 CREATE INDEX ON bench_deliveries (word, n);
                 ANALYZE bench_notifications, bench_deliveries",
            )
            .await?;
        let sql = "SELECT count(*) FROM notification";
        let messages: i64 = self.client.query_one(sql, &[]).await?.try_get(0)?;
        let other = connect(&self.url).await?;
        let wal_before = self.wal_position().await?;
        let start = Instant::now();
        let (notifications, ()) = try_join(
            async {
                let copied = copy_notifications(&self.client).await?;
                // The batches of intents, and of what webhooks tell.
                copy_deliveries(&self.client, "sending", 256).await?;
                copy_deliveries(&self.client, "read", 1_000).await?;
                anyhow::Ok(copied)
            },
            async {
                copy_deliveries(&other, "accepted", 256).await?;
                copy_deliveries(&other, "sent", 1_000).await?;
                copy_deliveries(&other, "delivered", 1_000).await
            },
        )
        .await?;
        let time = start.elapsed().as_secs_f64();
        let wal = self.wal_position().await? - wal_before;
        Ok(MessageFloor { notifications, messages: messages as f64 / time, wal_bytes: wal / messages as f64 })
    }

    /// Fills the tables as a year's work does: people with and without a contact, and notifications of the last day
    /// that were read, but for one in a hundred that failed.
    pub async fn fill(&self, people: i64, notifications: i64) -> anyhow::Result<()> {
        let client = &self.client;
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
    pub async fn count_notifications(&self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM notification WHERE template <> 'none'";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }
}

/// Copies the notification log in routing's batches, and returns rows per second.
async fn copy_notifications(client: &Client) -> anyhow::Result<f64> {
    let sql = "SELECT count(*) FROM bench_notifications";
    let end: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
    let statement = client
        .prepare(
            "INSERT INTO bench_notification (lane, id, event_lane, event_seq, ordinal, username, name, recipient,
                 phone_number_id, template, priority, message, reason, send_at, expires_at)
             SELECT lane, id, event_lane, event_seq, ordinal, username, name, recipient,
                 phone_number_id, template, priority, message, reason, send_at, expires_at
             FROM bench_notifications WHERE n > $1 AND n <= $1 + $2",
        )
        .await?;
    let start = Instant::now();
    let mut rows = 0;
    for first in (0..end).step_by(NOTIFICATION_BATCH as usize) {
        rows += client.execute(&statement, &[&first, &NOTIFICATION_BATCH]).await?;
    }
    Ok(rows as f64 / start.elapsed().as_secs_f64())
}

async fn copy_deliveries(client: &Client, status: &str, batch: i64) -> anyhow::Result<()> {
    let statement = client
        .prepare(
            "INSERT INTO bench_delivery (notification_id, attempt, status, at, wamid, code, detail)
             SELECT notification_id, attempt, status, at, wamid, code, detail FROM bench_deliveries
             WHERE word = $1 AND n > $2 AND n <= $2 + $3",
        )
        .await?;
    let mut first = 0_i64;
    while client.execute(&statement, &[&status, &first, &batch]).await? > 0 {
        first += batch;
    }
    Ok(())
}
