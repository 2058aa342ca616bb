//! Reads folders and compiles them.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    Catalog, Counts, Folders,
    case::{self, Case},
    coverage,
    findings::{Finding, Findings, KEPT, Severity, TOLD},
    library_cases, meta, paths, plugins, routes, run, schedules,
    tree::{self, Kind, Tree, domain_of, kind_of},
    uses::{self, check_names, unused, used},
};
use crate::{
    decide::{LIBRARY, Place, Routes, Source},
    plan::{TemplateSource, Templates},
};

/// Reads and compiles a rules folder, and runs its cases, for up to a minute. Blocks.
///
/// # Errors
/// Returns all problems of the folder.
pub fn load(folders: &Folders) -> Result<Catalog, Findings> {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    compile(folders, &tree, findings, &|_| false)
}

/// As [`load`], but cases that fail do not keep the rules from being tried: they are in [`Catalog::failed_cases`].
///
/// # Errors
/// Returns all problems of the folder but those.
pub fn load_to_try(folders: &Folders) -> Result<Catalog, Findings> {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    compile_to_try(folders, &tree, findings)
}

/// As [`load_to_try`], with the id of the release that was found in the folders.
pub fn load_release_to_try(folders: &Folders) -> (String, Result<Catalog, Findings>) {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    let loaded = compile_to_try(folders, &tree, findings);
    (tree.id, loaded)
}

/// Reads and compiles the templates of a rules folder alone, without cases. Blocks.
///
/// # Errors
/// Returns all problems of the templates.
pub fn load_templates(folders: &Folders) -> Result<Templates, Findings> {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    findings.clear();
    let files = tree.files.iter().filter(|(path, _)| kind_of(path) == Some(Kind::Template));
    let sources = templates_of(files, &mut findings);
    let (templates, errors) = Templates::compile(sources);
    findings.extend(errors.into_iter().map(Finding::from));
    if findings.is_empty() {
        return Ok(templates);
    }
    finish(&mut findings, &tree);
    Err(Findings { folder: folders.rules.display().to_string(), findings })
}

pub(super) fn compile_to_try(
    folders: &Folders,
    tree: &Tree,
    findings: Vec<Finding>,
) -> Result<Catalog, Findings> {
    caught(folders, || {
        let mut catalog = compile_without_cases(folders, tree, findings)?;
        catalog.failed_cases = catalog.run_cases();
        catalog.finish(tree);
        Ok(catalog)
    })
}

/// Reads and compiles these plugins alone, with the groups and templates of the rules folder, and runs the plugins' own
/// cases. Blocks.
///
/// # Errors
/// Returns all problems of these plugins, of groups and of templates.
pub fn load_plugins(folders: &Folders, ids: &[String]) -> Result<Catalog, Findings> {
    let mut findings = Vec::new();
    let mut tree = tree::read(folders, &mut findings);
    let is_wanted = |path: &str| {
        let id = domain_of(path).strip_prefix("plugins/").map(str::to_owned);
        match id {
            Some(id) => ids.contains(&id),
            None => matches!(kind_of(path), None | Some(Kind::Groups | Kind::Template)),
        }
    };
    tree.files.retain(|path, _| is_wanted(path));
    tree.components.retain(|path, _| is_wanted(path));
    findings.retain(|finding| is_wanted(&finding.file));
    compile(folders, &tree, findings, &|_| false)
}

impl Catalog {
    /// Runs the cases, and returns what failed in them.
    fn run_cases(&mut self) -> Vec<Finding> {
        let shown = run::all(self);
        self.not_reached = coverage::not_reached(self, &shown);
        self.at_meta.extend(shown.warnings);
        self.told = shown.told;
        let mut findings = shown.findings;
        findings.extend(library_cases::run(&self.shared_cases, &self.routes));
        findings
    }

    /// Sorts what it found, and adds the lines of the files.
    fn finish(&mut self, tree: &Tree) {
        let all = [
            &mut self.warnings,
            &mut self.missing_variables,
            &mut self.not_reached,
            &mut self.at_meta,
            &mut self.failed_cases,
        ];
        all.into_iter().for_each(|findings| finish(findings, tree));
    }
}

/// Compiles what was read. A panic, which would be a bug in Hookswitch or in a library, becomes a finding: a host keeps
/// the rules that it has. A plugin whose own cases fail is left out if `may_be_left_out` says so of its id; otherwise the
/// failures are errors.
pub(super) fn compile(
    folders: &Folders,
    tree: &Tree,
    findings: Vec<Finding>,
    may_be_left_out: &dyn Fn(&str) -> bool,
) -> Result<Catalog, Findings> {
    caught(folders, || {
        let mut catalog = compile_without_cases(folders, tree, findings)?;
        let mut findings = catalog.run_cases();
        leave_out(&mut catalog, &mut findings, may_be_left_out);
        if findings.is_empty() {
            catalog.finish(tree);
            return Ok(catalog);
        }
        finish(&mut findings, tree);
        Err(Findings { folder: folders.rules.display().to_string(), findings })
    })
}

