//! The templates, and whether Meta has approved them in the wording that we have.

use super::{
    report::{Finding, Section, Severity},
    words::count,
};
use crate::{
    catalog::Catalog,
    domain::Mode,
    plan::{Category, Template},
    whatsapp::management::{MetaTemplate, NewTemplate},
};

/// What hands templates in.
const PUSH: &str = "hookswitch check --fix";
const PENDING: &str = "PENDING";
const MANAGER: &str = "open WhatsApp Manager, Message templates";

/// Meta's word for a category.
fn category(category: Category) -> &'static str {
    match category {
        Category::Utility => "UTILITY",
        Category::Marketing => "MARKETING",
        Category::Authentication => "AUTHENTICATION",
    }
}

/// The templates that may go out as Meta templates.
fn sent_as_meta_template(catalog: &Catalog) -> impl Iterator<Item = &Template> {
    let names = catalog.templates.names().into_iter();
    names.filter_map(|name| catalog.templates.get(name)).filter(|template| template.mode != Mode::Text)
}

/// A template as it is handed in; with an example for each place.
pub struct Definition<'a> {
    template: &'a Template,
    examples: Vec<String>,
    buttons: Vec<&'a str>,
}

impl<'a> Definition<'a> {
    fn of(template: &'a Template) -> Definition<'a> {
        let example = |slot: &String| slot.replace('_', " ");
        Definition {
            template,
            examples: template.meta.slots.iter().map(example).collect(),
            buttons: template.buttons.iter().map(|button| button.title.as_str()).collect(),
        }
    }

    /// In Meta's terms.
    pub fn new_template(&self) -> NewTemplate<'_> {
        NewTemplate {
            name: &self.template.meta_name,
            language: &self.template.language,
            category: category(self.template.category),
            body: &self.template.meta.text,
            examples: &self.examples,
            footer: self.template.footer.as_deref(),
            buttons: &self.buttons,
        }
    }
}

/// The templates that Meta does not know yet, and would not refuse for their form.
pub fn missing<'a>(catalog: &'a Catalog, at_meta: &[MetaTemplate]) -> Vec<Definition<'a>> {
    sent_as_meta_template(catalog)
        .filter(|template| find(template, at_meta).is_none() && template.meta.refused.is_empty())
        .map(Definition::of)
        .collect()
}

fn find<'m>(template: &Template, at_meta: &'m [MetaTemplate]) -> Option<&'m MetaTemplate> {
    at_meta.iter().find(|meta| meta.name == template.meta_name && meta.language == template.language)
}

/// The templates beside those at Meta; `None` where these were not asked for.
pub fn judge(catalog: &Catalog, at_meta: Option<&[MetaTemplate]>) -> Section {
    let templates: Vec<&Template> = sent_as_meta_template(catalog).collect();
    let total = count(catalog.templates.names().len(), "template", "templates");
    let mut findings: Vec<Finding> = templates.iter().flat_map(|template| form(template)).collect();
    let Some(at_meta) = at_meta else {
        findings.push(
            Finding::info(
                "template.not_looked_at",
                "which of them Meta has approved was not looked at: WHATSAPP_BUSINESS_ACCOUNT_ID is not set, or Meta \
                 did not answer",
            )
            .command("export WHATSAPP_BUSINESS_ACCOUNT_ID=…"),
        );
        return Section::new("templates", total, findings);
    };
    let mut approved = 0;
    let mut facts = Vec::new();
    for template in &templates {
        let meta = find(template, at_meta);
        let state = meta.map_or("not at Meta", |meta| meta.status.as_str());
        facts.push((template.name.clone(), format!("{} {state}", template.meta_name)));
        if let Some(meta) = meta {
            approved += usize::from(meta.status == "APPROVED");
            findings.extend(beside(template, meta));
        }
    }
    findings.extend(not_there(catalog, at_meta));
    findings.extend(pending(&templates, at_meta));
    let summary = format!("{total}, {approved} of {} approved by Meta", templates.len());
    Section::new("templates", summary, findings).facts(facts)
}

