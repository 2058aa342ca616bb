//! A template's definition for Meta, checked against Meta's rules before it is pushed.
//!
//! Source of the rules: Meta, "Message templates", "Template components" and the errors 2388xxx of its creation.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{
    authentication::Authentication,
    field::split,
    front::{is_meta_name, line_of},
    header::beside,
    languages,
    meta_parts::{MetaButton, MetaHeader},
    parameter::NOTHING,
    template::{Category, Template, TemplateError, Templates},
    words,
};
use crate::{bounds::counted, domain::Mode};

/// Maximum length of a body, in characters, also with its parameters filled in.
pub(super) const BODY_LIMIT: usize = 1_024;
/// What else can be done about what Meta rejects.
const ONLY_TEXT: &str = "or set `mode: text` if it is only sent while the 24-hour window is open";
/// Maximum length of a name, with room for `_v999`.
const NAME_LIMIT: usize = 507;

/// A template's definition for Meta.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaTemplate {
    /// Name that rules use.
    pub template: String,
    /// Name of its first version; later ones end in `_v2`, `_v3`, ….
    pub name: String,
    /// Language code, for example `en_US`.
    pub language: String,
    /// Meta's category.
    pub category: Category,
    /// Text with the parameters `{{1}}`, `{{2}}`, ….
    pub body: String,
    /// An example value for each parameter, for Meta's reviewers.
    pub examples: Vec<String>,
    /// Footer: a small line below the text.
    pub footer: Option<String>,
    /// Header.
    pub header: Option<MetaHeader>,
    /// An example of the header's value; empty if it has none. For a file: its path in the rules folder.
    pub header_example: String,
    /// The content of that file.
    pub header_file: Option<ExampleFile>,
    /// Buttons.
    pub buttons: Vec<MetaButton>,
    /// An example of each button's value; empty for a button without a value.
    pub button_examples: Vec<String>,
    /// Fingerprint of its texts, see [`wording`].
    pub wording: String,
    /// What is chosen of Meta's words, in place of body and footer; `None` unless the category is `authentication`.
    pub authentication: Option<Authentication>,
}

/// A file for Meta's reviewers.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleFile {
    /// MIME type.
    pub mime_type: &'static str,
    /// Path, relative to the rules folder.
    pub path: String,
}

/// Fingerprint of the texts of one version: 12 hexadecimal digits of a hash over body, footer, buttons and header.
pub fn wording(
    body: &str,
    footer: Option<&str>,
    buttons: &[MetaButton],
    header: Option<&MetaHeader>,
) -> String {
    let mut hash = Sha256::new();
    let buttons = buttons.iter().map(|button| match button {
        MetaButton::Reply(title) => title.clone(),
        // No title can look like this.
        button => format!("\n{button}"),
    });
    let header = header.map(|header| format!("\n\n{header}"));
    let texts = [body.to_owned(), footer.unwrap_or_default().to_owned()];
    for part in texts.into_iter().chain(buttons).chain(header) {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..6])
}

/// The definitions of all templates whose mode is not `text`, sorted by name, and everything that Meta would reject.
pub fn definitions(templates: &Templates) -> (Vec<MetaTemplate>, Vec<TemplateError>) {
    let (mut definitions, mut findings) = (Vec::new(), Vec::new());
    let (mut names, mut words) = (BTreeMap::new(), BTreeMap::new());
    for template in templates.all() {
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
                    "the name {} at Meta is already used by {}; set a `meta_name`",
                    definition.name, first.file
                ),
            ));
        }
        // Meta's own words may be those of several.
        if definition.authentication.is_none()
            && let Some(first) = words.insert((definition.wording.clone(), language), template)
        {
            findings.push(at(
                template,
                template.lines_before + 1,
                format!("Meta rejects a second template with the same text; {} has it too", first.file),
            ));
        }
        definitions.push(definition);
    }
    (definitions, findings)
}

/// What works at Meta, but not well: languages that are not known here, values that people may not see in their sentences,
/// and what people never see.
pub fn doubts(templates: &Templates) -> Vec<TemplateError> {
    let pushed = templates.all().filter(|template| template.mode != Mode::Text);
    let of_pushed = pushed.flat_map(|template| {
        languages::unknown(template).into_iter().chain(gaps(template)).chain(never_seen(template))
    });
    of_pushed.chain(templates.all().filter_map(link_as_a_header)).collect()
}

