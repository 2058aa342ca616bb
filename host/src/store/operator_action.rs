//! What operators did: written in the transaction of the act, or after what was done at Meta; never changed, kept for a year.

use std::{collections::HashMap, fmt};

use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Store, StoreError, session::Transaction};

/// Maximum number of actions that are shown of one message.
const OF_MESSAGE: i64 = 20;

/// The way by which an operator acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionWay {
    /// The command line.
    Cli,
    /// The HTTP API.
    Api,
    /// The console.
    Console,
}

impl fmt::Display for ActionWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ActionWay::Cli => "cli",
            ActionWay::Api => "api",
            ActionWay::Console => "console",
        })
    }
}

/// An act that is under way: the statements that carry it out record it once, and count on.
#[derive(Clone, Debug)]
pub struct Act {
    /// The name of the API key, or the user of the command line.
    pub who: String,
    /// By which way.
    pub way: ActionWay,
    /// The kind of action, for example `failed.redrive`.
    pub action: &'static str,
    /// The filter or the ids, as JSON.
    pub what: String,
    /// The reason that the operator gave.
    pub reason: Option<String>,
    /// Its place in the log; `None` before it has changed anything.
    pub(super) id: Option<i64>,
}

impl Act {
    /// An act that has changed nothing yet.
    pub fn new(
        who: String,
        way: ActionWay,
        action: &'static str,
        what: String,
        reason: Option<String>,
    ) -> Act {
        Act { who, way, action, what, reason, id: None }
    }

    /// Records what this transaction has done to these messages; nothing if there are none. Returns the place in the log,
    /// which counts once the transaction is committed.
    pub(super) async fn record(
        &self,
        transaction: &Transaction<'_>,
        messages: &[Uuid],
    ) -> Result<Option<i64>, StoreError> {
        let id = self.record_count(transaction, messages.len()).await?;
        if let Some(id) = id {
            add_messages(transaction, id, messages).await?;
        }
        Ok(id)
    }

    /// Records how much this transaction has changed; nothing if that is 0.
    pub(super) async fn record_count(
        &self,
        transaction: &Transaction<'_>,
        count: usize,
    ) -> Result<Option<i64>, StoreError> {
        match (count, self.id) {
            (0, id) => Ok(id),
            (_, Some(id)) => {
                add_count(transaction, id, count).await?;
                Ok(Some(id))
            }
            (_, None) => self.append(transaction, count).await.map(Some),
        }
    }

