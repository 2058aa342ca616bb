//! The ledger: reads what the Cloud API has taken and what the database says became of each message, and tells what
//! all cases came to.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hookswitch::domain::{Delivery, NotificationId};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

use crate::{
    account::{Account, Fact},
    producer,
    stage::Stage,
};

/// Nothing takes as long unless it is stuck: then the ledger is made all the same.
const PATIENCE: Duration = Duration::from_secs(90);
/// What is under way between the two ends while nothing waits at either.
const CALM: Duration = Duration::from_millis(700);

/// Waits until nothing is under way any more, and puts the case into the table. `in_doubt` are the sends of which
/// neither an answer nor a webhook told: these may be doubled.
pub async fn settle(stage: &Stage, accepted: usize, in_doubt: usize) -> Account {
    let deadline = Instant::now() + PATIENCE;
    let mut calm = 0;
    while calm < 2 && Instant::now() < deadline {
        calm = if under_way(stage).await == 0 { calm + 1 } else { 0 };
        sleep(CALM).await;
    }
    let mut taken = HashMap::new();
    for message in stage.simulator.messages().await {
        if !message["statuses"].to_string().contains("failed") {
            let text = message["request"]["text"]["body"].as_str().unwrap_or_default();
            let to = message["to"].as_str().unwrap_or_default();
            *taken.entry((to.to_owned(), text.to_owned())).or_default() += 1;
        }
    }
    let decided = decided(stage).await;
    let account =
        Account { in_doubt, ..Account::of(stage.case, accepted, decided, facts(stage).await, taken) };
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).push(account.clone());
    account
}

/// Events to route, messages to send or to hear of, and webhooks to post.
async fn under_way(stage: &Stage) -> i64 {
    let open = "
        SELECT (SELECT count(*) FROM event e WHERE NOT EXISTS
                   (SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq))
             + (SELECT count(*) FROM deferred)
             + (SELECT count(*) FROM notification n WHERE NOT EXISTS
                   (SELECT FROM delivery d WHERE d.notification_id = n.id
                        AND d.status NOT IN ('deferred', 'sending', 'unknown', 'retrying')))";
    let open: i64 = connect(stage).await.query_one(open, &[]).await.unwrap().get(0);
    open + stage.simulator.stats().await["webhooks"]["waiting"].as_i64().unwrap()
}

/// Intents of which nobody has heard what came, each by its notification and attempt: at a crash these are in flight.
pub async fn in_flight(stage: &Stage) -> Vec<(uuid::Uuid, i16)> {
    let doubtful = "
        SELECT notification_id, attempt FROM delivery GROUP BY notification_id, attempt
        HAVING bool_or(status = 'sending') AND bool_and(status IN ('deferred', 'sending', 'unknown'))";
    let rows = connect(stage).await.query(doubtful, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn decided(stage: &Stage) -> usize {
    let sql = "SELECT count(*) FROM event e WHERE e.source = '/faults' AND EXISTS
                   (SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq)";
    let count: i64 = connect(stage).await.query_one(sql, &[]).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}

async fn facts(stage: &Stage) -> Vec<Fact> {
    let client = connect(stage).await;
    let sql = "SELECT notification_id, attempt, status::text, at, wamid, code, detail FROM delivery ORDER BY at, attempt";
    let mut histories: HashMap<uuid::Uuid, Vec<Delivery>> = HashMap::new();
    for row in client.query(sql, &[]).await.unwrap() {
        histories.entry(row.get(0)).or_default().push(Delivery {
            notification_id: NotificationId(row.get(0)),
            attempt: row.get(1),
            status: row.get::<_, &str>(2).parse().unwrap(),
            at: row.get(3),
            wamid: row.get(4),
            code: row.get(5),
            detail: row.get(6),
        });
    }
    let sql = "SELECT n.id, e.id, n.recipient, d.reason
               FROM notification n JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
               LEFT JOIN deferred d ON d.lane = n.lane AND d.seq = n.seq
               WHERE e.source = '/faults'";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| Fact {
            message: (row.get(2), producer::text_of(row.get(1))),
            history: histories.remove(&row.get(0)).unwrap_or_default(),
            waits: row.get(3),
        })
        .collect()
}

/// A connection of its own: the one that the test had may have been cut.
async fn connect(stage: &Stage) -> Client {
    let config: tokio_postgres::Config = stage.database.url().parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

static TABLE: Mutex<Vec<Account>> = Mutex::new(Vec::new());

/// Prints what all cases came to.
pub fn print_table() {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    table.sort_by_key(|account| account.case);
    println!(
        "{:<40} {:>8} {:>8} {:>8} {:>6} {:>7} {:>5} {:>8} {:>7} {:>7}",
        "case", "accepted", "messages", "sent", "failed", "waiting", "lost", "in doubt", "doubled", "unknown"
    );
    for a in table {
        println!(
            "{:<40} {:>8} {:>8} {:>8} {:>6} {:>7} {:>5} {:>8} {:>7} {:>7}",
            a.case,
            a.accepted,
            a.messages,
            a.sent,
            a.failed,
            a.waiting,
            a.lost,
            a.in_doubt,
            a.doubled,
            a.unknown
        );
    }
}
