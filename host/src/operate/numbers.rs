//! The sending numbers: what Meta says of them, their pace, and what waits for them.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{Setup, setup::FRESH};
use crate::{
    check,
    dispatch::users_of_tier,
    store::StoreError,
    whatsapp::management::{ManagementError, PhoneNumber},
};

/// Messages of each number and priority that are counted, those that are due first.
const COUNTED: i64 = 1_000;
/// Maximum number of users that are counted; Meta's highest tier with a number has 100,000.
const USERS: i64 = 100_000;

/// What Meta said of the numbers, and when.
pub(super) type AskedNumbers = (Instant, Vec<Result<PhoneNumber, ManagementError>>);

/// A sending number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SendingNumber)]
pub struct Number {
    /// Meta's id of the number.
    pub id: String,
    /// The names by which rules choose it.
    pub names: Vec<String>,
    /// Whether messages go out from it for which rules choose none.
    pub default: bool,
    /// Maximum messages per second, across all hosts.
    pub messages_per_second: u32,
    /// What Meta says of it; null if Meta did not answer.
    pub at_meta: Option<NumberAtMeta>,
    /// Why Meta did not say anything; null if it did.
    pub error: Option<String>,
    /// Number of its messages that wait, by reason; of each priority, the 1,000 that are due first are counted.
    pub waiting: BTreeMap<String, i64>,
}

/// What Meta says of a number, in Meta's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NumberAtMeta {
    /// The number as people write it.
    pub number: Option<String>,
    /// The name that users see.
    pub name: Option<String>,
    /// The quality: `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: Option<String>,
    /// The state; `CONNECTED` if it may send.
    pub status: Option<String>,
    /// `STANDARD` (80 messages per second) or `HIGH` (1,000).
    pub throughput: Option<String>,
    /// How many users may be messaged in 24 hours outside their windows, for example `TIER_250`.
    pub messaging_limit: Option<String>,
}

/// The sending numbers, and the limit that they share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Numbers {
    /// The numbers, the default one first.
    pub data: Vec<Number>,
    /// Maximum number of users that may be messaged in 24 hours outside their windows; null if there is no limit, or if it
    /// is not known.
    pub daily_limit: Option<u32>,
    /// Number of users that were, counted up to 100,000.
    pub daily_users: i64,
}

impl From<PhoneNumber> for NumberAtMeta {
    fn from(number: PhoneNumber) -> Self {
        NumberAtMeta {
            number: number.display_phone_number,
            name: number.verified_name,
            quality: number.quality_rating,
            status: number.status,
            throughput: number.throughput.and_then(|throughput| throughput.level),
            messaging_limit: number.whatsapp_business_manager_messaging_limit,
        }
    }
}

impl Setup {
    /// The sending numbers. Meta is asked about them at most once a minute, and answers within 4 seconds or not at all.
    pub async fn numbers(&self) -> Result<Numbers, StoreError> {
        let said = self.said_of_numbers().await;
        let senders = &self.settings.whatsapp_phone_number_id;
        let ids: Vec<&str> = senders.ids().collect();
        let waiting = self.operate.store.numbers_waiting(&ids, COUNTED).await?;
        let daily_users = self.operate.store.daily_users(self.operate.now(), USERS).await?;
        let number = |(id, said): (&&str, &Result<PhoneNumber, ManagementError>)| {
            let of_it = waiting.iter().filter(|waiting| waiting.phone_number_id == **id);
            Number {
                id: (*id).to_owned(),
                names: senders.names_of(id).into_iter().map(str::to_owned).collect(),
                default: *id == senders.usual(),
                messages_per_second: self.settings.whatsapp_messages_per_second,
                at_meta: said.clone().ok().map(NumberAtMeta::from),
                error: said.as_ref().err().map(ToString::to_string),
                waiting: of_it.map(|waiting| (waiting.reason.clone(), waiting.count)).collect(),
            }
        };
        let data: Vec<Number> = ids.iter().zip(&said).map(number).collect();
        let tier = data.first().and_then(|number| number.at_meta.as_ref()?.messaging_limit.as_deref());
        Ok(Numbers { daily_limit: tier.and_then(users_of_tier), daily_users, data })
    }

    async fn said_of_numbers(&self) -> Vec<Result<PhoneNumber, ManagementError>> {
        let mut last = self.numbers.lock().await;
        if let Some((_, said)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return said.clone();
        }
        let said = check::numbers(&self.settings).await;
        *last = Some((Instant::now(), said.clone()));
        said
    }
}
