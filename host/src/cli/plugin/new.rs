//! `hookswitch plugin new`: a folder with a working plugin.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context;
use clap::{Args, ValueEnum};

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
    /// Folder of the SDK for Rust [default: sdk beside the plugins]
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

fn plugin_id(id: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
    if (2..=64).contains(&id.len()) && id.bytes().all(fits) && begins {
        return Ok(id.to_owned());
    }
    Err("expected 2 to 64 lower-case letters, digits and dashes, beginning with a letter".to_owned())
}

/// Creates the folder.
///
/// # Errors
/// If the folder exists or cannot be written, or the SDK is not found.
pub fn run(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let id = &args.id;
    let folder = args.rules.plugins.join(id);
    if folder.exists() {
        return Err(Failure::new(format!("the folder {} already exists", folder.display())).into());
    }
    let sdk = match (args.language, &args.sdk) {
        (Language::Rust, Some(sdk)) => std::path::absolute(sdk)?.display().to_string(),
        (Language::Rust, None) if !args.rules.plugins.join("../sdk/Cargo.toml").is_file() => {
            let what = format!("no SDK beside the folder {}", args.rules.plugins.display());
            return Err(Failure::usage(what).help("name the folder of hookswitch-sdk with --sdk").into());
        }
        _ => "../../sdk".to_owned(),
    };
    let fill = |text: &str| text.replace("PLUGIN_ID", id).replace("plugin_id", &id.replace('-', "_"));
    write(&folder, "plugin.yaml", &fill(include_str!("template/plugin.yaml")))?;
    write(&folder, &format!("templates/{}_note.j2", id.replace('-', "_")), include_str!("template/note.j2"))?;
    write(&folder, "cases/first.yaml", &fill(include_str!("template/case.yaml")))?;
    match args.language {
        Language::Rust => {
            let cargo = fill(include_str!("template/cargo.toml.txt")).replace("SDK_FOLDER", &sdk);
            write(&folder, "Cargo.toml", &cargo)?;
            write(&folder, "src/lib.rs", &fill(include_str!("template/lib.rs.txt")))?;
        }
        Language::Python => write(&folder, "app.py", &fill(include_str!("template/app.py.txt")))?,
        Language::Javascript => {
            write(&folder, &format!("{id}.js"), &fill(include_str!("template/plugin.js.txt")))?
        }
    }
    println!("Created {}. Next:", folder.display());
    println!("  hookswitch plugin build {id}\n  hookswitch plugin check {id}");
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, file: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(file);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}
