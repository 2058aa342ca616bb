//! What the database and Meta say, asked all at once.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use futures_util::future::join_all;
use hookswitch_core::{
    catalog::Told,
    domain::{Decision, EventKey, People, SERVICE_WINDOW},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::{people::SomePeople, recipients::NAMED};
use crate::{
    config::WhatsappConfig,
    store::{
        Activation, BacklogFacts, COUNTED, DeferredFacts, FailureFacts, HostFacts, Lately, MissedSlots,
        OldFailures, ParkedFacts, PeopleFacts, RefusedFacts, Store, StoreError, StoredKey, StoredShadow,
        SwitchFacts, ToldLately, UnsentFacts, WebhookFacts,
    },
    whatsapp::management::{Management, ManagementError, PhoneNumber, TemplateOnMeta, Token},
};

/// How long to wait for Meta, which usually responds within a second.
const META_TIME: Duration = Duration::from_secs(4);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of people without a contact to name, and of shared numbers.
const SOME: i64 = 10;
/// Maximum number of clashes of the system's own events to name.
const CLASHES: i64 = 5;
/// Maximum number of rules that failed to name, and of types without a rule.
const CAUSES: i64 = 10;
/// Maximum number of people to list with their windows.
const LISTED: i64 = 1_000;

/// What the database says, if its tables are up to date.
pub struct DatabaseFacts {
    /// Hosts on the list.
    pub hosts: Vec<HostFacts>,
    /// The activation that counts.
    pub active: Option<Activation>,
    /// The shadow that is under way, or that has ended lately by itself.
    pub shadow: Option<StoredShadow>,
    /// Name, members and active members of each group.
    pub groups: Vec<(String, i64, i64)>,
    /// Some members of each group.
    pub members: People,
    /// People as a whole.
    pub people: PeopleFacts,
    /// Some people.
    pub some_people: SomePeople,
    /// API keys.
    pub keys: Vec<StoredKey>,
    /// Work to be done.
    pub backlog: BacklogFacts,
    /// Messages that wait.
    pub deferred: Vec<DeferredFacts>,
    /// Messages that wait because Meta refused them.
    pub refused: Vec<RefusedFacts>,
    /// Failures of the last day.
    pub failed: Vec<FailureFacts>,
    /// Older failures about which nobody decided.
    pub old_failures: OldFailures,
    /// Number of notifications of the last day.
    pub made: i64,
    /// Meta's webhooks.
    pub webhook: WebhookFacts,
    /// When Meta last took a message.
    pub last_accepted: Option<Timestamp>,
    /// Ids of the system's own events that other events had.
    pub own_clashes: (i64, Vec<EventKey>),
    /// Events of the last day of which no message came.
    pub unsent: Vec<UnsentFacts>,
    /// How rules decided lately, by their place.
    pub lately: HashMap<String, Lately>,
    /// Events that wait for a plugin.
    pub parked: Vec<ParkedFacts>,
    /// What operators have stopped.
    pub switches: Vec<SwitchFacts>,
    /// Schedules that missed a time in the last day.
    pub missed: Vec<MissedSlots>,
    /// Whom rules told lately.
    pub told: BTreeSet<Told>,
}

/// Asks the database.
pub async fn database(store: &Store, now: Timestamp) -> Result<DatabaseFacts, StoreError> {
    let (opened_after, day_ago) = (now - SERVICE_WINDOW, now - DAY);
    let members = async {
        let groups = store.group_sizes().await?;
        let mut members = People::default();
        let names: BTreeSet<&str> = groups.iter().map(|(name, ..)| name.as_str()).collect();
        store.some_members(&names, NAMED, &mut members).await?;
        Ok((groups, members))
    };
    let some_people = async {
        let (unlinked, opted_out, shared, listed) = tokio::try_join!(
            store.unlinked_people(SOME),
            store.opted_out_people(LISTED),
            store.shared_numbers(SOME),
            store.list_people(None, "", LISTED),
        )?;
        Ok(SomePeople { unlinked, opted_out, shared, listed })
    };
    let active = async {
        let (active, shadow) = tokio::try_join!(store.last_active(), store.last_shadow(None))?;
        let ended_lately = |of: &StoredShadow| of.ended.as_ref().is_none_or(|(.., at)| *at > day_ago);
        Ok((active, shadow.filter(ended_lately)))
    };
    let (hosts, (active, shadow), (groups, members), people, some_people, keys, backlog, deferred, refused) =
        tokio::try_join!(
            store.host_facts(),
            active,
            members,
            store.people_facts(opened_after),
            some_people,
            store.keys(),
            store.backlog(),
            store.deferred_facts(COUNTED),
            store.refused_facts(),
        )?;
    let (
        failed,
        old_failures,
        made,
        webhook,
        last_accepted,
        own_clashes,
        unsent,
        lately,
        parked,
        switches,
        missed,
        told,
    ) = tokio::try_join!(
        store.failures_since(day_ago),
        store.old_failures(day_ago),
        store.notifications_since(day_ago),
        store.webhook_facts(),
        store.last_accepted(),
        store.own_clashes(day_ago, CLASHES),
        store.unsent_since(day_ago, CAUSES),
        store.decided_lately(),
        store.parked(),
        store.switches(),
        store.missed_slots(day_ago),
        store.told_lately(),
    )?;
    let told = told.into_iter().filter_map(told_lately).collect();
    Ok(DatabaseFacts {
        hosts,
        active,
        shadow,
        groups,
        members,
        people,
        some_people,
        keys,
        backlog,
        deferred,
        refused,
        failed,
        old_failures,
        made,
        webhook,
        last_accepted,
        own_clashes,
        unsent,
        lately,
        parked,
        switches,
        missed,
        told,
    })
}

/// `None` for a decision of another version, which this one cannot read.
fn told_lately(told: ToldLately) -> Option<Told> {
    let decision: Decision = serde_json::from_str(&told.decision).ok()?;
    let others = !(decision.users.is_empty() && decision.contacts.is_empty());
    Some(Told { kind: told.kind, rule: told.rule, groups: decision.groups, others })
}

/// What Meta says.
pub struct MetaFacts {
    /// About the token.
    pub token: Result<Token, ManagementError>,
    /// About the numbers, the usual one first.
    pub numbers: Vec<Result<PhoneNumber, ManagementError>>,
    /// About the account; `None` if none is set.
    pub account: Option<AccountFacts>,
}

/// What Meta says of the account.
pub struct AccountFacts {
    /// The templates.
    pub templates: Result<Vec<TemplateOnMeta>, ManagementError>,
    /// The number of apps that get the webhooks.
    pub subscribed: Result<usize, ManagementError>,
}

impl AccountFacts {
    /// Why Meta said nothing.
    pub fn error(&self) -> Option<&ManagementError> {
        self.templates.as_ref().err().or(self.subscribed.as_ref().err())
    }
}

/// Asks Meta.
pub async fn meta(config: &WhatsappConfig) -> MetaFacts {
    let management = match Management::new(&config.whatsapp_api_url, &config.whatsapp_access_token) {
        Ok(management) => management,
        Err(error) => {
            let error = ManagementError::Unreachable(error.to_string());
            return MetaFacts { token: Err(error.clone()), numbers: vec![Err(error)], account: None };
        }
    };
    let account = async {
        let account = config.whatsapp_business_account_id.as_deref()?;
        let (templates, subscribed) = tokio::join!(
            in_time(management.templates(account)),
            in_time(management.subscribed_apps(account))
        );
        Some(AccountFacts { templates, subscribed })
    };
    let (token, numbers, account) =
        tokio::join!(in_time(management.token()), numbers_at(&management, config), account);
    MetaFacts { token, numbers, account }
}

/// What Meta says of the sending numbers, the usual one first; an error for each that it does not tell of in time.
pub async fn numbers(config: &WhatsappConfig) -> Vec<Result<PhoneNumber, ManagementError>> {
    match Management::new(&config.whatsapp_api_url, &config.whatsapp_access_token) {
        Ok(management) => numbers_at(&management, config).await,
        Err(error) => {
            let error = ManagementError::Unreachable(error.to_string());
            config.whatsapp_phone_number_id.ids().map(|_| Err(error.clone())).collect()
        }
    }
}

async fn numbers_at(
    management: &Management,
    config: &WhatsappConfig,
) -> Vec<Result<PhoneNumber, ManagementError>> {
    join_all(config.whatsapp_phone_number_id.ids().map(|id| in_time(management.phone_number(id)))).await
}

async fn in_time<T>(asked: impl Future<Output = Result<T, ManagementError>>) -> Result<T, ManagementError> {
    timeout(META_TIME, asked).await.unwrap_or_else(|_| {
        Err(ManagementError::Unreachable(format!("no response within {} s", META_TIME.as_secs())))
    })
}
