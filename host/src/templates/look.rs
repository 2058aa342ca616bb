//! What one look at Meta's templates comes to. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hookswitch_core::plan::{InUse, Version};
use jiff::Timestamp;

use super::{Compiled, TemplateChange, compile};
use crate::{
    store::{MetaTemplateRow, MetaTemplateStatus, MetaTemplateSwitch},
    whatsapp::{
        TemplateState,
        management::{MetaStatus, TemplateOnMeta, category},
    },
};

/// What is in use, and what is new.
pub(super) struct Look {
    pub in_use: InUse,
    pub statuses: Vec<MetaTemplateStatus>,
    pub switches: Vec<MetaTemplateSwitch>,
    pub changes: Vec<TemplateChange>,
}

/// Compares what Meta has with what was known before.
pub(super) fn look(
    states: &[TemplateState],
    known: &[MetaTemplateRow],
    statuses: &[MetaTemplateStatus],
    switches: &[MetaTemplateSwitch],
    compiled: &mut Compiled,
    now: Timestamp,
) -> Look {
    let known: HashMap<_, _> = known
        .iter()
        .map(|row| ((row.name.as_str(), row.language.as_str(), row.wording.as_str()), row))
        .collect();
    let mut versions = BTreeMap::new();
    let mut look =
        Look { in_use: InUse::default(), statuses: Vec::new(), switches: Vec::new(), changes: Vec::new() };
    for state in states {
        let definition = &state.definition;
        let mut usable = |template: &TemplateOnMeta| -> Option<Arc<Version>> {
            let wording = template.wording().filter(|_| template.status == MetaStatus::Approved)?;
            let row = known.get(&(template.name.as_str(), template.language.as_str(), wording.as_str()))?;
            let key = (row.name.clone(), row.language.clone(), row.wording.clone());
            compiled.entry(key).or_insert_with(|| compile(row).map(Arc::new)).clone()
        };
        // The words of now where they may be sent, also if a later version had others.
        let of_now = state.current().and_then(&mut usable);
        let others = state.versions.iter().filter_map(|(_, template)| usable(template));
        let mut sendable: Vec<Arc<Version>> = Vec::new();
        for version in of_now.into_iter().chain(others) {
            if !sendable.iter().any(|known| Arc::ptr_eq(known, &version)) {
                sendable.push(version);
            }
        }
        let last = switches
            .iter()
            .find(|last| last.template == definition.template && last.language == definition.language);
        let name = sendable.first().map(|version| version.name().name.clone());
        if last.and_then(|last| last.name.as_ref()) != name.as_ref() {
            look.switches.push(MetaTemplateSwitch {
                template: definition.template.clone(),
                language: definition.language.clone(),
                ordinal: last.map_or(0, |last| last.ordinal) + 1,
                name,
                switched_at: now,
            });
        }
        if !sendable.is_empty() {
            versions.insert((definition.template.clone(), definition.language.clone()), sendable);
        }
        for (_, template) in &state.versions {
            let last =
                statuses.iter().find(|last| last.name == template.name && last.language == template.language);
            let status = template.status.as_str();
            if last.is_some_and(|last| last.status == status && last.category == template.category) {
                continue;
            }
            look.statuses.push(MetaTemplateStatus {
                name: template.name.clone(),
                language: template.language.clone(),
                ordinal: last.map_or(0, |last| last.ordinal) + 1,
                status: status.to_owned(),
                category: template.category.clone(),
                reason: template.rejected_reason.clone(),
            });
            look.changes.push(TemplateChange {
                template: definition.template.clone(),
                name: template.name.clone(),
                language: template.language.clone(),
                ordinal: last.map_or(0, |last| last.ordinal) + 1,
                from: last.map(|last| last.status.clone()),
                status: status.to_owned(),
                category: template.category.clone(),
                recategorised: template
                    .category
                    .as_ref()
                    .is_some_and(|theirs| theirs != category(definition.category)),
                reason: template.rejected_reason.clone(),
            });
        }
    }
    look.in_use = InUse::new(versions);
    look
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::HashMap;

    use super::*;
    use crate::whatsapp::compare;
    use hookswitch_core::{
        domain::Message,
        plan::{TemplateSource, Templates, definitions},
    };

    const FRONT: &str = "---\ndescription: x\ncategory: utility\nlanguage: en_US\n---\n";

    fn row(name: &str, body: &str) -> MetaTemplateRow {
        let source = format!("{FRONT}{body}");
        let file = TemplateSource { name: "t".into(), file: "x/templates/t.j2".into(), text: source.clone() };
        let wording = Templates::compile(vec![file]).0.get("t").unwrap().wording.clone();
        MetaTemplateRow {
            name: name.into(),
            language: "en_US".into(),
            wording,
            template: "t".into(),
            source,
            parameter_names: Vec::new(),
        }
    }

    fn on_meta(name: &str, body: &str, status: MetaStatus, category: &str) -> TemplateOnMeta {
        TemplateOnMeta {
            id: name.into(),
            name: name.into(),
            language: "en_US".into(),
            status,
            category: Some(category.into()),
            parameter_names: Vec::new(),
            body: body.into(),
            header: None,
            footer: None,
            buttons: vec![],
            foreign: vec![],
            quality: None,
            rejected_reason: None,
        }
    }

    /// What is looked at with the words `new` in the rules folder.
    fn looked(
        on_meta: &[TemplateOnMeta],
        known: &[MetaTemplateRow],
        statuses: &[MetaTemplateStatus],
        switches: &[MetaTemplateSwitch],
    ) -> Look {
        let ours = row("t", "new");
        let file = TemplateSource { name: "t".into(), file: "x/templates/t.j2".into(), text: ours.source };
        let states = compare(&definitions(&Templates::compile(vec![file]).0).0, on_meta);
        look(&states, known, statuses, switches, &mut HashMap::new(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_newest_approved_version_with_known_words_is_in_use() {
        let approved = MetaStatus::Approved;
        let known = [row("t", "old"), row("t_v3", "new")];
        let both = [
            on_meta("t", "old", approved.clone(), "UTILITY"),
            on_meta("t_v2", "made elsewhere", approved.clone(), "UTILITY"),
            on_meta("t_v3", "new", MetaStatus::Pending, "UTILITY"),
        ];
        let look = looked(&both, &known, &[], &[]);
        assert_eq!((look.switches[0].name.as_deref(), look.switches[0].ordinal), (Some("t"), 1));
        let planned = |body: &str| Message {
            wording: row("t", body).wording,
            language: "en_US".into(),
            ..Message::default()
        };
        assert_eq!(look.in_use.approved("t", &planned("old"))[0].name, "t");
        assert_eq!(look.in_use.approved("t", &planned("new")), []);

        let [old, other, new] = both;
        let new = TemplateOnMeta { status: approved, ..new };
        let again = looked(&[old, other, new], &known, &look.statuses, &look.switches);
        assert_eq!((again.switches[0].name.as_deref(), again.switches[0].ordinal), (Some("t_v3"), 2));
        assert_eq!(again.in_use.approved("t", &planned("new"))[0].name, "t_v3");
        assert_eq!(again.in_use.approved("t", &planned("old"))[0].name, "t", "planned before the switch");
        let told: Vec<_> =
            again.changes.iter().map(|c| (c.name.as_str(), c.from.as_deref(), c.ordinal)).collect();
        assert_eq!(told, [("t_v3", Some("PENDING"), 2)]);
    }

    #[test]
    fn what_meta_does_is_told_once() {
        let known = [row("t", "new")];
        let paused = [on_meta("t", "new", MetaStatus::Paused, "UTILITY")];
        let first = looked(&paused, &known, &[], &[]);
        assert!(first.changes[0].is_bad() && !first.changes[0].recategorised);
        assert_eq!(first.switches, [], "none was in use before");
        assert_eq!(looked(&paused, &known, &first.statuses, &[]).changes, []);

        let moved = [on_meta("t", "new", MetaStatus::Approved, "MARKETING")];
        let second = looked(&moved, &known, &first.statuses, &[]);
        assert!(second.changes[0].is_bad() && second.changes[0].recategorised);
        assert_eq!(second.switches[0].name.as_deref(), Some("t"), "it may still be sent");
        let gone = looked(&[], &known, &second.statuses, &second.switches);
        assert_eq!((gone.switches[0].name.as_deref(), gone.switches[0].ordinal), (None, 2));
    }
}
