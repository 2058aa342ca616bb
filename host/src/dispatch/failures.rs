//! Failures that Meta reports after it had accepted the message.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::mpsc, time::sleep};

use super::settle::{Next, next};
use crate::{
    domain::{Mode, Status},
    receipts::Receipt,
    store::Store,
    whatsapp::treatment,
};

const PAUSE: Duration = Duration::from_millis(500);

/// Lets messages wait for another attempt that failed late, where another may help. The lane's owner,
/// whichever host that is, finds them when they are due. Ends when the channel is closed.
pub async fn retry_failures(store: Store, mut receipts: mpsc::Receiver<Receipt>) {
    while let Some(receipt) = receipts.recv().await {
        if receipt.status != Status::Failed {
            continue;
        }
        let Some(code) = receipt.code else { continue };
        let (next, _) = next(treatment(code, None), receipt.attempt, Mode::Auto, rand::random());
        let Next::Again(seconds, reason) = next else { continue };
        let due_at = Timestamp::now() + SignedDuration::from_secs_f64(seconds);
        let (id, attempt) = (receipt.notification_id, receipt.attempt + 1);
        while let Err(error) = store.defer_by_id(id, due_at, attempt, reason).await {
            tracing::warn!(%error, notification = %id, "failed to retry a message that failed late; trying again");
            sleep(PAUSE).await;
        }
    }
}
