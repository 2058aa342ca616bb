//! `hookswitch rules new`: a route with its template and its first case.

use std::{
    fs::{self, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use hookswitch_core::catalog::{self, Catalog, Findings, Schema};

use super::{failure::Failure, rules_schema};
use crate::{
    app,
    config::{DatabaseConfig, RulesConfig},
};

const ROUTE: &str = include_str!("rules_new/route.yaml");
const TEMPLATE: &str = include_str!("rules_new/template.j2");
const CASE: &str = include_str!("rules_new/case.yaml");
/// The groups of a folder that has none yet.
const GROUPS: &str = include_str!("rules_new/groups.yaml");

/// The arguments of `hookswitch rules new`.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// Folder and name, for example orders/refunded: lower-case letters, digits and underscores
    #[arg(value_name = "DOMAIN/NAME", value_parser = name)]
    name: Name,
    /// Type of the events [default: DOMAIN.NAME]
    #[arg(long = "on", value_name = "TYPE")]
    kind: Option<String>,
    /// Group that is told [default: the first of groups.yaml]
    #[arg(long)]
    group: Option<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

#[derive(Clone, Debug)]
struct Name {
    domain: String,
    name: String,
}

fn name(text: &str) -> Result<Name, String> {
    let fits = |word: &&str| {
        let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (1..=64).contains(&word.len())
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(is_of_a_name)
    };
    let parts = text.split_once('/').filter(|(domain, name)| fits(domain) && fits(name));
    let (domain, name) = parts.ok_or(
        "expected a folder and a name, for example orders/refunded, of lower-case letters, digits and underscores",
    )?;
    if domain == "lib" {
        return Err("the folder lib is for functions that all rules share".to_owned());
    }
    Ok(Name { domain: domain.to_owned(), name: name.to_owned() })
}

/// Writes the files. If they are not right with the rest of the folder, nothing is left of them.
///
/// # Errors
/// If one of them exists, the folder has errors already, there is no such group, or they cannot be written.
pub fn run(args: &NewArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let (rules, Name { domain, name }) = (&args.rules.rules, &args.name);
    let kind = args.kind.clone().unwrap_or_else(|| format!("{domain}.{name}"));
    let word = format!("{domain}_{name}");
    let groups = rules.join("groups.yaml");
    let is_first = !groups.exists();
    if is_first {
        fs::create_dir_all(rules).with_context(|| format!("cannot create {}", rules.display()))?;
        write(&groups, &(rules_schema::modeline(Schema::Groups, 0) + GROUPS))?;
    }
    let group = match load(args, database)? {
        Ok(catalog) => group(&catalog, args.group.as_deref()),
        Err(findings) => {
            eprintln!("{findings}\n");
            Err(Failure::new("the rules have errors already").help("mend them first"))
        }
    };
    let group = group.inspect_err(|_| {
        if is_first {
            // The error that is reported is the first.
            let _ = fs::remove_file(&groups);
        }
    })?;
    // Meta takes each text once.
    let words = format!("{domain}, {name}").replace('_', " ");
    let fill = |text: &str| {
        let text = text.replace("TYPE", &quoted(&kind)).replace("GROUP", &quoted(&group));
        text.replace("DESCRIPTION", &quoted(&format!("Tells of {kind}")))
            .replace("TEMPLATE", &word)
            .replace("WORDS", &words)
    };
    let folder = rules.join(domain);
    let template = folder.join(format!("templates/{word}.j2"));
    let routes = folder.join("routes.yaml");
    let case = folder.join(format!("cases/{name}.yaml"));
    for path in [&template, &case] {
        if path.exists() {
            return Err(Failure::new(format!("{} already exists", path.display())).into());
        }
    }
    let before = read(&routes)?;
    let mut after = before.clone().unwrap_or_default();
    if before.is_none() {
        after.push_str(&rules_schema::modeline(Schema::Routes, 1));
    } else if !after.is_empty() {
        after.push_str(if after.ends_with('\n') { "\n" } else { "\n\n" });
    }
    after.push_str(&fill(ROUTE));
    // In this order the folder is right after each of them: a host may be watching.
    let files = [
        (&template, fill(TEMPLATE)),
        (&routes, after),
        (&case, format!("{}{}", rules_schema::modeline(Schema::Cases, 2), fill(CASE))),
    ];
    let written = files.iter().try_for_each(|(path, text)| write(path, text));
    let loaded = written.and_then(|()| load(args, database));
    if !matches!(loaded, Ok(Ok(_))) {
        // The error that is reported is the first.
        let _ = fs::remove_file(&case);
        let _ = match &before {
            Some(text) => write(&routes, text),
            None => fs::remove_file(&routes).map_err(Into::into),
        };
        let _ = fs::remove_file(&template);
    }
    if let Err(findings) = loaded? {
        eprintln!("{findings}\n");
        let failure = Failure::new(format!("{} takes no further route", routes.display()));
        return Err(failure.help("write the route by hand; rules/README.md shows how").into());
    }
    for path in [&routes, &template, &case] {
        println!("Written: {}", path.display());
    }
    for path in rules_schema::complete(rules)? {
        println!("Written: {}", path.display());
    }
    println!("Next: write what people are to read, and\n  hookswitch rules check");
    Ok(ExitCode::SUCCESS)
}

fn load(args: &NewArgs, database: &DatabaseConfig) -> anyhow::Result<Result<Catalog, Findings>> {
    Ok(catalog::load(&app::folders(&args.rules, database, false)?))
}

fn group(catalog: &Catalog, wanted: Option<&str>) -> Result<String, Failure> {
    let mut names = catalog.groups.iter().map(|group| group.name.as_str());
    let Some(wanted) = wanted else {
        let first = names.next().map(str::to_owned);
        return first.ok_or_else(|| {
            Failure::new("groups.yaml names no group").help("add one, or name it with --group")
        });
    };
    if names.any(|name| name == wanted) {
        return Ok(wanted.to_owned());
    }
    let known: Vec<_> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
    Err(Failure::new(format!("groups.yaml has no group {wanted:?}"))
        .help(format!("it has: {}", known.join(", "))))
}

/// A text as YAML reads it: in quotes, unless it is plain.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ' ' | '-');
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_plain);
    let is_reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    if is_word && !is_reserved && !text.ends_with(' ') {
        return text.to_owned();
    }
    serde_json::json!(text).to_string()
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a file so that nobody reads half of it.
fn write(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(cannot)?;
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        // As other files are: the host may be another user.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}
