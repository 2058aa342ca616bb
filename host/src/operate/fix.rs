//! Fixing what the check finds and what is safe to fix.

use hookswitch_core::catalog::Catalog;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Account, Operate, Operator, Setup, templates::TemplatesError};
use crate::{check, store::StoreError};

/// The findings that a fix removes.
pub const FIXABLE: [&str; 2] = ["group.missing", "template.missing"];

/// A step of fixing, and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FixStep {
    /// What it is about.
    pub step: FixedPart,
    /// The name of the group or of the template at Meta; null if the step failed as a whole.
    pub name: Option<String>,
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why it was not.
    pub detail: String,
}

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixedPart {
    /// Groups that rules name are created.
    Groups,
    /// Templates that Meta does not have are submitted for review.
    Templates,
}

impl FixStep {
    fn done(step: FixedPart, name: String, detail: impl Into<String>) -> FixStep {
        FixStep { step, name: Some(name), done: true, detail: detail.into() }
    }

    fn failed(step: FixedPart, name: Option<String>, why: impl Into<String>) -> FixStep {
        FixStep { step, name, done: false, detail: why.into() }
    }
}

impl Operate {
    /// Creates the groups of `groups.yaml` that do not exist, and returns their names.
    pub async fn create_missing_groups(
        &self,
        by: &Operator,
        catalog: &Catalog,
    ) -> Result<Vec<String>, StoreError> {
        let names: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
        let act = by.act("check.fix", &serde_json::json!({ "groups": names }), None);
        self.store.create_groups(&names, Some(&act)).await
    }
}

impl Setup {
    /// Creates the groups that rules name and, if asked, submits the templates that Meta does not have; says what came of
    /// each step. Nothing to do is no step.
    pub async fn fix(&self, by: &Operator, submit_templates: bool) -> Vec<FixStep> {
        let in_force = self.live.in_force();
        let catalog = in_force.main();
        let mut steps = Vec::new();
        for catalog in in_force.all() {
            match self.operate.create_missing_groups(by, catalog).await {
                Ok(created) => {
                    steps.extend(
                        created.into_iter().map(|name| FixStep::done(FixedPart::Groups, name, "created")),
                    );
                }
                Err(error) => steps.push(FixStep::failed(FixedPart::Groups, None, error.to_string())),
            }
        }
        if submit_templates {
            match self.submit_missing(by, catalog).await {
                Ok(submitted) => steps.extend(submitted),
                Err(error) => steps.push(FixStep::failed(FixedPart::Templates, None, error.to_string())),
            }
        }
        self.has_changed().await;
        steps
    }

    async fn submit_missing(&self, by: &Operator, catalog: &Catalog) -> Result<Vec<FixStep>, TemplatesError> {
        let account: Account = self.account()?;
        self.forget_templates().await;
        let at_meta = self.templates_at_meta().await?;
        let mut pushed = Vec::new();
        for definition in check::missing(catalog, &at_meta) {
            pushed.push(account.submit(catalog, &definition, definition.name.clone()).await);
        }
        self.record_push(by, "check.fix", &pushed).await?;
        let step = |it: super::Pushed| match it.status {
            Some(status) => FixStep::done(FixedPart::Templates, it.name, format!("submitted: {status}")),
            None => FixStep::failed(FixedPart::Templates, Some(it.name), it.error.unwrap_or_default()),
        };
        Ok(pushed.into_iter().map(step).collect())
    }
}
