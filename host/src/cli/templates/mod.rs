//! `hookswitch templates`: the templates of the rules folder beside those at Meta.

mod diff;
mod list;
mod push;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use hookswitch_core::{
    catalog::{self, Catalog, meta_templates},
    plan::MetaTemplate,
};

use super::confirm::Confirmation;
use crate::{
    app,
    config::{AccountConfig, DatabaseConfig, RulesConfig},
    operate::Account,
    whatsapp::{TemplateState, compare, management::TemplateOnMeta},
};

/// The arguments of `hookswitch templates`.
#[derive(Args, Debug)]
pub struct TemplatesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List templates and their status at Meta
    List(Listing),
    /// Show line by line what a push would change
    ///
    /// The status is 1 if a push would change something.
    Diff(Listing),
    /// Submit new and changed templates to Meta for review
    ///
    /// A changed template becomes a new version under another name (_v2, _v3, …); the old version stays in use until the
    /// new one is approved.
    Push {
        #[command(flatten)]
        common: Common,
        /// Show the templates without submitting them
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Show each version at Meta, its quality, and which one is in use
    Status(Listing),
}

/// The folder and the account.
#[derive(Args, Debug)]
struct Common {
    #[command(flatten)]
    rules: RulesConfig,
    #[command(flatten)]
    account: AccountConfig,
}

#[derive(Args, Debug)]
struct Listing {
    /// Print each template as a JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs the command: status 1 for findings in the templates.
///
/// # Errors
/// If Meta or the database does not respond, or refuses.
pub async fn run(args: TemplatesArgs, database: &DatabaseConfig) -> Result<ExitCode> {
    let (common, json) = match &args.command {
        Command::Push { common, dry_run, confirmation } => {
            return push::run(common, database, *dry_run, *confirmation).await;
        }
        Command::List(listing) | Command::Diff(listing) | Command::Status(listing) => {
            (&listing.common, listing.json)
        }
    };
    let Some(ours) = common.ours(database).await? else { return Ok(ExitCode::FAILURE) };
    let both = common.both(&ours.right).await?;
    let code = match args.command {
        Command::Diff(_) => diff::run(&both, json),
        Command::Status(_) => status::run(&both, database, json).await,
        _ => list::run(&both, json),
    }?;
    Ok(if ours.are_some_wrong { ExitCode::FAILURE } else { code })
}

/// Our templates.
struct Ours {
    /// Those that Meta would take.
    right: Vec<MetaTemplate>,
    /// Whether there are others.
    are_some_wrong: bool,
    /// The rules.
    catalog: Catalog,
}

/// Our templates beside those at Meta.
struct Both {
    states: Vec<TemplateState>,
    on_meta: Vec<TemplateOnMeta>,
}

impl Common {
    /// Our templates; `None` if the rules are invalid. What is wrong is printed.
    async fn ours(&self, database: &DatabaseConfig) -> Result<Option<Ours>> {
        let folders = app::current_folders(&self.rules, database).await?;
        let catalog = match catalog::load(&folders) {
            Ok(catalog) => catalog,
            Err(findings) => {
                eprintln!("{findings}");
                return Ok(None);
            }
        };
        let (right, findings) = meta_templates(&folders.rules, &catalog);
        let are_some_wrong = !findings.findings.is_empty();
        if are_some_wrong {
            eprintln!("{findings}\n");
        }
        Ok(Some(Ours { right, are_some_wrong, catalog }))
    }

    fn account(&self) -> Result<Account> {
        let AccountConfig { whatsapp_api_url, whatsapp_access_token, whatsapp_business_account_id } =
            &self.account;
        Ok(Account::new(whatsapp_api_url, whatsapp_access_token, whatsapp_business_account_id)?)
    }

    async fn both(&self, definitions: &[MetaTemplate]) -> Result<Both> {
        let on_meta = self.account()?.templates().await?;
        Ok(Both { states: compare(definitions, &on_meta), on_meta })
    }
}
