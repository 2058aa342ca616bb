//! What one look at Meta's templates comes to. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Compiled, TemplateChange, compile};
use crate::{
    plan::{InUse, Version},
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
            versions.insert(definition.template.clone(), sendable);
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
