//! The set-up check: whether everything is in place for messages to be sent, and how to fix what is not.
//!
//! Facts are gathered first, all at once, so a check takes as long as its slowest question. Pure functions then judge them
//! into a [`Report`], which the command line prints, or writes as it is with `--json`.

mod database;
mod events;
mod meta;
mod people;
mod plugins;
mod report;
mod rules;
mod templates;
pub mod words;
mod work;

use std::time::Duration;

use futures_util::future::join_all;
use hookswitch_core::{
    catalog::{Catalog, Findings},
    domain::SERVICE_WINDOW,
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

pub use self::{
    report::{Finding, Report, Section, Severity},
    templates::missing,
    words::count,
};
use crate::{
    config::{ConfigErrors, WhatsappConfig},
    store::{Store, StoreError, pending_migrations},
    whatsapp::management::{Management, ManagementError, PhoneNumber, TemplateOnMeta, Token},
};

/// How long to wait for Meta, which usually responds within a second.
const META_TIME: Duration = Duration::from_secs(4);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of people without a contact to name.
const NAMED: i64 = 10;
/// Maximum number of clashes of the system's own events to name.
const CLASHES: i64 = 5;
/// Maximum number of rules that failed to name, and of types without a rule.
const CAUSES: i64 = 10;
/// Maximum number of people to list with their windows.
const LISTED: i64 = 1_000;

/// What to check.
pub struct Subject<'a> {
    /// The settings of `serve`.
    pub settings: Result<&'a WhatsappConfig, &'a ConfigErrors>,
    /// The rules on disk.
    pub catalog: Result<&'a Catalog, &'a Findings>,
    /// The database, or why it cannot be used.
    pub store: Result<&'a Store, String>,
}

/// Checks everything.
pub async fn check(subject: &Subject<'_>, now: Timestamp) -> Report {
    let (database, meta) = tokio::join!(database_sections(subject, now), meta_facts(subject));
    let mut sections = vec![settings(subject)];
    sections.extend(database.before_meta);
    sections.push(match subject.catalog {
        Ok(catalog) => templates::judge(catalog, meta.as_ref().and_then(|meta| meta.templates.as_deref())),
        Err(_) => Section::new("templates", "not checked: the rules do not compile", Vec::new()),
    });
    let subscribed = meta.as_ref().and_then(|meta| meta.subscribed);
    if let (Ok(config), Some(meta)) = (subject.settings, meta) {
        sections.push(meta::cloud_api(config, meta.token, meta.number, &meta.other_numbers, now));
    }
    if let Some(work) = database.work {
        sections.push(meta::webhook(subscribed, &work.webhook, work.last_accepted, now));
        sections.extend(work.sections);
    }
    Report::new(now, sections)
}

fn settings(subject: &Subject<'_>) -> Section {
    match subject.settings {
        Ok(config) => {
            let templates = subject.catalog.map(|catalog| &catalog.templates).ok();
            let from = |name: &str| templates?.get(name)?.from.as_deref();
            let names = templates.map(|templates| templates.names()).unwrap_or_default();
            let unknown = names.into_iter().filter_map(|template| {
                let why = config.whatsapp_phone_number_id.get(from(template)).err()?;
                let what = format!("messages of the template {template} cannot be sent: {why}");
                Some(
                    Finding::critical("settings.number", what)
                        .about(template)
                        .command("hookswitch serve --help"),
                )
            });
            Section::new("settings", "complete", unknown.collect())
        }
        Err(ConfigErrors(wrong)) => {
            let findings = wrong.iter().map(|wrong| {
                Finding::critical("settings.wrong", wrong.clone()).command("hookswitch serve --help")
            });
            Section::new("settings", "invalid: the service does not start", findings.collect())
        }
    }
}

struct DatabaseSections {
    before_meta: Vec<Section>,
    work: Option<Work>,
}

struct Work {
    webhook: crate::store::WebhookFacts,
    last_accepted: Option<Timestamp>,
    sections: Vec<Section>,
}

async fn database_sections(subject: &Subject<'_>, now: Timestamp) -> DatabaseSections {
    let asked = match &subject.store {
        Ok(store) => ask_database(store, subject.catalog, now).await.map_err(|error| error.to_string()),
        Err(why) => Err(why.clone()),
    };
    asked.unwrap_or_else(|why| {
        let mut before_meta = vec![database::unreachable(&why)];
        before_meta.push(rules_section(subject.catalog, &[]));
        DatabaseSections { before_meta, work: None }
    })
}

