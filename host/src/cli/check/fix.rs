//! `hookswitch check --fix`.

use hookswitch_core::{
    catalog::{Catalog, Findings},
    plan::MetaTemplate,
};

use crate::{
    app::Database,
    check::{self, Report, Severity, count},
    cli::confirm::Confirmation,
    config::{Config, ConfigErrors, WhatsappConfig},
    operate::{Account, Operate, Pushed},
};

/// Fixes what is safe to fix, and says what it did and why it did not do the rest.
///
/// # Errors
/// If the terminal cannot be read.
pub async fn fix(
    settings: &Result<Config, ConfigErrors>,
    catalog: &Result<Catalog, Findings>,
    database: Result<&Database, &str>,
    confirmation: Confirmation,
) -> anyhow::Result<()> {
    match database {
        Ok(database) => tables(database, catalog).await,
        Err(why) => eprintln!("warning: migrations not applied and groups not created: {why}"),
    }
    match (settings, catalog) {
        (Ok(config), Ok(catalog)) => submit(&config.whatsapp, catalog, confirmation).await,
        (Err(_), _) => {
            eprintln!("warning: templates not submitted: the settings are invalid");
            Ok(())
        }
        (_, Err(_)) => {
            eprintln!("warning: templates not submitted: the rules do not compile");
            Ok(())
        }
    }
}

async fn tables(database: &Database, catalog: &Result<Catalog, Findings>) {
    match database.migrate().await {
        Ok(0) => {}
        Ok(applied) => eprintln!("Applied {}.", count(applied, "migration", "migrations")),
        Err(error) => eprintln!("warning: migrations not applied: {error}"),
    }
    let Ok(catalog) = catalog else {
        eprintln!("warning: groups not created: the rules do not compile");
        return;
    };
    let operate = Operate::new(database.store.clone());
    let created = async { operate.create_missing_groups(&operate.user().await?, catalog).await };
    match created.await {
        Ok(created) if created.is_empty() => {}
        Ok(created) => eprintln!("Created groups: {}.", created.join(", ")),
        Err(error) => eprintln!("warning: groups not created: {error}"),
    }
}

/// Submits missing templates to Meta.
async fn submit(
    config: &WhatsappConfig,
    catalog: &Catalog,
    confirmation: Confirmation,
) -> anyhow::Result<()> {
    let Some(account) = config.whatsapp_business_account_id.as_deref() else {
        eprintln!("warning: templates not submitted: WHATSAPP_BUSINESS_ACCOUNT_ID is not set");
        return Ok(());
    };
    let asked = async {
        let account = Account::new(&config.whatsapp_api_url, &config.whatsapp_access_token, account)?;
        let at_meta = account.templates().await?;
        anyhow::Ok((account, at_meta))
    };
    let (account, at_meta) = match asked.await {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("warning: templates not submitted: {error}");
            return Ok(());
        }
    };
    let missing = check::missing(catalog, &at_meta);
    if missing.is_empty() || !confirmation.confirm(&question(&missing))? {
        return Ok(());
    }
    for definition in &missing {
        let Pushed { name, status, error, .. } =
            account.submit(catalog, definition, definition.name.clone()).await;
        match status {
            Some(status) => eprintln!("Submitted {name}: {status}."),
            None => eprintln!("warning: {name} not submitted: {}", error.unwrap_or_default()),
        }
    }
    Ok(())
}

fn question(missing: &[MetaTemplate]) -> String {
    let names: Vec<&str> = missing.iter().map(|definition| definition.name.as_str()).collect();
    format!(
        "{} not at Meta yet:\n  {}\nSubmit for Meta's review?",
        count(names.len(), "template is", "templates are"),
        names.join("\n  ")
    )
}

/// Says what is left after fixing.
pub fn tell_left(report: &Report) {
    let findings = report.sections.iter().flat_map(|section| &section.findings);
    let mut ids: Vec<&str> =
        findings.filter(|finding| finding.severity > Severity::Info).map(|finding| finding.id).collect();
    ids.dedup();
    if !ids.is_empty() {
        eprintln!("--fix cannot fix: {}. The report says what to do about each.", ids.join(", "));
    }
}