    /// Appends the act to the log, and returns its place.
    pub(super) async fn append(
        &self,
        transaction: &Transaction<'_>,
        count: usize,
    ) -> Result<i64, StoreError> {
        let (way, count) = (self.way.to_string(), i64::try_from(count).unwrap_or(i64::MAX));
        let row = transaction
            .query_one(
                "INSERT INTO operator_action (who, way, action, what, reason, count)
                 VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                &[&self.who, &way, &self.action, &self.what, &self.reason, &count],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}

/// Commits a change with the act that led to it; whether there was one to commit.
pub(super) async fn commit_change(
    transaction: Transaction<'_>,
    changed: u64,
    act: Option<&Act>,
) -> Result<bool, StoreError> {
    if changed == 0 {
        transaction.rollback().await?;
        return Ok(false);
    }
    if let Some(act) = act {
        act.append(&transaction, 1).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Adds to the number of what an action has changed.
pub(super) async fn add_count(
    transaction: &Transaction<'_>,
    action: i64,
    count: usize,
) -> Result<(), StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    transaction
        .execute("UPDATE operator_action SET count = count + $2 WHERE id = $1", &[&action, &count])
        .await?;
    Ok(())
}

/// Adds to the messages that an action has changed.
pub(super) async fn add_messages(
    transaction: &Transaction<'_>,
    action: i64,
    messages: &[Uuid],
) -> Result<(), StoreError> {
    transaction
        .execute(
            "INSERT INTO operator_action_message (notification_id, action_id) SELECT unnest($1::uuid[]), $2
             ON CONFLICT DO NOTHING",
            &[&messages, &action],
        )
        .await?;
    Ok(())
}

/// An action of an operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Action {
    /// Its place in the log.
    pub id: i64,
    /// When it began.
    pub at: Timestamp,
    /// The name of the API key; for the command line, the user of the machine and the role of the database.
    pub who: String,
    /// The way: `cli`, `api` or `console`.
    pub way: String,
    /// The kind of action: `failed.redrive`, `failed.discard`, `unknown.resend`, `unknown.drop`, `waiting.withdraw`,
    /// `events.rerun`, `message.send`, `plugin.resume`, `check.fix`, `templates.push`, `person.add`, `person.change`,
    /// `people.import`, `group.create`, `group.rename`, `group.delete`, `group.add_members`, `group.remove_members`,
    /// `contact.link`, `contact.language`, `opt_out.set`, `opt_out.cleared`, `key.create`, `key.revoke`,
    /// `session.end`, `release.create`, `release.activate`, `release.rollback`, `switch.stop` or `switch.resume`.
    pub action: String,
    /// The filter or the ids.
    #[schema(value_type = Object)]
    pub what: Box<RawValue>,
    /// The reason that the operator gave; null if none was given.
    pub reason: Option<String>,
    /// The number of messages, events or other things that it changed.
    pub count: i64,
}

/// Which actions to list. A member that is `None` does not restrict the list.
#[derive(Clone, Debug)]
pub struct ActionFilter {
    /// Only actions that began since then.
    pub since: Timestamp,
    /// Only actions of this key or user.
    pub who: Option<String>,
    /// Only this kind of action.
    pub action: Option<String>,
    /// Only actions before this place in the log.
    pub before: Option<i64>,
    /// Maximum number of actions.
    pub limit: i64,
}

impl Store {
    /// Records an act that was carried out elsewhere, for example at Meta; nothing if it has changed nothing.
    pub async fn record_action(&self, act: &Act, count: usize) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        act.record_count(&transaction, count).await?;
        transaction.commit().await
    }

    /// The actions that a filter lets through, newest first.
    pub async fn actions(&self, filter: &ActionFilter) -> Result<Vec<Action>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT id, at, who, way, action, what, reason, count FROM operator_action
                 WHERE id < $1 AND at >= $2 AND ($3::text IS NULL OR who = $3) AND ($4::text IS NULL OR action = $4)
                 ORDER BY id DESC LIMIT $5",
                &[
                    &filter.before.unwrap_or(i64::MAX),
                    &filter.since,
                    &filter.who,
                    &filter.action,
                    &filter.limit,
                ],
            )
            .await?;
        rows.iter().map(|row| action(row, 0)).collect()
    }

    /// What operators did to these messages: of each the newest 20, newest last.
    pub(super) async fn actions_on(
        &self,
        ids: &[NotificationId],
    ) -> Result<HashMap<NotificationId, Vec<Action>>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT k.id, a.id, a.at, a.who, a.way, a.action, a.what, a.reason, a.count
                 FROM unnest($1::uuid[]) AS k (id)
                 CROSS JOIN LATERAL (
                     SELECT action_id FROM operator_action_message WHERE notification_id = k.id
                     ORDER BY action_id DESC LIMIT $2
                 ) m
                 JOIN operator_action a ON a.id = m.action_id
                 ORDER BY a.id",
            )
            .await?;
        let mut actions: HashMap<NotificationId, Vec<Action>> = HashMap::new();
        for row in client.query(&statement, &[&ids, &OF_MESSAGE]).await? {
            actions.entry(NotificationId(row.try_get(0)?)).or_default().push(action(&row, 1)?);
        }
        Ok(actions)
    }

    /// The role that this database knows us by.
    pub async fn role(&self) -> Result<String, StoreError> {
        let row = self.client().await?.query_one("SELECT current_user::text", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// Drops a part of the actions that are older than a year, and returns how many rows that were; 0 at the end.
    pub async fn prune_actions(&self) -> Result<i64, StoreError> {
        let row = self.client().await?.query_one("SELECT prune_actions()", &[]).await?;
        Ok(row.try_get(0)?)
    }
}

fn action(row: &Row, from: usize) -> Result<Action, StoreError> {
    Ok(Action {
        id: row.try_get(from)?,
        at: row.try_get(from + 1)?,
        who: row.try_get(from + 2)?,
        way: row.try_get(from + 3)?,
        action: row.try_get(from + 4)?,
        what: RawValue::from_string(row.try_get(from + 5)?)
            .map_err(|error| StoreError::Row(format!("what an action was about: {error}")))?,
        reason: row.try_get(from + 6)?,
        count: row.try_get(from + 7)?,
    })
}
