//! Which files name a group, before it is renamed or deleted.

use super::{Catalog, ForEach};

impl Catalog {
    /// Places of the rules that name a group: `groups.yaml`, `file:line` of plain routes and of scripts that have the name
    /// as a string, and schedules. A name that a script or a plugin puts together shows only in its decisions.
    pub fn mentions_of_group(&self, name: &str) -> Vec<String> {
        let listed = self.groups.iter().filter(|group| group.name == name).map(|_| "groups.yaml".to_owned());
        let routes = self
            .uses
            .iter()
            .filter(|used| used.groups.iter().any(|group| group == name))
            .map(|used| used.place.clone());
        let literals = ['"', '\'', '`'].map(|quote| format!("{quote}{name}{quote}"));
        let scripts = self.scripts.iter().flat_map(|(path, text)| {
            let names = |line: &str| literals.iter().any(|literal| line.contains(literal.as_str()));
            (1..)
                .zip(text.lines())
                .filter(move |(_, line)| names(line))
                .map(move |(n, _)| format!("{path}:{n}"))
        });
        let schedules = self.schedules.iter().filter_map(|schedule| {
            let ForEach::ExpiringWindows(groups) = schedule.for_each.as_ref()?;
            groups.iter().any(|group| group == name).then(|| format!("schedules.yaml ({})", schedule.name))
        });
        listed.chain(routes).chain(scripts).chain(schedules).collect()
    }
}
