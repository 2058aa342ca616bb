//! Reads a rules folder into memory, once: what is compiled later is what was hashed here.

use std::{collections::BTreeMap, fs, io, path::Path};

use sha2::{Digest, Sha256};

use super::{Folders, findings::Finding};

/// The size of one file, in bytes.
const MAX_FILE_SIZE: u64 = 1024 * 1024;
/// How many files there may be.
const MAX_FILES: usize = 10_000;

/// What paths of plugins begin with; no domain has this name.
const PLUGINS: &str = "plugins";
/// The size of one component, in bytes.
const MAX_COMPONENT_SIZE: u64 = 64 * 1024 * 1024;

/// What a rules folder holds.
pub struct Tree {
    /// The text of each file, by its path relative to the folder, with `/` between its parts.
    pub files: BTreeMap<String, String>,
    /// Components of plugins, by their paths.
    pub components: BTreeMap<String, Vec<u8>>,
    /// The first 12 hexadecimal digits of the SHA-256 of all paths and texts.
    pub release: String,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `groups.yaml`
    Groups,
    /// `schedules.yaml`
    Schedules,
    /// `<domain>/routes.yaml`
    Routes,
    /// `<domain>/config.yaml`
    Config,
    /// `<domain>/*.rhai`
    Script,
    /// `<domain>/templates/*.j2`
    Template,
    /// `<domain>/cases/*.yaml`
    Cases,
    /// `plugins/<id>/plugin.yaml`
    Plugin,
    /// `plugins/<id>/*.csv` and `*.yaml`
    Table,
}

/// What the file at a path relative to the rules folder is for; `None` where files are unknown there.
pub fn kind_of(path: &str) -> Option<Kind> {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["groups.yaml"] => Some(Kind::Groups),
        [PLUGINS, _, "plugin.yaml"] => Some(Kind::Plugin),
        [PLUGINS, _, file] if file.ends_with(".csv") || file.ends_with(".yaml") => Some(Kind::Table),
        [PLUGINS, _, "templates", file] if file.ends_with(".j2") => Some(Kind::Template),
        [PLUGINS, _, "cases", file] if file.ends_with(".yaml") => Some(Kind::Cases),
        [PLUGINS, ..] => None,
        ["schedules.yaml"] => Some(Kind::Schedules),
        [_, "routes.yaml"] => Some(Kind::Routes),
        [_, "config.yaml"] => Some(Kind::Config),
        [_, file] if file.ends_with(".rhai") => Some(Kind::Script),
        [_, "templates", file] if file.ends_with(".j2") => Some(Kind::Template),
        [_, "cases", file] if file.ends_with(".yaml") => Some(Kind::Cases),
        _ => None,
    }
}

/// The folder that a file belongs to: a domain, or `plugins/<id>`.
pub fn domain_of(path: &str) -> &str {
    let rest = path.strip_prefix(PLUGINS).and_then(|rest| rest.strip_prefix('/'));
    match rest.and_then(|rest| rest.find('/')) {
        Some(end) => &path[..PLUGINS.len() + 1 + end],
        None => path.split_once('/').map_or("", |(domain, _)| domain),
    }
}

/// Whether nobody means a file of this name to be a rule: notes for people, and what editors leave behind.
fn is_ignored(name: &str) -> bool {
    name == "README.md" || name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp")
}

/// Reads the folders. What cannot be read, or does not belong there, is told; the rest is read all the same.
pub fn read(folders: &Folders, findings: &mut Vec<Finding>) -> Tree {
    let mut tree = Tree { files: BTreeMap::new(), components: BTreeMap::new(), release: String::new() };
    walk(&folders.rules, "", &mut tree.files, findings);
    if tree.files.is_empty() && findings.is_empty() {
        findings.push(
            Finding::of_file("", "there are no rules in the folder")
                .help("it has a `groups.yaml` and one folder for each domain"),
        );
    }
    if let Some(plugins) = folders.plugins.as_ref().filter(|plugins| plugins.is_dir()) {
        read_plugins(plugins, &mut tree, findings);
    }
    tree.release = release_of(&tree);
    tree
}

