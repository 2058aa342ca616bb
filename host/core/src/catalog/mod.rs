//! What authors write, read and compiled: an immutable snapshot, live in one swap or not at all.
//!
//! A folder is read into memory once ([`load`]): what is hashed is what is compiled. Everything that is wrong is
//! told at once, over all files, with file, line and column. Cases gate a snapshot as its syntax does: where one
//! fails, there is no [`Catalog`].

mod case;
mod case_http;
mod expect;
mod files;
mod findings;
mod live;
mod meta;
mod people;
mod plugins;
mod routes;
mod run;
mod schedules;
mod tree;
mod yaml;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use case::Case;
pub use findings::{Finding, Findings, Severity};
use findings::{KEPT, TOLD};
pub use live::{Live, Watching};
pub use meta::{meta_templates, with_examples};
pub use routes::Group;
pub use schedules::{ForEach, Missed, Schedule};

use crate::{
    decide::{
        Place, Ports, RouteSource, Routes, RuleSource, Source, closest,
        plugin::{Plugin, Sandbox},
    },
    domain::People,
    plan::{TemplateSource, Templates},
};
use tree::{Kind, Tree, domain_of, kind_of};

/// Where authors write.
#[derive(Clone)]
pub struct Folders {
    /// Routes, scripts, templates and cases.
    pub rules: PathBuf,
    /// Plugins; it need not exist.
    pub plugins: Option<PathBuf>,
    /// Where plugins run; without one they are left out.
    pub sandbox: Option<Sandbox>,
}

impl From<&Path> for Folders {
    fn from(rules: &Path) -> Self {
        Folders { rules: rules.to_owned(), plugins: None, sandbox: None }
    }
}

/// All rules, compiled. Never changes.
pub struct Catalog {
    /// The first 12 hexadecimal digits of a hash over all files: the same rules have the same release.
    pub release: String,
    /// Routes and scripts.
    pub routes: Routes,
    /// Templates.
    pub templates: Templates,
    /// Plugins, by their ids.
    pub plugins: BTreeMap<String, Plugin>,
    /// The groups that exist by default.
    pub groups: Vec<Group>,
    /// What happens at set times.
    pub schedules: Vec<Schedule>,
    /// The cases, all passed.
    pub cases: Vec<Case>,
    /// The folders' `config.yaml`s, by folder.
    pub config: BTreeMap<String, Map<String, Value>>,
    /// What the plain routes name.
    pub uses: Vec<RouteUse>,
    /// What is odd, but keeps nothing from going live.
    pub warnings: Vec<Finding>,
    /// How much there is.
    pub counts: Counts,
}

impl Catalog {
    /// One member with WhatsApp for each group, made up, as cases have them that name no people.
    pub fn made_up_people(&self) -> People {
        people::by_default(&self.groups)
    }
}

/// What a plain route names; a script decides that when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteUse {
    /// `file:line` of the route.
    pub place: String,
    /// The template.
    pub template: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Whether it names users or contacts beside.
    pub others: bool,
    /// The variables that its template sees.
    pub variables: Vec<String>,
}

/// How much a catalog holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Folders.
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

/// What rules are told in earnest: the catalog's configuration and the time.
pub struct CatalogPorts<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The time.
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

/// Reads and compiles a rules folder, and runs its cases. Blocks for as long as that takes.
///
/// # Errors
/// With all that is wrong in it.
pub fn load(folders: &Folders) -> Result<Catalog, Findings> {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    compile(folders, tree, findings, &|_| false)
}

/// Compiles what was read. A panic, which would be a bug of Hookswitch or of a library, is a finding, too: a host goes
/// on with the rules that it has. A plugin whose own cases fail is left out where `may_be_left_out` says so of its id; else
/// they are errors.
fn compile(
    folders: &Folders,
    tree: Tree,
    findings: Vec<Finding>,
    may_be_left_out: &dyn Fn(&str) -> bool,
) -> Result<Catalog, Findings> {
    let folder = folders.rules.display().to_string();
    catch_unwind(AssertUnwindSafe(|| compile_all(folders, tree, findings, may_be_left_out))).unwrap_or_else(
        |_| {
            let finding = Finding::of_file("", "the compiler broke on these rules");
            let help = "this is a bug of Hookswitch; please report it with the files that changed last";
            Err(Findings { folder, findings: vec![finding.help(help)] })
        },
    )
}

