//! The templates, and whether Meta has approved them with our texts.

use std::collections::BTreeSet;

use hookswitch_core::{
    catalog::{self, Catalog, with_examples},
    domain::Mode,
    plan::{MetaTemplate, Template, TemplateError, Templates, definitions},
};

use super::{
    command::Command,
    report::{Finding, Section, Severity},
    words::count,
};
use crate::whatsapp::{
    Difference, State, TemplateState, compare,
    management::{ManagementError, TemplateOnMeta, category},
};

const MANAGER: &str = "open Message templates in WhatsApp Manager";

/// The templates that Meta does not have yet and would not reject for their form.
pub fn missing(catalog: &Catalog, at_meta: &[TemplateOnMeta]) -> Vec<MetaTemplate> {
    let (definitions, refused) = definitions(&catalog.templates);
    let missing = not_at_meta(catalog, &compare(&definitions, at_meta), &refused);
    with_examples(catalog, missing)
}

fn not_at_meta(catalog: &Catalog, states: &[TemplateState], refused: &[TemplateError]) -> Vec<MetaTemplate> {
    let is_refused = |definition: &MetaTemplate| {
        let template = catalog.templates.variant(&definition.template, &definition.language);
        template.is_some_and(|template| refused.iter().any(|error| error.file == template.file))
    };
    let missing = states.iter().filter(|state| state.state == State::Missing);
    missing.map(|state| state.definition.clone()).filter(|definition| !is_refused(definition)).collect()
}

/// The command that submits templates.
fn push() -> Command {
    Command::new(&["templates", "push"])
}

/// The links in the headers that are the same in each message, each once.
pub fn links(templates: &Templates) -> Vec<&str> {
    let links: BTreeSet<&str> = templates.all().filter_map(|it| Some(it.fixed_link()?.1)).collect();
    links.into_iter().collect()
}

/// Headers whose links are broken.
fn unreachable(catalog: &Catalog, broken: &[(String, String)]) -> Vec<Finding> {
    let of_template = |template: &Template| {
        let (kind, link) = template.fixed_link()?;
        let (_, why) = broken.iter().find(|(broken, _)| broken == link)?;
        let what =
            format!("Meta cannot fetch the {kind} of the template {} from {link}: {why}", template.name);
        let advice = format!("correct the link in {}", template.file);
        Some(Finding::warning("template.link", what).about(template.name.clone()).advice(advice))
    };
    catalog.templates.all().filter_map(of_template).collect()
}

/// The templates beside those at Meta; `None` if there is no account to ask about them. `broken` are the links that lead
/// nowhere, with the reasons.
pub fn judge(
    catalog: &Catalog,
    at_meta: Option<&Result<Vec<TemplateOnMeta>, ManagementError>>,
    broken: &[(String, String)],
) -> Section {
    let total = count(catalog.templates.names().len(), "template", "templates");
    let (definitions, refused) = definitions(&catalog.templates);
    let mut findings: Vec<Finding> = refused.iter().filter_map(|error| form(catalog, error)).collect();
    findings.extend(doubtful(catalog, &refused));
    findings.extend(unreachable(catalog, broken));
    let at_meta =
        match at_meta {
            Some(Ok(at_meta)) => at_meta,
            Some(Err(error)) => {
                // The section of the Cloud API says what to do about it.
                let what = format!("approval by Meta was not checked: {error}");
                findings.push(Finding::info("template.not_looked_at", what));
                return Section::new("templates", format!("{total}, approval not checked"), findings);
            }
            None => {
                let what = "approval by Meta was not checked: WHATSAPP_BUSINESS_ACCOUNT_ID is not set";
                findings.push(Finding::info("template.not_looked_at", what).advice(
                    "set WHATSAPP_BUSINESS_ACCOUNT_ID to the id in WhatsApp Manager, Account settings",
                ));
                return Section::new("templates", format!("{total}, approval not checked"), findings);
            }
        };
    let states = compare(&definitions, at_meta);
    let mut facts = Vec::new();
    for state in &states {
        let newest = state.current().or(state.versions.first().map(|(_, version)| version));
        let at_meta = newest.map_or_else(
            || format!("{} not at Meta", state.definition.name),
            |version| format!("{} {}", version.name, version.status),
        );
        facts.push((state.definition.template.clone(), at_meta));
        if let Some(template) =
            catalog.templates.variant(&state.definition.template, &state.definition.language)
        {
            findings.extend(beside(template, state));
        }
    }
    findings.extend(not_there(catalog, &not_at_meta(catalog, &states, &refused)));
    findings.extend(pending(&states));
    let is_approved =
        |state: &&TemplateState| matches!(state.state, State::Approved | State::Recategorised { .. });
    let approved = states.iter().filter(is_approved).count();
    let summary = format!("{total}, {approved} of {} approved by Meta", states.len());
    Section::new("templates", summary, findings).facts(facts)
}

