//! Which version of each template is in use: the newest that Meta has approved and whose words are known. The
//! parameters of a message belong to that version, also while a newer wording waits for its approval.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::{UndefinedBehavior, Value as Rendered};

use super::{
    render::parameters,
    template::{Template, TemplateError, TemplateSource, Templates},
};
use crate::domain::Message;

/// The Meta template that a message goes out as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetaName {
    /// Its name, such as `hanna_new_order_created_v2`.
    pub name: String,
    /// Its language, such as `en_US`.
    pub language: String,
    /// The names of its parameters in their order, where it has names.
    pub parameter_names: Vec<String>,
}

/// One version of a template, compiled from the file as it was then.
#[derive(Debug)]
pub struct Version {
    templates: Templates,
    template: String,
    meta: MetaName,
}

impl Version {
    /// A version whose name at Meta is `name`, from the template's file of that time.
    ///
    /// # Errors
    /// Where this version of Hookswitch cannot read the file any more.
    pub fn compile(name: &str, source: TemplateSource) -> Result<Version, Vec<TemplateError>> {
        let template = source.name.clone();
        let (mut templates, errors) = Templates::compile(vec![source]);
        // What the rules no longer give is left empty.
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

    /// With the names that its parameters have at Meta.
    pub fn with_parameter_names(mut self, names: Vec<String>) -> Version {
        self.meta.parameter_names = names;
        self
    }

    /// Its name at Meta.
    pub fn name(&self) -> &MetaName {
        &self.meta
    }

    /// Its words, as [`super::wording`] tells them apart.
    pub fn wording(&self) -> &str {
        self.template().map_or("", |template| &template.wording)
    }

    /// Whether its words speak of the recipient.
    pub(super) fn uses_recipient(&self) -> bool {
        self.template().is_some_and(|template| template.uses_recipient)
    }

    /// Gives a message that was planned with the newest words the name and the parameters of this version; leaves it
    /// as it is where these cannot be worked out. `context` is the decision's.
    pub(super) fn apply(&self, context: &Rendered, to: Addressee<'_>, message: &mut Message) {
        if self.wording() != message.wording {
            let Some(old) = self.template() else { return };
            match parameters(&self.templates, old, context, to) {
                Ok(parameters) => message.parameters = parameters,
                // The newest words, once they are approved.
                Err(_) => return,
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

/// The versions in use. A snapshot; never changes.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// By the template's name in the catalog: all versions that may be sent, the one in use first. `None` where
    /// nobody asks Meta, so that each template is taken to be approved under the name that it has in its file.
    versions: Option<BTreeMap<String, Vec<Arc<Version>>>>,
}

impl InUse {
    /// These versions, by the template's name in the catalog: all that may be sent, the one in use first.
    pub fn new(versions: BTreeMap<String, Vec<Arc<Version>>>) -> InUse {
        InUse { versions: Some(versions) }
    }

    /// The approved Meta templates that a message of this template can go out as now, the one in use first: those
    /// with the words that the message's parameters belong to.
    pub fn approved(&self, template: &str, message: &Message) -> Vec<MetaName> {
        let Some(versions) = &self.versions else {
            return vec![MetaName {
                name: message.template.clone(),
                language: message.language.clone(),
                parameter_names: message.parameter_names.clone(),
            }];
        };
        let versions = versions.get(template).map(Vec::as_slice).unwrap_or_default();
        let fitting = versions.iter().filter(|version| version.wording() == message.wording);
        fitting.map(|version| version.meta.clone()).collect()
    }

    /// The version in use of this template; `None` where there is none, and where nobody asks Meta.
    pub fn current(&self, template: &str) -> Option<&Version> {
        self.versions.as_ref()?.get(template)?.first().map(Arc::as_ref)
    }
}

/// Who a message is for, as templates may speak of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addressee<'a> {
    /// `recipient.name`.
    pub name: Option<&'a str>,
    /// `recipient.username`.
    pub username: Option<&'a str>,
}
