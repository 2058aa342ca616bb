//! The version of each template in use: the newest that Meta has approved and whose source is known. The parameters of a
//! message belong to that version, even while a newer version waits for approval.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::{UndefinedBehavior, Value as Rendered};

use super::{
    render::{parameters, with_recipient},
    template::{Template, TemplateError, TemplateSource, Templates},
};
use crate::domain::{Message, MetaParts};

/// The Meta template that a message is sent as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetaName {
    /// Name, for example `hanna_new_order_created_v2`.
    pub name: String,
    /// Language code, for example `en_US`.
    pub language: String,
    /// Names of its parameters in order; empty if they are numbered.
    pub parameter_names: Vec<String>,
}

/// A version of a template, compiled from the file of that time.
#[derive(Debug)]
pub struct Version {
    templates: Templates,
    template: String,
    meta: MetaName,
}

impl Version {
    /// Compiles the version with this name at Meta from the template's file of that time.
    ///
    /// # Errors
    /// If this version of Hookswitch can no longer read the file.
    pub fn compile(name: &str, source: TemplateSource) -> Result<Version, Vec<TemplateError>> {
        let template = source.name.clone();
        let (mut templates, errors) = Templates::compile(vec![source]);
        // Variables that the rules no longer provide are empty.
        templates.environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        match templates.get(&template) {
            Some(compiled) => {
                let meta = MetaName {
                    name: name.to_owned(),
                    language: compiled.language.clone(),
                    parameter_names: Vec::new(),
                };
                Ok(Version { templates, template, meta })
            }
            None => Err(errors),
        }
    }

    /// Sets the names of its parameters at Meta.
    pub fn with_parameter_names(mut self, names: Vec<String>) -> Version {
        self.meta.parameter_names = names;
        self
    }

    /// Its name at Meta.
    pub fn name(&self) -> &MetaName {
        &self.meta
    }

    /// Fingerprint of its texts, see [`super::wording`].
    pub fn wording(&self) -> &str {
        self.template().map_or("", |template| &template.wording)
    }

    /// Whether its text depends on the recipient.
    pub(super) fn uses_recipient(&self) -> bool {
        self.template().is_some_and(|template| template.uses_recipient)
    }

    /// Changes a message planned with the newest version to the name and the parameters of this version, unless the
    /// parameters cannot be rendered. `context` is that of the decision, `file` that of the template as it is now.
    pub(super) fn apply(&self, context: &Rendered, to: Addressee<'_>, file: &str, message: &mut Message) {
        if self.wording() != message.wording {
            let Some(old) = self.template() else { return };
            let whole = with_recipient(old, context, to);
            let parts = old.parts.render(&self.templates.environment, &whole, file);
            match (parameters(&self.templates, old, context, to), parts) {
                (Ok(parameters), Ok((header, buttons))) => {
                    let parts = MetaParts { header, footer: old.meta_footer.clone(), buttons };
                    let is_same = (&parts.header, &parts.footer, &parts.buttons)
                        == (&message.header, &message.footer, &message.buttons);
                    message.meta_parts = (!is_same).then(|| Box::new(parts));
                    let text = old.meta.filled(&parameters);
                    message.meta_body = (text != message.body).then_some(text);
                    message.parameters = parameters;
                }
                // The message waits for the approval of the newest version.
                _ => return,
            }
            message.wording = old.wording.clone();
        }
        message.template = self.meta.name.clone();
        message.language = self.meta.language.clone();
    }

    fn template(&self) -> Option<&Template> {
        self.templates.get(&self.template)
    }
}

/// Versions by the template's name in the catalog and its language, the one in use first.
pub type Versions = BTreeMap<(String, String), Vec<Arc<Version>>>;

/// The versions in use: an immutable snapshot.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// All versions that may be sent. `None` without a
    /// WhatsApp Business Account: each template counts as approved under the name in its file.
    versions: Option<Versions>,
}

impl InUse {
    /// Uses these versions: all that may be sent.
    pub fn new(versions: Versions) -> InUse {
        InUse { versions: Some(versions) }
    }

    /// The approved Meta templates as which a message can be sent now, the one in use first: those with the text to which
    /// the message's parameters belong.
    pub fn approved(&self, template: &str, message: &Message) -> Vec<MetaName> {
        let Some(versions) = &self.versions else {
            return vec![MetaName {
                name: message.template.clone(),
                language: message.language.clone(),
                parameter_names: message.parameter_names.clone(),
            }];
        };
        let key = (template.to_owned(), message.language.clone());
        let versions = versions.get(&key).map(Vec::as_slice).unwrap_or_default();
        let fitting = versions.iter().filter(|version| version.wording() == message.wording);
        fitting.map(|version| version.meta.clone()).collect()
    }

    /// The version as which messages of this template are sent: the one with its words or, while Meta has not approved that, the
    /// one in use. They differ for a release that decides for a share of the lanes.
    pub(super) fn of(&self, template: &Template) -> Option<&Version> {
        let key = (template.name.clone(), template.language.clone());
        let versions = self.versions.as_ref()?.get(&key)?;
        let own = versions.iter().find(|version| version.wording() == template.wording);
        own.or(versions.first()).map(Arc::as_ref)
    }

    /// The version of this template in this language in use; `None` if none is approved, or without a WhatsApp Business Account.
    pub fn current(&self, template: &str, language: &str) -> Option<&Version> {
        let key = (template.to_owned(), language.to_owned());
        self.versions.as_ref()?.get(&key)?.first().map(Arc::as_ref)
    }
}

/// The recipient of a message, as templates see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addressee<'a> {
    /// `recipient.name`.
    pub name: Option<&'a str>,
    /// `recipient.username`.
    pub username: Option<&'a str>,
}
