//! Watches our templates at Meta: which version of each is in use, and what Meta changes.
//!
//! The version in use is the newest that Meta has approved and whose text is known. While a changed template is in
//! review, the old version is sent, with the parameters of the old text. Templates are listed at the start, every five
//! minutes, when the rules change, and when a webhook is about a template; the webhook only triggers the listing, so a
//! lost one costs minutes at most. Each host keeps the versions in memory, and stores what it learns in the database for
//! times when Meta does not respond.

mod look;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use hookswitch_core::{
    catalog::{Catalog, Live},
    plan::{InUse, TemplateSource, Version, definitions},
};
use tokio::{
    sync::Notify,
    time::{Instant, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use self::look::{Look, look};
use crate::{
    store::{MetaTemplateRow, Store, StoreError},
    system::{SystemEvent, TemplateStatus, new_events, template_status_changed},
    whatsapp::{
        TemplateState, compare,
        management::{Management, ManagementError},
    },
};

const EVERY: Duration = Duration::from_secs(300);
const JITTER_SECONDS: u64 = 30;
const AFTER_AN_ERROR: Duration = Duration::from_secs(30);
/// How long to wait for more webhooks, which come in bursts, before listing.
const QUIET: Duration = Duration::from_millis(500);
/// How often to check whether the rules have changed.
const RELEASE: Duration = Duration::from_secs(1);

/// A change by Meta to a version of one of our templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateChange {
    /// The template's name in the catalog.
    pub template: String,
    /// The version's name at Meta.
    pub name: String,
    /// A language code, for example `en_US`.
    pub language: String,
    /// The number of this change among those of the version, from 1; a change that is reported twice keeps its number.
    pub ordinal: i32,
    /// The former status at Meta; `None` if unknown.
    pub from: Option<String>,
    /// The status at Meta: `APPROVED`, `REJECTED`, `PAUSED`, `DISABLED`, …
    pub status: String,
    /// Meta's word for its category.
    pub category: Option<String>,
    /// Whether the category is not the one in the template's file.
    pub recategorised: bool,
    /// Why, in Meta's word.
    pub reason: Option<String>,
}

impl TemplateChange {
    /// Whether somebody should know: it is rejected, paused, disabled, gone, or in another category.
    pub fn is_bad(&self) -> bool {
        self.recategorised || !matches!(self.status.as_str(), "APPROVED" | "PENDING" | "IN_APPEAL")
    }
}

/// The templates, each with the state at Meta, in Meta's word, of a version that has our text; `MISSING` if there is none.
pub type TemplateStates = Arc<ArcSwap<Vec<(String, String)>>>;

/// What the watch needs.
pub struct TemplateWatch {
    /// The database.
    pub store: Store,
    /// The rules.
    pub catalog: Arc<Live>,
    /// Meta.
    pub management: Management,
    /// The WhatsApp Business Account, by Meta's id.
    pub account_id: String,
    /// Notified by a webhook about a template.
    pub updated: Arc<Notify>,
    /// The versions in use, for the rest of the host.
    pub in_use: Arc<ArcSwap<InUse>>,
    /// The states of our templates at Meta, for the metrics.
    pub states: TemplateStates,
    /// Called when changes were appended to the event log.
    pub grew: Arc<dyn Fn() + Send + Sync>,
}

/// Why the templates at Meta are unknown.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Meta(#[from] ManagementError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The versions in use that the database knows, as far as their texts are known.
pub async fn restore(store: &Store) -> Result<InUse, StoreError> {
    let known = store.meta_templates().await?;
    let mut versions = BTreeMap::new();
    for switch in store.meta_template_switches().await? {
        let row = known.iter().rev().find(|row| {
            Some(&row.name) == switch.name.as_ref()
                && row.language == switch.language
                && row.template == switch.template
        });
        if let Some(version) = row.and_then(compile) {
            versions.insert((switch.template, switch.language), vec![Arc::new(version)]);
        }
    }
    Ok(InUse::new(versions))
}

impl TemplateWatch {
    /// Watches until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let jitter = Duration::from_secs(rand::random_range(0..JITTER_SECONDS));
        let mut compiled = HashMap::new();
        let mut releases = Vec::new();
        let mut next = Instant::now();
        let mut tick = interval(RELEASE);
        while !stop.is_cancelled() {
            let current = self.catalog.in_force().all().map(|catalog| catalog.release.clone()).collect();
            if next <= Instant::now() || releases != current {
                releases = current;
                next = Instant::now()
                    + match self.refresh(&mut compiled).await {
                        Ok(()) => EVERY + jitter,
                        Err(error) => {
                            tracing::warn!(%error, "failed to look at the templates at Meta; the versions in use stay in use");
                            AFTER_AN_ERROR
                        }
                    };
            }
            tokio::select! {
                () = self.updated.notified() => {
                    sleep(QUIET).await;
                    next = Instant::now();
                }
                _ = tick.tick() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn refresh(&self, compiled: &mut Compiled) -> Result<(), WatchError> {
        let in_force = self.catalog.in_force();
        let on_meta = self.management.templates(&self.account_id).await?;
        let mut states = compare(&definitions(&in_force.main().templates).0, &on_meta);
        let mut ours = rows(in_force.main(), &states);
        if let Some((_, catalog)) = in_force.share() {
            let of_share = compare(&definitions(&catalog.templates).0, &on_meta);
            // Its words of a template that both have are one more version, which its messages prefer.
            ours.extend(rows(catalog, &of_share));
            let is_new = |state: &TemplateState| !states.iter().any(|known| is_same(known, state));
            states.extend(of_share.into_iter().filter(is_new).collect::<Vec<_>>());
        }
        self.states.store(Arc::new(words(&states)));
        self.store.append_meta_templates(&ours).await?;
        let known = self.store.meta_templates().await?;
        let statuses = self.store.meta_template_statuses().await?;
        let switches = self.store.meta_template_switches().await?;
        let Look { in_use, statuses, switches, changes } =
            look(&states, &known, &statuses, &switches, compiled, self.store.now());
        // The versions in use first; the rest only reports changes.
        self.in_use.store(Arc::new(in_use));
        self.store.append_meta_template_switches(&switches).await?;
        let usable: Vec<&str> = switches
            .iter()
            .filter(|switch| switch.name.is_some())
            .map(|switch| switch.template.as_str())
            .collect();
        if !usable.is_empty() {
            self.store.template_approved(&usable, self.store.now()).await?;
        }
        for switch in &switches {
            tracing::info!(
                template = switch.template,
                version = switch.name,
                "another version of a template is in use"
            );
        }
        self.tell(&changes).await?;
        self.store.append_meta_template_statuses(&statuses).await?;
        Ok(())
    }
}

impl TemplateWatch {
    /// Tells of changes for the worse by events. Before they are written down: after a crash, and by several hosts,
    /// they are told again, and the event log takes each once.
    async fn tell(&self, changes: &[TemplateChange]) -> Result<(), StoreError> {
        let now = self.store.now();
        let bad: Vec<&TemplateChange> = changes.iter().filter(|change| change.is_bad()).collect();
        for TemplateChange { template, name, status, category, reason, .. } in &bad {
            tracing::warn!(template, name, status, category, reason, "Meta has changed a template");
        }
        let events: Vec<SystemEvent> = bad
            .into_iter()
            .filter_map(|change| {
                template_status_changed(&TemplateStatus {
                    template: &change.template,
                    name: &change.name,
                    language: &change.language,
                    ordinal: change.ordinal,
                    from: change.from.as_deref(),
                    status: &change.status,
                    category: change.category.as_deref(),
                    recategorised: change.recategorised,
                    reason: change.reason.as_deref(),
                    at: now,
                })
            })
            .collect();
        if !events.is_empty() {
            self.store.append_own(&new_events(&events)).await?;
            (self.grew)();
        }
        Ok(())
    }
}

/// The versions at Meta that have the words of these templates.
fn rows(catalog: &Catalog, states: &[TemplateState]) -> Vec<MetaTemplateRow> {
    let row = |state: &TemplateState| {
        let definition = &state.definition;
        let source = catalog.templates.variant(&definition.template, &definition.language);
        Some(MetaTemplateRow {
            name: state.current()?.name.clone(),
            language: definition.language.clone(),
            wording: definition.wording.clone(),
            template: definition.template.clone(),
            source: source.map(|template| template.source.clone()).unwrap_or_default(),
            parameter_names: state.current()?.parameter_names.clone(),
        })
    };
    states.iter().filter_map(row).collect()
}

fn is_same(one: &TemplateState, other: &TemplateState) -> bool {
    let of = |state: &TemplateState| (state.definition.template.clone(), state.definition.language.clone());
    of(one) == of(other)
}

/// Each template with the states of its languages, each once.
fn words(states: &[TemplateState]) -> Vec<(String, String)> {
    let word = |state: &TemplateState| {
        let status = state.current().map_or("MISSING", |version| version.status.as_str());
        (state.definition.template.clone(), status.to_owned())
    };
    states.iter().map(word).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Versions that have been compiled, by name, language and wording.
type Compiled = HashMap<(String, String, String), Option<Arc<Version>>>;

fn compile(row: &MetaTemplateRow) -> Option<Version> {
    let source = TemplateSource {
        name: row.template.clone(),
        file: format!("the file of {} at Meta", row.name),
        text: row.source.clone(),
    };
    // Its words at Meta are those of then: a version of Hookswitch that takes bodies apart differently cannot
    // use them.
    let version =
        Version::compile(&row.name, source).ok().filter(|version| version.wording() == row.wording)?;
    Some(version.with_parameter_names(row.parameter_names.clone()))
}
