//! Whether a pooler stands before PostgreSQL that shares its connections, and whether statements survive that.

use super::{Store, StoreError, connect::first};

/// In which order two connections ask: no regular way of handing out servers gives each its own all along.
const TURNS: [usize; 8] = [0, 1, 1, 0, 0, 0, 1, 0];

impl Store {
    /// Whether a pooler lets transactions of several connections share a server, so that LISTEN cannot work.
    ///
    /// # Errors
    /// Where such a pooler does not keep prepared statements for each connection: it would run others than were asked for.
    pub async fn is_pooled(&self) -> Result<bool, StoreError> {
        if self.connector.is_local() {
            return Ok(false);
        }
        let pair = [self.connector.client().await?, self.connector.client().await?];
        let mut servers: [Option<String>; 2] = [None, None];
        let mut shared = false;
        for turn in TURNS {
            let answer = pair[turn].simple_query("SELECT pg_backend_pid()").await?;
            let pid = answer.iter().find_map(first).map(str::to_owned);
            let moved = servers[turn].is_some() && servers[turn] != pid;
            shared |= moved || servers[1 - turn] == pid;
            servers[turn] = pid;
        }
        if !shared {
            return Ok(false);
        }
        for turn in TURNS {
            let word = ["one", "other"][turn];
            // Each connection numbers its statements from 0: without a pooler's help they have the same names.
            let said = async {
                let statement = pair[turn].prepare(&format!("SELECT '{word}'::text")).await?;
                pair[turn].query_one(&statement, &[]).await?.try_get::<_, String>(0)
            };
            match said.await {
                Ok(said) if said == word => {}
                _ => {
                    return Err(StoreError::Pooler(
                        "the pooler shares connections but does not keep their prepared statements apart: set \
                         pool_mode = session, or use PgBouncer 1.21 or later with max_prepared_statements = 200"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(true)
    }
}
