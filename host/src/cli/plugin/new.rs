//! `hookswitch plugin new`: a folder with a plugin that works.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::config::RulesConfig;

/// The languages that have a template.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Rust,
    Python,
    Javascript,
}

/// What to make.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// The plugin's id: lower-case letters, digits and dashes.
    id: String,
    /// The language.
    #[arg(long = "lang", value_enum, default_value = "rust")]
    language: Language,
    /// Where the SDK for Rust is; beside the plugins, if it is there.
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Makes the folder.
///
/// # Errors
/// Where the id is none, or the folder exists.
pub fn run(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let id = &args.id;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(2..=64).contains(&id.len())
        || !id.bytes().all(fits)
        || !id.starts_with(|c: char| c.is_ascii_lowercase())
    {
        bail!(
            "make the plugin {id:?}: an id has 2 to 64 lower-case letters, digits and dashes, a letter first"
        );
    }
    let folder = args.rules.plugins.join(id);
    if folder.exists() {
        bail!("make the plugin {id}: the folder {} is there already", folder.display());
    }
    let fill = |text: &str| text.replace("PLUGIN_ID", id).replace("plugin_id", &id.replace('-', "_"));
    write(&folder, "plugin.yaml", &fill(include_str!("template/plugin.yaml")))?;
    write(&folder, &format!("templates/{}_note.j2", id.replace('-', "_")), include_str!("template/note.j2"))?;
    write(&folder, "cases/first.yaml", &fill(include_str!("template/case.yaml")))?;
    match args.language {
        Language::Rust => {
            let sdk = match &args.sdk {
                Some(sdk) => std::path::absolute(sdk)?.display().to_string(),
                None if args.rules.plugins.join("../sdk/Cargo.toml").is_file() => "../../sdk".to_owned(),
                None => bail!("make the plugin {id}: name the folder of hookswitch-sdk with --sdk"),
            };
            let cargo = fill(include_str!("template/cargo.toml.txt")).replace("SDK_FOLDER", &sdk);
            write(&folder, "Cargo.toml", &cargo)?;
            write(&folder, "src/lib.rs", &fill(include_str!("template/lib.rs.txt")))?;
        }
        Language::Python => write(&folder, "app.py", &fill(include_str!("template/app.py.txt")))?,
        Language::Javascript => {
            write(&folder, &format!("{id}.js"), &fill(include_str!("template/plugin.js.txt")))?
        }
    }
    println!("{} is there. Next:", folder.display());
    println!("  hookswitch plugin build {id}\n  hookswitch plugin check {id}");
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, file: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(file);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("write {}", path.display()))
}
