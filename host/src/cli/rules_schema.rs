//! `hookswitch rules schema`: JSON Schemas for editors.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Args, builder::PossibleValuesParser};
use hookswitch_core::catalog::Schema;

use crate::config::RulesConfig;

/// Folder of the schemas in a folder of rules. What begins with a dot is no rule.
const FOLDER: &str = ".schemas";

/// The arguments of `hookswitch rules schema`.
#[derive(Args, Debug)]
#[command(
    long_about = "Write JSON Schemas of routes, cases, templates, plugins, schedules and groups for editors\n\nAn editor with \
                  yaml-language-server completes and checks a file that begins with a line such as\n\n  \
                  # yaml-language-server: $schema=../.schemas/routes.schema.json"
)]
pub struct SchemaArgs {
    /// Folder to write to [default: .schemas in the folder of rules]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print this schema instead
    #[arg(long, value_name = "NAME", conflicts_with = "folder",
          value_parser = PossibleValuesParser::new(Schema::ALL.map(Schema::name)))]
    stdout: Option<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Writes the schemas, or prints one.
///
/// # Errors
/// If they cannot be written.
pub fn run(args: &SchemaArgs) -> Result<ExitCode> {
    if let Some(schema) = Schema::ALL.into_iter().find(|schema| Some(schema.name()) == args.stdout.as_deref())
    {
        print!("{}", schema.text());
        return Ok(ExitCode::SUCCESS);
    }
    let folder = args.folder.clone().unwrap_or_else(|| args.rules.rules.join(FOLDER));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for schema in Schema::ALL {
        println!("Written: {}", write(&folder, schema)?.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes those that a folder of rules does not have; returns the new ones.
///
/// # Errors
/// If they cannot be written.
pub fn complete(rules: &Path) -> Result<Vec<PathBuf>> {
    let folder = rules.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let missing = Schema::ALL.into_iter().filter(|schema| !folder.join(schema.file()).exists());
    missing.map(|schema| write(&folder, schema)).collect()
}

/// The first line of a file: it names the schema for editors. The file is in a folder this far below that of the rules.
pub fn modeline(schema: Schema, depth: usize) -> String {
    format!("# yaml-language-server: $schema={}{FOLDER}/{}\n", "../".repeat(depth), schema.file())
}

fn write(folder: &Path, schema: Schema) -> Result<PathBuf> {
    let path = folder.join(schema.file());
    let written: io::Result<()> = fs::write(&path, schema.text());
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
