//! `hookswitch events export`.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use hookswitch_core::recorded::ExportedLine;
use jiff::Timestamp;

use crate::{
    app::Database,
    check::count,
    cli::{failure::Failure, replay::PastArgs},
    config::DatabaseConfig,
    operate::{ExportError, Exported, Operate},
};

/// The arguments of `hookswitch events export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// New file to write; - for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    past: PastArgs,
}

/// Runs the command.
///
/// # Errors
/// If the file cannot be written, or the database cannot be reached.
pub async fn run(args: ExportArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let ExportArgs { file, past } = args;
    let choice = past.choice()?;
    choice.check().map_err(Failure::usage)?;
    let shown = match file.as_os_str() == "-" {
        true => "standard output".to_owned(),
        false => file.display().to_string(),
    };
    let unwritable = |error: io::Error| Failure::new(format!("cannot write {shown}: {error}"));
    let database = Database::open(database, &mut |_| {}).await?;
    let mut out: BufWriter<Box<dyn Write + Send>> = BufWriter::new(match file.as_os_str() == "-" {
        true => Box::new(stdout()),
        false => Box::new(new_file(&file).map_err(unwritable)?),
    });
    let exported = Operate::new(database.store.clone())
        .export_events(&choice, Timestamp::now(), &mut |line: &ExportedLine| {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n")
        })
        .await;
    database.close().await;
    let exported = match exported {
        Ok(exported) => out.flush().map(|()| exported),
        Err(ExportError::Write(error)) => Err(error),
        Err(ExportError::Store(error)) => return Err(error.into()),
    };
    match exported {
        Ok(exported) => tell(&exported, &shown),
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(unwritable(error).into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// A file that only its owner may read: that nothing in it is personal cannot be known.
fn new_file(path: &std::path::Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn tell(exported: &Exported, to: &str) {
    let Exported { events, left_out, people, more_people } = *exported;
    let counted = |number: u64, one, many| count(i64::try_from(number).unwrap_or(i64::MAX), one, many);
    let (events, persons) = (counted(events, "event", "events"), counted(people as u64, "person", "people"));
    eprintln!("Exported {events} and {persons} to {to}.");
    if left_out > 0 {
        let left_out = counted(left_out, "event", "events");
        eprintln!("{left_out} left out: not decided yet, erased, or not readable.");
    }
    if more_people {
        eprintln!("There are more people: only the first {people} are in it.");
    }
}
