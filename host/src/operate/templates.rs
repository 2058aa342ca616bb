//! Our templates beside those at Meta: their states, what a push would change, and the push.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use hookswitch_core::{
    catalog::{Catalog, meta_templates},
    plan::MetaTemplate,
};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{
    Operator, Setup,
    difference::TemplateDifference,
    setup::FRESH,
    template_report::{DayFigures, TemplateReport, switch_of},
};
use crate::{
    config::Secret,
    store::{StoreError, TemplateDay},
    whatsapp::{
        TemplateState, compare,
        management::{Management, ManagementError, TemplateOnMeta},
    },
};

/// Number of days of which figures are shown.
const DAYS: i32 = 30;

/// Why templates could not be compared or pushed.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// The host knows no business account.
    #[error("this host has no WhatsApp Business Account; set WHATSAPP_BUSINESS_ACCOUNT_ID and restart it")]
    NoAccount,
    /// No template has these names.
    #[error("unknown template {}", .0.join(", "))]
    Unknown(Vec<String>),
    /// Meta did not answer, or refused.
    #[error(transparent)]
    Meta(#[from] ManagementError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The templates of a business account at Meta.
#[derive(Clone)]
pub struct Account {
    management: Management,
    id: String,
}

impl Account {
    /// The account with this id, at the Cloud API's URL with its version. Connects with the first request.
    ///
    /// # Errors
    /// If the URL or the token is invalid.
    pub fn new(api_url: &str, token: &Secret, id: &str) -> Result<Account, ManagementError> {
        let management = Management::new(api_url, token);
        let management = management.map_err(|error| ManagementError::Unreachable(error.to_string()))?;
        Ok(Account { management, id: id.to_owned() })
    }

    /// Its templates, in all languages.
    ///
    /// # Errors
    /// If Meta does not answer, or refuses.
    pub async fn templates(&self) -> Result<Vec<TemplateOnMeta>, ManagementError> {
        self.management.templates(&self.id).await
    }

    /// Submits a template of these rules for review under this name, and says what came of it.
    pub async fn submit(&self, catalog: &Catalog, definition: &MetaTemplate, name: String) -> Pushed {
        let example = definition.header_file.as_ref().and_then(|example| catalog.files.get(&example.path));
        let answer = self.management.create_template(&self.id, &name, definition, example).await;
        let (status, error) = match answer {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (template, language) = (definition.template.clone(), definition.language.clone());
        Pushed { template, language, name, status, error }
    }
}

/// A template that was submitted to Meta, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PushedTemplate)]
pub struct Pushed {
    /// The name of the template in the rules.
    pub template: String,
    /// The language, for example `en_US`.
    pub language: String,
    /// The name of the version at Meta.
    pub name: String,
    /// Meta's state of it, for example `PENDING`; null if Meta refused it, or if it was not submitted.
    pub status: Option<String>,
    /// Why Meta refused it; null if it did not.
    pub error: Option<String>,
}

/// All templates: ours beside Meta's, and those that are only in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TemplateList {
    /// The templates of the live rules that Meta would take, by name and language.
    pub data: Vec<TemplateReport>,
    /// The templates of the live rules that Meta would reject for their form.
    pub invalid: Vec<InvalidTemplate>,
    /// The templates at Meta that are not in the live rules.
    pub others: Vec<OtherTemplate>,
}

/// A template that Meta would reject for its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvalidTemplate {
    /// `file:line` of what is wrong.
    pub at: String,
    /// What is wrong.
    pub detail: String,
}

/// A template at Meta that is not in the live rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OtherTemplate {
    /// The name.
    pub name: String,
    /// The language, for example `en_US`.
    pub language: String,
    /// Meta's state of it.
    pub status: String,
}

/// The templates at Meta that are no version of ours.
pub fn others<'a>(states: &[TemplateState], at_meta: &'a [TemplateOnMeta]) -> Vec<&'a TemplateOnMeta> {
    let versions = states.iter().flat_map(|state| &state.versions);
    let ours: BTreeSet<&str> = versions.map(|(_, version)| version.id.as_str()).collect();
    at_meta.iter().filter(|version| !ours.contains(version.id.as_str())).collect()
}

/// Which templates to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushChoice {
    /// All that are new or changed.
    All,
    /// Those of these that are new or changed.
    Named(Vec<String>),
}

/// The templates of the account, and when Meta was asked.
pub(super) type AskedTemplates = (Instant, Arc<Vec<TemplateOnMeta>>);

/// Our templates that Meta would take, in their states at Meta.
struct Compared {
    states: Vec<TemplateState>,
    invalid: Vec<InvalidTemplate>,
    at_meta: Arc<Vec<TemplateOnMeta>>,
}

impl Setup {
    /// The templates of the live rules beside those at Meta, which is asked at most once a minute.
    ///
    /// # Errors
    /// If the host has no account, or Meta or the database does not answer.
    pub async fn templates(&self) -> Result<TemplateList, TemplatesError> {
        let Compared { states, invalid, at_meta } = self.compare().await?;
        let switches = self.operate.store.meta_template_switches().await?;
        let other = |it: &TemplateOnMeta| OtherTemplate {
            name: it.name.clone(),
            language: it.language.clone(),
            status: it.status.to_string(),
        };
        let days = self.figures(&states).await?;
        let report = |it: &TemplateState| {
            let days = days.get(&it.definition.template).cloned().unwrap_or_default();
            TemplateReport { days: Some(days), ..TemplateReport::new(it, switch_of(&switches, it)) }
        };
        Ok(TemplateList {
            data: states.iter().map(report).collect(),
            invalid,
            others: others(&states, &at_meta).into_iter().map(other).collect(),
        })
    }

