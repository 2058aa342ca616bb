//! What a push would change of a template, line by line.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use utoipa::ToSchema;

use crate::whatsapp::{Difference, State, TemplateState, joined, management::category};

/// A template that is new or changed, beside the newest version at Meta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TemplateDifference)]
pub struct TemplateDifference {
    /// The name in the rules.
    pub template: String,
    /// The language, for example `en_US`.
    pub language: String,
    /// Meta's word for the category.
    pub category: String,
    /// The name of the newest version at Meta; null if Meta has none.
    pub from: Option<String>,
    /// The name under which a push submits it.
    pub to: String,
    /// The parts that differ; all parts if Meta has no version.
    pub parts: Vec<PartDifference>,
    /// The examples for Meta's reviewers.
    pub examples: Vec<TemplateExample>,
}

/// A part of a template, line by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartDifference {
    /// `header`, `body`, `footer`, `buttons`, or a part that ours lacks.
    pub part: String,
    /// The lines, those at Meta and ours.
    pub lines: Vec<DiffLine>,
}

/// A line of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TemplateLine)]
pub struct DiffLine {
    /// What a push does with it.
    pub change: LineChange,
    /// The line.
    pub text: String,
}

/// What a push does with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineChange {
    /// It stays.
    Same,
    /// It is only at Meta.
    Removed,
    /// It is only in ours.
    Added,
}

/// An example of a value, for Meta's reviewers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TemplateExample {
    /// What it is an example of: `header`, a variable such as `{{1}}`, or the title of a button.
    pub of: String,
    /// The example.
    pub example: String,
}

impl TemplateDifference {
    /// What a push would change of this template.
    pub fn new(state: &TemplateState) -> TemplateDifference {
        let definition = &state.definition;
        let newest = state.versions.first().map(|(_, version)| version.name.clone());
        let parts = match &state.state {
            State::Differs(differences) => differences
                .iter()
                .map(|Difference { part, on_meta, ours }| PartDifference::new(part, on_meta, ours))
                .collect(),
            _ => {
                let buttons = joined(&definition.buttons);
                let parts = [
                    ("header", definition.header.as_ref().map(ToString::to_string)),
                    ("body", Some(definition.body.clone())),
                    ("footer", definition.footer.clone()),
                    ("buttons", Some(buttons).filter(|buttons| !buttons.is_empty())),
                ];
                let given = parts.into_iter().filter_map(|(part, ours)| Some((part, ours?)));
                given.map(|(part, ours)| PartDifference::new(part, "", &ours)).collect()
            }
        };
        TemplateDifference {
            template: definition.template.clone(),
            language: definition.language.clone(),
            category: category(definition.category).to_owned(),
            from: newest,
            to: state.next_name(),
            parts,
            examples: examples(state),
        }
    }
}

impl PartDifference {
    fn new(part: &str, at_meta: &str, ours: &str) -> PartDifference {
        let diff = TextDiff::from_lines(at_meta, ours);
        let lines = diff.iter_all_changes().map(|change| DiffLine {
            change: match change.tag() {
                ChangeTag::Equal => LineChange::Same,
                ChangeTag::Delete => LineChange::Removed,
                ChangeTag::Insert => LineChange::Added,
            },
            text: change.value().trim_end_matches('\n').to_owned(),
        });
        PartDifference { part: part.to_owned(), lines: lines.collect() }
    }
}

fn examples(state: &TemplateState) -> Vec<TemplateExample> {
    let definition = &state.definition;
    let header = [("header".to_owned(), &definition.header_example)];
    let body =
        (1..).zip(&definition.examples).map(|(number, example)| (format!("{{{{{number}}}}}"), example));
    let buttons = definition.buttons.iter().zip(&definition.button_examples);
    let buttons = buttons.map(|(button, example)| (button.title().to_owned(), example));
    let given = |(of, example): &(String, &String)| of.starts_with("{{") || !example.is_empty();
    let all = header.into_iter().chain(body).chain(buttons).filter(given);
    all.map(|(of, example)| TemplateExample { of, example: example.clone() }).collect()
}
