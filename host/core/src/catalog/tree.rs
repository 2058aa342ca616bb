//! Reads a rules folder into memory, once: what is compiled later is what was hashed here.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    Folders,
    files::{Root, Unread},
    findings::Finding,
    media_file::MediaFile,
};
use crate::decide::LIBRARY;

/// Maximum size of one file, in bytes.
const MAX_FILE_SIZE: u64 = 1024 * 1024;
/// Maximum total size of all files that templates send, in bytes: each is read when something has changed.
const MAX_MEDIA_SIZE: u64 = 1024 * 1024 * 1024;
/// Maximum total size of what is in memory of all files except components, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;
/// Maximum number of files.
const MAX_FILES: usize = 10_000;

/// Length of the short name of a release, in hexadecimal digits.
pub const SHORT: usize = 12;
/// Prefix of the paths of plugins; no domain can have this name.
pub const PLUGINS: &str = "plugins";
/// Maximum size of one component, in bytes.
const MAX_COMPONENT_SIZE: u64 = 64 * 1024 * 1024;

/// Contents of a rules folder and of its plugins folder.
pub struct Tree {
    /// Text of each file, by its path relative to the folder, with `/` as separator.
    pub files: BTreeMap<String, String>,
    /// Files that templates send, and examples for Meta's reviewers, by their paths.
    pub media: BTreeMap<String, MediaFile>,
    /// Components of plugins, by their paths.
    pub components: BTreeMap<String, Vec<u8>>,
    /// The first 12 hexadecimal digits of `id`.
    pub release: String,
    /// The SHA-256 of all paths and texts, in hexadecimal digits.
    pub id: String,
}

/// Kind of a file.
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
    /// `<domain>/*.rhai` and `lib/*.rhai`
    Script,
    /// `lib/cases/*.yaml`
    LibraryCases,
    /// `<domain>/templates/*.j2`
    Template,
    /// `<domain>/cases/*.yaml`
    Cases,
    /// `<domain>/files/*`
    Media,
    /// `plugins/<id>/plugin.yaml`
    Plugin,
    /// `plugins/<id>/*.csv` and `*.yaml`
    Table,
}

/// The kind of the file at a path relative to the rules folder; `None` if no file is expected there.
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
        [LIBRARY, file] if file.ends_with(".rhai") => Some(Kind::Script),
        [LIBRARY, "cases", file] if file.ends_with(".yaml") => Some(Kind::LibraryCases),
        [LIBRARY, ..] => None,
        [_, "routes.yaml"] => Some(Kind::Routes),
        [_, "config.yaml"] => Some(Kind::Config),
        [_, file] if file.ends_with(".rhai") => Some(Kind::Script),
        [_, "templates", file] if file.ends_with(".j2") => Some(Kind::Template),
        [_, "cases", file] if file.ends_with(".yaml") => Some(Kind::Cases),
        [_, "files", _] => Some(Kind::Media),
        _ => None,
    }
}

/// The folder that a file belongs to: a domain, or `plugins/<id>`; empty for files at the top.
pub fn domain_of(path: &str) -> &str {
    let rest = path.strip_prefix(PLUGINS).and_then(|rest| rest.strip_prefix('/'));
    match rest.and_then(|rest| rest.find('/')) {
        Some(end) => &path[..PLUGINS.len() + 1 + end],
        None => path.split_once('/').map_or("", |(domain, _)| domain),
    }
}

/// Whether a file is ignored: notes for people, hidden files and editors' backups.
fn is_ignored(name: &str) -> bool {
    name == "README.md" || name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp")
}

