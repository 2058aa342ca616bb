//! One WhatsApp user under two numbers: who was stored with the number as people write it, and writes with the
//! number as WhatsApp has it.

use super::{
    StoreError,
    contact::{merge, set_ids},
    session::Transaction,
};
use crate::domain::{Contact, same_user};

/// Gives contacts the numbers that their users were seen with; a row that had the seen number takes the other in.
pub(super) async fn adopt(transaction: &Transaction<'_>, seen: &[Contact]) -> Result<(), StoreError> {
    let (numbers, twins): (Vec<&str>, Vec<String>) = seen
        .iter()
        .filter_map(|contact| contact.wa_id.as_deref())
        .filter_map(|wa_id| Some((wa_id, same_user(wa_id)?)))
        .unzip();
    if numbers.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "SELECT t.id, i.wa_id, s.id
             FROM unnest($1::text[], $2::text[]) AS i (wa_id, twin)
             JOIN contact t ON t.wa_id = i.twin
             LEFT JOIN contact s ON s.wa_id = i.wa_id
             ORDER BY t.id
             FOR UPDATE OF t",
        )
        .await?;
    for row in transaction.query(&statement, &[&numbers, &twins]).await? {
        let (twin, wa_id, holder): (i64, &str, Option<i64>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match holder {
            Some(holder) => merge(transaction, twin, holder).await?,
            None => set_ids(transaction, twin, Some(wa_id), None).await?,
        }
    }
    Ok(())
}