/// Turns a panic into a finding.
fn caught(folders: &Folders, work: impl FnOnce() -> Result<Catalog, Findings>) -> Result<Catalog, Findings> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let finding = Finding::of_file("", "internal error while compiling these rules");
        let help = "this is a bug in Hookswitch; please report it with the files that changed last";
        Err(Findings { folder: folders.rules.display().to_string(), findings: vec![finding.help(help)] })
    })
}

/// Compiles everything, and runs no cases: those of rules that do not compile would only repeat the errors.
fn compile_without_cases(
    folders: &Folders,
    tree: &Tree,
    mut findings: Vec<Finding>,
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
        plugins::plugins(tree, folders.sandbox.as_ref(), &mut findings, &mut warnings);
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
            .filter(|domain| !domain.is_empty() && *domain != LIBRARY && !domain.starts_with("plugins/"))
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
    let of_files = meta::file_errors(&templates, &tree.media);
    findings.extend(errors.into_iter().chain(of_files).map(Finding::from));
    let (routes, errors) = Routes::compile(&route_sources, &scripts, &plugins);
    findings.extend(errors.into_iter().map(Finding::from));
    let is_there = |case: &Case| {
        // A plugin that is not loaded, or held, cannot run its cases.
        let can_be_asked = |id| plugins.get(id).is_some_and(|plugin| plugin.held().is_none());
        case.domain.strip_prefix("plugins/").is_none_or(can_be_asked)
    };
    let cases: Vec<_> = files(Kind::Cases)
        .flat_map(|(path, text)| some(&mut findings, |told| case::cases(path, text, &groups, told)))
        .filter(is_there)
        .collect();
    let shared_cases: Vec<_> = files(Kind::LibraryCases)
        .flat_map(|(path, text)| some(&mut findings, |told| library_cases::cases(path, text, told)))
        .collect();
    let misspelt = paths::misspelt(&route_sources, &scripts, &cases);
    let catalog = Catalog {
        release: tree.release.clone(),
        id: tree.id.clone(),
        routes,
        plugins,
        groups,
        schedules,
        counts: Counts { cases: cases.len() + shared_cases.len(), ..counts },
        cases,
        shared_cases,
        failed_cases: Vec::new(),
        config,
        missing_variables: uses::missing_variables(&route_sources, &templates),
        not_reached: Vec::new(),
        at_meta: meta::warnings(&templates, &tree.media),
        uses: route_sources.iter().filter_map(used).collect(),
        told: BTreeSet::new(),
        warnings: warnings.into_iter().chain(unused(&scripts, &route_sources)).chain(misspelt).collect(),
        files: tree.media.clone(),
        scripts: scripts.into_iter().map(|(path, source)| (path, source.text)).collect(),
        templates,
    };
    if findings.is_empty() {
        return Ok(catalog);
    }
    finish(&mut findings, tree);
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

/// Reads a file, and limits the number of findings kept.
fn some<T>(findings: &mut Vec<Finding>, read: impl FnOnce(&mut Vec<Finding>) -> T) -> T {
    let read = read(findings);
    findings.truncate(KEPT);
    read
}

/// Sorts findings, limits their number and adds their source lines.
pub(super) fn finish(findings: &mut Vec<Finding>, tree: &Tree) {
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
        findings.push(Finding::of_file("", format!("more findings are not shown: at least {more}")));
    }
}

fn templates_of<'a>(
    files: impl Iterator<Item = (&'a String, &'a String)>,
    findings: &mut Vec<Finding>,
) -> Vec<TemplateSource> {
    let mut sources: Vec<TemplateSource> = Vec::new();
    for (path, text) in files {
        let file = path.rsplit('/').next().unwrap_or(path);
        // `thanks.pt_BR.j2` is the variant of `thanks` in Portuguese.
        let name = file.split('.').next().unwrap_or(file);
        let in_folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let clashes = |other: &&TemplateSource| {
            let name_of = |path: &str| path.rsplit('/').next().map(str::to_owned);
            other.name == name
                && (in_folder(&other.file) != in_folder(path) || name_of(&other.file) == name_of(path))
        };
        if let Some(other) = sources.iter().find(clashes) {
            let finding = Finding::of_file(path.as_str(), format!("duplicate template `{name}`"));
            findings.push(
                finding
                    .note("also in", other.file.clone())
                    .help("rename one: template names are unique across all folders"),
            );
            continue;
        }
        sources.push(TemplateSource { name: name.to_owned(), file: path.clone(), text: text.clone() });
    }
    sources
}