/// Reads the folders. Reports files that cannot be read or do not belong there, and reads the rest.
pub fn read(folders: &Folders, findings: &mut Vec<Finding>) -> Tree {
    let mut tree = Tree {
        files: BTreeMap::new(),
        media: BTreeMap::new(),
        components: BTreeMap::new(),
        release: String::new(),
        id: String::new(),
    };
    match Root::of(&folders.rules) {
        Ok(root) => {
            let (files, media) = (&mut tree.files, &mut tree.media);
            Walk { root, files, media, findings, size: 0, media_size: 0 }.folder(&folders.rules, "");
        }
        Err(error) => findings.push(Finding::of_file("", format!("cannot read the folder: {error}"))),
    }
    if tree.files.is_empty() && findings.is_empty() {
        findings.push(
            Finding::of_file("", "no rules in the folder")
                .help("add `groups.yaml`, and a folder for each domain"),
        );
    }
    if let Some(plugins) = &folders.plugins {
        let root = match plugins.is_file() {
            true => Err(io::Error::from(ErrorKind::NotADirectory)),
            false => Root::of(plugins),
        };
        match root {
            Ok(root) => read_plugins(&root, plugins, &mut tree, findings),
            // Nobody has to have plugins; who names a folder has some.
            Err(error) if error.kind() == ErrorKind::NotFound && plugins.as_path() == Path::new(PLUGINS) => {}
            Err(error) => {
                let finding =
                    Finding::of_file("", format!("cannot read the folder {}: {error}", plugins.display()));
                findings.push(finding.help("name the folder of the plugins: --plugins (HOOKSWITCH_PLUGINS)"));
            }
        }
    }
    tree.id = id_of(&tree);
    tree.release = tree.id[..SHORT].to_owned();
    tree
}

/// Reads the files of plugins, without their source code.
fn read_plugins(root: &Root, folder: &Path, tree: &mut Tree, findings: &mut Vec<Finding>) {
    for id in names(folder, PLUGINS, findings).into_iter().filter(|id| !is_ignored(id)) {
        let plugin = folder.join(&id);
        // Files beside the plugins: a workspace's, notes.
        if plugin.is_file() {
            continue;
        }
        let path = format!("{PLUGINS}/{id}");
        if root.holds(&plugin).is_ok_and(|within| !within) {
            findings.push(Finding::of_file(format!("{PLUGINS}/{id}"), Unread::Outside.to_string()));
            continue;
        }
        let mut files = names(&plugin, &path, findings);
        for within in ["cases", "templates"] {
            if files.iter().any(|name| name == within) {
                let inner = names(&plugin.join(within), &format!("{path}/{within}"), findings);
                files.extend(inner.into_iter().map(|name| format!("{within}/{name}")));
            }
        }
        for name in files {
            let (file, path) = (plugin.join(&name), format!("{PLUGINS}/{id}/{name}"));
            let is_component = name.ends_with(".wasm") && !name.contains('/');
            if !file.is_file() || !(is_component || kind_of(&path).is_some()) {
                continue;
            }
            let limit = if is_component { MAX_COMPONENT_SIZE } else { MAX_FILE_SIZE };
            match root.read(&file, limit) {
                Ok(bytes) if is_component => drop(tree.components.insert(path, bytes)),
                Ok(bytes) => match String::from_utf8(bytes) {
                    Ok(text) => drop(tree.files.insert(path, text)),
                    Err(_) => findings.push(Finding::of_file(path, "the file is not valid UTF-8")),
                },
                Err(why) => findings.push(Finding::of_file(path, why.to_string())),
            }
        }
    }
}

