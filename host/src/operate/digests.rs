//! Digests that are open.

use hookswitch_core::domain::Decision;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Operate;
use crate::store::{ListedDigest, StoreError};

/// Maximum number that is counted of each digest.
const COUNTED: i64 = 1_000;

/// Messages that are being collected into one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Digest)]
pub struct OpenDigest {
    /// The id of the event that the digest becomes when it closes.
    pub id: Uuid,
    /// The name of the template.
    pub template: String,
    /// When it closes.
    pub closes_at: Timestamp,
    /// Number of collected decisions, counted up to 1,000.
    pub count: i64,
    /// Whether there may be more than `count`.
    pub more: bool,
    /// The groups that it is for.
    pub groups: Vec<String>,
    /// The usernames of the people that it is for.
    pub users: Vec<String>,
    /// The contacts that it is for: numbers or user ids.
    pub contacts: Vec<String>,
}

impl OpenDigest {
    /// Where the list goes on after it.
    pub fn place(&self) -> (Timestamp, Uuid) {
        (self.closes_at, self.id)
    }
}

impl From<ListedDigest> for OpenDigest {
    /// A decision of another version, which this one cannot read, names nobody.
    fn from(ListedDigest { id, template, decision, due_at, count }: ListedDigest) -> Self {
        let Decision { groups, users, contacts, .. } = serde_json::from_str(&decision).unwrap_or_default();
        OpenDigest { id, template, closes_at: due_at, count, more: count >= COUNTED, groups, users, contacts }
    }
}

impl Operate {
    /// The open digests after a place, in the order in which they close.
    pub async fn digests(
        &self,
        after: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<OpenDigest>, StoreError> {
        let listed = self.store.open_digests(after, COUNTED, limit).await?;
        Ok(listed.into_iter().map(OpenDigest::from).collect())
    }
}
