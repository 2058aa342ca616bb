//! Whether a pooler stands before PostgreSQL that shares its connections, and whether statements survive that.

use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio::time::timeout;

use super::{Store, StoreError, connect::first};

/// In which order two connections ask: no regular way of handing out servers gives each its own all along.
const TURNS: [usize; 8] = [0, 1, 1, 0, 0, 0, 1, 0];
/// How often a statement is prepared on one server to be asked for on another: the first time will do, unless others use
/// the pooler too.
const TRIES: usize = 16;
/// For all of it. A pooler without a server to lend lets us wait for minutes.
const PATIENCE: Duration = Duration::from_secs(15);

impl Store {
    /// Whether a pooler lets transactions of several connections share a server, so that LISTEN cannot work.
    ///
    /// # Errors
    /// Where such a pooler does not keep prepared statements for each connection: it would run others than were asked for.
    pub async fn is_pooled(&self) -> Result<bool, StoreError> {
        if self.connector.is_local() {
            return Ok(false);
        }
        let asked = async {
            let pair = [self.connector.client().await?, self.connector.client().await?];
            if !shares(&pair).await? {
                return Ok(false);
            }
            if keeps_statements(&pair).await? {
                return Ok(true);
            }
            Err(StoreError::Pooler(
                "it shares connections but mixes up their prepared statements; set \
                 pool_mode = session, or use PgBouncer 1.21 or later with max_prepared_statements = 200"
                    .to_owned(),
            ))
        };
        let silence = |_| {
            StoreError::Unreachable(format!(
                "two connections got no answer within {} s; a pooler needs at least two server connections",
                PATIENCE.as_secs()
            ))
        };
        timeout(PATIENCE, asked).await.map_err(silence)?
    }
}

async fn shares(pair: &[ClientWrapper; 2]) -> Result<bool, StoreError> {
    let mut servers: [Option<String>; 2] = [None, None];
    let mut shared = false;
    for turn in TURNS {
        let server = server(&pair[turn], "").await?;
        let moved = servers[turn].is_some() && servers[turn] != server;
        shared |= moved || servers[1 - turn] == server;
        servers[turn] = server;
    }
    Ok(shared)
}

/// Whether what was prepared on one server can be asked for when the connection is lent another. A transaction keeps its
/// server, and the next one that begins most likely gets the one that was given back last.
async fn keeps_statements(pair: &[ClientWrapper; 2]) -> Result<bool, StoreError> {
    let [one, other] = pair;
    for _ in 0..TRIES {
        let home = server(one, "BEGIN; ").await?;
        // Refused where another process has prepared something of this name there.
        let prepared = one.prepare("SELECT 'mine'").await;
        one.batch_execute("COMMIT").await?;
        let Ok(statement) = prepared else { return Ok(false) };
        server(other, "BEGIN; ").await?;
        let away = server(one, "BEGIN; ").await?;
        let said = one.query_one(&statement, &[]).await;
        one.batch_execute("ROLLBACK").await?;
        other.batch_execute("ROLLBACK").await?;
        if away != home {
            return Ok(said.is_ok_and(|row| row.try_get::<_, &str>(0).is_ok_and(|word| word == "mine")));
        }
    }
    Err(StoreError::Unreachable(
        "cannot tell whether the pooler keeps prepared statements apart; try again".to_owned(),
    ))
}

/// Runs a statement, and tells on which server.
async fn server(client: &ClientWrapper, before: &str) -> Result<Option<String>, StoreError> {
    let answer = client.simple_query(&format!("{before}SELECT pg_backend_pid()")).await?;
    Ok(answer.iter().find_map(first).map(str::to_owned))
}
