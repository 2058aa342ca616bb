//! Reads a rules folder into memory, once: what is compiled later is what was hashed here.

use std::{collections::BTreeMap, fs, io, path::Path};

use sha2::{Digest, Sha256};

use super::findings::Finding;

/// The size of one file, in bytes.
const MAX_FILE_SIZE: u64 = 1024 * 1024;
/// How many files there may be.
const MAX_FILES: usize = 10_000;

/// What a rules folder holds.
pub struct Tree {
    /// The text of each file, by its path relative to the folder, with `/` between its parts.
    pub files: BTreeMap<String, String>,
    /// The first 12 hexadecimal digits of the SHA-256 of all paths and texts.
    pub release: String,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `groups.yaml`
    Groups,
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
}

/// What the file at a path relative to the rules folder is for; `None` where files are unknown there.
pub fn kind_of(path: &str) -> Option<Kind> {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["groups.yaml"] => Some(Kind::Groups),
        [_, "routes.yaml"] => Some(Kind::Routes),
        [_, "config.yaml"] => Some(Kind::Config),
        [_, file] if file.ends_with(".rhai") => Some(Kind::Script),
        [_, "templates", file] if file.ends_with(".j2") => Some(Kind::Template),
        [_, "cases", file] if file.ends_with(".yaml") => Some(Kind::Cases),
        _ => None,
    }
}

/// The folder that a file belongs to.
pub fn domain_of(path: &str) -> &str {
    path.split_once('/').map_or("", |(domain, _)| domain)
}

/// Whether nobody means a file of this name to be a rule: notes for people, and what editors leave behind.
fn is_ignored(name: &str) -> bool {
    name == "README.md" || name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp")
}

/// Reads the folder. What cannot be read, or does not belong there, is told; the rest is read all the same.
pub fn read(folder: &Path, findings: &mut Vec<Finding>) -> Tree {
    let mut files = BTreeMap::new();
    walk(folder, "", &mut files, findings);
    if files.is_empty() && findings.is_empty() {
        findings.push(
            Finding::of_file("", "there are no rules in the folder")
                .help("it has a `groups.yaml` and one folder for each domain"),
        );
    }
    let release = release_of(&files);
    Tree { files, release }
}

fn release_of(files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (path, text) in files {
        for part in [path, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
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
        if metadata.is_dir() && is_folder(&path) {
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
        [_] => "here stand `groups.yaml` and one folder for each domain",
        [_, _] => "here stand `routes.yaml`, `config.yaml`, scripts `*.rhai`, `templates/` and `cases/`",
        [_, "templates", _] => "here stand templates, `*.j2`",
        _ => "here stand cases, `*.yaml`",
    };
    Finding::of_file(path, format!("unknown {what}")).help(help)
}
