//! Compares our templates with those at Meta. Pure.

use hookswitch_core::plan::{MetaButton, MetaHeader, MetaTemplate, version_name, version_number};

use super::management::{MetaStatus, TemplateOnMeta, category};

/// One of our templates and its versions at Meta.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateState {
    /// Our definition.
    pub definition: MetaTemplate,
    /// Its versions at Meta, the newest first, each with its number.
    pub versions: Vec<(u32, TemplateOnMeta)>,
    /// State of our definition at Meta.
    pub state: State,
}

/// The state of one of our templates at Meta, with its current text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Meta has no version of it.
    Missing,
    /// In review.
    Pending,
    /// Approved: may be sent.
    Approved,
    /// No version has this text; how the newest differs from ours.
    Differs(Vec<Difference>),
    /// Rejected, with Meta's reason.
    Rejected(Option<String>),
    /// Paused: cannot be sent for a while.
    Paused,
    /// Disabled: can never be sent again.
    Disabled,
    /// Approved, but in another category, which may cost more and from which people may opt out.
    Recategorised {
        /// Meta's.
        category: String,
    },
    /// Another state at Meta: cannot be sent.
    Other(String),
}

/// A part that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `header`, `body`, `footer`, `buttons`, or a part that ours lacks.
    pub part: String,
    /// Its text at Meta.
    pub on_meta: String,
    /// Our text.
    pub ours: String,
}

impl TemplateState {
    /// The version with our text; of several, the newest that may be sent.
    pub fn current(&self) -> Option<&TemplateOnMeta> {
        current(&self.definition, &self.versions)
    }

    /// Whether our text needs a new version.
    pub fn needs_push(&self) -> bool {
        matches!(self.state, State::Missing | State::Differs(_))
    }

    /// The name of the next version.
    pub fn next_name(&self) -> String {
        let newest = self.versions.first().map_or(0, |(number, _)| *number);
        version_name(&self.definition.name, newest + 1)
    }
}

/// Compares each of our templates with its versions at Meta.
pub fn compare(definitions: &[MetaTemplate], on_meta: &[TemplateOnMeta]) -> Vec<TemplateState> {
    definitions.iter().map(|definition| state(definition, on_meta)).collect()
}

fn state(definition: &MetaTemplate, on_meta: &[TemplateOnMeta]) -> TemplateState {
    let mut versions: Vec<(u32, TemplateOnMeta)> = on_meta
        .iter()
        .filter(|template| template.language == definition.language)
        .filter_map(|template| Some((version_number(&definition.name, &template.name)?, template.clone())))
        .collect();
    versions.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let state = match (current(definition, &versions), versions.first()) {
        (None, None) => State::Missing,
        (None, Some((_, newest))) => State::Differs(differences(definition, newest)),
        (Some(template), _) => match &template.status {
            MetaStatus::Pending => State::Pending,
            MetaStatus::Rejected => State::Rejected(template.rejected_reason.clone()),
            MetaStatus::Paused => State::Paused,
            MetaStatus::Disabled => State::Disabled,
            MetaStatus::Other(status) => State::Other(status.clone()),
            MetaStatus::Approved => match &template.category {
                Some(theirs) if theirs != category(definition.category) => {
                    State::Recategorised { category: theirs.clone() }
                }
                _ => State::Approved,
            },
        },
    };
    TemplateState { definition: definition.clone(), versions, state }
}

fn current<'a>(
    definition: &MetaTemplate,
    versions: &'a [(u32, TemplateOnMeta)],
) -> Option<&'a TemplateOnMeta> {
    let same = || {
        let versions = versions.iter().map(|(_, template)| template);
        versions.filter(|template| template.wording().as_ref() == Some(&definition.wording))
    };
    same().find(|template| template.status == MetaStatus::Approved).or_else(|| same().next())
}

fn differences(ours: &MetaTemplate, theirs: &TemplateOnMeta) -> Vec<Difference> {
    let line = |header: &Option<MetaHeader>| header.as_ref().map(ToString::to_string).unwrap_or_default();
    let parts = [
        ("header", line(&theirs.header), line(&ours.header)),
        ("body", theirs.body.clone(), ours.body.clone()),
        ("footer", theirs.footer.clone().unwrap_or_default(), ours.footer.clone().unwrap_or_default()),
        ("buttons", joined(&theirs.buttons), joined(&ours.buttons)),
    ];
    let foreign = theirs.foreign.iter().map(|part| Difference {
        part: part.clone(),
        on_meta: "made elsewhere; Hookswitch has no such part".to_owned(),
        ours: String::new(),
    });
    parts
        .into_iter()
        .filter(|(_, on_meta, ours)| on_meta != ours)
        .map(|(part, on_meta, ours)| Difference { part: part.to_owned(), on_meta, ours })
        .chain(foreign)
        .collect()
}

