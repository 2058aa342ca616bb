//! Messages whose delivery could not be confirmed: resent or dropped.

use hookswitch_core::domain::NotificationId;
use serde_json::json;

use super::{Operate, Operator};
use crate::store::StoreError;

/// Rows read at once.
const PAGE: i64 = 10_000;
/// The reason in the history of a message that was dropped.
const DROPPED: &str = "dropped by an operator: its delivery could not be confirmed";

/// What to do with a message whose delivery could not be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Resend it: a recipient who has it gets it twice.
    Resend,
    /// Drop it: a recipient who does not have it never gets it.
    Drop,
}

/// The result of resolving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Number of messages that were resent or dropped.
    pub count: usize,
    /// The named messages whose delivery is not in doubt.
    pub others: Vec<NotificationId>,
}

impl Operate {
    /// Resends or drops these messages; all of the list if `ids` is `None`.
    pub async fn resolve_unknown(
        &self,
        by: &Operator,
        ids: Option<&[NotificationId]>,
        resolution: Resolution,
        reason: Option<&str>,
    ) -> Result<Resolved, StoreError> {
        let action = match resolution {
            Resolution::Resend => "unknown.resend",
            Resolution::Drop => "unknown.drop",
        };
        let what = ids.map_or_else(|| json!({"all": true}), |ids| json!({ "ids": ids }));
        let mut act = by.act(action, &what, reason);
        let mut done = Resolved::default();
        loop {
            let listed;
            let page = match ids {
                Some(ids) => ids,
                None => {
                    let unknown = self.store.unknown(0, PAGE).await?;
                    listed = unknown.into_iter().map(|unknown| unknown.id).collect::<Vec<_>>();
                    &listed
                }
            };
            let changed = match resolution {
                Resolution::Resend => self.store.resend_unknown(page, &mut act).await?,
                Resolution::Drop => self.store.drop_unknown(page, DROPPED, &mut act).await?,
            };
            done.count += changed.len();
            if ids.is_some() {
                done.others.extend(page.iter().filter(|id| !changed.contains(id)));
            }
            // Of all, those that remain came in the meantime, or another process has them.
            if ids.is_some() || changed.is_empty() {
                break;
            }
        }
        self.store.notify().await?;
        Ok(done)
    }
}