/// Reads what belongs to plugins, and passes over their sources.
fn read_plugins(folder: &Path, tree: &mut Tree, findings: &mut Vec<Finding>) {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    for id in names(folder).into_iter().filter(|id| !is_ignored(id)) {
        let plugin = folder.join(&id);
        let mut files: Vec<String> = names(&plugin);
        for within in ["cases", "templates"] {
            files.extend(names(&plugin.join(within)).into_iter().map(|name| format!("{within}/{name}")));
        }
        for name in files {
            let (file, path) = (plugin.join(&name), format!("{PLUGINS}/{id}/{name}"));
            let is_component = name.ends_with(".wasm") && !name.contains('/');
            if !file.is_file() || !(is_component || kind_of(&path).is_some()) {
                continue;
            }
            let limit = if is_component { MAX_COMPONENT_SIZE } else { MAX_FILE_SIZE };
            match fs::metadata(&file).and_then(|metadata| Ok((metadata.len(), fs::read(&file)?))) {
                Ok((size, _)) if size > limit => {
                    let what = format!("the file is larger than {} MiB", limit / 1024 / 1024);
                    findings.push(Finding::of_file(path, what));
                }
                Ok((_, bytes)) if is_component => drop(tree.components.insert(path, bytes)),
                Ok((_, bytes)) => match String::from_utf8(bytes) {
                    Ok(text) => drop(tree.files.insert(path, text)),
                    Err(_) => findings.push(Finding::of_file(path, "the file is not text in UTF-8")),
                },
                Err(error) => findings.push(Finding::of_file(path, format!("failed to read: {error}"))),
            }
        }
    }
}

fn release_of(tree: &Tree) -> String {
    let mut hash = Sha256::new();
    let files = tree.files.iter().map(|(path, text)| (path, text.as_bytes()));
    let components = tree.components.iter().map(|(path, bytes)| (path, bytes.as_slice()));
    for (path, bytes) in files.chain(components) {
        for part in [path.as_bytes(), bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex::encode(&hash.finalize()[..6])
}

fn walk(folder: &Path, within: &str, files: &mut BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    let mut failed = |path: &str, error: io::Error| {
        findings.push(Finding::of_file(path, format!("failed to read: {error}")));
    };
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return failed(within, error),
    };
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_ignored(&name) {
            continue;
        }
        let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
        // Follows links: a folder may be mounted or linked in.
        let metadata = match fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            // It went away since the folder was listed, as editors' files do.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !entry.path().is_symlink() => continue,
            Err(error) => {
                findings.push(Finding::of_file(path, format!("failed to read: {error}")));
                continue;
            }
        };
        if within.is_empty() && name == PLUGINS {
            findings.push(
                Finding::of_file(path, "plugins do not stand among the rules")
                    .help("they have a folder of their own: --plugins"),
            );
        } else if metadata.is_dir() && is_folder(&path) {
            walk(&entry.path(), &path, files, findings);
        } else if !metadata.is_file() || kind_of(&path).is_none() {
            findings.push(unknown(&path, metadata.is_dir()));
        } else if metadata.len() > MAX_FILE_SIZE {
            findings.push(Finding::of_file(path, "the file is larger than 1 MiB"));
        } else if files.len() == MAX_FILES {
            findings.push(Finding::of_file("", format!("there are more than {MAX_FILES} files")));
            return;
        } else {
            match fs::read(entry.path()).map(String::from_utf8) {
                Ok(Ok(text)) => {
                    files.insert(path, text);
                }
                Ok(Err(_)) => findings.push(Finding::of_file(path, "the file is not text in UTF-8")),
                Err(error) => findings.push(Finding::of_file(path, format!("failed to read: {error}"))),
            }
        }
    }
}

fn is_folder(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts.as_slice(), [_] | [_, "templates" | "cases"])
}

fn unknown(path: &str, is_folder: bool) -> Finding {
    let what = if is_folder { "folder" } else { "file" };
    let help = match path.split('/').collect::<Vec<_>>().as_slice() {
        [_] => "here stand `groups.yaml`, `schedules.yaml` and one folder for each domain",
        [_, _] => "here stand `routes.yaml`, `config.yaml`, scripts `*.rhai`, `templates/` and `cases/`",
        [_, "templates", _] => "here stand templates, `*.j2`",
        _ => "here stand cases, `*.yaml`",
    };
    Finding::of_file(path, format!("unknown {what}")).help(help)
}
