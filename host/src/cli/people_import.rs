//! `hookswitch people import`: people from a CSV file.

use std::{fs, io, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    check::count,
    directory::{Editor, differences},
    store::{ImportOptions, Imported, StoredPerson},
};

/// Names in one line of a report.
const NAMED: usize = 20;

/// The arguments of `hookswitch people import`.
#[derive(Args, Debug)]
#[command(
    after_help = "The file has a header: username,name,whatsapp,groups,quiet_hours,time_zone. Only username and name are \
                  required. Fields are separated by commas, semicolons or tabs, several groups by semicolons (in a file with \
                  semicolons: in quotes). What a line leaves empty stays as it is, except for its groups with \
                  --exact-groups. Example:\n\n  \
                  username,name,whatsapp,groups\n  \
                  tendai,Tendai Moyo,+263 77 123 4567,Sales Team; Finance Team\n\n\
                  A complete list of the staff can take people out, too: --exact-groups --deactivate-missing. To erase what \
                  is stored about somebody: hookswitch people forget."
)]
pub struct ImportArgs {
    /// The CSV file; - for standard input
    file: PathBuf,
    /// Print what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove the file's people from groups that their lines do not name
    #[arg(long)]
    exact_groups: bool,
    /// Deactivate people whom the file does not name
    #[arg(long)]
    deactivate_missing: bool,
}

/// Imports people.
///
/// # Errors
/// If the file cannot be read, or lines of it are invalid.
pub async fn run(args: &ImportArgs, directory: &Editor) -> anyhow::Result<ExitCode> {
    let csv = if args.file.as_os_str() == "-" {
        io::read_to_string(io::stdin()).context("cannot read standard input")?.into_bytes()
    } else {
        fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?
    };
    let lines = csv.iter().filter(|byte| **byte == b'\n').count();
    let bar = ProgressBar::new(lines as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} people")?);
    let options = ImportOptions {
        dry_run: args.dry_run,
        exact_groups: args.exact_groups,
        deactivate_missing: args.deactivate_missing,
    };
    let imported = directory.import(&csv, options, &mut |done| bar.set_position(done as u64)).await;
    bar.finish_and_clear();
    print(&imported?, args.dry_run);
    Ok(ExitCode::SUCCESS)
}

fn print(imported: &Imported, is_dry: bool) {
    let Imported { added, updated, unchanged, deactivated, inactive, shared } = imported;
    if is_dry {
        for person in added {
            println!("add {}{}", person.username, in_groups(person));
        }
        for (before, after) in updated {
            println!("update {}: {}", after.username, differences(before, after).join("; "));
        }
        for username in deactivated {
            println!("deactivate {username}");
        }
    }
    let people = |number: usize| count(number, "person", "people");
    let (add, update) = if is_dry { ("Would add", "update") } else { ("Added", "updated") };
    let mut said = format!("{add} {}, {update} {}", people(added.len()), people(updated.len()));
    if !deactivated.is_empty() {
        let deactivate = if is_dry { "deactivate" } else { "deactivated" };
        said = format!("{said}, {deactivate} {}", people(deactivated.len()));
    }
    if *unchanged > 0 {
        said = format!("{said}; {} unchanged", count(*unchanged, "person is", "people are"));
    }
    println!("{said}.{}", if is_dry { " Nothing was changed." } else { "" });
    if !is_dry && !deactivated.is_empty() {
        println!("Deactivated: {}", some(deactivated));
    }
    for people in shared {
        eprintln!(
            "warning: the same WhatsApp number is linked to {}; a message for several of them is sent once",
            people.join(", ")
        );
    }
    if !inactive.is_empty() {
        eprintln!(
            "warning: the file names people who are deactivated and receive nothing: {}; to reactivate one: \
             hookswitch people activate USERNAME",
            some(inactive)
        );
    }
}

fn in_groups(person: &StoredPerson) -> String {
    if person.groups.is_empty() { String::new() } else { format!(" to {}", person.groups.join(", ")) }
}

/// The first of these names, and how many more there are.
fn some(names: &[String]) -> String {
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}