fn compile_all(
    folders: &Folders,
    tree: Tree,
    mut findings: Vec<Finding>,
    may_be_left_out: &dyn Fn(&str) -> bool,
) -> Result<Catalog, Findings> {
    let files = |wanted: Kind| tree.files.iter().filter(move |(path, _)| kind_of(path) == Some(wanted));
    let groups: Vec<_> = files(Kind::Groups)
        .flat_map(|(path, text)| some(&mut findings, |told| routes::groups(path, text, told)))
        .collect();
    let schedules: Vec<_> = files(Kind::Schedules)
        .flat_map(|(path, text)| some(&mut findings, |told| schedules::schedules(path, text, &groups, told)))
        .collect();
    let config = files(Kind::Config)
        .map(|(path, text)| {
            let config = some(&mut findings, |told| routes::config(path, text, told));
            (domain_of(path).to_owned(), config)
        })
        .collect();
    let mut route_sources: Vec<_> = files(Kind::Routes)
        .flat_map(|(path, text)| some(&mut findings, |told| routes::routes(path, text, told)))
        .collect();
    let mut warnings = Vec::new();
    let (plugins, of_plugins) =
        plugins::plugins(&tree, folders.sandbox.as_ref(), &mut findings, &mut warnings);
    route_sources.extend(of_plugins);
    let scripts: BTreeMap<_, _> = files(Kind::Script)
        .map(|(path, text)| {
            (path.clone(), Source { text: text.clone(), place: Place::start_of(path.as_str()) })
        })
        .collect();
    let template_sources = templates_of(files(Kind::Template), &mut findings);
    let template_names: Vec<_> = template_sources.iter().map(|source| source.name.clone()).collect();
    check_names(&route_sources, &groups, &template_names, &mut findings);
    let counts = Counts {
        domains: tree
            .files
            .keys()
            .map(|path| domain_of(path))
            .filter(|domain| !domain.is_empty() && !domain.starts_with("plugins/"))
            .collect::<BTreeSet<_>>()
            .len(),
        routes: route_sources.len(),
        scripts: scripts.len(),
        templates: template_sources.len(),
        cases: 0,
        plugins: plugins.len(),
        schedules: schedules.len(),
    };
    let (templates, errors) = Templates::compile(template_sources);
    findings.extend(errors.into_iter().map(|error| {
        let place = Place { line: error.line, column: error.column, ..Place::start_of(error.file.as_str()) };
        Finding::at(&place, error.message)
    }));
    let (routes, errors) = Routes::compile(&route_sources, &scripts, &plugins);
    findings.extend(errors.into_iter().map(Finding::from));
    let is_there = |case: &Case| {
        // A plugin that is left out or held has no cases to pass.
        let can_be_asked = |id| plugins.get(id).is_some_and(|plugin| plugin.held().is_none());
        case.domain.strip_prefix("plugins/").is_none_or(can_be_asked)
    };
    let cases: Vec<_> = files(Kind::Cases)
        .flat_map(|(path, text)| some(&mut findings, |told| case::cases(path, text, &groups, told)))
        .filter(is_there)
        .collect();
    let mut catalog = Catalog {
        release: tree.release.clone(),
        routes,
        templates,
        plugins,
        groups,
        schedules,
        counts: Counts { cases: cases.len(), ..counts },
        cases,
        config,
        uses: route_sources.iter().filter_map(used).collect(),
        warnings: warnings.into_iter().chain(unused(&scripts, &route_sources)).collect(),
    };
    // Cases of rules that do not compile would only repeat it.
    if findings.is_empty() {
        run::all(&catalog, &mut findings);
        leave_out(&mut catalog, &mut findings, may_be_left_out);
    }
    if findings.is_empty() {
        finish(&mut catalog.warnings, &tree);
        return Ok(catalog);
    }
    finish(&mut findings, &tree);
    Err(Findings { folder: folders.rules.display().to_string(), findings })
}

/// Leaves out plugins whose own cases fail: their events wait, or their last good revisions are asked.
fn leave_out(catalog: &mut Catalog, findings: &mut Vec<Finding>, may_be_left_out: &dyn Fn(&str) -> bool) {
    let Catalog { plugins, cases, warnings, .. } = catalog;
    for (id, plugin) in plugins.iter() {
        let folder = format!("plugins/{id}");
        let is_own = |finding: &Finding| domain_of(&finding.file) == folder;
        let Some(first) = findings.iter().find(|finding| is_own(finding)) else { continue };
        if !may_be_left_out(id) {
            continue;
        }
        let why = format!("{}:{}: {}", first.file, first.line, first.message);
        plugin.leave_out(&why);
        let what = format!("the plugin {id} is left out, as its cases fail, and its events wait: {why}");
        warnings.push(Finding { severity: Severity::Warning, ..Finding::of_file(format!("{folder}/plugin.yaml"), what) }
            .help(format!("for all of it: hookswitch plugin check {id}; once it is mended: hookswitch plugin resume {id}")));
        findings.retain(|finding| !is_own(finding));
        cases.retain(|case| case.domain != folder);
    }
}