fn rules_section(catalog: Result<&Catalog, &Findings>, hosts: &[crate::store::HostFacts]) -> Section {
    catalog.map_or_else(rules::broken, |catalog| rules::judge(catalog, hosts))
}

async fn ask_database(
    store: &Store,
    catalog: Result<&Catalog, &Findings>,
    now: Timestamp,
) -> Result<DatabaseSections, StoreError> {
    let asked = Timestamp::now();
    let server = store.server_facts().await?;
    let pending = pending_migrations(store).await?;
    let database = database::judge(&server, &pending, asked);
    if !pending.is_empty() {
        // Missing tables cannot be queried.
        let before_meta = vec![database, rules_section(catalog, &[])];
        return Ok(DatabaseSections { before_meta, work: None });
    }
    let opened_after = now - SERVICE_WINDOW;
    let (
        hosts,
        groups,
        facts,
        unlinked,
        opted_out,
        listed,
        backlog,
        deferred,
        refused,
        failed,
        made,
        webhook,
        last_accepted,
        own_clashes,
        unsent,
        parked,
    ) = tokio::try_join!(
        store.host_facts(),
        store.group_sizes(),
        store.people_facts(opened_after),
        store.unlinked_people(NAMED),
        store.opted_out_people(LISTED),
        store.list_people(None, "", LISTED),
        store.backlog(),
        store.deferred_facts(),
        store.refused_facts(),
        store.failures_since(now - DAY),
        store.notifications_since(now - DAY),
        store.webhook_facts(),
        store.last_accepted(),
        store.own_clashes(now - DAY, CLASHES),
        store.unsent_since(now - DAY, CAUSES),
        store.parked(),
    )?;
    let alive: Vec<_> = hosts.iter().filter(|host| work::lives(host, server.now)).cloned().collect();
    Ok(DatabaseSections {
        before_meta: vec![
            database,
            rules_section(catalog, &alive),
            plugins::judge(catalog.ok(), &parked, server.now),
            people::groups(catalog.ok(), &groups),
            people::people(&facts, &unlinked, &opted_out, &listed, now),
        ],
        work: Some(Work {
            webhook,
            last_accepted,
            sections: vec![
                work::hosts(&hosts, server.now),
                events::judge(catalog.ok(), &unsent),
                work::backlog(&backlog, &deferred, &refused, server.now),
                work::failures(made, &failed, &own_clashes),
            ],
        }),
    })
}

struct MetaFacts {
    token: Result<Token, ManagementError>,
    /// The usual number.
    number: Result<PhoneNumber, ManagementError>,
    other_numbers: Vec<Result<PhoneNumber, ManagementError>>,
    templates: Option<Vec<TemplateOnMeta>>,
    subscribed: Option<usize>,
}

async fn meta_facts(subject: &Subject<'_>) -> Option<MetaFacts> {
    let config = subject.settings.ok()?;
    let management = match Management::new(&config.whatsapp_api_url, &config.whatsapp_access_token) {
        Ok(management) => management,
        Err(error) => {
            let error = ManagementError::Unreachable(error.to_string());
            return Some(MetaFacts {
                token: Err(error.clone()),
                number: Err(error),
                other_numbers: Vec::new(),
                templates: None,
                subscribed: None,
            });
        }
    };
    let account = config.whatsapp_business_account_id.as_deref();
    let of_account = async {
        let account = account?;
        let (templates, subscribed) = tokio::join!(
            in_time(management.templates(account)),
            in_time(management.subscribed_apps(account))
        );
        Some((templates.ok(), subscribed.ok()))
    };
    let number = |id| in_time(management.phone_number(id));
    let senders = &config.whatsapp_phone_number_id;
    let others = join_all(senders.ids().skip(1).map(number));
    let (token, number, other_numbers, of_account) =
        tokio::join!(in_time(management.token()), number(senders.usual()), others, of_account);
    let (templates, subscribed) = of_account.unwrap_or((None, None));
    Some(MetaFacts { token, number, other_numbers, templates, subscribed })
}

async fn in_time<T>(asked: impl Future<Output = Result<T, ManagementError>>) -> Result<T, ManagementError> {
    timeout(META_TIME, asked).await.unwrap_or_else(|_| {
        Err(ManagementError::Unreachable(format!("no response within {} s", META_TIME.as_secs())))
    })
}
