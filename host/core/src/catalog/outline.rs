//! What a catalog consists of, without its places in files: by it two releases are compared.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Catalog, RouteUse, snapshot::Snapshot};

/// The parts of a catalog, each by its name with a text that differs where the part does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Routes, by their files and event types: what they send to whom.
    pub routes: BTreeMap<String, String>,
    /// Templates, by their files: their hashes.
    pub templates: BTreeMap<String, String>,
    /// Plugins, by their ids: the hashes of their files.
    pub plugins: BTreeMap<String, String>,
    /// Groups, by their names: their descriptions.
    pub groups: BTreeMap<String, String>,
}

impl Outline {
    /// The outline of a catalog that was compiled from these files.
    pub fn new(catalog: &Catalog, snapshot: &Snapshot) -> Outline {
        let mut outline = Outline::default();
        for used in &catalog.uses {
            let base = format!("{}: {}", file(&used.place), used.types.join(", "));
            let (mut name, mut n) = (base.clone(), 1);
            while outline.routes.contains_key(&name) {
                n += 1;
                name = format!("{base} ({n})");
            }
            outline.routes.insert(name, what(used, snapshot));
        }
        for (path, file) in &snapshot.files {
            let hash = hex::encode(file.sha256);
            if path.ends_with(".j2") {
                outline.templates.insert(path.clone(), hash.clone());
            }
            if let Some((id, rest)) = path.strip_prefix("plugins/").and_then(|path| path.split_once('/')) {
                let _ = write!(outline.plugins.entry(id.to_owned()).or_default(), "{rest} {hash} ");
            }
        }
        for hashes in outline.plugins.values_mut() {
            *hashes = hex::encode(Sha256::digest(hashes.as_bytes()));
        }
        outline.groups =
            catalog.groups.iter().map(|group| (group.name.clone(), group.description.clone())).collect();
        outline
    }
}

/// A place without its line.
fn file(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

/// What a route sends to whom, and the hash of what decides it.
fn what(used: &RouteUse, snapshot: &Snapshot) -> String {
    let rule = file(&used.rule);
    let template = match &used.template {
        Some(template) => template.clone(),
        None => format!("decided by {rule}"),
    };
    let mut groups = used.groups.clone();
    if used.others {
        groups.push("people or contacts that the event names".to_owned());
    }
    let mut text = template;
    if !groups.is_empty() {
        let _ = write!(text, " to {}", groups.join(", "));
    }
    let decides = snapshot.files.get(&format!("rules/{rule}"));
    if let Some(script) = decides.filter(|_| rule.ends_with(".rhai")) {
        let _ = write!(text, " ({})", hex::encode(&script.sha256[..6]));
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{
        super::{
            snapshot::take,
            tests::{rules, write},
        },
        *,
    };

    fn outline(folder: &std::path::Path) -> Outline {
        let (snapshot, loaded) = take(&folder.into()).unwrap();
        Outline::new(&loaded.unwrap(), &snapshot)
    }

    #[test]
    fn a_route_that_moves_is_the_same_and_one_that_is_added_is_new() {
        let folder = rules();
        let before = outline(folder.path());
        let path = folder.path().join("orders/routes.yaml");
        let routes = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("# A comment\n\n{routes}")).unwrap();
        assert_eq!(outline(folder.path()), before);
        write(
            folder.path(),
            &[("visits/routes.yaml", "- {on: visit, template: order_created, groups: [Sales Team]}\n")],
        );
        let after = outline(folder.path());
        assert_eq!(after.routes["visits/routes.yaml: visit"], "order_created to Sales Team");
        assert_eq!(after.routes.len(), before.routes.len() + 1);
        assert_eq!(after.templates, before.templates);
    }
}
