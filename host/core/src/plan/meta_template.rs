//! A template as Meta is to have it, checked against Meta's rules before Meta sees it.
//!
//! Source of the rules: Meta, "Message templates", "Template components" and the errors 2388xxx of its creation.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::template::{Category, Template, TemplateError, Templates, line_of};
use crate::domain::Mode;

/// The longest body, in characters; also with its parameters filled in.
pub(super) const BODY_LIMIT: usize = 1_024;
/// The longest name, with room for `_v999`.
const NAME_LIMIT: usize = 507;

/// A template's definition for Meta.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaTemplate {
    /// The name that rules use.
    pub template: String,
    /// The name of its first version; later ones have `_v2`, `_v3`, … at the end.
    pub name: String,
    /// Such as `en_US`.
    pub language: String,
    /// Meta's category.
    pub category: Category,
    /// Words, and `{{1}}`, `{{2}}`, …
    pub body: String,
    /// A value for each parameter, as Meta's reviewers see it.
    pub examples: Vec<String>,
    /// A small line under the text.
    pub footer: Option<String>,
    /// The titles of its quick-reply buttons.
    pub buttons: Vec<String>,
    /// What tells its words from others', see [`wording`].
    pub wording: String,
}

/// What tells the words of one version from another's: 12 hexadecimal digits of a hash over body, footer and
/// buttons.
pub fn wording(body: &str, footer: Option<&str>, buttons: &[String]) -> String {
    let mut hash = Sha256::new();
    for part in [body, footer.unwrap_or_default()].into_iter().chain(buttons.iter().map(String::as_str)) {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..6])
}

/// The definitions of all templates that are not of mode `text`, sorted by name, and what Meta would refuse.
pub fn definitions(templates: &Templates) -> (Vec<MetaTemplate>, Vec<TemplateError>) {
    let (mut definitions, mut findings) = (Vec::new(), Vec::new());
    let (mut names, mut words) = (BTreeMap::new(), BTreeMap::new());
    let all = templates.names();
    for template in all.iter().filter_map(|name| templates.get(name)) {
        if template.mode == Mode::Text {
            continue;
        }
        let definition = definition(template);
        findings.extend(check(template));
        let language = definition.language.clone();
        if let Some(first) = names.insert((base(&definition.name).to_owned(), language.clone()), template) {
            findings.push(at(
                template,
                line_of(&template.source, "meta_name"),
                format!(
                    "the name {} at Meta is that of {} already; give one a meta_name",
                    definition.name, first.file
                ),
            ));
        }
        if let Some(first) = words.insert((definition.wording.clone(), language), template) {
            findings.push(at(
                template,
                template.lines_before + 1,
                format!("Meta takes no two templates with the same words; {} has these already", first.file),
            ));
        }
        definitions.push(definition);
    }
    (definitions, findings)
}

/// A template's definition for Meta, whatever Meta would say to it.
pub fn definition(template: &Template) -> MetaTemplate {
    MetaTemplate {
        template: template.name.clone(),
        name: template.meta_name.clone(),
        language: template.language.clone(),
        category: template.category,
        body: template.meta.text.clone(),
        examples: template.meta.parameters.iter().map(|p| example(&p.source)).collect(),
        footer: template.footer.clone(),
        buttons: template.buttons.iter().map(|button| button.title.clone()).collect(),
        wording: template.wording.clone(),
    }
}

/// The name of a version: the base name for the first.
pub fn version_name(base: &str, number: u32) -> String {
    if number < 2 { base.to_owned() } else { format!("{base}_v{number}") }
}

/// Which version of `base` this name is; `None` where it is another template's.
pub fn version_number(base: &str, name: &str) -> Option<u32> {
    let rest = name.strip_prefix(base)?;
    if rest.is_empty() {
        return Some(1);
    }
    let number = rest.strip_prefix("_v")?;
    number.parse().ok().filter(|n: &u32| *n > 1 && n.to_string() == number)
}

fn base(name: &str) -> &str {
    match name.rsplit_once("_v") {
        Some((base, _)) if version_number(base, name).is_some() => base,
        _ => name,
    }
}

