//! Plugins that are not asked, and events that wait for them.

use hookswitch_core::{catalog::Catalog, domain::SwitchKind};
use jiff::Timestamp;

use super::{
    command::Command,
    report::{Finding, Section},
    rules::place_and_message,
    words::{at_least, count, since, span},
};
use crate::store::{COUNTED, ParkedFacts, SwitchFacts};

/// The plugins on disk, and the parked events; `now` is PostgreSQL's clock. Events of a plugin that is stopped wait for
/// its switch.
pub fn judge(
    catalog: Option<&Catalog>,
    parked: &[ParkedFacts],
    switches: &[SwitchFacts],
    now: Timestamp,
) -> Section {
    let mut findings = Vec::new();
    let is_switched = |plugin: &str| {
        switches.iter().any(|switch| switch.name.kind == SwitchKind::Plugin && switch.name.name == plugin)
    };
    let failed = parked.iter().filter(|facts| !is_switched(&facts.plugin));
    for ParkedFacts { plugin, count, since: first } in failed {
        let events = at_least(*count, *count >= COUNTED, "event waits", "events wait");
        let ago = span(since(*first, now));
        let what = format!("{events} for the plugin {plugin}, which failed on them; the first for {ago}");
        let resume = Command::new(&["plugin", "resume"]).operand(plugin);
        let finding = Finding::critical("plugin.parked", what).about(plugin.clone());
        // Without the plugin they wait on, resumed or not.
        let is_gone = catalog.is_some_and(|catalog| !catalog.plugins.contains_key(plugin));
        findings.push(match is_gone {
            true => finding.example("the plugin is not loaded: bring it back, then resume it", &resume),
            false => finding.command(resume),
        });
    }
    let warnings = catalog.map(|catalog| catalog.warnings.as_slice()).unwrap_or_default();
    for warning in warnings.iter().filter(|warning| is_of_plugin(&warning.file)) {
        let id = warning.file.split('/').nth(1).unwrap_or_default();
        let plugin = catalog.and_then(|catalog| catalog.plugins.get(id));
        let finding = match plugin.is_none_or(|plugin| plugin.held().is_some()) {
            true => Finding::warning("plugin.left_out", place_and_message(warning)).about(id),
            false => Finding::info("plugin.warning", place_and_message(warning)).about(id),
        };
        let help = warning.notes.iter().find(|(label, _)| *label == "help").map(|(_, help)| help.as_str());
        findings.push(match help {
            Some(help) => finding.advice(help),
            None => finding,
        });
    }
    let plugins = catalog.map_or(0, |catalog| catalog.counts.plugins);
    let waiting: i64 = parked.iter().map(|facts| facts.count).sum();
    let summary = format!(
        "{}, {}",
        count(plugins, "plugin", "plugins"),
        count(waiting, "parked event", "parked events")
    );
    Section::new("plugins", summary, findings)
}

/// Whether a file belongs to a plugin.
pub fn is_of_plugin(file: &str) -> bool {
    file.starts_with("plugins/")
}
