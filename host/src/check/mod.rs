//! The set-up check: whether everything is in place for messages to be sent, and how to fix what is not.
//!
//! Facts are gathered first, all at once, so a check takes as long as its slowest question. Pure functions then judge them
//! into a [`Report`], which the command line prints, or writes as it is with `--json`.

mod backlog;
mod cloud_api;
mod command;
mod database;
mod delivery;
mod disk;
mod events;
mod gather;
mod groups;
mod hosts;
mod keys;
mod number;
mod people;
mod plugins;
mod recipients;
mod report;
mod rules;
mod schedules;
mod shadow;
mod share;
mod switches;
mod templates;
mod token;
mod webhook;
pub mod words;

use std::{path::Path, time::Duration};

use hookswitch_core::catalog::{Catalog, Findings};
use jiff::Timestamp;
use tokio::time::timeout;

use self::{
    cloud_api::Said,
    delivery::Delivery,
    gather::{DatabaseFacts, MetaFacts},
    webhook::Subscribed,
};
pub use self::{
    gather::numbers,
    hosts::lives,
    recipients::{EventUse, GroupUse, KnownFrom},
    report::{Finding, Report, Section, Severity},
    templates::missing,
    words::count,
};
use crate::{
    config::{ConfigErrors, WhatsappConfig},
    outbound,
    store::{ServerFacts, Store, StoreError, pending_migrations},
};

/// How long to wait for all that is asked of PostgreSQL, which takes less than a second.
const DATABASE_TIME: Duration = Duration::from_secs(30);

/// What to check.
pub struct Subject<'a> {
    /// The settings of `serve`.
    pub settings: Result<&'a WhatsappConfig, &'a ConfigErrors>,
    /// The rules on disk.
    pub catalog: Result<&'a Catalog, &'a Findings>,
    /// The rules of a release that decides for a share of the lanes, if they compile.
    pub share: Option<&'a Catalog>,
    /// The database, or why it cannot be used.
    pub store: Result<&'a Store, String>,
    /// The folder of the private PostgreSQL; `None` if another one is used.
    pub data_dir: Option<&'a Path>,
}

/// Checks everything.
pub async fn check(subject: &Subject<'_>, now: Timestamp) -> Report {
    let meta = async {
        match subject.settings {
            Ok(config) => Some((config, gather::meta(config).await)),
            Err(_) => None,
        }
    };
    let catalog = subject.catalog.ok();
    let links = async {
        let fixed = catalog.map(|catalog| templates::links(&catalog.templates)).unwrap_or_default();
        outbound::broken(&fixed).await
    };
    let (database, meta, broken) = tokio::join!(ask_database(subject, now), meta, links);
    let facts = database.facts.as_ref();
    let mut sections = vec![settings(subject), database.section];
    // Times in the database are by PostgreSQL's clock.
    let server_now = database.now.unwrap_or(now);
    sections.extend(facts.map(|facts| keys::judge(&facts.keys)));
    sections.push(rules_section(subject.catalog, facts, server_now));
    if let Some(facts) = facts {
        sections.push(plugins::judge(catalog, &facts.parked, &facts.switches, server_now));
        sections.push(groups::judge(catalog, &facts.told, &facts.groups));
        sections.push(people::judge(&facts.people, &facts.some_people, now));
    }
    let account = meta.as_ref().and_then(|(_, meta)| meta.account.as_ref());
    sections.push(match catalog {
        Some(catalog) => templates::judge(catalog, account.map(|account| &account.templates), &broken),
        None => Section::new("templates", "not checked: the rules do not compile", Vec::new()),
    });
    sections.extend(meta.as_ref().map(|(config, meta)| cloud_api(config, meta, now)));
    if let Some(facts) = facts {
        let subscribed = meta.as_ref().and_then(|(config, meta)| {
            let apps = meta.account.as_ref()?.subscribed.as_ref().ok().copied();
            Some(Subscribed::new(apps, config))
        });
        let subscribed = subscribed.unwrap_or(Subscribed::Unknown);
        sections.push(webhook::judge(&subscribed, &facts.webhook, facts.last_accepted, now));
        sections.extend(work(catalog, facts, server_now));
        if let Some((active, of_share)) = facts.active.as_ref().and_then(|it| Some((it, it.share.as_ref()?)))
        {
            let catalogs = (catalog, subject.share);
            let meta = meta.as_ref().map(|(_, meta)| meta);
            sections.push(share::judge(active, of_share, catalogs, facts, meta, server_now));
        }
    }
    if let Some(of) = facts.and_then(|facts| facts.shadow.as_ref()) {
        sections.push(shadow::judge(of, server_now));
    }
    let recipients = facts
        .map(|facts| recipients::table(catalog, &facts.told, &facts.groups, &facts.members))
        .unwrap_or_default();
    Report::new(now, sections, recipients)
}