/// The buttons, each on a line.
pub fn joined(buttons: &[MetaButton]) -> String {
    buttons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookswitch_core::plan::{Category, wording};

    fn ours(body: &str) -> MetaTemplate {
        MetaTemplate {
            template: "t".into(),
            name: "t".into(),
            language: "en_US".into(),
            category: Category::Utility,
            body: body.into(),
            examples: vec![],
            footer: None,
            header: None,
            header_example: String::new(),
            header_file: None,
            buttons: vec![MetaButton::Reply("Yes".into())],
            button_examples: vec![String::new()],
            authentication: None,
            wording: wording(body, None, &[MetaButton::Reply("Yes".into())], None),
        }
    }

    fn theirs(name: &str, body: &str, status: MetaStatus) -> TemplateOnMeta {
        TemplateOnMeta {
            id: "1".into(),
            name: name.into(),
            language: "en_US".into(),
            status,
            category: Some("UTILITY".into()),
            parameter_names: Vec::new(),
            body: body.into(),
            footer: None,
            header: None,
            buttons: vec![MetaButton::Reply("Yes".into())],
            foreign: vec![],
            quality: None,
            rejected_reason: Some("INVALID_FORMAT".into()),
        }
    }

    fn state_of(on_meta: &[TemplateOnMeta]) -> State {
        compare(&[ours("new")], on_meta).remove(0).state
    }

    #[test]
    fn each_state_is_told() {
        assert_eq!(state_of(&[]), State::Missing);
        assert_eq!(state_of(&[theirs("other", "new", MetaStatus::Approved)]), State::Missing);
        let reason = Some("INVALID_FORMAT".to_owned());
        for (status, state) in [
            (MetaStatus::Pending, State::Pending),
            (MetaStatus::Approved, State::Approved),
            (MetaStatus::Rejected, State::Rejected(reason)),
            (MetaStatus::Paused, State::Paused),
            (MetaStatus::Disabled, State::Disabled),
            (MetaStatus::Other("ARCHIVED".into()), State::Other("ARCHIVED".into())),
        ] {
            assert_eq!(
                state_of(&[theirs("t_v2", "new", status), theirs("t", "old", MetaStatus::Approved)]),
                state
            );
        }
        let moved =
            TemplateOnMeta { category: Some("MARKETING".into()), ..theirs("t", "new", MetaStatus::Approved) };
        assert_eq!(state_of(&[moved]), State::Recategorised { category: "MARKETING".into() });
        let german = TemplateOnMeta { language: "de".into(), ..theirs("t", "new", MetaStatus::Approved) };
        assert_eq!(state_of(&[german]), State::Missing);
    }

    #[test]
    fn what_differs_is_told_and_what_the_next_version_is_called() {
        let on_meta = [
            theirs("t", "older", MetaStatus::Approved),
            theirs("t_v10", "old", MetaStatus::Pending),
            theirs("t_v9", "older", MetaStatus::Approved),
        ];
        let states = compare(&[ours("new")], &on_meta);
        let body = Difference { part: "body".into(), on_meta: "old".into(), ours: "new".into() };
        assert_eq!(states[0].state, State::Differs(vec![body]));
        assert_eq!((states[0].needs_push(), states[0].next_name()), (true, "t_v11".to_owned()));
        let headed = TemplateOnMeta {
            foreign: vec!["a part of type HEADER".into()],
            ..theirs("t", "new", MetaStatus::Approved)
        };
        assert!(
            matches!(state_of(&[headed]), State::Differs(parts) if parts[0].part == "a part of type HEADER")
        );
    }

    #[test]
    fn of_two_versions_with_the_same_words_the_approved_one_counts() {
        let on_meta = [theirs("t", "new", MetaStatus::Approved), theirs("t_v2", "new", MetaStatus::Paused)];
        assert_eq!(state_of(&on_meta), State::Approved);
    }
}
