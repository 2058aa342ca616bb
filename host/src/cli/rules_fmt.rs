//! `hookswitch rules fmt`: one layout for the YAML of rules and plugins.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;
use hookswitch_core::catalog::{Finding, Findings, laid_out};
use tempfile::NamedTempFile;

use super::failure::Failure;
use crate::{check::count, config::RulesConfig};

/// Maximum size of a file, in bytes: that of a file that rules can have.
const LARGEST: u64 = 1024 * 1024;
/// Folders without files of authors.
const NOT_RULES: [&str; 3] = ["target", "node_modules", "files"];

/// The arguments of `hookswitch rules fmt`.
#[derive(Args, Debug)]
#[command(
    long_about = "Lay out the YAML of rules and plugins, and the front matter of templates\n\nComments, the order of keys and \
                  the choice between lines and brackets stay. A file is written only if it reads the same as before. \
                  Scripts and the bodies of templates are left as they are."
)]
pub struct FmtArgs {
    /// Files or folders [default: the folders of rules and plugins]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing: list the files that are laid out differently, and exit with 1 if there are any
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Lays the files out. Status 1 if a file is not valid or, with `--check`, not laid out.
///
/// # Errors
/// If a path does not exist, or a file cannot be read or written.
pub fn run(args: &FmtArgs) -> Result<ExitCode> {
    let mut paths = args.paths.clone();
    if paths.is_empty() {
        paths.push(args.rules.rules.clone());
        paths.extend(Some(&args.rules.plugins).filter(|folder| folder.exists()).cloned());
    }
    let (mut files, mut changed, mut is_valid) = (0, 0, true);
    for path in &paths {
        let mut within = Vec::new();
        collect(path, &mut within)?;
        files += within.len();
        let folder = match path.parent() {
            _ if path.is_dir() => path.as_path(),
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut findings = Vec::new();
        for file in within {
            match lay_out(folder, &file, args.check)? {
                Ok(true) => {
                    changed += 1;
                    println!("{}: {}", if args.check { "Not laid out" } else { "Laid out" }, file.display());
                }
                Ok(false) => {}
                Err(finding) => findings.push(finding),
            }
        }
        if !findings.is_empty() {
            is_valid = false;
            eprintln!("{}\n", Findings { folder: folder.display().to_string(), findings });
        }
    }
    let of = count(files, "file", "files");
    match (args.check, changed) {
        (_, 0) => println!("{of}; none to change"),
        (false, changed) => println!("{of}; {changed} changed"),
        (true, changed) => println!("{of}; {changed} to change: hookswitch rules fmt"),
    }
    let is_right = is_valid && (changed == 0 || !args.check);
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lays out one file. Returns whether it was, or with `is_check` would be, changed; or why it cannot be laid out.
fn lay_out(folder: &Path, file: &Path, is_check: bool) -> Result<std::result::Result<bool, Finding>> {
    let cannot = |what: &str| format!("cannot {what} {}", file.display());
    let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    if fs::metadata(file).with_context(|| cannot("read"))?.len() > LARGEST {
        return Ok(Err(Finding::of_file(name, "the file is larger than 1 MiB")));
    }
    let text = match String::from_utf8(fs::read(file).with_context(|| cannot("read"))?) {
        Ok(text) => text,
        Err(_) => return Ok(Err(Finding::of_file(name, "the file is not valid UTF-8"))),
    };
    match laid_out(&name, &text) {
        Ok(new) if new == text => Ok(Ok(false)),
        Ok(new) => {
            if !is_check {
                replace(file, &new).with_context(|| cannot("write"))?;
            }
            Ok(Ok(true))
        }
        Err(finding) => Ok(Err(finding)),
    }
}

/// Adds a file, or those of a folder in their order. Links are not followed.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::usage(format!("no such file or folder: {}", path.display())).into());
        }
        Err(error) => return Err(error).with_context(cannot),
    };
    if !kind.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries =
        fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).with_context(cannot)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, kind) =
            (entry.file_name().to_string_lossy().into_owned(), entry.file_type().with_context(cannot)?);
        let is_yaml = [".yaml", ".j2"].iter().any(|end| name.ends_with(end));
        if kind.is_dir() && !name.starts_with('.') && !NOT_RULES.contains(&name.as_str()) {
            collect(&entry.path(), files)?;
        } else if kind.is_file() && is_yaml && !name.starts_with('.') {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Replaces a file in one step, as a host may be reading it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // What a link leads to is replaced, not the link.
    let path = fs::canonicalize(path)?;
    let mut file = NamedTempFile::with_prefix_in(".fmt", path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.persist(&path)?;
    Ok(())
}