/// Reads a file; of what is wrong in many files some is kept.
fn some<T>(findings: &mut Vec<Finding>, read: impl FnOnce(&mut Vec<Finding>) -> T) -> T {
    let read = read(findings);
    findings.truncate(KEPT);
    read
}

/// Puts findings in order, and adds the lines that they are about.
fn finish(findings: &mut Vec<Finding>, tree: &Tree) {
    findings.sort_by(|a, b| {
        (a.severity, &a.file, a.line, a.column).cmp(&(b.severity, &b.file, b.line, b.column))
    });
    let more = findings.len().saturating_sub(TOLD);
    findings.truncate(TOLD);
    for finding in &mut *findings {
        let line = finding.line.checked_sub(1);
        let line = line.and_then(|index| tree.files.get(&finding.file)?.lines().nth(index));
        let told = std::mem::replace(finding, Finding::of_file("", "")).in_bounds();
        *finding = match line {
            Some(line) => told.with_line(line),
            None => told,
        };
    }
    if more > 0 {
        findings.push(Finding::of_file("", format!("and {more} more findings, at least")));
    }
}

fn templates_of<'a>(
    files: impl Iterator<Item = (&'a String, &'a String)>,
    findings: &mut Vec<Finding>,
) -> Vec<TemplateSource> {
    let mut sources: Vec<TemplateSource> = Vec::new();
    for (path, text) in files {
        let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".j2")).unwrap_or(path);
        if let Some(other) = sources.iter().find(|source| source.name == name) {
            let finding = Finding::of_file(path.as_str(), format!("there are two templates `{name}`"));
            findings.push(
                finding
                    .note("other", other.file.clone())
                    .help("a template's name is unique over all folders"),
            );
            continue;
        }
        sources.push(TemplateSource { name: name.to_owned(), file: path.clone(), text: text.clone() });
    }
    sources
}

/// Finds the templates and groups that routes name and that do not exist.
fn check_names(routes: &[RouteSource], groups: &[Group], templates: &[String], findings: &mut Vec<Finding>) {
    for route in routes {
        let RuleSource::Plain(plain) = &route.rule else { continue };
        if !templates.contains(&plain.template.text) {
            let name = &plain.template.text;
            let finding = Finding::at(&plain.template.place, format!("there is no template `{name}`"));
            findings.push(match closest(name, templates.iter().map(String::as_str)) {
                Some(close) => finding.help(format!("did you mean `{close}`?")),
                None => finding.help(format!("a template is a file `{}/templates/{name}.j2`", route.folder)),
            });
        }
        for group in plain.groups.iter().filter(|named| !groups.iter().any(|group| group.name == named.text))
        {
            findings.push(people::unknown_group(&group.text, &group.place, groups));
        }
    }
}

fn used(route: &RouteSource) -> Option<RouteUse> {
    let RuleSource::Plain(plain) = &route.rule else { return None };
    let place = &route.on.first()?.place;
    Some(RouteUse {
        place: format!("{}:{}", place.file, place.line),
        template: plain.template.text.clone(),
        groups: plain.groups.iter().map(|group| group.text.clone()).collect(),
        others: !(plain.users.is_empty() && plain.contacts.is_empty()),
        variables: match plain.collect {
            None => plain.context.iter().map(|(name, _)| name.clone()).collect(),
            Some(_) => vec!["items".to_owned(), "count".to_owned()],
        },
    })
}

/// Scripts that no route names.
fn unused(scripts: &BTreeMap<String, Source>, routes: &[RouteSource]) -> Vec<Finding> {
    let used = |path: &str| {
        routes.iter().any(|route| matches!(&route.rule, RuleSource::Script(script) if script.text == path))
    };
    let unused = scripts.keys().filter(|path| !used(path));
    unused
        .map(|path| Finding {
            severity: Severity::Warning,
            ..Finding::of_file(path.as_str(), "no route uses this script")
                .help("name it in `routes.yaml` with `script:`")
        })
        .collect()
}