/// From the hosts on: who does the work, and what came of it.
fn work(catalog: Option<&Catalog>, facts: &DatabaseFacts, now: Timestamp) -> [Section; 6] {
    let delivery = Delivery {
        made: facts.made,
        failures: &facts.failed,
        old: &facts.old_failures,
        own_clashes: &facts.own_clashes,
    };
    [
        switches::judge(&facts.switches, now),
        hosts::judge(&facts.hosts, facts.active.as_ref(), now),
        schedules::judge(catalog, &facts.missed, now),
        events::judge(catalog, &facts.unsent, &facts.lately),
        backlog::judge(&facts.backlog, &facts.deferred, &facts.refused, now),
        delivery::judge(&delivery, now),
    ]
}

fn cloud_api(config: &WhatsappConfig, meta: &MetaFacts, now: Timestamp) -> Section {
    let account = meta.account.as_ref().and_then(gather::AccountFacts::error);
    cloud_api::judge(config, &Said { token: &meta.token, numbers: &meta.numbers, account }, now)
}

const SET: &str = "set it in the environment or by the flag; hookswitch serve --help describes all settings";

fn settings(subject: &Subject<'_>) -> Section {
    match subject.settings {
        Ok(config) => {
            let templates = subject.catalog.map(|catalog| &catalog.templates).ok();
            let from = |name: &str| templates?.get(name)?.from.as_deref();
            let names = templates.map(|templates| templates.names()).unwrap_or_default();
            let unknown = names.into_iter().filter_map(|template| {
                let why = config.whatsapp_phone_number_id.get(from(template)).err()?;
                let what = format!("messages of the template {template} cannot be sent: {why}");
                Some(Finding::critical("settings.number", what).about(template).advice(SET))
            });
            Section::new("settings", "complete", unknown.collect())
        }
        Err(ConfigErrors(wrong)) => {
            let findings =
                wrong.iter().map(|wrong| Finding::critical("settings.wrong", wrong.clone()).advice(SET));
            Section::new("settings", "invalid: the service does not start", findings.collect())
        }
    }
}

/// What became of the questions to the database.
struct Asked {
    section: Section,
    /// PostgreSQL's clock.
    now: Option<Timestamp>,
    facts: Option<DatabaseFacts>,
}

async fn ask_database(subject: &Subject<'_>, now: Timestamp) -> Asked {
    let asked = match &subject.store {
        Ok(store) => match timeout(DATABASE_TIME, ask(store, subject.data_dir, now)).await {
            Ok(asked) => asked.map_err(|error| error.to_string()),
            Err(_) => {
                Err(format!("PostgreSQL did not answer everything within {} s", DATABASE_TIME.as_secs()))
            }
        },
        Err(why) => Err(why.clone()),
    };
    asked.unwrap_or_else(|why| Asked { section: database::unreachable(&why), now: None, facts: None })
}

async fn ask(store: &Store, data_dir: Option<&Path>, now: Timestamp) -> Result<Asked, StoreError> {
    let asked = Timestamp::now();
    let server: ServerFacts = store.server_facts().await?;
    let pending = pending_migrations(store).await?;
    // Missing tables cannot be queried.
    let facts = if pending.is_empty() { Some(gather::database(store, now).await?) } else { None };
    let disk = data_dir.and_then(|folder| Some((folder, disk::free(folder)?)));
    Ok(Asked { section: database::judge(&server, &pending, disk, asked), now: Some(server.now), facts })
}

fn rules_section(
    catalog: Result<&Catalog, &Findings>,
    facts: Option<&DatabaseFacts>,
    now: Timestamp,
) -> Section {
    let hosts = facts.map_or(&[][..], |facts| &facts.hosts);
    let alive: Vec<_> = hosts.iter().filter(|host| hosts::lives(host, now)).cloned().collect();
    catalog.map_or_else(rules::broken, |catalog| rules::judge(catalog, &alive))
}
