//! Builds the plugins that have no component yet, so that the demo shows them deciding.

use std::path::Path;

use super::super::plugin::{Progress, all_plugins, build_rust};

/// Builds the Rust plugins of a folder. `step` gets a line for each plugin, `detail` what cargo is at. Nothing here
/// fails: a plugin that cannot be built is left out, with the reason.
pub fn build(plugins: &Path, step: &dyn Fn(String), detail: &dyn Fn(&str)) {
    let Ok(ids) = all_plugins(plugins) else { return };
    let mut others = Vec::new();
    for id in ids {
        let folder = plugins.join(&id);
        let component = folder.join(format!("{id}.wasm"));
        if component.is_file() {
            continue;
        }
        if !folder.join("Cargo.toml").is_file() {
            others.push(id);
            continue;
        }
        step(format!("building the plugin {id} from source"));
        let mut told = |line: &str| detail(&format!("plugin {id}: {line}"));
        if let Err(error) = build_rust(&folder, &component, Progress::Lines(&mut told)) {
            step(format!("continuing without the plugin {id}: {}", one_line(&format!("{error:#}"))));
        }
    }
    if !others.is_empty() {
        step(format!(
            "continuing without {}: not written in Rust; build with hookswitch plugin build",
            others.join(", ")
        ));
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
