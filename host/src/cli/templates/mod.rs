//! `hookswitch templates`: the templates of the rules folder beside those at Meta.

mod diff;
mod list;
mod push;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use hookswitch_core::{
    catalog::{self, meta_templates},
    plan::MetaTemplate,
};

use jiff::Timestamp;
use serde::Serialize;

use super::confirm::Confirmation;
use crate::{
    app,
    config::{AccountConfig, DatabaseConfig, RulesConfig},
    whatsapp::{
        Difference, State, TemplateState, compare,
        management::{Management, TemplateOnMeta, category},
    },
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
    let Some(ours) = common.ours(database)? else { return Ok(ExitCode::FAILURE) };
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
}

/// Our templates beside those at Meta.
struct Both {
    states: Vec<TemplateState>,
    on_meta: Vec<TemplateOnMeta>,
}

impl Common {
    /// Our templates; `None` if the rules are invalid. What is wrong is printed.
    fn ours(&self, database: &DatabaseConfig) -> Result<Option<Ours>> {
        let folders = app::folders(&self.rules, database, false)?;
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
        Ok(Some(Ours { right, are_some_wrong }))
    }

    fn management(&self) -> Result<Management> {
        Ok(Management::new(&self.account.whatsapp_api_url, &self.account.whatsapp_access_token)?)
    }

    async fn both(&self, definitions: &[MetaTemplate]) -> Result<Both> {
        let on_meta = self.management()?.templates(&self.account.whatsapp_business_account_id).await?;
        Ok(Both { states: compare(definitions, &on_meta), on_meta })
    }
}

/// A template beside its versions at Meta, as JSON.
#[derive(Serialize)]
struct TemplateJson<'a> {
    template: &'a str,
    language: &'a str,
    category: &'a str,
    /// In words, for people.
    state: String,
    /// Whether a push submits it, and under which name.
    needs_push: bool,
    next_name: Option<String>,
    differences: Vec<DifferenceJson<'a>>,
    versions: Vec<VersionJson<'a>>,
}

/// A part of a template that differs.
#[derive(Serialize)]
struct DifferenceJson<'a> {
    part: String,
    at_meta: &'a str,
    ours: &'a str,
}

/// A version of a template at Meta.
#[derive(Serialize)]
struct VersionJson<'a> {
    name: &'a str,
    id: &'a str,
    status: String,
    category: Option<&'a str>,
    quality: Option<String>,
    rejected_reason: Option<&'a str>,
    in_use_since: Option<Timestamp>,
}

impl<'a> TemplateJson<'a> {
    /// `in_use` is the name of the version in use, with the time of the switch to it.
    fn new(state: &'a TemplateState, in_use: Option<(&str, Timestamp)>) -> Self {
        let definition = &state.definition;
        let differences = match &state.state {
            State::Differs(differences) => differences.as_slice(),
            _ => &[],
        };
        TemplateJson {
            template: &definition.template,
            language: &definition.language,
            category: category(definition.category),
            state: words(&state.state),
            needs_push: state.needs_push(),
            next_name: state.needs_push().then(|| state.next_name()),
            differences: differences
                .iter()
                .map(|Difference { part, on_meta, ours }| DifferenceJson {
                    part: part.to_string(),
                    at_meta: on_meta,
                    ours,
                })
                .collect(),
            versions: state
                .versions
                .iter()
                .map(|(_, version)| VersionJson {
                    name: &version.name,
                    id: &version.id,
                    status: version.status.to_string(),
                    category: version.category.as_deref(),
                    quality: version.quality.as_ref().map(ToString::to_string),
                    rejected_reason: version.rejected_reason.as_deref(),
                    in_use_since: in_use.filter(|(name, _)| *name == version.name).map(|(_, at)| at),
                })
                .collect(),
        }
    }
}

/// The state of a template, in words.
fn words(state: &State) -> String {
    match state {
        State::Missing => "not at Meta; submit it".to_owned(),
        State::Pending => "in review at Meta".to_owned(),
        State::Approved => "approved".to_owned(),
        State::Differs(_) => "changed; submit it".to_owned(),
        State::Rejected(None) => "rejected; edit and resubmit it".to_owned(),
        State::Rejected(Some(reason)) => format!("rejected ({reason}); edit and resubmit it"),
        State::Paused => "paused by Meta for low quality".to_owned(),
        State::Disabled => "disabled by Meta; edit and resubmit it".to_owned(),
        State::Recategorised { category } => format!("approved, but as {category}"),
        State::Other(status) => format!("{status} at Meta"),
    }
}