fn severity(template: &Template) -> Severity {
    if template.mode == Mode::Template { Severity::Critical } else { Severity::Warning }
}

fn finding(template: &Template, id: &'static str, what: String) -> Finding {
    Finding::new(severity(template), id, what).about(template.name.clone())
}

fn form(catalog: &Catalog, error: &TemplateError) -> Option<Finding> {
    let mut templates = catalog.templates.all();
    let template = templates.find(|template| template.file == error.file)?;
    let TemplateError { file, line, column, message, .. } = error;
    let what =
        format!("Meta would refuse the template {} ({file}:{line}:{column}): {message}", template.name);
    Some(finding(template, "template.form", what).command(Command::new(&["templates", "push", "--dry-run"])))
}

/// What `rules check` warns of besides: Meta may refuse it, or it would not read well.
fn doubtful(catalog: &Catalog, refused: &[TemplateError]) -> Vec<Finding> {
    let is_told = |finding: &catalog::Finding| {
        let place = (&finding.file, finding.line, finding.column);
        refused.iter().any(|error| place == (&error.file, error.line, error.column))
    };
    let is_doubt = |finding: &&catalog::Finding| finding.severity != catalog::Severity::Note;
    let doubts = catalog.at_meta.iter().filter(is_doubt).filter(|finding| !is_told(finding));
    doubts
        .map(|finding| {
            let catalog::Finding { file, line, column, message, notes, .. } = finding;
            let help = notes.iter().find(|(label, _)| *label == "help").map(|(_, help)| help.as_str());
            let finding = Finding::warning("template.doubtful", format!("{file}:{line}:{column}: {message}"));
            finding.about(file.clone()).advice(help.unwrap_or("correct the template"))
        })
        .collect()
}

/// Without a Meta template only people with an open window are reached; with `mode: template` nobody.
fn not_there(catalog: &Catalog, missing: &[MetaTemplate]) -> Option<Finding> {
    let templates = missing.iter().filter_map(|it| catalog.templates.variant(&it.template, &it.language));
    let worst = templates.map(severity).max()?;
    let what = format!(
        "Meta does not have {}: people whose window is closed do not get {}",
        count(missing.len(), "template", "of the templates"),
        if missing.len() == 1 { "it" } else { "them" },
    );
    let names = missing.iter().map(|definition| definition.name.clone()).collect();
    Some(Finding::new(worst, "template.missing", what).details(names).command(push()))
}

fn pending(states: &[TemplateState]) -> Option<Finding> {
    let pending: Vec<String> = states
        .iter()
        .filter(|state| state.state == State::Pending)
        .filter_map(|state| Some(state.current()?.name.clone()))
        .collect();
    let what = format!(
        "{} in review at Meta (usually under 24 hours)",
        count(pending.len(), "template is", "templates are")
    );
    (!pending.is_empty()).then(|| {
        Finding::info("template.pending", what)
            .details(pending)
            .command(Command::new(&["templates", "status"]))
    })
}

fn beside(template: &Template, state: &TemplateState) -> Option<Finding> {
    let newest = state.current().or(state.versions.first().map(|(_, version)| version));
    let name = newest.map_or(state.definition.name.as_str(), |version| version.name.as_str());
    let unsendable = |status: &str| format!("Meta's template {name} is {status}: it cannot be sent");
    match &state.state {
        State::Missing | State::Pending | State::Approved => None,
        State::Rejected(why) => {
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let what = unsendable(&format!("REJECTED{why}"));
            // Meta would reject the same text again.
            let advice = format!("correct {}, then submit it again", template.file);
            Some(finding(template, "template.not_approved", what).example(&advice, &push()))
        }
        State::Paused => {
            Some(finding(template, "template.not_approved", unsendable("PAUSED")).advice(MANAGER))
        }
        State::Disabled => {
            Some(finding(template, "template.not_approved", unsendable("DISABLED")).advice(MANAGER))
        }
        State::Other(status) => {
            Some(finding(template, "template.not_approved", unsendable(status)).advice(MANAGER))
        }
        State::Differs(differences) => {
            let what = format!(
                "Meta's template {name} has another text; submit ours as {}, which replaces it when approved",
                state.next_name()
            );
            let told = |difference: &Difference| {
                let Difference { part, on_meta, ours } = difference;
                [format!("{part} at Meta: {on_meta:?}"), format!("{part} here:    {ours:?}")]
            };
            let details = differences.iter().flat_map(told).collect();
            Some(finding(template, "template.differs", what).details(details).command(push()))
        }
        State::Recategorised { category: theirs } => {
            let what = format!(
                "Meta has the template {name} in the category {theirs}, not {}; Meta's category sets its price and limits",
                category(template.category)
            );
            let finding = Finding::warning("template.category", what);
            Some(finding.about(template.name.clone()).advice(MANAGER))
        }
    }
}