fn link_as_a_header(template: &Template) -> Option<TemplateError> {
    template.parts.has_link_as_text().then(|| {
        let message = "a header of text: people see the link, and not what it leads to".to_owned();
        let help = Some(
            "for a file write its kind: `header: {image: …}`, `{video: …}` or `{document: …}`".to_owned(),
        );
        TemplateError { help, ..at(template, line_of(&template.source, "header"), message) }
    })
}

fn never_seen(template: &Template) -> Option<TemplateError> {
    let what = template.parts.only_in_a_window().filter(|_| template.mode == Mode::Template)?;
    let message = format!("nobody sees the {what}: Meta's templates have none, and the mode is `template`");
    let help = Some("set `mode: auto`, or remove it".to_owned());
    Some(TemplateError { help, ..at(template, line_of(&template.source, "buttons"), message) })
}

/// What a free-form message or a Meta template cannot have, and how it looks there.
pub fn notes(templates: &Templates) -> Vec<TemplateError> {
    let all = templates.all().filter(|template| template.mode != Mode::Template);
    all.flat_map(|template| {
        let words = template.authentication.filter(|_| template.mode != Mode::Text).map(|chosen| {
            let message = format!("outside a window, people read Meta's words instead: {}", chosen.text());
            ("category", message)
        });
        template.parts.notes(template.body.body()).into_iter().chain(words).map(|(key, message)| {
            TemplateError { help: None, ..at(template, line_of(&template.source, key), message) }
        })
    })
    .collect()
}

fn gaps(template: &Template) -> impl Iterator<Item = TemplateError> {
    template.meta.parameters.iter().filter(|parameter| parameter.leaves_a_gap).map(|parameter| TemplateError {
        file: template.file.clone(),
        line: template.lines_before + parameter.line,
        column: parameter.column,
        message: format!("where `{}` gives nothing, the Meta template has {NOTHING}", shown(&parameter.source)),
        help: Some(
            "write text for that too (`{% else %}`), or more words before and after it; see \"At Meta\" in \
             rules/README.md"
                .to_owned(),
        ),
    })
}

/// The first line of a source, without the end of its tag.
pub(super) fn shown(source: &str) -> &str {
    let first = source.lines().next().unwrap_or_default();
    first.split("%}").next().unwrap_or(first).trim_end_matches(['-', ' '])
}

/// A template's definition for Meta, without checking it.
pub fn definition(template: &Template) -> MetaTemplate {
    let (header, buttons) = template.parts.sources();
    let made_up = |source: &&str| if source.is_empty() { String::new() } else { of_tags(source) };
    MetaTemplate {
        template: template.name.clone(),
        name: template.meta_name.clone(),
        language: template.language.clone(),
        category: template.category,
        body: template.meta.text.clone(),
        examples: template.meta.parameters.iter().map(|p| example(&p.source)).collect(),
        footer: template.meta_footer.clone(),
        header: template.parts.meta_header(),
        header_example: match template.parts.example() {
            Some(example) => beside(&template.file, example),
            None => made_up(&header),
        },
        header_file: None,
        buttons: template.parts.meta_buttons(),
        button_examples: buttons.iter().map(made_up).collect(),
        wording: template.wording.clone(),
        authentication: template.authentication,
    }
}

/// The name of a version: the base name for the first, and `_v2`, `_v3`, … appended for later ones.
pub fn version_name(base: &str, number: u32) -> String {
    if number < 2 { base.to_owned() } else { format!("{base}_v{number}") }
}

/// The number of the version of `base` with this name; `None` for the name of another template.
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
    let is_named = |word: &&str| !word.is_empty() && !words::is_word(word);
    let word = source.split(|c| !is_word(c)).find(is_named).filter(|_| !statement);
    let words = word.unwrap_or("details").replace('_', " ");
    let mut chars = words.trim().chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// An example for a source with tags: `{{ number }}/{{ name }}` → `Number`. A fixed text is its own example.
fn of_tags(source: &str) -> String {
    match split(source) {
        (fixed, "") => fixed.to_owned(),
        (_, tags) => example(tags.trim_start_matches(['{', '%', '#', '-', ' '])),
    }
}

