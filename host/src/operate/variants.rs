//! A template in its languages.

use hookswitch_core::{
    catalog::{Sample, samples},
    domain::Message,
};
use tokio::task::spawn_blocking;

use super::{
    Setup,
    template_report::TemplateReport,
    templates::{TemplatesError, check_names},
};

/// A template in one language.
#[derive(Clone, Debug)]
pub struct TemplateVariant {
    /// The language, for example `pt_BR`.
    pub language: String,
    /// Whether it is for readers of languages in which there is no variant.
    pub is_fallback: bool,
    /// Description for people.
    pub description: String,
    /// File, relative to the rules folder.
    pub file: String,
    /// A message with the values of a case, or why there is none.
    pub message: Result<Message, String>,
    /// Its versions at Meta; absent if Meta cannot be asked or does not get it.
    pub report: Option<TemplateReport>,
}

impl Setup {
    /// The variants of a template of the live rules, the fallback first.
    ///
    /// # Errors
    /// If no template has this name, or the database does not answer.
    pub async fn template_variants(&self, name: &str) -> Result<Vec<TemplateVariant>, TemplatesError> {
        let catalog = self.live.current();
        check_names(&catalog, &[name.to_owned()])?;
        let reports = match self.templates().await {
            Ok(list) => list.data,
            Err(TemplatesError::NoAccount | TemplatesError::Meta(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        // The semaphore is never closed.
        let _turn = self.trials.acquire().await;
        let name = name.to_owned();
        let variants = spawn_blocking(move || {
            let all = samples(&catalog, &name).into_iter();
            let variant = |sample: Sample<'_>| {
                let template = sample.template;
                let is_it = |it: &&TemplateReport| it.template == name && it.language == template.language;
                TemplateVariant {
                    language: template.language.clone(),
                    is_fallback: template.fallback,
                    description: template.description.clone(),
                    file: template.file.clone(),
                    message: sample.message,
                    report: reports.iter().find(is_it).cloned(),
                }
            };
            all.map(variant).collect()
        });
        // A panic is in the log.
        Ok(variants.await.unwrap_or_default())
    }
}