/// `customer_name | title` → `Customer name`.
fn example(source: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let statement = ["for ", "if ", "with ", "filter "].iter().any(|start| source.starts_with(start));
    let word = source.split(|c| !is_word(c)).find(|word| !word.is_empty()).filter(|_| !statement);
    let words = word.unwrap_or("details").replace('_', " ");
    let mut chars = words.trim().chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn at(template: &Template, line: usize, message: String) -> TemplateError {
    TemplateError { file: template.file.clone(), line, column: 1, message }
}

/// What Meta would refuse, each with its place.
fn check(template: &Template) -> Vec<TemplateError> {
    let mut findings = Vec::new();
    let front = |key: &str, message: String| at(template, line_of(&template.source, key), message);
    let name = &template.meta_name;
    if name.is_empty()
        || name.len() > NAME_LIMIT
        || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        findings.push(front(
            "meta_name",
            format!(
                "{name:?} is no name at Meta: lower-case letters, digits and underscores, at most {NAME_LIMIT}; give \
                 the template a meta_name"
            ),
        ));
    }
    if template.category == Category::Authentication {
        findings.push(front(
            "category",
            "Meta writes the words of an authentication template itself; use utility, or `mode: text`"
                .to_owned(),
        ));
    }
    if template.footer.as_deref().is_some_and(|footer| footer.trim().is_empty()) {
        findings.push(front("footer", "the footer is empty; leave it out".to_owned()));
    }
    if template.footer.as_deref().is_some_and(|footer| footer.contains("{{") || footer.contains(['\n', '\r']))
    {
        findings.push(front("footer", "a footer has no variables and no line breaks".to_owned()));
    }
    for (index, button) in template.buttons.iter().enumerate() {
        let title = &button.title;
        if title.contains("{{") || title.contains(['\n', '\r']) || title.trim().is_empty() {
            findings
                .push(front("buttons", format!("the title {title:?}: a button has words, and no variables")));
        }
        if template.buttons[..index].iter().any(|other| other.title == *title) {
            findings.push(front("buttons", format!("two buttons say {title:?}")));
        }
    }
    body(template, &mut findings);
    findings
}

fn body(template: &Template, findings: &mut Vec<TemplateError>) {
    let meta = &template.meta;
    let words = meta.words();
    let place = |index: usize, message: String| {
        let (line, column) = meta.parameters.get(index).map_or((1, 1), |p| (p.line, p.column));
        TemplateError { file: template.file.clone(), line: template.lines_before + line, column, message }
    };
    let length = meta.text.chars().count();
    if length > BODY_LIMIT {
        findings.push(place(
            usize::MAX,
            format!("the body has {length} characters without its values; Meta takes {BODY_LIMIT}"),
        ));
    }
    if words.iter().any(|words| words.contains("{{") || words.contains("}}")) {
        findings.push(place(usize::MAX, "Meta takes no double braces in a text".to_owned()));
    }
    let count = meta.parameters.len();
    if count == 0 {
        return;
    }
    let name = |index: usize| {
        let first = meta.parameters[index].source.lines().next().unwrap_or_default();
        first.trim_end_matches(['%', '}', ' ', '-']).to_owned()
    };
    if words[0].trim().is_empty() {
        findings.push(place(
            0,
            format!("Meta takes no template that begins with a value; write words before `{}`", name(0)),
        ));
    }
    if words[count].trim().is_empty() {
        let last = count - 1;
        findings.push(place(
            last,
            format!("Meta takes no template that ends with a value; write words after `{}`", name(last)),
        ));
    }
    for (index, between) in words.iter().enumerate().take(count).skip(1) {
        if between.trim().is_empty() {
            findings.push(place(
                index,
                format!(
                    "`{}` and `{}` stand beside each other; Meta wants words between two values",
                    name(index - 1),
                    name(index)
                ),
            ));
        }
    }
    let written =
        words.iter().flat_map(|w| w.split_whitespace()).filter(|w| w.contains(char::is_alphanumeric)).count();
    // Meta does not publish the ratio; this one is what people have found by trying.
    let needed = 2 * count + 1;
    if written < needed {
        findings.push(place(
            0,
            format!(
                "{count} values among {written} words are too many for Meta; write {} words more",
                needed - written
            ),
        ));
    }
}