    /// What became of the messages of these templates, by template and day.
    async fn figures(
        &self,
        states: &[TemplateState],
    ) -> Result<HashMap<String, Vec<DayFigures>>, StoreError> {
        let names: BTreeSet<&str> = states.iter().map(|it| it.definition.template.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut figures: HashMap<String, Vec<DayFigures>> = HashMap::new();
        for TemplateDay { template, day, counts } in self.operate.store.template_days(&names, DAYS).await? {
            figures.entry(template).or_default().push(DayFigures { day, counts });
        }
        Ok(figures)
    }

    /// What a push would change of a template, in each language that it would change.
    ///
    /// # Errors
    /// If no template has this name, the host has no account, or Meta does not answer.
    pub async fn template_diff(&self, name: &str) -> Result<Vec<TemplateDifference>, TemplatesError> {
        let catalog = self.live.current();
        check_names(&catalog, &[name.to_owned()])?;
        let states = self.compare().await?.states;
        let changes = states.iter().filter(|it| it.definition.template == name && it.needs_push());
        Ok(changes.map(TemplateDifference::new).collect())
    }

    /// Submits templates that are new or changed for Meta's review, except those that Meta would reject; in a dry run says
    /// which these are.
    ///
    /// # Errors
    /// If a name is unknown, the host has no account, or Meta or the database does not answer.
    pub async fn push_templates(
        &self,
        by: &Operator,
        choice: &PushChoice,
        dry_run: bool,
    ) -> Result<Vec<Pushed>, TemplatesError> {
        let is_chosen = |state: &&TemplateState| match choice {
            PushChoice::All => true,
            PushChoice::Named(names) => names.contains(&state.definition.template),
        };
        if let PushChoice::Named(names) = choice {
            check_names(&self.live.current(), names)?;
        }
        // What Meta has now: a version that was submitted a moment ago is not submitted again.
        self.forget_templates().await;
        let states = self.compare().await?.states;
        let changes: Vec<&TemplateState> =
            states.iter().filter(|state| state.needs_push()).filter(is_chosen).collect();
        if dry_run {
            let planned = |state: &&TemplateState| Pushed {
                template: state.definition.template.clone(),
                language: state.definition.language.clone(),
                name: state.next_name(),
                status: None,
                error: None,
            };
            return Ok(changes.iter().map(planned).collect());
        }
        let account = self.account()?;
        let catalog = self.live.current();
        let mut pushed = Vec::with_capacity(changes.len());
        for state in changes {
            pushed.push(account.submit(&catalog, &state.definition, state.next_name()).await);
        }
        self.record_push(by, "templates.push", &pushed).await?;
        Ok(pushed)
    }

    /// Records what Meta took.
    pub(super) async fn record_push(
        &self,
        by: &Operator,
        action: &'static str,
        pushed: &[Pushed],
    ) -> Result<(), StoreError> {
        self.forget_templates().await;
        self.has_changed().await;
        let taken = pushed.iter().filter(|it| it.status.is_some());
        let names: Vec<&str> = taken.map(|it| it.name.as_str()).collect();
        let act = by.act(action, &BTreeMap::from([("templates", &names)]), None);
        self.operate.store.record_action(&act, names.len()).await
    }

    /// The account of this host.
    pub(super) fn account(&self) -> Result<Account, TemplatesError> {
        let id = self.settings.whatsapp_business_account_id.as_deref().ok_or(TemplatesError::NoAccount)?;
        Ok(Account::new(&self.settings.whatsapp_api_url, &self.settings.whatsapp_access_token, id)?)
    }

    /// The templates at Meta, as of at most a minute ago.
    pub(super) async fn templates_at_meta(&self) -> Result<Arc<Vec<TemplateOnMeta>>, TemplatesError> {
        let account = self.account()?;
        let mut last = self.templates.lock().await;
        if let Some((_, at_meta)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(at_meta.clone());
        }
        let at_meta = Arc::new(account.templates().await?);
        *last = Some((Instant::now(), at_meta.clone()));
        Ok(at_meta)
    }

    pub(super) async fn forget_templates(&self) {
        *self.templates.lock().await = None;
    }

    async fn compare(&self) -> Result<Compared, TemplatesError> {
        let at_meta = self.templates_at_meta().await?;
        let catalog = self.live.current();
        // The folder is for people at a terminal.
        let (ours, findings) = meta_templates(Path::new(""), &catalog);
        let invalid = findings.findings.iter().map(|finding| InvalidTemplate {
            at: format!("{}:{}", finding.file, finding.line),
            detail: finding.message.clone(),
        });
        Ok(Compared { states: compare(&ours, &at_meta), invalid: invalid.collect(), at_meta })
    }
}

pub(super) fn check_names(catalog: &Catalog, names: &[String]) -> Result<(), TemplatesError> {
    let known = catalog.templates.names();
    let unknown: Vec<String> = names.iter().filter(|name| !known.contains(&name.as_str())).cloned().collect();
    if unknown.is_empty() { Ok(()) } else { Err(TemplatesError::Unknown(unknown)) }
}
