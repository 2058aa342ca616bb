//! Plugins: what they have used, what they failed on, and how their parked events are run again.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{Html, Redirect},
};
use hookswitch_core::{
    catalog::InForce,
    decide::plugin::{LogLine, Plugin},
};
use minijinja::{Value, context};

use super::{
    Console,
    confirm::Confirmation,
    refusal::Refusal,
    render,
    session::{Administrator, Viewer},
};
use crate::{check::words, operate::Operator};

/// Maximum number of plugins on the page.
const SHOWN: usize = 40;

/// Maximum number of lines of each plugin, and of all together: the page stays small.
const LINES: usize = 10;
const ALL_LINES: usize = 60;

/// The plugins of this host, and the events that are parked for any.
pub async fn list(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let in_force = console.setup.live().in_force();
    let parked = console.operate.parked().await?;
    let plugins = plugins(&in_force);
    let loaded: Vec<Value> = plugins
        .iter()
        .take(SHOWN)
        .map(|(plugin, release)| {
            let (manifest, counts) = (plugin.manifest(), plugin.counts());
            let per_call = counts.microseconds.checked_div(counts.calls);
            context! {
                id => manifest.id.clone(), release, version => manifest.version.clone(), owner => manifest.owner.clone(),
                on => manifest.on.iter().map(|on| on.text.clone()).collect::<Vec<_>>(),
                calls => counts.calls, failures => counts.failures, is_parked => counts.parked,
                time => per_call.map(|micros| format!("{}.{:03} ms", micros / 1_000, micros % 1_000)),
                memory => words::size(counts.most_memory), revision => plugin.parked().map(|parked| context! {
                    version => parked.version, revision => parked.revision, resumed => parked.resumed,
                    reason => parked.reason,
                }),
            }
        })
        .collect();
    let events: Vec<Value> = parked
        .iter()
        .take(SHOWN)
        .map(|of| {
            context! { plugin => of.plugin.clone(), count => of.events, more => of.more, since => of.since.to_string() }
        })
        .collect();
    let lines = if viewer.sees_personal { last_lines(&plugins) } else { Vec::new() };
    let further = plugins.len().saturating_sub(SHOWN);
    render::view("plugins.html", &viewer, context! { loaded, events, further, lines })
}

/// The plugins of the active release, and those of one that decides for a share of the lanes, with its name, if they differ.
fn plugins(in_force: &InForce) -> Vec<(&Plugin, Option<&str>)> {
    let main = &in_force.main().plugins;
    let of_share = in_force.share().into_iter().flat_map(|(_, catalog)| {
        let differs = |id: &str, plugin: &Plugin| main.get(id).is_none_or(|known| !known.is_same_as(plugin));
        let differing = catalog.plugins.iter().filter(move |(id, plugin)| differs(id, plugin));
        differing.map(|(_, plugin)| (plugin, Some(catalog.release.as_str())))
    });
    main.values().map(|plugin| (plugin, None)).chain(of_share).collect()
}

/// What plugins logged last on this host, the newest first.
fn last_lines(plugins: &[(&Plugin, Option<&str>)]) -> Vec<Value> {
    let of = |plugin: &Plugin| {
        let id = plugin.manifest().id.clone();
        plugin.last_lines().into_iter().rev().take(LINES).map(move |line| (id.clone(), line))
    };
    // A plugin has one log, whichever of its revisions is called.
    let each: BTreeMap<&str, &Plugin> =
        plugins.iter().map(|(plugin, _)| (plugin.manifest().id.as_str(), *plugin)).collect();
    let mut lines: Vec<(String, LogLine)> = each.into_values().flat_map(of).collect();
    lines.sort_by_key(|(_, line)| std::cmp::Reverse(line.at));
    let shown = lines.into_iter().take(ALL_LINES).map(|(plugin, LogLine { at, level, event, text })| {
        context! { plugin, at => at.to_string(), level, event, text }
    });
    shown.collect()
}

/// The page that asks whether to run the parked events of a plugin again.
pub async fn confirm_resume(
    Administrator(viewer): Administrator,
    Path(id): Path<String>,
) -> Result<Html<String>, Refusal> {
    let lines = [
        format!(
            "The events that are parked for {id} are decided again, and its newest revision is called again."
        ),
        "If it fails 5 times in a row, it is parked again.".to_owned(),
    ];
    let asked = Confirmation {
        title: "Resume a plugin",
        lines: &lines,
        action: &render::segment("/plugins/resume/", &id),
        fields: &[],
        button: "Resume it",
        back: "/plugins",
    };
    asked.page(&viewer)
}

/// Has the parked events of a plugin run again.
pub async fn resume(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Redirect, Refusal> {
    let by = Operator::by_console(&viewer.key);
    if console.operate.resume_plugin(&by, &id).await? == 0 {
        return Err(Refusal::unknown("No events are parked for a plugin with this id; nothing was changed."));
    }
    Ok(Redirect::to("/plugins"))
}
