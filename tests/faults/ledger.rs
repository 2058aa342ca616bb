//! The ledger: reads what the Cloud API has taken and what the database says became of each message.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use hookswitch_core::domain::{Delivery, NotificationId};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{NoTls, Row};

use crate::{
    account::{Account, Fact, Found, Receipt},
    producer::Produced,
    stage::Stage,
    story, table,
    turns::Intent,
};

/// Nothing takes as long unless it is stuck: then the ledger is made all the same.
const PATIENCE: Duration = Duration::from_secs(90);
/// What is under way between the two ends while nothing waits at either.
const CALM: Duration = Duration::from_millis(700);

/// Waits until nothing is under way any more, and puts the case into the table. `in_doubt` are the sends of which
/// neither an answer nor a webhook told: these may be doubled.
pub async fn settle(stage: &Stage, produced: Produced, in_doubt: usize) -> Account {
    let deadline = Instant::now() + PATIENCE;
    let mut calm = 0;
    while calm < 2 && Instant::now() < deadline {
        calm = if under_way(stage).await == 0 { calm + 1 } else { 0 };
        sleep(CALM).await;
    }
    let found = Found {
        decisions: decisions(stage).await,
        facts: facts(stage).await,
        receipts: stage.simulator.messages().await.iter().map(receipt).collect(),
    };
    let account = Account { in_doubt, ..Account::of(stage.case, &produced, found) };
    table::add(&account);
    account
}

fn receipt(message: &Value) -> Receipt {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let request = &message["request"];
    let document = &request["document"];
    let attempt = request["biz_opaque_callback_data"].as_str().and_then(intent);
    Receipt {
        to: text(&message["to"]),
        text: text(if document.is_null() { &request["text"]["body"] } else { &document["caption"] }),
        file: document["id"].as_str().map(str::to_owned),
        attempt,
        failed: message["statuses"].to_string().contains("failed"),
    }
}

/// Events to route, messages to send or to hear of, and webhooks to post.
async fn under_way(stage: &Stage) -> i64 {
    let open = "
        SELECT (SELECT count(*) FROM event e WHERE NOT EXISTS
                   (SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq))
             + (SELECT count(*) FROM deferred) + (SELECT count(*) FROM digest)
             + (SELECT count(*) FROM notification n WHERE NOT EXISTS
                   (SELECT FROM delivery d WHERE d.notification_id = n.id
                        AND d.status NOT IN ('deferred', 'sending', 'unknown', 'retrying')))";
    let open: i64 = query(&stage.url, open).await[0].get(0);
    open + stage.simulator.stats().await["webhooks"]["waiting"].as_i64().unwrap()
}

/// Intents of which nobody has heard what came, each by its notification and attempt: at a crash these are in flight.
pub async fn in_flight(stage: &Stage) -> Vec<(uuid::Uuid, i16)> {
    let doubtful = "
        SELECT notification_id, attempt FROM delivery GROUP BY notification_id, attempt
        HAVING bool_or(status = 'sending') AND bool_and(status IN ('deferred', 'sending', 'unknown'))";
    let rows = query(&stage.url, doubtful).await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The attempts that have begun so far.
pub async fn begun(url: &str) -> HashSet<Intent> {
    let sql = "SELECT notification_id, attempt FROM delivery WHERE status = 'sending'";
    let rows = query(url, sql).await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Whether an event that calls an alarm off is routed, and the attempts to send what comes of the alarm that have begun so
/// far. Nothing where the event is gone.
pub async fn calls_off(url: &str, n: usize, alarm: usize) -> Option<(bool, HashSet<Intent>)> {
    let (id, key) = (story::id(n), story::id(alarm));
    let sql = format!(
        "SELECT EXISTS (SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq),
                ARRAY (SELECT d.notification_id || ':' || d.attempt FROM notification n
                       JOIN delivery d ON d.notification_id = n.id AND d.status = 'sending'
                       WHERE n.key = '{key}')
         FROM event e WHERE e.source = '/faults' AND e.id = '{id}'"
    );
    let rows = query(url, &sql).await;
    let row = rows.first()?;
    let begun: Vec<String> = row.get(1);
    Some((row.get(0), begun.iter().filter_map(|attempt| intent(attempt)).collect()))
}

/// A notification and its attempt, in the words of the host.
fn intent(data: &str) -> Option<Intent> {
    let mut parts = data.split(':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

async fn decisions(stage: &Stage) -> HashMap<usize, Vec<String>> {
    let sql =
        "SELECT e.id, d.outcome FROM event e LEFT JOIN decision d ON d.lane = e.lane AND d.event_seq = e.seq
               WHERE e.source = '/faults' ORDER BY d.ordinal";
    let mut decisions: HashMap<usize, Vec<String>> = HashMap::new();
    for row in query(&stage.url, sql).await {
        let decided = decisions.entry(story::number_of(row.get(0)).unwrap()).or_default();
        decided.extend(row.get::<_, Option<String>>(1));
    }
    decisions
}

async fn facts(stage: &Stage) -> Vec<Fact> {
    let sql = "SELECT notification_id, attempt, status::text, at, wamid, code, detail FROM delivery ORDER BY at, attempt";
    let mut histories: HashMap<uuid::Uuid, Vec<Delivery>> = HashMap::new();
    for row in query(&stage.url, sql).await {
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
    let sql = "SELECT n.id, n.recipient, n.message, d.reason
               FROM notification n JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
               LEFT JOIN deferred d ON d.lane = n.lane AND d.seq = n.seq
               WHERE e.source = '/faults' OR e.type = 'hookswitch.digest'";
    let rows = query(&stage.url, sql).await;
    rows.iter()
        .map(|row| {
            let planned: String = row.get(1);
            let message: Value = serde_json::from_str(row.get(2)).unwrap();
            Fact {
                message: (story::who(&planned).unwrap(), message["body"].as_str().unwrap().to_owned()),
                planned,
                history: histories.remove(&row.get(0)).unwrap_or_default(),
                waits: row.get(3),
            }
        })
        .collect()
}

/// On a connection of its own: the one that the test had may have been cut, and this one may be.
async fn query(url: &str, sql: &str) -> Vec<Row> {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = async {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            client.query(sql, &[]).await
        };
        // Where packets are lost, nothing ever comes back.
        match timeout(Duration::from_secs(10), answer).await {
            Ok(Ok(rows)) => return rows,
            Ok(Err(error)) => assert!(Instant::now() < deadline, "{error}"),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}