/// The names in a folder, sorted. That it cannot be read is a finding: what is in it would silently not be there.
fn names(folder: &Path, path: &str, findings: &mut Vec<Finding>) -> Vec<String> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.unwrap_or_else(|error| {
        findings.push(Finding::of_file(path, format!("cannot read the folder: {error}")));
        Vec::new()
    });
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn id_of(tree: &Tree) -> String {
    let mut hash = Sha256::new();
    let files = tree.files.iter().map(|(path, text)| (path, text.as_bytes()));
    let media = tree.media.iter().map(|(path, file)| (path, file.sha256.as_bytes()));
    let components = tree.components.iter().map(|(path, bytes)| (path, bytes.as_slice()));
    for (path, bytes) in files.chain(media).chain(components) {
        for part in [path.as_bytes(), bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

/// Walk through the rules folder.
struct Walk<'a> {
    root: Root,
    files: &'a mut BTreeMap<String, String>,
    media: &'a mut BTreeMap<String, MediaFile>,
    findings: &'a mut Vec<Finding>,
    /// Bytes in memory so far.
    size: usize,
    /// Bytes of the files that templates send so far.
    media_size: u64,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, within: &str) {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.failed(within, &error),
        };
        for entry in entries {
            if self.findings.len() > MAX_FILES {
                return;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_ignored(&name) {
                let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
                self.entry(&entry.path(), path);
            }
        }
    }

    fn entry(&mut self, file: &Path, path: String) {
        // Follows links, and refuses those that leave the folder.
        let metadata = match self.root.holds(file).and_then(|within| Ok((within, fs::metadata(file)?))) {
            Ok((true, metadata)) => metadata,
            Ok((false, _)) => {
                let finding = Finding::of_file(path, Unread::Outside.to_string());
                return self.findings.push(finding.help("copy the target into the folder"));
            }
            // Removed since the folder was listed, as editors' temporary files are.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !file.is_symlink() => return,
            Err(error) => return self.failed(&path, &error),
        };
        if path == PLUGINS {
            self.findings.push(
                Finding::of_file(path, "plugins do not belong in the rules folder")
                    .help("move them to the folder given by --plugins"),
            );
        } else if metadata.is_dir() && is_folder(&path) {
            self.folder(file, &path);
        } else if !metadata.is_file() || kind_of(&path).is_none() {
            self.findings.push(unknown(&path, metadata.is_dir()));
        } else if self.files.len() + self.media.len() == MAX_FILES {
            self.findings.push(Finding::of_file(path, format!("the folder has more than {MAX_FILES} files")));
        } else if self.size > MAX_SIZE {
            let size = MAX_SIZE / 1024 / 1024;
            self.findings
                .push(Finding::of_file(path, format!("the files have more than {size} MiB in total")));
        } else {
            self.read(file, path);
        }
    }

    fn read(&mut self, file: &Path, path: String) {
        if kind_of(&path) == Some(Kind::Media) {
            if self.media_size > MAX_MEDIA_SIZE {
                let size = MAX_MEDIA_SIZE / 1024 / 1024;
                let why = format!("the files that templates send have more than {size} MiB in total");
                return self.findings.push(Finding::of_file(path, why));
            }
            match MediaFile::read(&self.root, file) {
                Ok(media) => {
                    self.size += media.in_memory();
                    self.media_size += media.size;
                    self.media.insert(path, media);
                }
                Err(why) => self.findings.push(Finding::of_file(path, why.to_string())),
            }
            return;
        }
        match self.root.read(file, MAX_FILE_SIZE).map(String::from_utf8) {
            Ok(Ok(text)) => {
                self.size += text.len();
                self.files.insert(path, text);
            }
            Ok(Err(_)) => self.findings.push(Finding::of_file(path, "the file is not valid UTF-8")),
            Err(why) => self.findings.push(Finding::of_file(path, why.to_string())),
        }
    }

    fn failed(&mut self, path: &str, error: &io::Error) {
        self.findings.push(Finding::of_file(path, format!("cannot read it: {error}")));
    }
}

fn is_folder(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts.as_slice(), [_] | [_, "templates" | "cases" | "files"])
}

fn unknown(path: &str, is_folder: bool) -> Finding {
    let what = if is_folder { "folder" } else { "file" };
    let help = match path.split('/').collect::<Vec<_>>().as_slice() {
        [_] => "expected `groups.yaml`, `schedules.yaml` and a folder for each domain",
        [LIBRARY, "cases", _] => "expected cases, named `*.yaml`",
        [LIBRARY, ..] => "the library has `*.rhai` and `cases/`",
        [_, _] => "expected `routes.yaml`, `config.yaml`, `*.rhai`, `templates/`, `cases/` and `files/`",
        [_, "templates", _] => "expected templates, named `*.j2`",
        _ => "expected cases, named `*.yaml`",
    };
    Finding::of_file(path, format!("unknown {what}")).help(help)
}