fn severity(template: &Template) -> Severity {
    if template.mode == Mode::Template { Severity::Critical } else { Severity::Warning }
}

fn finding(template: &Template, id: &'static str, what: String) -> Finding {
    Finding::new(severity(template), id, what).about(template.name.clone())
}

fn form(template: &Template) -> impl Iterator<Item = Finding> {
    template.meta.refused.iter().map(|(line, why)| {
        let what = format!(
            "Meta would refuse the template {} ({}:{}): {why}",
            template.name,
            template.file,
            template.lines_before + line
        );
        finding(template, "template.form", what).command("hookswitch rules check")
    })
}

/// Without a Meta template only people with an open window are reached; with `mode: template` nobody.
fn not_there(catalog: &Catalog, at_meta: &[MetaTemplate]) -> Option<Finding> {
    let missing = missing(catalog, at_meta);
    let worst = missing.iter().map(|definition| severity(definition.template)).max()?;
    let what = format!(
        "Meta does not have {}: people whose window is closed do not get {}",
        count(missing.len(), "template", "of the templates"),
        if missing.len() == 1 { "it" } else { "them" },
    );
    let names = missing.iter().map(|definition| definition.template.meta_name.clone()).collect();
    Some(Finding::new(worst, "template.missing", what).details(names).command(PUSH))
}

fn pending(templates: &[&Template], at_meta: &[MetaTemplate]) -> Option<Finding> {
    let pending: Vec<String> = templates
        .iter()
        .filter_map(|template| find(template, at_meta))
        .filter(|meta| meta.status == PENDING)
        .map(|meta| meta.name.clone())
        .collect();
    let what = format!(
        "Meta still looks at {}; that takes a day at most",
        count(pending.len(), "template", "templates")
    );
    (!pending.is_empty())
        .then(|| Finding::info("template.pending", what).details(pending).command("hookswitch check"))
}

fn beside(template: &Template, meta: &MetaTemplate) -> Option<Finding> {
    let name = &meta.name;
    match meta.status.as_str() {
        "APPROVED" => {}
        PENDING | "IN_APPEAL" => return None,
        status => {
            let why = meta.rejected_reason.as_deref().filter(|why| *why != "NONE");
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            let what = format!("Meta's template {name} is {status}{why}: it cannot be sent");
            let found = if status == "REJECTED" {
                let help = format!("{what}; mend {}, give it a new meta_name, and hand it in", template.file);
                finding(template, "template.not_approved", help).command(PUSH)
            } else {
                finding(template, "template.not_approved", what).command(MANAGER)
            };
            return Some(found);
        }
    }
    let definition = Definition::of(template);
    let ours = definition.new_template();
    let mut differ = Vec::new();
    if meta.body().map(str::trim) != Some(ours.body.trim()) {
        differ.push(format!("at Meta: {:?}", meta.body().unwrap_or_default()));
        differ.push(format!("here:    {:?}", ours.body));
    }
    if meta.footer() != ours.footer {
        differ.push(format!("footer at Meta: {:?}, here: {:?}", meta.footer(), ours.footer));
    }
    if meta.buttons() != ours.buttons {
        differ.push(format!("buttons at Meta: {:?}, here: {:?}", meta.buttons(), ours.buttons));
    }
    if !differ.is_empty() {
        let what = format!(
            "Meta's template {name} has another wording; give ours a new meta_name in {}, and hand it in",
            template.file
        );
        return Some(finding(template, "template.differs", what).details(differ).command(PUSH));
    }
    if !meta.category.is_empty() && meta.category != ours.category {
        let what = format!(
            "Meta counts the template {name} as {}, and we as {}: it costs and is limited as Meta says",
            meta.category, ours.category
        );
        return Some(
            Finding::warning("template.category", what).about(template.name.clone()).command(MANAGER),
        );
    }
    None
}