fn at(template: &Template, line: usize, message: String) -> TemplateError {
    TemplateError { file: template.file.clone(), line, column: 1, message, help: Some(ONLY_TEXT.to_owned()) }
}

/// Everything that Meta would reject in a template.
fn check(template: &Template) -> Vec<TemplateError> {
    let mut findings = Vec::new();
    let front = |key: &str, message: String| at(template, line_of(&template.source, key), message);
    let name = &template.meta_name;
    if name.is_empty() || name.len() > NAME_LIMIT || !is_meta_name(name) {
        let message = format!(
            "a name at Meta has 1 to {NAME_LIMIT} lowercase letters, digits and underscores, got {name:?}; set a \
             `meta_name`"
        );
        findings.push(front("meta_name", message));
    }
    if template.footer.as_deref().is_some_and(|footer| footer.trim().is_empty()) {
        findings.push(front("footer", "the footer must not be empty; omit it".to_owned()));
    }
    if template.footer.as_deref().is_some_and(|footer| footer.contains(['\n', '\r'])) {
        findings.push(front("footer", "a footer must not contain line breaks".to_owned()));
    }
    if matches!(template.parts.meta_header(), Some(MetaHeader::Media(_)))
        && template.parts.example().is_none()
    {
        let message =
            "Meta's reviewers need an example of the file; set `example`, for example `files/photo.jpg`";
        findings.push(front("header", message.to_owned()));
    }
    let buttons = template.parts.meta_buttons();
    let titles: Vec<&str> = buttons.iter().map(MetaButton::title).collect();
    for (index, title) in titles.iter().enumerate() {
        if title.contains(['\n', '\r']) || title.trim().is_empty() {
            findings
                .push(front("buttons", format!("a button title must be one line of text, got {title:?}")));
        }
        if titles[..index].contains(title) {
            findings.push(front("buttons", format!("two buttons have the title {title:?}")));
        }
    }
    if template.authentication.is_none() {
        body(template, &mut findings);
    }
    findings
}

fn body(template: &Template, findings: &mut Vec<TemplateError>) {
    let meta = &template.meta;
    let words = meta.words();
    let place = |index: usize, message: String| {
        let (line, column) = meta.parameters.get(index).map_or((1, 1), |p| (p.line, p.column));
        let (file, line) = (template.file.clone(), template.lines_before + line);
        TemplateError { file, line, column, message, help: Some(ONLY_TEXT.to_owned()) }
    };
    let length = meta.text.chars().count();
    if length > BODY_LIMIT {
        findings.push(place(
            usize::MAX,
            format!("the body has {length} characters without its values; Meta allows {BODY_LIMIT}"),
        ));
    }
    if words.iter().any(|words| words.contains("{{") || words.contains("}}")) {
        findings.push(place(usize::MAX, "Meta rejects double braces in a text".to_owned()));
    }
    let count = meta.parameters.len();
    if count == 0 {
        return;
    }
    let name = |index: usize| shown(&meta.parameters[index].source);
    if words[0].trim().is_empty() {
        findings.push(place(
            0,
            format!("Meta rejects a template that begins with a value; add text before `{}`", name(0)),
        ));
    }
    if words[count].trim().is_empty() {
        let last = count - 1;
        findings.push(place(
            last,
            format!("Meta rejects a template that ends with a value; add text after `{}`", name(last)),
        ));
    }
    for (index, between) in words.iter().enumerate().take(count).skip(1) {
        if between.trim().is_empty() {
            findings.push(place(
                index,
                format!(
                    "Meta rejects values without text between them; add text between `{}` and `{}`",
                    name(index - 1),
                    name(index)
                ),
            ));
        }
    }
    let written =
        words.iter().flat_map(|w| w.split_whitespace()).filter(|w| w.contains(char::is_alphanumeric)).count();
    // Meta does not publish the ratio; this one was found by trial.
    let needed = 2 * count + 1;
    if written < needed {
        findings.push(place(
            0,
            format!(
                "too many values for Meta: {} with {}; add {}",
                counted(count, "value"),
                counted(written, "word"),
                counted(needed - written, "word")
            ),
        ));
    }
}
