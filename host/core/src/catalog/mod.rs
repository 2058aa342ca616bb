//! The catalog: authors' files, read and compiled into an immutable snapshot that goes live in one swap or not at all.
//!
//! A folder is read into memory once ([`load`]): what is hashed is what is compiled. All problems of all files are
//! reported at once, with file, line and column. Cases gate a snapshot as its syntax does: if one fails, there is no
//! [`Catalog`].

mod case;
mod case_http;
mod coverage;
mod expect;
mod files;
mod findings;
mod in_force;
mod layout;
mod library_cases;
mod live;
mod load;
mod media_file;
mod mentions;
mod meta;
mod outline;
mod paths;
mod people;
mod plugins;
mod routes;
mod run;
mod samples;
mod schedules;
mod schema;
mod snapshot;
mod together;
mod tree;
mod uses;
mod yaml;

#[cfg(test)]
mod tests;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use case::Case;
pub use findings::{Finding, Findings, Severity};
pub use in_force::InForce;
pub use layout::laid_out;
use library_cases::LibraryCase;
pub use live::{Live, NotLoaded, Wanted};
pub use load::{load, load_plugins, load_release_to_try, load_templates, load_to_try};
pub use media_file::{FolderFile, MediaContent, MediaFile};
pub use meta::{meta_templates, with_examples};
pub use outline::Outline;
pub use routes::Group;
pub use samples::{Sample, samples};
pub use schedules::{ForEach, Missed, Schedule};
pub use schema::Schema;
pub use snapshot::{Content, Snapshot, SnapshotFile, snapshot, take};
pub use tree::{PLUGINS, SHORT};
pub use watch::{Changes, Watching, content_of};

use crate::{
    decide::{
        Ports, Routes,
        plugin::{Plugin, Sandbox},
    },
    domain::{People, Verdict},
    plan::Templates,
};

/// Folders of authors' files.
#[derive(Clone)]
pub struct Folders {
    /// Routes, scripts, templates and cases.
    pub rules: PathBuf,
    /// Plugins; the folder may be missing.
    pub plugins: Option<PathBuf>,
    /// Sandbox that runs plugins; without it plugins are not loaded.
    pub sandbox: Option<Sandbox>,
}

impl From<&Path> for Folders {
    fn from(rules: &Path) -> Self {
        Folders { rules: rules.to_owned(), plugins: None, sandbox: None }
    }
}

/// All rules, compiled. Never changes.
pub struct Catalog {
    /// First 12 hexadecimal digits of `id`: the same rules have the same release.
    pub release: String,
    /// SHA-256 over all files, in hexadecimal digits.
    pub id: String,
    /// Routes and scripts.
    pub routes: Routes,
    /// Templates.
    pub templates: Templates,
    /// Plugins, by their ids.
    pub plugins: BTreeMap<String, Plugin>,
    /// Groups of `groups.yaml`.
    pub groups: Vec<Group>,
    /// Events that are fired at set times.
    pub schedules: Vec<Schedule>,
    /// Cases. All of them have passed, but for those of `failed_cases`.
    pub cases: Vec<Case>,
    /// Cases of the library.
    shared_cases: Vec<LibraryCase>,
    /// What failed in cases; empty unless the catalog was loaded to be tried.
    pub failed_cases: Vec<Finding>,
    /// Contents of the folders' `config.yaml` files, by folder.
    pub config: BTreeMap<String, Map<String, Value>>,
    /// Files in the folders `files`, by their paths: what templates send, and examples for Meta's reviewers.
    pub files: BTreeMap<String, MediaFile>,
    /// Texts of the scripts, by their paths.
    pub scripts: BTreeMap<String, String>,
    /// What routes are for, and the templates and groups that they name.
    pub uses: Vec<RouteUse>,
    /// Whom rules told in the cases.
    pub told: BTreeSet<Told>,
    /// Findings that do not keep the catalog from going live.
    pub warnings: Vec<Finding>,
    /// Warnings about variables of templates that plain routes do not give.
    pub missing_variables: Vec<Finding>,
    /// Routes, scripts, plugins and templates that no case reaches.
    pub not_reached: Vec<Finding>,
    /// Warnings about templates that Meta would reject, or that would not read well as Meta templates, and notes.
    pub at_meta: Vec<Finding>,
    /// Number of files of each kind.
    pub counts: Counts,
}

impl Catalog {
    /// All warnings, those about rules that work only in part among them.
    pub fn all_warnings(&self) -> impl Iterator<Item = &Finding> {
        let at_meta = self.at_meta.iter().filter(|finding| finding.severity != Severity::Note);
        self.missing_variables.iter().chain(at_meta).chain(&self.warnings)
    }

    /// What is good to know about templates: how they look in an open window.
    pub fn notes(&self) -> impl Iterator<Item = &Finding> {
        self.at_meta.iter().filter(|finding| finding.severity == Severity::Note)
    }

    /// Made-up people, one member with WhatsApp for each group, and the users that these verdicts name: those of a case
    /// without `people`.
    pub fn made_up_people(&self, verdicts: &[Verdict]) -> People {
        people::with_users(people::by_default(&self.groups), verdicts)
    }
}

/// What a route is for, and the names that it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteUse {
    /// `file:line` of the route.
    pub place: String,
    /// `file:line` of what decides, as in the history of events: the route itself, its script or its plugin's manifest.
    pub rule: String,
    /// Event types: `order.created`, `payment.*`, `*`.
    pub types: Vec<String>,
    /// Template; `None` if a script or plugin decides it when it runs.
    pub template: Option<String>,
    /// Groups; empty if a script or plugin decides them when it runs.
    pub groups: Vec<String>,
    /// Whether it also names, or may name, users or contacts.
    pub others: bool,
}

/// Whom a rule told of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Type of the event.
    pub kind: String,
    /// `file:line` of the rule.
    pub rule: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Whether users or contacts, too.
    pub others: bool,
}

/// Numbers of a catalog's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Folders of rules, without those of plugins.
    pub domains: usize,
    /// Routes.
    pub routes: usize,
    /// Scripts.
    pub scripts: usize,
    /// Templates.
    pub templates: usize,
    /// Cases.
    pub cases: usize,
    /// Plugins.
    pub plugins: usize,
    /// Schedules.
    pub schedules: usize,
}

/// Ports of a live host: the catalog's configuration and the time.
pub struct CatalogPorts<'a> {
    /// Catalog whose configuration rules read.
    pub catalog: &'a Catalog,
    /// Time that rules see.
    pub now: Timestamp,
}

impl Ports for CatalogPorts<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn config(&self, folder: &str, key: &str) -> Option<Value> {
        self.catalog.config.get(folder)?.get(key).cloned()
    }
}
