//! `hookswitch plugin new`: a folder with a working plugin.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::sdk::{self, Sdk};
use crate::{cli::failure::Failure, config::RulesConfig};

/// Languages with a template.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Rust,
    Python,
    Javascript,
}

/// The arguments of `hookswitch plugin new`.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// Id of the plugin: 2 to 64 lower-case letters, digits and dashes, beginning with a letter
    #[arg(value_parser = plugin_id)]
    id: String,
    /// Language of the plugin
    #[arg(long = "lang", value_enum, default_value = "rust")]
    language: Language,
    /// Folder of the SDK for Rust [default: sdk in the plugins folder, written if it is missing]
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
    #[command(flatten)]
    rules: RulesConfig,
}

fn plugin_id(id: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
    if [sdk::FOLDER, "target"].contains(&id) {
        return Err("this folder is for what all plugins share".to_owned());
    }
    if (2..=64).contains(&id.len()) && id.bytes().all(fits) && begins {
        return Ok(id.to_owned());
    }
    Err("expected 2 to 64 lower-case letters, digits and dashes, beginning with a letter".to_owned())
}

/// Creates the folder. If that fails, nothing is left of it.
///
/// # Errors
/// If the folder exists or cannot be written, or the SDK that is named is none.
pub fn run(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let id = &args.id;
    let plugins = &args.rules.plugins;
    let folder = plugins.join(id);
    if folder.exists() {
        return Err(Failure::new(format!("the folder {} already exists", folder.display())).into());
    }
    let sdk = match args.language {
        Language::Rust => Some(sdk::find(plugins, args.sdk.as_deref())?),
        Language::Python | Language::Javascript => None,
    };
    let files = files(id, args.language, sdk.as_ref());
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let was_there = plugins.is_dir();
    fs::create_dir_all(plugins).with_context(|| format!("cannot create {}", plugins.display()))?;
    // The SDK first: a plugin without it could not be built.
    let shared: &[(&str, &str)] = if sdk.is_some_and(|sdk| sdk.is_missing) { &sdk::FILES } else { &[] };
    let beside = plugins.join(sdk::FOLDER);
    let made = create(&beside, shared).and_then(|()| create(&folder, &files));
    if made.is_err() {
        // The error that is reported is the first. A folder that is not empty stays.
        if !shared.is_empty() {
            let _ = fs::remove_dir_all(&beside);
        }
        if !was_there {
            let _ = fs::remove_dir(plugins);
        }
    }
    made?;
    println!("Created {}. Next:", folder.display());
    println!("  hookswitch plugin build {id}\n  hookswitch plugin check {id}");
    println!("Or both, each time you save a file:\n  hookswitch plugin dev {id}");
    Ok(ExitCode::SUCCESS)
}

/// The files of a new plugin.
fn files(id: &str, language: Language, sdk: Option<&Sdk>) -> Vec<(String, String)> {
    let word = id.replace('-', "_");
    let fill = |text: &str| text.replace("PLUGIN_ID", id).replace("plugin_id", &word);
    let mut files = vec![
        (".gitignore".to_owned(), include_str!("template/gitignore.txt").to_owned()),
        ("plugin.yaml".to_owned(), fill(include_str!("template/plugin.yaml"))),
        (format!("templates/{word}_note.j2"), include_str!("template/note.j2").to_owned()),
        ("cases/first.yaml".to_owned(), fill(include_str!("template/case.yaml"))),
    ];
    match language {
        Language::Rust => {
            // A path is a string of TOML, which has JSON's escapes.
            let path = serde_json::json!(sdk.map_or("", |sdk| &sdk.path)).to_string();
            let cargo = fill(include_str!("template/cargo.toml.txt")).replace("SDK_FOLDER", &path);
            files.push(("Cargo.toml".to_owned(), cargo));
            files.push(("src/lib.rs".to_owned(), fill(include_str!("template/lib.rs.txt"))));
        }
        Language::Python => {
            files.push(("app.py".to_owned(), fill(include_str!("template/app.py.txt"))));
            files.push(("hookswitch.py".to_owned(), sdk::PYTHON.to_owned()));
        }
        Language::Javascript => {
            files.push(("hookswitch.js".to_owned(), sdk::JAVASCRIPT.to_owned()));
            files.push((format!("{id}.js"), fill(include_str!("template/plugin.js.txt"))));
        }
    }
    files
}

/// Creates a folder with these files, all or nothing: it gets its name when it is complete, so that a host that watches
/// never reads half of it.
///
/// # Errors
/// If it cannot be written.
pub fn create(folder: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let cannot = || format!("cannot create {}", folder.display());
    let stage = tempfile::Builder::new()
        .prefix(".new-")
        // As other folders are: the host may be another user.
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(folder.parent().unwrap_or(folder))
        .with_context(cannot)?;
    for (name, text) in files {
        let path = stage.path().join(name);
        let parent = path.parent().unwrap_or(stage.path());
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)).with_context(cannot)?;
    }
    fs::rename(stage.path(), folder).with_context(cannot)?;
    drop(stage.keep());
    Ok(())
}
