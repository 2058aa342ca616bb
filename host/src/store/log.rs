//! What the logs have in common: their locks, and the wake-up across hosts.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio_postgres::AsyncMessage;

use super::{Store, StoreError};

/// The advisory lock of the event log. Each append takes it first, in the same statement, so that a
/// smaller `seq` never becomes visible after a larger one.
pub const EVENT_LOG: i64 = 0x686f_6f6b_0001;

/// The advisory lock of the notification log.
pub const NOTIFICATION_LOG: i64 = 0x686f_6f6b_0002;

/// What is said when another release is active.
const RELEASE: &str = "release";

/// How long to wait before listening anew: doubled with each failure.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

impl Store {
    /// Tells the other hosts that a log has grown. Outside of any append's transaction: inside,
    /// NOTIFY would serialise the commits.
    ///
    /// # Errors
    /// Where PostgreSQL cannot be reached; the others' polls are the net.
    pub async fn notify(&self) -> Result<(), StoreError> {
        self.client().await?.batch_execute("NOTIFY hookswitch").await?;
        Ok(())
    }

    /// Tells the hosts that follow that another release is active.
    ///
    /// # Errors
    /// Where PostgreSQL cannot be reached; the hosts' polls are the net.
    pub async fn notify_of_release(&self) -> Result<(), StoreError> {
        self.client().await?.batch_execute(&format!("NOTIFY hookswitch, '{RELEASE}'")).await?;
        Ok(())
    }

    /// Calls `grown` whenever another host says that a log has grown, and after each reconnection; and `released` whenever
    /// somebody says that another release is active. Never ends; drop the future to stop. Where a pooler shares connections
    /// nothing can be heard, and the polls are the net.
    pub async fn listen(self, grown: impl Fn(), released: impl Fn()) {
        let mut pause = RECONNECT.0;
        loop {
            match self.is_pooled().await {
                Ok(true) => {
                    tracing::info!(
                        "a pooler shares connections: other hosts are heard by polls, once a second"
                    );
                    return std::future::pending().await;
                }
                Ok(false) => match self.listen_once(&grown, &released, &mut pause).await {
                    Ok(()) => tracing::debug!("stopped listening for other hosts"),
                    Err(error) => tracing::debug!(%error, "stopped listening for other hosts"),
                },
                Err(error) => tracing::debug!(%error, "failed to listen for other hosts"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT.1);
        }
    }

    async fn listen_once(
        &self,
        grown: &impl Fn(),
        released: &impl Fn(),
        pause: &mut Duration,
    ) -> Result<(), StoreError> {
        let (client, mut connection) = self.connector.open().await?;
        let mut messages = std::pin::pin!(stream::poll_fn(move |cx| connection.poll_message(cx)));
        // The connection must be polled for the statement to get its answer.
        let mut listening = std::pin::pin!(async {
            let done = client.batch_execute("LISTEN hookswitch").await;
            grown();
            done
        });
        let mut ready = false;
        loop {
            tokio::select! {
                done = &mut listening, if !ready => {
                    done?;
                    (ready, *pause) = (true, RECONNECT.0);
                }
                message = messages.next() => match message {
                    Some(Ok(AsyncMessage::Notification(heard))) if heard.payload() == RELEASE => released(),
                    Some(Ok(AsyncMessage::Notification(_))) => grown(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Ok(()),
                }
            }
        }
    }
}
